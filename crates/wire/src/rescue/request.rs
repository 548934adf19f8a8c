//! The client's request as one for the rest of its answer.

use crate::json::{Document, JsonError, Text};
use crate::neutral::{
    Block, CHARS_PER_TOKEN, Cap, Content, Extension, Format, Given, Message, Path, Request, Role, Thinking,
    ToolCall,
};
use pointsman_core::Dialect;

/// What a model is told that cannot simply go on. The answer so far stands before it as its own.
pub const INSTRUCTION: &str = "Your answer above was cut off in the middle. Continue it from exactly where it ends, as if there \
had been no break: begin with the very next character. Do not repeat any of it, do not start over, do not comment \
on this message, and keep to the same language, format and style.";

/// A request for the rest of an answer.
#[derive(Clone, Debug)]
pub struct GoOn<'t> {
    /// The answer so far.
    pub text: &'t str,
    /// Tokens of it, which the rest may not have any more.
    pub tokens: u64,
    /// Whether the model goes on by itself from an answer that it has begun.
    pub prefill: bool,
}

/// What of a client's request a continuation depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// It wants log probabilities.
    pub logprobs: bool,
    /// It wants sound.
    pub audio: bool,
    /// Its answer is JSON: the schema, or `true` where any JSON will do. Only [`GoOn::prefill`] can go on
    /// with such an answer.
    pub schema: Option<String>,
    /// Its stop sequences.
    pub stops: Vec<String>,
}

/// A member that tells a provider to go on from the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// In that message: `prefix`, `partial`. Its value is `true`.
    Message(&'static str),
    /// In the request: name and value, as JSON.
    Request(&'static [(&'static str, &'static str)]),
}

impl Terms {
    /// Reads it off.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        let schema = request.format.as_ref().and_then(|given| match &given.value {
            Format::Text | Format::Other(_) => None,
            Format::Json => Some("true".to_owned()),
            Format::Schema { schema, .. } => Some(schema.to_string()),
        });
        let texts = |given: &Given<Vec<Text<'_>>>| {
            let texts = given.value.iter().map(|text| text.value().into_owned());
            texts.filter(|text| !text.is_empty()).collect()
        };
        Self {
            logprobs: request.logprobs.is_some(),
            audio: request.rest.iter().any(is_for_audio),
            schema,
            stops: request.stop.as_ref().map(texts).unwrap_or_default(),
        }
    }
}

/// `audio`, or `modalities` with it.
fn is_for_audio(extension: &Extension<'_>) -> bool {
    extension.path == Path::Root
        && (extension.name == "audio" || extension.name == "modalities" && extension.raw.contains("audio"))
}

impl GoOn<'_> {
    /// Tokens that the request has more than the client's, about.
    #[must_use]
    pub const fn added(&self) -> u64 {
        let instruction = if self.prefill { 0 } else { (INSTRUCTION.len() as u64).div_ceil(CHARS_PER_TOKEN) };
        self.tokens + instruction
    }

    /// Whether whitespace at the end of the answer so far is left out: there are APIs that refuse it.
    #[must_use]
    pub const fn trims(&self, dialect: Dialect) -> bool {
        self.prefill && matches!(dialect, Dialect::Anthropic)
    }

    /// Turns the client's request into this one, for a provider that speaks `dialect`.
    pub fn adapt(&self, request: &mut Request<'_>, dialect: Dialect) {
        let text = if self.trims(dialect) { self.text.trim_end() } else { self.text };
        say(&mut request.messages, text);
        if !self.prefill {
            let block = Block::new(Content::text(Text::from(INSTRUCTION)), Path::Root);
            request.messages.push(Message::new(Role::User, Path::Root, vec![block]));
        }
        let mut least = 1;
        if dialect == Dialect::Anthropic {
            if self.prefill {
                think_no_more(request);
            } else if let Some(Given { value: Cap::Tokens(budget), .. }) = request.thinking.budget {
                // The vendor wants room for more than the thoughts.
                least = budget.saturating_add(1);
            }
        }
        if let Some(most) = &mut request.max_output {
            most.value = most.value.saturating_sub(self.tokens).max(least.min(most.value)).max(1);
        }
    }
}

