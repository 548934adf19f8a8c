"""Structured output: JSON schema, parsed by the SDK, streamed, and plain JSON mode."""

import json
from typing import Literal

from pydantic import BaseModel

from suite import MODEL, case, client, expect, user


class Pet(BaseModel):
    """What the model has to fill in; closed sets keep a small model short."""

    kind: Literal["cat", "dog"]
    legs: Literal[2, 4]


SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "pet", "strict": True, "schema": Pet.model_json_schema() | {"additionalProperties": False}},
}


@case
def fits_the_schema() -> None:
    answer = client().chat.completions.create(
        model=MODEL, messages=user("Describe a cat."), response_format=SCHEMA, max_tokens=60, temperature=0
    )
    Pet.model_validate_json(answer.choices[0].message.content)


@case
def is_parsed_by_the_sdk() -> None:
    answer = client().chat.completions.parse(
        model=MODEL, messages=user("Describe a dog."), response_format=Pet, max_tokens=60, temperature=0
    )
    expect(isinstance(answer.choices[0].message.parsed, Pet), answer)


@case
def streams_and_is_parsed() -> None:
    with client().chat.completions.stream(
        model=MODEL, messages=user("Describe a dog."), response_format=Pet, max_tokens=60, temperature=0
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    expect(isinstance(final.choices[0].message.parsed, Pet), final)


@case
def is_json_in_json_mode() -> None:
    answer = client().chat.completions.create(
        model=MODEL,
        messages=user('Answer in JSON, exactly {"ok": true}.'),
        # The engine's own field keeps a small model from rambling inside valid JSON.
        response_format={"type": "json_object", "schema": {"type": "object", "properties": {"ok": {"type": "boolean"}},
                                                           "required": ["ok"], "additionalProperties": False}},
        max_tokens=60,
        temperature=0,
    )  # fmt: skip
    expect(isinstance(json.loads(answer.choices[0].message.content)["ok"], bool), answer)
