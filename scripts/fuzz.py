"""Runs every fuzz target for a while and says how many executions each had.

    fuzz.py [--seconds N] [--target NAME ...]

The corpora are in fuzz/corpus and replay in `make test`. A crash is written to fuzz/artifacts and fails the run.
libFuzzer needs compiler flags that only a nightly accepts: the pinned toolchain is told to accept them, for
this build alone.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys

import fetch
import tools

FEATURES = (fetch.ROOT / "fuzz" / "Cargo.toml").read_text(encoding="utf-8")
EXECUTIONS = re.compile(r"^Done (\d+) runs", re.MULTILINE)


def targets() -> list[str]:
    """The names of all fuzz targets."""
    return sorted(path.stem for path in (fetch.ROOT / "fuzz" / "fuzz_targets").glob("*.rs"))


def fuzz(target: str, seconds: int) -> tuple[int, int]:
    """Exit code and executions of one target."""
    binary = str(tools.installed(tools.named("cargo-fuzz")))
    # A target that needs another crate sits behind a feature of its own name, to keep the others quick to build.
    features = ["--features", target] if f"\n{target} = [" in FEATURES else []
    command = [binary, "run", *features, target, "--", f"-max_total_time={seconds}", "-print_final_stats=1"]
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1"}
    output = []
    with subprocess.Popen(
        command, cwd=fetch.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as child:  # fmt: skip
        for line in child.stdout:
            sys.stdout.write(line)
            output.append(line)
    found = EXECUTIONS.findall("".join(output))
    return child.returncode, int(found[-1]) if found else 0


def main() -> int:
    """Command line; exit code 0 where no target crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", action="append", choices=targets(), help="only this one")
    wanted = parser.parse_args()
    results = {target: fuzz(target, wanted.seconds) for target in wanted.target or targets()}
    for target, (code, executions) in results.items():
        print(f"{target:<12} {'ok' if code == 0 else 'CRASHED':<8} {executions:>14,} executions")
    return 0 if all(code == 0 for code, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
