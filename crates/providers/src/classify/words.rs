//! The vendors' words for what went wrong.
//!
//! A row says whose words they are. Of each table the first row that matches counts.

use super::Class;

/// Words in `code`, `type` or the inner reason that say more than the status does, in lower case.
pub(super) const BY_WORD: &[(&str, Class)] = &[
    // The prompt is too long for the model, whatever the status. OpenAI and many who speak its dialect;
    // llama.cpp; Groq and Together for single messages; MiniMax.
    ("context_length_exceeded", Class::ContextTooLong),
    ("exceed_context_size_error", Class::ContextTooLong),
    ("context_window_exceeded", Class::ContextTooLong),
    ("model_max_prompt_tokens_exceeded", Class::ContextTooLong),
    // Content: OpenAI (also of pictures), Azure, DashScope, and why Google blocks a prompt.
    ("content_policy_violation", Class::ContentFiltered),
    ("moderation_blocked", Class::ContentFiltered),
    ("content_filter", Class::ContentFiltered),
    ("responsibleaipolicyviolation", Class::ContentFiltered),
    ("data_inspection_failed", Class::ContentFiltered),
    ("prohibited_content", Class::ContentFiltered),
    ("safety", Class::ContentFiltered),
    ("blocklist", Class::ContentFiltered),
    ("image_safety", Class::ContentFiltered),
    // OpenAI: 429 for an account without credit, where waiting cannot help. Anthropic; DeepSeek and Moonshot.
    ("insufficient_quota", Class::QuotaExhausted),
    ("billing_hard_limit_reached", Class::QuotaExhausted),
    ("billing_not_active", Class::QuotaExhausted),
    ("billing_error", Class::QuotaExhausted),
    ("insufficient_balance", Class::QuotaExhausted),
    ("exceeded_current_quota_error", Class::QuotaExhausted),
    ("access_terminated", Class::Unauthorized),
    // The model: OpenAI, Groq, Together; Groq of models that are gone; Azure; Mistral.
    ("model_not_found", Class::ModelNotFound),
    ("model_not_available", Class::ModelNotFound),
    ("model_decommissioned", Class::ModelNotFound),
    ("deploymentnotfound", Class::ModelNotFound),
    ("invalid_model", Class::ModelNotFound),
    // Google and xAI answer 400 for a wrong key.
    ("api_key_invalid", Class::Unauthorized),
    ("invalid_api_key", Class::Unauthorized),
    ("authentication_error", Class::Unauthorized),
    ("permission_error", Class::Unauthorized),
    ("overloaded_error", Class::Overloaded),
    ("rate_limit_exceeded", Class::RateLimited),
    ("rate_limit_error", Class::RateLimited),
];

/// Words of a message, in lower case, that count with these statuses. All of `parts` must be there.
pub(super) struct Phrase {
    pub(super) statuses: &'static [u16],
    pub(super) parts: &'static [&'static str],
    pub(super) class: Class,
}

