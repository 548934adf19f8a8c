"""OpenAI's responses, checked with the types of the official SDK."""

import json
from collections.abc import Iterator
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParams

from openai.types.responses.input_token_count_params import InputTokenCountParams

from shared import essence

from .chat import arguments, closed
from .neutral import Reply, View
from .strict import Refused, check

PATHS = ("/v1/responses", "/v1/responses/input_tokens")
KEY_HEADER = "authorization"
# What the ids of items begin with; others are refused by the vendor.
ITEM_IDS = {"message": "msg_", "function_call": "fc_", "reasoning": "rs_", "custom_tool_call": "ctc_"}
MOST_CALL_ID = 64


def call_id(nonce: str, n: int) -> str:
    """A call's id in the vendor's form."""
    return f"call_{nonce * 2}{n}"


def read(text: bytes, path: str, headers: Any) -> View:
    """Checks a request and reads it."""
    body = json.loads(text)
    for item in body.get("input") if isinstance(body.get("input"), list) else []:
        for part in item.get("content") if isinstance(item.get("content"), list) else []:
            if part.get("type") == "input_image":
                # Required by the SDK's type, but not by the vendor: other SDKs leave it out.
                part.setdefault("detail", "auto")
    kind = InputTokenCountParams if path.endswith("/input_tokens") else ResponseCreateParams
    check(kind, json.dumps(body).encode())
    view = View(stream=bool(body.get("stream")))
    if body.get("instructions"):
        view.system.append(body["instructions"])
    items = body["input"]
    names: dict[str, str] = {}
    open_calls: list[str] = []
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        read_item(item, view, names, open_calls)
    if open_calls:
        raise Refused(f"calls {open_calls} have no output")
    read_options(body, view)
    return view


def read_item(item: dict, view: View, names: dict[str, str], open_calls: list[str]) -> None:
    """One item of the conversation."""
    kind = item.get("type", "message")
    prefix = ITEM_IDS.get(kind, "")
    if item.get("id") and not item["id"].startswith(prefix):
        raise Refused(f"the id of a {kind} must begin with {prefix}: {item['id']}")
    if kind == "message":
        read_message(item, view)
    elif kind == "function_call":
        if len(item["call_id"]) > MOST_CALL_ID:
            raise Refused(f"a call_id has at most {MOST_CALL_ID} characters: {item['call_id']}")
        names[item["call_id"]] = item["name"]
        open_calls.append(item["call_id"])
        view.call(item["name"], json.loads(item["arguments"]), item["call_id"])
    elif kind == "custom_tool_call":
        names[item["call_id"]] = item["name"]
        open_calls.append(item["call_id"])
        view.call(item["name"], {"input": item["input"]}, item["call_id"])
    elif kind in ("function_call_output", "custom_tool_call_output"):
        if item["call_id"] not in open_calls:
            raise Refused(f"an output for {item['call_id']}, which was not called")
        open_calls.remove(item["call_id"])
        output = item["output"]
        text = output if isinstance(output, str) else "".join(part["text"] for part in output)
        view.result(names[item["call_id"]], text)
    elif kind == "reasoning":
        if not item.get("encrypted_content"):
            raise Refused("a reasoning item without encrypted_content, which nobody stored")
        view.proofs.append(item["encrypted_content"])
    else:
        raise Refused(f"an item of type {kind} has no place in a scenario")


def read_message(item: dict, view: View) -> None:
    """What somebody says and shows."""
    role, content = item["role"], item["content"]
    for part in [{"type": "input_text", "text": content}] if isinstance(content, str) else content:
        if part["type"] == "input_image":
            view.picture_url(part["image_url"])
        elif (part["type"] == "output_text") != (role == "assistant") and not isinstance(content, str):
            raise Refused(f"a part {part['type']} in a message of {role}")
        elif role in ("system", "developer"):
            view.system.append(part["text"])
        else:
            view.say(role, part["text"])


def read_options(body: dict, view: View) -> None:
    """Everything but the conversation."""
    for tool in body.get("tools") or []:
        if tool["type"] == "custom":
            view.patch_member = ""
            continue
        if tool["type"] != "function":
            raise Refused(f"a tool of type {tool['type']} has no place in a scenario")
        if tool.get("strict"):
            closed(tool["parameters"])
        view.tool(tool["name"], tool.get("description"), tool.get("parameters"))
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        view.choice = f"name:{choice['name']}"
    else:
        view.choice = {"required": "any", "none": "none"}.get(choice or "auto")
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        if form.get("strict"):
            closed(form["schema"])
        view.schema = essence(form["schema"])
    view.limit = body.get("max_output_tokens")
    view.temperature = body.get("temperature")
    reasoning = body.get("reasoning") or {}
    view.reasoning = reasoning.get("effort", "none") != "none" or bool(reasoning.get("summary"))
    # The vendor hands ciphers out only to those who ask for them.
    view.usage_asked = "reasoning.encrypted_content" in (body.get("include") or [])


