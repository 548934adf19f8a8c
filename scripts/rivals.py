"""Installs the gateways that `make bench-rivals` compares with into the cache, if absent, both pinned, and prints
the options that `pointsman-bench rivals` takes, an option or a value a line.

They are third parties' work, run here to measure and never redistributed: the LiteLLM proxy (MIT) from the Python
package index and the Portkey gateway (MIT) from npm, without their install scripts.
"""

from __future__ import annotations

import json
import re
import sys

import fetch
import parts

RIVALS = fetch.ROOT / "tests" / "rivals"
PYTHON_PINS = RIVALS / "python" / "requirements.txt"
NODE_PINS = RIVALS / "node"
GATEWAY = "@portkey-ai/gateway"


def litellm_version() -> str:
    """As it is pinned."""
    found = re.search(r"(?m)^litellm==(\S+)", PYTHON_PINS.read_text(encoding="utf-8"))
    if not found:
        raise fetch.FetchError(f"{PYTHON_PINS} does not pin litellm")
    return found[1]


def main() -> int:
    """Exit code 0 with both in place, else 1."""
    try:
        with fetch.locked("rivals"):
            interpreter = parts.environment("rival-litellm", PYTHON_PINS, "the LiteLLM proxy")
            modules = parts.node_modules("rival-portkey", NODE_PINS, "the Portkey gateway")
        pinned = json.loads((NODE_PINS / "package.json").read_text(encoding="utf-8"))["dependencies"][GATEWAY]
        options = {
            "--litellm": interpreter.with_name("litellm"),
            "--litellm-version": litellm_version(),
            "--portkey": modules / GATEWAY / "build" / "start-server.js",
            "--portkey-version": pinned,
        }
    except fetch.FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for option, value in options.items():
        print(f"{option}\n{value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
