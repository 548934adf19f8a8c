//! Token counts in all the spellings in use, brought to one meaning.
//!
//! OpenAI's own names come first; DeepSeek adds `prompt_cache_hit_tokens`, Moonshot a top-level
//! `cached_tokens`, OpenRouter `cache_write_tokens`, newer servers the names of the Responses API,
//! realtime sessions and transcriptions write `input_token_details`, transcriptions that are paid by time
//! `{"type": "duration", "seconds": 9}`, and llama.cpp reports `timings` even where it reports no usage.

use pointsman_core::{Usage, UsageDetail, UsageSource};

use crate::json::{JsonError, Kind, Scanner};

/// What was said, before it is interpreted.
#[derive(Default)]
struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    usage: Usage,
    /// A count was there and was none: negative, broken, a text, or beyond belief.
    nonsense: bool,
    /// Time is counted, not tokens.
    timed: bool,
}

/// No request has as many tokens: sums of costs stay far from overflowing.
const MAX_TOKENS: u64 = 1_000_000_000;
/// No sound is longer: a month.
const MAX_MILLISECONDS: u64 = 31 * 24 * 60 * 60 * 1000;

/// Takes any value; the usage, if it is an object with token counts.
pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, JsonError> {
    if scanner.kind()? != Kind::Object {
        scanner.skip()?;
        return Ok(None);
    }
    let mut counts = Counts::default();
    scanner.object(|scanner, key| {
        let usage = &mut counts.usage;
        match &*key.name() {
            "prompt_tokens" | "input_tokens" => counts.nonsense |= !keep(&mut counts.input, scanner)?,
            "completion_tokens" | "output_tokens" => counts.nonsense |= !keep(&mut counts.output, scanner)?,
            "total_tokens" => counts.nonsense |= !keep(&mut counts.total, scanner)?,
            "prompt_tokens_details" | "input_tokens_details" | "input_token_details" => {
                read_details(scanner, usage, true)?;
            }
            "completion_tokens_details" | "output_tokens_details" | "output_token_details" => {
                read_details(scanner, usage, false)?;
            }
            "prompt_cache_hit_tokens" | "cached_tokens" | "num_cached_tokens" | "cache_read_input_tokens" => {
                larger(&mut usage.cached_input, scanner.count_or_skip()?);
            }
            "cache_write_tokens" | "cache_creation_input_tokens" => {
                larger(&mut usage.cache_write, scanner.count_or_skip()?);
            }
            "reasoning_tokens" => larger(&mut usage.reasoning, scanner.count_or_skip()?),
            "type" => counts.timed = scanner.string_or_skip()?.is_some_and(|kind| kind.name() == "duration"),
            "seconds" => usage.detail.heard_ms = milliseconds(scanner)?.unwrap_or(0),
            _ => scanner.skip()?,
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(counts.settle())
}

/// Takes any value; the milliseconds of a number of seconds, or of its text.
pub(super) fn milliseconds(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    Ok(scanner.thousandths_or_skip()?.filter(|millis| (1..=MAX_MILLISECONDS).contains(millis)))
}

/// What an answer used that is paid by the length of a sound.
pub(super) fn heard(milliseconds: u64) -> Usage {
    let detail = UsageDetail { heard_ms: milliseconds, ..UsageDetail::default() };
    Usage { source: UsageSource::Reported, detail, ..Usage::default() }
}

/// Takes any value; the usage, if it is llama.cpp's `timings`.
pub(super) fn read_timings(scanner: &mut Scanner<'_>) -> Result<Option<Usage>, JsonError> {
    if scanner.kind()? != Kind::Object {
        scanner.skip()?;
        return Ok(None);
    }
    let (mut prompt, mut predicted, mut cached) = (None, None, 0);
    scanner.object(|scanner, key| {
        match &*key.name() {
            "prompt_n" => prompt = scanner.count_or_skip()?,
            "predicted_n" => predicted = scanner.count_or_skip()?,
            "cache_n" => larger(&mut cached, scanner.count_or_skip()?),
            _ => scanner.skip()?,
        }
        Ok::<_, JsonError>(())
    })?;
    let (Some(prompt), Some(output)) = (prompt, predicted) else { return Ok(None) };
    // `prompt_n` counts what was evaluated; what came from the cache stands apart.
    let input = cached.saturating_add(prompt);
    let source = UsageSource::Reported;
    Ok(Some(Usage { input, cached_input: cached, output, source, ..Usage::default() }))
}

/// The usage, with what `timings` alone knows of the cache; or else the timings.
pub(super) fn merge(usage: Option<Usage>, timings: Option<Usage>) -> Option<Usage> {
    let (Some(mut usage), Some(timings)) = (usage, timings) else { return usage.or(timings) };
    usage.cached_input = usage.cached_input.max(timings.cached_input).min(usage.input);
    Some(usage)
}

fn read_details(scanner: &mut Scanner<'_>, usage: &mut Usage, input: bool) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    scanner.object(|scanner, key| {
        let slot = match (&*key.name(), input) {
            ("cached_tokens_details", true) => return read_cached(scanner, usage),
            ("cached_tokens", true) => &mut usage.cached_input,
            ("cache_write_tokens" | "cache_creation_tokens", true) => &mut usage.cache_write,
            ("audio_tokens", true) => &mut usage.input_audio,
            ("audio_tokens", false) => &mut usage.output_audio,
            ("image_tokens", true) => &mut usage.detail.input_image,
            ("image_tokens", false) => &mut usage.detail.output_image,
            ("reasoning_tokens", false) => &mut usage.reasoning,
            _ => return scanner.skip(),
        };
        larger(slot, scanner.count_or_skip()?);
        Ok(())
    })
}

/// What of the cached tokens is audio, in realtime sessions.
fn read_cached(scanner: &mut Scanner<'_>, usage: &mut Usage) -> Result<(), JsonError> {
    if scanner.kind()? != Kind::Object {
        return scanner.skip();
    }
    scanner.object(|scanner, key| match &*key.name() {
        "audio_tokens" => {
            larger(&mut usage.detail.cached_audio, scanner.count_or_skip()?);
            Ok(())
        }
        _ => scanner.skip(),
    })
}

impl Counts {
    /// `output` must include reasoning. xAI and Gemini leave it out of `completion_tokens` but not
    /// out of `total_tokens`: what the total has beyond the two parts was generated unseen.
    fn settle(self) -> Option<Usage> {
        if self.nonsense {
            return None;
        }
        let mut usage = Usage { source: UsageSource::Reported, ..self.usage };
        match (self.input, self.output, self.total) {
            (None, None, None) if self.timed && usage.detail.heard_ms > 0 => {
                return Some(heard(usage.detail.heard_ms));
            }
            (None, None, None) => return None,
            (Some(input), Some(output), total) => {
                let unseen = total.map_or(0, |total| total.saturating_sub(input.saturating_add(output)));
                usage.input = input;
                usage.output = output.saturating_add(unseen);
                usage.reasoning = usage.reasoning.max(unseen);
            }
            // Embeddings have no output; some vendors then give the total alone.
            (Some(input), None, total) => {
                usage.input = input;
                usage.output = total.map_or(0, |total| total.saturating_sub(input));
            }
            (None, output, total) => {
                usage.output = output.unwrap_or(0);
                usage.input = total.map_or(0, |total| total.saturating_sub(usage.output));
            }
        }
        // Parts are never larger than their whole: prices are computed from the differences.
        usage.cached_input = usage.cached_input.min(usage.input);
        usage.cache_write = usage.cache_write.min(usage.input - usage.cached_input);
        usage.reasoning = usage.reasoning.min(usage.output);
        usage.input_audio = usage.input_audio.min(usage.input);
        usage.output_audio = usage.output_audio.min(usage.output);
        let detail = &mut usage.detail;
        detail.heard_ms = 0;
        detail.cached_audio = detail.cached_audio.min(usage.cached_input);
        detail.input_image = detail.input_image.min(usage.input);
        detail.output_image = detail.output_image.min(usage.output);
        Some(usage)
    }
}

/// Takes a count; whether it was one. `null` says nothing, and may.
fn keep(slot: &mut Option<u64>, scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    let absent = scanner.kind()? == Kind::Null;
    let count = scanner.count_or_skip()?.filter(|count| *count <= MAX_TOKENS);
    *slot = count.or(*slot);
    Ok(absent || count.is_some())
}

/// Vendors repeat one count under two names; a zero under one must not undo the other.
fn larger(slot: &mut u64, value: Option<u64>) {
    *slot = (*slot).max(value.unwrap_or(0));
}

#[cfg(test)]
mod tests;
