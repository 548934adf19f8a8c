// What clients and mocks agree on, for Node: see ../shared.py, whose twin this is.

import { createHash } from "node:crypto";

/** What JSON, SSE, NDJSON and shells stumble over. */
export const NASTY = 'é "q" \\ \n\t{}[]</s> 🦀 \u2028';

const sha256 = (data) => createHash("sha256").update(data).digest();

/** The words that select a scenario. */
export const marker = (scenario, nonce) => `[[${scenario} ${nonce}]]`;

/** Twelve hexadecimal digits that stand for bytes. */
export const hash = (data) => sha256(data).toString("hex").slice(0, 12);

/** Twelve hexadecimal digits that stand for a JSON value. */
export const digest = (value) => hash(sorted(value));

/** JSON with members in order and without white space. */
function sorted(value) {
  if (Array.isArray(value)) return `[${value.map(sorted).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${sorted(value[key])}`);
  return `{${members.join(",")}}`;
}

/** A number that follows from the seed. */
export const number = (seed) => sha256(seed).readUInt32BE(0);

/** What a schema says in every vendor's subset. */
export function essence(schema, top = true) {
  const out = {};
  const kind = Array.isArray(schema.type) ? schema.type.find((one) => one.toLowerCase() !== "null") : schema.type;
  if (kind) out.type = kind.toLowerCase();
  if (schema.description !== undefined && !top) out.description = schema.description;
  if (schema.enum) out.enum = schema.enum;
  if (schema.properties && Object.keys(schema.properties).length) {
    const members = Object.entries(schema.properties).map(([name, sub]) => [name, essence(sub, false)]);
    out.properties = Object.fromEntries(members);
    out.required = [...(schema.required ?? [])].sort();
  }
  if (schema.items) out.items = essence(schema.items, false);
  return out;
}

/** A value of the schema that follows from the schema and the seed. */
export function sample(schema, seed) {
  const value = number(seed);
  if (schema.enum) return schema.enum[value % schema.enum.length];
  switch (schema.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, sub]) => [name, sample(sub, `${seed}.${name}`)]),
      );
    case "array":
      return [0, 1].map((at) => sample(schema.items ?? { type: "string" }, `${seed}.${at}`));
    case "integer":
      return value % 9973;
    case "number":
      return (value % 997) + 0.5;
    case "boolean":
      return value % 2 === 1;
    default:
      return `${value.toString(16).padStart(8, "0")} ${NASTY}`;
  }
}

/** What a mock thinks. */
export const thought = (nonce) => `pondering ${number(`thought${nonce}`).toString(16).padStart(8, "0")}`;

/** The signature or cipher of a mock's thought. */
export const proof = (nonce) => sha256(`proof${nonce}`).toString("base64");

/** The tokens that a mock says it used. */
export function usage(nonce) {
  const spread = number(`usage${nonce}`) % 50;
  return { input: 120 + spread, cached: 16 + (spread % 7), output: 40 + spread };
}

/** A call in the words of the test engine's template. */
export const called = (city) => `<tool_call>\n{"name": "get_weather", "arguments": {"city": "${city}"}}\n</tool_call>`;
