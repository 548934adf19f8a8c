//! Tokens. Google's `promptTokenCount` includes what the cache read but not what its own tools fed back;
//! `candidatesTokenCount` leaves thoughts out. In a stream each count is that so far.

use pointsman_core::{Service, Usage, UsageDetail, UsageSource};

use super::{read, words};
use crate::json::{Node, Writer};
use crate::neutral::{Extension, Path};

/// No request has as many tokens: sums of costs stay far from overflowing.
const MAX_TOKENS: u64 = 1_000_000_000;

/// The member of an answer.
pub(super) const MEMBER: &str = "usageMetadata";

/// What an answer says of tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) usage: Option<Usage>,
    /// The price class, if it names one.
    pub(super) tier: Option<&'static str>,
}

#[derive(Default)]
struct Raw {
    prompt: Option<u64>,
    cached: u64,
    tool_use: u64,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    total: Option<u64>,
    input: Modalities,
    cache: Modalities,
    output: Modalities,
    service: Service,
}

/// Parts of a count with prices of their own.
#[derive(Clone, Copy, Default)]
struct Modalities {
    audio: u64,
    image: u64,
}

/// Reads `usageMetadata`; members without a place go to `rest`.
pub(super) fn read<'a>(node: Node<'_, 'a>, rest: &mut Vec<Extension<'a>>) -> Counts {
    let Ok(members) = read::members(node, MEMBER) else { return Counts::default() };
    let mut raw = Raw::default();
    let mut tier = None;
    let count = |node: Node<'_, '_>| node.count().filter(|count| *count <= MAX_TOKENS);
    for member in members {
        let node = member.node;
        match &*member.name() {
            "promptTokenCount" => raw.prompt = count(node),
            "cachedContentTokenCount" => raw.cached = count(node).unwrap_or(0),
            "toolUsePromptTokenCount" => raw.tool_use = count(node).unwrap_or(0),
            "candidatesTokenCount" | "responseTokenCount" => raw.candidates = count(node),
            "thoughtsTokenCount" => raw.thoughts = count(node),
            "totalTokenCount" => raw.total = count(node),
            "promptTokensDetails" | "toolUsePromptTokensDetails" => raw.input.add(node),
            "cacheTokensDetails" => raw.cache.add(node),
            "candidatesTokensDetails" | "responseTokensDetails" => raw.output.add(node),
            "serviceTier" if node.text().is_some() => {
                tier = node.text().and_then(|text| words::tier(&text.value()));
                raw.service = tier.map(Service::from_tier).unwrap_or_default();
            }
            _ => member.keep_under(MEMBER, Path::Root, rest),
        }
    }
    Counts { usage: raw.settle(), tier }
}

impl Modalities {
    fn add(&mut self, list: Node<'_, '_>) {
        for entry in list.elements() {
            let tokens = read::get(entry, "tokenCount").and_then(Node::count).filter(|n| *n <= MAX_TOKENS);
            let (Some(kind), Some(tokens)) = (entry.get("modality").and_then(Node::text), tokens) else {
                continue;
            };
            match &*kind.value() {
                "AUDIO" => self.audio = self.audio.saturating_add(tokens),
                "IMAGE" => self.image = self.image.saturating_add(tokens),
                _ => {}
            }
        }
    }
}

impl Raw {
    /// In the common meaning; `None` if nothing was counted.
    fn settle(self) -> Option<Usage> {
        if self.prompt.is_none() && self.candidates.is_none() && self.total.is_none() {
            return None;
        }
        let input = self.prompt.unwrap_or(0) + self.tool_use;
        let said = self.candidates.unwrap_or(0);
        // Some models count thoughts in nothing but the total.
        let unseen = self.total.map_or(0, |total| total.saturating_sub(input + said));
        let reasoning = self.thoughts.unwrap_or(if self.prompt.is_some() { unseen } else { 0 });
        let output = said + reasoning;
        // Parts are never larger than their whole: prices are computed from the differences.
        let cached_input = self.cached.min(input);
        Some(Usage {
            input,
            cached_input,
            output,
            reasoning,
            input_audio: self.input.audio.min(input),
            output_audio: self.output.audio.min(said),
            source: UsageSource::Reported,
            detail: UsageDetail {
                cached_audio: self.cache.audio.min(cached_input),
                input_image: self.input.image.min(input),
                output_image: self.output.image.min(said),
                service: self.service,
                ..UsageDetail::default()
            },
            ..Usage::default()
        })
    }
}

/// Writes `usageMetadata` in Google's meaning. `tier` is one of its words.
pub(super) fn write(w: &mut Writer, usage: &Usage, tier: Option<&str>, extra: impl FnOnce(&mut Writer)) {
    // What was written to a cache is part of the prompt, and has no name here.
    let Usage { input, cached_input, output, reasoning, input_audio, output_audio, detail, .. } = usage;
    let said = output.saturating_sub(*reasoning);
    w.object(|w| {
        w.key("promptTokenCount").count(*input).key("candidatesTokenCount").count(said);
        w.key("totalTokenCount").count(usage.total());
        if *cached_input > 0 {
            w.key("cachedContentTokenCount").count(*cached_input);
        }
        if *reasoning > 0 {
            w.key("thoughtsTokenCount").count(*reasoning);
        }
        write_details(w, "promptTokensDetails", *input, *input_audio, detail.input_image);
        write_details(w, "cacheTokensDetails", *cached_input, detail.cached_audio, 0);
        write_details(w, "candidatesTokensDetails", said, *output_audio, detail.output_image);
        if let Some(tier) = tier {
            w.key("serviceTier").string(tier);
        }
        extra(w);
    });
}

