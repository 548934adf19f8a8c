//! Whom a request is encoded for, and what must be fetched before.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use pointsman_core::Dialect;

use super::{Block, Content, Path, Request, Source};
use crate::json::Text;

/// The deployment that will read the request.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// What it speaks.
    pub dialect: Dialect,
    /// The configured provider's name.
    pub provider: &'t str,
    /// The model, as the provider names it.
    pub model: &'t str,
    /// Whether it is asked for a stream.
    pub stream: bool,
    /// Whether it may be asked to tell its usage in a stream, where its dialect has to be asked.
    pub stream_usage: bool,
    /// The most the model can write: for dialects that need a limit where the client gave none.
    pub max_output: Option<u64>,
    /// In what it differs from the dialect's inventor.
    pub quirks: &'t Quirks,
    /// Media that were fetched.
    pub media: &'t Resolved,
    /// It has refused the proofs and ciphers of this conversation: none is for it, whoever is said to have made it.
    pub refuses_seals: bool,
    /// The tokens of the request are counted, and nothing is answered.
    pub counts: bool,
}

static NO_QUIRKS: Quirks = Quirks::NONE;
static NO_MEDIA: std::sync::LazyLock<Resolved> = std::sync::LazyLock::new(Resolved::default);

impl<'t> Target<'t> {
    /// A target without quirks or fetched media, not streamed.
    #[must_use]
    pub fn new(dialect: Dialect, provider: &'t str, model: &'t str) -> Self {
        Self {
            dialect,
            provider,
            model,
            stream: false,
            stream_usage: true,
            max_output: None,
            quirks: &NO_QUIRKS,
            media: &NO_MEDIA,
            refuses_seals: false,
            counts: false,
        }
    }
}

/// In what a provider differs from the inventor of its dialect, as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// OpenAI chat: the limit is called `max_tokens`, not `max_completion_tokens`.
    pub old_max_tokens: bool,
    /// OpenAI chat: there is no `developer` role; `system` is used.
    pub no_developer_role: bool,
    /// OpenAI chat: ids of tool calls have nine letters and digits, no more and no fewer (Mistral).
    pub short_call_ids: bool,
    /// Top-level fields that it refuses.
    pub drops: Vec<Cow<'static, str>>,
    /// Top-level fields that it calls otherwise.
    pub renames: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// OpenAI chat: members that it understands beyond its inventor's. Known are `top_k`, `min_p`,
    /// `repetition_penalty`, `reasoning` (OpenRouter's object), `thinking` (an object with a `type`),
    /// `enable_thinking`, `thinking_budget`, `reasoning_content` (of earlier turns), `cache_control` and `video_url`.
    pub extras: Vec<Cow<'static, str>>,
}

impl Quirks {
    /// None.
    pub const NONE: Self = Self {
        old_max_tokens: false,
        no_developer_role: false,
        short_call_ids: false,
        drops: Vec::new(),
        renames: Vec::new(),
        extras: Vec::new(),
    };

    /// The same for a model that refuses these fields.
    #[must_use]
    pub fn without(&self, fields: &[&'static str]) -> Self {
        let mut quirks = self.clone();
        quirks.extras.retain(|extra| !fields.contains(&&**extra));
        quirks.drops.extend(fields.iter().map(|&field| Cow::Borrowed(field)));
        quirks
    }

    /// Whether this provider understands a member that its dialect's inventor does not have.
    #[must_use]
    pub fn takes(&self, extra: &str) -> bool {
        self.extras.iter().any(|known| known == extra)
    }

    /// What this provider calls a top-level field of its dialect; `None` where it refuses it.
    #[must_use]
    pub fn name<'q>(&'q self, field: &'q str) -> Option<&'q str> {
        if self.drops.iter().any(|drop| drop == field) {
            return None;
        }
        let renamed = self.renames.iter().find(|(from, _)| from == field);
        Some(renamed.map_or(field, |(_, to)| to))
    }
}

/// Something that must be fetched before the request can be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Where it is.
    pub url: String,
    /// Where the client named it.
    pub path: Path,
}

impl Need {
    /// The addresses that `wanted` finds in the blocks of a request and of the results in it, and that were not
    /// fetched yet: each once, where it is met first.
    pub(crate) fn of<'b>(
        request: &'b Request<'_>,
        fetched: &Resolved,
        wanted: impl Fn(&'b Block<'_>) -> Option<Cow<'b, str>>,
    ) -> Vec<Self> {
        let (mut needs, mut known) = (Vec::new(), HashSet::new());
        for block in request.messages.iter().flat_map(|message| &message.blocks) {
            let blocks = match &block.content {
                Content::ToolResult(result) => &result.content[..],
                _ => std::slice::from_ref(block),
            };
            for block in blocks {
                if let Some(url) = wanted(block).filter(|url| !fetched.0.contains_key(&**url))
                    && known.insert(url.clone())
                {
                    needs.push(Self { url: url.into_owned(), path: block.path });
                }
            }
        }
        needs
    }
}

/// Fetched media by address: type and base64.
#[derive(Clone, Debug, Default)]
pub struct Resolved(pub HashMap<String, (String, String)>);

impl Resolved {
    /// The medium's own bytes, if they are here or were fetched: type (where known) and base64.
    #[must_use]
    pub fn bytes<'m>(&'m self, source: &'m Source<'_>) -> Option<(Option<&'m str>, Text<'m>)> {
        match source {
            Source::Base64(data) => Some((None, data.borrowed())),
            Source::Url(url) => {
                let (mime, data) = self.0.get(&*url.value())?;
                Some((Some(mime), Text::from(data.as_str())))
            }
            Source::PlainText(_) | Source::File(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirks_rename_and_drop() {
        let quirks = Quirks {
            drops: vec!["seed".into()],
            renames: vec![("stop".into(), "stop_sequences".into())],
            ..Quirks::NONE
        };
        assert_eq!(quirks.name("seed"), None);
        assert_eq!(quirks.name("stop"), Some("stop_sequences"));
        assert_eq!(quirks.name("top_p"), Some("top_p"));
    }
}
