"""The Responses API of a provider that has it, and a path that nobody serves and a route lets through."""

from openai import AuthenticationError, NotFoundError

from suite import LIMITED_KEY, MEDIA_MODEL, case, client, expect, raises

# What the provider is asked for.
UPSTREAM_MODEL = MEDIA_MODEL.split("/", 1)[-1]


@case
def a_response() -> None:
    raw = client().responses.with_raw_response.create(model=MEDIA_MODEL, input="hello")
    expect(raw.headers["x-pointsman-provider"] == MEDIA_MODEL.split("/")[0], dict(raw.headers))
    answer = raw.parse()
    expect(answer.output_text == f"{UPSTREAM_MODEL} heard hello", answer)
    expect(answer.usage.total_tokens == 16, answer.usage)


@case
def a_response_in_events() -> None:
    events = client().responses.create(model=MEDIA_MODEL, input="hello", stream=True)
    kinds = [event.type for event in events]
    expect(kinds[0] == "response.created" and kinds[-2:] == ["response.output_text.delta", "response.completed"], kinds)


@case
def a_path_that_no_sdk_knows() -> None:
    seen = client().get("/things/t-1", cast_to=object, options={"params": {"a": "b/c"}})
    expect(seen == {"id": "t-1", "target": "/v1/things/t-1?a=b%2Fc"}, seen)


@case
def what_no_rule_names_is_not_there() -> None:
    for ask in (
        lambda: client().vector_stores.list(),
        lambda: client().get("/things/a/b", cast_to=object),
        lambda: client().post("/things/t-1", cast_to=object),
        lambda: client(api_key=LIMITED_KEY).get("/things/t-1", cast_to=object),
    ):
        error = raises(NotFoundError, ask)
        expect(error.code == "unknown_path", error.body)
    raises(AuthenticationError, lambda: client(api_key="wrong").get("/things/t-1", cast_to=object))
