"""Sends each field of each SDK's request type through Pointsman to every other dialect: it arrives, or is declared.

    fields.py --binary PATH --python PATH [--write] [--show] [--only CLIENT/UPSTREAM]

A field is one request (see `shapes.py`). It is carried where its value stands in the upstream's request or where the
request is another than without it; declared where `x-pointsman-dropped` names it or what holds it; refused where a 400
names it. A choice whose every word changes nothing, or anything else that is in none of these, is lost. The counts per
pair are in docs/COMPATIBILITY.md, and what is lost there by name: more than that fails.
"""

import argparse
import http.client
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import TypeAdapter

import gateway
import table
from mocks import chat, gemini, messages, ollama_chat, responses
from mocks.neutral import Reply, View
from shapes import ABSENT, Leaf, Shapes, place, replaced, token, without

MOCKS = {"chat": chat, "responses": responses, "anthropic": messages, "gemini": gemini, "ollama": ollama_chat}
USER = "Say something."
USAGE = {"input": 3, "cached": 0, "output": 2, "reasoning": 0}
# What Pointsman itself reads: which model, and the form of the answer.
OWN = {"model", "stream", "stream_options.include_usage"}


@dataclass(frozen=True)
class Dialect:
    """How requests of a client's dialect are built and sent."""

    path: str
    # The list of turns, and one that is not in question.
    turns: str
    turn: dict[str, Any]
    least: dict[str, Any]
    # A function, for fields that mean nothing without one.
    tool: dict[str, Any]
    # What fields without any required sibling are put beside, one after the other.
    beside: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"": [{}]})

    def variants(self, name: str, value: Any) -> Iterator[tuple[Any, bool]]:
        """The member beside what it may need, without and with a function."""
        for tool in (False, True):
            for base in self.beside.get(name, [{}]):
                yield [merged(base, item) for item in value] if base else value, tool

    def body(self, model: str, name: str, value: Any, tool: bool = False) -> tuple[dict[str, Any], int]:
        """A request with one member, and by how much items of the turns were moved."""
        body = {"model": model, **self.least, self.turns: [self.turn]}
        if tool and name != "tools":
            body["tools"] = [self.tool]
        if not self.path.startswith("/api"):
            body.pop("stream", None)
        if "{model}" in self.path:
            body.pop("model")
        if value is ABSENT:
            return body, 0
        if name == self.turns and isinstance(value, list):
            body[name] = [self.turn, *value]
            return body, 1
        body[name] = value
        return body, 0


DIALECTS = {
    "chat": Dialect("/v1/chat/completions", "messages", {"role": "user", "content": USER}, {},
                    {"type": "function", "function": {"name": "look"}}),
    "responses": Dialect("/v1/responses", "input", {"role": "user", "content": USER}, {},
                         {"type": "function", "name": "look", "parameters": None, "strict": None}),
    "anthropic": Dialect("/v1/messages", "messages", {"role": "user", "content": USER}, {"max_tokens": 64},
                         {"name": "look", "input_schema": {"type": "object"}}),
    "gemini": Dialect("/v1beta/models/{model}:generateContent", "contents", {"role": "user", "parts": [{"text": USER}]}, {},
                      {"functionDeclarations": [{"name": "look"}]}),
    "ollama": Dialect("/api/chat", "messages", {"role": "user", "content": USER}, {"stream": False},
                      {"type": "function", "function": {"name": "look"}},
                      # The SDK's types require next to nothing.
                      {"messages": [{}, *({"role": role, "content": USER} for role in ("user", "assistant", "tool"))],
                       "tools": [{"type": "function", "function": {"name": "look"}}]}),
}  # fmt: skip


def request_types(dialect: str) -> Iterator[tuple[str, Any]]:
    """The members of a request and the types of the official SDK that describe them."""
    if dialect == "gemini":
        # The SDK has no type of the whole; its converter says which members there are.
        for name in sorted(gemini.TOP):
            kind = gemini.TOP_TYPES.get(name, str)
            yield name, list[kind[0]] if isinstance(kind, list) else kind
        return
    kind = {"chat": chat.CompletionCreateParams, "responses": responses.ResponseCreateParams,
            "anthropic": messages.MessageCreateParams, "ollama": ollama_chat.ChatRequest}[dialect]  # fmt: skip
    # Of the two that differ in `stream`, the first is for whole answers.
    yield "", getattr(kind, "__args__", [kind])[0]
    if dialect == "ollama":
        # What the SDK's request type leaves open, it has types for.
        yield "messages", list[ollama_chat.Message]
        yield "options", ollama_chat.Options


