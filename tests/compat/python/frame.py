"""The frame of the Python suites: what a client is, what every client is asked to do, and how that is judged.

A suite is an adapter between one SDK and the abstract conversation of `Ask`; the features are the functions below, the
same for every client. Each case prints one JSON line:
{"client": NAME, "upstream": DIALECT, "feature": NAME, "ok": BOOL or null, "seconds": FLOAT, "error": TEXT or null}.
`ok` is null where client or upstream have no such feature; `error` then says why.
"""

import hashlib
import json
import os
import secrets
import struct
import sys
import time
import traceback
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import shared  # noqa: E402

# A real engine by the two dialects that it speaks.
ENGINES = ("engine-chat", "engine-messages")
UPSTREAMS = ("chat", "responses", "anthropic", "gemini", "ollama")
FEATURES = (
    "chat", "stream", "tools", "parallel tools", "images", "structured output", "reasoning", "errors", "cancel",
)  # fmt: skip
TIMEOUT_SECONDS = 30.0
# Where a slow stream must be known to have ended after its reader left.
CLOSED_WITHIN = 5.0
# What an upstream's dialect has no place for, in the words of the view.
UNSAYABLE = {"responses": {"stop"}, "ollama": {"choice"}}
# Members of the view that a client may fill in by itself.
OWN_IDEAS = {"limit", "temperature", "stop"}
# Where a missing parameter matters.
LACKED = {"chat": {"stop", "temperature", "limit"}, "tools": {"choice"}}
# Upstreams whose thoughts carry a proof or cipher that must come back.
PROVEN = ("responses", "anthropic", "gemini")
# How Pointsman tells an upstream's refusals.
TOLD = {400: 400, 401: 502, 429: 429, 500: 502}


class NotApplicable(Exception):
    """The client or the upstream has no such feature; the text says which and why."""


@dataclass
class Ask:
    """What is asked for, whatever the SDK."""

    # ("system", text), ("user", [text or bytes, …]), ("assistant", text), ("answer", Answer),
    # ("results", [(call, value), …])
    turns: list[tuple[str, Any]]
    stream: bool = False
    tools: list[dict[str, Any]] = field(default_factory=list)
    choice: str | None = None
    schema: dict[str, Any] | None = None
    reasoning: bool = False
    limit: int = 4096
    temperature: float | None = None
    stop: list[str] | None = None


@dataclass
class Answer:
    """What came back. `native` is whatever the adapter needs to say it again."""

    text: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    thought: str = ""
    # input (with cached), output, cached (None where the SDK does not say)
    usage: tuple[int, int, int | None] | None = None
    finish: str = ""
    pieces: int = 0
    native: Any = None


class Client:
    """An SDK. Subclasses say what they cannot, and how things are asked."""

    name = ""
    dialect = ""
    # Feature to reason, where the SDK has none.
    cannot: dict[str, str] = {}
    shows_thoughts = True
    # Why proofs of thoughts do not come back through this SDK; empty where they do.
    loses_proofs = ""
    # What this SDK has no parameter for, in the words of the view.
    lacks: set[str] = set()
    # Why usage is not told in streams; empty where it is.
    hides_stream_usage = ""
    # Engines whose streams tell usage where this SDK does not look, and why.
    misses_usage: dict[str, str] = {}
    # Whether the SDK's own type of a function has objects inside of objects.
    deep_tools = True
    # Whether its dialect says which call is meant.
    keeps_ids = True
    # What is asked of it; agents have a conversation of their own instead.
    features = FEATURES

    def __init__(self, root: str, key: str, model: str) -> None:
        """`root` is the server without `/v1`."""
        self.root, self.key, self.model = root, key, model
        self.open()

    def open(self) -> None:
        """Makes the SDK's client."""

    def ask(self, ask: Ask) -> Answer:
        """One request."""
        raise NotImplementedError

    def leave(self, ask: Ask) -> str:
        """Starts a stream, reads its first text and leaves; returns that text."""
        raise NotImplementedError

    def limits(self, feature: str) -> str:
        """What of a feature the SDK itself leaves out, and a cell that holds therefore does not show."""
        found = [self.loses_proofs, "" if self.shows_thoughts else "thoughts are not shown"] if feature == "reasoning" else []
        if feature == "engine":
            found = [f"{engine}: {why}" for engine, why in self.misses_usage.items()]
        if feature in ("chat", "tools"):
            found = [f"no parameter for {name}" for name in sorted(self.lacks & LACKED[feature])]
        return "; ".join(one for one in found if one)

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        """Status, message and `retry-after` of the SDK's exception; raises what is none."""
        raise error


