//! A request, whatever the dialect.

use std::collections::{HashMap, VecDeque};

use pointsman_core::Dialect;

use super::{Content, Extension, Message, Role, Schema, Tool};
use crate::json::Text;

/// A value and the name of the field in which the client gave it (dotted: `generationConfig.topK`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// In the client's words.
    pub field: &'static str,
    /// What it said.
    pub value: T,
}

impl<T> Given<T> {
    /// `value`, given as `field`.
    pub const fn new(field: &'static str, value: T) -> Self {
        Self { field, value }
    }
}

/// What is asked of a model. An encoder takes this apart without `..`, so that no field is forgotten.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What the client speaks.
    pub dialect: Dialect,
    /// The model's name, as the client gave it.
    pub model: Text<'a>,
    /// The conversation, instructions included, in order.
    pub messages: Vec<Message<'a>>,
    /// What the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether and what it must call.
    pub tool_choice: Option<Given<ToolChoice<'a>>>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<Given<bool>>,
    /// What the answer must look like.
    pub format: Option<Given<Format<'a>>>,
    /// The most tokens to write.
    pub max_output: Option<Given<u64>>,
    /// Where to stop.
    pub stop: Option<Given<Vec<Text<'a>>>>,
    /// How to draw.
    pub sampling: Sampling<'a>,
    /// How many answers.
    pub choices: Option<Given<u64>>,
    /// Log probabilities.
    pub logprobs: Option<Given<Logprobs>>,
    /// How long to think.
    pub thinking: Thinking<'a>,
    /// Who the user is, for the provider's abuse checks.
    pub user: Option<Given<Text<'a>>>,
    /// The client's own notes, as a JSON object.
    pub metadata: Option<Given<&'a str>>,
    /// The provider's price class.
    pub service_tier: Option<Given<Text<'a>>>,
    /// Whether the provider is to keep the answer.
    pub store: Option<Given<bool>>,
    /// The answer that this one goes on from (OpenAI responses).
    pub previous: Option<Given<Text<'a>>>,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the client wants usage in the stream, where its dialect asks.
    pub stream_usage: Option<Given<bool>>,
    /// Top-level members without a place here, and those inside objects that have one.
    pub rest: Vec<Extension<'a>>,
}

/// How to draw. Numbers stay as they stand in the client's text.
#[derive(Clone, Debug, Default)]
pub struct Sampling<'a> {
    /// See OpenAI's `temperature`.
    pub temperature: Option<Given<&'a str>>,
    /// See OpenAI's `top_p`.
    pub top_p: Option<Given<&'a str>>,
    /// See Anthropic's `top_k`.
    pub top_k: Option<Given<&'a str>>,
    /// See Ollama's `min_p`.
    pub min_p: Option<Given<&'a str>>,
    /// See OpenAI's `frequency_penalty`.
    pub frequency_penalty: Option<Given<&'a str>>,
    /// See OpenAI's `presence_penalty`.
    pub presence_penalty: Option<Given<&'a str>>,
    /// See Ollama's `repeat_penalty`.
    pub repeat_penalty: Option<Given<&'a str>>,
    /// The seed of the draw.
    pub seed: Option<Given<&'a str>>,
}

/// Whether and what the model must call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// As it likes.
    Auto,
    /// Nothing.
    None,
    /// Something.
    Required,
    /// This one.
    Named(Text<'a>),
    /// One of these, or (`required: false`) none.
    Among {
        /// The tools.
        names: Vec<Text<'a>>,
        /// Whether one must be called.
        required: bool,
    },
}

/// What the answer must look like.
#[derive(Clone, Debug)]
pub enum Format<'a> {
    /// Text (the default).
    Text,
    /// Some JSON object.
    Json,
    /// JSON that obeys a schema.
    Schema {
        /// What the schema is called.
        name: Option<Text<'a>>,
        /// What it is for.
        description: Option<Text<'a>>,
        /// The schema.
        schema: Schema<'a>,
        /// It must be obeyed to the letter.
        strict: Option<bool>,
    },
    /// The dialect's own kind, as JSON.
    Other(&'a str),
}

/// Log probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logprobs {
    /// Alternatives for each token; `None`: only the token's own.
    pub top: Option<u64>,
}

/// How long to think, in whatever measure the client has it.
#[derive(Clone, Debug, Default)]
pub struct Thinking<'a> {
    /// On or off.
    pub on: Option<Given<bool>>,
    /// `none`, `minimal`, `low`, `medium`, `high`, …
    pub effort: Option<Given<Text<'a>>>,
    /// In tokens.
    pub budget: Option<Given<Cap>>,
    /// Whether and how thoughts are shown (OpenAI's `reasoning.summary`).
    pub summary: Option<Given<Text<'a>>>,
    /// Whether thoughts are shown at all (Gemini's `includeThoughts`).
    pub shown: Option<Given<bool>>,
    /// Whether encrypted thoughts come with the answer (OpenAI's `include`).
    pub encrypted: Option<Given<bool>>,
}