/// Where there is nothing but text, nothing is said.
fn write_details(w: &mut Writer, name: &str, whole: u64, audio: u64, image: u64) {
    if audio == 0 && image == 0 {
        return;
    }
    let text = whole.saturating_sub(audio).saturating_sub(image);
    w.key(name).array(|w| {
        for (modality, tokens) in [("TEXT", text), ("AUDIO", audio), ("IMAGE", image)] {
            if tokens > 0 {
                w.object(|w| {
                    w.key("modality").string(modality).key("tokenCount").count(tokens);
                });
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::Document;

    fn counted(value: &Value) -> (Option<Usage>, Option<&'static str>, Vec<String>) {
        let text = value.to_string();
        let document = Document::read(text.as_bytes()).unwrap();
        let mut rest = Vec::new();
        let counts = read(document.root(), &mut rest);
        (counts.usage, counts.tier, rest.iter().map(Extension::place).collect())
    }

    fn full() -> Value {
        json!({
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 600,
            "candidatesTokenCount": 70,
            "thoughtsTokenCount": 30,
            "totalTokenCount": 1100,
            "promptTokensDetails": [
                { "modality": "TEXT", "tokenCount": 700 },
                { "modality": "AUDIO", "tokenCount": 200 },
                { "modality": "IMAGE", "tokenCount": 100 },
            ],
            "cacheTokensDetails": [
                { "modality": "TEXT", "tokenCount": 450 }, { "modality": "AUDIO", "tokenCount": 150 },
            ],
            "candidatesTokensDetails": [
                { "modality": "TEXT", "tokenCount": 20 }, { "modality": "IMAGE", "tokenCount": 50 },
            ],
            "serviceTier": "priority",
        })
    }

    #[test]
    fn input_includes_the_cache_and_output_the_thoughts() {
        let (usage, tier, rest) = counted(&full());
        let expected = Usage {
            input: 1000,
            cached_input: 600,
            output: 100,
            reasoning: 30,
            input_audio: 200,
            source: UsageSource::Reported,
            detail: UsageDetail {
                cached_audio: 150,
                input_image: 100,
                output_image: 50,
                service: Service::Priority,
                ..UsageDetail::default()
            },
            ..Usage::default()
        };
        assert_eq!((usage, tier, rest.len()), (Some(expected), Some("priority"), 0));
        let mut writer = Writer::default();
        write(&mut writer, &expected, tier, |_| {});
        assert_eq!(serde_json::from_slice::<Value>(&writer.finish()).unwrap(), full());
    }

    #[test]
    fn what_googles_tools_feed_back_is_input() {
        let (usage, ..) = counted(&json!({
            "promptTokenCount": 10, "toolUsePromptTokenCount": 90, "candidatesTokenCount": 5, "totalTokenCount": 105,
            "toolUsePromptTokensDetails": [{ "modality": "AUDIO", "tokenCount": 4 }],
        }));
        let usage = usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.reasoning, usage.input_audio), (100, 5, 0, 4));
    }

    #[test]
    fn thoughts_may_be_counted_in_the_total_alone() {
        let (usage, ..) =
            counted(&json!({ "promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 40 }));
        assert_eq!(usage.map(|usage| (usage.output, usage.reasoning)), Some((30, 25)));
        let (usage, ..) = counted(&json!({ "promptTokenCount": 10, "totalTokenCount": 10 }));
        assert_eq!(usage.map(|usage| (usage.input, usage.output)), Some((10, 0)));
    }

    #[test]
    fn nonsense_counts_for_nothing_and_parts_stay_within_their_whole() {
        assert_eq!(counted(&json!({})).0, None);
        assert_eq!(counted(&json!([])).0, None);
        let nonsense =
            json!({ "promptTokenCount": -1, "candidatesTokenCount": "many", "totalTokenCount": 1e30 });
        assert_eq!(counted(&nonsense).0, None);
        let (usage, tier, rest) = counted(&json!({
            "promptTokenCount": 10, "cachedContentTokenCount": 99, "candidatesTokenCount": 1,
            "promptTokensDetails": [{ "modality": "AUDIO", "tokenCount": 999 }, { "modality": 3 }, 4],
            "serviceTier": "batch", "trafficType": "ON_DEMAND",
        }));
        let usage = usage.unwrap();
        assert_eq!((usage.cached_input, usage.input_audio, usage.output), (10, 10, 1));
        assert_eq!((tier, rest), (None, vec!["usageMetadata.trafficType".to_owned()]));
    }
}
