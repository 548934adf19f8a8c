//! The order in which events may come, dialect by dialect: what breaks it is a breach.

use pointsman_core::Dialect;
use serde_json::Value;

use super::{Said, surrogates, tokens, word};
use crate::openai::Tokens;

/// How far a stream is.
#[derive(Debug, Default)]
pub(super) struct Order {
    begun: bool,
    /// The number of the next event (responses).
    number: u64,
    /// The block or item that is open.
    open: Option<u64>,
    /// What was closed so far.
    closed: u64,
    input: u64,
    /// The finish that was told before the end (Anthropic).
    finish: Option<String>,
}

impl Order {
    /// Takes an event.
    pub(super) fn event(&mut self, dialect: Dialect, name: Option<&str>, value: &Value, said: &mut Said) {
        match dialect {
            Dialect::OpenAiResponses => self.response(name, value, said),
            Dialect::Anthropic => self.message(name, value, said),
            _ => self.chunk(value, said),
        }
    }

    fn chunk(&mut self, value: &Value, said: &mut Said) {
        if value["error"].is_object() {
            return said.take_error(&value["error"]);
        }
        said.id(value);
        one(said);
        let Some(choice) = value["choices"].as_array().and_then(|choices| choices.first()) else {
            said.usage = tokens(&value["usage"], ["prompt_tokens", "completion_tokens"]);
            return check(said, said.finish.is_some(), "usage before the finish");
        };
        check(said, said.finish.is_none(), "a choice after its finish");
        let delta = &choice["delta"];
        if delta["role"].is_string() {
            check(said, !self.begun, "the role came twice");
        }
        self.begun = true;
        if let Some(text) = delta["content"].as_str().filter(|text| !text.is_empty()) {
            said.text.push_str(text);
            said.deltas += 1;
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            check(said, call["index"] == 0, "a second call");
            if call["id"].is_string() {
                check(said, said.call.is_none(), "the call was announced twice");
                said.call = Some((word(&call["id"]), word(&call["function"]["name"])));
            }
            said.text.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            said.deltas += 1;
        }
        if let Some(finish) = choice["finish_reason"].as_str() {
            said.finish = Some(finish.to_owned());
        }
    }

