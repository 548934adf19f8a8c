"""The model list, and one model of it."""

from openai import NotFoundError

from suite import EMBEDDING_MODEL, MODEL, async_client, case, client, expect, raises


@case
def lists_what_can_be_asked_for() -> None:
    names = [model.id for model in client().models.list()]
    expect(MODEL in names and EMBEDDING_MODEL in names, names)
    expect(len(names) == len(set(names)), names)


@case
async def lists_asynchronously() -> None:
    async with async_client() as openai:
        names = [model.id async for model in openai.models.list()]
    expect(MODEL in names, names)


@case
def retrieves_one() -> None:
    # The id holds a slash, which the SDK escapes.
    model = client().models.retrieve(MODEL)
    expect(model.id == MODEL and model.object == "model" and model.owned_by, model)


@case
def does_not_find_another() -> None:
    error = raises(NotFoundError, lambda: client().models.retrieve("no-such-model"))
    expect(error.code == "model_not_found", error)
