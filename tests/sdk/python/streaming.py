"""Streamed chat: content, usage only where asked for, helpers, and leaving early."""

import asyncio

from suite import MODEL, async_client, case, client, expect, user


@case
def streams_content() -> None:
    stream = client().chat.completions.create(model=MODEL, messages=user("Say hello."), max_tokens=12, stream=True)
    chunks = list(stream)
    expect(all(chunk.object == "chat.completion.chunk" for chunk in chunks), chunks)
    expect("".join(chunk.choices[0].delta.content or "" for chunk in chunks), chunks)
    expect(chunks[-1].choices[0].finish_reason in ("stop", "length"), chunks[-1])
    expect(len({chunk.id for chunk in chunks}) == 1, "one answer, one id")


@case
async def streams_asynchronously() -> None:
    async with async_client() as openai:
        stream = await openai.chat.completions.create(
            model=MODEL, messages=user("Say hello."), max_tokens=12, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    expect(text, "no text")


@case
def says_the_same_as_the_plain_answer() -> None:
    request = {"model": MODEL, "messages": user("Name three fruits."), "max_tokens": 24, "temperature": 0, "seed": 1}
    plain = client().chat.completions.create(**request).choices[0].message.content
    stream = client().chat.completions.create(**request, stream=True)
    expect("".join(chunk.choices[0].delta.content or "" for chunk in stream) == plain, plain)


@case
def keeps_usage_to_itself_unless_asked() -> None:
    stream = client().chat.completions.create(model=MODEL, messages=user("Hi"), max_tokens=4, stream=True)
    for chunk in stream:
        expect(chunk.choices, "a chunk without choices that nobody asked for")
        expect(chunk.usage is None, chunk)


@case
def keeps_usage_to_itself_when_told_so() -> None:
    stream = client().chat.completions.create(
        model=MODEL, messages=user("Hi"), max_tokens=4, stream=True, stream_options={"include_usage": False}
    )
    expect(all(chunk.choices for chunk in stream), "a chunk without choices that nobody asked for")


@case
def ends_with_usage_where_asked() -> None:
    stream = client().chat.completions.create(
        model=MODEL, messages=user("Hi"), max_tokens=4, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    # A model may have said all before its limit.
    expect(chunks[-1].choices == [] and 0 < chunks[-1].usage.completion_tokens <= 4, chunks[-1])
    expect(all(chunk.choices for chunk in chunks[:-1]), "usage is the last chunk only")


@case
def feeds_the_stream_helper() -> None:
    with client().chat.completions.stream(model=MODEL, messages=user("Say hello."), max_tokens=400, stop=".") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    expect("content.delta" in kinds and "content.done" in kinds, kinds)
    expect(final.choices[0].message.content, final)


@case
def arrives_as_raw_events() -> None:
    openai = client()
    with openai.chat.completions.with_streaming_response.create(
        model=MODEL, messages=user("Hi"), max_tokens=4, stream=True
    ) as response:
        expect(response.headers["content-type"].startswith("text/event-stream"), response.headers)
        lines = [line for line in response.iter_lines() if line]
    expect(lines[-1] == "data: [DONE]", lines[-1])
    expect(all(line.startswith("data: ") for line in lines), lines)


@case
def survives_a_client_that_leaves() -> None:
    openai = client()
    stream = openai.chat.completions.create(model=MODEL, messages=user("Tell a story."), max_tokens=400, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    stream.close()
    answer = openai.chat.completions.create(model=MODEL, messages=user("Hi"), max_tokens=4)
    expect(answer.choices[0].message.content is not None, answer)


@case
async def streams_side_by_side() -> None:
    async with async_client() as openai:

        async def one(number: int) -> str:
            stream = await openai.chat.completions.create(
                model=MODEL, messages=user(f"Say {number}."), max_tokens=8, stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        texts = await asyncio.gather(*(one(number) for number in range(4)))
    expect(all(texts), texts)
