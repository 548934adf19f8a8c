//! The tables, row by row, with answers as vendors send them.

use super::*;

const NOTHING: ErrorInfo<'_> =
    ErrorInfo { type_: None, code: None, message: None, reason: None, retry_after: None };

fn plain(status: u16) -> Outcome {
    classify(status, None, &NOTHING)
}

fn code(status: u16, code: &str) -> Outcome {
    classify(status, None, &ErrorInfo { code: Some(code), ..NOTHING })
}

fn said(status: u16, message: &str) -> Outcome {
    classify(status, None, &ErrorInfo { message: Some(message), ..NOTHING })
}

#[test]
fn statuses() {
    for status in [400, 404, 405, 411, 413, 414, 415, 422, 431, 451] {
        assert_eq!(plain(status), Outcome::ClientFault, "{status}");
    }
    for status in [401, 403] {
        assert_eq!(plain(status), Outcome::Unauthorized, "{status}");
    }
    assert_eq!(plain(402), Outcome::QuotaExhausted);
    for status in [408, 504, 524] {
        assert_eq!(plain(status), Outcome::Timeout(Phase::FirstByte), "{status}");
    }
    assert_eq!(plain(429), Outcome::RateLimited { retry_after: None });
    for status in [498, 499, 503, 529] {
        assert_eq!(plain(status), Outcome::Overloaded { retry_after: None }, "{status}");
    }
    for status in [409, 425, 500, 501, 502, 505, 520, 599] {
        assert_eq!(plain(status), Outcome::UpstreamFault, "{status}");
    }
    // A redirect is not followed, and a status that does not exist is not the client's fault.
    for status in [0, 100, 301, 307, 600, u16::MAX] {
        assert_eq!(plain(status), Outcome::UpstreamFault, "{status}");
    }
    assert_eq!(plain(200), Outcome::Success);
}

#[test]
fn words_say_more_than_the_status() {
    let typed = |status, type_| classify(status, None, &ErrorInfo { type_: Some(type_), ..NOTHING });
    assert_eq!(code(429, "rate_limit_exceeded"), Outcome::RateLimited { retry_after: None });
    assert_eq!(code(413, "rate_limit_exceeded"), Outcome::RateLimited { retry_after: None }, "Groq");
    assert_eq!(typed(500, "overloaded_error"), Outcome::Overloaded { retry_after: None });
    assert_eq!(typed(500, "server_error"), Outcome::UpstreamFault);
    assert_eq!(code(400, "invalid_api_key"), Outcome::Unauthorized);
    let reason = ErrorInfo { reason: Some("API_KEY_INVALID"), type_: Some("INVALID_ARGUMENT"), ..NOTHING };
    assert_eq!(classify(400, None, &reason), Outcome::Unauthorized);
}

