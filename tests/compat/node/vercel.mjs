// Vercel's AI SDK with its providers for OpenAI (chat and responses), Anthropic and Google.

import { load } from "./frame.mjs";

const { APICallError, Output, generateText, jsonSchema, streamText, tool } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createAnthropic } = await load("@ai-sdk/anthropic");
const { createGoogleGenerativeAI } = await load("@ai-sdk/google");

function messages(turns) {
  return turns.flatMap(([role, content]) => {
    switch (role) {
      case "user": {
        const parts = content.map((part) =>
          typeof part === "string" ? { type: "text", text: part } : { type: "image", image: part, mediaType: "image/png" },
        );
        return [{ role, content: parts }];
      }
      case "answer":
        return content.native;
      case "results": {
        const parts = content.map(([call, value]) => ({
          type: "tool-result", toolCallId: call.id, toolName: call.name, output: { type: "json", value },
        }));
        return [{ role: "tool", content: parts }];
      }
      case "system":
        return [];
      default:
        return [{ role, content }];
    }
  });
}

function fields(model, ask, reasoning) {
  const out = { model, messages: messages(ask.turns), maxOutputTokens: ask.limit, maxRetries: 0 };
  const system = ask.turns.find(([role]) => role === "system");
  if (system) out.system = system[1];
  if (ask.tools) {
    const named = ask.tools.map((one) => [
      one.name, tool({ description: one.description, inputSchema: jsonSchema(one.schema) }),
    ]);
    out.tools = Object.fromEntries(named);
  }
  if (ask.choice) out.toolChoice = "required";
  if (ask.schema) out.output = Output.object({ schema: jsonSchema(ask.schema) });
  // The provider knows which models have structured output, and takes this one for one without.
  if (ask.schema) out.providerOptions = { anthropic: { structuredOutputMode: "outputFormat" } };
  if (ask.reasoning) out.providerOptions = reasoning;
  if (ask.temperature !== undefined) out.temperature = ask.temperature;
  if (ask.stop) out.stopSequences = ask.stop;
  return out;
}

async function read(result, pieces) {
  const [text, calls, thought, use, finish, response] = await Promise.all([
    result.text, result.toolCalls, result.reasoningText, result.usage, result.finishReason, result.response,
  ]);
  return {
    text,
    calls: calls.map((call) => ({ id: call.toolCallId, name: call.toolName, arguments: call.input })),
    thought: thought ?? "",
    usage: [use.inputTokens, use.outputTokens, use.inputTokenDetails?.cacheReadTokens],
    finish: finish === "tool-calls" ? "tools" : finish,
    pieces,
    native: response.messages,
  };
}

function vercel(about, connect, reasoning) {
  return {
    ...about,
    make(root, key, model) {
      const language = connect(root, key, model);
      return {
        async ask(ask) {
          if (!ask.stream) return read(await generateText(fields(language, ask, reasoning)), 1);
          let failed;
          const result = streamText({ ...fields(language, ask, reasoning), onError: ({ error }) => (failed = error) });
          let pieces = 0;
          for await (const part of result.fullStream) {
            if (part.type === "text-delta") pieces += 1;
            if (part.type === "error") failed ??= part.error;
          }
          if (failed) throw failed;
          return read(result, pieces);
        },
        async leave(ask) {
          const leaving = new AbortController();
          const result = streamText({ ...fields(language, ask, reasoning), abortSignal: leaving.signal, onError() {} });
          for await (const part of result.fullStream) {
            if (part.type === "text-delta" && part.text) {
              leaving.abort();
              return part.text;
            }
          }
        },
        problem(error) {
          if (!APICallError.isInstance(error)) return { message: String(error?.message ?? JSON.stringify(error)) };
          const message = `${error.message} ${error.responseBody ?? ""}`;
          return { status: error.statusCode, message, retryAfter: error.responseHeaders?.["retry-after"] };
        },
      };
    },
  };
}

const openaiOptions = { openai: { reasoningEffort: "medium", forceReasoning: true } };

export const clients = [
  vercel(
    {
      name: "ai + @ai-sdk/openai (chat)", dialect: "chat", showsThoughts: false,
      losesProofs: "the provider keeps only what OpenAI's own chat answers hold",
    },
    (root, key, model) => createOpenAI({ baseURL: `${root}/v1`, apiKey: key }).chat(model),
    openaiOptions,
  ),
  vercel(
    { name: "ai + @ai-sdk/openai (responses)", dialect: "responses", lacks: ["stop"] },
    (root, key, model) => createOpenAI({ baseURL: `${root}/v1`, apiKey: key }).responses(model),
    {
      openai: {
        ...openaiOptions.openai, store: false, reasoningSummary: "auto", include: ["reasoning.encrypted_content"],
      },
    },
  ),
  vercel(
    { name: "ai + @ai-sdk/anthropic", dialect: "anthropic" },
    (root, key, model) => createAnthropic({ baseURL: `${root}/v1`, apiKey: key })(model),
    { anthropic: { thinking: { type: "enabled", budgetTokens: 2048 } } },
  ),
  vercel(
    { name: "ai + @ai-sdk/google", dialect: "gemini" },
    (root, key, model) => createGoogleGenerativeAI({ baseURL: `${root}/v1beta`, apiKey: key })(model),
    { google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } } },
  ),
];
