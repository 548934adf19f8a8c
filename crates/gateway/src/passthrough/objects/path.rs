//! Paths of files and batches.

use http::Method;
use pointsman_core::{ErrorCode, Operation, PublicError};

/// Longest id, in bytes.
const MAX_ID_BYTES: usize = 128;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    List,
    Create,
    /// Something with one object.
    One {
        id: String,
        method: Method,
        below: &'static str,
    },
}

/// Reads method and path.
pub(super) fn parse(operation: Operation, method: &Method, path: &str) -> Result<Call, PublicError> {
    let unknown = || PublicError::new(ErrorCode::UnknownPath, "files and batches have no such path");
    let wrong = |allow: &str| {
        PublicError::new(ErrorCode::MethodNotAllowed, format!("{method} is not for this path; use {allow}"))
    };
    let rest = path.strip_prefix("/v1").and_then(|path| path.strip_prefix(operation.openai_path()));
    let rest = rest.ok_or_else(unknown)?;
    if rest.is_empty() {
        return match *method {
            Method::GET => Ok(Call::List),
            Method::POST => Ok(Call::Create),
            _ => Err(wrong("GET or POST")),
        };
    }
    let rest = rest.strip_prefix('/').ok_or_else(unknown)?;
    let (id, below) = rest.split_once('/').map_or((rest, ""), |(id, below)| (id, below));
    let (below, allowed) = match (operation, below) {
        (Operation::Files, "") => ("", [Method::GET, Method::DELETE]),
        (Operation::Files, "content") => ("/content", [Method::GET, Method::GET]),
        (Operation::Batches, "") => ("", [Method::GET, Method::GET]),
        (Operation::Batches, "cancel") => ("/cancel", [Method::POST, Method::POST]),
        _ => return Err(unknown()),
    };
    if !is_id(id) {
        return Err(unknown());
    }
    if !allowed.contains(method) {
        return Err(wrong(allowed.map(|method| method.to_string()).join(" or ").as_str()));
    }
    Ok(Call::One { id: id.to_owned(), method: method.clone(), below })
}

/// What providers call their objects. Nothing else becomes part of a path.
pub(super) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_calls_or_nowhere() {
        let files = |method: Method, path: &str| parse(Operation::Files, &method, path);
        assert_eq!(files(Method::GET, "/v1/files"), Ok(Call::List));
        assert_eq!(files(Method::POST, "/v1/files"), Ok(Call::Create));
        let one = Call::One { id: "file-a_1".into(), method: Method::GET, below: "/content" };
        assert_eq!(files(Method::GET, "/v1/files/file-a_1/content"), Ok(one));
        for path in [
            "/v1/files/",
            "/v1/filesx",
            "/v1/files/..",
            "/v1/files/a%2Fb",
            "/v1/files/a/b",
            "/v1/files/a//content",
            "/v1/files/a/content/",
        ] {
            assert_eq!(
                files(Method::GET, path).map_err(|error| error.code),
                Err(ErrorCode::UnknownPath),
                "{path}"
            );
        }
        let refused = files(Method::PUT, "/v1/files/a").map_err(|error| error.code);
        assert_eq!(refused, Err(ErrorCode::MethodNotAllowed));
        assert!(parse(Operation::Batches, &Method::POST, "/v1/batches/b/cancel").is_ok());
        assert!(parse(Operation::Batches, &Method::DELETE, "/v1/batches/b").is_err());
    }
}
