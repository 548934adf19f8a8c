// Structured output: JSON schema, parsed by the SDK, streamed, and plain JSON mode.

import { MODEL, client, expect, user } from "./suite.mjs";

const PET = {
  type: "object",
  properties: { kind: { enum: ["cat", "dog"] }, legs: { enum: [2, 4] } },
  required: ["kind", "legs"],
  additionalProperties: false,
};
const SCHEMA = { type: "json_schema", json_schema: { name: "pet", strict: true, schema: PET } };
const REQUEST = { model: MODEL, messages: user("Describe a cat."), max_tokens: 60, temperature: 0 };

const isPet = (pet) => ["cat", "dog"].includes(pet.kind) && [2, 4].includes(pet.legs);

export async function fitsTheSchema() {
  const answer = await client().chat.completions.create({ ...REQUEST, response_format: SCHEMA });
  expect(isPet(JSON.parse(answer.choices[0].message.content)), answer);
}

export async function isParsedByTheSdk() {
  const format = { ...SCHEMA, $brand: "auto-parseable-response-format", $parseRaw: JSON.parse };
  const answer = await client().chat.completions.parse({ ...REQUEST, response_format: format });
  expect(isPet(answer.choices[0].message.parsed), answer);
}

export async function streamsToTheSchema() {
  const stream = client().chat.completions.stream({ ...REQUEST, response_format: SCHEMA });
  const final = await stream.finalChatCompletion();
  expect(isPet(JSON.parse(final.choices[0].message.content)), final);
}

export async function isJsonInJsonMode() {
  const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"], additionalProperties: false };
  const answer = await client().chat.completions.create({
    ...REQUEST,
    messages: user('Answer in JSON, exactly {"ok": true}.'),
    // The engine's own field keeps a small model from rambling inside valid JSON.
    response_format: { type: "json_object", schema },
  });
  expect(typeof JSON.parse(answer.choices[0].message.content).ok === "boolean", answer);
}
