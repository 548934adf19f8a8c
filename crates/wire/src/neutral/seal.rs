//! Proofs and ciphers of reasoning, and whose they are.
//!
//! A signature or an encrypted thought is worth something only to the provider that made it; sent to
//! another it earns a refusal. A client that speaks another dialect hands it back in whatever place that
//! dialect has for it, so it travels there with its origin in front:
//! `pm1.<dialect>.<provider>.<s|e>.<data>`. Where a dialect has thoughts apart from what is said, their place
//! stands behind the kind: `s@<characters>-<calls>`.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use pointsman_core::Dialect;

use super::Target;
use crate::json::Text;

/// What a seal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealKind {
    /// A proof that the thoughts beside it are unchanged (Anthropic's `signature`, Gemini's
    /// `thoughtSignature`).
    Signature,
    /// The thoughts themselves, encrypted (Anthropic's `redacted_thinking`, OpenAI's
    /// `encrypted_content`).
    Encrypted,
}

/// A proof or cipher, and who made it.
#[derive(Clone, Debug)]
pub struct Seal<'a> {
    /// What it is.
    pub kind: SealKind,
    /// The maker's dialect.
    pub dialect: Dialect,
    /// The maker; `None` where it came without a tag, in its own dialect.
    pub provider: Option<Text<'a>>,
    /// As the maker wrote it.
    pub data: Text<'a>,
    /// Where the thought stood.
    pub behind: Behind,
}

/// What comes before a thought in the same turn, where the dialect does not tell by itself (OpenAI chat, whose
/// thoughts, text and calls are three members).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Characters of text.
    pub chars: u64,
    /// Calls.
    pub calls: u64,
}

impl Behind {
    /// Nothing comes before it, or nothing is known.
    pub const NOTHING: Self = Self { chars: 0, calls: 0 };

    fn parse(text: &str) -> Option<Self> {
        let (chars, calls) = text.split_once('-')?;
        Some(Self { chars: chars.parse().ok()?, calls: calls.parse().ok()? })
    }
}

const TAG: &str = "pm1.";

impl<'a> Seal<'a> {
    /// A seal from a client that speaks `native`: tagged, or that dialect's own.
    #[must_use]
    pub fn from_client(text: Text<'a>, kind: SealKind, native: Dialect) -> Self {
        parse(&text.value()).unwrap_or(Self {
            kind,
            dialect: native,
            provider: None,
            data: text,
            behind: Behind::NOTHING,
        })
    }

    /// A seal from this provider.
    #[must_use]
    pub fn from_provider(text: Text<'a>, kind: SealKind, dialect: Dialect, provider: &'a str) -> Self {
        Self { kind, dialect, provider: Some(Text::from(provider)), data: text, behind: Behind::NOTHING }
    }

    /// The same on its own.
    #[must_use]
    pub fn into_owned(self) -> Seal<'static> {
        Seal {
            kind: self.kind,
            dialect: self.dialect,
            provider: self.provider.map(Text::into_owned),
            data: self.data.into_owned(),
            behind: self.behind,
        }
    }

    /// Whether the target is who made it (as far as is known).
    #[must_use]
    pub fn is_for(&self, target: &Target<'_>) -> bool {
        !target.refuses_seals
            && self.dialect == target.dialect
            && self.provider.as_ref().is_none_or(|provider| provider == target.provider)
    }

    /// What a client that speaks `dialect` gets: as it is in its own dialect, tagged in another.
    #[must_use]
    pub fn for_client(&self, dialect: Dialect) -> Text<'_> {
        self.placed_for_client(dialect, Behind::NOTHING)
    }

    /// The same, with what comes before the thought.
    #[must_use]
    pub fn placed_for_client(&self, dialect: Dialect, behind: Behind) -> Text<'_> {
        if dialect == self.dialect && self.provider.is_none() {
            return self.data.borrowed();
        }
        let kind = match self.kind {
            SealKind::Signature => 's',
            SealKind::Encrypted => 'e',
        };
        let provider = self.provider.as_ref().map(|p| p.value().replace('.', "%2E")).unwrap_or_default();
        let place = match behind {
            Behind::NOTHING => String::new(),
            Behind { chars, calls } => format!("@{chars}-{calls}"),
        };
        Text::from(format!("{TAG}{}.{provider}.{kind}{place}.{}", self.dialect, self.data.value()))
    }
}

/// What every tag and every id that was made here has in it, and how a tag in base64 begins. Prepared once: most
/// bodies are too short to be worth it each time.
static VERSION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"pm1"));
static ENCODED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"cG0xL"));

/// Whether a body of OpenAI's chat dialect may hold results of tool calls.
#[must_use]
pub fn may_hold_results(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"tool_call_id").is_some()
}

