// The frame of the Node SDK tests: what a case is, how cases are run, and what they run against.
//
// The environment names the server: BASE_URL (ending in /v1), API_KEY, MODEL (chat), EMBEDDING_MODEL, MEDIA_MODEL
// (everything else), and LIMITED_KEY, a key that may use EMBEDDING_MODEL only;
// NODE_MODULES is the folder that holds the SDK. Each executed case prints one JSON line:
// {"case": NAME, "ok": BOOL, "seconds": NUMBER, "error": TEXT or null}. See run.mjs.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/`);
export const sdk = require("openai");

export const { BASE_URL, API_KEY, MODEL, EMBEDDING_MODEL, MEDIA_MODEL, LIMITED_KEY } = process.env;
// Generous: two cores may run an engine, a gateway and a compiler at once.
const TIMEOUT_MS = 60_000;

/** A client that never retries by itself: what is tested is one request. */
export function client(overrides = {}) {
  return new sdk.OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, timeout: TIMEOUT_MS, maxRetries: 0, ...overrides });
}

/** A conversation of one user message. */
export const user = (content) => [{ role: "user", content }];

/** Throws with what was seen, unless the condition holds. */
export function expect(condition, seen) {
  if (!condition) throw new Error(`unexpected: ${seen instanceof Error ? seen.stack : JSON.stringify(seen)}`);
}

/** The error of class `kind` that `call` must reject with. */
export async function rejects(kind, call) {
  let seen;
  try {
    seen = await call();
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`no ${kind.name}, but ${JSON.stringify(seen)}`);
}

/** The text of a chat stream. */
export async function textOf(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  return text;
}

/** Runs the functions that a module exports, in order; true where all held. */
export async function runModule(name, cases) {
  let held = true;
  for (const [key, run] of Object.entries(cases)) {
    const begun = performance.now();
    let error = null;
    try {
      await run();
    } catch (caught) {
      error = caught?.stack ?? String(caught);
      held = false;
    }
    const seconds = Math.round(performance.now() - begun) / 1000;
    console.log(JSON.stringify({ case: `${name}.${key}`, ok: error === null, seconds, error }));
  }
  return held;
}
