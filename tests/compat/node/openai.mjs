// The official OpenAI SDK for Node: chat completions and responses.

import { TIMEOUT_MS, load } from "./frame.mjs";

const { OpenAI, APIError } = await load("openai");

const connect = (root, key) => new OpenAI({ baseURL: `${root}/v1`, apiKey: key, timeout: TIMEOUT_MS, maxRetries: 0 });

/** Status, words and patience of this SDK's errors. */
function problem(error) {
  if (!(error instanceof APIError)) throw error;
  return { status: error.status, message: error.message, retryAfter: error.headers?.get("retry-after") ?? undefined };
}

export const dataUrl = (content) => `data:image/png;base64,${content.toString("base64")}`;

function chatMessages(turns) {
  return turns.flatMap(([role, content]) => {
    switch (role) {
      case "user": {
        const parts = content.map((part) =>
          typeof part === "string" ? { type: "text", text: part } : { type: "image_url", image_url: { url: dataUrl(part) } },
        );
        return [{ role, content: parts }];
      }
      case "answer":
        return [content.native];
      case "results":
        return content.map(([call, value]) => ({ role: "tool", tool_call_id: call.id, content: JSON.stringify(value) }));
      default:
        return [{ role, content }];
    }
  });
}

function chatFields(model, ask) {
  const fields = { model, messages: chatMessages(ask.turns), max_completion_tokens: ask.limit };
  if (ask.tools) {
    fields.tools = ask.tools.map((tool) => ({
      type: "function", function: { name: tool.name, description: tool.description, parameters: tool.schema },
    }));
  }
  if (ask.choice) fields.tool_choice = "required";
  if (ask.schema) {
    fields.response_format = { type: "json_schema", json_schema: { name: "answer", schema: ask.schema, strict: true } };
  }
  if (ask.reasoning) fields.reasoning_effort = "medium";
  if (ask.temperature !== undefined) fields.temperature = ask.temperature;
  if (ask.stop) fields.stop = ask.stop;
  return fields;
}

function readChat(completion, pieces) {
  const { message, finish_reason: reason } = completion.choices[0];
  const use = completion.usage;
  // Thoughts as plain text are for reading; OpenAI refuses them in a request.
  const { reasoning_content: thought, parsed: _, ...native } = message;
  return {
    text: message.content ?? "",
    calls: (message.tool_calls ?? []).map((call) => ({
      id: call.id, name: call.function.name, arguments: JSON.parse(call.function.arguments),
    })),
    thought: thought ?? "",
    usage: use && [use.prompt_tokens, use.completion_tokens, use.prompt_tokens_details?.cached_tokens],
    finish: reason === "tool_calls" ? "tools" : reason,
    pieces,
    native,
  };
}

const chat = {
  name: "openai-node (chat)",
  dialect: "chat",
  make(root, key, model) {
    const sdk = connect(root, key);
    return {
      async ask(ask) {
        if (!ask.stream) return readChat(await sdk.chat.completions.create(chatFields(model, ask)), 1);
        // The SDK's own helper puts the pieces together; what it does not know it drops.
        const stream = sdk.chat.completions.stream({ ...chatFields(model, ask), stream_options: { include_usage: true } });
        let [thought, pieces, details] = ["", 0, []];
        for await (const chunk of stream) {
          pieces += 1;
          thought += chunk.choices[0]?.delta.reasoning_content ?? "";
          details.push(...(chunk.choices[0]?.delta.reasoning_details ?? []));
        }
        const answer = readChat(await stream.finalChatCompletion(), pieces);
        for (const call of answer.native.tool_calls ?? []) delete call.function.parsed_arguments;
        if (details.length) answer.native.reasoning_details = details;
        return { ...answer, thought };
      },
      async leave(ask) {
        const stream = await sdk.chat.completions.create({ ...chatFields(model, ask), stream: true });
        for await (const chunk of stream) if (chunk.choices[0]?.delta.content) return chunk.choices[0].delta.content;
      },
      problem,
    };
  },
};

function items(turns) {
  return turns.flatMap(([role, content]) => {
    switch (role) {
      case "user": {
        const parts = content.map((part) =>
          typeof part === "string"
            ? { type: "input_text", text: part }
            : { type: "input_image", image_url: dataUrl(part), detail: "auto" },
        );
        return [{ role, content: parts }];
      }
      case "answer":
        return content.native;
      case "results":
        return content.map(([call, value]) => ({
          type: "function_call_output", call_id: call.id, output: JSON.stringify(value),
        }));
      case "system":
        return [{ role: "developer", content }];
      default:
        return [{ role, content }];
    }
  });
}

function responseFields(model, ask) {
  const fields = { model, input: items(ask.turns), max_output_tokens: ask.limit, store: false };
  if (ask.tools) {
    fields.tools = ask.tools.map((tool) => ({
      type: "function", name: tool.name, description: tool.description, parameters: tool.schema, strict: true,
    }));
  }
  if (ask.choice) fields.tool_choice = "required";
  if (ask.schema) fields.text = { format: { type: "json_schema", name: "answer", schema: ask.schema, strict: true } };
  if (ask.reasoning) {
    Object.assign(fields, { reasoning: { effort: "medium", summary: "auto" }, include: ["reasoning.encrypted_content"] });
  }
  if (ask.temperature !== undefined) fields.temperature = ask.temperature;
  return fields;
}

function readResponse(response, pieces) {
  const calls = response.output.filter((item) => item.type === "function_call");
  const use = response.usage;
  return {
    text: response.output_text,
    calls: calls.map((call) => ({ id: call.call_id, name: call.name, arguments: JSON.parse(call.arguments) })),
    thought: response.output.flatMap((item) => (item.type === "reasoning" ? item.summary : [])).map((part) => part.text).join(""),
    usage: use && [use.input_tokens, use.output_tokens, use.input_tokens_details.cached_tokens],
    finish: calls.length ? "tools" : response.status === "completed" ? "stop" : response.status,
    pieces,
    native: response.output.map(({ parsed_arguments: _, ...item }) => item),
  };
}

const responses = {
  name: "openai-node (responses)",
  dialect: "responses",
  lacks: ["stop"],
  make(root, key, model) {
    const sdk = connect(root, key);
    return {
      async ask(ask) {
        if (!ask.stream) return readResponse(await sdk.responses.create(responseFields(model, ask)), 1);
        const stream = sdk.responses.stream(responseFields(model, ask));
        let pieces = 0;
        for await (const event of stream) {
          if (event.type === "response.output_text.delta") pieces += 1;
          if (event.type === "error" || event.type === "response.failed") {
            throw new APIError(undefined, undefined, JSON.stringify(event), undefined);
          }
        }
        return readResponse(await stream.finalResponse(), pieces);
      },
      async leave(ask) {
        const stream = await sdk.responses.create({ ...responseFields(model, ask), stream: true });
        for await (const event of stream) if (event.type === "response.output_text.delta") return event.delta;
      },
      problem,
    };
  },
};

export const clients = [chat, responses];
