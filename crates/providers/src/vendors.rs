//! Who can be called: hosted vendors and engines on one's own machine, as data.
//!
//! The best known vendors are in `vendors/table.rs`, further OpenAI-compatible ones in
//! `vendors/compatible.rs`; to add a vendor, add a row there. Those of which only the name is known are in
//! `vendors/unverified.rs`.

mod compatible;
mod table;
mod unverified;

use pointsman_core::Dialect;

use crate::protocol::Protocol;

/// How a vendor wants to be shown the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthStyle {
    /// `Authorization: Bearer <key>`
    Bearer,
    /// The key alone, in this header.
    Header(&'static str),
    /// AWS Signature Version 4.
    AwsSigV4,
    /// A short-lived token from Google's OAuth.
    GoogleOauth,
}

/// Whether this build can call a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Yes.
    Usable,
    /// Not yet: a key that is found is reported, never used.
    Planned,
    /// Only its name is known: nothing about how to call it was checked.
    Unverified,
}

/// How a vendor is told how much to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reasoning {
    /// Not at all, or nobody says how.
    #[default]
    Unknown,
    /// `reasoning_effort: "low"`
    Effort,
    /// `reasoning: { "effort": "low", "max_tokens": 1000 }`
    Object,
    /// `thinking: { "type": "enabled" }`
    Thinking,
    /// `enable_thinking: true`, `thinking_budget: 1000`
    Switch,
}

/// How a model is told to go on from an answer that has begun, the last message of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Prefill {
    /// Not at all, or nobody says how.
    #[default]
    None,
    /// It does so by itself where the assistant has the last word.
    Message,
    /// `prefix: true` in that message.
    Prefix,
    /// `partial: true` in that message.
    Partial,
    /// `continue_final_message: true` and `add_generation_prompt: false` in the request.
    ContinueFinalMessage,
}

/// In what a vendor differs from its dialect's inventor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The limit of an answer is called `max_tokens`, not `max_completion_tokens`.
    pub old_max_tokens: bool,
    /// There is no `developer` role; `system` is used.
    pub no_developer_role: bool,
    /// Ids of tool calls have nine letters and digits.
    pub short_call_ids: bool,
    /// Top-level fields that it refuses.
    pub drops: &'static [&'static str],
    /// Top-level fields that it calls otherwise.
    pub renames: &'static [(&'static str, &'static str)],
    /// How thinking is controlled.
    pub reasoning: Reasoning,
}

impl Quirks {
    /// None.
    pub const NONE: Self = Self {
        old_max_tokens: false,
        no_developer_role: false,
        short_call_ids: false,
        drops: &[],
        renames: &[],
        reasoning: Reasoning::Unknown,
    };
}

/// A hosted provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The provider's name in configuration and in `provider/model`.
    pub name: &'static str,
    /// The name for people.
    pub display: &'static str,
    /// The variables that may hold its key, in order of preference; none where only its name is known.
    pub env: &'static [&'static str],
    /// They may as well hold the key of something else, or of a whole account: found in the environment they make no
    /// provider, and count only for one that is configured.
    pub shared_env: bool,
    /// Of its own API, without a slash at its end; operations are appended (`/chat/completions`). Empty where
    /// it depends on the account.
    pub base_url: &'static str,
    /// What it speaks.
    pub protocol: Protocol,
    /// Dialects of chat that it understands, where that is more than its protocol's; the first is the one to
    /// convert to.
    pub dialects: &'static [Dialect],
    /// How the key is shown there.
    pub auth: AuthStyle,
    /// Whether `stream_options.include_usage` is known to be accepted. Where it is not, the last chunk
    /// usually carries usage anyway.
    pub include_usage: bool,
    /// In what it differs from others of its dialect.
    pub quirks: Quirks,
    /// How those of its models that the catalogue says can do so go on from an answer that has begun.
    pub prefill: Prefill,
    /// Its names in the catalogue.
    pub catalogue: &'static [&'static str],
    /// A cheap chat model, for `check --live`.
    pub check_model: Option<&'static str>,
    /// Whether it can be called.
    pub support: Support,
    /// Where its API is described.
    pub docs: &'static str,
}

/// An engine on one's own machine, with an OpenAI-compatible API below `/v1` beside whatever it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    /// The provider's name in configuration and in `provider/model`.
    pub name: &'static str,
    /// The name for people.
    pub display: &'static str,
    /// Its usual port.
    pub port: u16,
    /// The path of its OpenAI-compatible API.
    pub base_path: &'static str,
    /// What it is spoken to in.
    pub protocol: Protocol,
    /// Whether `stream_options.include_usage` is accepted.
    pub include_usage: bool,
    /// How its models go on from an answer that has begun.
    pub prefill: Prefill,
    /// Where its API is described.
    pub docs: &'static str,
}

/// All rows in one list: the best known first, those known by name last.
static VENDORS: [Vendor; COUNT] = {
    let mut all = [table::USABLE; COUNT];
    let mut next = 0;
    let parts = [table::VENDORS, compatible::VENDORS, unverified::VENDORS];
    let mut part = 0;
    while part < parts.len() {
        let mut row = 0;
        while row < parts[part].len() {
            all[next] = parts[part][row];
            (next, row) = (next + 1, row + 1);
        }
        part += 1;
    }
    all
};
const COUNT: usize = table::VENDORS.len() + compatible::VENDORS.len() + unverified::VENDORS.len();

/// All vendors, the best known first.
#[must_use]
pub fn vendors() -> &'static [Vendor] {
    &VENDORS
}

/// The vendor of this name.
#[must_use]
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    vendors().iter().find(|vendor| vendor.name == name)
}

/// All engines with their usual ports.
#[must_use]
pub fn engines() -> &'static [Engine] {
    table::ENGINES
}

#[cfg(test)]
mod tests;
