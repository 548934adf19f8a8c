// Pointsman's own headers, read through the SDK's raw responses.

import { MODEL, client, expect, rejects, sdk, user } from "./suite.mjs";

const PREFIX = "x-pointsman-";
const own = (headers) =>
  Object.fromEntries(
    [...headers].filter(([name]) => name.startsWith(PREFIX)).map(([name, value]) => [name.slice(PREFIX.length), value]),
  );
const ON_EVERY_ANSWER = ["request-id", "model", "provider", "attempts"];
const REQUEST = { model: MODEL, messages: user("Hi"), max_tokens: 4 };

export async function plainAnswersSayWhoAnswered() {
  const { data, response } = await client().chat.completions.create(REQUEST).withResponse();
  const seen = own(response.headers);
  expect(ON_EVERY_ANSWER.every((name) => seen[name]), seen);
  expect(seen.provider === MODEL.split("/")[0] && seen.attempts === "1", seen);
  expect(Number(seen["overhead-us"]) >= 0 && Number(seen["cost-usd"]) === 0, seen);
  expect(data.choices.length === 1, data);
}

export async function streamsSayWhatIsKnownAtTheFirstByte() {
  const { data, response } = await client().chat.completions.create({ ...REQUEST, stream: true }).withResponse();
  const seen = own(response.headers);
  expect(ON_EVERY_ANSWER.every((name) => seen[name]), seen);
  for await (const chunk of data) expect(chunk.choices.length === 1, chunk);
}

export async function errorsCarryTheRequestId() {
  const error = await rejects(sdk.NotFoundError, () =>
    client().chat.completions.create({ ...REQUEST, model: "no-such-model" }),
  );
  expect(own(error.headers)["request-id"], [...error.headers]);
}
