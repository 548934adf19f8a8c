//! Tokens. Anthropic's `input_tokens` leaves out what was read from and written to the cache, and each
//! event of a stream repeats the counts so far.

use pointsman_core::{Service, Usage, UsageDetail, UsageSource};

use crate::json::{Node, Text, Writer};
use crate::neutral::{Extension, Path, fields};

/// No request has as many tokens: sums of costs stay far from overflowing.
const MAX_TOKENS: u64 = 1_000_000_000;

/// What was said so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    read: Option<u64>,
    written: Option<u64>,
    written_5m: Option<u64>,
    written_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    service: Service,
}

impl Counts {
    /// Takes a `usage` object; what it does not repeat stays as it was. Members without a place go to
    /// `rest`. Returns the service tier, if it names one.
    pub(super) fn merge<'a>(
        &mut self,
        node: Node<'_, 'a>,
        rest: &mut Vec<Extension<'a>>,
    ) -> Option<Text<'a>> {
        let mut members = fields(node, "usage").ok()?;
        let mut take = |slot: &mut Option<u64>, name: &str| {
            let found = members.take(name).and_then(Node::count).filter(|count| *count <= MAX_TOKENS);
            *slot = found.or(*slot);
        };
        take(&mut self.input, "input_tokens");
        take(&mut self.read, "cache_read_input_tokens");
        take(&mut self.written, "cache_creation_input_tokens");
        take(&mut self.output, "output_tokens");
        let inner = |node: Node<'_, '_>, slot: &mut Option<u64>, name: &str| {
            *slot = node.get(name).and_then(Node::count).filter(|count| *count <= MAX_TOKENS).or(*slot);
        };
        if let Some(creation) = members.take("cache_creation") {
            inner(creation, &mut self.written_5m, "ephemeral_5m_input_tokens");
            inner(creation, &mut self.written_1h, "ephemeral_1h_input_tokens");
        }
        if let Some(details) = members.take("output_tokens_details") {
            inner(details, &mut self.thinking, "thinking_tokens");
        }
        let tier = members.take("service_tier").and_then(Node::text);
        if let Some(tier) = &tier {
            self.service = Service::from_tier(&tier.value());
        }
        Extension::collect_under(members, Path::Root, "usage", rest);
        tier
    }

    /// In the common meaning: input includes what the cache read and wrote. `None` if nothing was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let read = self.read.unwrap_or(0);
        let by_lifetime = self.written_5m.unwrap_or(0) + self.written_1h.unwrap_or(0);
        let cache_write = self.written.unwrap_or(0).max(by_lifetime);
        let output = self.output.unwrap_or(0);
        Some(Usage {
            input: self.input.unwrap_or(0) + read + cache_write,
            cached_input: read,
            cache_write,
            output,
            reasoning: self.thinking.unwrap_or(0).min(output),
            source: UsageSource::Reported,
            detail: UsageDetail {
                cache_write_1h: self.written_1h.unwrap_or(0).min(cache_write),
                service: self.service,
                ..UsageDetail::default()
            },
            ..Usage::default()
        })
    }
}

/// Writes a `usage` object in Anthropic's meaning. `tier` is one of Anthropic's words.
pub(super) fn write(w: &mut Writer, usage: &Usage, tier: Option<&str>, extra: impl FnOnce(&mut Writer)) {
    let cached = usage.cached_input.saturating_add(usage.cache_write);
    w.object(|w| {
        w.key("input_tokens").count(usage.input.saturating_sub(cached));
        w.key("cache_creation_input_tokens").count(usage.cache_write);
        w.key("cache_read_input_tokens").count(usage.cached_input);
        w.key("output_tokens").count(usage.output);
        if usage.cache_write > 0 {
            let hour = usage.detail.cache_write_1h.min(usage.cache_write);
            w.key("cache_creation").object(|w| {
                w.key("ephemeral_5m_input_tokens").count(usage.cache_write - hour);
                w.key("ephemeral_1h_input_tokens").count(hour);
            });
        }
        if usage.reasoning > 0 {
            w.key("output_tokens_details").object(|w| {
                w.key("thinking_tokens").count(usage.reasoning);
            });
        }
        if let Some(tier) = tier {
            w.key("service_tier").string(tier);
        }
        extra(w);
    });
}
