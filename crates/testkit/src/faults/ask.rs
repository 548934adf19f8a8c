//! What a request asks for, read in the three dialects as strictly as a good server would.

use pointsman_core::Dialect;
use serde_json::Value;

use super::text::{Kind, Oracle};
use crate::mock::Received;

/// What stands in a prompt before the numbers from which its answer is worked out.
const MARK: &str = "oracle ";
/// Bytes that are taken for one token of a prompt.
const BYTES_PER_TOKEN: u64 = 4;
/// No prompt asks for more tokens.
const MAX_TOKENS: usize = 100_000;

/// A request, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What it is written in.
    pub dialect: Dialect,
    /// A stream is wanted.
    pub streamed: bool,
    /// The upstream model.
    pub model: String,
    /// From which the answer is worked out; 0 where the prompt names none.
    pub seed: u64,
    /// Tokens of the whole answer; 1 where the prompt names none.
    pub tokens: usize,
    /// What kind of answer.
    pub kind: Kind,
    /// The most tokens that may come.
    pub max_tokens: Option<usize>,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    /// The usage is wanted in the stream (OpenAI chat; the others always tell it).
    pub include_usage: bool,
    /// What was said before, if the answer is to go on.
    pub prefix: Option<Prefix>,
    /// Tokens of the prompt: a fixed share of the body's length.
    pub input: u64,
}

/// The begin of an answer that is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// As it was sent.
    pub text: String,
    /// The last turn is the model's own; else a user's turn asks it to go on.
    pub prefill: bool,
}

/// A turn of the conversation.
struct Turn {
    assistant: bool,
    text: String,
}

impl Ask {
    /// Reads a request.
    ///
    /// # Errors
    /// Why a picky server refuses it.
    pub fn read(request: &Received) -> Result<Self, String> {
        let dialect = dialect(request)?;
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|error| format!("body is no JSON: {error}"))?;
        let model = body["model"].as_str().filter(|name| !name.is_empty()).ok_or("no model")?.to_owned();
        let turns = turns(dialect, &body)?;
        let asked = turns.iter().rposition(|turn| !turn.assistant && turn.text.contains(MARK));
        let (seed, tokens, kind) = asked.map_or((0, 1, Kind::Text), |at| numbers(&turns[at].text));
        let prefix = prefix(&turns[asked.map_or(0, |at| at + 1)..])?;
        let ask = Self {
            dialect,
            streamed: flag(&body, "stream")?,
            model,
            seed,
            tokens,
            kind,
            max_tokens: limit(dialect, &body)?,
            stop: stops(dialect, &body)?,
            include_usage: body["stream_options"]["include_usage"] == true,
            prefix,
            input: (request.body.len() as u64).div_ceil(BYTES_PER_TOKEN),
        };
        ask.check()?;
        Ok(ask)
    }

    /// The answer without limits.
    #[must_use]
    pub fn oracle(&self) -> Oracle {
        Oracle::new(self.seed, self.tokens, self.kind)
    }

    fn check(&self) -> Result<(), String> {
        let Some(Prefix { text, prefill }) = &self.prefix else { return Ok(()) };
        let oracle = self.oracle();
        if !oracle.text().starts_with(text.as_str()) {
            return Err(format!("not what was said: {text:?} instead of {:?}", oracle.text()));
        }
        match self.dialect {
            Dialect::Anthropic if *prefill && text.ends_with(char::is_whitespace) => {
                Err("messages: final assistant content cannot end with trailing whitespace".into())
            }
            Dialect::OpenAiResponses if *prefill => Err("the input ends with a turn of the model".into()),
            _ => Ok(()),
        }
    }
}

/// By the path, below any prefix.
fn dialect(request: &Received) -> Result<Dialect, String> {
    let known = [
        ("/chat/completions", Dialect::OpenAiChat),
        ("/responses", Dialect::OpenAiResponses),
        ("/messages", Dialect::Anthropic),
    ];
    let path = request.path();
    let found = known.into_iter().find(|(suffix, _)| path.ends_with(suffix));
    match found {
        Some((_, dialect)) if request.method == "POST" => Ok(dialect),
        Some(_) => Err(format!("{} on {path}", request.method)),
        None => Err(format!("no such path: {path}")),
    }
}

