//! The form of errors: JSON with a code, a message and a hint.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Rendered as `{"error": {"code", "message", "hint"}}`.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) hint: Cow<'static, str>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, message, hint } = self;
        (status, Json(json!({"error": {"code": code, "message": message, "hint": hint}}))).into_response()
    }
}
