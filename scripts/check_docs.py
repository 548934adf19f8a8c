"""Runs every command of the documentation: all fenced blocks marked `sh` in README.md and docs/*.md.

    check_docs.py [--binary PATH] [PAGE...]      absent: target/debug/pointsman, all pages with such a block

A page's blocks are one shell session, as a reader would type them, in a copy of what the repository's root holds, with
a home folder of its own. The binary is real and so is the server that runs beside it, on free ports that take the place
of 4180 and 4181; `pointsman serve` in a block goes to the background. What would change this machine or take minutes
(make, sudo, systemctl, docker, kubectl, helm) goes to scripts/stand_ins.py, which checks what it is asked.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fetch
import parts

DOCS = fetch.ROOT / "docs"
STAND_INS = fetch.ROOT / "scripts" / "stand_ins.py"
STOOD_IN = ("make", "sudo", "systemctl", "docker", "kubectl", "helm")
PINS = fetch.ROOT / "deploy" / "checks" / "requirements.txt"
# What a page presumes, for the test alone: `<!-- before: command -->`.
BEFORE = re.compile(r"^<!-- before: (.*) -->$", re.MULTILINE)
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE_SECONDS = 120
READY_SECONDS = 30
# A command that fails ends the session, also inside a pipe. `serve` runs beside what follows.
PRELUDE = """set -euo pipefail
pointsman() {
  if [ "${1-}" = serve ]; then
    command pointsman "$@" > serve.log 2>&1 &
    SERVED=$!
    trap 'kill $SERVED 2>/dev/null || true; wait $SERVED 2>/dev/null || true' EXIT
    for _ in $(seq 300); do
      command pointsman health > /dev/null 2>&1 && return 0
      kill -0 $SERVED 2>/dev/null || break
      sleep 0.1
    done
    cat serve.log; return 1
  fi
  command pointsman "$@"
}
"""


@dataclass
class Page:
    """A page: its path, and its blocks with the line of each."""

    path: Path
    blocks: list[tuple[int, str]]

    @property
    def serves(self) -> bool:
        """Whether the page starts a server itself."""
        return any(re.search(r"^pointsman serve", text, re.MULTILINE) for _, text in self.blocks)


def pages(names: list[str]) -> list[Page]:
    """The pages named, or all that have a block to run."""
    found = []
    for path in [fetch.ROOT / "README.md", *sorted(DOCS.glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        blocks = [(text[: match.start()].count("\n") + 1, match[1] + "\n") for match in BEFORE.finditer(text)]
        commands = [(text[: match.start()].count("\n") + 2, match[1]) for match in FENCE.finditer(text)]
        if commands and (not names or path.stem in names):
            found.append(Page(path, blocks + commands))
    return found


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lay_out(scratch: Path, binary: Path) -> Path:
    """The folder to run in: the repository's root with a copy of `deploy`, and a home beside it."""
    root = scratch / "pointsman"
    root.mkdir()
    for entry in fetch.ROOT.iterdir():
        if entry.name == "deploy":
            shutil.copytree(entry, root / "deploy")
        elif entry.name not in ("target", "dist", ".git"):
            (root / entry.name).symlink_to(entry)
    for folder in ("home", "bin", "system"):
        (scratch / folder).mkdir()
    (scratch / "bin" / "pointsman").symlink_to(binary)
    stood_in = STOOD_IN if shutil.which("sqlite3") else (*STOOD_IN, "sqlite3")
    for name in stood_in:
        (scratch / "bin" / name).write_text(f'#!/bin/sh\nexec "$STAND_IN_PYTHON" "{STAND_INS}" {name} "$@"\n')
        (scratch / "bin" / name).chmod(0o755)
    return root


