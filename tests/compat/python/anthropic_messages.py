"""The official Anthropic SDK."""

import base64
import json
from typing import Any

import anthropic

from frame import TIMEOUT_SECONDS, Answer, Ask, Client


class Anthropic(Client):
    """`client.messages`."""

    name = "anthropic-python"
    dialect = "anthropic"

    def open(self) -> None:
        self.sdk = anthropic.Anthropic(
            base_url=self.root, api_key=self.key, timeout=TIMEOUT_SECONDS, max_retries=0
        )

    def fields(self, ask: Ask) -> dict[str, Any]:
        """The request's arguments."""
        fields: dict[str, Any] = {"model": self.model, "messages": messages(ask), "max_tokens": ask.limit}
        system = [content for role, content in ask.turns if role == "system"]
        if system:
            fields["system"] = system[0]
        if ask.tools:
            fields["tools"] = [
                {"name": tool["name"], "description": tool["description"], "input_schema": tool["schema"]}
                for tool in ask.tools
            ]
        if ask.choice:
            fields["tool_choice"] = {"type": "any"}
        if ask.schema:
            fields["output_config"] = {"format": {"type": "json_schema", "schema": ask.schema}}
        if ask.reasoning:
            fields["thinking"] = {"type": "enabled", "budget_tokens": 2048}
        if ask.temperature is not None:
            # No longer a parameter: the newest models refuse it.
            fields["extra_body"] = {"temperature": ask.temperature}
        if ask.stop:
            fields["stop_sequences"] = ask.stop
        return fields

    def ask(self, ask: Ask) -> Answer:
        if not ask.stream:
            return read(self.sdk.messages.create(**self.fields(ask)), 1)
        with self.sdk.messages.stream(**self.fields(ask)) as stream:
            pieces = sum(1 for event in stream if event.type == "content_block_delta")
            return read(stream.get_final_message(), pieces)

    def leave(self, ask: Ask) -> str:
        with self.sdk.messages.stream(**self.fields(ask)) as stream:
            return next(iter(stream.text_stream))

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        return anthropic_problem(error)


def anthropic_problem(error: Exception) -> tuple[int | None, str, str | None]:
    """Status, words and patience of this SDK's exceptions."""
    if isinstance(error, anthropic.APIStatusError):
        return error.status_code, str(error), error.response.headers.get("retry-after")
    if isinstance(error, anthropic.APIError):
        return None, str(error), None
    raise error


def messages(ask: Ask) -> list[dict[str, Any]]:
    """The conversation in this dialect."""
    out: list[dict[str, Any]] = []
    for role, content in ask.turns:
        if role == "user":
            out.append({"role": "user", "content": [block(part) for part in content]})
        elif role == "assistant":
            out.append({"role": "assistant", "content": content})
        elif role == "answer":
            out.append({"role": "assistant", "content": content.native})
        elif role == "results":
            results = [
                {"type": "tool_result", "tool_use_id": call[0], "content": json.dumps(value)} for call, value in content
            ]
            out.append({"role": "user", "content": results})
    return out


def block(part: str | bytes) -> dict[str, Any]:
    """A text or a picture."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(part).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def read(message: Any, pieces: int) -> Answer:
    """An answer of the SDK."""
    use = message.usage
    cached = use.cache_read_input_tokens or 0
    return Answer(
        text="".join(part.text for part in message.content if part.type == "text"),
        calls=[(part.id, part.name, part.input) for part in message.content if part.type == "tool_use"],
        thought="".join(part.thinking for part in message.content if part.type == "thinking"),
        usage=(use.input_tokens + cached + (use.cache_creation_input_tokens or 0), use.output_tokens, cached),
        finish={"end_turn": "stop", "tool_use": "tools"}.get(message.stop_reason, message.stop_reason),
        pieces=pieces,
        native=[part.model_dump(exclude_none=True, exclude={"parsed_output", "caller"}) for part in message.content],
    )


CLIENTS = [Anthropic]
