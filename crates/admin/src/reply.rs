//! The form of errors: JSON with a code, a message and a hint.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pointsman_config::{ConfigError, ConfigErrors};
use schemars::JsonSchema;
use serde::Serialize;

/// An error, and where a configuration is wrong everything that is.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    pub(crate) hint: Cow<'static, str>,
    pub(crate) problems: Vec<Problem>,
}

/// What every error looks like.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Error {
    error: ErrorBody,
}

/// What is wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorBody {
    /// Stable, for programs.
    code: Cow<'static, str>,
    /// For people.
    message: Cow<'static, str>,
    /// How to mend it.
    hint: Cow<'static, str>,
    /// All errors of a configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// The file, or the variable or option that overrides it.
    pub(crate) source: Option<String>,
    /// From 1.
    pub(crate) line: Option<u32>,
    /// From 1, in characters.
    pub(crate) column: Option<u32>,
    /// What is wrong.
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, message: message.into(), hint: hint.into(), problems: Vec::new() }
    }

    /// The same, with everything that is wrong.
    pub(crate) fn because(mut self, errors: &ConfigErrors) -> Self {
        self.problems = problems(errors);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, message, hint, problems } = self;
        let error = Error { error: ErrorBody { code: code.into(), message, hint, problems } };
        (status, Json(error)).into_response()
    }
}

/// The errors of a configuration as they are sent.
pub(crate) fn problems(errors: &ConfigErrors) -> Vec<Problem> {
    let problem = |error: &ConfigError| {
        let location = error.location.as_ref();
        let position = location.and_then(|location| location.position);
        Problem {
            source: location.map(|location| location.source.to_string()),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            message: error.message.clone(),
            hint: error.hint.clone(),
        }
    };
    errors.0.iter().map(problem).collect()
}
