"""Pointsman's own headers, read through the SDK's raw responses."""

from openai import NotFoundError

from suite import EMBEDDING_MODEL, MODEL, case, client, expect, raises, user

ON_EVERY_ANSWER = ("request-id", "model", "provider", "attempts")


def own(headers) -> dict[str, str]:
    """Pointsman's headers, without their prefix."""
    prefix = "x-pointsman-"
    return {name.lower().removeprefix(prefix): value for name, value in headers.items() if name.lower().startswith(prefix)}


@case
def plain_answers_say_who_answered() -> None:
    response = client().chat.completions.with_raw_response.create(model=MODEL, messages=user("Hi"), max_tokens=4)
    seen = own(response.headers)
    expect(all(seen.get(name) for name in ON_EVERY_ANSWER), seen)
    provider, model = MODEL.split("/", 1)
    expect(seen["provider"] == provider and seen["model"].endswith(model), seen)
    expect(seen["attempts"] == "1", seen)
    expect(int(seen["overhead-us"]) >= 0, seen)
    expect(response.parse().choices, "the body is still there")


@case
def a_local_answer_costs_nothing() -> None:
    response = client().chat.completions.with_raw_response.create(model=MODEL, messages=user("Hi"), max_tokens=4)
    expect(float(own(response.headers)["cost-usd"]) == 0.0, own(response.headers))


@case
def streams_say_what_is_known_at_the_first_byte() -> None:
    response = client().chat.completions.with_raw_response.create(
        model=MODEL, messages=user("Hi"), max_tokens=4, stream=True
    )
    seen = own(response.headers)
    expect(all(seen.get(name) for name in ON_EVERY_ANSWER), seen)
    expect(list(response.parse()), "the stream is still there")


@case
def embeddings_say_who_answered() -> None:
    response = client().embeddings.with_raw_response.create(model=EMBEDDING_MODEL, input="x")
    expect(own(response.headers)["provider"] == EMBEDDING_MODEL.split("/", 1)[0], own(response.headers))


@case
def errors_carry_the_request_id() -> None:
    error = raises(
        NotFoundError, lambda: client().chat.completions.create(model="no-such-model", messages=user("Hi"))
    )
    expect(own(error.response.headers).get("request-id"), dict(error.response.headers))


@case
def request_ids_differ() -> None:
    ids = {
        own(client().models.with_raw_response.list().headers).get("request-id") or number
        for number in range(3)
    }  # fmt: skip
    expect(len(ids) == 3, ids)
