//! Paths that do not exist: which one was meant is nearly always clear from the end of it.

use http::{Response, header, request};
use pointsman_core::{Dialect, ErrorCode, PublicError};

use crate::asked::gemini_method;
use crate::body::ResponseBody;
use crate::errors;
use crate::handlers::models;

/// The paths there are, longest first, so that `/chat/completions` is not taken for `/completions`.
const PATHS: [&str; 13] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/models",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/realtime",
];
/// Those of other dialects: what they end in, what they are, what base URL their clients want, and who reads
/// the error. Only prefixes that people leave out or double are taken away: other APIs have such ends too.
const OTHERS: [(&str, &str, &str, Dialect); 8] = [
    ("/messages/count_tokens", "/v1/messages/count_tokens", "", Dialect::Anthropic),
    ("/messages", "/v1/messages", "", Dialect::Anthropic),
    ("/responses/input_tokens", "/v1/responses/input_tokens", "/v1", Dialect::OpenAiResponses),
    ("/responses", "/v1/responses", "/v1", Dialect::OpenAiResponses),
    ("/api/chat", "/api/chat", "", Dialect::Ollama),
    ("/api/generate", "/api/generate", "", Dialect::Ollama),
    ("/api/embed", "/api/embed", "", Dialect::Ollama),
    ("/api/tags", "/api/tags", "", Dialect::Ollama),
];
/// What may stand before these ends.
const PREFIXES: [&str; 7] = ["", "/v1", "/v1/v1", "/api", "/api/v1", "/anthropic", "/anthropic/v1"];
/// What is told of Gemini's paths.
const GEMINI: &str = "/v1beta/models/{model}:";
/// How much of a wrong path an error repeats, in characters.
const MAX_ECHO: usize = 120;

/// A path that was meant.
#[derive(Debug, PartialEq, Eq)]
struct Meant {
    path: String,
    base: &'static str,
    dialect: Dialect,
}

/// A 404 with the right URL.
pub(crate) fn not_found(head: &request::Parts) -> Response<ResponseBody> {
    let path = head.uri.path();
    let dialect = meant(path).map_or_else(|| models::as_asked(family(path).1, head), |meant| meant.dialect);
    errors::response_in(dialect, &error(head), None)
}

/// Whose API a path belongs to, by its beginning: the base URL of its clients, and who reads the error.
fn family(path: &str) -> (&'static str, Dialect) {
    let begins =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match () {
        () if begins("/api") => ("", Dialect::Ollama),
        () if begins("/v1/messages") => ("", Dialect::Anthropic),
        () if begins("/v1beta") || begins("/v1/cachedContents") => ("", Dialect::Gemini),
        () if begins("/v1/responses") => ("/v1", Dialect::OpenAiResponses),
        () => ("/v1", Dialect::OpenAiChat),
    }
}

/// Why there is no such path, and which one was meant.
pub(crate) fn error(head: &request::Parts) -> PublicError {
    let path = head.uri.path();
    let shown: String = path.chars().take(MAX_ECHO).collect();
    let host =
        head.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1:4180");
    let message = match meant(path) {
        Some(Meant { path, base, .. }) => format!(
            "there is no {shown}; the URL is http://{host}{path}: give clients the base URL http://{host}{base}"
        ),
        None => format!(
            "there is no {shown}; this server has {}, /v1/responses, /v1/messages, {GEMINI}generateContent and its kin, \
             /api/chat and its kin: give clients of this API the base URL http://{host}{}",
            PATHS.join(", "),
            family(path).0
        ),
    };
    PublicError::new(ErrorCode::UnknownPath, message)
}

/// The path that was meant, by its last segments: prefixes are doubled, left out, or another server's.
fn meant(path: &str) -> Option<Meant> {
    let trimmed = path.trim_end_matches('/').replace("//", "/");
    let name = trimmed.rsplit_once('/').map_or("", |(_, name)| name);
    if gemini_method(name).is_some() {
        let method = name.rsplit_once(':').map_or("", |(_, method)| method);
        return Some(Meant { path: format!("{GEMINI}{method}"), base: "", dialect: Dialect::Gemini });
    }
    let trimmed = trimmed.to_ascii_lowercase();
    let other = OTHERS
        .into_iter()
        .find(|(tail, ..)| trimmed.strip_suffix(tail).is_some_and(|prefix| PREFIXES.contains(&prefix)));
    if let Some((_, path, base, dialect)) = other {
        return Some(Meant { path: path.to_owned(), base, dialect });
    }
    let right = PATHS.into_iter().find(|right| trimmed.ends_with(right.trim_start_matches("/v1")))?;
    Some(Meant { path: right.to_owned(), base: "/v1", dialect: Dialect::OpenAiChat })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(wrong: &str) -> Option<String> {
        meant(wrong).map(|meant| meant.path)
    }

    #[test]
    fn the_right_path_is_told_from_the_end_of_the_wrong_one() {
        for wrong in [
            "/chat/completions",
            "/v1/v1/chat/completions",
            "/v1/chat/completions/",
            "//v1//chat/completions",
            "/api/v1/chat/completions",
            "/openai/deployments/x/chat/completions",
            "/V1/Chat/Completions",
        ] {
            assert_eq!(path(wrong).as_deref(), Some("/v1/chat/completions"), "{wrong}");
        }
        assert_eq!(path("/completions").as_deref(), Some("/v1/completions"));
        assert_eq!(path("/models").as_deref(), Some("/v1/models"));
        assert_eq!(path("/embeddings").as_deref(), Some("/v1/embeddings"));
        assert_eq!(path("/v1/images"), None);
        assert_eq!(path("/favicon.ico"), None);
    }

    #[test]
    fn the_beginning_tells_whose_api_it_is() {
        for (path, base, dialect) in [
            ("/api/pull", "", Dialect::Ollama),
            ("/v1/messages/batches", "", Dialect::Anthropic),
            ("/v1beta/cachedContents", "", Dialect::Gemini),
            ("/v1/responses/compact", "/v1", Dialect::OpenAiResponses),
            ("/v1/threads", "/v1", Dialect::OpenAiChat),
            ("/apiary", "/v1", Dialect::OpenAiChat),
        ] {
            assert_eq!(family(path), (base, dialect), "{path}");
        }
    }

    #[test]
    fn paths_of_other_dialects_come_with_their_clients_base_url() {
        for (wrong, right, base, dialect) in [
            ("/v1/v1/messages", "/v1/messages", "", Dialect::Anthropic),
            ("/messages/count_tokens", "/v1/messages/count_tokens", "", Dialect::Anthropic),
            ("/responses/", "/v1/responses", "/v1", Dialect::OpenAiResponses),
            ("/v1/api/chat", "/api/chat", "", Dialect::Ollama),
            ("/models/m:generateContent", "/v1beta/models/{model}:generateContent", "", Dialect::Gemini),
            ("/v1/v1beta/models/a/b:countTokens", "/v1beta/models/{model}:countTokens", "", Dialect::Gemini),
        ] {
            let expected = Meant { path: right.to_owned(), base, dialect };
            assert_eq!(meant(wrong), Some(expected), "{wrong}");
        }
        for another in ["/v1/threads/t/messages", "/v1/x/responses", "/v1/responses/resp_1", "/api/chats"] {
            assert_eq!(meant(another), None, "{another}");
        }
    }
}