def items_of(reply: Reply, view: View) -> list[dict[str, Any]]:
    """The items of an answer."""
    items: list[dict[str, Any]] = []
    if reply.thought:
        thought = {"id": f"rs_{reply.nonce}", "type": "reasoning",
                   "summary": [{"type": "summary_text", "text": reply.thought}]}  # fmt: skip
        if view.usage_asked:
            thought["encrypted_content"] = reply.proof
        items.append(thought)
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        items.append({"id": f"msg_{reply.nonce}", "type": "message", "status": "completed", "role": "assistant",
                      "content": [part]})  # fmt: skip
    for n, call in enumerate(reply.calls):
        if call.free:
            items.append({"id": f"ctc_{reply.nonce}{n}", "type": "custom_tool_call", "call_id": call.id,
                          "name": call.name, "input": call.free})  # fmt: skip
            continue
        items.append({"id": f"fc_{reply.nonce}{n}", "type": "function_call", "status": "completed",
                      "call_id": call.id, "name": call.name, "arguments": arguments(call)})  # fmt: skip
    return items


def response(reply: Reply, items: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    """The response object around items."""
    use = reply.usage
    usage = {
        "input_tokens": use["input"], "output_tokens": use["output"], "total_tokens": use["input"] + use["output"],
        "input_tokens_details": {"cached_tokens": use["cached"], "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": use["reasoning"]},
    }  # fmt: skip
    return {
        "id": f"resp_{reply.nonce}", "object": "response", "created_at": 1_790_000_000, "status": status,
        "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "model": "mock-1",
        "output": items, "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "usage": usage if status == "completed" else None,
    }  # fmt: skip


def whole(reply: Reply, view: View, path: str) -> dict[str, Any]:
    """A whole answer, or the count of tokens."""
    if path.endswith("/input_tokens"):
        return {"object": "response.input_tokens", "input_tokens": reply.usage["input"]}
    answer = response(reply, items_of(reply, view))
    check(Response, json.dumps(answer).encode())
    return answer


def stream(reply: Reply, view: View, path: str) -> Iterator[bytes]:
    """The same answer in events."""
    count = 0

    def event(kind: str, **members: Any) -> bytes:
        nonlocal count
        data = {"type": kind, "sequence_number": count, **members}
        count += 1
        check(ResponseStreamEvent, json.dumps(data).encode())
        return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()

    items = items_of(reply, view)
    yield event("response.created", response=response(reply, [], "in_progress"))
    yield event("response.in_progress", response=response(reply, [], "in_progress"))
    for index, item in enumerate(items):
        yield from item_events(event, index, item)
    yield event("response.completed", response=response(reply, items))


def item_events(event: Any, index: int, item: dict[str, Any]) -> Iterator[bytes]:
    """One item: announced, told piece by piece, repeated whole."""
    place = {"item_id": item["id"], "output_index": index}
    if item["type"] == "message":
        part = item["content"][0]
        yield event("response.output_item.added", output_index=index, item={**item, "status": "in_progress", "content": []})
        yield event("response.content_part.added", **place, content_index=0, part={**part, "text": ""})
        for at in range(0, len(part["text"]), 7):
            piece = part["text"][at : at + 7]
            yield event("response.output_text.delta", **place, content_index=0, delta=piece, logprobs=[])
        yield event("response.output_text.done", **place, content_index=0, text=part["text"], logprobs=[])
        yield event("response.content_part.done", **place, content_index=0, part=part)
    elif item["type"] == "function_call":
        yield event("response.output_item.added", output_index=index, item={**item, "status": "in_progress", "arguments": ""})
        text = item["arguments"]
        for at in range(0, len(text), 11):
            yield event("response.function_call_arguments.delta", **place, delta=text[at : at + 11])
        yield event("response.function_call_arguments.done", **place, arguments=text)
    elif item["type"] == "custom_tool_call":
        yield event("response.output_item.added", output_index=index, item={**item, "input": ""})
        text = item["input"]
        for at in range(0, len(text), 11):
            yield event("response.custom_tool_call_input.delta", **place, delta=text[at : at + 11])
        yield event("response.custom_tool_call_input.done", **place, input=text)
    else:
        part = item["summary"][0]
        yield event("response.output_item.added", output_index=index, item={**item, "summary": []})
        yield event("response.reasoning_summary_part.added", **place, summary_index=0, part={**part, "text": ""})
        yield event("response.reasoning_summary_text.delta", **place, summary_index=0, delta=part["text"])
        yield event("response.reasoning_summary_text.done", **place, summary_index=0, text=part["text"])
        yield event("response.reasoning_summary_part.done", **place, summary_index=0, part=part)
    yield event("response.output_item.done", output_index=index, item=item)


def error(status: int, message: str) -> dict[str, Any]:
    """An error document."""
    kind = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
    return {"error": {"message": message, "type": kind.get(status, "server_error"), "param": None, "code": None}}


def stream_error(message: str) -> bytes:
    """An error in the middle of a stream."""
    data = {"type": "error", "sequence_number": 5, "code": "server_error", "message": message, "param": None}
    return f"event: error\ndata: {json.dumps(data)}\n\n".encode()
