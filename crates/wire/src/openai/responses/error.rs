//! Error documents, and the events that end a stream which failed.

use bytes::Bytes;
use pointsman_core::{ErrorCode, Fault, PublicError};

use crate::UpstreamError;
use crate::json::{Document, Node, Writer};
use crate::openai::error::{self, TriedCandidate};

/// The error document: the same as in OpenAI chat.
#[must_use]
pub fn render_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    error::render(error, request_id, attempts)
}

/// Above that of any event before it: whoever renders it does not know how many there were.
const LAST: u64 = i32::MAX as u64;

/// The same as the events that end a stream. Clients wait for one or the other: `error` makes the vendor's
/// SDKs raise, `response.failed` is what agents look for.
#[must_use]
pub fn render_stream_error(error: &PublicError, request_id: &str, attempts: &[TriedCandidate<'_>]) -> Bytes {
    let document = error::render(error, request_id, attempts);
    let inner = Document::read(&document).ok();
    let inner = inner.as_ref().and_then(|document| document.root().get("error"));
    let mut w = Writer::with_capacity(1_024);
    w.frame(b"event: error\ndata: ").object(|w| {
        w.key("type").string("error").key("sequence_number").count(LAST);
        w.key("code").string(error.code.as_str()).key("message").string(&error.message).key("param");
        match &error.param {
            Some(param) => w.string(param),
            None => w.null(),
        };
        if let Some(inner) = inner {
            w.key("error").raw(inner.raw());
        }
    });
    w.frame(b"\n\nevent: response.failed\ndata: ").object(|w| {
        w.key("type").string("response.failed").key("sequence_number").count(LAST);
        w.key("response").object(|w| failed(w, error, request_id));
    });
    w.frame(b"\n\n");
    w.finish().into()
}

/// As much of an answer as its clients read as always there.
fn failed(w: &mut Writer, error: &PublicError, request_id: &str) {
    let id = request_id.split_once('_').map_or(request_id, |(_, id)| id);
    w.key("id").string(&format!("resp_{id}")).key("object").string("response").key("created_at").count(0);
    w.key("status").string("failed").key("incomplete_details").null();
    w.key("error").object(|w| {
        w.key("code").string(code(error.code)).key("message").string(&error.message);
    });
    w.key("model").string("").key("output").array(|_| {});
    w.key("instructions").null().key("metadata").object(|_| {});
    w.key("parallel_tool_calls").bool(true).key("tool_choice").string("auto").key("tools").array(|_| {});
    w.key("temperature").null().key("top_p").null().key("usage").null();
}

/// The vendor's word for why an answer failed.
const fn code(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::UpstreamRateLimited | ErrorCode::TooManyAuthFailures | ErrorCode::TooManyBytesInFlight => {
            "rate_limit_exceeded"
        }
        ErrorCode::ContextTooLong | ErrorCode::ContentFiltered => code.as_str(),
        other => match other.fault() {
            Fault::Client => "invalid_prompt",
            Fault::Gateway | Fault::Upstream => "server_error",
        },
    }
}

/// Writes what a provider said, as an answer's `error`.
pub(super) fn write_error(w: &mut Writer, told: &UpstreamError) {
    w.object(|w| {
        w.key("code").string(told.code.as_deref().unwrap_or("server_error"));
        w.key("message").string(&told.message);
    });
}

/// Writes the members of the event `error` for what a provider said.
pub(super) fn write_members(w: &mut Writer, told: &UpstreamError) {
    let UpstreamError { message, type_, code, param, .. } = told;
    let members = |w: &mut Writer| {
        w.key("message").string(message);
        for (name, value) in [("code", code), ("param", param)] {
            w.key(name);
            match value {
                Some(value) => w.string(value),
                None => w.null(),
            };
        }
    };
    members(w);
    w.key("error").object(|w| {
        w.key("type").string(type_.as_deref().unwrap_or("server_error"));
        members(w);
    });
}

/// Reads an error document, an event `error` or `response.failed`, or an answer that failed; what is none of
/// these becomes the message.
#[must_use]
pub fn parse_error(body: &[u8]) -> UpstreamError {
    let document = Document::read(body).ok();
    let root = document.as_ref().map(Document::root);
    let is = |node: Node<'_, '_>, name: &str, word: &str| {
        node.get(name).and_then(Node::text).is_some_and(|text| text == word)
    };
    // What stands around it (`type`, `status`) says nothing of the error.
    let inner = root.and_then(|root| root.get("response").unwrap_or(root).get("error"));
    if let Some(inner) = inner {
        return error::parse(inner.raw().as_bytes());
    }
    let mut error = error::parse(body);
    if root.is_some_and(|root| is(root, "type", "error")) {
        error.type_ = None;
    }
    error
}
