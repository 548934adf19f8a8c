"""Validators that nobody here wrote: the request types of the official SDKs, closed and strict.

The SDKs' types are meant for people who write requests; made closed (an unknown member is an error) and strict (no
number that is a string) they are the vendors' own description of the wire. Nothing is listed by hand: what a new
version of an SDK adds or takes away is in force with it.
"""

import functools
import inspect
import re
import warnings
from typing import Any

import pydantic
from pydantic import BaseModel, TypeAdapter
from pydantic_core import SchemaError, SchemaValidator, ValidationError

# Google's SDK takes words that it does not know, with a warning.
warnings.filterwarnings("error", message=".* is not a valid ")
# How many mistakes a refusal names.
MOST_MISTAKES = 6


class Refused(Exception):
    """A request that the vendor would answer with 400; the text says what is wrong with it."""


def closed_schema(schema: Any) -> Any:
    """A core schema whose objects are closed and whose lists are looked into.

    The SDKs declare lists as `Iterable`, which pydantic would check only once somebody iterates.
    """
    if isinstance(schema, dict):
        out = {key: closed_schema(value) for key, value in schema.items()}
        kind = out.get("type")
        if kind == "generator":
            out["type"] = "list"
            out.pop("min_length", None)
        elif "extras_schema" in out:
            # Open by its own words: the JSON Schema of a function, say.
            pass
        elif kind in ("typed-dict", "model-fields"):
            out["extra_behavior"] = "forbid"
        return out
    if isinstance(schema, (list, tuple)):
        return type(schema)(closed_schema(item) for item in schema)
    return schema


@functools.cache
def validator(kind: Any) -> SchemaValidator:
    """The closed and strict validator of a type."""
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        kind.model_rebuild(force=True)
    adapter = TypeAdapter(kind)
    # Some SDKs put building off until the first use.
    adapter.rebuild(force=True, raise_errors=True)
    return SchemaValidator(closed_schema(adapter.core_schema), {"strict": True})


def check(kind: Any, text: bytes) -> None:
    """Refuses what is not of `kind`, with the places that are wrong."""
    try:
        validator(kind).validate_json(text)
    except ValidationError as error:
        raise Refused(mistakes(error)) from None


def mistakes(error: ValidationError) -> str:
    """The deepest mistakes first: in a union the branch that came furthest is the one that was meant."""
    found = error.errors(include_url=False, include_context=False)
    # A branch whose own tag is another was not meant; nor was a text, where there is a list.
    other = [one["loc"][:-1] for one in found if one["type"] == "literal_error" and one["loc"][-1] in ("type", "role")]
    other += [one["loc"] for one in found if one["type"] in ("string_type", "none_required", "list_type")]
    meant = [one for one in found if not any(one["loc"][: len(branch)] == branch for branch in other)] or found
    meant.sort(key=lambda one: (one["type"] != "extra_forbidden", -len(one["loc"])))
    lines = [f"{place(one['loc'])}: {one['msg']} ({short(one['input'])})" for one in meant]
    return "; ".join(list(dict.fromkeys(lines))[:MOST_MISTAKES])


def place(parts: tuple) -> str:
    """A place without the names of types."""
    return ".".join(str(part) for part in parts if isinstance(part, int) or not re.match(r"[A-Z]|.*\[", part))


def short(value: object) -> str:
    """A value as far as it fits in a line."""
    text = repr(value)
    return text if len(text) < 120 else text[:117] + "..."


def check_model(kind: type[BaseModel], value: Any) -> BaseModel:
    """Parses a value of a pydantic type that is closed already."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise Refused(mistakes(error)) from None
    except Warning as warning:
        raise Refused(str(warning)) from None


def wire_members(module: Any, function: str) -> dict[str, set[str]]:
    """The members that an SDK's own converter writes, by the object that it writes them to."""
    found: dict[str, set[str]] = {}
    source = inspect.getsource(getattr(module, function))
    for target, path in re.findall(r"setv\(\s*(\w+),\s*\[([^\]]*)\]", source):
        first = re.match(r"\s*'([^']*)'", path)
        if first:
            found.setdefault(target, set()).add(first.group(1))
    return found


__all__ = ["Refused", "SchemaError", "check", "check_model", "pydantic", "short", "validator", "wire_members"]
