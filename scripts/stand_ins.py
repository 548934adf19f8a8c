"""Stands in for programs that the documentation's commands would run for real: see check_docs.py.

Each checks what it is asked as far as that is possible without changing this machine: files must exist, targets, units
and options be real. What a command leaves behind for the next one (a release in dist/, files under /usr) appears in the
folder of the test. Anything unknown is an error, so that no command passes unread.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ["STAND_IN_ROOT"])
SYSTEM = Path(os.environ["STAND_IN_SYSTEM"])
BINARY = Path(os.environ["STAND_IN_BINARY"])
# Absolute places that `sudo install` writes to, moved under SYSTEM.
MOVED = ("/usr/", "/etc/", "/var/")


def must(condition: object, message: str) -> None:
    """Ends with an error where `condition` does not hold."""
    if not condition:
        sys.exit(f"stand-in: {message}")


def option(args: list[str], *names: str) -> str | None:
    """The value of an option, as `--name value` or `--name=value`."""
    for at, arg in enumerate(args):
        name, has_value, value = arg.partition("=")
        if name in names:
            return value if has_value else args[at + 1]
    return None


def make(args: list[str]) -> None:
    """The target must be one; `build` and `dist` leave behind what they would."""
    subprocess.run(["/usr/bin/env", "-S", "make", "--dry-run", "-C", str(ROOT), *args],
                   env={**os.environ, "PATH": os.defpath}, stdout=subprocess.DEVNULL, check=True)  # fmt: skip
    if args == ["build"]:
        place = Path("target/release/pointsman")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(BINARY)
    elif args == ["dist"]:
        sys.path.insert(0, str(ROOT / "scripts"))
        import dist

        dist.assemble(BINARY, Path("dist"), max_bytes=256 << 20)


def sudo(args: list[str]) -> None:
    """`install` for real, below SYSTEM; `systemctl` as below."""
    if args[0] == "systemctl":
        return systemctl(args[1:])
    must(args[0] == "install", f"sudo {args[0]} is not known")
    moved = [f"{SYSTEM}{arg}" if arg.startswith(MOVED) else arg for arg in args]
    (SYSTEM / "etc" / "pointsman").mkdir(parents=True, exist_ok=True)
    subprocess.run(moved, check=True)


def systemctl(args: list[str]) -> None:
    """The unit must be installed, with what it starts and reads; or it is about all units."""
    verbs = {"daemon-reload": 0, "enable": 1, "start": 1, "restart": 1, "reload": 1, "stop": 1, "status": 1}
    words = [arg for arg in args if not arg.startswith("--")]
    must(words[0] in verbs and len(words) == verbs[words[0]] + 1, f"systemctl {' '.join(args)} is not known")
    if len(words) == 1 or words[0] == "restart":
        return
    unit = SYSTEM / f"etc/systemd/system/{words[1]}.service"
    must(unit.is_file(), f"{unit} is not installed")
    for path in re.findall(r"(?m)^ExecStart=(\S+) .*--config (\S+)", unit.read_text(encoding="utf-8"))[0]:
        must((SYSTEM / path.lstrip("/")).is_file(), f"the unit needs {path}, which is not installed")


def docker(args: list[str]) -> None:
    """A build needs its Dockerfile and context; Compose its file and the files that it mounts."""
    import yaml

    file = option(args, "-f", "--file")
    must(file and Path(file).is_file(), f"docker {args[0]}: no file {file}")
    if args[0] == "build":
        must(Path(args[-1]).is_dir() and option(args, "-t", "--tag"), "docker build needs a context and a tag")
        return
    must(args[0] == "compose" and {"up", "exec", "down", "logs"} & set(args), f"docker {args} is not known")
    service = yaml.safe_load(Path(file).read_text(encoding="utf-8"))["services"]["pointsman"]
    sources = [volume.split(":")[0] for volume in service["volumes"]] + service["env_file"]
    for source in sources:
        if "/" in source or "." in source:
            must((Path(file).parent / source).is_file(), f"{source} is not beside {file}")


def kubectl(args: list[str]) -> None:
    """Few verbs; files must exist."""
    must(args[:2] in (["create", "secret"], ["rollout", "status"]), f"kubectl {args} is not known")
    file = option(args, "--from-env-file")
    must(file is None or Path(file).is_file(), f"no file {file}")


def helm(args: list[str]) -> None:
    """Helm's own linter and engine with the values that are given."""
    import helm_python
    import yaml

    must(args[0] in ("lint", "upgrade"), f"helm {args[0]} is not known")
    chart = next(arg for arg in args if Path(arg).joinpath("Chart.yaml").is_file())
    file = option(args, "--values", "-f")
    # `--reuse-values` takes those of the release; the checks have such.
    reused = ROOT / "deploy" / "checks" / "values.yaml"
    values = yaml.safe_load(Path(file or reused).read_text(encoding="utf-8"))
    must(file or "--reuse-values" in args, "helm: no values")
    for path, value in (pair.split("=", 1) for pair in [option(args, "--set")] if pair):
        *folders, last = path.split(".")
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    report = helm_python.lint(chart, values, strict=True)
    findings = [m["error"] for m in report["messages"] if m["severity"] >= 2] + list(report["errors"] or [])
    must(not findings, f"helm: {findings}")
    with helm_python.Chart.load(chart) as loaded:
        must(loaded.render(values, name="pointsman", namespace="default"), "helm: nothing was rendered")


def sqlite(args: list[str]) -> None:
    """`sqlite3 FILE ".backup 'COPY'"`, where the program is not installed."""
    copy = re.fullmatch(r"\.backup '(.+)'", args[1])
    must(copy, f"sqlite3 {args} is not known")
    with contextlib.closing(sqlite3.connect(args[0])) as source, contextlib.closing(sqlite3.connect(copy[1])) as to:
        source.backup(to)


PROGRAMS = {"make": make, "sudo": sudo, "systemctl": systemctl, "docker": docker, "kubectl": kubectl, "helm": helm,
            "sqlite3": sqlite}  # fmt: skip

if __name__ == "__main__":
    PROGRAMS[sys.argv[1]](sys.argv[2:])
