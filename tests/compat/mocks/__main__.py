"""Serves the strict mock providers on one port of 127.0.0.1, each below its own path.

    python -m mocks       prints `listening PORT`, serves until its standard input ends

`/chat`, `/responses`, `/anthropic`, `/gemini` and `/ollama` are base URLs. A request is checked with the vendor's SDK
types and rules; what is wrong with it is a 400 that says so. The marker in the prompt selects what is answered.
`GET /_mock/closed/NONCE` tells whether the client of a slow stream went away, `GET /_mock/seen/NONCE` what arrived.
"""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import chat, gemini, messages, ollama_chat, responses
from .neutral import Issued, Reply, View, reply_to
from .strict import Refused

DIALECTS = {"chat": chat, "responses": responses, "anthropic": messages, "gemini": gemini, "ollama": ollama_chat}
# The key that these providers accept, and one that must never reach them: the client's own.
KEY = os.environ.get("MOCK_KEY", "mock-upstream-key")
FOREIGN_KEY = os.environ.get("MOCK_FOREIGN_KEY", "")
# Headers in which a client's credentials or an agent's name could leak.
MOST_REMEMBERED = 50
SLOW_PIECES, SLOW_PAUSE = 1000, 0.02

closed: dict[str, bool] = {}
seen: dict[str, list[dict[str, Any]]] = {}
issued = {name: Issued() for name in DIALECTS}


class Mock(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Says nothing: what matters is in the answers."""

    def do_GET(self) -> None:
        """What was seen of a nonce."""
        kind, _, nonce = self.path.removeprefix("/_mock/").partition("/")
        if kind == "closed":
            self.send(200, {"closed": closed.get(nonce)})
        else:
            self.send(200, seen.get(nonce, []))

    def do_POST(self) -> None:
        """A call."""
        text = self.rfile.read(int(self.headers.get("content-length", "0")))
        name, _, rest = self.path.lstrip("/").partition("/")
        path, _, query = f"/{rest}".partition("?")
        dialect = DIALECTS[name]
        try:
            self.check_call(dialect, path, text)
            view = dialect.read(text, path, self.headers)
            if name == "gemini" and view.stream and "alt=sse" not in query:
                raise Refused("a stream without alt=sse is not for programs")
            self.remember(view, name, text)
            self.play(name, view, path)
        except Refused as refusal:
            self.send(400, dialect.error(400, f"strict mock: {refusal}"))

    def check_call(self, dialect: Any, path: str, text: bytes) -> None:
        """Path, headers and key."""
        if path not in dialect.PATHS:
            raise Refused(f"no such path: {path}")
        if self.headers.get("content-type", "").split(";")[0] != "application/json":
            raise Refused(f"content-type is {self.headers.get('content-type')}")
        if FOREIGN_KEY and (FOREIGN_KEY in str(self.headers) or FOREIGN_KEY.encode() in text):
            raise Refused("the client's own key arrived at the provider")
        if dialect.KEY_HEADER:
            # Anthropic takes either; its SDK has sent both at different times.
            bearer = dialect.KEY_HEADER == "authorization" or dialect is messages and self.headers.get("authorization")
            seen = self.headers.get("authorization" if bearer else dialect.KEY_HEADER)
            if seen != (f"Bearer {KEY}" if bearer else KEY):
                raise Refused(f"no key in {dialect.KEY_HEADER}")
        try:
            if not isinstance(json.loads(text), dict):
                raise Refused("the body is no object")
        except ValueError as error:
            raise Refused(f"the body is no JSON: {error}") from None

    def remember(self, view: View, name: str, text: bytes) -> None:
        """Keeps what arrived, for those who look for a fault."""
        kept = seen.setdefault(view.scenario()[1], [])
        if len(kept) < MOST_REMEMBERED:
            kept.append({"dialect": name, "headers": dict(self.headers), "body": json.loads(text)})

    def play(self, name: str, view: View, path: str) -> None:
        """Answers as the scenario says."""
        dialect = DIALECTS[name]
        scenario, nonce = view.scenario()
        failure = re.fullmatch(r"error-(\d{3})", scenario)
        if failure:
            status = int(failure.group(1))
            headers = {"retry-after": "7"} if status == 429 else {}
            self.send(status, dialect.error(status, f"refused {nonce}"), headers)
            return
        if scenario == "slow":
            self.slow(dialect, view, path, nonce)
            return
        issued[name].check(view)
        reply = reply_to(view, dialect.call_id)
        issued[name].add(nonce, [call for call in reply.calls if call.id])
        if not view.stream:
            self.send(200, dialect.whole(reply, view, path))
            return
        frames = dialect.stream(reply, view, path)
        if scenario == "error-mid":
            frames = [*list(frames)[:3], dialect.stream_error(f"broken {nonce}")]
        self.stream(name, frames)

    def slow(self, dialect: Any, view: View, path: str, nonce: str) -> None:
        """Text in small pieces until the client goes away, or for 20 s."""
        closed[nonce] = False
        reply = Reply(nonce, text="slowly " * SLOW_PIECES, usage={"input": 1, "cached": 0, "output": 1, "reasoning": 0})
        frames = dialect.stream(reply, view, path) if view.stream else iter([json.dumps(dialect.whole(reply, view, path)).encode()])

        def paced() -> Iterator[bytes]:
            for at, frame in enumerate(frames):
                if at > 5:
                    time.sleep(SLOW_PAUSE)
                yield frame

        try:
            self.stream("ollama" if dialect is ollama_chat else "", paced())
        except OSError:
            closed[nonce] = True
            self.close_connection = True

    def stream(self, name: str, frames: Any) -> None:
        """Frames in chunks."""
        self.send_response(200)
        kind = "application/x-ndjson" if name == "ollama" else "text/event-stream"
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for frame in frames:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        self.wfile.write(b"0\r\n\r\n")

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """A whole JSON answer."""
        text = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)


class Server(ThreadingHTTPServer):
    """Many connections, none of which keeps the process alive."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error; anything else is the mock's own fault and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main() -> None:
    """Serves until standard input ends: a parent that dies takes its mock along."""
    server = Server(("127.0.0.1", int(os.environ.get("MOCK_PORT", "0"))), Mock)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening {server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
