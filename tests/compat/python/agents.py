"""The traffic of two coding agents, written by hand in their shape: every feature at once, as bare HTTP.

Claude Code: Anthropic's messages with betas, cached system blocks, thinking, parallel tools, a failed result, and counting
of tokens. Codex: OpenAI's responses, never stored, with encrypted reasoning, a function and the freeform tool
`apply_patch`. Both talk over three turns and send everything back as they got it.
"""

import json
import urllib.error
import urllib.request
from typing import Any

import shared
from frame import Case, Client, as_viewed, expect, schema, word


class Agent(Client):
    """Bare HTTP with the headers of the program."""

    features = ("conversation",)

    def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        """One call; events come back as a list."""
        request = urllib.request.Request(
            self.root + path, json.dumps(body).encode(),
            {"content-type": "application/json", "authorization": f"Bearer {self.key}", **headers},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()}") from None
        if not body.get("stream"):
            return json.loads(text)
        return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]

    def talk(self, case: Case) -> None:
        """The whole conversation."""
        raise NotImplementedError


class ClaudeCode(Agent):
    """Anthropic's messages."""

    name = "Claude Code (shape)"
    dialect = "anthropic"
    headers = {
        "anthropic-version": "2023-06-01", "x-app": "cli", "user-agent": "claude-cli/2.1 (external, cli)",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14",
    }  # fmt: skip

    def talk(self, case: Case) -> None:
        """Thinks, calls two tools at once, hears that one failed, and answers."""
        cached = {"cache_control": {"type": "ephemeral"}}
        prompt, system = case.fresh("agent"), [word(), word()]
        functions = [{"name": f"Read_{word()}", "description": word(), "schema": schema()} for _ in range(2)]
        body: dict[str, Any] = {
            "model": self.model, "max_tokens": 32000, "stream": True,
            "system": [{"type": "text", "text": system[0]}, {"type": "text", "text": system[1], **cached}],
            "metadata": {"user_id": f"user_{word()}_session_{word()}"},
            "thinking": {"type": "enabled", "budget_tokens": 10000},
            "tools": [
                {"name": tool["name"], "description": tool["description"], "input_schema": tool["schema"]}
                for tool in functions
            ],
            "messages": [{"role": "user", "content": [{"type": "text", "text": prompt, **cached}]}],
        }  # fmt: skip
        body["tools"][-1] |= cached
        counted = {key: body[key] for key in ("model", "system", "tools", "messages", "thinking")}
        count = self.post("/v1/messages/count_tokens", counted, self.headers)["input_tokens"]
        expect(count > 0, f"{count} tokens")
        blocks = self.blocks(self.post("/v1/messages?beta=true", body, self.headers))
        calls = [block for block in blocks if block["type"] == "tool_use"]
        wanted = [[tool["name"], shared.sample(tool["schema"], f"{case.nonce}{n}")] for n, tool in enumerate(functions)]
        expect([[call["name"], call["input"]] for call in calls] == wanted, f"calls {calls}, not {wanted}; {case.seen()}")
        thinking = [block for block in blocks if block["type"] == "thinking"]
        expect([block["thinking"] for block in thinking] == [shared.thought(case.nonce)], f"thinking {thinking}")
        good, bad = word(), word()
        results = [
            {"type": "tool_result", "tool_use_id": calls[0]["id"], "content": [{"type": "text", "text": good}]},
            {"type": "tool_result", "tool_use_id": calls[1]["id"], "content": bad, "is_error": True, **cached},
        ]
        body["messages"] += [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]
        last = self.blocks(self.post("/v1/messages?beta=true", body, self.headers))
        told = "".join(block["text"] for block in last if block["type"] == "text")
        proven = case.upstream in ("responses", "anthropic", "gemini")
        case.told(
            told, system="".join(system), turns=[["user", prompt]], tools=as_viewed(functions), calls=wanted,
            results=[[wanted[0][0], good], [wanted[1][0], bad]], reasoning=True,
            proofs=[shared.proof(case.nonce)] if proven else [],
        )  # fmt: skip

    @staticmethod
    def blocks(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The blocks of a streamed answer, put together as the agent does."""
        blocks: list[dict[str, Any]] = []
        for event in events:
            kind = event["type"]
            if kind == "content_block_start":
                expect(event["index"] == len(blocks), f"block {event['index']} after {len(blocks)}")
                blocks.append({**event["content_block"], "partial": ""})
            elif kind == "content_block_delta":
                delta, block = event["delta"], blocks[event["index"]]
                kinds = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
                if delta["type"] == "input_json_delta":
                    block["partial"] += delta["partial_json"]
                else:
                    member = kinds[delta["type"]]
                    block[member] = block.get(member, "") + delta[member]
            elif kind == "error":
                raise AssertionError(event)
        expect(events[-1]["type"] == "message_stop", events[-1])
        for block in blocks:
            partial = block.pop("partial")
            if block["type"] == "tool_use":
                block["input"] = json.loads(partial or "{}")
        return blocks


class Codex(Agent):
    """OpenAI's responses."""

    name = "Codex (shape)"
    dialect = "responses"
    headers = {"originator": "codex_cli_rs", "user-agent": "codex_cli_rs/0.90", "session_id": "s", "accept": "text/event-stream"}

    def talk(self, case: Case) -> None:
        """Thinks, calls a function and the freeform tool, hands both outputs back, and hears the end."""
        prompt, instructions, rules = case.fresh("agent"), word(), word()
        shell = {"name": f"shell_{word()}", "description": word(), "schema": schema()}
        items: list[dict[str, Any]] = [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": rules}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]},
        ]
        body: dict[str, Any] = {
            "model": self.model, "instructions": instructions, "input": items, "stream": True, "store": False,
            "tools": [
                {"type": "function", "name": shell["name"], "description": shell["description"], "strict": False,
                 "parameters": shell["schema"]},
                {"type": "custom", "name": "apply_patch", "description": "Edits files.",
                 "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/s"}},
            ],
            "tool_choice": "auto", "parallel_tool_calls": True, "reasoning": {"effort": "high", "summary": "auto"},
            "include": ["reasoning.encrypted_content"], "prompt_cache_key": word(), "text": {"verbosity": "low"},
        }  # fmt: skip
        output = self.output(self.post("/v1/responses", body, self.headers))
        calls = {item["type"]: item for item in output if item["type"].endswith("_call")}
        wanted = shared.sample(shell["schema"], f"{case.nonce}0")
        expect(set(calls) == {"function_call", "custom_tool_call"}, f"{output}; {case.seen()}")
        expect(json.loads(calls["function_call"]["arguments"]) == wanted, f"{calls}, not {wanted}")
        expect(calls["custom_tool_call"]["input"] == shared.PATCH, f"{calls['custom_tool_call']}")
        said, done = word(), word()
        items += output
        items += [
            {"type": "function_call_output", "call_id": calls["function_call"]["call_id"], "output": said},
            {"type": "custom_tool_call_output", "call_id": calls["custom_tool_call"]["call_id"], "output": done},
        ]
        last = self.output(self.post("/v1/responses", body, self.headers))
        told = "".join(part["text"] for item in last if item["type"] == "message" for part in item["content"])
        seen = json.loads(told)
        proven = case.upstream in ("responses", "anthropic", "gemini")
        digests = shared.digests({
            "system": instructions + rules, "turns": [["user", prompt]],
            "results": [[shell["name"], said], ["apply_patch", done]],
            "calls": [[shell["name"], wanted], ["apply_patch", {"input": shared.PATCH}]],
            "proofs": [shared.proof(case.nonce)] if proven else [], "tools": as_viewed([shell]),
        })  # fmt: skip
        wrong = [name for name, digest in digests.items() if seen.get(name) != digest]
        expect(not wrong, f"lost or changed: {wrong}; {case.seen()}")

    @staticmethod
    def output(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The items of a streamed answer as the agent keeps them: those that are done."""
        expect(events[-1]["type"] == "response.completed", events[-1])
        return [event["item"] for event in events if event["type"] == "response.output_item.done"]


CLIENTS = [ClaudeCode, Codex]