/// A number of tokens for thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// The model decides (Gemini's -1, Anthropic's `adaptive`).
    Free,
    /// At most so many.
    Tokens(u64),
}

impl Thinking<'_> {
    /// Tokens that an effort stands for, where a dialect has only budgets. The steps are those in
    /// common use: a quarter, a half and nearly all of 32,768.
    #[must_use]
    pub fn budget_of_effort(effort: &str) -> Option<u64> {
        Some(match effort {
            "none" => 0,
            "minimal" => 1_024,
            "low" => 4_096,
            "medium" => 8_192,
            "high" => 24_576,
            "xhigh" | "max" => 32_768,
            _ => return None,
        })
    }

    /// The effort that a budget stands for, where a dialect has only efforts.
    #[must_use]
    pub const fn effort_of_budget(tokens: u64) -> &'static str {
        match tokens {
            0 => "none",
            1..=1_024 => "minimal",
            1_025..=4_096 => "low",
            4_097..=16_384 => "medium",
            _ => "high",
        }
    }
}

impl<'a> Request<'a> {
    /// An empty request of this dialect.
    #[must_use]
    pub fn new(dialect: Dialect, model: Text<'a>) -> Self {
        Self {
            dialect,
            model,
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            format: None,
            max_output: None,
            stop: None,
            sampling: Sampling::default(),
            choices: None,
            logprobs: None,
            thinking: Thinking::default(),
            user: None,
            metadata: None,
            service_tier: None,
            store: None,
            previous: None,
            stream: false,
            stream_usage: None,
            rest: Vec::new(),
        }
    }

    /// Joins calls and results. A call without an id is given one (`call_` and its number in the
    /// conversation); a result without an id is that of the earliest unanswered call of its name, or has
    /// its name (or a number) for an id; a result without a name has that of its call. A decoder calls this last.
    pub fn link(&mut self) {
        let mut calls = OpenCalls::default();
        let mut count = 0u32;
        for block in self.messages.iter_mut().flat_map(|message| &mut message.blocks) {
            match &mut block.content {
                Content::ToolCall(call) => {
                    if call.id.is_empty() {
                        call.id = Text::from(format!("call_{count}"));
                    }
                    count += 1;
                    calls.push(call.id.clone(), call.name.clone());
                }
                Content::ToolResult(result) => {
                    let found = match (&result.name, result.id.is_empty()) {
                        (_, false) => calls.take_by_id(&result.id),
                        (Some(name), true) => calls.take_by_name(name),
                        (None, true) => calls.take_first(),
                    };
                    let Some((id, name)) = found else {
                        result.own_name = result.name.is_some();
                        if result.id.is_empty() {
                            let name = result.name.as_ref().map(|name| name.value().into_owned());
                            result.id = Text::from(name.unwrap_or_else(|| format!("call_{count}")));
                        }
                        continue;
                    };
                    if result.id.is_empty() {
                        result.id = id;
                    }
                    result.own_name = result.name.as_ref().is_some_and(|own| *own != name);
                    result.name.get_or_insert(name);
                }
                _ => {}
            }
        }
    }

    /// Whether nothing is said at all.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        self.messages.iter().all(|message| message.blocks.is_empty())
    }

    /// The instructions at the start, and the turns after them.
    #[must_use]
    pub fn split_instructions(&self) -> (&[Message<'a>], &[Message<'a>]) {
        let turns = self.messages.iter().position(|m| !matches!(m.role, Role::System | Role::Developer));
        self.messages.split_at(turns.unwrap_or(self.messages.len()))
    }
}

/// Calls that no result has answered yet, in order. Found without a look at each: a request may have tens of
/// thousands.
#[derive(Default)]
struct OpenCalls<'a> {
    /// Id and name; `None` once it is answered.
    calls: Vec<Option<(Text<'a>, Text<'a>)>>,
    by_id: HashMap<Text<'a>, VecDeque<usize>>,
    by_name: HashMap<Text<'a>, VecDeque<usize>>,
    /// Those before are answered.
    first: usize,
}

impl<'a> OpenCalls<'a> {
    fn push(&mut self, id: Text<'a>, name: Text<'a>) {
        let at = self.calls.len();
        self.by_id.entry(id.clone()).or_default().push_back(at);
        self.by_name.entry(name.clone()).or_default().push_back(at);
        self.calls.push(Some((id, name)));
    }

    fn take_by_id(&mut self, id: &Text<'a>) -> Option<(Text<'a>, Text<'a>)> {
        Self::take(&mut self.calls, self.by_id.get_mut(id)?)
    }

    fn take_by_name(&mut self, name: &Text<'a>) -> Option<(Text<'a>, Text<'a>)> {
        Self::take(&mut self.calls, self.by_name.get_mut(name)?)
    }