def members(dialect: str) -> Iterator[tuple[str, Leaf, Any]]:
    """Each field: the member that it is in, its place, and that member's value."""
    for name, kind in request_types(dialect):
        adapter = TypeAdapter(kind)
        if hasattr(kind, "model_rebuild"):
            kind.model_rebuild(force=True)
        adapter.rebuild(force=True)
        shapes = Shapes(adapter.core_schema)
        for leaf, value in shapes.cases(shapes.root):
            if name:
                yield name, Leaf((name, *leaf.path), leaf.token, leaf.number, leaf.others), value
            elif leaf.path and place(leaf.path) not in OWN:
                yield leaf.path[0], leaf, value[leaf.path[0]]


class Recorder(BaseHTTPRequestHandler):
    """Keeps the last request of each dialect and answers something."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    last: dict[str, str] = {}

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        """A call."""
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        name = self.path.split("/")[1]
        Recorder.last[name] = text
        body = json.dumps(MOCKS[name].whole(Reply("0", text="fine", usage=USAGE), View(), self.path)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Pair:
    """One client's dialect before one upstream's."""

    client: str
    upstream: str
    address: str
    counts: Counter = field(default_factory=Counter)
    lost: dict[str, str] = field(default_factory=dict)
    baselines: dict[str, str] = field(default_factory=dict)
    connection: Any = None

    def run(self, cases: list[tuple[str, Leaf, Any]]) -> None:
        """Sends every case."""
        self.connection = http.client.HTTPConnection(self.address, timeout=30)
        fates: dict[str, list[tuple[str, str]]] = {}
        for name, leaf, value in cases:
            for variant, tool in DIALECTS[self.client].variants(name, value):
                fate, where, body = self.fate(name, leaf, variant, tool)
                if fate in ("carried", "declared", "refused"):
                    break
            fates.setdefault(where, []).append((fate, json.dumps(body)))
        for where, found in fates.items():
            kinds = [fate for fate, _ in found]
            # Of several words one may be what is meant anyway.
            best = next((kind for kind in ("carried", "declared", "refused") if kind in kinds), "lost")
            choice = all(kind in (best, "unchanged") for kind in kinds)
            if best == "lost" or not (choice or "lost" not in kinds):
                self.lost[where] = next(body for fate, body in found if fate in ("lost", "unchanged"))
                best = "lost"
            self.counts[best] += 1

    def fate(self, name: str, leaf: Leaf, value: Any, tool: bool) -> tuple[str, str, dict[str, Any]]:
        """What became of a field, where it stood, and the request."""
        dialect, model = DIALECTS[self.client], f"via-{self.upstream}"
        body, moved = dialect.body(model, name, value, tool)
        where = place((leaf.path[0], leaf.path[1] + moved, *leaf.path[2:]) if moved else leaf.path)
        status, dropped, answer, upstream = self.send(body)
        if status == 400 and not named(where, answer) and complete(body, answer):
            status, dropped, answer, upstream = self.send(body)
        if status != 200:
            return ("refused" if status == 400 and named(where, answer) else "lost"), where, body
        if any(names(one, where) for one in dropped):
            return "declared", where, body
        if leaf.token is not None and leaf.token in upstream:
            return "carried", where, body
        if leaf.token is not None and not leaf.number:
            return "lost", where, body
        others = [without({name: value}, leaf.path)]
        # Where it is required, another value tells as much.
        others += [replaced({name: value}, leaf.path, other) for other in leaf.others]
        for other in others:
            base, _ = dialect.body(model, name, ABSENT if other is ABSENT else other.get(name, ABSENT), tool)
            key = json.dumps(base)
            if key not in self.baselines:
                self.baselines[key] = self.send(base)[3]
            if self.baselines[key]:
                return ("carried" if self.baselines[key] != upstream else "unchanged"), where, body
        return "unchanged", where, body

    def send(self, body: dict[str, Any]) -> tuple[int, list[str], str, str]:
        """Status, what was declared, the answer, and what the upstream read."""
        Recorder.last.pop(self.upstream, None)
        path = DIALECTS[self.client].path.format(model=f"via-{self.upstream}")
        headers = {"content-type": "application/json", "authorization": f"Bearer {gateway.CLIENT_KEY}"}
        self.connection.request("POST", path, json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        dropped = [one.strip() for one in (answer.headers.get("x-pointsman-dropped") or "").split(",") if one.strip()]
        return answer.status, dropped, text, Recorder.last.get(self.upstream, "")


def merged(base: dict[str, Any], item: Any) -> Any:
    """The item with what it lacks of the base."""
    if not isinstance(item, dict):
        return item
    out = {**base, **item}
    for name in base.keys() & item.keys():
        if isinstance(base[name], dict):
            out[name] = merged(base[name], item[name])
    if "role" in base:
        # A role that nobody knows is refused, whatever stands beside it.
        out["role"] = base["role"]
    return out


def complete(body: dict[str, Any], answer: str) -> bool:
    """Gives the request the member that a refusal misses, if that is in an object that is there."""
    found = re.search(r"`([A-Za-z_.\[\]0-9]+)` is missing", answer)
    parts = re.findall(r"[A-Za-z_]+|\d+", found.group(1)) if found else []
    inner: Any = body
    for part in parts[:-1]:
        try:
            inner = inner[int(part) if part.isdigit() else part]
        except (KeyError, IndexError, TypeError):
            return False
    if not parts or not isinstance(inner, dict):
        return False
    inner[parts[-1]] = token()
    return True


def names(declared: str, where: str) -> bool:
    """Whether what is declared is this place, what holds it, or a member of that name within the same item."""
    if where == declared or where.startswith((f"{declared}.", f"{declared}[")):
        return True
    item, _, member = declared.rpartition(".")
    return bool(item) and where.startswith((f"{item}.", f"{item}[")) and member in re.findall(r"[^.\[\]]+", where[len(item) :])


def named(where: str, answer: str) -> bool:
    """Whether a refusal names the field or something that holds it."""
    parts = where.replace("[", ".[").split(".")
    holders = [".".join(parts[:end]).replace(".[", "[") for end in range(1, len(parts) + 1)]
    return any(f"`{one}`" in answer or f'"{one}"' in answer for one in holders)


def run_pairs(options: argparse.Namespace) -> list[Pair]:
    """All pairs; those of one upstream one after the other."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cases = {client: list(members(client)) for client in DIALECTS}
    with gateway.running(options.binary, f"http://127.0.0.1:{server.server_port}") as root:
        pairs = [
            Pair(client, upstream, root.removeprefix("http://"))
            for upstream in DIALECTS for client in DIALECTS
            if client != upstream and (not options.only or options.only == f"{client}/{upstream}")
        ]  # fmt: skip

        def of(upstream: str) -> None:
            for pair in pairs:
                if pair.upstream == upstream:
                    pair.run(cases[pair.client])

        threads = [threading.Thread(target=of, args=(upstream,)) for upstream in DIALECTS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return pairs


def main() -> int:
    """Command line; exit code 0 where no more is lost than the committed page says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--binary", "--python"):
        parser.add_argument(name, required=True)
    parser.add_argument("--write", action="store_true", help="write the page's section")
    parser.add_argument("--show", action="store_true", help="print the requests whose field was lost")
    parser.add_argument("--only", help="one pair")
    options = parser.parse_args()
    begun = time.monotonic()
    pairs = run_pairs(options)
    if options.show:
        for pair in pairs:
            for where, body in pair.lost.items():
                print(f"{pair.client}/{pair.upstream} {where} {body}")
    total = sum((pair.counts for pair in pairs), Counter())
    print(f"note-for-summary: fields: {dict(total)} in {len(pairs)} pairs; {time.monotonic() - begun:.0f} s")
    faults = [] if options.only else table.settle_fields(pairs, write=options.write)
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
