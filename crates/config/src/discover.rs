//! Providers that need no configuration: vendors whose key is in the environment, engines that
//! answered on this machine. Pure: the caller probes.

use pointsman_providers::{Engine, Support, Vendor};

/// A vendor whose key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorFound {
    /// The vendor.
    pub vendor: &'static Vendor,
    /// The variable that holds the key.
    pub variable: &'static str,
}

impl VendorFound {
    /// Whether this build can call it; else it is only reported.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.vendor.support == Support::Usable && !self.vendor.base_url.is_empty()
    }
}

/// An engine that answered with a valid, non-empty model list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFound {
    /// The engine.
    pub engine: &'static Engine,
    /// Where it answered, as a provider's base URL: `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    /// The ids of its models.
    pub models: Vec<String>,
}

/// The vendors whose key `get` finds, in the order of `vendors`; without those whose variables others use, too: such a
/// key must not be sent to somebody whom nobody named.
pub fn discover_env<'v>(
    get: impl Fn(&str) -> Option<&'v str>,
    vendors: &'static [Vendor],
) -> Vec<VendorFound> {
    let found = vendors.iter().filter(|vendor| !vendor.shared_env).filter_map(|vendor| {
        let set = vendor.env.iter().find(|name| get(name).is_some_and(|value| !value.trim().is_empty()));
        set.map(|variable| VendorFound { vendor, variable })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_any_of_their_variables() {
        let found = discover_env(
            |name| match name {
                "OPENAI_API_KEY" => Some("k"),
                "GOOGLE_API_KEY" => Some("k"),
                "GROQ_API_KEY" => Some("  "),
                "META_API_KEY" => Some("of something else"),
                _ => None,
            },
            pointsman_providers::vendors(),
        );
        let found: Vec<_> = found.iter().map(|found| (found.vendor.name, found.variable)).collect();
        assert_eq!(found, [("openai", "OPENAI_API_KEY"), ("gemini", "GOOGLE_API_KEY")]);
    }
}
