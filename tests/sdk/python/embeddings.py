"""Embeddings: one and many texts, as numbers and as base64."""

import math

from suite import EMBEDDING_MODEL, async_client, case, client, expect


def cosine(left: list[float], right: list[float]) -> float:
    """The cosine of the angle between two vectors."""
    return sum(a * b for a, b in zip(left, right, strict=True)) / (math.hypot(*left) * math.hypot(*right))


@case
def embeds_one_text() -> None:
    # The SDK asks for base64 by itself and decodes it.
    answer = client().embeddings.create(model=EMBEDDING_MODEL, input="a small cat")
    expect(len(answer.data) == 1 and len(answer.data[0].embedding) > 100, answer.usage)
    expect(answer.usage.prompt_tokens > 0, answer.usage)


@case
def embeds_as_numbers_and_base64_alike() -> None:
    numbers = client().embeddings.create(model=EMBEDDING_MODEL, input="a small cat", encoding_format="float")
    packed = client().embeddings.create(model=EMBEDDING_MODEL, input="a small cat", encoding_format="base64")
    expect(isinstance(packed.data[0].embedding, str), "base64 was asked for")
    plain = client().embeddings.create(model=EMBEDDING_MODEL, input="a small cat").data[0].embedding
    expect(cosine(numbers.data[0].embedding, plain) > 0.9999, "they differ")


@case
def embeds_many_texts_in_order() -> None:
    texts = ["a small cat", "quarterly tax return", "a small cat"]
    answer = client().embeddings.create(model=EMBEDDING_MODEL, input=texts)
    expect([item.index for item in answer.data] == [0, 1, 2], answer)
    first, second, third = (item.embedding for item in answer.data)
    expect(cosine(first, third) > 0.999 > cosine(first, second), "order or values are wrong")


@case
async def embeds_asynchronously() -> None:
    async with async_client() as openai:
        answer = await openai.embeddings.create(model=EMBEDDING_MODEL, input=["one", "two"])
    expect(len(answer.data) == 2, answer.usage)
