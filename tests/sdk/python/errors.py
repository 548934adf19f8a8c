"""Errors reach the caller as the SDK's own exceptions, with code and message."""

import json

import openai as sdk
from openai import APITimeoutError, AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError

from suite import API_KEY, BASE_URL, EMBEDDING_MODEL, LIMITED_KEY, MODEL, async_client, case, client, expect, raises, user


def chat(model: str = MODEL, **fields) -> object:
    """One short chat request."""
    return client().chat.completions.create(model=model, messages=user("Hi"), **({"max_tokens": 4} | fields))


@case
def unknown_model_is_not_found() -> None:
    error = raises(NotFoundError, lambda: chat("no-such-model"))
    expect(error.status_code == 404 and error.code == "model_not_found", error)
    expect(error.param == "model" and "no-such-model" in error.message, error)
    expect(error.type == "invalid_request_error", error.type)


@case
def unknown_model_is_not_found_when_streamed() -> None:
    error = raises(NotFoundError, lambda: chat("no-such-model", stream=True))
    expect(error.code == "model_not_found", error)


@case
async def unknown_model_is_not_found_asynchronously() -> None:
    async with async_client() as openai:
        try:
            await openai.embeddings.create(model="no-such-model", input="x")
        except NotFoundError as error:
            expect(error.code == "model_not_found", error)
            return
    raise AssertionError("no error")


@case
def wrong_key_is_refused() -> None:
    openai = client(api_key="not-a-key")
    error = raises(
        AuthenticationError, lambda: openai.chat.completions.create(model=MODEL, messages=user("Hi"), max_tokens=4)
    )
    expect(error.status_code == 401 and error.code == "invalid_api_key", error)
    expect("not-a-key" not in error.message, "the key is repeated in the message")


@case
def wrong_key_lists_no_models() -> None:
    raises(AuthenticationError, lambda: list(client(api_key="not-a-key").models.list()))


@case
def a_limited_key_is_kept_to_its_models() -> None:
    openai = client(api_key=LIMITED_KEY)
    expect(openai.embeddings.create(model=EMBEDDING_MODEL, input="x").data, "the model that it may use")
    error = raises(
        PermissionDeniedError, lambda: openai.chat.completions.create(model=MODEL, messages=user("Hi"), max_tokens=4)
    )
    expect(error.status_code == 403 and error.code == "model_not_allowed", error)


@case
def the_engine_may_refuse_a_request() -> None:
    error = raises(BadRequestError, lambda: client().post("/chat/completions", cast_to=object, body={"model": MODEL}))
    expect(error.status_code == 400 and "messages" in error.message, error)


@case
def a_broken_body_is_refused() -> None:
    error = raises(BadRequestError, lambda: raw(b'{"model": '))
    expect(error.code == "invalid_request", error)


@case
def a_doubled_model_is_refused() -> None:
    name = json.dumps(MODEL)
    body = f'{{"model":{name},"messages":[{{"role":"user","content":"Hi"}}],"mod\\u0065l":{name}}}'
    error = raises(BadRequestError, lambda: raw(body.encode()))
    expect(error.code == "duplicate_key" and error.param == "model", error)


@case
def a_missing_model_is_refused() -> None:
    error = raises(BadRequestError, lambda: client().post("/chat/completions", cast_to=object, body={"messages": []}))
    expect(error.param == "model", error)


@case
def a_wrong_path_names_the_right_one() -> None:
    openai = client(base_url=BASE_URL.removesuffix("/v1"))
    error = raises(NotFoundError, lambda: openai.chat.completions.create(model=MODEL, messages=user("Hi")))
    expect("/v1/chat/completions" in str(error), error)


@case
def an_impatient_client_times_out_and_harms_nobody() -> None:
    openai = client(timeout=0.3)
    raises(
        APITimeoutError,
        # The engine's own switch: without it a small model may end its story before the patience does.
        lambda: openai.chat.completions.create(
            model=MODEL, messages=user("Tell a story."), max_tokens=1500, extra_body={"ignore_eos": True}
        ),
    )
    chat()


@case
def what_the_engine_cannot_do_is_an_error() -> None:
    # The engine answers 501: it was started for chat.
    error = raises(sdk.APIStatusError, lambda: client().embeddings.create(model=MODEL, input="x"))
    expect(error.status_code >= 400 and error.message, error)


def raw(body: bytes) -> object:
    """Sends a body that the SDK itself would never write, and lets the SDK read the answer."""
    return client().post(
        "/chat/completions",
        cast_to=object,
        content=body,
        options={"headers": {"content-type": "application/json", "authorization": f"Bearer {API_KEY}"}},
    )
