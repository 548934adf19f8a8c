"""Starts the Pointsman binary between clients and mock providers, on a free port of 127.0.0.1."""

import contextlib
import hashlib
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

# The client's key, and the one that the mocks accept.
CLIENT_KEY = "pm-compatibility-key"
MOCK_KEY = "mock-upstream-key"
READY_WITHIN = 30.0
# Kind and version path by dialect.
KINDS = {
    "chat": ("openai", "/v1"), "responses": ("openai-responses", "/v1"), "anthropic": ("anthropic", "/v1"),
    "gemini": ("gemini", "/v1beta"), "ollama": ("ollama", ""),
}  # fmt: skip
# The two dialects that llama.cpp's server speaks, and its model's name.
ENGINE_KINDS = {"engine-chat": "openai", "engine-messages": "anthropic"}
ENGINE_MODEL = "smollm2"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def configuration(port: int, admin: int, data: Path, mocks: str, engine: str) -> str:
    """A provider and a route `via-DIALECT` for each mock. One attempt: what is tested is one call."""
    providers, routes = [], []
    for dialect, (kind, version) in KINDS.items():
        providers.append(
            f"  up-{dialect}:\n    kind: {kind}\n    base_url: {mocks}/{dialect}{version}\n"
            f"    keys: {{ env: MOCK_KEY }}\n    models: [mock-1]\n    include_usage: true\n"
        )
        routes.append(f"  via-{dialect}:\n    model: up-{dialect}/mock-1\n    retry: {{ attempts: 1 }}\n")
    for dialect, kind in ENGINE_KINDS.items() if engine else ():
        providers.append(
            f"  up-{dialect}:\n    kind: {kind}\n    base_url: {engine}/v1\n    keys: {{ env: MOCK_KEY }}\n"
            f"    models: [{ENGINE_MODEL}]\n    include_usage: true\n    local: true\n"
        )
        routes.append(f"  via-{dialect}: up-{dialect}/{ENGINE_MODEL}\n")
    return (
        f'server:\n  listen: ["127.0.0.1:{port}"]\n  admin: "127.0.0.1:{admin}"\n'
        f'data:\n  dir: "{data}"\n'
        "discovery:\n  env: false\n  engines: false\n"
        f"keys:\n  - id: compat\n    sha256: {hashlib.sha256(CLIENT_KEY.encode()).hexdigest()}\n"
        f"providers:\n{''.join(providers)}routes:\n{''.join(routes)}"
    )


@contextlib.contextmanager
def running(binary: str, mocks: str, engine: str = "") -> Iterator[str]:
    """Pointsman in front of the mocks at this base URL, and of an engine if there is one; yields its own."""
    with tempfile.TemporaryDirectory(prefix="pointsman-compat-") as folder:
        port = free_port()
        config = Path(folder) / "pointsman.yaml"
        config.write_text(configuration(port, free_port(), Path(folder) / "data", mocks, engine), encoding="utf-8")
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        log = open(Path(folder) / "log", "w+", encoding="utf-8")
        process = subprocess.Popen(
            [binary, "serve", "--config", str(config)], env={**environment, "MOCK_KEY": MOCK_KEY},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            log.close()


def wait_until_ready(process: subprocess.Popen, root: str, log: object) -> None:
    """Waits for the first good answer."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{root}/livez", timeout=1):
            return
        time.sleep(0.02)
    log.seek(0)
    raise SystemExit(f"{process.args[0]} does not start:\n{log.read()}")


@contextlib.contextmanager
def mocks(python: str, folder: Path) -> Iterator[str]:
    """The strict mocks as a process of their own; yields their base URL."""
    process = subprocess.Popen(
        [python, "-B", "-m", "mocks"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "MOCK_KEY": MOCK_KEY, "MOCK_FOREIGN_KEY": CLIENT_KEY},
    )  # fmt: skip
    try:
        word, _, port = process.stdout.readline().strip().partition(" ")
        if word != "listening":
            raise SystemExit("the mocks do not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        process.wait(10)
