//! In what a provider differs from its dialect's inventor: as its vendor does, unless the file says otherwise.

use pointsman_providers::{Reasoning, Vendor};
use pointsman_wire::neutral::Quirks;

use crate::raw;

/// The quirks of a vendor's OpenAI-compatible side.
pub(super) fn of_vendor(vendor: &Vendor) -> Quirks {
    let usual = vendor.quirks;
    let extras: &[&'static str] = match usual.reasoning {
        // The effort is OpenAI's own field.
        Reasoning::Unknown | Reasoning::Effort => &[],
        Reasoning::Object => &["reasoning"],
        // They want the thoughts before a call back: see `reasoning_content` in the encoder.
        Reasoning::Thinking => &["thinking", "reasoning_content"],
        Reasoning::Switch => &["enable_thinking", "thinking_budget"],
    };
    Quirks {
        old_max_tokens: usual.old_max_tokens,
        no_developer_role: usual.no_developer_role,
        short_call_ids: usual.short_call_ids,
        drops: usual.drops.iter().map(|&field| field.into()).collect(),
        renames: usual.renames.iter().map(|&(from, to)| (from.into(), to.into())).collect(),
        extras: extras.iter().map(|&extra| extra.into()).collect(),
    }
}

/// The same with what the file says in its place, key by key.
pub(super) fn with(usual: Quirks, written: raw::Quirks) -> Quirks {
    let raw::Quirks { old_max_tokens, no_developer_role, short_call_ids, drops, renames, extras } = written;
    let renamed = |renames: crate::decode::Named<String>| {
        renames.0.into_iter().filter_map(|(from, to)| Some((from.value.into(), to?.into()))).collect()
    };
    Quirks {
        old_max_tokens: old_max_tokens.unwrap_or(usual.old_max_tokens),
        no_developer_role: no_developer_role.unwrap_or(usual.no_developer_role),
        short_call_ids: short_call_ids.unwrap_or(usual.short_call_ids),
        drops: drops.map_or(usual.drops, |drops| drops.0.into_iter().map(Into::into).collect()),
        renames: renames.map_or(usual.renames, renamed),
        extras: extras.map_or(usual.extras, |extras| extras.0.into_iter().map(raw::Extra::word).collect()),
    }
}
