//! Anthropic's words for what the neutral form calls otherwise.

use crate::neutral::{Reason, ToolChoice};

/// What a `stop_reason` means.
pub(super) fn reason(word: &str) -> Reason {
    match word {
        "end_turn" => Reason::Stop,
        "stop_sequence" => Reason::StopSequence,
        "max_tokens" => Reason::Length,
        "model_context_window_exceeded" => Reason::ContextLength,
        "tool_use" => Reason::ToolCalls,
        "refusal" => Reason::Refusal,
        "pause_turn" => Reason::Pause,
        _ => Reason::Other,
    }
}

/// The `stop_reason` for a reason. Some vendors say "stop" beside calls: clients run tools only for
/// `tool_use`.
pub(super) const fn stop_reason(reason: Reason, calls: bool) -> &'static str {
    match reason {
        Reason::StopSequence => "stop_sequence",
        Reason::Length => "max_tokens",
        Reason::ContextLength => "model_context_window_exceeded",
        Reason::ToolCalls => "tool_use",
        Reason::ContentFilter | Reason::Refusal => "refusal",
        Reason::Pause => "pause_turn",
        Reason::Stop | Reason::Malformed | Reason::Other if calls => "tool_use",
        Reason::Stop | Reason::Malformed | Reason::Other => "end_turn",
    }
}

/// Whether a `stop_reason` says less than the reason.
pub(super) const fn is_blurred(reason: Reason) -> bool {
    matches!(reason, Reason::Malformed | Reason::Other)
}

/// Whether the model must call something.
pub(super) const fn forces_call(choice: &ToolChoice<'_>) -> bool {
    matches!(choice, ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. })
}

/// Anthropic's `service_tier` for a tier of OpenAI's; `None` where there is none.
pub(super) fn request_tier(tier: &str) -> Option<&'static str> {
    match tier {
        // Anthropic's `auto` takes priority capacity where the account has it.
        "auto" | "priority" => Some("auto"),
        "default" | "standard" | "standard_only" => Some("standard_only"),
        _ => None,
    }
}

/// The `service_tier` of an answer; `None` where Anthropic has no such word.
pub(super) fn answer_tier(tier: &str) -> Option<&'static str> {
    match tier {
        "standard" | "default" | "auto" => Some("standard"),
        "priority" => Some("priority"),
        "batch" => Some("batch"),
        _ => None,
    }
}

/// Blocks that only Anthropic has, known by their type: what its own tools were asked and answered.
pub(super) fn is_own_block(kind: &str) -> bool {
    kind.ends_with("_tool_result")
        || matches!(
            kind,
            "server_tool_use" | "mcp_tool_use" | "container_upload" | "compaction" | "fallback" | "tool_use"
        )
}
