// The official Google GenAI SDK for Node.

import { load } from "./frame.mjs";

const { ApiError, FunctionCallingConfigMode, GoogleGenAI } = await load("@google/genai");

function contents(turns) {
  return turns.flatMap(([role, content]) => {
    switch (role) {
      case "user": {
        const parts = content.map((part) =>
          typeof part === "string"
            ? { text: part }
            : { inlineData: { mimeType: "image/png", data: part.toString("base64") } },
        );
        return [{ role, parts }];
      }
      case "assistant":
        return [{ role: "model", parts: [{ text: content }] }];
      case "answer":
        return [{ role: "model", parts: content.native }];
      case "results": {
        const parts = content.map(([call, response]) => ({
          functionResponse: { ...(call.given && { id: call.given }), name: call.name, response },
        }));
        return [{ role: "user", parts }];
      }
      default:
        return [];
    }
  });
}

function fields(model, ask, abortSignal) {
  const config = { maxOutputTokens: ask.limit, abortSignal };
  const system = ask.turns.find(([role]) => role === "system");
  if (system) config.systemInstruction = system[1];
  if (ask.tools) {
    const functions = ask.tools.map((tool) => ({
      name: tool.name, description: tool.description, parametersJsonSchema: tool.schema,
    }));
    config.tools = [{ functionDeclarations: functions }];
  }
  if (ask.choice) config.toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } };
  if (ask.schema) Object.assign(config, { responseMimeType: "application/json", responseJsonSchema: ask.schema });
  if (ask.reasoning) config.thinkingConfig = { includeThoughts: true, thinkingBudget: 2048 };
  if (ask.temperature !== undefined) config.temperature = ask.temperature;
  if (ask.stop) config.stopSequences = ask.stop;
  return { model, contents: contents(ask.turns), config };
}

function read(chunks) {
  const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
  const calls = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
  const use = chunks.findLast((chunk) => chunk.usageMetadata)?.usageMetadata;
  const reason = chunks.findLast((chunk) => chunk.candidates?.[0]?.finishReason)?.candidates[0].finishReason;
  return {
    text: parts.filter((part) => part.text && !part.thought).map((part) => part.text).join(""),
    // Where the vendor gives no id, place and name are all there is.
    calls: calls.map((call, at) => ({ id: call.id ?? `#${at}`, given: call.id, name: call.name, arguments: call.args })),
    thought: parts.filter((part) => part.text && part.thought).map((part) => part.text).join(""),
    usage: use && [
      use.promptTokenCount, (use.candidatesTokenCount ?? 0) + (use.thoughtsTokenCount ?? 0), use.cachedContentTokenCount ?? 0,
    ],
    finish: reason === "STOP" ? "stop" : reason,
    pieces: chunks.length,
    native: parts,
  };
}

const google = {
  name: "@google/genai",
  dialect: "gemini",
  make(root, key, model) {
    const sdk = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: root } });
    return {
      async ask(ask) {
        if (!ask.stream) return read([await sdk.models.generateContent(fields(model, ask))]);
        const chunks = [];
        for await (const chunk of await sdk.models.generateContentStream(fields(model, ask))) chunks.push(chunk);
        return read(chunks);
      },
      async leave(ask) {
        const leaving = new AbortController();
        const stream = await sdk.models.generateContentStream(fields(model, ask, leaving.signal));
        const { value } = await stream.next();
        leaving.abort();
        return value.text;
      },
      problem(error) {
        if (!(error instanceof ApiError)) throw error;
        // This SDK hands no headers out.
        return { status: error.status, message: error.message };
      },
    };
  },
};

export const clients = [google];