/// Has the assistant say `text`, at the end of what it says already if it has the last word.
fn say(messages: &mut Vec<Message<'_>>, text: &str) {
    let said = Text::from(text.to_owned());
    let last = messages.last_mut().filter(|message| message.role == Role::Assistant && !calls(message));
    let Some(message) = last else {
        let block = Block::new(Content::text(said), Path::Root);
        messages.push(Message::new(Role::Assistant, Path::Root, vec![block]));
        return;
    };
    match message.blocks.last_mut().map(|block| &mut block.content) {
        Some(Content::Text { text: begun, .. }) => *begun = Text::from(format!("{}{text}", begun.value())),
        _ => message.blocks.push(Block::new(Content::text(said), Path::Root)),
    }
}

fn calls(message: &Message<'_>) -> bool {
    message.blocks.iter().any(|block| matches!(block.content, Content::ToolCall(ToolCall { .. })))
}

/// Anthropic's models do not think where they go on from a begun answer.
fn think_no_more(request: &mut Request<'_>) {
    let Thinking { on, effort: _, budget, .. } = &request.thinking;
    let thinks = on.as_ref().is_some_and(|given| given.value) || budget.is_some();
    if thinks {
        let effort = request.thinking.effort.take();
        request.thinking =
            Thinking { on: Some(Given::new("thinking", false)), effort, ..Thinking::default() };
        request.rest.retain(|extension| !extension.name.value().starts_with("thinking."));
    }
}

