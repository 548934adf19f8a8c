"""Google's generateContent, checked with the types and the own converters of the official SDK."""

import json
import re
from collections.abc import Iterator
from typing import Any

from google.genai import models, types
from pydantic import BaseModel

from shared import essence

from .neutral import Reply, View
from .strict import Refused, check_model, wire_members

PATHS = tuple(
    f"/{version}/models/mock-1:{method}"
    for version in ("v1", "v1beta")
    for method in ("generateContent", "streamGenerateContent", "countTokens")
)
KEY_HEADER = "x-goog-api-key"
CONFIG = wire_members(models, "_GenerateContentConfig_to_mldev")
# The types of what stands at the top; which members there are is read off the SDK's converter.
TOP_TYPES: dict[str, Any] = {
    "contents": [types.Content], "systemInstruction": types.Content, "tools": [types.Tool],
    "toolConfig": types.ToolConfig, "safetySettings": [types.SafetySetting],
    "generationConfig": types.GenerationConfig,
}  # fmt: skip
TOP = {"contents", "generationConfig"} | CONFIG["parent_object"]


def call_id(nonce: str, n: int) -> str:
    """The vendor's calls have no id of their own."""
    return ""


# What is the client's own, and not to be read as members of messages.
FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "properties", "defs"}


def camel(name: str) -> str:
    """`mime_type` as `mimeType`: the vendor reads both, and its SDKs write both."""
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)


