// The frame of the Node suites: what a client is, what every client is asked to do, and how that is judged. It is the
// twin of ../python/frame.py, which says more; the lines that it prints are the same.
//
// A client: { name, dialect, cannot, showsThoughts, losesProofs, lacks, hidesStreamUsage, make(root, key, model) }, and what
// `make` returns: { ask(ask), leave(ask), problem(error) }.
// An ask: { turns, stream, tools, choice, schema, reasoning, limit, temperature, stop }, turns being
// ["system", text], ["user", [text or Buffer, …]], ["assistant", text], ["answer", answer], ["results", [[call, value], …]].
// An answer: { text, calls: [{ id, name, arguments }], thought, usage: [input, output, cached], finish, pieces, native }.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { crc32, deflateSync } from "./png.mjs";
import * as shared from "./shared.mjs";

export const require = createRequire(`${process.env.NODE_MODULES}/`);
export const UPSTREAMS = ["chat", "responses", "anthropic", "gemini", "ollama"];
export const ENGINES = ["engine-chat", "engine-messages"];
export const TIMEOUT_MS = 30_000;
const CLOSED_WITHIN_MS = 5_000;
const UNSAYABLE = { responses: ["stop"], ollama: ["choice"] };
const OWN_IDEAS = ["limit", "temperature", "stop"];
const PROVEN = ["responses", "anthropic", "gemini"];
const TOLD = { 400: 400, 401: 502, 429: 429, 500: 502 };

/** Something that nobody can guess. */
export const word = () => `w${randomBytes(4).toString("hex")}`;

/** A package's exports by name, however it is packed. */
export const load = (name) => import(require.resolve(name));

class Case {
  constructor(kind, client, upstream, direct) {
    Object.assign(this, { kind, client, upstream, direct, nonce: "" });
  }

  fresh(scenario) {
    this.nonce = randomBytes(6).toString("hex");
    return `${shared.marker(scenario, this.nonce)} ${word()} ${shared.NASTY}`;
  }

  async told(text, expected) {
    let seen;
    try {
      seen = JSON.parse(text);
    } catch {
      throw new Error(`the answer is no digest: ${text}`);
    }
    const mute = [...(UNSAYABLE[this.upstream] ?? []), ...(this.kind.lacks ?? [])];
    const wanted = Object.entries(expected).filter(([key, value]) => value?.length !== 0 && !mute.includes(key));
    const wrong = wanted.filter(([key, value]) => seen[key] !== shared.digest(value)).map(([key]) => key);
    const known = [...wanted.map(([key]) => key), ...OWN_IDEAS];
    const strange = Object.keys(seen).filter((key) => !known.includes(key));
    if (wrong.length || strange.length) {
      throw new Error(`lost or changed: ${wrong}; from nowhere: ${strange}; ${await this.seen()}`);
    }
  }

  async seen() {
    const kept = await (await fetch(`${process.env.MOCK_URL}/_mock/seen/${this.nonce}`)).json();
    return `the upstream read ${JSON.stringify(kept.at(-1)?.body ?? null)}`;
  }

  usage(seen) {
    const use = shared.usage(this.nonce);
    const cached = this.upstream === "ollama" ? 0 : use.cached;
    assert.deepEqual(seen?.slice(0, 2), [use.input, use.output], "usage");
    if (seen[2] !== undefined) assert.equal(seen[2], cached, "cached tokens");
  }
}

