"""Anthropic's messages, checked with the types of the official SDK; and its counting of tokens."""

import json
import re
from collections.abc import Iterator
from typing import Any

from anthropic._constants import ANTHROPIC_API_VERSION
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta.message_create_params import MessageCreateParams as BetaParams
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParams

from pydantic import TypeAdapter

from shared import essence, proof, thought

from .neutral import Reply, View
from .strict import Refused, check

PATHS = ("/v1/messages", "/v1/messages/count_tokens")
KEY_HEADER = "x-api-key"
ID = re.compile(r"[a-zA-Z0-9_-]+")
LEAST_BUDGET = 1024
# The SDK's own, and the one that most programs send.
VERSIONS = (ANTHROPIC_API_VERSION, "2023-06-01")
# No longer in the SDK's types, because the newest models refuse them; earlier models take them, and other SDKs send them.
SAMPLING = {"temperature", "top_p", "top_k"}


def call_id(nonce: str, n: int) -> str:
    """A call's id in the vendor's form."""
    return f"toolu_01{nonce}{n}"


def read(text: bytes, path: str, headers: Any) -> View:
    """Checks a request and reads it."""
    if headers.get("anthropic-version") not in VERSIONS:
        raise Refused(f"anthropic-version is {headers.get('anthropic-version')}, not one of {VERSIONS}")
    body = json.loads(text)
    typed = json.dumps({name: value for name, value in body.items() if name not in SAMPLING}).encode()
    if path.endswith("/count_tokens"):
        check(MessageCountTokensParams, typed)
    else:
        # Betas are named in the header, not in the body.
        check(BetaParams if headers.get("anthropic-beta") else MessageCreateParams, typed)
    view = View(stream=bool(body.get("stream")))
    system = body.get("system") or []
    for block in [{"text": system}] if isinstance(system, str) else system:
        view.system.append(block["text"])
    read_conversation(body, view)
    read_options(body, view)
    return view


def read_conversation(body: dict, view: View) -> None:
    """The turns, and the vendor's rules for calls and their results."""
    names: dict[str, str] = {}
    open_calls: list[str] = []
    if body["messages"][0]["role"] != "user":
        raise Refused("the first message must be the user's")
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not blocks or any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            raise Refused("text content blocks must contain non-whitespace text")
        if message["role"] == "user":
            leading = [block for block in blocks if block["type"] == "tool_result"]
            if blocks[: len(leading)] != leading or {block["tool_use_id"] for block in leading} != set(open_calls):
                raise Refused(f"tool_use ids {open_calls} need their tool_result blocks first in the next message")
            open_calls.clear()
        elif open_calls:
            raise Refused(f"tool_use ids {open_calls} have no tool_result in the next message")
        for block in blocks:
            read_block(message["role"], block, view, names, open_calls)
        thinking = body.get("thinking") or {}
        if message["role"] == "assistant" and thinking.get("type") == "enabled" and open_calls:
            if blocks[0]["type"] not in ("thinking", "redacted_thinking"):
                raise Refused("with thinking, an assistant turn that waits for a tool must begin with its thinking")
    if open_calls:
        raise Refused(f"tool_use ids {open_calls} have no tool_result")


def read_block(role: str, block: dict, view: View, names: dict[str, str], open_calls: list[str]) -> None:
    """One block of a message."""
    kind = block["type"]
    if kind == "text":
        view.say(role, block["text"])
    elif kind == "image":
        if block["source"]["type"] != "base64":
            raise Refused("an image has no bytes")
        view.picture(block["source"]["data"])
    elif kind == "tool_use":
        if not ID.fullmatch(block["id"]):
            raise Refused(f"tool_use.id: must match {ID.pattern}: {block['id']}")
        names[block["id"]] = block["name"]
        open_calls.append(block["id"])
        view.call(block["name"], block["input"], block["id"])
    elif kind == "tool_result":
        content = block.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        view.result(names[block["tool_use_id"]], text)
    elif kind == "thinking":
        nonce = view.scenario()[1]
        if block["signature"] == proof(nonce) and block["thinking"] != thought(nonce):
            raise Refused("thinking blocks cannot be modified: the signature is of another text")
        view.proofs.append(block["signature"])
    else:
        raise Refused(f"a block of type {kind} has no place in a scenario")


