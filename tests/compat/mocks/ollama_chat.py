"""Ollama's own chat, checked with the types of the official SDK."""

import json
from collections.abc import Iterator
from typing import Any

from ollama._types import ChatRequest, ChatResponse, Message, Options

from shared import essence

from .neutral import Reply, View
from .strict import Refused, check

PATHS = ("/api/chat",)
KEY_HEADER = ""
DURATIONS = {"total_duration": 5_000_000, "load_duration": 1, "prompt_eval_duration": 1, "eval_duration": 1}


def call_id(nonce: str, n: int) -> str:
    """Calls have no id here."""
    return ""


def read(text: bytes, path: str, headers: Any) -> View:
    """Checks a request and reads it."""
    body = json.loads(text)
    # The SDK's type of a tool has no schemas inside of schemas; the server reads them. They are told apart below.
    tools = body.get("tools") or []
    shallow = [{**tool, "function": {**tool["function"], "parameters": {"type": "object"}}} for tool in tools]
    check(ChatRequest, json.dumps({**body, "tools": shallow}).encode())
    view = View(stream=body.get("stream", True) is not False)
    waiting = 0
    for message in body["messages"]:
        # On the wire an image is base64; the SDK's type is of a file or of bytes. See `View.picture`.
        check(Message, json.dumps({key: value for key, value in message.items() if key != "images"}).encode())
        if message["role"] == "tool":
            if not waiting or not message.get("tool_name"):
                raise Refused("a tool's answer that nobody waits for, or without tool_name")
            waiting -= 1
            view.result(message["tool_name"], message["content"])
            continue
        if waiting:
            raise Refused(f"{waiting} calls have no answer before the next message")
        waiting = read_message(message, view)
    if waiting:
        raise Refused(f"{waiting} calls have no answer")
    read_options(body, view)
    return view


def read_message(message: dict, view: View) -> int:
    """What somebody says, shows and calls; returns how many calls."""
    role = message["role"]
    if role == "system":
        view.system.append(message["content"])
        return 0
    if role not in ("user", "assistant"):
        raise Refused(f"the role {role}")
    view.say(role, message.get("content") or "")
    for image in message.get("images") or []:
        view.picture(image)
    if message.get("thinking"):
        view.thoughts.append(message["thinking"])
    calls = message.get("tool_calls") or []
    for call in calls:
        view.call(call["function"]["name"], call["function"]["arguments"])
    return len(calls)


def read_options(body: dict, view: View) -> None:
    """Everything but the conversation."""
    for tool in body.get("tools") or []:
        view.tool(tool["function"]["name"], tool["function"].get("description"), tool["function"].get("parameters"))
    options = body.get("options") or {}
    check(Options, json.dumps(options).encode())
    view.limit = options.get("num_predict")
    view.temperature = options.get("temperature")
    view.stop = options.get("stop")
    if isinstance(body.get("format"), dict):
        view.schema = essence(body["format"])
    view.reasoning = bool(body.get("think"))


def line(reply: Reply, message: dict[str, Any], last: bool = True) -> dict[str, Any]:
    """A whole answer, or one of the lines of a stream."""
    out: dict[str, Any] = {
        "model": "mock-1", "created_at": "2026-11-27T12:00:00.123456789Z",
        "message": {"role": "assistant", "content": "", **message}, "done": last,
    }  # fmt: skip
    if last:
        counts = {"prompt_eval_count": reply.usage["input"], "eval_count": reply.usage["output"]}
        out |= {"done_reason": "stop", **counts, **DURATIONS}
    check(ChatResponse, json.dumps(out).encode())
    return out


def calls_of(reply: Reply) -> dict[str, Any]:
    """Calls, if there are any."""
    calls = [{"function": {"name": call.name, "arguments": call.arguments}} for call in reply.calls]
    return {"tool_calls": calls} if calls else {}


def whole(reply: Reply, view: View, path: str) -> dict[str, Any]:
    """A whole answer."""
    thinking = {"thinking": reply.thought} if reply.thought else {}
    return line(reply, {"content": reply.text, **thinking, **calls_of(reply)})


def stream(reply: Reply, view: View, path: str) -> Iterator[bytes]:
    """The same answer in lines."""

    def row(message: dict[str, Any], last: bool = False) -> bytes:
        text = json.dumps(line(reply, message, last), ensure_ascii=False)
        # As Go writes it: the SDK takes these for the ends of lines.
        return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode() + b"\n"

    for at in range(0, len(reply.thought), 9):
        yield row({"thinking": reply.thought[at : at + 9]})
    for piece in reply.pieces():
        yield row({"content": piece})
    for call in reply.calls:
        yield row({"tool_calls": [{"function": {"name": call.name, "arguments": call.arguments}}]})
    yield row({}, True)


def error(status: int, message: str) -> dict[str, Any]:
    """An error document."""
    return {"error": message}


def stream_error(message: str) -> bytes:
    """An error in the middle of a stream."""
    return json.dumps({"error": message}).encode() + b"\n"
