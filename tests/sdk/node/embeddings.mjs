// Embeddings: one and many texts, as numbers and as base64.

import { EMBEDDING_MODEL, client, expect } from "./suite.mjs";

const cosine = (left, right) => {
  const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
  return dot(left, right) / Math.sqrt(dot(left, left) * dot(right, right));
};

export async function embedsOneText() {
  // The SDK asks for base64 by itself and decodes it.
  const answer = await client().embeddings.create({ model: EMBEDDING_MODEL, input: "a small cat" });
  expect(answer.data.length === 1 && answer.data[0].embedding.length > 100, answer.usage);
  expect(answer.usage.prompt_tokens > 0, answer.usage);
}

export async function embedsAsNumbersAndBase64Alike() {
  const ask = (encoding_format) =>
    client().embeddings.create({ model: EMBEDDING_MODEL, input: "a small cat", ...(encoding_format && { encoding_format }) });
  const [plain, numbers] = await Promise.all([ask(), ask("float")]);
  expect(cosine(plain.data[0].embedding, numbers.data[0].embedding) > 0.9999, "they differ");
}

export async function embedsManyTextsInOrder() {
  const input = ["a small cat", "quarterly tax return", "a small cat"];
  const { data } = await client().embeddings.create({ model: EMBEDDING_MODEL, input });
  expect(data.map((item) => item.index).join() === "0,1,2", data.length);
  const [first, second, third] = data.map((item) => item.embedding);
  expect(cosine(first, third) > 0.999 && cosine(first, second) < 0.999, "order or values are wrong");
}
