//! Names of tools across dialects with other alphabets and lengths.

use std::borrow::Cow;
use std::collections::HashMap;

use pointsman_core::Dialect;

use super::{Answer, Content, Request, ToolChoice, ToolKind, ids};
use crate::json::Text;

/// Bytes of the digest at the end of a name that was changed: enough to tell the tools of one request apart.
const DIGEST_BYTES: usize = 4;

/// What a dialect takes.
#[derive(Clone, Copy, Debug)]
struct Rule {
    /// The most characters.
    longest: usize,
    /// Characters besides letters, digits and `_`.
    others: &'static [u8],
    /// It must begin with a letter or `_`.
    begins_with_letter: bool,
}

impl Rule {
    /// From the vendors' references; Ollama takes any name.
    const fn of(dialect: Dialect) -> Option<Self> {
        Some(match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => {
                Self { longest: 64, others: b"-", begins_with_letter: false }
            }
            Dialect::Anthropic => Self { longest: 128, others: b"-", begins_with_letter: false },
            Dialect::Gemini => Self { longest: 64, others: b"-.:", begins_with_letter: true },
            Dialect::Ollama => return None,
        })
    }

    fn takes(&self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_' || self.others.contains(&byte)
    }

    fn begins_well(&self, name: &str) -> bool {
        let first = name.bytes().next();
        first.is_some_and(|first| !self.begins_with_letter || first == b'_' || first.is_ascii_alphabetic())
    }

    /// The name itself where it fits. Else what of it fits and a digest of it, so that it is the same in every
    /// request, and another for every name.
    fn fit<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if name.len() <= self.longest && name.bytes().all(|byte| self.takes(byte)) && self.begins_well(name) {
            return Cow::Borrowed(name);
        }
        let mut fitted = String::with_capacity(self.longest);
        if !self.begins_well(name) {
            fitted.push('_');
        }
        let room = self.longest - 2 * DIGEST_BYTES - 1 - fitted.len();
        let plain = |c: char| u8::try_from(c).ok().filter(|byte| c.is_ascii() && self.takes(*byte));
        fitted.extend(name.chars().take(room).map(|c| plain(c).map_or('_', char::from)));
        fitted.push('_');
        ids::push_digest(&mut fitted, name, DIGEST_BYTES);
        Cow::Owned(fitted)
    }
}

/// Names of tools that were changed for a provider, and what the client calls them. Empty as a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolNames(HashMap<String, String>);

impl ToolNames {
    /// Changes the names that do not fit, wherever they stand in the request. An empty name stays: that is the
    /// client's mistake.
    #[must_use]
    pub fn fit(request: &mut Request<'_>, upstream: Dialect) -> Self {
        let mut names = Self::default();
        let Some(rule) = Rule::of(upstream) else { return names };
        let mut change = |name: &mut Text<'_>| {
            let value = name.value();
            if let Cow::Owned(fitted) = rule.fit(&value)
                && !value.is_empty()
            {
                names.0.insert(fitted.clone(), value.into_owned());
                *name = Text::from(fitted);
            }
        };
        for tool in &mut request.tools {
            // A provider's own tools have its names.
            if !matches!(tool.kind, ToolKind::Server(_)) {
                change(&mut tool.name);
            }
        }
        match request.tool_choice.as_mut().map(|given| &mut given.value) {
            Some(ToolChoice::Named(name)) => change(name),
            Some(ToolChoice::Among { names, required: _ }) => names.iter_mut().for_each(&mut change),
            Some(ToolChoice::Auto | ToolChoice::None | ToolChoice::Required) | None => {}
        }
        for block in request.messages.iter_mut().flat_map(|message| &mut message.blocks) {
            match &mut block.content {
                Content::ToolCall(call) => change(&mut call.name),
                Content::ToolResult(result) => result.name.iter_mut().for_each(&mut change),
                _ => {}
            }
        }
        names
    }

    /// Whether nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client's name for what the provider calls so.
    pub(crate) fn client<'n>(&'n self, name: &Text<'_>) -> Option<Text<'n>> {
        self.0.get(&*name.value()).map(|own| Text::from(own.as_str()))
    }

    /// Gives the calls of an answer the client's names.
    pub fn restore<'a>(&'a self, answer: &mut Answer<'a>) {
        if self.is_empty() {
            return;
        }
        for block in answer.choices.iter_mut().flat_map(|choice| &mut choice.blocks) {
            if let Content::ToolCall(call) = &mut block.content
                && let Some(name) = self.client(&call.name)
            {
                call.name = name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOSTED: [Dialect; 4] =
        [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

    fn fitted(dialect: Dialect, name: &str) -> String {
        Rule::of(dialect).unwrap().fit(name).into_owned()
    }

    proptest! {
        #[test]
        fn every_name_fits_and_is_always_the_same(name in ".{1,150}") {
            for dialect in HOSTED {
                let rule = Rule::of(dialect).unwrap();
                let once = fitted(dialect, &name);
                prop_assert!((1..=rule.longest).contains(&once.len()), "{once}");
                prop_assert!(once.bytes().all(|byte| rule.takes(byte)) && rule.begins_well(&once), "{once}");
                prop_assert_eq!(fitted(dialect, &once), once.clone(), "what fits is left alone");
            }
        }
    }

    #[test]
    fn names_stay_readable() {
        for (dialect, name, expected) in [
            (Dialect::OpenAiChat, "get_weather-2", "get_weather-2"),
            (Dialect::OpenAiChat, "ns.tool:go", "ns_tool_go_"),
            (Dialect::Anthropic, "ns.tool:go", "ns_tool_go_"),
            (Dialect::Gemini, "ns.tool:go", "ns.tool:go"),
            (Dialect::Gemini, "2fast", "_2fast_"),
            (Dialect::OpenAiResponses, "größe", "gr__e_"),
        ] {
            let told = fitted(dialect, name);
            assert!(
                told == expected || told.len() == expected.len() + 8 && told.starts_with(expected),
                "{told}"
            );
        }
        let long = "n".repeat(100);
        assert_eq!(fitted(Dialect::Anthropic, &long), long);
        assert_eq!(fitted(Dialect::OpenAiChat, &long).len(), 64);
        assert_ne!(fitted(Dialect::OpenAiChat, &long), fitted(Dialect::OpenAiChat, &format!("{long}n")));
        assert_ne!(fitted(Dialect::OpenAiChat, "a.b"), fitted(Dialect::OpenAiChat, "a:b"));
    }
}