/** A valid PNG of random pixels. */
function picture() {
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const rows = Buffer.concat(Array.from({ length: 16 }, () => Buffer.concat([Buffer.from([0]), randomBytes(48)])));
  const head = Buffer.from([0, 0, 0, 16, 0, 0, 0, 16, 8, 2, 0, 0, 0]);
  const start = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([start, chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

/** An object schema with random names, words and descriptions. */
function schema() {
  const closed = (properties) => ({
    type: "object", properties, required: Object.keys(properties), additionalProperties: false,
  });
  return closed({
    [word()]: { type: "string", description: `${word()} ${shared.NASTY}` },
    [word()]: { type: "integer", description: word() },
    [word()]: { type: "string", enum: [word(), word(), word()] },
    [word()]: { type: "array", items: { type: "string" } },
    [word()]: closed({ [word()]: { type: "boolean" }, [word()]: { type: "number" } }),
  });
}

const tools = (count) =>
  Array.from({ length: count }, () => ({ name: `look_${word()}`, description: `Looks ${word()}`, schema: schema() }));

async function chat(c, stream = false) {
  const [system, before, said] = [word(), word() + shared.NASTY, word()];
  const prompt = c.fresh("text");
  const stop = [word(), "\n#"];
  const turns = [["system", system], ["user", [before]], ["assistant", said], ["user", [prompt]]];
  const answer = await c.client.ask({ turns, stream, limit: 1234, temperature: 0.5, stop });
  const viewed = [["user", before], ["assistant", said], ["user", prompt]];
  await c.told(answer.text, { system, turns: viewed, limit: 1234, temperature: 0.5, stop });
  if (!(stream && c.kind.hidesStreamUsage)) c.usage(answer.usage);
  assert.equal(answer.finish, "stop");
  assert.deepEqual(answer.calls, []);
  if (stream) assert.ok(answer.pieces > 3, `streamed in ${answer.pieces} pieces`);
}

async function talk(c, scenario, functions, called, stream, reasoning = false) {
  const [system, prompt] = [word(), c.fresh(scenario)];
  const turns = [["system", system], ["user", [prompt]]];
  const common = { stream, tools: functions, reasoning, limit: 8192 };
  const first = await c.client.ask({ ...common, turns, choice: reasoning ? undefined : "any" });
  const wanted = called.map((at, n) => [functions[at].name, shared.sample(functions[at].schema, `${c.nonce}${n}`)]);
  const seen = first.calls.map((call) => [call.name, call.arguments]);
  assert.deepEqual(seen, wanted, "calls");
  assert.equal(new Set(first.calls.map((call) => call.id)).size, called.length, "ids of calls are not unique");
  if (reasoning && c.kind.showsThoughts !== false) assert.equal(first.thought, shared.thought(c.nonce), "thought");
  const values = called.map((_, n) => ({ [word()]: word() + shared.NASTY, n }));
  turns.push(["answer", first], ["results", first.calls.map((call, n) => [call, values[n]])]);
  const second = await c.client.ask({ ...common, turns });
  const viewed = functions.map((tool) => ({ ...tool, schema: shared.essence(tool.schema) }));
  const told = {
    system, turns: [["user", prompt]], tools: viewed, calls: wanted,
    results: wanted.map(([name], n) => [name, values[n]]),
  };
  if (reasoning) {
    told.proofs = PROVEN.includes(c.upstream) && !c.kind.losesProofs ? [shared.proof(c.nonce)] : [];
    // Without the proof some upstreams take no thoughts at all for the rest of the turn.
    if (!(c.kind.losesProofs && JSON.parse(second.text).reasoning === undefined)) told.reasoning = true;
  }
  await c.told(second.text, told);
}

async function both(run) {
  for (const stream of [false, true]) await run(stream);
}

async function images(c) {
  const [prompt, first, second, after] = [c.fresh("images"), picture(), picture(), word()];
  const answer = await c.client.ask({ turns: [["user", [prompt, first, second, after]]], limit: 4096 });
  await c.told(answer.text, { turns: [["user", (prompt + after).replaceAll("\n", "")]], images: [first, second].map(shared.hash) });
}

async function structured(c, stream) {
  const [wanted, prompt] = [schema(), c.fresh("structured")];
  const answer = await c.client.ask({ turns: [["user", [prompt]]], stream, schema: wanted, limit: 4096 });
  assert.deepEqual(JSON.parse(answer.text), shared.sample(wanted, c.nonce));
}

async function errors(c) {
  for (const [status, told] of Object.entries(TOLD)) {
    const turns = [["user", [c.fresh(`error-${status}`)]]];
    const seen = await problem(c, { turns, limit: 4096 });
    assert.equal(seen.status, c.direct ? Number(status) : told, `status for ${status}: ${seen.message}`);
    if (status === "400" || status === "429") {
      assert.ok(seen.message.includes(c.nonce), `the words of the upstream are lost: ${seen.message}`);
    }
    if (status === "429" && seen.retryAfter !== undefined) assert.equal(seen.retryAfter, "7");
  }
  const turns = [["user", [c.fresh("error-mid")]]];
  const seen = await problem(c, { turns, stream: true, limit: 4096 });
  if (c.direct) assert.ok(seen.message.includes(c.nonce), `in a stream: ${seen.message}`);
}

async function problem(c, ask) {
  let answer;
  try {
    answer = await c.client.ask(ask);
  } catch (error) {
    return c.client.problem(error);
  }
  throw new Error(`no error, but ${JSON.stringify(answer)}`);
}

async function cancel(c) {
  const text = await c.client.leave({ turns: [["user", [c.fresh("slow")]]], stream: true, limit: 4096 });
  assert.ok(text, "nothing came before leaving");
  for (let waited = 0; waited < CLOSED_WITHIN_MS; waited += 20) {
    const { closed } = await (await fetch(`${process.env.MOCK_URL}/_mock/closed/${c.nonce}`)).json();
    if (closed) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error("the upstream's connection was not closed");
}

/** A real engine answers and calls a function: whatever it says, the form holds. */
async function engine(c, stream) {
  const common = { stream, temperature: 0 };
  const hello = [["system", "You are terse."], ["user", ["Say hello."]]];
  const answer = await c.client.ask({ ...common, turns: hello, limit: 64 });
  assert.ok(answer.text.trim(), `no text: ${JSON.stringify(answer)}`);
  const [input, output] = answer.usage ?? [];
  assert.ok(input > 5 && output > 0 && output < 64, `usage ${answer.usage}`);
  const city = { type: "string", description: "The city's name" };
  const form = { type: "object", properties: { city }, required: ["city"], additionalProperties: false };
  const tool = { name: "get_weather", description: "Tells the weather of a city.", schema: form };
  // What a small model is told to do, it does where it seems to have done so before.
  const turns = ["Rome", "Oslo"].flatMap((city) => [
    ["user", [`Weather in ${city}?`]], ["assistant", shared.called(city)],
  ]);
  turns.push(["user", ["Weather in Paris?"]]);
  const called = await c.client.ask({ ...common, turns, tools: [tool], choice: "any", limit: 64 });
  assert.deepEqual(called.calls.map((call) => [call.name, call.arguments]), [["get_weather", { city: "Paris" }]]);
  turns.push(["answer", called], ["results", [[called.calls[0], { sky: "clear", degrees: 21 }]]]);
  const last = await c.client.ask({ ...common, turns, tools: [tool], limit: 256 });
  assert.ok(last.text.trim() || last.calls.length, `nothing after the result: ${JSON.stringify(last)}`);
}

export const FEATURES = {
  chat: (c) => chat(c),
  stream: (c) => chat(c, true),
  tools: (c) => both((stream) => talk(c, "tools", tools(2), [0], stream)),
  "parallel tools": (c) => both((stream) => talk(c, "parallel", tools(2), [0, 1, 0], stream)),
  images,
  "structured output": (c) => both((stream) => structured(c, stream)),
  reasoning: (c) => both((stream) => talk(c, "reasoning", tools(1), [0], stream, true)),
  errors,
  cancel,
  engine: (c) => both((stream) => engine(c, stream)),
};

/** Runs the cells of one client and prints a line each. */
export async function run(kind, upstreams, features, direct) {
  for (const upstream of upstreams) {
    const root = direct ? `${process.env.MOCK_URL}/${kind.dialect}` : process.env.GATEWAY_URL;
    const client = await kind.make(root, process.env.API_KEY, direct ? "mock-1" : `via-${upstream}`);
    for (const feature of features) {
      const begun = performance.now();
      let [ok, error] = [true, null];
      if (kind.cannot?.[feature]) [ok, error] = [null, kind.cannot[feature]];
      else {
        try {
          await FEATURES[feature](new Case(kind, client, upstream, direct));
        } catch (caught) {
          [ok, error] = [false, describe(caught)];
        }
      }
      const seconds = Math.round(performance.now() - begun) / 1000;
      console.log(JSON.stringify({ client: kind.name, upstream, feature, ok, seconds, error, limits: limits(kind, feature) }));
    }
  }
}

/** What of a feature the SDK itself leaves out. */
function limits(kind, feature) {
  const lacked = { chat: ["stop"], tools: ["choice"] }[feature] ?? [];
  const found = lacked.filter((name) => kind.lacks?.includes(name)).map((name) => `no parameter for ${name}`);
  if (feature === "reasoning" && kind.losesProofs) found.push(kind.losesProofs);
  if (feature === "reasoning" && kind.showsThoughts === false) found.push("thoughts are not shown");
  return found.join("; ");
}

/** An error in one text; its last line says most. */
function describe(error) {
  const lines = [String(error?.stack ?? error)];
  for (let cause = error?.cause; cause; cause = cause.cause) lines.push(`because of ${cause.message ?? cause}`);
  if (error?.responseBody) lines.push(String(error.responseBody));
  return [...lines, String(error?.message ?? error).replaceAll("\n", " ")].join("\n");
}
