"""Runs every client against every upstream dialect through the Pointsman binary, and holds docs/COMPATIBILITY.md to it.

    run.py --binary PATH --python PATH --llama-index PATH --node-modules PATH [--engine URL] [--write] [--show] [--direct]

The interpreters are those of the virtual environments that `scripts/parts.py` installs. Each suite prints a JSON line
a cell (see `python/frame.py`); the table is made of those lines alone. Without --write a difference to the committed
table fails; so does, in any case, a cell that is worse than the committed one. --direct puts each SDK before the mock
of its own dialect, without Pointsman: what fails there is not Pointsman's fault. --engine puts every SDK before a real engine.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import gateway
import table

HERE = Path(__file__).resolve().parent
# Suites that run side by side, for a machine with two cores: each is one process after the other.
LANES = (
    [("python", ["openai_chat", "openai_responses", "anthropic_messages", "langchain_chats"]), ("llama_index", ["llama_index_like"])],
    [("python", ["google_genai", "ollama_native", "agents"]), ("node", [])],
)  # fmt: skip
SUITE_SECONDS = 150
# A real engine computes on the CPU: some 50 tokens a second, shared by all who ask at one time.
ENGINE_SUITE_SECONDS = 600


def command(kind: str, modules: list[str], options: argparse.Namespace) -> list[str]:
    """How a suite is started."""
    more = ["--direct"] if options.direct else ["--engine"] if options.engine else []
    if kind == "node":
        return ["node", str(HERE / "node" / "run.mjs"), *more, *modules]
    interpreter = options.python if kind == "python" else options.llama_index
    return [interpreter, "-B", str(HERE / "python" / "run.py"), *more, *modules]


def lane(suites: list, options: argparse.Namespace, environment: dict[str, str], lines: list[dict], faults: list[str]) -> None:
    """Runs suites one after the other and collects their lines."""
    for kind, modules in suites:
        process = subprocess.run(
            command(kind, modules, options), env=environment, capture_output=True, text=True,
            timeout=ENGINE_SUITE_SECONDS if options.engine else SUITE_SECONDS, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        for text in process.stdout.splitlines():
            line = json.loads(text)
            lines.append(line)
            if options.show:
                print(text, flush=True)
        if process.returncode != 0:
            faults.append(f"the suite {kind} {' '.join(modules)} ended with {process.returncode}:\n{process.stderr[-3000:]}")


def run_suites(options: argparse.Namespace) -> tuple[list[dict], list[str]]:
    """All lines, and what went wrong beside them."""
    lines: list[dict] = []
    faults: list[str] = []
    with gateway.mocks(options.python, HERE) as mocks, gateway.running(options.binary, mocks, options.engine) as root:
        environment = {
            **os.environ, "GATEWAY_URL": root, "MOCK_URL": mocks, "NODE_MODULES": options.node_modules,
            "API_KEY": gateway.MOCK_KEY if options.direct else gateway.CLIENT_KEY,
            # Proxies are for the internet, not for this machine.
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        threads = [threading.Thread(target=lane, args=(suites, options, environment, lines, faults)) for suites in LANES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return lines, faults


def main() -> int:
    """Command line; exit code 0 where table and run agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--binary", "--python", "--llama-index", "--node-modules"):
        parser.add_argument(name, required=True)
    parser.add_argument("--engine", default="", help="a real llama-server: its section of the page, and nothing else")
    parser.add_argument("--write", action="store_true", help="write the table")
    parser.add_argument("--show", action="store_true", help="print the suites' lines")
    parser.add_argument("--direct", action="store_true", help="SDKs before mocks, without Pointsman")
    options = parser.parse_args()
    begun = time.monotonic()
    lines, faults = run_suites(options)
    if options.direct:
        faults += [f"{table.identity(line)}: {line['error']}" for line in lines if line["ok"] is False]
    elif options.engine:
        faults += table.settle_engine(lines, write=options.write)
    else:
        faults += table.settle(lines, write=options.write)
    passed, failed, absent = (sum(1 for line in lines if line["ok"] is ok) for ok in (True, False, None))
    what = "with a real engine" if options.engine else "with strict mocks"
    print(f"note-for-summary: compatibility {what}: {passed} cells hold, {failed} are known to fail, {absent} do not apply; "
          f"{time.monotonic() - begun:.0f} s")  # fmt: skip
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