const fn phrase(statuses: &'static [u16], parts: &'static [&'static str], class: Class) -> Phrase {
    Phrase { statuses, parts, class }
}

/// What the request is refused with; 500 stands for errors inside answers that name no status, and for servers
/// that let their engine's error through. Not 429: a rate limit's message names tokens too.
const REQUEST: &[u16] = &[400, 413, 422, 500];
const BAD: &[u16] = &[400];
const BAD_OR_GONE: &[u16] = &[400, 404];
const GONE: &[u16] = &[404];

/// What is meant where neither code nor type says it.
pub(super) const BY_PHRASE: &[Phrase] = &[
    // An account without credit: Anthropic (credit, and the limit that its owner set), xAI.
    phrase(BAD, &["credit balance is too low"], Class::QuotaExhausted),
    phrase(BAD, &["specified api usage limits"], Class::QuotaExhausted),
    phrase(&[403, 429], &["credits", "spending limit"], Class::QuotaExhausted),
    phrase(&[403], &["any credits"], Class::QuotaExhausted),
    // A key that is wrong, or that nobody may use from here: Google, xAI.
    phrase(BAD, &["api key not valid"], Class::Unauthorized),
    phrase(BAD, &["incorrect api key"], Class::Unauthorized),
    phrase(BAD, &["invalid api key"], Class::Unauthorized),
    phrase(BAD, &["api key expired"], Class::Unauthorized),
    phrase(BAD, &["user location is not supported"], Class::Unauthorized),
    // Too long: Anthropic.
    phrase(REQUEST, &["prompt is too long"], Class::ContextTooLong),
    phrase(REQUEST, &["exceed context limit"], Class::ContextTooLong),
    // OpenAI, vLLM, OpenRouter, DeepSeek, Mistral ("too large for model with … maximum context length").
    phrase(REQUEST, &["maximum context length"], Class::ContextTooLong),
    phrase(REQUEST, &["exceeds the context window"], Class::ContextTooLong),
    // vLLM, of prompts alone.
    phrase(REQUEST, &["longer than the maximum model length"], Class::ContextTooLong),
    // Google.
    phrase(REQUEST, &["exceeds the maximum number of tokens"], Class::ContextTooLong),
    // llama.cpp; Ollama and LM Studio.
    phrase(REQUEST, &["exceeds the available context size"], Class::ContextTooLong),
    phrase(REQUEST, &["exceeds the context length"], Class::ContextTooLong),
    phrase(REQUEST, &["exceeds maximum context length"], Class::ContextTooLong),
    phrase(REQUEST, &["greater than the context length"], Class::ContextTooLong),
    // Groq; Cohere.
    phrase(REQUEST, &["reduce the length of the messages"], Class::ContextTooLong),
    phrase(REQUEST, &["too many tokens"], Class::ContextTooLong),
    // xAI, Bedrock, MiniMax, Moonshot, Cerebras.
    phrase(REQUEST, &["maximum prompt length is"], Class::ContextTooLong),
    phrase(REQUEST, &["input is too long"], Class::ContextTooLong),
    phrase(REQUEST, &["context window exceeds limit"], Class::ContextTooLong),
    phrase(REQUEST, &["exceeded model token limit"], Class::ContextTooLong),
    phrase(REQUEST, &["current length is", "while limit is"], Class::ContextTooLong),
    // Text Generation Inference, and SGLang.
    phrase(REQUEST, &["`inputs` tokens + `max_new_tokens` must be"], Class::ContextTooLong),
    phrase(REQUEST, &["`inputs` must have less than"], Class::ContextTooLong),
    phrase(REQUEST, &["longer than the model's context length"], Class::ContextTooLong),
    // Content: OpenAI of reasoning models and of pictures, Anthropic, Azure without its code, OpenRouter.
    phrase(BAD, &["violating our usage policy"], Class::ContentFiltered),
    phrase(BAD, &["rejected as a result of our safety system"], Class::ContentFiltered),
    phrase(BAD, &["blocked by content filtering policy"], Class::ContentFiltered),
    phrase(BAD, &["content management policy"], Class::ContentFiltered),
    phrase(&[403], &["requires moderation"], Class::ContentFiltered),
    // The model: OpenAI, vLLM and xAI; Anthropic ("model: name"); Google, Ollama, Cohere and Fireworks;
    // OpenRouter; DeepSeek; Mistral; Bedrock.
    phrase(GONE, &["model", "does not exist"], Class::ModelNotFound),
    phrase(GONE, &["model: "], Class::ModelNotFound),
    phrase(GONE, &["model", "not found"], Class::ModelNotFound),
    phrase(GONE, &["no endpoints found"], Class::ModelNotFound),
    phrase(BAD_OR_GONE, &["is not a valid model id"], Class::ModelNotFound),
    phrase(BAD_OR_GONE, &["model not exist"], Class::ModelNotFound),
    phrase(BAD_OR_GONE, &["invalid model: "], Class::ModelNotFound),
    phrase(BAD_OR_GONE, &["model identifier is invalid"], Class::ModelNotFound),
];

/// By status: first and last of a range.
pub(super) const BY_STATUS: &[(u16, u16, Class)] = &[
    (401, 401, Class::Unauthorized),
    // Payment required: DeepSeek, OpenRouter, Together.
    (402, 402, Class::QuotaExhausted),
    (403, 403, Class::Unauthorized),
    (407, 407, Class::UpstreamFault),
    (408, 408, Class::Timeout),
    (409, 409, Class::UpstreamFault),
    (425, 425, Class::UpstreamFault),
    (429, 429, Class::RateLimited),
    (400, 497, Class::ClientFault),
    // 498: Groq, no capacity. 499: a proxy behind the provider's front hung up.
    (498, 499, Class::Overloaded),
    (503, 503, Class::Overloaded),
    (504, 504, Class::Timeout),
    (524, 524, Class::Timeout),
    (529, 529, Class::Overloaded),
    (500, 599, Class::UpstreamFault),
];