impl Mark {
    /// The request with the member. `body` is one of OpenAI chat.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn put(self, body: &[u8]) -> Result<Vec<u8>, JsonError> {
        let document = Document::read(body)?;
        let root = document.root();
        let (object, added) = match self {
            Self::Message(name) => {
                let last = root.get("messages").and_then(|messages| messages.elements().last());
                (last.map_or(root.raw(), |message| message.raw()), format!(",\"{name}\":true"))
            }
            Self::Request(members) => {
                let members = members.iter().map(|(name, value)| format!(",\"{name}\":{value}"));
                (root.raw(), members.collect())
            }
        };
        // Both are parts of one text, so that their distance is the object's place in it.
        let start = (object.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
        let (before, after) = body.split_at((start + object.len()).saturating_sub(1).min(body.len()));
        Ok([before, added.as_bytes(), after].concat())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::convert::{Called, codec};
    use crate::neutral::Target;

    fn adapted(client: Dialect, body: &Value, go_on: &GoOn<'_>, upstream: Dialect) -> Value {
        let text = body.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let called = Called { model: "m", stream: true };
        let mut request = codec(client).unwrap().decode_request(&document, called).unwrap();
        go_on.adapt(&mut request, upstream);
        let target = Target { stream: true, ..Target::new(upstream, "p", "m") };
        let encoded = codec(upstream).unwrap().encode_request(&request, &target).unwrap();
        serde_json::from_slice(&encoded.body).unwrap()
    }

    fn chat() -> Value {
        json!({"model": "r", "max_tokens": 100, "stop": ["END"], "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Tell me."}]})
    }

    const PREFILL: GoOn<'_> = GoOn { text: "Once upon \n", tokens: 30, prefill: true };
    const TOLD: GoOn<'_> = GoOn { prefill: false, ..PREFILL };

    #[test]
    fn the_answer_so_far_is_the_assistants_last_word() {
        let body = adapted(Dialect::OpenAiChat, &chat(), &PREFILL, Dialect::OpenAiChat);
        assert_eq!(body["messages"][2], json!({"role": "assistant", "content": "Once upon \n"}));
        assert_eq!((&body["messages"][3], &body["stop"]), (&Value::Null, &json!(["END"])));
        assert_eq!(body["max_tokens"], 70);
        let body = adapted(Dialect::OpenAiChat, &chat(), &PREFILL, Dialect::Anthropic);
        let last = &body["messages"][1];
        assert_eq!(last["role"], "assistant");
        assert!(last.to_string().contains("Once upon\""), "without whitespace at its end: {last}");
        assert_eq!((&body["max_tokens"], &body["stop_sequences"]), (&json!(70), &json!(["END"])));
        for upstream in [Dialect::Ollama, Dialect::Gemini] {
            let body = adapted(Dialect::OpenAiChat, &chat(), &PREFILL, upstream).to_string();
            assert!(body.contains(r#"Once upon \n""#), "{body}");
        }
    }

    #[test]
    fn who_cannot_go_on_is_told_to() {
        for client in [Dialect::OpenAiChat, Dialect::Anthropic, Dialect::OpenAiResponses] {
            let asked = match client {
                Dialect::OpenAiResponses => {
                    json!({"model": "r", "input": "Tell me.", "max_output_tokens": 100})
                }
                Dialect::Anthropic => {
                    json!({"model": "r", "max_tokens": 100, "messages": [{"role": "user", "content": "Tell me."}]})
                }
                _ => chat(),
            };
            for upstream in Dialect::ALL {
                let body = adapted(client, &asked, &TOLD, upstream).to_string();
                let places =
                    ["Tell me.", r"Once upon \n", "was cut off in the middle"].map(|text| body.find(text));
                let [Some(asked), Some(said), Some(told)] = places else {
                    panic!("{client} {upstream}: {body}")
                };
                assert!(asked < said && said < told, "{client} {upstream}: {body}");
                assert!(body.contains(":70"), "{client} {upstream}: {body}");
            }
        }
    }

    #[test]
    fn an_answer_that_the_client_began_goes_on_as_one() {
        let mut asked = chat();
        asked["messages"].as_array_mut().unwrap().push(json!({"role": "assistant", "content": "Well: "}));
        let body = adapted(Dialect::OpenAiChat, &asked, &PREFILL, Dialect::OpenAiChat);
        assert_eq!(body["messages"][2]["content"], "Well: Once upon \n");
        assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn thoughts_end_where_a_begun_answer_goes_on() {
        let asked = json!({"model": "r", "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000},
            "messages": [{"role": "user", "content": "Tell me."}]});
        let body = adapted(Dialect::Anthropic, &asked, &PREFILL, Dialect::Anthropic);
        assert_eq!((&body["thinking"], &body["max_tokens"]), (&json!({"type": "disabled"}), &json!(3970)));
        let much = GoOn { tokens: 3900, ..TOLD };
        let body = adapted(Dialect::Anthropic, &asked, &much, Dialect::Anthropic);
        assert_eq!((&body["thinking"]["budget_tokens"], &body["max_tokens"]), (&json!(2000), &json!(2001)));
    }

    #[test]
    fn limits_never_reach_zero() {
        let much = GoOn { tokens: 3900, ..TOLD };
        assert_eq!(adapted(Dialect::OpenAiChat, &chat(), &much, Dialect::OpenAiChat)["max_tokens"], 1);
    }

    #[test]
    fn providers_are_told_in_their_own_words() {
        let body = json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "}"}], "n": 1});
        let body = format!(" {body} ");
        let put =
            |mark: Mark| -> Value { serde_json::from_slice(&mark.put(body.as_bytes()).unwrap()).unwrap() };
        let marked = put(Mark::Message("prefix"));
        assert_eq!(marked["messages"][1], json!({"role": "assistant", "content": "}", "prefix": true}));
        assert_eq!(marked["messages"][0], json!({"role": "user", "content": "x"}));
        let members: &[_] = &[("continue_final_message", "true"), ("add_generation_prompt", "false")];
        let marked = put(Mark::Request(members));
        assert_eq!(
            (&marked["continue_final_message"], &marked["add_generation_prompt"]),
            (&json!(true), &json!(false))
        );
        assert!(Mark::Message("prefix").put(b"{").is_err());
    }

    #[test]
    fn what_a_continuation_depends_on_is_read_off() {
        let asked = json!({"model": "m", "messages": [], "logprobs": true, "stop": "END", "modalities": ["text", "audio"],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}});
        let text = asked.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let request =
            codec(Dialect::OpenAiChat).unwrap().decode_request(&document, Called::default()).unwrap();
        let terms = Terms::of(&request);
        assert!(terms.logprobs && terms.audio);
        assert_eq!(
            (terms.stops, terms.schema.as_deref()),
            (vec!["END".to_owned()], Some(r#"{"type":"object"}"#))
        );
    }
}
