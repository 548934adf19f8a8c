// Plain chat and legacy completions.

import { MODEL, client, expect, user } from "./suite.mjs";

export async function answers() {
  const answer = await client().chat.completions.create({ model: MODEL, messages: user("Say hello."), max_tokens: 12 });
  expect(answer.object === "chat.completion" && answer.choices[0].message.role === "assistant", answer);
  expect(answer.choices[0].message.content, answer);
}

export async function reportsUsageThatAddsUp() {
  const { usage } = await client().chat.completions.create({ model: MODEL, messages: user("Count."), max_tokens: 5 });
  expect(usage.prompt_tokens > 0 && usage.completion_tokens > 0, usage);
  expect(usage.total_tokens === usage.prompt_tokens + usage.completion_tokens, usage);
}

export async function stopsAtTheTokenLimit() {
  const answer = await client().chat.completions.create({
    model: MODEL,
    messages: user("Write a long story."),
    max_tokens: 6,
  });
  expect(answer.choices[0].finish_reason === "length" && answer.usage.completion_tokens === 6, answer);
}

export async function understandsAConversation() {
  const answer = await client().chat.completions.create({
    model: MODEL,
    messages: [
      { role: "system", content: "You are terse." },
      { role: "user", content: "My name is Ada." },
      { role: "assistant", content: "Hello, Ada." },
      { role: "user", content: [{ type: "text", text: "What is my name?" }] },
    ],
    max_tokens: 8,
    temperature: 0,
    // A closed choice, so that a small model cannot talk around the point.
    grammar: 'root ::= "Ada" | "Bob" | "Eve"',
  });
  expect(answer.choices[0].message.content === "Ada", answer);
}

export async function carriesEveryScriptAndEscape() {
  const text = 'naïve "quoted" \\back\\ \u4f60\u597d \u{1f980} \t\n </s> \u2028\u2028';
  const answer = await client().chat.completions.create({ model: MODEL, messages: user(text), max_tokens: 4 });
  expect(answer.usage.prompt_tokens > 10, answer);
}

export async function passesFieldsItDoesNotKnow() {
  const answer = await client().chat.completions.create({
    model: MODEL,
    messages: user("Hi"),
    max_tokens: 4,
    grammar: 'root ::= "pear"',
  });
  expect(answer.choices[0].message.content === "pear", answer);
  expect(answer.timings, answer);
}

export async function answersSideBySide() {
  const openai = client();
  const ask = () => openai.chat.completions.create({ model: MODEL, messages: user("Hi"), max_tokens: 6 });
  const answers = await Promise.all([ask(), ask(), ask(), ask()]);
  expect(new Set(answers.map((answer) => answer.id)).size === 4, answers);
}

export async function answersALegacyCompletion() {
  const answer = await client().completions.create({
    model: MODEL,
    prompt: "The capital of France is",
    max_tokens: 6,
    temperature: 0,
  });
  expect(answer.choices[0].text.includes("Paris"), answer);
}

export async function streamsALegacyCompletion() {
  const stream = await client().completions.create({ model: MODEL, prompt: "One, two,", max_tokens: 8, stream: true });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
  expect(text, "no text");
}
