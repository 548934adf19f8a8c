"""Fails when one of our crates depends on another that the layers do not allow.

Arrows point down only, and crates of one layer never import each other (docs/adr/0001-layers.md). The table
below is the one place where layers are written down. Read from `cargo metadata --no-deps`, so that renamed,
optional, target-specific, build- and dev-dependencies all count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Layer by crate, without the `pointsman-` prefix; `pointsman` is the binary.
LAYERS = {
    "core": 0,
    "wire": 1, "providers": 1, "resilience": 1,
    "routing": 2, "store": 2, "telemetry": 2, "transport": 2,
    "config": 3,
    "gateway": 4, "admin": 4,
    "pointsman": 5,
}  # fmt: skip

# The edges inside a layer, each with its reason.
SAME_LAYER = {
    ("providers", "wire"),  # a vendor adapter is a choice among wire's formats
}

# Crates that help to develop and never ship. Shipped crates reach testkit through dev-dependencies only.
DEVELOPMENT = {"testkit", "bench"}

# Layers 0 and 1 are pure: no sockets, no files, no runtime. `core` may name tokio, whose time backs its Clock.
PURE_LAYERS = (0, 1)
IMPURE = {
    "axum", "hyper", "hyper-util", "notify", "rusqlite", "rustix", "rustls", "socket2",
    "tempfile", "tokio", "tokio-rustls",
}  # fmt: skip
PURE_EXCEPTIONS = {("core", "tokio")}

NORMAL, DEV = None, "dev"  # as `cargo metadata` names the kinds


def short(package: str) -> str:
    """The name without the prefix."""
    return package.removeprefix("pointsman-")


def packages(root: Path) -> list[dict]:
    """The workspace's own packages, with their dependencies as declared."""
    done = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"error: cargo metadata failed in {root}:\n{done.stderr}")
    return json.loads(done.stdout)["packages"]


def complaint(crate: str, dependency: str, kind: str | None) -> str | None:
    """Why the edge is not allowed, or None."""
    if crate in DEVELOPMENT:
        return None if dependency != "pointsman" else "development crates never depend on the binary"
    if dependency in DEVELOPMENT:
        if kind == DEV and dependency == "testkit":
            return None
        return f"{dependency} never ships: only testkit, and only as a dev-dependency"
    if dependency not in LAYERS:
        return f"{dependency} has no layer: add it to LAYERS in scripts/check_layers.py"
    above, below = LAYERS[crate], LAYERS[dependency]
    if above > below or (crate, dependency) in SAME_LAYER:
        return None
    if above == below:
        return f"both are in layer {above}: put the shared trait into core"
    return f"layer {above} may not see layer {below}: put a trait into core and let the binary inject it"


def impurity(crate: str, dependency: str, kind: str | None) -> str | None:
    """Why an outside dependency does not belong in a pure crate, or None."""
    if LAYERS.get(crate) not in PURE_LAYERS or kind == DEV:
        return None
    if dependency not in IMPURE or (crate, dependency) in PURE_EXCEPTIONS:
        return None
    return f"layer {LAYERS[crate]} is pure: no sockets, files or runtime"


def problems(found: list[dict]) -> tuple[list[str], int]:
    """All forbidden edges as messages, and the number of edges looked at."""
    ours = {package["name"] for package in found}
    messages, edges = [], 0
    for package in found:
        crate = short(package["name"])
        if crate not in LAYERS and crate not in DEVELOPMENT:
            messages.append(f"{crate} has no layer: add it to LAYERS in scripts/check_layers.py")
            continue
        for dependency in package["dependencies"]:
            edges += 1
            name, kind = dependency["name"], dependency["kind"]
            check = complaint if name in ours else impurity
            if reason := check(crate, short(name), kind):
                messages.append(f"{crate} → {short(name)} ({kind or 'normal'}): {reason}")
    return messages, edges


def main() -> int:
    """Command line; exit code 0 where every edge is allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="the workspace to read")
    found = packages(parser.parse_args().root)
    messages, edges = problems(found)
    for message in messages:
        print(f"error: forbidden edge: {message}", file=sys.stderr)
    if not messages:
        print(f"{len(found)} crates, {edges} edges: all allowed")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main())
