"""The official Google GenAI SDK."""

import json
from typing import Any

from google import genai
from google.genai import errors, types

from frame import TIMEOUT_SECONDS, Answer, Ask, Client


class GoogleGenAI(Client):
    """`client.models`."""

    name = "google-genai (Python)"
    dialect = "gemini"

    def open(self) -> None:
        options = types.HttpOptions(base_url=self.root, timeout=int(TIMEOUT_SECONDS * 1000))
        self.sdk = genai.Client(api_key=self.key, http_options=options)

    def fields(self, ask: Ask) -> dict[str, Any]:
        """The request's arguments."""
        config: dict[str, Any] = {"max_output_tokens": ask.limit, "temperature": ask.temperature}
        config["stop_sequences"] = ask.stop
        system = [content for role, content in ask.turns if role == "system"]
        config["system_instruction"] = system[0] if system else None
        if ask.tools:
            functions = [
                types.FunctionDeclaration(
                    name=tool["name"], description=tool["description"], parameters_json_schema=tool["schema"]
                )
                for tool in ask.tools
            ]
            config["tools"] = [types.Tool(function_declarations=functions)]
            config["automatic_function_calling"] = types.AutomaticFunctionCallingConfig(disable=True)
        if ask.choice:
            config["tool_config"] = types.ToolConfig(
                function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
            )
        if ask.schema:
            config |= {"response_mime_type": "application/json", "response_json_schema": ask.schema}
        if ask.reasoning:
            config["thinking_config"] = types.ThinkingConfig(include_thoughts=True, thinking_budget=2048)
        return {"model": self.model, "contents": contents(ask), "config": types.GenerateContentConfig(**config)}

    def ask(self, ask: Ask) -> Answer:
        if not ask.stream:
            return read([self.sdk.models.generate_content(**self.fields(ask))])
        return read(list(self.sdk.models.generate_content_stream(**self.fields(ask))))

    def leave(self, ask: Ask) -> str:
        stream = self.sdk.models.generate_content_stream(**self.fields(ask))
        text = next(chunk.text for chunk in stream if chunk.text)
        stream.close()
        return text

    def problem(self, error: Exception) -> tuple[int | None, str, str | None]:
        if isinstance(error, errors.APIError):
            headers = getattr(error.response, "headers", None) or {}
            return error.code, str(error), headers.get("retry-after")
        raise error


def contents(ask: Ask) -> list[types.Content]:
    """The conversation in this dialect."""
    out: list[types.Content] = []
    for role, content in ask.turns:
        if role == "user":
            parts = [
                types.Part(text=part) if isinstance(part, str) else types.Part.from_bytes(data=part, mime_type="image/png")
                for part in content
            ]
            out.append(types.Content(role="user", parts=parts))
        elif role == "assistant":
            out.append(types.Content(role="model", parts=[types.Part(text=content)]))
        elif role == "answer":
            out.append(types.Content(role="model", parts=content.native))
        elif role == "results":
            parts = [
                types.Part(function_response=types.FunctionResponse(id=call[0] or None, name=call[1], response=value))
                for call, value in content
            ]
            out.append(types.Content(role="user", parts=parts))
    return out


def read(chunks: list[types.GenerateContentResponse]) -> Answer:
    """An answer of the SDK, in one or in many pieces."""
    parts = [part for chunk in chunks for part in (chunk.candidates[0].content.parts or [] if chunk.candidates[0].content else [])]
    calls = [part.function_call for part in parts if part.function_call]
    use = next((chunk.usage_metadata for chunk in reversed(chunks) if chunk.usage_metadata), None)
    reason = next((chunk.candidates[0].finish_reason for chunk in reversed(chunks) if chunk.candidates[0].finish_reason), "")
    return Answer(
        text="".join(part.text for part in parts if part.text and not part.thought),
        # Where the vendor gives no id, place and name are all there is.
        calls=[(call.id or f"#{at}", call.name, call.args) for at, call in enumerate(calls)],
        thought="".join(part.text for part in parts if part.text and part.thought),
        usage=use and (use.prompt_token_count, (use.candidates_token_count or 0) + (use.thoughts_token_count or 0),
                       use.cached_content_token_count or 0),
        finish={"STOP": "stop"}.get(getattr(reason, "value", reason), str(reason)),
        pieces=len(chunks),
        native=parts,
    )  # fmt: skip


CLIENTS = [GoogleGenAI]
