"""LlamaIndex's `OpenAILike`: any server that speaks OpenAI's chat, over an earlier major version of OpenAI's SDK."""

import gc
import json
from typing import Any

from llama_index.core.llms import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.llms.openai_like import OpenAILike

from frame import TIMEOUT_SECONDS, Answer, Ask, Client
from openai_chat import openai_problem


class LlamaIndex(Client):
    """`llm.chat` and `llm.stream_chat`."""

    name = "llama-index (openai-like)"
    dialect = "chat"
    shows_thoughts = False
    loses_proofs = "OpenAILike keeps only what OpenAI's own chat answers hold"

    def open(self) -> None:
        self.sdk = OpenAILike(
            model=self.model, api_base=f"{self.root}/v1", api_key=self.key, timeout=TIMEOUT_SECONDS, max_retries=0,
            is_chat_model=True, is_function_calling_model=True,
        )  # fmt: skip

    def fields(self, ask: Ask) -> dict[str, Any]:
        """The request's arguments."""
        fields: dict[str, Any] = {"max_tokens": ask.limit}
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
        if not ask.stream:
            return self.read(self.sdk.chat(messages(ask), **self.fields(ask)), 1)
        pieces, last, usage = 0, None, None
        for chunk in self.sdk.stream_chat(messages(ask), **self.fields(ask), stream_options={"include_usage": True}):
            last, pieces, usage = chunk, pieces + 1, chunk.raw.usage or usage
        answer = self.read(last, pieces, usage)
        # The framework does not say why a stream ended.
        answer.finish = answer.finish or "stop"
        return answer

    def read(self, response: Any, pieces: int, usage: Any = None) -> Answer:
        """An answer of the framework."""
        calls = self.sdk.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        use = usage or response.raw.usage
        details = use and use.prompt_tokens_details
        choices = response.raw.choices
        reason = choices[0].finish_reason if choices else None
        return Answer(
            text=response.message.content or "",
            calls=[(call.tool_id, call.tool_name, call.tool_kwargs) for call in calls],
            usage=use and (use.prompt_tokens, use.completion_tokens, details.cached_tokens if details else None),
            finish={"tool_calls": "tools"}.get(reason, reason) or "",
            pieces=pieces,
            native=response.message,
        )

    def leave(self, ask: Ask) -> str:
        stream = self.sdk.stream_chat(messages(ask), **self.fields(ask))
        text = next(chunk.delta for chunk in stream if chunk.delta)
        stream.close()
        # The framework's generators do not close what they read from; the connection ends with them.
        del stream
        gc.collect()
        return text

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        return openai_problem(error)


def messages(ask: Ask) -> list[ChatMessage]:
    """The conversation in the framework's terms."""
    out: list[ChatMessage] = []
    for role, content in ask.turns:
        if role == "user":
            blocks = [
                TextBlock(text=part) if isinstance(part, str) else ImageBlock(image=part, image_mimetype="image/png")
                for part in content
            ]
            out.append(ChatMessage(role=MessageRole.USER, blocks=blocks))
        elif role == "answer":
            out.append(content.native)
        elif role == "results":
            out += [
                ChatMessage(
                    role=MessageRole.TOOL, content=json.dumps(value), additional_kwargs={"tool_call_id": call[0]}
                )
                for call, value in content
            ]
        else:
            out.append(ChatMessage(role=MessageRole(role), content=content))
    return out


CLIENTS = [LlamaIndex]