def environment(scratch: Path, interpreter: Path, binary: Path, ports: tuple[int, int]) -> dict[str, str]:
    """Nothing of this process's variables but where programs are."""
    home = scratch / "home"
    return {
        # What a page installs for itself comes first, as on a reader's machine.
        "PATH": f"{home}/.local/bin:{scratch / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "POINTSMAN__SERVER__LISTEN": f"127.0.0.1:{ports[0]}",
        "POINTSMAN__SERVER__ADMIN": f"127.0.0.1:{ports[1]}",
        # What listens on this machine is none of the pages' business.
        "POINTSMAN__DISCOVERY__ENGINES": "false",
        "STAND_IN_PYTHON": str(interpreter),
        "STAND_IN_SYSTEM": str(scratch / "system"),
        "STAND_IN_BINARY": str(binary),
        "STAND_IN_ROOT": str(fetch.ROOT),
    }


@contextlib.contextmanager
def server(root: Path, variables: dict[str, str], ports: tuple[int, int]) -> Iterator[None]:
    """A running server with no configuration and one request in its records."""
    log = root.parent / "server.log"
    with open(log, "w", encoding="utf-8") as out:
        child = subprocess.Popen(["pointsman", "serve"], cwd=root, env=variables, stdout=out, stderr=out)
        try:
            ask(f"http://127.0.0.1:{ports[1]}/readyz", None, child, log)
            body = b'{"model": "sim/hello", "messages": [{"role": "user", "content": "Hello"}]}'
            ask(f"http://127.0.0.1:{ports[0]}/v1/chat/completions", body, child, log)
            yield
        finally:
            child.terminate()
            child.wait()


def ask(url: str, body: bytes | None, child: subprocess.Popen, log: Path) -> None:
    """Asks until there is a good answer."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            request = urllib.request.Request(url, body, {"content-type": "application/json"})
            urllib.request.urlopen(request, timeout=READY_SECONDS).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not get ready:\n{log.read_text('utf-8')}") from None
            time.sleep(0.05)


def script(page: Page, ports: tuple[int, int]) -> str:
    """The page as one script; each block says on file descriptor 3 that it begins."""
    blocks = [f"echo {line} >&3\n{text}" for line, text in page.blocks]
    text = "\n".join(blocks)
    for written, port in (("4180", ports[0]), ("4181", ports[1])):
        text = re.sub(rf"\b(127\.0\.0\.1|localhost):{written}\b", f"127.0.0.1:{port}", text)
    return PRELUDE + text


def run(page: Page, binary: Path, interpreter: Path) -> str | None:
    """Runs a page; what went wrong, if something did."""
    ports = (free_port(), free_port())
    with tempfile.TemporaryDirectory(prefix="pointsman-docs-") as folder:
        scratch = Path(folder)
        root = lay_out(scratch, binary)
        variables = environment(scratch, interpreter, binary, ports)
        session = scratch / "session.sh"
        session.write_text(f'exec 3> "{scratch}/line"\n{script(page, ports)}', encoding="utf-8")
        beside = contextlib.nullcontext() if page.serves else server(root, variables, ports)
        try:
            with beside:
                done = subprocess.run(
                    ["bash", str(session)], cwd=root, env=variables, stdin=subprocess.DEVNULL, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PAGE_SECONDS, check=False,
                )  # fmt: skip
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode == 0:
            return None
        lines = (scratch / "line").read_text(encoding="utf-8").split()
        where = f"{page.path.relative_to(fetch.ROOT)}:{lines[-1] if lines else 1}"
        return f"{where}: a command of this block ends with {done.returncode}:\n{done.stdout.strip()[-2000:]}"


def main() -> int:
    """Command line; exit code 0 where every command of every page works."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", fetch.ROOT / "target"))
    parser.add_argument("--binary", type=Path, default=target / "debug" / "pointsman")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="a page's name, without .md")
    wanted = parser.parse_args()
    try:
        with fetch.locked("deploy-checks"):
            interpreter = parts.environment("deploy-checks", PINS, "the checks of deploy/")
    except fetch.FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    failed = 0
    for page in pages(wanted.pages):
        wrong = run(page, wanted.binary.resolve(), interpreter)
        print(f"{page.path.name:<24} {len(page.blocks)} blocks: {'FAILED' if wrong else 'ok'}", flush=True)
        if wrong:
            print(f"error: {wrong}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
