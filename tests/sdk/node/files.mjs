// Files and batches: made, found, listed, read and deleted through the SDK.

import { LIMITED_KEY, MEDIA_MODEL, client, expect, rejects, sdk } from "./suite.mjs";

const headers = { "x-pointsman-provider": MEDIA_MODEL.split("/")[0] };
const LINE = `${JSON.stringify({ custom_id: "1", method: "POST", url: "/v1/chat/completions", body: {} })}\n`;

async function upload(purpose = "batch", content = LINE, options = { headers }) {
  const file = await sdk.toFile(Buffer.from(content), "input.jsonl");
  return client().files.create({ file, purpose }, options);
}

export async function aFileLivesAndEnds() {
  const made = await upload("batch", LINE.repeat(1000));
  expect(made.bytes === LINE.length * 1000, made);
  expect((await client().files.retrieve(made.id)).id === made.id, made);
  expect((await (await client().files.content(made.id)).text()) === LINE.repeat(1000), made);
  expect((await client().files.delete(made.id)).deleted, made);
  const error = await rejects(sdk.NotFoundError, () => client().files.retrieve(made.id));
  expect(error.code === "object_not_found", error);
}

export async function aModelNamesTheProviderAsWell() {
  const made = await upload("batch", LINE, { headers: { "x-pointsman-provider": MEDIA_MODEL } });
  expect((await client().files.delete(made.id)).deleted, made);
}

export async function listsComeInPages() {
  const made = [await upload("vision"), await upload("evals"), await upload("vision")];
  const seen = [];
  for await (const file of client().files.list({ purpose: "vision", limit: 1 })) seen.push(file.id);
  expect(seen.join() === [made[2].id, made[0].id].join(), seen);
  const first = await client().files.list({ limit: 2, order: "asc" });
  expect(first.data.length === 2 && first.has_more && first.hasNextPage(), first);
  for (const file of made) await client().files.delete(file.id);
}

export async function aKeyForOneModelHasNoFiles() {
  await rejects(sdk.PermissionDeniedError, () => client({ apiKey: LIMITED_KEY }).files.list());
}

export async function aBatchGoesWhereItsInputIs() {
  const source = await upload();
  const { batches, files } = client();
  const request = { input_file_id: source.id, endpoint: "/v1/chat/completions", completion_window: "24h" };
  const made = await batches.create(request);
  expect(made.status === "validating" && made.input_file_id === source.id, made);
  const done = await batches.retrieve(made.id);
  expect(done.status === "completed", done);
  expect((await (await files.content(done.output_file_id)).text()) === '{"id":"out"}\n', done);
  const listed = [];
  for await (const batch of batches.list({ limit: 1 })) listed.push(batch.id);
  expect(listed.join() === made.id, listed);
  expect((await batches.cancel(made.id)).status === "cancelling", made);
}
