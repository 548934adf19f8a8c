"""Tool calls: forced, streamed, and with the tool's result sent back."""

import json

from suite import MODEL, case, client, expect, user

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
LIMITS = {"tools": [WEATHER], "max_tokens": 60, "temperature": 0}


def call(number: int, city: str) -> dict:
    """An earlier turn in which the tool was called."""
    function = {"name": "get_weather", "arguments": json.dumps({"city": city})}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": f"call_{number}", "type": "function", "function": function}]}


# The engine lets the model talk before the forced call; a small one needs the habit of calling at once.
CONVERSATION = [
    *user("Weather in Rome?"), call(1, "Rome"), *user("Weather in Oslo?"), call(2, "Oslo"), *user("Weather in Paris?"),
]  # fmt: skip


@case
def calls_a_required_tool() -> None:
    answer = client().chat.completions.create(model=MODEL, messages=CONVERSATION, tool_choice="required", **LIMITS)
    choice = answer.choices[0]
    expect(choice.finish_reason == "tool_calls" and len(choice.message.tool_calls) == 1, answer)
    made = choice.message.tool_calls[0]
    expect(made.id and made.type == "function" and made.function.name == "get_weather", made)
    expect(json.loads(made.function.arguments) == {"city": "Paris"}, made)


@case
def calls_the_named_tool() -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    answer = client().chat.completions.create(model=MODEL, messages=CONVERSATION, tool_choice=named, **LIMITS)
    expect(answer.choices[0].message.tool_calls[0].function.name == "get_weather", answer)


@case
def streams_the_forced_tool() -> None:
    stream = client().chat.completions.create(
        model=MODEL, messages=CONVERSATION, tool_choice="required", stream=True, **LIMITS
    )
    name, arguments, finish = "", "", None
    for chunk in stream:
        for part in chunk.choices[0].delta.tool_calls or []:
            name += part.function.name or ""
            arguments += part.function.arguments or ""
        finish = chunk.choices[0].finish_reason or finish
    expect(name == "get_weather" and finish == "tool_calls", (name, finish))
    expect(json.loads(arguments) == {"city": "Paris"}, arguments)


@case
def takes_the_tool_result() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": '{"sky":"clear"}'}
    messages = [*user("Weather in Paris?"), call(1, "Paris"), result]
    answer = client().chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], max_tokens=24)
    expect(answer.choices[0].message.content or answer.choices[0].message.tool_calls, answer)


@case
def refrains_when_told_to() -> None:
    answer = client().chat.completions.create(
        model=MODEL, messages=user("Weather in Paris?"), tools=[WEATHER], tool_choice="none", max_tokens=16
    )
    expect(not answer.choices[0].message.tool_calls and answer.choices[0].message.content, answer)
