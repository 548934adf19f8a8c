// The official Anthropic SDK for Node.

import { TIMEOUT_MS, load } from "./frame.mjs";

const { Anthropic, APIError } = await load("@anthropic-ai/sdk");

function block(part) {
  if (typeof part === "string") return { type: "text", text: part };
  return { type: "image", source: { type: "base64", media_type: "image/png", data: part.toString("base64") } };
}

function messages(turns) {
  return turns.flatMap(([role, content]) => {
    switch (role) {
      case "user":
        return [{ role, content: content.map(block) }];
      case "assistant":
        return [{ role, content }];
      case "answer":
        return [{ role: "assistant", content: content.native }];
      case "results": {
        const blocks = content.map(([call, value]) => ({
          type: "tool_result", tool_use_id: call.id, content: JSON.stringify(value),
        }));
        return [{ role: "user", content: blocks }];
      }
      default:
        return [];
    }
  });
}

function fields(model, ask) {
  const out = { model, messages: messages(ask.turns), max_tokens: ask.limit };
  const system = ask.turns.find(([role]) => role === "system");
  if (system) out.system = [{ type: "text", text: system[1] }];
  if (ask.tools) {
    out.tools = ask.tools.map((tool) => ({ name: tool.name, description: tool.description, input_schema: tool.schema }));
  }
  if (ask.choice) out.tool_choice = { type: "any" };
  if (ask.schema) out.output_config = { format: { type: "json_schema", schema: ask.schema } };
  if (ask.reasoning) out.thinking = { type: "enabled", budget_tokens: 2048 };
  if (ask.temperature !== undefined) out.temperature = ask.temperature;
  if (ask.stop) out.stop_sequences = ask.stop;
  return out;
}

function read(message, pieces) {
  const of = (type) => message.content.filter((part) => part.type === type);
  const use = message.usage;
  const cached = use.cache_read_input_tokens ?? 0;
  return {
    text: of("text").map((part) => part.text).join(""),
    calls: of("tool_use").map((part) => ({ id: part.id, name: part.name, arguments: part.input })),
    thought: of("thinking").map((part) => part.thinking).join(""),
    usage: [use.input_tokens + cached + (use.cache_creation_input_tokens ?? 0), use.output_tokens, cached],
    finish: { end_turn: "stop", tool_use: "tools" }[message.stop_reason] ?? message.stop_reason,
    pieces,
    native: message.content,
  };
}

const anthropic = {
  name: "@anthropic-ai/sdk",
  dialect: "anthropic",
  make(root, key, model) {
    const sdk = new Anthropic({ baseURL: root, apiKey: key, timeout: TIMEOUT_MS, maxRetries: 0 });
    return {
      async ask(ask) {
        if (!ask.stream) return read(await sdk.messages.create(fields(model, ask)), 1);
        const stream = sdk.messages.stream(fields(model, ask));
        let pieces = 0;
        for await (const event of stream) if (event.type === "content_block_delta") pieces += 1;
        return read(await stream.finalMessage(), pieces);
      },
      async leave(ask) {
        const stream = await sdk.messages.create({ ...fields(model, ask), stream: true });
        for await (const event of stream) if (event.delta?.type === "text_delta") return event.delta.text;
      },
      problem(error) {
        if (!(error instanceof APIError)) throw error;
        return { status: error.status, message: error.message, retryAfter: error.headers?.get("retry-after") ?? undefined };
      },
    };
  },
};

export const clients = [anthropic];