def read_options(body: dict, view: View) -> None:
    """Everything but the conversation."""
    for tool in body.get("tools") or []:
        view.tool(tool["name"], tool.get("description"), tool.get("input_schema"))
    choice = body.get("tool_choice") or {"type": "auto"}
    view.choice = f"name:{choice['name']}" if choice["type"] == "tool" else {"any": "any", "none": "none"}.get(choice["type"])
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    if form.get("type") == "json_schema":
        view.schema = essence(form["schema"])
    view.limit = body.get("max_tokens")
    view.temperature = body.get("temperature")
    view.stop = body.get("stop_sequences")
    thinking = body.get("thinking") or {}
    view.reasoning = thinking.get("type") in ("enabled", "adaptive")
    if thinking.get("type") == "enabled":
        if not LEAST_BUDGET <= thinking["budget_tokens"] < body.get("max_tokens", 1 << 40):
            raise Refused("thinking.budget_tokens must be at least 1024 and below max_tokens")
        if view.choice not in (None, "none") or body.get("temperature") not in (None, 1, 1.0):
            raise Refused("thinking goes neither with a forced tool nor with a temperature")


def usage_of(reply: Reply) -> dict[str, Any]:
    """Usage in this dialect's meaning: input without what came from the cache."""
    use = reply.usage
    return {
        "input_tokens": use["input"] - use["cached"], "output_tokens": use["output"],
        "cache_read_input_tokens": use["cached"], "cache_creation_input_tokens": 0,
    }  # fmt: skip


def blocks_of(reply: Reply) -> list[dict[str, Any]]:
    """The blocks of an answer."""
    blocks: list[dict[str, Any]] = []
    if reply.thought:
        blocks.append({"type": "thinking", "thinking": reply.thought, "signature": reply.proof})
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    blocks += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in reply.calls]
    return blocks


def whole(reply: Reply, view: View, path: str) -> dict[str, Any]:
    """A whole answer, or the count of tokens."""
    if path.endswith("/count_tokens"):
        return {"input_tokens": reply.usage["input"]}
    answer = message(reply, blocks_of(reply), "tool_use" if reply.calls else "end_turn", usage_of(reply))
    MESSAGES.validate_python(answer)
    return answer


def message(reply: Reply, blocks: list, reason: str | None, usage: dict) -> dict[str, Any]:
    """The message around blocks."""
    return {
        "id": f"msg_{reply.nonce}", "type": "message", "role": "assistant", "model": "mock-1", "content": blocks,
        "stop_reason": reason, "stop_sequence": None, "usage": usage,
    }  # fmt: skip


# Types of answers are not closed: the vendor leaves members out that the SDK has as nullable.
EVENTS, MESSAGES = TypeAdapter(RawMessageStreamEvent), TypeAdapter(Message)


def stream(reply: Reply, view: View, path: str) -> Iterator[bytes]:
    """The same answer in events."""

    def event(kind: str, **members: Any) -> bytes:
        data = {"type": kind, **members}
        if kind != "ping":
            EVENTS.validate_python(data)
        return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()

    opening = {**usage_of(reply), "output_tokens": 1}
    yield event("message_start", message=message(reply, [], None, opening))
    yield event("ping")
    for index, block in enumerate(blocks_of(reply)):
        kind = block["type"]
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[kind]
        yield event("content_block_start", index=index, content_block={**block, **empty})
        for delta in deltas(block):
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    delta = {"stop_reason": "tool_use" if reply.calls else "end_turn", "stop_sequence": None}
    yield event("message_delta", delta=delta, usage=usage_of(reply))
    yield event("message_stop")


def deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The pieces of a block."""
    if block["type"] == "text":
        for at in range(0, len(block["text"]), 7):
            yield {"type": "text_delta", "text": block["text"][at : at + 7]}
    elif block["type"] == "thinking":
        for at in range(0, len(block["thinking"]), 9):
            yield {"type": "thinking_delta", "thinking": block["thinking"][at : at + 9]}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        text = json.dumps(block["input"], ensure_ascii=False)
        yield {"type": "input_json_delta", "partial_json": ""}
        for at in range(0, len(text), 11):
            yield {"type": "input_json_delta", "partial_json": text[at : at + 11]}


def error(status: int, message: str) -> dict[str, Any]:
    """An error document."""
    kind = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
    return {"type": "error", "error": {"type": kind.get(status, "api_error"), "message": message}, "request_id": "req_1"}


def stream_error(message: str) -> bytes:
    """An error in the middle of a stream."""
    data = {"type": "error", "error": {"type": "overloaded_error", "message": message}}
    return f"event: error\ndata: {json.dumps(data)}\n\n".encode()
