//! Google's words for what the neutral form calls otherwise.

use crate::json::Text;
use crate::neutral::{Finish, Reason};

/// What says which tools may be called, and its members.
pub(super) const CALLING: &str = "toolConfig.functionCallingConfig";
pub(super) const MODE: &str = "toolConfig.functionCallingConfig.mode";
pub(super) const NAMES: &str = "toolConfig.functionCallingConfig.allowedFunctionNames";

/// Every `finishReason` and `blockReason`, and what it means.
const REASONS: [(&str, Reason); 25] = [
    ("STOP", Reason::Stop),
    ("MAX_TOKENS", Reason::Length),
    ("SAFETY", Reason::ContentFilter),
    ("RECITATION", Reason::ContentFilter),
    ("BLOCKLIST", Reason::ContentFilter),
    ("PROHIBITED_CONTENT", Reason::ContentFilter),
    ("SPII", Reason::ContentFilter),
    ("MODEL_ARMOR", Reason::ContentFilter),
    ("JAILBREAK", Reason::ContentFilter),
    ("IMAGE_SAFETY", Reason::ContentFilter),
    ("IMAGE_PROHIBITED_CONTENT", Reason::ContentFilter),
    ("IMAGE_RECITATION", Reason::ContentFilter),
    ("MALFORMED_FUNCTION_CALL", Reason::Malformed),
    ("MALFORMED_RESPONSE", Reason::Malformed),
    ("UNEXPECTED_TOOL_CALL", Reason::Malformed),
    ("TOO_MANY_TOOL_CALLS", Reason::Other),
    ("MISSING_THOUGHT_SIGNATURE", Reason::Other),
    ("LANGUAGE", Reason::Other),
    ("NO_IMAGE", Reason::Other),
    ("ESCALATION", Reason::Other),
    ("CONTINUATION", Reason::Other),
    ("PUP_LIMITED_DISABLED", Reason::Other),
    ("IMAGE_OTHER", Reason::Other),
    ("OTHER", Reason::Other),
    ("FINISH_REASON_UNSPECIFIED", Reason::Other),
];

/// Why a candidate ended. Google says `STOP` beside calls.
pub(super) fn finish(raw: Text<'_>, calls: bool) -> Finish<'_> {
    let known = REASONS.iter().find(|(word, _)| raw == *word).map(|(_, reason)| *reason);
    let reason = match known {
        Some(Reason::Stop) if calls => Reason::ToolCalls,
        Some(reason) => reason,
        None => Reason::Other,
    };
    Finish { reason, raw: Some(raw), stop_sequence: None }
}

/// Why a prompt was not answered at all: whatever the word, a filter was in the way.
pub(super) fn blocked(raw: Text<'_>) -> Finish<'_> {
    Finish { reason: Reason::ContentFilter, raw: Some(raw), stop_sequence: None }
}

/// The `finishReason`, and whether it says less than was known.
pub(super) fn finish_word(finish: &Finish<'_>) -> (&'static str, bool) {
    let own = |(word, reason): &&(&str, Reason)| {
        finish.raw.as_ref().is_some_and(|raw| raw == word) && *reason == finish.reason
    };
    if let Some((word, _)) = REASONS.iter().find(own) {
        return (word, false);
    }
    match finish.reason {
        Reason::Stop | Reason::ToolCalls => ("STOP", false),
        Reason::StopSequence => ("STOP", finish.stop_sequence.is_some()),
        Reason::Pause => ("STOP", true),
        Reason::Length | Reason::ContextLength => ("MAX_TOKENS", false),
        Reason::ContentFilter | Reason::Refusal => ("SAFETY", false),
        Reason::Malformed => ("MALFORMED_FUNCTION_CALL", false),
        Reason::Other => ("OTHER", false),
    }
}

/// Google's word for a tier, in a request or an answer; `None` where it has none.
pub(super) fn tier(tier: &str) -> Option<&'static str> {
    let word = tier.to_ascii_lowercase();
    match word.strip_prefix("service_tier_").unwrap_or(&word) {
        "standard" | "default" | "standard_only" => Some("standard"),
        "flex" => Some("flex"),
        "priority" => Some("priority"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_in_its_own_word() {
        for (word, reason) in REASONS {
            let read = finish(Text::from(word), false);
            assert_eq!(read.reason, reason);
            assert_eq!(finish_word(&read), (word, false));
        }
        let called = finish(Text::from("STOP"), true);
        assert_eq!((called.reason, finish_word(&called)), (Reason::ToolCalls, ("STOP", false)));
        assert_eq!(finish(Text::from("BRAND_NEW"), true).reason, Reason::Other);
    }

    #[test]
    fn foreign_reasons_have_a_word() {
        let word = |reason| finish_word(&Finish::new(reason));
        assert_eq!(word(Reason::StopSequence), ("STOP", false));
        assert_eq!(word(Reason::ContextLength), ("MAX_TOKENS", false));
        assert_eq!(word(Reason::Refusal), ("SAFETY", false));
        assert_eq!(word(Reason::Pause), ("STOP", true));
        // Another vendor's word for the same reason is not Google's.
        let refusal = Finish { raw: Some(Text::from("STOP")), ..Finish::new(Reason::Refusal) };
        assert_eq!(finish_word(&refusal), ("SAFETY", false));
        let sequence = Finish { stop_sequence: Some(Text::from("END")), ..Finish::new(Reason::StopSequence) };
        assert_eq!(finish_word(&sequence), ("STOP", true));
    }

    #[test]
    fn tiers_have_one_spelling() {
        assert_eq!(tier("SERVICE_TIER_PRIORITY"), Some("priority"));
        assert_eq!(tier("FLEX"), Some("flex"));
        assert_eq!(tier("default"), Some("standard"));
        assert_eq!(tier("auto"), None);
    }
}
