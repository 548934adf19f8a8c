//! Paths that do not exist: which one was meant is nearly always clear from the end of it.

use http::{Response, header, request};
use pointsman_core::{ErrorCode, PublicError};

use crate::body::ResponseBody;
use crate::errors;

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
/// How much of a wrong path an error repeats, in characters.
const MAX_ECHO: usize = 120;

/// A 404 with the right URL.
pub(crate) fn not_found(head: &request::Parts) -> Response<ResponseBody> {
    errors::response(&error(head), None)
}

/// Why there is no such path, and which one was meant.
pub(crate) fn error(head: &request::Parts) -> PublicError {
    let path = head.uri.path();
    let shown: String = path.chars().take(MAX_ECHO).collect();
    let host =
        head.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1:4180");
    let message = match meant(path) {
        Some(right) => format!(
            "there is no {shown}; the URL is http://{host}{right}: give clients the base URL http://{host}/v1"
        ),
        None => format!(
            "there is no {shown}; this server has {}: give clients the base URL http://{host}/v1",
            PATHS.join(", ")
        ),
    };
    PublicError::new(ErrorCode::UnknownPath, message)
}

/// The path that was meant, by its last segments: prefixes are doubled, left out, or another server's.
fn meant(path: &str) -> Option<&'static str> {
    let trimmed = path.trim_end_matches('/').to_ascii_lowercase();
    let trimmed = trimmed.replace("//", "/");
    PATHS.into_iter().find(|right| {
        let tail = right.trim_start_matches("/v1");
        trimmed.ends_with(tail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_path_is_told_from_the_end_of_the_wrong_one() {
        let chat = Some("/v1/chat/completions");
        for wrong in [
            "/chat/completions",
            "/v1/v1/chat/completions",
            "/v1/chat/completions/",
            "//v1//chat/completions",
            "/api/v1/chat/completions",
            "/openai/deployments/x/chat/completions",
            "/V1/Chat/Completions",
        ] {
            assert_eq!(meant(wrong), chat, "{wrong}");
        }
        assert_eq!(meant("/completions"), Some("/v1/completions"));
        assert_eq!(meant("/models"), Some("/v1/models"));
        assert_eq!(meant("/embeddings"), Some("/v1/embeddings"));
        assert_eq!(meant("/v1/images"), None);
        assert_eq!(meant("/favicon.ico"), None);
    }
}