    fn message(&mut self, name: Option<&str>, value: &Value, said: &mut Said) {
        let kind = value["type"].as_str().unwrap_or_default();
        check(said, name == Some(kind), "the event's name is not its type");
        check(said, self.begun || matches!(kind, "message_start" | "error" | "ping"), "no message_start");
        let index = value["index"].as_u64();
        match kind {
            "message_start" => {
                check(said, !self.begun, "message_start came twice");
                self.begun = true;
                said.id(&value["message"]);
                self.input = value["message"]["usage"]["input_tokens"].as_u64().unwrap_or(0);
            }
            "content_block_start" => {
                let right = self.open.is_none() && index == Some(self.closed) && self.finish.is_none();
                check(said, right, "a block out of its order");
                self.open = index;
                let block = &value["content_block"];
                if block["type"] == "tool_use" {
                    said.call = Some((word(&block["id"]), word(&block["name"])));
                }
            }
            "content_block_delta" => {
                check(said, index.is_some() && index == self.open, "a delta outside its block");
                let delta = &value["delta"];
                let text = delta["text"].as_str().or_else(|| delta["partial_json"].as_str());
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    said.text.push_str(text);
                    said.deltas += 1;
                }
            }
            "content_block_stop" => {
                check(said, index.is_some() && index == self.open, "a block closed that is not open");
                self.open = None;
                self.closed += 1;
            }
            "message_delta" => {
                check(said, self.open.is_none() && self.finish.is_none(), "message_delta out of its order");
                self.finish = value["delta"]["stop_reason"].as_str().map(str::to_owned);
                let output = value["usage"]["output_tokens"].as_u64();
                let input = value["usage"]["input_tokens"].as_u64().unwrap_or(self.input);
                said.usage = output.map(|output| Tokens { input, output });
            }
            "message_stop" => {
                check(said, self.finish.is_some(), "message_stop without message_delta");
                said.finish = self.finish.take();
                said.done = true;
            }
            "error" => said.take_error(&value["error"]),
            "ping" => {}
            other => said.breaches.push(format!("an event {other:?}")),
        }
    }

    fn response(&mut self, name: Option<&str>, value: &Value, said: &mut Said) {
        let kind = value["type"].as_str().unwrap_or_default();
        check(said, name == Some(kind), "the event's name is not its type");
        if matches!(kind, "error" | "response.failed") {
            let error = if kind == "error" { value } else { &value["response"]["error"] };
            if said.error.is_none() {
                said.take_error(error);
            }
            return;
        }
        check(said, said.error.is_none(), "an event after an error");
        check(said, value["sequence_number"].as_u64() == Some(self.number), "sequence_number has a gap");
        self.number += 1;
        let index = value["output_index"].as_u64();
        if value["response"].is_object() {
            said.id(&value["response"]);
            one(said);
        }
        match kind {
            "response.created" => {
                check(said, !self.begun, "response.created came twice");
                self.begun = true;
            }
            "response.output_item.added" => {
                check(said, self.open.is_none() && index == Some(self.closed), "an item out of its order");
                self.open = index;
                let item = &value["item"];
                if item["type"] == "function_call" {
                    said.call = Some((word(&item["call_id"]), word(&item["name"])));
                }
            }
            "response.output_text.delta" | "response.function_call_arguments.delta" => {
                check(said, index.is_some() && index == self.open, "a delta outside its item");
                said.text.push_str(value["delta"].as_str().unwrap_or_default());
                said.deltas += 1;
            }
            "response.output_text.done" => same(said, &value["text"]),
            "response.function_call_arguments.done" => same(said, &value["arguments"]),
            "response.content_part.done" => same(said, &value["part"]["text"]),
            "response.output_item.done" => {
                check(said, index.is_some() && index == self.open, "an item closed that is not open");
                self.open = None;
                self.closed += 1;
            }
            "response.completed" | "response.incomplete" => {
                check(said, self.open.is_none(), "the end while an item is open");
                let streamed = std::mem::take(&mut said.text);
                whole_response(&value["response"], said);
                check(said, joined(&streamed) == joined(&said.text), "the end tells another text");
                said.text = streamed;
                said.done = true;
            }
            "response.in_progress" | "response.content_part.added" => {}
            other => said.breaches.push(format!("an event {other:?}")),
        }
    }
}

/// Reads a whole response.
pub(super) fn whole_response(value: &Value, said: &mut Said) {
    for item in value["output"].as_array().into_iter().flatten() {
        match item["type"].as_str() {
            Some("message") => {
                for part in item["content"].as_array().into_iter().flatten() {
                    said.text += part["text"].as_str().unwrap_or_default();
                }
            }
            Some("function_call") => {
                said.call = Some((word(&item["call_id"]), word(&item["name"])));
                said.text = word(&item["arguments"]);
            }
            _ => {}
        }
    }
    said.finish = value["status"].as_str().filter(|status| *status != "failed").map(str::to_owned);
    said.usage = tokens(&value["usage"], ["input_tokens", "output_tokens"]);
}

fn joined(text: &str) -> String {
    surrogates::joined(text).0
}

/// What is told again must be what was told.
fn same(said: &mut Said, again: &Value) {
    let right = again.as_str().is_some_and(|again| joined(again) == joined(&said.text));
    check(said, right, "what is told again is something else");
}

/// An answer has one id and one model.
fn one(said: &mut Said) {
    let (ids, models) = (said.ids.len() <= 1, said.models.len() <= 1);
    check(said, ids, "a second id");
    check(said, models, "a second model");
}

fn check(said: &mut Said, right: bool, breach: &str) {
    if !right && said.breaches.iter().all(|known| known != breach) {
        said.breaches.push(breach.to_owned());
    }
}
