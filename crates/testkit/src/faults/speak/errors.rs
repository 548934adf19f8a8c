//! Error bodies and error events: the vendors' own words, by which gateways tell causes apart.

use bytes::Bytes;
use pointsman_core::Dialect;
use serde_json::{Value, json};

use super::named;
use crate::faults::table::Words;

/// Type, code and message of OpenAI's error object; type and message of Anthropic's.
struct Told {
    openai: (&'static str, Option<&'static str>, &'static str),
    anthropic: (&'static str, &'static str),
}

const fn words(words: Words) -> Told {
    match words {
        Words::RateLimit => Told {
            openai: (
                "requests",
                Some("rate_limit_exceeded"),
                "Rate limit reached for requests. Please try again later.",
            ),
            anthropic: ("rate_limit_error", "This request would exceed your rate limit."),
        },
        Words::Overloaded => Told {
            openai: ("server_error", None, "The engine is currently overloaded, please try again later."),
            anthropic: ("overloaded_error", "Overloaded"),
        },
        Words::Server | Words::Page => Told {
            openai: ("server_error", None, "The server had an error while processing your request."),
            anthropic: ("api_error", "Internal server error"),
        },
        Words::Authentication => Told {
            openai: ("invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided."),
            anthropic: ("authentication_error", "invalid x-api-key"),
        },
        Words::Permission => Told {
            openai: (
                "invalid_request_error",
                Some("unsupported_country_region_territory"),
                "Country, region, or territory not supported.",
            ),
            anthropic: ("permission_error", "Your API key does not have permission to use this resource."),
        },
        Words::Billing => Told {
            openai: ("invalid_request_error", Some("billing_not_active"), "Your account is not active."),
            anthropic: ("billing_error", "There is an issue with your billing information."),
        },
        Words::Quota => Told {
            openai: (
                "insufficient_quota",
                Some("insufficient_quota"),
                "You exceeded your current quota, please check your plan and billing details.",
            ),
            anthropic: (
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API.",
            ),
        },
        Words::ContextTooLong => Told {
            openai: (
                "invalid_request_error",
                Some("context_length_exceeded"),
                "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 \
                 tokens.",
            ),
            anthropic: ("invalid_request_error", "prompt is too long: 209000 tokens > 200000 maximum"),
        },
        Words::ContentFilter => Told {
            openai: (
                "invalid_request_error",
                Some("content_policy_violation"),
                "Your request was rejected as a result of our safety system.",
            ),
            anthropic: ("invalid_request_error", "Output blocked by content filtering policy"),
        },
        Words::ModelNotFound => Told {
            openai: (
                "invalid_request_error",
                Some("model_not_found"),
                "The model does not exist or you do not have access to it.",
            ),
            anthropic: ("not_found_error", "model: m"),
        },
        Words::BadRequest => Told {
            openai: ("invalid_request_error", None, "temperature is out of range"),
            anthropic: ("invalid_request_error", "temperature: is out of range"),
        },
    }
}

/// An error document, with what is to be said in place of the usual words.
pub(in crate::faults) fn error(dialect: Dialect, kind: Words, message: Option<&str>) -> Value {
    let told = words(kind);
    if dialect == Dialect::Anthropic {
        let (type_, usual) = told.anthropic;
        let message = message.unwrap_or(usual);
        return json!({"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_1"});
    }
    let (type_, code, usual) = told.openai;
    let message = message.unwrap_or(usual);
    json!({"error": {"message": message, "type": type_, "param": null, "code": code}})
}

/// An error inside a stream.
pub(in crate::faults) fn error_event(dialect: Dialect, number: usize) -> Bytes {
    let document = error(dialect, Words::Server, None);
    match dialect {
        Dialect::Anthropic => named("error", &error(dialect, Words::Overloaded, None).to_string()).into(),
        Dialect::OpenAiResponses => {
            let (code, message) = ("server_error", &document["error"]["message"]);
            let data = json!({"type": "error", "sequence_number": number, "code": code, "message": message,
                "param": null});
            named("error", &data.to_string()).into()
        }
        _ => format!("data: {document}\n\n").into(),
    }
}
