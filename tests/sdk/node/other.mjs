// The Responses API of a provider that has it, and a path that nobody serves and a route lets through.

import { MEDIA_MODEL, client, expect, rejects, sdk } from "./suite.mjs";

// What the provider is asked for.
const UPSTREAM_MODEL = MEDIA_MODEL.split("/").slice(1).join("/");

export async function aResponse() {
  const { data, response } = await client().responses.create({ model: MEDIA_MODEL, input: "hello" }).withResponse();
  expect(response.headers.get("x-pointsman-provider") === MEDIA_MODEL.split("/")[0], [...response.headers]);
  expect(data.output_text === `${UPSTREAM_MODEL} heard hello` && data.usage.total_tokens === 16, data);
}

export async function aResponseInEvents() {
  const kinds = [];
  const stream = await client().responses.create({ model: MEDIA_MODEL, input: "hello", stream: true });
  for await (const event of stream) kinds.push(event.type);
  expect(kinds[0] === "response.created" && kinds.slice(-2).join() === "response.output_text.delta,response.completed", kinds);
}

export async function aPathThatNoSdkKnows() {
  const seen = await client().get("/things/t-1", { query: { a: "b/c" } });
  expect(seen.id === "t-1" && seen.target === "/v1/things/t-1?a=b%2Fc", seen);
}

export async function whatNoRuleNamesIsNotThere() {
  for (const ask of [() => client().vectorStores.list(), () => client().get("/things/a/b")]) {
    const error = await rejects(sdk.NotFoundError, ask);
    expect(error.code === "unknown_path", error);
  }
}
