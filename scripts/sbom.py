"""What the binary is made of, as CycloneDX 1.5 JSON, and the licences of all of it, from `cargo metadata`.

The same sources give the same bytes: components are sorted, the serial number follows from the content and
the time is the caller's. Development dependencies are left out; build dependencies are in, marked `excluded`.
https://cyclonedx.org/docs/1.5/json/
"""

from __future__ import annotations

import json
import subprocess
import time
import tomllib
import uuid
from pathlib import Path

import fetch

PACKAGE = "pointsman"
LICENCE_FILES = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "UNLICENSE*")


class Graph:
    """The packages of one target that the binary or its build needs."""

    def __init__(self, target: str) -> None:
        command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
        done = subprocess.run(command, cwd=fetch.ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise fetch.FetchError(f"cargo metadata failed:\n{done.stderr.strip()}")
        whole = json.loads(done.stdout)
        self.packages = {package["id"]: package for package in whole["packages"]}
        self.nodes = {node["id"]: node for node in whole["resolve"]["nodes"]}
        members = set(whole["workspace_members"])
        self.root = next(id for id in members if self.packages[id]["name"] == PACKAGE)
        self.linked = self._reached({None})
        self.needed = self._reached({None, "build"})

    def _reached(self, kinds: set[str | None]) -> set[str]:
        reached, open_ids = {self.root}, [self.root]
        while open_ids:
            for other in self.edges(open_ids.pop(), kinds):
                if other not in reached:
                    reached.add(other)
                    open_ids.append(other)
        return reached

    def edges(self, package: str, kinds: set[str | None]) -> list[str]:
        """What `package` depends on by an edge of one of `kinds`: None is normal."""
        wanted = [dep["pkg"] for dep in self.nodes[package]["deps"]
                  if any(kind["kind"] in kinds for kind in dep["dep_kinds"])]  # fmt: skip
        return sorted(set(wanted))

    def sorted(self, ids: set[str]) -> list[dict]:
        """The packages by name and version."""
        return sorted((self.packages[id] for id in ids), key=lambda package: (package["name"], package["version"]))


def checksums() -> dict[tuple[str, str], str]:
    """SHA-256 of the crates as the lock file has them."""
    locked = tomllib.loads((fetch.ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    return {(p["name"], p["version"]): p["checksum"] for p in locked["package"] if "checksum" in p}


def reference(package: dict) -> str:
    """The package's URL, which is also its key in the document."""
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package: dict, kind: str, sums: dict[tuple[str, str], str]) -> dict:
    """One package."""
    described = {
        "type": kind,
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package.get("license"):
        # Old crates write `MIT/Apache-2.0`, which is no SPDX expression.
        described["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def document(graph: Graph, epoch: int) -> str:
    """The bill of materials as JSON text; `epoch` is its time, in Unix seconds."""
    sums = checksums()
    parts = []
    for package in graph.sorted(graph.needed - {graph.root}):
        part = component(package, "library", sums)
        part["scope"] = "required" if package["id"] in graph.linked else "excluded"
        parts.append(part)
    edges = [
        {
            "ref": reference(package),
            "dependsOn": sorted(reference(graph.packages[id])
                                for id in graph.edges(package["id"], {None, "build"})),
        }
        for package in graph.sorted(graph.needed)
    ]  # fmt: skip
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": component(graph.packages[graph.root], "application", sums),
        },
        "components": parts,
        "dependencies": edges,
    }
    content = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    return json.dumps(bill, indent=1) + "\n"


def licences(graph: Graph) -> str:
    """The licence texts of everything that is linked and not ours, each text once."""
    texts: dict[str, list[str]] = {}
    for package in graph.sorted(graph.linked):
        if package["source"] is None:
            continue
        folder = Path(package["manifest_path"]).parent
        files = sorted({path for pattern in LICENCE_FILES for path in folder.glob(pattern) if path.is_file()})
        name = f"{package['name']} {package['version']} ({package['license'] or 'see below'})"
        if not files:
            texts.setdefault("(the package holds no licence text)", []).append(name)
        for path in files:
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            texts.setdefault(text, []).append(name)
    rule = "=" * 80
    blocks = [f"{rule}\n" + "\n".join(names) + f"\n{rule}\n\n{text}\n" for text, names in texts.items()]
    return "The binary contains the following packages, under these licences.\n\n" + "\n".join(blocks)
