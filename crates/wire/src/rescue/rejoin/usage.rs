//! Tokens of an answer that several providers wrote, as if one had.

use pointsman_core::{Usage, UsageSource};

use crate::openai::stream::Observed;
use crate::rescue::joint::Dropped;

/// What was used before the present provider took over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// What the first provider said of the prompt.
    pub prompt: Option<Usage>,
    /// Tokens that the client was shown.
    pub output: u64,
    /// Tokens that the present request has more than the client's.
    pub added: u64,
}

/// The sum that the client is told. What the present provider wrote twice, or thought unseen (`hidden`), is
/// not the client's.
pub(super) fn as_one(before: &Before, observed: &Observed, dropped: Dropped, hidden: bool) -> Usage {
    let deltas = observed.content_deltas;
    let counted = Usage { output: deltas, source: UsageSource::Counted, ..Usage::default() };
    let own = match observed.usage {
        // What is said at the beginning does not count what comes.
        Some(said) if !observed.complete() => Usage { output: said.output.max(deltas), ..said },
        said => said.unwrap_or(counted),
    };
    let thought = if hidden { own.reasoning } else { 0 };
    // Its tokens by the share of pieces of which something is left.
    let wrote = own.output.saturating_sub(thought);
    let twice = (u128::from(wrote) * u128::from(dropped.pieces)).checked_div(u128::from(deltas)).unwrap_or(0);
    let wrote = wrote - u64::try_from(twice).unwrap_or(u64::MAX).min(wrote);
    let mut usage = Usage {
        output: before.output.saturating_add(wrote),
        reasoning: own.reasoning - thought,
        source: if own.source == UsageSource::Estimated { own.source } else { UsageSource::Counted },
        ..own
    };
    match before.prompt {
        Some(said) => {
            usage.input = said.input;
            usage.cached_input = said.cached_input;
            usage.cache_write = said.cache_write;
            usage.input_audio = said.input_audio;
            usage.detail = said.detail;
        }
        None => {
            usage.input = own.input.saturating_sub(before.added).max(u64::from(own.input > 0));
            usage.cached_input = usage.cached_input.min(usage.input);
            usage.cache_write = usage.cache_write.min(usage.input - usage.cached_input);
        }
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(usage: Option<Usage>, deltas: u64) -> Observed {
        Observed { usage, content_deltas: deltas, finished: true, ..Observed::default() }
    }

    fn reported(input: u64, output: u64) -> Option<Usage> {
        Some(Usage { input, output, source: UsageSource::Reported, ..Usage::default() })
    }

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let before = Before { prompt: None, output: 30, added: 30 };
        let usage = as_one(&before, &observed(reported(130, 20), 20), Dropped::default(), true);
        assert_eq!((usage.input, usage.output, usage.source), (100, 50, UsageSource::Counted));
        let repeated = Dropped { chars: 40, pieces: 5 };
        let usage = as_one(&before, &observed(reported(130, 20), 20), repeated, true);
        assert_eq!(usage.output, 45);
        let before = Before { prompt: reported(90, 1), ..before };
        let usage = as_one(&before, &observed(None, 20), Dropped::default(), true);
        assert_eq!((usage.input, usage.output), (90, 50));
    }

    #[test]
    fn what_is_said_at_the_beginning_is_not_all() {
        let before = Before { prompt: None, output: 30, added: 30 };
        let cut = Observed { finished: false, ..observed(reported(130, 1), 20) };
        assert_eq!(as_one(&before, &cut, Dropped::default(), true).output, 50);
    }

    #[test]
    fn unseen_thoughts_are_not_the_clients() {
        let thinking = reported(130, 20).map(|usage| Usage { reasoning: 12, ..usage });
        let before = Before { prompt: None, output: 30, added: 200 };
        let usage = as_one(&before, &observed(thinking, 20), Dropped::default(), true);
        assert_eq!((usage.input, usage.output, usage.reasoning), (1, 38, 0));
        let usage = as_one(&before, &observed(thinking, 20), Dropped::default(), false);
        assert_eq!((usage.output, usage.reasoning), (50, 12));
    }
}
