"""OpenAI's chat completions, checked with the types of the official SDK."""

import json
from collections.abc import Iterator
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParams

from .neutral import Call, Reply, View
from .strict import Refused, check

PATHS = ("/v1/chat/completions",)
KEY_HEADER = "authorization"


def call_id(nonce: str, n: int) -> str:
    """A call's id as some compatible servers make them: outside of other vendors' alphabets."""
    return f"functions.look.{nonce}:{n}" if n else f"call_{nonce * 2}"


def read(text: bytes, path: str, headers: Any) -> View:
    """Checks a request and reads it."""
    check(CompletionCreateParams, text)
    body = json.loads(text)
    view = View(stream=bool(body.get("stream")))
    names: dict[str, str] = {}
    open_calls: list[str] = []
    for message in body["messages"]:
        role = message["role"]
        if open_calls and role != "tool":
            raise Refused(f"calls {open_calls} have no answer before the next message")
        if role in ("system", "developer"):
            view.system.append(text_of(message["content"]))
        elif role == "tool":
            id = message["tool_call_id"]
            if id not in open_calls:
                raise Refused(f"a tool answers {id}, which was not called")
            open_calls.remove(id)
            view.result(names[id], text_of(message["content"]))
        elif role == "user":
            read_user(message["content"], view)
        else:
            read_assistant(message, view, names, open_calls)
    if open_calls:
        raise Refused(f"calls {open_calls} have no answer")
    read_options(body, view)
    return view


def text_of(content: Any) -> str:
    """Text, plain or in parts."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def read_user(content: Any, view: View) -> None:
    """What a user says and shows."""
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if part["type"] == "text":
            view.say("user", part["text"])
        elif part["type"] == "image_url":
            view.picture_url(part["image_url"]["url"])
        else:
            raise Refused(f"a part of type {part['type']} has no place in a scenario")


def read_assistant(message: dict, view: View, names: dict[str, str], open_calls: list[str]) -> None:
    """What the model said and called."""
    if message.get("content"):
        view.say("assistant", text_of(message["content"]))
    for call in message.get("tool_calls") or []:
        open_calls.append(call["id"])
        if call["type"] == "custom":
            names[call["id"]] = call["custom"]["name"]
            view.call(call["custom"]["name"], {"input": call["custom"]["input"]}, call["id"])
            continue
        names[call["id"]] = call["function"]["name"]
        view.call(call["function"]["name"], json.loads(call["function"]["arguments"]), call["id"])


def read_options(body: dict, view: View) -> None:
    """Everything but the conversation."""
    for tool in body.get("tools") or []:
        if tool["type"] == "custom":
            view.patch_member = ""
            continue
        function = tool["function"]
        view.tool(function["name"], function.get("description"), function.get("parameters"))
    choice = body.get("tool_choice")
    if choice is not None and not body.get("tools"):
        raise Refused("tool_choice is only allowed with tools")
    if isinstance(choice, dict):
        view.choice = f"name:{choice['function']['name']}"
    else:
        view.choice = {"required": "any", "none": "none"}.get(choice or "auto")
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        view.schema = _schema(form["json_schema"])
    view.limit = body.get("max_completion_tokens") or body.get("max_tokens")
    view.temperature = body.get("temperature")
    stop = body.get("stop")
    view.stop = [stop] if isinstance(stop, str) else stop
    view.reasoning = body.get("reasoning_effort") not in (None, "none")
    options = body.get("stream_options")
    if options and not view.stream:
        raise Refused("stream_options is only allowed with stream")
    view.usage_asked = bool(options and options.get("include_usage"))


def _schema(form: dict) -> Any:
    from shared import essence

    if form.get("strict"):
        closed(form["schema"])
    return essence(form["schema"])


def closed(schema: Any) -> None:
    """OpenAI's rule for strict schemas: every object is closed and needs all of its members."""
    if isinstance(schema, list):
        for item in schema:
            closed(item)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise Refused("a strict schema needs additionalProperties: false in every object")
        if sorted(schema.get("required") or []) != sorted(schema.get("properties") or {}):
            raise Refused("a strict schema needs every member in required")
    for value in schema.values():
        closed(value)


