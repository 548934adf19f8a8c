// Tool calls: forced, streamed, run by the SDK's helper, and with the tool's result sent back.

import { MODEL, client, expect, user } from "./suite.mjs";

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 20 } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

const call = (number, city) => ({
  role: "assistant",
  content: null,
  tool_calls: [
    {
      id: `call_${number}`,
      type: "function",
      function: { name: "get_weather", arguments: JSON.stringify({ city }) },
    },
  ],
});

// The engine lets the model talk before the forced call; a small one needs the habit of calling at once.
const CONVERSATION = [
  ...user("Weather in Rome?"),
  call(1, "Rome"),
  ...user("Weather in Oslo?"),
  call(2, "Oslo"),
  ...user("Weather in Paris?"),
];
const REQUEST = { model: MODEL, messages: CONVERSATION, tools: [WEATHER], max_tokens: 60, temperature: 0 };

export async function callsARequiredTool() {
  const answer = await client().chat.completions.create({ ...REQUEST, tool_choice: "required" });
  const [choice] = answer.choices;
  expect(choice.finish_reason === "tool_calls" && choice.message.tool_calls.length === 1, answer);
  expect(JSON.parse(choice.message.tool_calls[0].function.arguments).city === "Paris", answer);
}

export async function callsTheNamedTool() {
  const tool_choice = { type: "function", function: { name: "get_weather" } };
  const answer = await client().chat.completions.create({ ...REQUEST, tool_choice });
  expect(answer.choices[0].message.tool_calls[0].function.name === "get_weather", answer);
}

export async function streamsTheForcedTool() {
  const stream = client().chat.completions.stream({ ...REQUEST, tool_choice: "required" });
  const final = await stream.finalChatCompletion();
  const [made] = final.choices[0].message.tool_calls;
  expect(made.function.name === "get_weather" && JSON.parse(made.function.arguments).city === "Paris", final);
  expect(final.choices[0].finish_reason === "tool_calls", final);
}

export async function takesTheToolResult() {
  const messages = [
    ...user("Weather in Paris?"),
    call(1, "Paris"),
    { role: "tool", tool_call_id: "call_1", content: '{"sky":"clear"}' },
  ];
  const answer = await client().chat.completions.create({ ...REQUEST, messages, max_tokens: 24 });
  expect(answer.choices[0].message.content || answer.choices[0].message.tool_calls, answer);
}
