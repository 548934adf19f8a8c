"""`make dist`: builds, strips and packs a release for this machine's target, with checksums and a bill of materials.

    dist.py [--binary PATH]    absent: a release build of its own in target/packaging, free of this machine's paths

Writes to dist/: pointsman-VERSION-TARGET.tar.gz, the same name with .cdx.json (CycloneDX) and SHA256SUMS. The
same sources, toolchain and C compiler give the same bytes: times are SOURCE_DATE_EPOCH's or the commit's, and
owners, order and compression are fixed. docs/install.md says what users do with it.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import fetch
import sbom
from fetch import FetchError

MAX_BYTES = 25 << 20
COMPLETIONS = {"bash": "pointsman.bash", "zsh": "_pointsman", "fish": "pointsman.fish"}
# Place in the archive, and where it comes from.
FILES = {
    "LICENSE": "LICENSE",
    "NOTICE": "NOTICE",
    "README.md": "README.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "pointsman.yaml": "deploy/pointsman.yaml",
    "systemd/pointsman.service": "deploy/systemd/pointsman.service",
}


def output(*command: str | Path) -> str:
    """A command's standard output."""
    done = subprocess.run(command, cwd=fetch.ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FetchError(f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()}")
    return done.stdout


def target() -> str:
    """The triple that rustc builds for."""
    lines = output("rustc", "-vV").splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("host: "))


def epoch() -> int:
    """The time of everything in the archive: SOURCE_DATE_EPOCH, else the commit's, in Unix seconds."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or output("git", "log", "-1", "--format=%ct"))


def build() -> Path:
    """A release build whose bytes do not tell where it was made."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", fetch.ROOT / "target")) / "packaging"
    cargo_home = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
    sysroot = output("rustc", "--print", "sysroot").strip()
    places = ((str(fetch.ROOT), "/pointsman"), (cargo_home, "/cargo"), (sysroot, "/rust"))
    environment = dict(
        os.environ,
        CARGO_TARGET_DIR=str(folder),
        CARGO_ENCODED_RUSTFLAGS="\x1f".join(f"--remap-path-prefix={old}={new}" for old, new in places),
        CFLAGS=" ".join(f"-ffile-prefix-map={old}={new}" for old, new in places),
    )
    print("building the release: up to 10 minutes on two cores", file=sys.stderr, flush=True)
    command = ["cargo", "build", "--profile", "dist", "--locked", "--package", "pointsman", "--bin", "pointsman"]
    if subprocess.run(command, cwd=fetch.ROOT, env=environment, check=False).returncode != 0:
        raise FetchError("the release build failed")
    return folder / "dist" / "pointsman"


def stage(binary: Path, folder: Path, graph: sbom.Graph, max_bytes: int) -> None:
    """Lays out everything that the archive holds in `folder`."""
    stripped = folder / "pointsman"
    output("strip", "--strip-all", f"--output-file={stripped}", binary)
    stripped.chmod(0o755)
    size = stripped.stat().st_size
    print(f"the binary has {size / (1 << 20):.1f} MiB, at most {max_bytes >> 20} are allowed", flush=True)
    if size > max_bytes:
        raise FetchError(f"the stripped binary is too large: {size} bytes, at most {max_bytes}")
    for place, source in FILES.items():
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copy(fetch.ROOT / source, folder / place)
    (folder / "completions").mkdir()
    for shell, name in COMPLETIONS.items():
        (folder / "completions" / name).write_text(output(stripped, "completions", shell), encoding="utf-8")
    (folder / "man").mkdir()
    output(stripped, "man", folder / "man")
    (folder / "THIRD-PARTY-LICENSES.txt").write_text(sbom.licences(graph), encoding="utf-8")


def pack(folder: Path, name: str, when: int) -> bytes:
    """`folder` as a tar.gz under the folder `name`, the same bytes for the same files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in [folder, *sorted(folder.rglob("*"))]:
            info = archive.gettarinfo(path, arcname=str(Path(name) / path.relative_to(folder)))
            info.uid = info.gid = 0
            info.uname = info.gname = "root"
            info.mtime = when
            executable = path.is_dir() or os.access(path, os.X_OK) and path.name == "pointsman"
            info.mode = 0o755 if executable else 0o644
            if path.is_dir():
                archive.addfile(info)
            else:
                with open(path, "rb") as content:
                    archive.addfile(info, content)
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as out:
        out.write(raw.getvalue())
    return packed.getvalue()


def assemble(binary: Path, into: Path, max_bytes: int = MAX_BYTES) -> list[Path]:
    """Writes archive, bill of materials and checksums; returns them."""
    into.mkdir(parents=True, exist_ok=True)
    triple, when = target(), epoch()
    graph = sbom.Graph(triple)
    version = graph.packages[graph.root]["version"]
    name = f"pointsman-{version}-{triple}"
    archive, bill, sums = into / f"{name}.tar.gz", into / f"{name}.cdx.json", into / "SHA256SUMS"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        stage(binary, folder, graph, max_bytes)
        archive.write_bytes(pack(folder, name, when))
    bill.write_text(sbom.document(graph, when), encoding="utf-8")
    lines = [f"{fetch.digest(path)}  {path.name}\n" for path in (bill, archive)]
    sums.write_text("".join(lines), encoding="utf-8")
    return [archive, bill, sums]


def main() -> int:
    """Command line; exit code 0 with everything written, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, help="pack this one")
    parser.add_argument("--out", type=Path, default=fetch.ROOT / "dist", help="the folder to write to")
    wanted = parser.parse_args()
    try:
        binary = wanted.binary.resolve() if wanted.binary else build()
        for path in assemble(binary, wanted.out):
            print(f"{path.stat().st_size:>12}  {path}")
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