def usage_of(reply: Reply) -> dict[str, Any]:
    """Usage in this dialect's meaning: input includes cached tokens, output includes reasoning."""
    use = reply.usage
    return {
        "prompt_tokens": use["input"], "completion_tokens": use["output"],
        "total_tokens": use["input"] + use["output"],
        "prompt_tokens_details": {"cached_tokens": use["cached"]},
        "completion_tokens_details": {"reasoning_tokens": use["reasoning"]},
    }  # fmt: skip


def whole(reply: Reply, view: View, path: str) -> dict[str, Any]:
    """A whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.free}} if call.free
            else {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments(call)}}
            for call in reply.calls
        ]
    answer = {
        "id": f"chatcmpl-{reply.nonce}", "object": "chat.completion", "created": 1_790_000_000, "model": "mock-1",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish(reply)}],
        "usage": usage_of(reply),
    }  # fmt: skip
    check(ChatCompletion, json.dumps(answer).encode())
    if reply.thought:
        # Not OpenAI's own, but what compatible servers call it.
        message["reasoning_content"] = reply.thought
    return answer


def arguments(call: Call) -> str:
    """Arguments as this dialect has them: JSON in a string."""
    return json.dumps(call.arguments, ensure_ascii=False)


def finish(reply: Reply) -> str:
    """Why the answer ends."""
    return "tool_calls" if reply.calls else "stop"


def stream(reply: Reply, view: View, path: str) -> Iterator[bytes]:
    """The same answer in events."""
    yield chunk(reply, {"role": "assistant", "content": ""})
    for at in range(0, len(reply.thought), 9):
        yield chunk(reply, {}, extra={"reasoning_content": reply.thought[at : at + 9]})
    for piece in reply.pieces():
        yield chunk(reply, {"content": piece})
    for index, call in enumerate(reply.calls):
        if call.free:
            # The SDK's type of a piece has no freeform tools.
            custom = {"index": index, "id": call.id, "type": "custom", "custom": {"name": call.name, "input": ""}}
            yield chunk(reply, {}, extra={"tool_calls": [custom]})
            for at in range(0, len(call.free), 11):
                piece = {"index": index, "custom": {"input": call.free[at : at + 11]}}
                yield chunk(reply, {}, extra={"tool_calls": [piece]})
            continue
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield chunk(reply, {"tool_calls": [head]})
        text = arguments(call)
        for at in range(0, len(text), 11):
            piece = {"index": index, "function": {"arguments": text[at : at + 11]}}
            yield chunk(reply, {"tool_calls": [piece]})
    yield chunk(reply, {}, finish(reply))
    if view.usage_asked:
        yield chunk(reply, None)
    yield b"data: [DONE]\n\n"


def chunk(reply: Reply, delta: dict | None, reason: str | None = None, extra: dict | None = None) -> bytes:
    """One event; without a delta it is the one with the usage."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    event: dict[str, Any] = {
        "id": f"chatcmpl-{reply.nonce}", "object": "chat.completion.chunk", "created": 1_790_000_000,
        "model": "mock-1", "choices": choices,
    }  # fmt: skip
    if delta is None:
        event["usage"] = usage_of(reply)
    check(ChatCompletionChunk, json.dumps(event).encode())
    if extra and delta is not None:
        delta.update(extra)
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def error(status: int, message: str) -> dict[str, Any]:
    """An error document."""
    kind = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
    return {"error": {"message": message, "type": kind.get(status, "server_error"), "param": None, "code": None}}


def stream_error(message: str) -> bytes:
    """An error in the middle of a stream."""
    return f"data: {json.dumps(error(500, message))}\n\n".encode()
