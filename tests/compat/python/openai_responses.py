"""The official OpenAI SDK, responses: nothing stored, reasoning encrypted."""

import json
from typing import Any

import openai

from frame import TIMEOUT_SECONDS, Answer, Ask, Client
from openai_chat import data_url, openai_problem


class OpenAIResponses(Client):
    """`client.responses`."""

    name = "openai-python (responses)"
    dialect = "responses"
    lacks = {"stop"}

    def open(self) -> None:
        self.sdk = openai.OpenAI(
            base_url=f"{self.root}/v1", api_key=self.key, timeout=TIMEOUT_SECONDS, max_retries=0
        )

    def fields(self, ask: Ask) -> dict[str, Any]:
        """The request's arguments."""
        fields: dict[str, Any] = {
            "model": self.model, "input": items(ask), "max_output_tokens": ask.limit, "store": False,
        }  # fmt: skip
        instructions = [content for role, content in ask.turns if role == "system"]
        if instructions:
            fields["instructions"] = instructions[0]
        if ask.tools:
            fields["tools"] = [
                {"type": "function", "name": tool["name"], "description": tool["description"],
                 "parameters": tool["schema"], "strict": True}
                for tool in ask.tools
            ]  # fmt: skip
        if ask.choice:
            fields["tool_choice"] = "required"
        if ask.schema:
            form = {"type": "json_schema", "name": "answer", "schema": ask.schema, "strict": True}
            fields["text"] = {"format": form}
        if ask.reasoning:
            fields |= {"reasoning": {"effort": "medium", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
        if ask.temperature is not None:
            fields["temperature"] = ask.temperature
        return fields

    def ask(self, ask: Ask) -> Answer:
        if not ask.stream:
            return read(self.sdk.responses.create(**self.fields(ask)), 1)
        with self.sdk.responses.stream(**self.fields(ask)) as stream:
            text, pieces = "", 0
            for event in stream:
                if event.type == "response.output_text.delta":
                    text, pieces = text + event.delta, pieces + 1
                elif event.type in ("error", "response.failed"):
                    raise StreamFailed(event.model_dump_json())
            answer = read(stream.get_final_response(), pieces)
        if text != answer.text:
            raise AssertionError(f"the pieces are {text!r}, the whole is {answer.text!r}")
        return answer

    def leave(self, ask: Ask) -> str:
        with self.sdk.responses.create(**self.fields(ask), stream=True) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    return event.delta
        return ""

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        return (None, str(error), None) if isinstance(error, StreamFailed) else openai_problem(error)


class StreamFailed(Exception):
    """The SDK hands errors within a stream over as events."""


def items(ask: Ask) -> list[dict[str, Any]]:
    """The conversation in this dialect."""
    out: list[dict[str, Any]] = []
    for role, content in ask.turns:
        if role == "user":
            parts = [
                {"type": "input_text", "text": part} if isinstance(part, str)
                else {"type": "input_image", "image_url": data_url(part), "detail": "auto"}
                for part in content
            ]  # fmt: skip
            out.append({"role": "user", "content": parts})
        elif role == "answer":
            out += content.native
        elif role == "results":
            out += [
                {"type": "function_call_output", "call_id": call[0], "output": json.dumps(value)}
                for call, value in content
            ]
        elif role == "assistant":
            out.append({"role": "assistant", "content": content})
    return out


def read(response: Any, pieces: int) -> Answer:
    """An answer of the SDK."""
    calls, thought = [], ""
    for item in response.output:
        if item.type == "function_call":
            calls.append((item.call_id, item.name, json.loads(item.arguments)))
        elif item.type == "reasoning":
            thought += "".join(part.text for part in item.summary)
    use = response.usage
    return Answer(
        text=response.output_text,
        calls=calls,
        thought=thought,
        usage=use and (use.input_tokens, use.output_tokens, use.input_tokens_details.cached_tokens),
        finish="tools" if calls else {"completed": "stop"}.get(response.status, response.status),
        pieces=pieces,
        native=[plain(item) for item in response.output],
    )


def plain(item: Any) -> dict[str, Any]:
    """An item as it goes back: what only the SDK knows of it stays here."""
    return item.model_dump(exclude_none=True, exclude={"parsed_arguments": True, "content": {"__all__": {"parsed"}}})


CLIENTS = [OpenAIResponses]
