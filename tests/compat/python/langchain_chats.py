"""LangChain: the chat models for OpenAI and for Anthropic, over those vendors' SDKs."""

import json
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI

from anthropic_messages import anthropic_problem
from frame import TIMEOUT_SECONDS, Answer, Ask, Client
from openai_chat import data_url, openai_problem


class LangChain(Client):
    """What both have in common."""

    def model_for(self, ask: Ask) -> Any:
        """The chat model with the request's options."""
        raise NotImplementedError

    def ask(self, ask: Ask) -> Answer:
        model = self.model_for(ask)
        if ask.schema:
            return structured(model, ask)
        if ask.tools:
            functions = [
                {"type": "function", "function": {"name": tool["name"], "description": tool["description"],
                                                  "parameters": tool["schema"]}}
                for tool in ask.tools
            ]  # fmt: skip
            model = model.bind_tools(functions, **({"tool_choice": "any"} if ask.choice else {}))
        if not ask.stream:
            return read(model.invoke(messages(ask)), 1)
        whole, pieces = None, 0
        for chunk in model.stream(messages(ask)):
            whole, pieces = chunk if whole is None else whole + chunk, pieces + 1
        return read(whole, pieces)

    def leave(self, ask: Ask) -> str:
        stream = self.model_for(ask).stream(messages(ask))
        text = next(chunk.text for chunk in stream if chunk.text)
        stream.close()
        return str(text)


class LangChainOpenAI(LangChain):
    """`ChatOpenAI`, chat completions."""

    name = "langchain-openai"
    dialect = "chat"
    shows_thoughts = False
    loses_proofs = "ChatOpenAI keeps only what OpenAI's own chat answers hold"

    def model_for(self, ask: Ask) -> Any:
        return ChatOpenAI(
            model=self.model, base_url=f"{self.root}/v1", api_key=self.key, timeout=TIMEOUT_SECONDS, max_retries=0,
            max_tokens=ask.limit, temperature=ask.temperature, stop=ask.stop, stream_usage=True, use_responses_api=False,
            reasoning_effort="medium" if ask.reasoning else None,
        )  # fmt: skip

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        return openai_problem(error)


class LangChainAnthropic(LangChain):
    """`ChatAnthropic`."""

    name = "langchain-anthropic"
    dialect = "anthropic"
    misses_usage = {"engine-messages": "input tokens of streams are read from their last event, where this engine has none"}

    def model_for(self, ask: Ask) -> Any:
        return ChatAnthropic(
            model=self.model, base_url=self.root, api_key=self.key, timeout=TIMEOUT_SECONDS, max_retries=0,
            max_tokens=ask.limit, temperature=ask.temperature, stop=ask.stop,
            thinking={"type": "enabled", "budget_tokens": 2048} if ask.reasoning else None,
        )  # fmt: skip

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        return anthropic_problem(error)


def structured(model: Any, ask: Ask) -> Answer:
    """An answer of a schema, as the framework parses it."""
    # The framework names a schema by its title.
    schema = {"title": "answer", "description": "The answer.", **(ask.schema or {})}
    chain = model.with_structured_output(schema, method="json_schema")
    value = list(chain.stream(messages(ask)))[-1] if ask.stream else chain.invoke(messages(ask))
    return Answer(text=json.dumps(value))


def messages(ask: Ask) -> list[Any]:
    """The conversation in the framework's terms."""
    out: list[Any] = []
    for role, content in ask.turns:
        if role == "system":
            out.append(SystemMessage(content))
        elif role == "user":
            parts = [
                {"type": "text", "text": part} if isinstance(part, str)
                else {"type": "image_url", "image_url": {"url": data_url(part)}}
                for part in content
            ]  # fmt: skip
            out.append(HumanMessage(parts))
        elif role == "assistant":
            out.append(AIMessage(content))
        elif role == "answer":
            out.append(content.native)
        else:
            out += [ToolMessage(json.dumps(value), tool_call_id=call[0], name=call[1]) for call, value in content]
    return out


def read(message: Any, pieces: int) -> Answer:
    """An answer of the framework."""
    use = message.usage_metadata
    said = message.response_metadata
    finish = said.get("finish_reason") or said.get("stop_reason") or ""
    thoughts = [block for block in message.content if isinstance(block, dict)] if isinstance(message.content, list) else []
    return Answer(
        text=str(message.text),
        calls=[(call["id"], call["name"], call["args"]) for call in message.tool_calls],
        thought="".join(block.get("thinking", "") for block in thoughts),
        usage=use and (use["input_tokens"], use["output_tokens"], (use.get("input_token_details") or {}).get("cache_read")),
        finish={"tool_calls": "tools", "tool_use": "tools", "end_turn": "stop"}.get(finish, finish),
        pieces=pieces,
        native=message,
    )


CLIENTS = [LangChainOpenAI, LangChainAnthropic]
