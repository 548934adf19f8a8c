"""Requests with one field set, made from the SDKs' own types: no field is listed here.

`cases` walks a pydantic core schema and yields, for each place in it, values that are minimal everywhere else. Strings and
numbers are random, so that they can be found again; of words to choose from each is tried.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# How deep objects are looked into; types may hold themselves.
MOST_DEPTH = 7
MOST_WORDS = 4
ABSENT = object()


@dataclass(frozen=True)
class Leaf:
    """A place in a value, and what makes it known again."""

    # Names of members and numbers of items, from the root.
    path: tuple
    # Text to be found in the upstream's request; None where only the difference tells.
    token: str | None
    # Whether it is a number, which another vendor may measure otherwise.
    number: bool = False
    # Other values that may stand there.
    others: tuple = ()


def token() -> str:
    """Twelve letters and digits, which are also base64 of nine bytes."""
    return "zq" + secrets.token_hex(5)


def digits() -> int:
    """A number that stands nowhere else."""
    return 11_000 + secrets.randbelow(8_000) * 2 + 1


class Shapes:
    """The values of one core schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.definitions = {one["ref"]: one for one in schema.get("definitions", [])}
        self.root = schema["schema"] if schema["type"] == "definitions" else schema

    def inner(self, schema: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """The schema below wrappers that do not change the JSON, and its name if it has one."""
        name = schema.get("ref")
        while True:
            kind = schema["type"]
            if kind == "definition-ref":
                name = schema["schema_ref"]
                schema = self.definitions[name]
            elif kind in ("nullable", "default", "function-before", "function-after", "function-wrap", "model", "json"):
                name = schema.get("ref", name)
                schema = schema["schema"]
            elif kind == "definitions":
                schema = schema["schema"]
            elif kind == "json-or-python":
                schema = schema["json_schema"]
            elif kind == "lax-or-strict":
                schema = schema["strict_schema"]
            else:
                return schema, schema.get("ref", name)

    @staticmethod
    def fields(schema: dict[str, Any]) -> dict[str, tuple[dict[str, Any], bool]]:
        """The members of an object by their names on the wire, and whether they are required."""
        out = {}
        for name, field in schema["fields"].items():
            alias = field.get("serialization_alias") or field.get("validation_alias")
            required = field.get("required", field["schema"]["type"] != "default" and schema["type"] == "model-fields")
            out[alias if isinstance(alias, str) else name] = (field["schema"], required)
        return out

    @staticmethod
    def choices(schema: dict[str, Any]) -> list[dict[str, Any]]:
        """The branches of a union."""
        found = schema["choices"]
        found = list(found.values()) if isinstance(found, dict) else found
        return [one[0] if isinstance(one, tuple) else one for one in found]

    def minimal(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """The least value."""
        schema, _ = self.inner(schema)
        kind = schema["type"]
        if kind in ("typed-dict", "model-fields"):
            members = self.fields(schema).items()
            return {name: self.minimal(sub, depth + 1) for name, (sub, required) in members if required}
        if kind in ("list", "generator", "tuple", "set"):
            return [self.minimal(schema["items_schema"], depth + 1)] if depth < MOST_DEPTH and "items_schema" in schema else []
        if kind == "dict":
            return {}
        if kind in ("union", "tagged-union"):
            branches = [one for one in self.choices(schema) if one["type"] != "none"]
            return self.minimal(branches[0], depth)
        if kind == "literal":
            return schema["expected"][0]
        if kind == "enum":
            return known_members(schema)[0]
        return scalar(kind)[0]

    def cases(self, schema: dict[str, Any], path: tuple = (), names: tuple = ()) -> Iterator[tuple[Leaf, Any]]:
        """All places, each with a value of the whole schema."""
        schema, name = self.inner(schema)
        if name in names or len(path) > 2 * MOST_DEPTH or len(names) > MOST_DEPTH:
            return
        names = (*names, name) if name else names
        kind = schema["type"]
        if kind in ("typed-dict", "model-fields"):
            yield from self.object_cases(schema, path, names)
        elif kind in ("list", "generator", "tuple", "set"):
            for leaf, value in self.cases(schema.get("items_schema", {"type": "any"}), (*path, 0), names):
                yield leaf, [value]
        elif kind == "dict":
            key = token()
            for leaf, value in self.cases(schema.get("values_schema", {"type": "any"}), (*path, key), names):
                yield leaf, {key: value}
        elif kind in ("union", "tagged-union"):
            for choice in self.choices(schema):
                if choice["type"] != "none":
                    yield from self.cases(choice, path, names)
        elif kind == "literal":
            words = schema["expected"][:MOST_WORDS]
            for word in words:
                yield Leaf(path, None, False, tuple(one for one in words if one != word)), word
        elif kind == "enum":
            words = known_members(schema)[:MOST_WORDS]
            for word in words:
                yield Leaf(path, None, False, tuple(one for one in words if one != word)), word
        else:
            value, mark = scalar(kind)
            number = kind in ("int", "float", "decimal")
            yield Leaf(path, mark, number, (type(value)(1024),) if number else ()), value
            if kind == "bool":
                yield Leaf(path, None), False

    def object_cases(self, schema: dict[str, Any], path: tuple, names: tuple) -> Iterator[tuple[Leaf, Any]]:
        """The places in an object. What merely says of which kind it is, is no place; an object of nothing else is one."""
        base = self.minimal(schema)
        found = False
        for name, (sub, required) in self.fields(schema).items():
            inner, _ = self.inner(sub)
            if required and inner["type"] == "literal" and len(inner["expected"]) == 1:
                continue
            for leaf, value in self.cases(sub, (*path, name), names):
                found = True
                yield leaf, {**base, name: value}
        if not found and path:
            yield Leaf(path, None), base


def known_members(schema: dict[str, Any]) -> list[str]:
    """The words of an enumeration, without the one that means nothing."""
    words = [getattr(member, "value", member) for member in schema["members"]]
    return [word for word in words if not str(word).endswith("UNSPECIFIED")] or words


def scalar(kind: str) -> tuple[Any, str | None]:
    """A value of a simple type, and the text that is looked for."""
    if kind == "int":
        number = digits()
        return number, str(number)
    if kind in ("float", "decimal"):
        number = digits() / 100_000
        return number, str(number)
    if kind == "bool":
        return True, None
    if kind == "none":
        return None, None
    if kind in ("datetime", "date"):
        return "2026-11-27T10:00:00Z" if kind == "datetime" else "2026-11-27", "2026-11-27"
    word = token()
    return word, word


def place(path: tuple) -> str:
    """A path as Pointsman names it."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out


def replaced(value: Any, path: tuple, other: Any) -> Any:
    """The value with something else at the path."""
    if not path:
        return other
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], other)
    return copy


def without(value: Any, path: tuple) -> Any:
    """The value without what stands at the path; ABSENT where nothing is left."""
    head, *rest = path
    inner = value[head]
    smaller = without(inner, tuple(rest)) if rest else ABSENT
    if isinstance(value, list):
        return ABSENT if smaller is ABSENT else [smaller]
    left = dict(value)
    if smaller is ABSENT:
        del left[head]
    else:
        left[head] = smaller
    return left
