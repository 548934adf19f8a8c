"""The frame of the Python SDK tests: what a case is, how cases are run, and what they run against.

The environment names the server: BASE_URL (ending in /v1), API_KEY, MODEL (chat), EMBEDDING_MODEL, MEDIA_MODEL
(everything else), and LIMITED_KEY, a key that may use EMBEDDING_MODEL only.
Each executed case prints one JSON line:
{"case": NAME, "ok": BOOL, "seconds": FLOAT, "error": TEXT or null}. See `run.py`.
"""

import asyncio
import inspect
import json
import os
import time
import traceback
from collections.abc import Callable

from openai import AsyncOpenAI, OpenAI

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]
MODEL = os.environ["MODEL"]
EMBEDDING_MODEL = os.environ["EMBEDDING_MODEL"]
MEDIA_MODEL = os.environ.get("MEDIA_MODEL", "")
LIMITED_KEY = os.environ.get("LIMITED_KEY", "")
# Generous: two cores may run an engine, a gateway and a compiler at once.
TIMEOUT_SECONDS = 60.0

CASES: list[tuple[str, Callable]] = []


def case(function: Callable) -> Callable:
    """Registers a function, sync or async, as a case; its name is the function's with its module's."""
    CASES.append((f"{function.__module__}.{function.__name__}", function))
    return function


def client(**overrides) -> OpenAI:
    """A client that never retries by itself: what is tested is one request."""
    return OpenAI(**({"base_url": BASE_URL, "api_key": API_KEY, "timeout": TIMEOUT_SECONDS, "max_retries": 0} | overrides))


def async_client(**overrides) -> AsyncOpenAI:
    """The asynchronous twin of `client`."""
    return AsyncOpenAI(
        **({"base_url": BASE_URL, "api_key": API_KEY, "timeout": TIMEOUT_SECONDS, "max_retries": 0} | overrides)
    )


def user(text: str) -> list[dict]:
    """A conversation of one user message."""
    return [{"role": "user", "content": text}]


def expect(condition: object, what: object) -> None:
    """An assertion that also holds under `python -O`, with a message that says what was seen."""
    if not condition:
        raise AssertionError(repr(what))


def raises(kind: type[Exception], call: Callable[[], object]) -> Exception:
    """The exception of type `kind` that `call` must raise."""
    try:
        seen = call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}, but {seen!r}")


def run_all() -> bool:
    """Runs every case in order; true where all held."""
    held = True
    for name, function in CASES:
        begun = time.monotonic()
        error = None
        try:
            if inspect.iscoroutinefunction(function):
                asyncio.run(function())
            else:
                function()
        except Exception:  # a failing case is reported, and the next one runs
            error = traceback.format_exc(limit=4)
            held = False
        line = {"case": name, "ok": error is None, "seconds": round(time.monotonic() - begun, 3), "error": error}
        print(json.dumps(line), flush=True)
    return held