@dataclass
class Case:
    """One cell of the table, running."""

    client: Client
    upstream: str
    direct: bool
    nonce: str = ""

    def fresh(self, scenario: str) -> str:
        """A prompt with a new nonce."""
        self.nonce = secrets.token_hex(6)
        return f"{shared.marker(scenario, self.nonce)} {word()} {shared.NASTY}"

    def told(self, text: str, **expected: Any) -> None:
        """The answer repeats exactly what was said, as digests."""
        try:
            seen = json.loads(text)
        except ValueError:
            raise AssertionError(f"the answer is no digest: {text!r}") from None
        expected = {**expected, "system": shared.flat(expected.get("system", ""))}
        wanted = {
            key: value for key, value in expected.items()
            if key not in UNSAYABLE.get(self.upstream, set()) and key not in self.client.lacks
        }  # fmt: skip
        wrong = [
            f"{key} is {seen.get(key)} for {shared.plain(wanted.get(key))!r}"
            for key, value in shared.digests(wanted).items()
            if seen.get(key) != value
        ]
        strange = sorted(set(seen) - {key for key in wanted if wanted[key]} - OWN_IDEAS)
        expect(not wrong and not strange, f"lost or changed: {wrong}; from nowhere: {strange}; {self.seen()}")

    def seen(self) -> str:
        """What the mock received, for the message of a failure."""
        with urllib.request.urlopen(f"{os.environ['MOCK_URL']}/_mock/seen/{self.nonce}") as answer:
            kept = json.loads(answer.read())
        return "the upstream read " + (json.dumps(kept[-1]["body"], ensure_ascii=False) if kept else "nothing")

    def usage(self, seen: tuple[int, int, int | None] | None) -> None:
        """Tokens are those of the mock, in the client's meaning."""
        expect(seen is not None, "no usage")
        use = shared.usage(self.nonce)
        cached = 0 if self.upstream == "ollama" else use["cached"]
        expect(seen[:2] == (use["input"], use["output"]), f"usage {seen}, not {use}")
        expect(seen[2] in (None, cached), f"{seen[2]} cached tokens, not {cached}")


def word() -> str:
    """Something that nobody can guess."""
    return "w" + secrets.token_hex(4)


def expect(condition: object, what: object) -> None:
    """An assertion with a message."""
    if not condition:
        raise AssertionError(what if isinstance(what, str) else repr(what))


def picture() -> bytes:
    """A valid PNG of random pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + secrets.token_bytes(48) for _ in range(16))
    head = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def schema(deep: bool = True) -> dict[str, Any]:
    """An object schema with random names, words and descriptions, within every vendor's subset."""
    def closed(properties: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}

    inner = {word(): closed({word(): {"type": "boolean"}, word(): {"type": "number"}})} if deep else {}
    return closed({
        word(): {"type": "string", "description": f"{word()} {shared.NASTY}"},
        word(): {"type": "integer", "description": word()},
        word(): {"type": "string", "enum": [word(), word(), word()]},
        word(): {"type": "array", "items": {"type": "string"}},
        **inner,
    })  # fmt: skip


def tools(case: Case, count: int) -> list[dict[str, Any]]:
    """Functions with random names and schemas."""
    return [
        {"name": f"look_{word()}", "description": f"Looks {word()}", "schema": schema(case.client.deep_tools)}
        for _ in range(count)
    ]


