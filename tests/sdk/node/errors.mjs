// Errors reach the caller as the SDK's own exceptions, with code and message.

import { BASE_URL, EMBEDDING_MODEL, LIMITED_KEY, MODEL, client, expect, rejects, sdk, user } from "./suite.mjs";

const chat = (fields = {}, overrides = {}) =>
  client(overrides).chat.completions.create({ model: MODEL, messages: user("Hi"), max_tokens: 4, ...fields });

export async function unknownModelIsNotFound() {
  const error = await rejects(sdk.NotFoundError, () => chat({ model: "no-such-model" }));
  expect(error.status === 404 && error.code === "model_not_found" && error.param === "model", error);
  expect(error.type === "invalid_request_error" && error.message.includes("no-such-model"), error);
}

export async function unknownModelIsNotFoundWhenStreamed() {
  const error = await rejects(sdk.NotFoundError, () => chat({ model: "no-such-model", stream: true }));
  expect(error.code === "model_not_found", error);
}

export async function wrongKeyIsRefused() {
  const error = await rejects(sdk.AuthenticationError, () => chat({}, { apiKey: "not-a-key" }));
  expect(error.status === 401 && error.code === "invalid_api_key", error);
  expect(!error.message.includes("not-a-key"), error);
}

export async function aLimitedKeyIsKeptToItsModels() {
  const openai = client({ apiKey: LIMITED_KEY });
  const vectors = await openai.embeddings.create({ model: EMBEDDING_MODEL, input: "x" });
  expect(vectors.data.length === 1, vectors);
  const error = await rejects(sdk.PermissionDeniedError, () => chat({}, { apiKey: LIMITED_KEY }));
  expect(error.status === 403 && error.code === "model_not_allowed", error);
}

export async function theEngineMayRefuseARequest() {
  const error = await rejects(sdk.BadRequestError, () => chat({ messages: undefined }));
  expect(error.status === 400 && error.message.includes("messages"), error);
}

export async function aMissingModelIsRefused() {
  const error = await rejects(sdk.BadRequestError, () => chat({ model: undefined }));
  expect(error.param === "model", error);
}

export async function aWrongPathNamesTheRightOne() {
  const error = await rejects(sdk.NotFoundError, () => chat({}, { baseURL: BASE_URL.replace(/\/v1$/, "") }));
  expect(error.message.includes("/v1/chat/completions"), error);
}

export async function anImpatientClientTimesOutAndHarmsNobody() {
  // The engine's own switch: without it a small model may end its story before the patience does.
  const long = { messages: user("Tell a story."), max_tokens: 1500, ignore_eos: true };
  await rejects(sdk.APIConnectionTimeoutError, () => chat(long, { timeout: 300 }));
  expect((await chat()).choices.length === 1, "the next answer");
}

export async function aRequestCanBeAborted() {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 200);
  const request = { model: MODEL, messages: user("Tell a long story."), max_tokens: 1500 };
  await rejects(sdk.APIUserAbortError, () =>
    client().chat.completions.create(request, { signal: controller.signal }),
  );
}
