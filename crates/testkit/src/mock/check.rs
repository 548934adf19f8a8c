//! The strict checks: what a picky server would refuse, and what no gateway may send.

use serde_json::Value;

use super::log::Received;

/// What a path stands for, below any prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/chat/completions`
    Chat,
    /// `/completions`
    Completion,
    /// `/embeddings`
    Embeddings,
    /// `/models`
    Models,
}

/// Hop-by-hop headers (RFC 9110 §7.6.1) and marks of the caller that must not travel on.
const NEVER_FORWARDED: [&str; 8] =
    ["proxy-authorization", "proxy-connection", "keep-alive", "te", "trailer", "upgrade", "cookie", "origin"];

/// Headers that may occur only once.
const SINGLE: [&str; 5] = ["host", "content-length", "content-type", "authorization", "traceparent"];

/// The endpoint of `path`.
#[must_use]
pub fn endpoint(path: &str) -> Option<Endpoint> {
    let known = [
        ("/chat/completions", Endpoint::Chat),
        ("/completions", Endpoint::Completion),
        ("/embeddings", Endpoint::Embeddings),
        ("/models", Endpoint::Models),
    ];
    known.into_iter().find(|(suffix, _)| path.ends_with(suffix)).map(|(_, endpoint)| endpoint)
}

/// Everything that is wrong with `request`.
#[must_use]
pub fn violations(request: &Received) -> Vec<String> {
    let mut found = Vec::new();
    for name in SINGLE {
        if request.header_all(name).len() > 1 {
            found.push(format!("header {name} occurs twice"));
        }
    }
    for name in NEVER_FORWARDED {
        if request.header(name).is_some() {
            found.push(format!("header {name} was forwarded"));
        }
    }
    if request.header("host").is_none() {
        found.push("no host header".into());
    }
    match (endpoint(request.path()), request.method.as_str()) {
        (None, _) => found.push(format!("no such path: {}", request.path())),
        (Some(Endpoint::Models), "GET") => {}
        (Some(Endpoint::Models), method) => found.push(format!("{method} on {}", request.path())),
        (Some(endpoint), "POST") => check_body(endpoint, request, &mut found),
        (Some(_), method) => found.push(format!("{method} on {}", request.path())),
    }
    found
}

fn check_body(endpoint: Endpoint, request: &Received, found: &mut Vec<String>) {
    let media_type = request.header("content-type").unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        found.push(format!("content-type is {media_type:?}"));
    }
    let body: Value = match serde_json::from_slice(&request.body) {
        Ok(body) => body,
        Err(error) => return found.push(format!("body is not JSON: {error}")),
    };
    if body["model"].as_str().is_none_or(str::is_empty) {
        found.push(format!("model is {}", body["model"]));
    }
    let input = match endpoint {
        Endpoint::Chat => "messages",
        Endpoint::Completion => "prompt",
        Endpoint::Embeddings | Endpoint::Models => "input",
    };
    if body.get(input).is_none_or(Value::is_null) {
        found.push(format!("no {input}"));
    }
    if endpoint == Endpoint::Chat && body["messages"].as_array().is_none_or(Vec::is_empty) {
        found.push("messages is not a list of at least one".into());
    }
    let stream = body.get("stream").unwrap_or(&Value::Null);
    if !stream.is_null() && !stream.is_boolean() {
        found.push(format!("stream is {stream}"));
    }
    let has_options = body.get("stream_options").is_some_and(|options| !options.is_null());
    if has_options && stream != &Value::Bool(true) {
        found.push("stream_options without stream".into());
    }
}