    fn take_first(&mut self) -> Option<(Text<'a>, Text<'a>)> {
        while let Some(call) = self.calls.get_mut(self.first) {
            self.first += 1;
            if let Some(call) = call.take() {
                return Some(call);
            }
        }
        None
    }

    /// The earliest of these that is not answered. Each is looked at once.
    fn take(
        calls: &mut [Option<(Text<'a>, Text<'a>)>],
        places: &mut VecDeque<usize>,
    ) -> Option<(Text<'a>, Text<'a>)> {
        while let Some(at) = places.pop_front() {
            if let Some(call) = calls.get_mut(at).and_then(Option::take) {
                return Some(call);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::{Arguments, Block, Path, ToolCall, ToolResult};

    fn call(id: &'static str, name: &'static str) -> Block<'static> {
        let call = ToolCall {
            id: Text::from(id),
            item: None,
            name: Text::from(name),
            arguments: Arguments::Object("{}"),
            seal: None,
        };
        Block::new(Content::ToolCall(call), Path::Root)
    }

    fn result(id: &'static str, name: Option<&'static str>) -> Block<'static> {
        let result = ToolResult {
            id: Text::from(id),
            name: name.map(Text::from),
            content: Vec::new(),
            object: None,
            failed: false,
            custom: false,
            own_name: false,
        };
        Block::new(Content::ToolResult(result), Path::Root)
    }

    fn linked(blocks: Vec<Block<'static>>) -> Vec<(String, String)> {
        let mut request = Request::new(Dialect::Gemini, Text::from("m"));
        request.messages.push(Message::new(Role::User, Path::Root, blocks));
        request.link();
        let results = request.messages.remove(0).blocks.into_iter().filter_map(|block| match block.content {
            Content::ToolResult(result) => Some((
                result.id.into_value().into_owned(),
                result.name.map(|name| name.into_value().into_owned()).unwrap_or_default(),
            )),
            _ => None,
        });
        results.collect()
    }

    #[test]
    fn results_without_ids_answer_calls_of_their_name_in_order() {
        let pairs = linked(vec![
            call("", "weather"),
            call("", "time"),
            call("", "weather"),
            result("", Some("weather")),
            result("", Some("weather")),
            result("", None),
        ]);
        let expected = [("call_0", "weather"), ("call_2", "weather"), ("call_1", "time")];
        assert_eq!(pairs, expected.map(|(id, name)| (id.to_owned(), name.to_owned())));
    }

    #[test]
    fn tens_of_thousands_of_calls_are_linked_in_one_pass() {
        // A look at each open call for each result would be two thousand million comparisons: minutes.
        const MANY: usize = 60_000;
        let mut blocks: Vec<_> = (0..MANY).map(|_| call("", "x")).collect();
        blocks.extend((0..MANY).map(|_| result("nobody", None)));
        blocks.extend((0..MANY).map(|_| result("", Some("stray"))));
        blocks.extend((0..MANY).map(|_| result("", Some("x"))));
        let pairs = linked(blocks);
        assert_eq!(pairs[3 * MANY - 1], (format!("call_{}", MANY - 1), "x".to_owned()));
    }

    #[test]
    fn a_result_without_id_and_call_has_its_name_for_an_id() {
        let mut request = Request::new(Dialect::Gemini, Text::from("m"));
        let blocks = vec![
            call("a", "x"),
            result("", Some("stray")),
            result("b", Some("lone")),
            result("a", Some("other")),
            result("c", None),
            result("", None),
        ];
        request.messages.push(Message::new(Role::User, Path::Root, blocks));
        request.link();
        let told = request.messages[0].blocks.iter().filter_map(|block| match &block.content {
            Content::ToolResult(result) => Some((
                result.id.value().into_owned(),
                result.name_for_id().map(|name| name.value().into_owned()),
                result.lone_name().map(|name| name.value().into_owned()),
            )),
            _ => None,
        });
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("stray".to_owned(), text("stray"), None),
                ("b".to_owned(), None, text("lone")),
                ("a".to_owned(), None, text("other")),
                ("c".to_owned(), None, None),
                ("call_1".to_owned(), None, None),
            ]
        );
    }

    #[test]
    fn results_with_ids_learn_their_names() {
        let pairs = linked(vec![call("a", "x"), call("b", "y"), result("b", None), result("zzz", None)]);
        assert_eq!(pairs, [("b".to_owned(), "y".to_owned()), ("zzz".to_owned(), String::new())]);
    }

    #[test]
    fn efforts_and_budgets_stand_for_each_other() {
        for effort in ["none", "minimal", "low", "medium", "high"] {
            let budget = Thinking::budget_of_effort(effort).unwrap();
            assert_eq!(Thinking::effort_of_budget(budget), effort);
        }
        assert_eq!(Thinking::budget_of_effort("enormous"), None);
    }
}
