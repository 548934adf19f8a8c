"""What clients and mocks agree on: how a prompt names its scenario, and what follows from the run's random values.

`node/shared.mjs` is the same for Node. Both sides derive values from the nonce of a case and from what they themselves
sent or received; a value that was lost or changed on the way between them gives another digest.
"""

import hashlib
import json
import re
from typing import Any

# A prompt says what the mock shall do: `[[tools 1f2e3d4c]]`.
MARKER = re.compile(r"\[\[([a-z0-9-]+) ([0-9a-f]{8,})\]\]")
# What JSON, SSE, NDJSON and shells stumble over.
NASTY = 'é "q" \\ \n\t{}[]</s> 🦀 \u2028'
# What an agent's freeform tool is given.
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-old\n+new é \"q\"\n*** End Patch"
PATCH_TOOL = "apply_patch"
# The keys under which a tool's plain answer is wrapped by dialects that only know objects.
WRAPPERS = ("result", "output", "content", "text", "error", "response")


def marker(scenario: str, nonce: str) -> str:
    """The words that select a scenario."""
    return f"[[{scenario} {nonce}]]"


def flat(text: str) -> str:
    """The text without line ends: with them pieces are joined where a dialect has room for one text only."""
    return text.replace("\n", "")


def digest(value: Any) -> str:
    """Twelve hexadecimal digits that stand for a JSON value."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def plain(value: Any) -> Any:
    """The value with whole floats as integers: 1.0 and 1 are one number in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def digests(view: dict[str, Any]) -> dict[str, str]:
    """A digest of each member that holds something."""
    return {key: digest(value) for key, value in sorted(view.items()) if value not in (None, [], {}, "")}


def number(seed: str) -> int:
    """A number that follows from the seed."""
    return int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16)


def called(city: str) -> str:
    """A call in the words of the test engine's template (tests/engine)."""
    return f'<tool_call>\n{{"name": "get_weather", "arguments": {{"city": "{city}"}}}}\n</tool_call>'


def resolved(schema: Any, root: Any = None) -> Any:
    """The schema with references to its own definitions put in place."""
    root = schema if root is None else root
    if isinstance(schema, dict):
        if "$ref" in schema:
            target = root
            for part in schema["$ref"].lstrip("#/").split("/"):
                target = target[part]
            return resolved(target, root)
        return {key: resolved(value, root) for key, value in schema.items() if key not in ("$defs", "definitions")}
    if isinstance(schema, list):
        return [resolved(item, root) for item in schema]
    return schema


def essence(schema: Any) -> Any:
    """What a schema says in every vendor's subset: types, members, words to choose from, descriptions of members."""
    return essence_of(resolved(schema or {}), top=True)


def essence_of(schema: dict, top: bool = False) -> dict:
    """The essence of a schema without references."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next(one for one in kind if str(one).lower() != "null")
    out: dict[str, Any] = {"type": str(kind).lower()} if kind else {}
    if "description" in schema and not top:
        out["description"] = schema["description"]
    if schema.get("enum"):
        out["enum"] = schema["enum"]
    if schema.get("properties"):
        out["properties"] = {name: essence_of(sub) for name, sub in schema["properties"].items()}
        out["required"] = sorted(schema.get("required") or [])
    if schema.get("items"):
        out["items"] = essence_of(schema["items"])
    return out


def sample(schema: Any, seed: str) -> Any:
    """A value of the schema that follows from the schema and the seed."""
    return sample_of(essence(schema), seed)


def sample_of(schema: dict, seed: str) -> Any:
    """A value of an essence."""
    kind, value = schema.get("type"), number(seed)
    if schema.get("enum"):
        return schema["enum"][value % len(schema["enum"])]
    if kind == "object":
        return {name: sample_of(sub, f"{seed}.{name}") for name, sub in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample_of(schema.get("items", {"type": "string"}), f"{seed}.{at}") for at in range(2)]
    if kind == "integer":
        return value % 9973
    if kind == "number":
        return value % 997 + 0.5
    if kind == "boolean":
        return value % 2 == 1
    return f"{value:08x} {NASTY}"


def thought(nonce: str) -> str:
    """What a mock thinks."""
    return f"pondering {number('thought' + nonce):08x}"


def proof(nonce: str) -> str:
    """The signature or cipher of a mock's thought: base64, as the vendors' are."""
    import base64

    return base64.b64encode(hashlib.sha256(f"proof{nonce}".encode()).digest()).decode()


def usage(nonce: str) -> dict[str, int]:
    """The tokens that a mock says it used. Input includes what came from a cache, output what was thought."""
    spread = number("usage" + nonce) % 50
    return {"input": 120 + spread, "cached": 16 + spread % 7, "output": 40 + spread, "reasoning": 8 + spread % 5}


def result_value(content: Any) -> Any:
    """What a tool answered, whether a dialect carries it as text, as JSON text or as an object."""
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except ValueError:
            return content
    if isinstance(content, dict) and set(content) == {"name", "content"}:
        # As Vercel's SDK wraps it for Gemini.
        return result_value(content["content"])
    if isinstance(content, dict) and len(content) == 1 and next(iter(content)) in WRAPPERS:
        return result_value(next(iter(content.values())))
    return content
