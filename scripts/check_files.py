"""Fails when a Rust file does not say what it is, or has outgrown its reader.

Every `.rs` file begins with a `//!` comment (what it is, where to look next) and has at most 600 lines;
tests have at most 1,000. Nothing that git ignores is looked at.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 600
MAX_TEST_LINES = 1000


def rust_files() -> list[Path]:
    """All Rust files that are tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.rs"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def is_test(path: Path) -> bool:
    """Whether the longer limit applies: `tests.rs`, or a file in a folder called `tests` or `benches`."""
    return path.name == "tests.rs" or bool({"tests", "benches"} & set(path.relative_to(ROOT).parts))


def main() -> int:
    """Prints each file at fault; exit code 0 where there is none."""
    messages, lengths = [], []
    for path in rust_files():
        name = path.relative_to(ROOT)
        lines = path.read_text(encoding="utf-8").splitlines()
        limit = MAX_TEST_LINES if is_test(path) else MAX_LINES
        if not lines or not lines[0].startswith("//!"):
            messages.append(f"{name}:1: does not begin with a //! comment that says what it is")
        if len(lines) > limit:
            messages.append(f"{name}: {len(lines)} lines, at most {limit}: split it")
        if not is_test(path):
            lengths.append(len(lines))
    for message in messages:
        print(f"error: {message}", file=sys.stderr)
    if not messages:
        print(f"{len(lengths)} source files: median {statistics.median(lengths):.0f} lines, longest {max(lengths)}")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main())