def spelt(value: Any) -> Any:
    """The same with one spelling of the vendor's members."""
    if isinstance(value, list):
        return [spelt(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {camel(name): item if camel(name) in FREE else spelt(item) for name, item in value.items()}


def read(text: bytes, path: str, headers: Any) -> View:
    """Checks a request and reads it."""
    body = spelt(json.loads(text))
    if path.endswith(":countTokens"):
        body = body.get("generateContentRequest", body)
        body.pop("model", None)
    strange = set(body) - TOP
    if strange or "contents" not in body:
        raise Refused(f"unknown members {sorted(strange)}" if strange else "contents is missing")
    for name, value in body.items():
        kind = TOP_TYPES.get(name)
        for item in value if isinstance(kind, list) else [value]:
            if kind:
                parsed = check_model(kind[0] if isinstance(kind, list) else kind, item)
                check_members(parsed)
    config = body.get("generationConfig") or {}
    for name in config:
        if name not in CONFIG["to_object"]:
            raise Refused(f"generationConfig.{name} is not known here")
    view = View(stream=":streamGenerateContent" in path)
    for part in (body.get("systemInstruction") or {}).get("parts", []):
        view.system.append(part["text"])
    read_contents(body["contents"], view)
    read_options(body, config, view)
    return view


def check_members(value: Any) -> None:
    """Refuses members that the SDK keeps for Vertex: its converter for this API does not write them."""
    if isinstance(value, BaseModel):
        converter = f"_{type(value).__name__}_to_mldev"
        if hasattr(models, converter):
            known = wire_members(models, converter).get("to_object", set())
            for name in value.model_fields_set:
                alias = type(value).model_fields[name].alias or name
                if known and alias not in known:
                    raise Refused(f"{type(value).__name__}.{alias} is not known here")
        for name in value.model_fields_set:
            check_members(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            check_members(item)


def read_contents(contents: list[dict], view: View) -> None:
    """The turns, and the vendor's rules for calls and their results."""
    open_calls: list[str] = []
    for content in contents:
        role = content.get("role", "user")
        if role not in ("user", "model"):
            raise Refused(f"please use a valid role: user, model; not {role}")
        if not content.get("parts"):
            raise Refused("a content without parts")
        answered = [part["functionResponse"]["name"] for part in content["parts"] if "functionResponse" in part]
        if open_calls and sorted(answered) != sorted(open_calls):
            raise Refused(f"the turn after calls of {open_calls} must answer each of them once, not {answered}")
        if answered and not open_calls:
            raise Refused(f"answers of {answered}, which were not called")
        open_calls = []
        for part in content["parts"]:
            read_part("assistant" if role == "model" else "user", part, view)
            if "functionCall" in part:
                open_calls.append(part["functionCall"]["name"])
    if open_calls:
        raise Refused(f"calls of {open_calls} have no answer")


def read_part(role: str, part: dict, view: View) -> None:
    """One part of a turn."""
    if part.get("thoughtSignature"):
        # The SDK hands bytes over, and writes them in the other alphabet.
        view.proofs.append(part["thoughtSignature"].replace("-", "+").replace("_", "/"))
    if part.get("thought"):
        return
    if "text" in part:
        view.say(role, part["text"])
    elif "inlineData" in part:
        if not part["inlineData"].get("mimeType", "").startswith("image/"):
            raise Refused(f"an image of type {part['inlineData'].get('mimeType')}")
        data = part["inlineData"]["data"]
        view.picture(data, b"-_" if "-" in data or "_" in data else None)
    elif "functionCall" in part:
        view.call(part["functionCall"]["name"], part["functionCall"].get("args") or {})
    elif "functionResponse" in part:
        view.result(part["functionResponse"]["name"], part["functionResponse"]["response"])
    else:
        raise Refused(f"a part with {sorted(part)} has no place in a scenario")


def read_options(body: dict, config: dict, view: View) -> None:
    """Everything but the conversation."""
    for tool in body.get("tools") or []:
        for function in tool.get("functionDeclarations") or []:
            schema = function.get("parametersJsonSchema") or function.get("parameters")
            view.tool(function["name"], function.get("description"), schema)
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    view.choice = {"ANY": "any", "NONE": "none"}.get(calling.get("mode", "AUTO").upper())
    if view.choice == "any" and len(calling.get("allowedFunctionNames") or []) == 1:
        view.choice = f"name:{calling['allowedFunctionNames'][0]}"
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if schema is not None:
        if config.get("responseMimeType") != "application/json":
            raise Refused("a response schema needs responseMimeType application/json")
        view.schema = essence(schema)
    view.limit = config.get("maxOutputTokens")
    view.temperature = config.get("temperature")
    view.stop = config.get("stopSequences")
    thinking = config.get("thinkingConfig") or {}
    if thinking.get("thinkingLevel") and thinking.get("thinkingBudget") is not None:
        raise Refused("thinkingLevel and thinkingBudget exclude each other")
    view.reasoning = bool(thinking.get("thinkingLevel")) or thinking.get("thinkingBudget", 0) != 0
    view.reasoning = view.reasoning or bool(thinking.get("includeThoughts"))
    # Here: whether thoughts are shown.
    view.usage_asked = bool(thinking.get("includeThoughts"))


def parts_of(reply: Reply, view: View) -> list[dict[str, Any]]:
    """The parts of an answer. The proof stands at what follows the thought."""
    parts: list[dict[str, Any]] = []
    if reply.thought and view.usage_asked:
        parts.append({"text": reply.thought, "thought": True})
    if reply.text:
        parts.append({"text": reply.text})
    parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in reply.calls]
    if reply.proof:
        next(part for part in parts if not part.get("thought"))["thoughtSignature"] = reply.proof
    return parts


def answer(reply: Reply, parts: list[dict[str, Any]], last: bool) -> dict[str, Any]:
    """The answer object around parts."""
    use = reply.usage
    usage = {
        "promptTokenCount": use["input"], "candidatesTokenCount": use["output"] - use["reasoning"],
        "cachedContentTokenCount": use["cached"], "totalTokenCount": use["input"] + use["output"],
    }  # fmt: skip
    if use["reasoning"]:
        usage["thoughtsTokenCount"] = use["reasoning"]
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    made = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "mock-1", "responseId": f"r{reply.nonce}"}
    check_model(types.GenerateContentResponse, made)
    return made


def whole(reply: Reply, view: View, path: str) -> dict[str, Any]:
    """A whole answer, or the count of tokens."""
    if path.endswith(":countTokens"):
        return {"totalTokens": reply.usage["input"]}
    return answer(reply, parts_of(reply, view), True)


def stream(reply: Reply, view: View, path: str) -> Iterator[bytes]:
    """The same answer in events; calls come whole."""
    pieces: list[dict[str, Any]] = []
    for part in parts_of(reply, view):
        text = part.get("text")
        if text is None:
            pieces.append(part)
            continue
        cut = [{**part, "text": text[at : at + 9]} for at in range(0, len(text), 9)]
        for piece in cut[:-1]:
            piece.pop("thoughtSignature", None)
        pieces += cut
    for at, piece in enumerate(pieces):
        yield f"data: {json.dumps(answer(reply, [piece], at == len(pieces) - 1), ensure_ascii=False)}\r\n\r\n".encode()


def error(status: int, message: str) -> dict[str, Any]:
    """An error document."""
    words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED"}
    return {"error": {"code": status, "message": message, "status": words.get(status, "INTERNAL")}}


def stream_error(message: str) -> bytes:
    """An error in the middle of a stream."""
    return f"data: {json.dumps(error(500, message))}\r\n\r\n".encode()

