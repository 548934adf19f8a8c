//! Who can be called: hosted vendors and engines on one's own machine, as data.
//!
//! The table itself is in `vendors/table.rs`; to add a vendor, add a row there.

mod table;

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
    /// Yes, through its OpenAI-compatible API.
    Usable,
    /// Not yet: a key that is found is reported, never used.
    Planned,
}

/// A hosted provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The provider's name in configuration and in `provider/model`.
    pub name: &'static str,
    /// The name for people.
    pub display: &'static str,
    /// The variables that may hold its key, in order of preference.
    pub env: &'static [&'static str],
    /// Without a slash at its end; operations are appended (`/chat/completions`). Empty where it
    /// depends on the account.
    pub base_url: &'static str,
    /// How the key is shown.
    pub auth: AuthStyle,
    /// Whether `stream_options.include_usage` is known to be accepted. Where it is not, the last chunk
    /// usually carries usage anyway.
    pub include_usage: bool,
    /// Its names in the catalogue.
    pub catalogue: &'static [&'static str],
    /// A cheap chat model, for `check --live`.
    pub check_model: Option<&'static str>,
    /// Whether it can be called.
    pub support: Support,
    /// Where its API is described.
    pub docs: &'static str,
}

/// An engine on one's own machine, with an OpenAI-compatible API below `/v1`.
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
    /// Whether `stream_options.include_usage` is accepted.
    pub include_usage: bool,
    /// Where its API is described.
    pub docs: &'static str,
}

/// All vendors, the best known first.
#[must_use]
pub fn vendors() -> &'static [Vendor] {
    table::VENDORS
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
