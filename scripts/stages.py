"""Runs every stage of `make test`, one after the other, and prints what each took.

A stage that fails does not stop the later ones (unless they need it), but it fails the run. The last line is
`N passed, N failed`: tests as the test runners count them, and one for each check.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import fetch

ROOT = fetch.ROOT
PYTHON = sys.executable
NOT_E2E = "not binary(/^e2e/)"
E2E = "binary(/^e2e/)"
# A test prints this before what is worth repeating below the table.
NOTE = "note-for-summary:"
CARGO_TEST_LINE = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)


@dataclass
class Stage:
    """One stage: what it runs, which earlier stages it cannot do without, and how its tests are counted."""

    name: str
    command: list[str]
    needs: tuple[str, ...] = ()
    counts: str = "check"  # check | nextest | doctest
    seconds: float = 0.0
    status: str = "not run"
    passed: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)


def tool(name: str, *args: str) -> list[str]:
    """A command line for a pinned tool."""
    return [PYTHON, "scripts/tools.py", "--run", name, "--", *args]


def nextest(expression: str, profile: str) -> list[str]:
    """A nextest run over the whole workspace (the same build for every expression), counted from its report."""
    return tool(
        "cargo-nextest", "nextest", "run", "--workspace", "--locked", "--no-fail-fast",
        "--profile", profile, "--filterset", expression,
    )  # fmt: skip


def all_stages() -> list[Stage]:
    """The stages in order: cheap ones first, so that a slip shows early."""
    return [
        Stage("tools", [PYTHON, "scripts/tools.py"]),
        Stage("parts", [PYTHON, "scripts/parts.py"]),
        Stage("format", ["cargo", "fmt", "--all", "--check"]),
        Stage("files", [PYTHON, "scripts/check_files.py"]),
        Stage("layers", [PYTHON, "scripts/check_layers.py"]),
        Stage("typos", tool("typos"), needs=("tools",)),
        Stage("deny", tool("cargo-deny", "--locked", "check", "--hide-inclusion-graph",
                           "bans", "licenses", "sources"), needs=("tools",)),
        Stage("lints", ["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        Stage("build", tool("cargo-nextest", "nextest", "run", "--workspace", "--locked", "--no-run"),
              needs=("tools",)),
        Stage("tests", nextest(NOT_E2E, "default"), needs=("tools", "build"), counts="nextest"),
        Stage("doc tests", ["cargo", "test", "--workspace", "--doc", "--locked"], counts="doctest"),
        Stage("costs", [PYTHON, "scripts/compare_costs.py"], needs=("parts", "build")),
        Stage("deploy", [PYTHON, "scripts/check_deploy.py"], needs=("build",)),
        Stage("docs", [PYTHON, "scripts/check_docs.py"], needs=("build",)),
        Stage("e2e", nextest(E2E, "e2e"), needs=("tools", "parts", "build"), counts="nextest"),
    ]  # fmt: skip


def run(stage: Stage, earlier: dict[str, Stage]) -> None:
    """Runs one stage, its output passed on as it comes, and fills in its result."""
    missing = [name for name in stage.needs if name in earlier and earlier[name].status != "ok"]
    print(f"\n=== {stage.name}: {' '.join(stage.command)}", flush=True)
    if missing:
        stage.status, stage.failed = f"needs {', '.join(missing)}", 1
        print(f"not run: {stage.status}", flush=True)
        return
    begun, stamp = time.monotonic(), time.time()
    code, output = follow(stage.command)
    stage.seconds = time.monotonic() - begun
    count(stage, output, code, stamp)
    stage.notes = [line.partition(NOTE)[2].strip() for line in output.splitlines() if NOTE in line]
    stage.status = "ok" if code == 0 and stage.failed == 0 else "FAILED"
    print(f"=== {stage.name}: {stage.status} after {stage.seconds:.1f} s", flush=True)


def follow(command: list[str]) -> tuple[int, str]:
    """Runs a command, showing its output while collecting it."""
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as child:  # fmt: skip
        for line in child.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    return child.returncode, "".join(lines)


def count(stage: Stage, output: str, code: int, since: float) -> None:
    """Fills in how many tests passed and failed. A runner that failed without a failing test counts as one."""
    if stage.counts == "nextest":
        profile = stage.command[stage.command.index("--profile") + 1]
        stage.passed, stage.failed = junit_counts(profile, since)
    elif stage.counts == "doctest":
        for passed, failed in CARGO_TEST_LINE.findall(output):
            stage.passed += int(passed)
            stage.failed += int(failed)
    else:
        stage.passed = int(code == 0)
    if code != 0 and stage.failed == 0:
        stage.failed = 1


def junit_counts(profile: str, since: float) -> tuple[int, int]:
    """Passed and failed tests of nextest's report, if it was written by this run; else nothing passed."""
    report = target_folder() / "nextest" / profile / "junit.xml"
    if not report.exists() or report.stat().st_mtime < since:
        return 0, 0
    suites = ElementTree.parse(report).getroot()
    tests = int(suites.get("tests", "0"))
    failed = int(suites.get("failures", "0")) + int(suites.get("errors", "0"))
    return tests - failed, failed


def target_folder() -> Path:
    """Where cargo builds to."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def report(stages: list[Stage]) -> int:
    """Prints the table and the totals; returns the exit code."""
    print(f"\n{'stage':<12} {'result':<22} {'passed':>7} {'failed':>7} {'seconds':>9}")
    for stage in stages:
        print(f"{stage.name:<12} {stage.status:<22} {stage.passed:>7} {stage.failed:>7} {stage.seconds:>9.1f}")
    seconds = sum(stage.seconds for stage in stages)
    passed, failed = sum(stage.passed for stage in stages), sum(stage.failed for stage in stages)
    print(f"{'all':<12} {'':<22} {passed:>7} {failed:>7} {seconds:>9.1f}")
    for stage in stages:
        for note in stage.notes:
            print(note)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and all(stage.status == "ok" for stage in stages) else 1


def main() -> int:
    """Command line; exit code 0 where every stage held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skip", action="append", default=[], metavar="STAGE", help="leave a stage out")
    parser.add_argument("--only", action="append", default=[], metavar="STAGE", help="run this stage alone")
    wanted = parser.parse_args()
    stages = [
        stage
        for stage in all_stages()
        if stage.name not in wanted.skip and (not wanted.only or stage.name in wanted.only)
    ]
    done: dict[str, Stage] = {}
    for stage in stages:
        run(stage, done)
        done[stage.name] = stage
    return report(stages)


if __name__ == "__main__":
    sys.exit(main())
