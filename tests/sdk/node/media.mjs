// Images, audio and moderations: JSON and forms in, JSON, text and bytes out.

import { MEDIA_MODEL, client, expect, rejects, sdk } from "./suite.mjs";

const SOUND_BYTES = 100_000;
const UPSTREAM_MODEL = MEDIA_MODEL.split("/").slice(1).join("/");
const recording = (text = "a recording") => sdk.toFile(Buffer.from(text), "a.mp3", { type: "audio/mpeg" });

export async function moderates() {
  const answer = await client().moderations.create({ model: MEDIA_MODEL, input: "bad" });
  expect(answer.results[0].flagged && answer.model === UPSTREAM_MODEL, answer);
}

export async function makesImages() {
  const answer = await client().images.generate({ model: MEDIA_MODEL, prompt: "a cat" });
  expect(Buffer.from(answer.data[0].b64_json, "base64").subarray(1, 4).toString() === "PNG", answer);
  expect(answer.usage.total_tokens === 16, answer);
}

export async function editsImages() {
  const image = await sdk.toFile(Buffer.alloc(200_000, 1), "cat.png", { type: "image/png" });
  const answer = await client().images.edit({ model: MEDIA_MODEL, image, prompt: "two cats" });
  expect(answer.data[0].b64_json === "two cats", answer);
}

export async function transcribesAnUpload() {
  const answer = await client().audio.transcriptions.create({ model: MEDIA_MODEL, file: await recording() });
  expect(answer.text === `${UPSTREAM_MODEL} of a recording`, answer);
}

export async function transcribesALongUploadAsText() {
  const spoken = "long ".repeat(200_000);
  const request = { model: MEDIA_MODEL, file: await recording(spoken), response_format: "text" };
  const answer = await client().audio.transcriptions.create(request);
  expect(answer === `${UPSTREAM_MODEL} of ${spoken}\n`, answer.length);
}

export async function translates() {
  const answer = await client().audio.translations.create({ model: MEDIA_MODEL, file: await recording("eine Aufnahme") });
  expect(answer.text === `${UPSTREAM_MODEL} of eine Aufnahme`, answer);
}

export async function downloadsSpeech() {
  const answer = await client().audio.speech.create({ model: MEDIA_MODEL, voice: "alloy", input: "hello" });
  expect(answer.headers.get("content-type") === "audio/mpeg", [...answer.headers]);
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(bytes.length === SOUND_BYTES && bytes[0] === 0xff && bytes.at(-1) === 0x0d, bytes.length);
}

export async function errorsAreThoseOfChat() {
  const error = await rejects(sdk.NotFoundError, async () =>
    client().audio.transcriptions.create({ model: "media/none", file: await recording() }),
  );
  expect(error.code === "model_not_found" && error.param === "model", error);
}