def as_viewed(functions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Functions as a mock's view has them."""
    return [{**function, "schema": shared.essence(function["schema"])} for function in functions]


def chat(case: Case, stream: bool = False) -> None:
    """Roles, texts and sampling arrive; text, usage and the reason for the end come back."""
    system, before, said = word(), word() + shared.NASTY, word()
    prompt = case.fresh("text")
    ask = Ask(
        [("system", system), ("user", [before]), ("assistant", said), ("user", [prompt])],
        stream=stream, limit=1234, temperature=0.5, stop=[word(), "\n#"],
    )  # fmt: skip
    answer = case.client.ask(ask)
    turns = [["user", before], ["assistant", said], ["user", prompt]]
    case.told(answer.text, system=system, turns=turns, limit=1234, temperature=0.5, stop=ask.stop)
    if not (stream and case.client.hides_stream_usage):
        case.usage(answer.usage)
    expect(answer.finish == "stop", f"finish {answer.finish!r}")
    expect(not answer.calls, answer.calls)
    if stream:
        expect(answer.pieces > 3, f"streamed in {answer.pieces} pieces")


def stream(case: Case) -> None:
    """The same in pieces."""
    chat(case, stream=True)


def talk(case: Case, scenario: str, functions: list[dict], called: list[int], stream: bool, reasoning: bool = False) -> None:
    """Functions go out, calls come back, results go out, and the model has read everything."""
    if not case.client.keeps_ids:
        scenario += "-any-ids"
    system, prompt, choice = word(), case.fresh(scenario), None if reasoning else "any"
    turns: list[tuple[str, Any]] = [("system", system), ("user", [prompt])]
    ask = Ask(turns, stream=stream, tools=functions, choice=choice, reasoning=reasoning, limit=8192)
    first = case.client.ask(ask)
    wanted = [
        [functions[at]["name"], shared.sample(functions[at]["schema"], f"{case.nonce}{n}")] for n, at in enumerate(called)
    ]
    seen = [[name, arguments] for _, name, arguments in first.calls]
    expect(seen == wanted, f"calls {seen}, not {wanted}; {case.seen()}")
    ids = [id for id, _, _ in first.calls]
    expect(len(set(ids)) == len(ids), f"ids of calls are not unique: {ids}")
    if reasoning and case.client.shows_thoughts:
        expect(first.thought == shared.thought(case.nonce), f"thought {first.thought!r}; {case.seen()}")
    values = [{word(): word() + shared.NASTY, "n": n} for n in range(len(called))]
    turns += [("answer", first), ("results", list(zip(first.calls, values)))]
    second = case.client.ask(Ask(turns, stream=stream, tools=functions, reasoning=reasoning, limit=8192))
    told = {"system": system, "turns": [["user", prompt]], "tools": as_viewed(functions), "calls": wanted,
            "results": [[call[0], value] for call, value in zip(wanted, values)]}  # fmt: skip
    if reasoning:
        carried = case.upstream in PROVEN and (not case.client.loses_proofs)
        told |= {"reasoning": True, "proofs": [shared.proof(case.nonce)] if carried else []}
        if json.loads(second.text).get("reasoning") is None and case.client.loses_proofs:
            # Without the proof some upstreams take no thoughts at all for the rest of the turn.
            told.pop("reasoning")
    case.told(second.text, **told)


def tool_calls(case: Case) -> None:
    """One call, plain and streamed."""
    for streamed in (False, True):
        talk(case, "tools", tools(case, 2), [0], streamed)


def parallel_tools(case: Case) -> None:
    """Three calls at once, two of the same function, plain and streamed."""
    for streamed in (False, True):
        talk(case, "parallel", tools(case, 2), [0, 1, 0], streamed)


def reasoning(case: Case) -> None:
    """Thoughts come back, and go out again with their proof before a tool's result."""
    for streamed in (False, True):
        talk(case, "reasoning", tools(case, 1), [0], streamed, reasoning=True)


def images(case: Case) -> None:
    """Two pictures between texts."""
    prompt, first, second, after = case.fresh("images"), picture(), picture(), word()
    answer = case.client.ask(Ask([("user", [prompt, first, second, after])]))
    hashes = [hashlib.sha256(content).hexdigest()[:12] for content in (first, second)]
    case.told(answer.text, turns=[["user", shared.flat(prompt + after)]], images=hashes)


def structured_output(case: Case) -> None:
    """The answer is of the schema that was asked for, plain and streamed."""
    for streamed in (False, True):
        wanted, prompt = schema(), case.fresh("structured")
        answer = case.client.ask(Ask([("user", [prompt])], stream=streamed, schema=wanted))
        value = shared.sample(wanted, case.nonce)
        expect(json.loads(answer.text) == value, f"{answer.text}, not {value}; {case.seen()}")


def errors(case: Case) -> None:
    """Refusals are the SDK's own exceptions, with status, words and patience; also within a stream."""
    for status, told in TOLD.items():
        prompt = case.fresh(f"error-{status}")
        code, message, retry_after = problem(case, Ask([("user", [prompt])]))
        expect(code == (status if case.direct else told), f"status {code} for {status}: {message}")
        if status in (400, 429):
            expect(case.nonce in message, f"the words of the upstream are lost: {message}")
        if status == 429:
            expect(retry_after == "7", f"retry-after {retry_after} for {status}")
    prompt = case.fresh("error-mid")
    _, message, _ = problem(case, Ask([("user", [prompt])], stream=True))
    expect(case.nonce in message or not case.direct, f"in a stream: {message}")


def problem(case: Case, ask: Ask) -> tuple[int | None, str, str | None]:
    """The exception that the request must end in."""
    try:
        answer = case.client.ask(ask)
    except Exception as error:
        return case.client.problem(error)
    raise AssertionError(f"no error, but {answer}")


def cancel(case: Case) -> None:
    """A client that leaves frees the upstream."""
    text = case.client.leave(Ask([("user", [case.fresh("slow")])], stream=True))
    expect(text, "nothing came before leaving")
    deadline = time.monotonic() + CLOSED_WITHIN
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{os.environ['MOCK_URL']}/_mock/closed/{case.nonce}") as answer:
            if json.loads(answer.read())["closed"]:
                return
        time.sleep(0.02)
    raise AssertionError("the upstream's connection was not closed")


def engine(case: Case) -> None:
    """A real engine answers, plain and streamed, and calls a function: whatever it says, the form holds."""
    for streamed in (False, True):
        # Limits that are not met: some SDKs take an answer that was cut for an error.
        ask = Ask([("system", "You are terse."), ("user", ["Say hello."])], stream=streamed, limit=64, temperature=0.0)
        answer = case.client.ask(ask)
        expect(answer.text.strip(), f"no text: {answer}")
        if not (streamed and (case.client.hides_stream_usage or case.upstream in case.client.misses_usage)):
            expect(answer.usage and answer.usage[0] > 5 and 0 < answer.usage[1] < 64, f"usage {answer.usage}")
        member = {"city": {"type": "string", "description": "The city's name"}}
        form = {"type": "object", "properties": member, "required": ["city"], "additionalProperties": False}
        function = {"name": "get_weather", "description": "Tells the weather of a city.", "schema": form}
        # What a small model is told to do, it does where it seems to have done so before.
        turns: list[tuple[str, Any]] = []
        for city in ("Rome", "Oslo"):
            turns += [("user", [f"Weather in {city}?"]), ("assistant", shared.called(city))]
        turns.append(("user", ["Weather in Paris?"]))
        ask = Ask(turns, stream=streamed, tools=[function], choice="any", limit=64, temperature=0.0)
        called = case.client.ask(ask)
        expect([call[1:] for call in called.calls] == [("get_weather", {"city": "Paris"})], f"not called: {called}")
        turns += [("answer", called), ("results", [(called.calls[0], {"sky": "clear", "degrees": 21})])]
        last = case.client.ask(Ask(turns, stream=streamed, tools=[function], limit=256, temperature=0.0))
        expect(last.text.strip() or last.calls, f"nothing after the result: {last}")


RUN: dict[str, Callable[[Case], None]] = {
    "chat": chat, "stream": stream, "tools": tool_calls, "parallel tools": parallel_tools, "images": images,
    "structured output": structured_output, "reasoning": reasoning, "errors": errors, "cancel": cancel,
    "engine": engine, "conversation": lambda case: case.client.talk(case),
}  # fmt: skip


def run(make: type[Client], upstreams: list[str], features: list[str], direct: bool) -> None:
    """Runs the cells of one client."""
    for upstream in upstreams:
        root = f"{os.environ['MOCK_URL']}/{make.dialect}" if direct else os.environ["GATEWAY_URL"]
        client = make(root, os.environ["API_KEY"], "mock-1" if direct else f"via-{upstream}")
        for feature in features:
            begun, ok, error = time.monotonic(), True, None
            try:
                if feature in client.cannot:
                    raise NotApplicable(client.cannot[feature])
                RUN[feature](Case(client, upstream, direct))
            except NotApplicable as reason:
                ok, error = None, str(reason)
            except Exception:  # a failing cell is reported, and the next one runs
                ok, error = False, traceback.format_exc(limit=-3)
            line = {"client": client.name, "upstream": upstream, "feature": feature, "ok": ok,
                    "seconds": round(time.monotonic() - begun, 3), "error": error, "limits": client.limits(feature)}  # fmt: skip
            print(json.dumps(line), flush=True)