/// Whether a body may hold a tagged seal, or an id that was made here (`rs_pm1_…`): then even the same
/// dialect must be rewritten. Gemini's dialect has seals in base64, tag and all.
#[must_use]
pub fn may_hold_tag(body: &[u8]) -> bool {
    let plain = VERSION.find_iter(body).any(|at| {
        let before = at.checked_sub(1).and_then(|at| body.get(at));
        matches!((before, body.get(at + 3)), (Some(b'"'), Some(b'.')) | (Some(b'_'), Some(b'_')))
    });
    plain || ENCODED.find(body).is_some()
}

fn parse(text: &str) -> Option<Seal<'static>> {
    let mut parts = text.strip_prefix(TAG)?.splitn(4, '.');
    let dialect = Dialect::from_word(parts.next()?)?;
    let provider = parts.next()?.replace("%2E", ".");
    let kind = parts.next()?;
    let (kind, behind) = match kind.split_once('@') {
        Some((kind, place)) => (kind, Behind::parse(place)?),
        None => (kind, Behind::NOTHING),
    };
    let kind = match kind {
        "s" => SealKind::Signature,
        "e" => SealKind::Encrypted,
        _ => return None,
    };
    let data = Text::from(parts.next()?.to_owned());
    let provider = (!provider.is_empty()).then(|| Text::from(provider));
    Some(Seal { kind, dialect, provider, data, behind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagged_seal_comes_back_with_its_origin() {
        let made =
            Seal::from_provider(Text::from("a.b=="), SealKind::Encrypted, Dialect::OpenAiResponses, "my.ai");
        let text = made.for_client(Dialect::Anthropic);
        assert_eq!(text, "pm1.openai-responses.my%2Eai.e.a.b==");
        let back = Seal::from_client(text, SealKind::Signature, Dialect::Anthropic);
        assert_eq!((back.kind, back.dialect), (SealKind::Encrypted, Dialect::OpenAiResponses));
        assert_eq!(back.data, "a.b==");
        let target = Target::new(Dialect::OpenAiResponses, "my.ai", "gpt");
        assert!(back.is_for(&target));
        assert!(!back.is_for(&Target::new(Dialect::OpenAiResponses, "other", "gpt")));
        assert!(!back.is_for(&Target::new(Dialect::Anthropic, "my.ai", "claude")));
    }

    #[test]
    fn a_tag_tells_the_place_of_its_thought() {
        let made = Seal::from_provider(Text::from("x"), SealKind::Signature, Dialect::Anthropic, "a");
        let behind = Behind { chars: 120, calls: 2 };
        let text = made.placed_for_client(Dialect::OpenAiChat, behind);
        assert_eq!(text, "pm1.anthropic.a.s@120-2.x");
        let back = Seal::from_client(text, SealKind::Encrypted, Dialect::OpenAiChat);
        assert_eq!((back.kind, back.behind, back.data), (SealKind::Signature, behind, Text::from("x")));
        // Nobody here wrote these.
        for foreign in ["pm1.anthropic.a.s@1.x", "pm1.anthropic.a.s@-1-0.x", "pm1.anthropic.a.s@1-x.x"] {
            let seal = Seal::from_client(Text::from(foreign), SealKind::Signature, Dialect::OpenAiChat);
            assert_eq!((seal.dialect, seal.data), (Dialect::OpenAiChat, Text::from(foreign)));
        }
    }

    #[test]
    fn tags_and_made_ids_are_found() {
        for body in [
            r#"{"a":"pm1.gemini.x.s.AA"}"#,
            r#"{"id":"rs_pm1_req_0"}"#,
            r#"["pm1 pm1","fc_pm1_r"]"#,
            r#"{"thoughtSignature": "cG0xLmFudGhyb3BpYy5hLnMueA=="}"#,
        ] {
            assert!(may_hold_tag(body.as_bytes()), "{body}");
        }
        for body in ["pm1.", r#"{"at":"3 pm1. cG0xL"}"#, r#"{"id":"rs_pm10"}"#, "_pm1", r#""pm1"#] {
            assert!(!may_hold_tag(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn an_untagged_seal_is_its_dialects_own() {
        let seal = Seal::from_client(Text::from("EqQB"), SealKind::Signature, Dialect::Anthropic);
        assert!(seal.is_for(&Target::new(Dialect::Anthropic, "any", "claude")));
        assert!(!seal.is_for(&Target::new(Dialect::Gemini, "any", "gemini")));
        assert_eq!(seal.for_client(Dialect::Anthropic), "EqQB");
        assert_eq!(
            Seal::from_client(Text::from("pm1.x"), SealKind::Signature, Dialect::Gemini).data,
            "pm1.x"
        );
    }
}
