"""Plain chat and legacy completions."""

from suite import MODEL, async_client, case, client, expect, user


@case
def answers() -> None:
    answer = client().chat.completions.create(model=MODEL, messages=user("Say hello."), max_tokens=12, temperature=0)
    expect(answer.object == "chat.completion", answer)
    expect(answer.choices[0].message.role == "assistant", answer)
    expect(answer.choices[0].message.content, answer)


@case
async def answers_asynchronously() -> None:
    async with async_client() as openai:
        answer = await openai.chat.completions.create(model=MODEL, messages=user("Say hello."), max_tokens=8)
    expect(answer.choices[0].message.content, answer)


@case
def reports_usage_that_adds_up() -> None:
    usage = client().chat.completions.create(model=MODEL, messages=user("Count."), max_tokens=5).usage
    expect(usage.prompt_tokens > 0 and 0 < usage.completion_tokens <= 5, usage)
    expect(usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage)


@case
def stops_at_the_token_limit() -> None:
    answer = client().chat.completions.create(model=MODEL, messages=user("Write a long story."), max_tokens=6)
    expect(answer.choices[0].finish_reason == "length", answer)
    expect(answer.usage.completion_tokens == 6, answer.usage)


@case
def stops_at_a_stop_word() -> None:
    answer = client().chat.completions.create(
        model=MODEL, messages=user("Count from one to ten in digits: 1 2 3"), max_tokens=60, stop=[" ", "\n", "."]
    )
    content = answer.choices[0].message.content
    expect(answer.choices[0].finish_reason == "stop", answer)
    expect(not any(word in content for word in (" ", "\n", ".")), content)


@case
def repeats_itself_with_a_seed() -> None:
    def once() -> str:
        answer = client().chat.completions.create(
            model=MODEL, messages=user("Name a colour."), max_tokens=12, seed=7, temperature=0
        )
        return answer.choices[0].message.content

    expect(once() == once(), "two answers at temperature 0 differ")


@case
def understands_a_conversation() -> None:
    messages = [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello, Ada."},
        {"role": "user", "content": [{"type": "text", "text": "What is my name?"}]},
    ]
    # A closed choice, so that a small model cannot talk around the point.
    answer = client().chat.completions.create(
        model=MODEL, messages=messages, max_tokens=8, temperature=0, extra_body={"grammar": 'root ::= "Ada" | "Bob" | "Eve"'}
    )
    expect(answer.choices[0].message.content == "Ada", answer)


@case
def carries_every_script_and_escape() -> None:
    text = 'naïve "quoted" \\back\\ \u4f60\u597d \U0001f980 \t\n </s> ' + "\u2028" * 2
    answer = client().chat.completions.create(model=MODEL, messages=user(text), max_tokens=4)
    expect(answer.usage.prompt_tokens > 10, answer)


@case
def passes_fields_it_does_not_know() -> None:
    # `grammar` is the engine's own: had it been dropped, the answer could be anything.
    answer = client().chat.completions.create(
        model=MODEL, messages=user("Hi"), max_tokens=4, extra_body={"grammar": 'root ::= "pear"'}
    )
    expect(answer.choices[0].message.content == "pear", answer)


@case
def returns_fields_it_does_not_know() -> None:
    answer = client().chat.completions.create(model=MODEL, messages=user("Hi"), max_tokens=4)
    expect("timings" in answer.model_extra, answer.model_extra)


@case
def takes_a_long_prompt() -> None:
    answer = client().chat.completions.create(model=MODEL, messages=user("word " * 900), max_tokens=2)
    expect(answer.usage.prompt_tokens > 900, answer.usage)


@case
def answers_a_legacy_completion() -> None:
    answer = client().completions.create(model=MODEL, prompt="The capital of France is", max_tokens=6, temperature=0)
    expect("Paris" in answer.choices[0].text, answer)
    expect(answer.usage.completion_tokens > 0, answer.usage)


@case
def streams_a_legacy_completion() -> None:
    stream = client().completions.create(model=MODEL, prompt="One, two,", max_tokens=8, stream=True)
    expect("".join(chunk.choices[0].text for chunk in stream if chunk.choices), "no text")
