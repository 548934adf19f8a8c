"""What a mock understood of a request (`View`), and what it answers (`Reply`), whatever the dialect."""

import base64
import binascii
import hashlib
import re
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from shared import MARKER, PATCH, PATCH_TOOL, digests, essence, flat, proof, result_value, sample, thought, usage  # noqa: E402

from .strict import Refused  # noqa: E402

# The end of a scenario's name where ids of calls are not those that were issued.
ANY_IDS = "-any-ids"
# How many conversations are remembered.
MOST_ISSUED = 10_000


@dataclass
class View:
    """A request as the mock read it."""

    stream: bool = False
    system: list[str] = field(default_factory=list)
    turns: list[list[str]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    patch_member: str | None = None
    choice: str | None = None
    calls: list[list[Any]] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)
    results: list[list[Any]] = field(default_factory=list)
    schema: Any = None
    limit: int | None = None
    temperature: float | None = None
    stop: list[str] | None = None
    reasoning: bool = False
    proofs: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    usage_asked: bool = True

    def say(self, role: str, text: str) -> None:
        """Adds text; pieces of one turn are joined."""
        if not text:
            return
        if self.turns and self.turns[-1][0] == role:
            self.turns[-1][1] += text
        else:
            self.turns.append([role, text])

    def picture(self, data: str, altchars: bytes | None = None) -> None:
        """Adds an image in base64; `altchars` in place of `+/`."""
        try:
            content = base64.b64decode(data, altchars, validate=True)
        except binascii.Error as error:
            raise Refused(f"an image is not base64: {error}") from None
        self.images.append(hashlib.sha256(content).hexdigest()[:12])

    def picture_url(self, url: str) -> None:
        """Adds an image in a data URL."""
        found = re.fullmatch(r"data:image/[a-z]+;base64,(.*)", url, re.DOTALL)
        if not found:
            raise Refused(f"an image is no data URL: {url[:60]}")
        self.picture(found.group(1))

    def tool(self, name: str, description: str | None, schema: Any) -> None:
        """Adds a function that may be called."""
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            raise Refused(f"a function's name is not allowed: {name!r}")
        if name == PATCH_TOOL:
            # Where there are no freeform tools, it is a function with one text.
            (self.patch_member,) = essence(schema)["properties"]
            return
        self.tools.append({"name": name, "description": description, "schema": essence(schema)})

    def call(self, name: str, arguments: Any, id: str | None = None) -> None:
        """Adds a call that the model made earlier."""
        if name == PATCH_TOOL and len(arguments) == 1:
            arguments = {"input": next(iter(arguments.values()))}
        self.calls.append([name, arguments])
        if id is not None:
            self.call_ids.append(id)

    def result(self, name: str | None, content: Any) -> None:
        """Adds a tool's answer."""
        self.results.append([name, result_value(content)])

    def told(self) -> dict[str, str]:
        """The digests that the answer repeats."""
        members = dict(vars(self))
        for absent in ("stream", "call_ids", "thoughts", "usage_asked", "patch_member"):
            members.pop(absent)
        members["system"] = flat("".join(self.system))
        if self.scenario()[0] == "images":
            members["turns"] = [[role, flat(text)] for role, text in self.turns]
        members["reasoning"] = self.reasoning or None
        return digests(members)

    def scenario(self) -> tuple[str, str]:
        """The scenario and nonce of the first marker in what the user said."""
        for role, text in self.turns:
            found = MARKER.search(text) if role == "user" else None
            if found:
                return found.group(1), found.group(2)
        raise Refused(f"no prompt with a scenario arrived: {self.turns!r}")


@dataclass
class Call:
    """A call that the mock makes."""

    id: str
    name: str
    arguments: dict[str, Any]
    # A freeform tool's text.
    free: str | None = None


@dataclass
class Reply:
    """An answer."""

    nonce: str
    text: str = ""
    thought: str = ""
    proof: str = ""
    calls: list[Call] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)

    def pieces(self) -> list[str]:
        """The text in pieces that split words, escapes and characters where they are awkward."""
        return [self.text[at : at + 7] for at in range(0, len(self.text), 7)]


class Issued:
    """The call ids that each conversation was given: others must not come back."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ids: dict[str, set[str]] = {}

    def add(self, nonce: str, calls: list[Call]) -> None:
        """Remembers the ids of these calls."""
        with self.lock:
            if len(self.ids) < MOST_ISSUED:
                self.ids.setdefault(nonce, set()).update(call.id for call in calls)

    def check(self, view: View) -> None:
        """Refuses ids that this mock never gave to this conversation."""
        scenario, nonce = view.scenario()
        if scenario.endswith(ANY_IDS):
            return
        with self.lock:
            known = self.ids.get(nonce, set())
        strange = [id for id in view.call_ids if id not in known]
        if known and strange:
            raise Refused(f"call ids {strange} were never issued; issued were {sorted(known)}")


def reply_to(view: View, new_id: Any) -> Reply:
    """What a scenario answers. `new_id` makes the n-th call's id in the vendor's form."""
    import json

    scenario, nonce = view.scenario()
    reply = Reply(nonce, usage=usage(nonce))
    # A client whose dialect has no ids for calls gets them made up.
    scenario = scenario.removesuffix(ANY_IDS)
    told = json.dumps(view.told())
    if scenario == "structured":
        if view.schema is None:
            raise Refused("no schema for the answer arrived")
        reply.text = json.dumps(sample(view.schema, nonce))
    elif scenario in ("tools", "parallel", "reasoning", "agent") and not view.results:
        if not view.tools:
            raise Refused("no tools arrived")
        last = len(view.tools) - 1
        wanted = {"parallel": [0, last, 0], "agent": range(len(view.tools))}.get(scenario, [0])
        for n, at in enumerate(wanted):
            tool = view.tools[at]
            reply.calls.append(Call(new_id(nonce, n), tool["name"], sample(tool["schema"], f"{nonce}{n}")))
        if view.patch_member is not None:
            arguments = {view.patch_member: PATCH} if view.patch_member else {}
            free = None if view.patch_member else PATCH
            reply.calls.append(Call(new_id(nonce, len(reply.calls)), PATCH_TOOL, arguments, free))
    else:
        reply.text = told
    if scenario in ("reasoning", "agent"):
        if not view.reasoning and not view.results:
            raise Refused("reasoning was not asked for")
        if reply.calls:
            reply.thought, reply.proof = thought(nonce), proof(nonce)
    else:
        reply.usage["reasoning"] = 0
    return reply
