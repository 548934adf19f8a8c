//! Which optional field of a request a provider refuses, by its words.

use super::ErrorInfo;

/// Fields without which the same question is asked, though perhaps answered otherwise, as OpenAI's chat dialect
/// names them, and what else vendors call them in their errors.
const FIELDS: [(&str, &[&str]); 19] = [
    ("reasoning_effort", &["reasoningeffort", "reasoning.effort"]),
    ("thinking_budget", &["thinkingbudget"]),
    ("enable_thinking", &[]),
    ("temperature", &[]),
    ("top_p", &["topp"]),
    ("top_k", &["topk"]),
    ("min_p", &[]),
    ("presence_penalty", &["presencepenalty"]),
    ("frequency_penalty", &["frequencypenalty"]),
    ("repetition_penalty", &[]),
    ("top_logprobs", &["toplogprobs"]),
    ("logprobs", &[]),
    ("parallel_tool_calls", &["paralleltoolcalls"]),
    ("service_tier", &["servicetier"]),
    ("stop", &["stop_sequences", "stopsequences"]),
    ("seed", &[]),
    ("store", &[]),
    ("metadata", &[]),
    ("user", &[]),
];

/// These are words of every day too: they count only where they are marked as a field.
const EVERYDAY: [&str; 5] = ["stop", "seed", "store", "metadata", "user"];

/// What is said of a field that is refused.
const REFUSALS: [&str; 14] = [
    "support",
    "unrecognized",
    "unknown",
    "unexpected",
    "not allowed",
    "not permitted",
    "not available",
    "extra inputs",
    "must be one of",
    "cannot specify",
    "cannot be used",
    "deprecated",
    "not enabled",
    "invalid parameter",
];

/// The optional field that a refusal is about; `param`: the field at fault, where the error has one.
#[must_use]
pub fn refused_field(error: &ErrorInfo<'_>, param: Option<&str>) -> Option<&'static str> {
    let message = error.message.unwrap_or_default().to_ascii_lowercase();
    let code = error.code.unwrap_or_default();
    let refused = REFUSALS.iter().any(|words| message.contains(words))
        || ["unsupported_parameter", "unsupported_value", "unknown_parameter"].contains(&code);
    if !refused {
        return None;
    }
    let param = param.map(|param| param.rsplit('/').next().unwrap_or(param).to_ascii_lowercase());
    let names = || {
        FIELDS.iter().flat_map(|(field, others)| {
            std::iter::once(field).chain(*others).map(move |name| (*field, *name))
        })
    };
    let told = names().find(|(_, name)| param.as_deref() == Some(name));
    let told =
        told.or_else(|| names().find(|(field, name)| is_named(&message, name, EVERYDAY.contains(field))));
    told.map(|(field, _)| field)
}

/// Whether the message (in lower case) names a field: as a word of its own, or `marked` as one.
fn is_named(message: &str, name: &str, marked: bool) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    message.match_indices(name).any(|(at, _)| {
        let (before, after) =
            (message.get(..at).unwrap_or_default(), message.get(at + name.len()..).unwrap_or_default());
        let whole = !before.ends_with(inside) && !after.starts_with(inside);
        let quoted = before.ends_with(['`', '\'', '"']) && after.starts_with(['`', '\'', '"']);
        let called = ["parameter ", "parameter: ", "argument ", "argument: ", "field ", "field: "];
        // Or alone at the end: `not supported on this model: stop`.
        let alone = before.ends_with(": ") && after.trim_end_matches('.').is_empty();
        whole && (!marked || quoted || alone || called.iter().any(|word| before.ends_with(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str, code: Option<&str>, param: Option<&str>) -> Option<&'static str> {
        refused_field(&ErrorInfo { message: Some(message), code, ..ErrorInfo::default() }, param)
    }

    #[test]
    fn vendors_name_what_they_refuse() {
        for (message, field) in [
            ("Model grok-4 does not support parameter reasoningEffort.", "reasoning_effort"),
            ("Argument not supported on this model: stop", "stop"),
            ("Argument not supported: presencePenalty", "presence_penalty"),
            ("`reasoning_effort` must be one of `none` or `default`", "reasoning_effort"),
            ("`temperature` is deprecated for this model.", "temperature"),
            ("Unsupported parameter: 'top_p' is not supported with this model.", "top_p"),
            ("cannot specify both 'thinking' and 'reasoning_effort'", "reasoning_effort"),
            ("body.parallel_tool_calls: Extra inputs are not permitted", "parallel_tool_calls"),
            ("Unrecognized request argument supplied: logprobs", "logprobs"),
        ] {
            assert_eq!(refused(message, None, None), Some(field), "{message}");
        }
        assert_eq!(refused("no", Some("unsupported_value"), Some("temperature")), Some("temperature"));
        assert_eq!(refused("is not supported", None, Some("body/seed")), Some("seed"));
    }

    #[test]
    fn other_refusals_name_none() {
        for message in [
            "",
            "max_tokens is too large",
            "the user is not allowed to call this model",
            "unknown model; stop asking",
            "`temperature` must be between 0 and 2",
            "this metadata store is not supported",
            "images are not supported",
        ] {
            assert_eq!(refused(message, None, None), None, "{message}");
        }
    }
}