#[test]
fn an_empty_account_is_no_rate_limit() {
    for (status, word) in [
        (429, "insufficient_quota"),
        (429, "billing_hard_limit_reached"),
        (400, "billing_hard_limit_reached"),
        (429, "billing_not_active"),
        (402, "insufficient_balance"),
        (429, "exceeded_current_quota_error"),
        (400, "billing_error"),
    ] {
        assert_eq!(code(status, word), Outcome::QuotaExhausted, "{word}");
    }
    for (status, message) in [
        (400, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."),
        (400, "You have reached your specified API usage limits. You will regain access on 2025-12-01."),
        (402, "Insufficient Balance"),
        (403, "Your newly created team doesn't have any credits or licenses yet."),
        (429, "Your team has either used all available credits or reached its monthly spending limit."),
    ] {
        assert_eq!(said(status, message), Outcome::QuotaExhausted, "{message}");
    }
    // The same words mean a minute's limit with Google, unless it is a day's.
    let google = "You exceeded your current quota, please check your plan and billing details.";
    let quota = |reason| ErrorInfo { message: Some(google), reason: Some(reason), ..NOTHING };
    let minute = quota("GenerateRequestsPerMinutePerProjectPerModel");
    assert_eq!(classify(429, None, &minute), Outcome::RateLimited { retry_after: None });
    let day = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier");
    assert_eq!(classify(429, None, &day), Outcome::QuotaExhausted);
}

#[test]
fn a_wrong_key_is_ours_even_as_a_400() {
    let google = "API key not valid. Please pass a valid API key.";
    assert_eq!(said(400, google), Outcome::Unauthorized);
    assert_eq!(said(400, "Incorrect API key provided: xa***key"), Outcome::Unauthorized);
    assert_eq!(said(400, "User location is not supported for the API use."), Outcome::Unauthorized);
    assert_eq!(said(400, "messages must not be empty"), Outcome::ClientFault);
    assert_eq!(said(500, google), Outcome::UpstreamFault, "only a 400 is ambiguous");
}

#[test]
fn what_is_too_long_is_known_by_every_vendors_words() {
    assert_eq!(code(400, "context_length_exceeded"), Outcome::ContextTooLong);
    assert_eq!(code(400, "exceed_context_size_error"), Outcome::ContextTooLong);
    for (vendor, status, message) in [
        (
            "OpenAI",
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        ),
        (
            "OpenAI",
            400,
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
        ),
        ("Anthropic", 400, "prompt is too long: 213462 tokens > 200000 maximum"),
        ("Anthropic", 400, "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000"),
        (
            "Google",
            400,
            "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
        ),
        (
            "vLLM",
            400,
            "This model's maximum context length is 2048 tokens. However, you requested 3000 tokens",
        ),
        ("vLLM", 400, "The decoder prompt (length 9000) is longer than the maximum model length of 4096."),
        (
            "llama.cpp",
            400,
            "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
        ),
        ("llama.cpp", 500, "the request exceeds the available context size. try increasing the context size"),
        ("Ollama", 400, "the input length exceeds the context length"),
        ("Ollama", 500, "input length exceeds maximum context length"),
        (
            "Mistral",
            400,
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        ),
        ("Groq", 400, "Please reduce the length of the messages or completion."),
        ("Groq", 413, "Please reduce the length of the messages or completion."),
        (
            "Cohere",
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
        ),
        ("xAI", 400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
        ("Bedrock", 400, "Input is too long for requested model."),
        (
            "OpenRouter",
            400,
            "This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens",
        ),
        (
            "Moonshot",
            400,
            "Invalid request: Your request exceeded model token limit: 131072 (requested: 180000)",
        ),
        ("MiniMax", 400, "invalid params, context window exceeds limit (2013)"),
        (
            "Cerebras",
            400,
            "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
        ),
        (
            "TGI",
            422,
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 3000",
        ),
        (
            "LM Studio",
            400,
            "The number of tokens to keep from the initial prompt is greater than the context length",
        ),
    ] {
        assert_eq!(said(status, message), Outcome::ContextTooLong, "{vendor}: {message}");
    }
    // A rate limit of tokens is none of this, whatever it names.
    let tokens = "Rate limit reached: too many tokens per minute. Please try again in 6s.";
    assert_eq!(said(429, tokens), Outcome::RateLimited { retry_after: Some(Duration::from_secs(6)) });
    assert_eq!(said(400, "max_tokens must be at least 1"), Outcome::ClientFault);
}

#[test]
fn what_is_forbidden_is_known() {
    for (status, word) in [
        (400, "content_policy_violation"),
        (400, "content_filter"),
        (400, "moderation_blocked"),
        (400, "data_inspection_failed"),
        (502, "PROHIBITED_CONTENT"),
    ] {
        assert_eq!(code(status, word), Outcome::ContentFiltered, "{word}");
    }
    for word in ["SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"] {
        let blocked = ErrorInfo { reason: Some(word), ..NOTHING };
        assert_eq!(classify_body_error(&blocked), Outcome::ContentFiltered, "{word}");
    }
    let azure = ErrorInfo { code: Some("400"), reason: Some("ResponsibleAIPolicyViolation"), ..NOTHING };
    assert_eq!(classify(400, None, &azure), Outcome::ContentFiltered);
    for (status, message) in [
        (400, "Your request was rejected as a result of our safety system."),
        (400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy."),
        (
            400,
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        ),
        (400, "Output blocked by content filtering policy"),
        (403, "Your chosen model requires moderation and your input was flagged for \"violence\"."),
    ] {
        assert_eq!(said(status, message), Outcome::ContentFiltered, "{message}");
    }
}

#[test]
fn a_model_that_is_not_there_is_not_the_requests_fault() {
    for (status, word) in [
        (404, "model_not_found"),
        (400, "model_not_found"),
        (400, "model_decommissioned"),
        (404, "DeploymentNotFound"),
        (400, "invalid_model"),
    ] {
        assert_eq!(code(status, word), Outcome::ModelNotFound, "{word}");
    }
    for (status, message) in [
        (404, "The model `gpt-9` does not exist or you do not have access to it."),
        (404, "model: claude-9"),
        (
            404,
            "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.",
        ),
        (404, "model \"llama9\" not found, try pulling it first"),
        (404, "model 'command-9' not found, make sure the correct model ID was used"),
        (404, "Model not found, inaccessible, and/or not deployed"),
        (404, "No endpoints found for vendor/model."),
        (400, "vendor/model-9 is not a valid model ID"),
        (400, "Model Not Exist"),
        (400, "Invalid model: mistral-9"),
        (400, "The provided model identifier is invalid."),
    ] {
        assert_eq!(said(status, message), Outcome::ModelNotFound, "{message}");
    }
    for message in ["Not Found", "No such File object: file-abc123", "no such batch"] {
        assert_eq!(said(404, message), Outcome::ClientFault, "{message}");
    }
}

#[test]
fn the_nearest_word_of_waiting_comes_with_the_outcome() {
    let secs = |seconds| Some(Duration::from_secs(seconds));
    let body = ErrorInfo {
        message: Some("Please retry in 34s."),
        retry_after: Some(Duration::from_secs(33)),
        ..NOTHING
    };
    assert_eq!(classify(429, secs(7), &body).retry_after(), secs(7));
    assert_eq!(classify(429, None, &body).retry_after(), secs(33));
    let message = ErrorInfo { retry_after: None, ..body };
    assert_eq!(classify(503, None, &message).retry_after(), secs(34));
    assert_eq!(classify(500, secs(7), &body).retry_after(), None, "no outcome that carries it");
}

#[test]
fn an_error_inside_an_answer_is_not_a_success() {
    let code = |code| classify_body_error(&ErrorInfo { code: Some(code), ..NOTHING });
    assert_eq!(classify_body_error(&NOTHING), Outcome::UpstreamFault);
    assert_eq!(code("429"), Outcome::RateLimited { retry_after: None });
    assert_eq!(code("200"), Outcome::UpstreamFault);
    assert_eq!(code("context_length_exceeded"), Outcome::ContextTooLong);
    let message = |text| classify_body_error(&ErrorInfo { message: Some(text), ..NOTHING });
    assert_eq!(message("prompt is too long: 9 tokens > 8 maximum"), Outcome::ContextTooLong);
}

/// What a table says in one place must not be hidden by another.
#[test]
fn tables_are_in_lower_case_and_every_row_can_be_reached() {
    for (word, class) in BY_WORD {
        assert_eq!(*word, word.to_ascii_lowercase());
        let found = by_word(&ErrorInfo { code: Some(word), ..NOTHING });
        assert_eq!(found, Some(*class), "{word}");
    }
    for row in BY_PHRASE {
        let message = row.parts.join(" ");
        assert_eq!(message, message.to_ascii_lowercase());
        for status in row.statuses {
            assert_eq!(by_phrase(*status, &message), Some(row.class), "{message}");
        }
    }
}

#[test]
fn who_cannot_verify_thoughts_says_so() {
    let said =
        |code, message| blames_seal(&ErrorInfo { code, message: Some(message), ..ErrorInfo::default() });
    for message in [
        "The encrypted content for item rs_1 could not be verified.",
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "messages.3: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
        "Thought signature is not valid.",
    ] {
        assert!(said(None, message), "{message}");
    }
    assert!(said(Some("invalid_encrypted_content"), ""));
    for message in
        ["", "Invalid signature of the request", "max_tokens must be greater than thinking.budget_tokens"]
    {
        assert!(!said(None, message), "{message}");
    }
}
