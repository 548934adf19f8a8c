// The model list, and one model of it.

import { EMBEDDING_MODEL, MODEL, client, expect, rejects, sdk } from "./suite.mjs";

export async function listsWhatCanBeAskedFor() {
  const names = [];
  for await (const model of client().models.list()) names.push(model.id);
  expect(names.includes(MODEL) && names.includes(EMBEDDING_MODEL), names);
  expect(new Set(names).size === names.length, names);
}

export async function retrievesOne() {
  const model = await client().models.retrieve(MODEL);
  expect(model.id === MODEL && model.object === "model" && model.owned_by, model);
}

export async function doesNotFindAnother() {
  const error = await rejects(sdk.NotFoundError, () => client().models.retrieve("no-such-model"));
  expect(error.code === "model_not_found", error);
}