fn flag(body: &Value, name: &str) -> Result<bool, String> {
    match &body[name] {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        other => Err(format!("{name} is {other}")),
    }
}

fn limit(dialect: Dialect, body: &Value) -> Result<Option<usize>, String> {
    let names: &[&str] = match dialect {
        Dialect::OpenAiChat => &["max_completion_tokens", "max_tokens"],
        Dialect::OpenAiResponses => &["max_output_tokens"],
        _ => &["max_tokens"],
    };
    for name in names {
        match &body[*name] {
            Value::Null => {}
            value => {
                let least = value.as_u64().filter(|count| *count >= 1);
                let count = least.ok_or_else(|| format!("{name} is {value}: at least 1"))?;
                return Ok(Some(usize::try_from(count).unwrap_or(usize::MAX)));
            }
        }
    }
    if dialect == Dialect::Anthropic { Err("max_tokens: Field required".into()) } else { Ok(None) }
}

fn stops(dialect: Dialect, body: &Value) -> Result<Vec<String>, String> {
    let value = match dialect {
        Dialect::Anthropic => &body["stop_sequences"],
        _ => &body["stop"],
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(stop) => Ok(vec![stop.clone()]),
        Value::Array(stops) => Ok(stops.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        other => Err(format!("stop is {other}")),
    }
}

/// `oracle seed=… tokens=… kind=…`
fn numbers(text: &str) -> (u64, usize, Kind) {
    let (mut seed, mut tokens, mut kind) = (0, 1, Kind::Text);
    let told = text.rfind(MARK).map_or("", |at| &text[at + MARK.len()..]);
    for word in told.split_whitespace() {
        match word.split_once('=') {
            Some(("seed", number)) => seed = number.parse().unwrap_or(0),
            Some(("tokens", number)) => tokens = number.parse().unwrap_or(1).min(MAX_TOKENS),
            Some(("kind", "tool")) => kind = Kind::Tool,
            Some(("kind", "json")) => kind = Kind::Json,
            _ => {}
        }
    }
    (seed, tokens, kind)
}

/// The turns after the question: none, or the begin of its answer and perhaps a wish to go on.
fn prefix(after: &[Turn]) -> Result<Option<Prefix>, String> {
    let (said, wish) = match after {
        [] => return Ok(None),
        [said] if said.assistant => (said, false),
        [said, wish] if said.assistant && !wish.assistant => (said, true),
        _ => return Err("the turns after the question make no sense".into()),
    };
    if said.text.is_empty() {
        return Err("a turn of the model is empty".into());
    }
    Ok(Some(Prefix { text: said.text.clone(), prefill: !wish }))
}

fn turns(dialect: Dialect, body: &Value) -> Result<Vec<Turn>, String> {
    let member = if dialect == Dialect::OpenAiResponses { "input" } else { "messages" };
    let list = match &body[member] {
        Value::String(text) if dialect == Dialect::OpenAiResponses => {
            return Ok(vec![Turn { assistant: false, text: text.clone() }]);
        }
        Value::Array(list) if !list.is_empty() => list,
        other => return Err(format!("{member} is {other}")),
    };
    let mut turns = Vec::with_capacity(list.len());
    for item in list {
        let assistant = match item["role"].as_str() {
            Some("assistant") => true,
            Some("user") => false,
            Some("system" | "developer") if dialect != Dialect::Anthropic => continue,
            role => return Err(format!("role is {role:?}")),
        };
        turns.push(Turn { assistant, text: content(&item["content"])? });
    }
    Ok(turns)
}

fn content(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().map(|part| part["text"].as_str().ok_or("a part without text"));
            Ok(texts.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Value::Null => Ok(String::new()),
        other => Err(format!("content is {other}")),
    }
}
