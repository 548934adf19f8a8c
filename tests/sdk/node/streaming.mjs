// Streamed chat: content, usage only where asked for, helpers, and leaving early.

import { MODEL, client, expect, textOf, user } from "./suite.mjs";

const short = (fields = {}) => ({ model: MODEL, messages: user("Hi"), max_tokens: 4, stream: true, ...fields });

export async function streamsContent() {
  const chunks = [];
  for await (const chunk of await client().chat.completions.create(short({ max_tokens: 12 }))) chunks.push(chunk);
  expect(chunks.every((chunk) => chunk.object === "chat.completion.chunk"), chunks);
  expect(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), chunks);
  expect(["stop", "length"].includes(chunks.at(-1).choices[0].finish_reason), chunks.at(-1));
}

export async function saysTheSameAsThePlainAnswer() {
  const request = { model: MODEL, messages: user("Name three fruits."), max_tokens: 24, temperature: 0, seed: 1 };
  const plain = await client().chat.completions.create(request);
  const streamed = await textOf(await client().chat.completions.create({ ...request, stream: true }));
  expect(streamed === plain.choices[0].message.content, [streamed, plain]);
}

export async function keepsUsageToItselfUnlessAsked() {
  for (const stream_options of [undefined, { include_usage: false }]) {
    for await (const chunk of await client().chat.completions.create(short({ stream_options }))) {
      expect(chunk.choices.length > 0 && !chunk.usage, chunk);
    }
  }
}

export async function endsWithUsageWhereAsked() {
  const chunks = [];
  const stream = await client().chat.completions.create(short({ stream_options: { include_usage: true } }));
  for await (const chunk of stream) chunks.push(chunk);
  expect(chunks.at(-1).choices.length === 0 && chunks.at(-1).usage.completion_tokens > 0, chunks.at(-1));
  expect(chunks.slice(0, -1).every((chunk) => chunk.choices.length > 0), chunks);
}

export async function feedsTheStreamHelper() {
  const stream = client().chat.completions.stream({ model: MODEL, messages: user("Say hello."), max_tokens: 12 });
  let text = "";
  stream.on("content", (part) => (text += part));
  const final = await stream.finalChatCompletion();
  expect(text && final.choices[0].message.content === text, final);
}

export async function survivesAClientThatLeaves() {
  const openai = client();
  const stream = await openai.chat.completions.create(
    short({ messages: user("Tell a story."), max_tokens: 400 }),
  );
  for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
  stream.controller.abort();
  const answer = await openai.chat.completions.create({ model: MODEL, messages: user("Hi"), max_tokens: 4 });
  expect(answer.choices.length === 1, answer);
}

export async function streamsSideBySide() {
  const openai = client();
  const ask = async (text) => textOf(await openai.chat.completions.create(short({ messages: user(text), max_tokens: 8 })));
  const texts = await Promise.all(["one", "two", "three", "four"].map((word) => ask(`Say ${word}.`)));
  expect(texts.every(Boolean), texts);
}
