"""The official OpenAI SDK, chat completions."""

import base64
import json
from typing import Any

import openai

from frame import TIMEOUT_SECONDS, Answer, Ask, Client


class OpenAIChat(Client):
    """`client.chat.completions`."""

    name = "openai-python (chat)"
    dialect = "chat"

    def open(self) -> None:
        self.sdk = openai.OpenAI(
            base_url=f"{self.root}/v1", api_key=self.key, timeout=TIMEOUT_SECONDS, max_retries=0
        )

    def fields(self, ask: Ask) -> dict[str, Any]:
        """The request's arguments."""
        fields: dict[str, Any] = {
            "model": self.model, "messages": messages(ask), "max_completion_tokens": ask.limit,
        }  # fmt: skip
        if ask.tools:
            fields["tools"] = [
                {"type": "function", "function": {"name": tool["name"], "description": tool["description"],
                                                  "parameters": tool["schema"]}}
                for tool in ask.tools
            ]  # fmt: skip
        if ask.choice:
            fields["tool_choice"] = "required"
        if ask.schema:
            form = {"name": "answer", "schema": ask.schema, "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": form}
        if ask.reasoning:
            fields["reasoning_effort"] = "medium"
        if ask.temperature is not None:
            fields["temperature"] = ask.temperature
        if ask.stop:
            fields["stop"] = ask.stop
        return fields

    def ask(self, ask: Ask) -> Answer:
        fields = self.fields(ask)
        if not ask.stream:
            return read(self.sdk.chat.completions.create(**fields), 1)
        # The SDK's own helper puts the pieces together.
        with self.sdk.chat.completions.stream(**fields, stream_options={"include_usage": True}) as stream:
            thought, pieces = "", 0
            for event in stream:
                if event.type == "chunk" and event.chunk.choices:
                    pieces += 1
                    delta = event.chunk.choices[0].delta
                    thought += (delta.model_extra or {}).get("reasoning_content") or ""
            answer = read(stream.get_final_completion(), pieces)
        answer.thought = thought
        return answer

    def leave(self, ask: Ask) -> str:
        with self.sdk.chat.completions.create(**self.fields(ask), stream=True) as stream:
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    return chunk.choices[0].delta.content
        return ""

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        return openai_problem(error)


def openai_problem(error: Exception) -> tuple[int | None, str, str | None]:
    """Status, words and patience of this SDK's exceptions."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code, str(error), error.response.headers.get("retry-after")
    if isinstance(error, openai.APIError):
        return None, str(error), None
    raise error


def data_url(content: bytes) -> str:
    """A picture as an address."""
    return "data:image/png;base64," + base64.b64encode(content).decode()


def messages(ask: Ask) -> list[dict[str, Any]]:
    """The conversation in this dialect."""
    out: list[dict[str, Any]] = []
    for role, content in ask.turns:
        if role == "user":
            parts = [
                {"type": "text", "text": part} if isinstance(part, str)
                else {"type": "image_url", "image_url": {"url": data_url(part)}}
                for part in content
            ]  # fmt: skip
            out.append({"role": "user", "content": parts if len(parts) > 1 else content[0]})
        elif role == "answer":
            # Whatever else the answer held goes back with it: that is how proofs of thoughts travel here.
            out.append(content.native)
        elif role == "results":
            out += [{"role": "tool", "tool_call_id": call[0], "content": json.dumps(value)} for call, value in content]
        else:
            out.append({"role": role, "content": content})
    return out


def read(completion: Any, pieces: int) -> Answer:
    """An answer of the SDK."""
    choice, use = completion.choices[0], completion.usage
    message = choice.message
    # Thoughts as plain text are for reading; OpenAI refuses them in a request.
    native = message.model_dump(exclude_none=True, exclude={"parsed", "reasoning_content"})
    for call in native.get("tool_calls", []):
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    extra = message.model_extra or {}
    return Answer(
        text=message.content or "",
        calls=[(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []],
        thought=extra.get("reasoning_content") or "",
        usage=use and (use.prompt_tokens, use.completion_tokens,
                       use.prompt_tokens_details.cached_tokens if use.prompt_tokens_details else None),
        finish={"tool_calls": "tools"}.get(choice.finish_reason, choice.finish_reason),
        pieces=pieces,
        native=native,
    )  # fmt: skip


CLIENTS = [OpenAIChat]
