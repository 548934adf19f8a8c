"""The official Ollama SDK."""

import json
from typing import Any

import ollama

from frame import TIMEOUT_SECONDS, Answer, Ask, Client


class Ollama(Client):
    """`client.chat`."""

    name = "ollama-python"
    dialect = "ollama"
    loses_proofs = "Ollama's messages have no place for the proof of a thought"
    lacks = {"choice"}
    deep_tools = False
    keeps_ids = False

    def open(self) -> None:
        headers = {"authorization": f"Bearer {self.key}"}
        self.sdk = ollama.Client(host=self.root, headers=headers, timeout=TIMEOUT_SECONDS)

    def fields(self, ask: Ask) -> dict[str, Any]:
        """The request's arguments."""
        options: dict[str, Any] = {"num_predict": ask.limit}
        if ask.temperature is not None:
            options["temperature"] = ask.temperature
        if ask.stop:
            options["stop"] = ask.stop
        fields: dict[str, Any] = {"model": self.model, "messages": messages(ask), "options": options}
        if ask.tools:
            fields["tools"] = [
                {"type": "function", "function": {"name": tool["name"], "description": tool["description"],
                                                  "parameters": tool["schema"]}}
                for tool in ask.tools
            ]  # fmt: skip
        if ask.schema:
            fields["format"] = ask.schema
        if ask.reasoning:
            fields["think"] = "medium"
        return fields

    def ask(self, ask: Ask) -> Answer:
        if not ask.stream:
            return read([self.sdk.chat(**self.fields(ask))])
        return read(list(self.sdk.chat(**self.fields(ask), stream=True)))

    def leave(self, ask: Ask) -> str:
        stream = self.sdk.chat(**self.fields(ask), stream=True)
        text = next(line.message.content for line in stream if line.message.content)
        stream.close()
        return text

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        if isinstance(error, ollama.ResponseError):
            # This SDK hands no headers out.
            code = error.status_code if error.status_code != -1 else None
            return code, error.error, "7" if code == 429 else None
        raise error


def messages(ask: Ask) -> list[dict[str, Any]]:
    """The conversation in this dialect."""
    out: list[dict[str, Any]] = []
    for role, content in ask.turns:
        if role == "user":
            message: dict[str, Any] = {"role": "user", "content": "".join(part for part in content if isinstance(part, str))}
            images = [part for part in content if isinstance(part, bytes)]
            if images:
                message["images"] = images
            out.append(message)
        elif role == "answer":
            out.append(content.native)
        elif role == "results":
            out += [{"role": "tool", "tool_name": call[1], "content": json.dumps(value)} for call, value in content]
        else:
            out.append({"role": role, "content": content})
    return out


def read(lines: list[ollama.ChatResponse]) -> Answer:
    """An answer of the SDK, in one or in many lines."""
    text = "".join(line.message.content or "" for line in lines)
    thought = "".join(line.message.thinking or "" for line in lines)
    calls = [call for line in lines for call in line.message.tool_calls or []]
    native: dict[str, Any] = {"role": "assistant", "content": text}
    if thought:
        native["thinking"] = thought
    if calls:
        native["tool_calls"] = [call.model_dump() for call in calls]
    last = lines[-1]
    return Answer(
        text=text,
        # There are no ids: place and name are all there is.
        calls=[(f"#{at}", call.function.name, dict(call.function.arguments)) for at, call in enumerate(calls)],
        thought=thought,
        usage=(last.prompt_eval_count, last.eval_count, None) if last.done and last.eval_count else None,
        finish=last.done_reason or "",
        pieces=len(lines),
        native=native,
    )


CLIENTS = [Ollama]
