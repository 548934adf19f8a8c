//! The four assertions over what was seen of a row.

use std::time::Duration;

use pointsman_core::{RequestRecord, UsageSource};
use serde_json::Value;

use super::row::{Client, Place, Row};
use crate::faults::{Attempt, Continuing, Kind, Said, emitted};

/// What is asserted, in order.
pub const ASSERTIONS: [&str; 4] = ["bytes", "attempts", "bill", "time"];
/// Of a hundred: how far an estimate of prompt tokens may be off where the body was written anew.
const ESTIMATE_OFF: u64 = 25;

/// What was seen of a row.
#[derive(Debug)]
pub struct Evidence {
    /// Of the answer.
    pub status: u16,
    /// What the client read.
    pub said: Said,
    /// From the request to the last byte.
    pub elapsed: Duration,
    /// The logs of the row's providers.
    pub logs: Vec<Vec<Attempt>>,
    /// What the gateway keeps.
    pub record: RequestRecord,
}

/// What is wrong, by assertion; `None` is right.
pub type Verdict = [Option<String>; ASSERTIONS.len()];

impl Row {
    /// Judges the row with this number; `slack` is what the machine may add to the faults' own time.
    #[must_use]
    pub fn judge(&self, number: usize, seen: &Evidence, slack: Duration) -> Verdict {
        [
            self.bytes(seen).err(),
            self.attempts(seen).err(),
            self.bill(number, seen).err(),
            self.time(seen, slack).err(),
        ]
    }

    fn bytes(&self, seen: &Evidence) -> Result<(), String> {
        let Evidence { status, said, .. } = seen;
        match self.expect.client {
            Client::Whole => self.whole(seen),
            Client::Told { status: expected, words } => {
                let message = said.error.as_ref().map_or("", |(_, message)| message.as_str());
                let right = *status == expected && said.is_error() && message.contains(words);
                ensure(right, || format!("not told {expected} with {words:?}, but {status}: {said:?}"))
            }
            Client::Interrupted => {
                let whole = self.question.expected();
                let begin = whole.starts_with(&said.text) && !said.text.is_empty();
                let right = *status == 200 && said.is_error() && begin;
                ensure(right, || format!("no begin with an error event, but {status}: {said:?}"))
            }
        }
    }

    fn whole(&self, seen: &Evidence) -> Result<(), String> {
        let Evidence { status, said, logs, .. } = seen;
        ensure(*status == 200 && said.is_whole(), || format!("not whole: {status} {said:?}"))?;
        let expected = self.question.expected();
        let same = match self.question.kind {
            Kind::Tool => json(&said.text).is_some() && json(&said.text) == json(&expected),
            _ => said.text == expected,
        };
        ensure(same, || format!("said {:?} instead of {expected:?}", said.text))?;
        ensure(said.ids.len() == 1, || format!("ids: {:?}", said.ids))?;
        // As if uncut: what is said twice behind the scenes is no token of the client's.
        let Some(usage) = said.usage else { return Err("no usage".into()) };
        let words =
            self.question.oracle().tokens().min(self.question.max_tokens.unwrap_or(usize::MAX)) as u64;
        let sent = emitted(&logs.concat()).output;
        let exact =
            self.providers.iter().all(|provider| provider.way == Continuing::Exact && !provider.splits)
                && self.question.stop.is_none();
        let right = if exact { usage.output == words } else { (1..=sent).contains(&usage.output) };
        ensure(right, || format!("usage of {} output tokens, not {words} (sent: {sent})", usage.output))
    }

    fn attempts(&self, seen: &Evidence) -> Result<(), String> {
        for (place, (expected, log)) in self.expect.attempts.iter().zip(&seen.logs).enumerate() {
            let found: Vec<_> = log.iter().map(Attempt::what).collect();
            ensure(fits(expected, &found), || {
                let why: Vec<_> = log.iter().filter_map(|attempt| attempt.refused.as_deref()).collect();
                format!("provider {place}: {found:?} instead of {expected:?} {why:?}")
            })?;
        }
        Ok(())
    }

    /// Every attempt is in the record, with the tokens that its provider emitted.
    fn bill(&self, number: usize, seen: &Evidence) -> Result<(), String> {
        let mut billed = 0;
        for (place, log) in seen.logs.iter().enumerate() {
            let name = Self::provider(number, place);
            let attempts: Vec<_> =
                seen.record.attempts.iter().filter(|attempt| *attempt.provider == *name).collect();
            billed += attempts.len();
            if self.providers.get(place).is_none_or(|provider| provider.place != Place::Served) {
                let free = attempts.iter().all(|attempt| attempt.usage.input + attempt.usage.output == 0);
                ensure(free, || format!("{name} is billed although it was never reached"))?;
                continue;
            }
            let (told, kept) = (attempts.len(), log.len());
            ensure(told == kept, || format!("{name}: {told} attempts in the record, {kept} in its log"))?;
            for (attempt, sent) in attempts.iter().zip(log) {
                let (usage, tokens) = (attempt.usage, sent.tokens);
                let what = sent.what();
                // Whether the name of a tool counts where nothing is told is anybody's guess.
                let guessed = self.question.kind == Kind::Tool && usage.source != UsageSource::Reported;
                let right = usage.output.abs_diff(tokens.output) <= u64::from(guessed);
                ensure(right, || {
                    format!("{name}, {what}: {} output tokens billed, {} sent", usage.output, tokens.output)
                })?;
                let off = usage.input.abs_diff(tokens.input);
                let known = usage.source == UsageSource::Reported || tokens.input == 0;
                let may = if known { 0 } else { tokens.input * ESTIMATE_OFF / 100 };
                ensure(off <= may, || {
                    format!("{name}, {what}: {} input tokens billed, {} emitted", usage.input, tokens.input)
                })?;
            }
        }
        let all = seen.record.attempts.len();
        ensure(billed == all, || format!("{all} attempts in the record, {billed} of the row's providers"))
    }

    fn time(&self, seen: &Evidence, slack: Duration) -> Result<(), String> {
        let bound = self.expect.own + slack;
        ensure(seen.elapsed <= bound, || format!("took {:?}, may take {bound:?}", seen.elapsed))
    }
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn ensure(right: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if right { Ok(()) } else { Err(wrong()) }
}

/// Whether `found` is `expected`, in which a name with `?` may be missing.
fn fits(expected: &[&str], found: &[&str]) -> bool {
    match (expected.split_first(), found.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((first, rest)), _) => match first.strip_suffix('?') {
            Some(name) => fits(rest, found) || found.first() == Some(&name) && fits(rest, &found[1..]),
            None => found.first() == Some(first) && fits(rest, &found[1..]),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perhaps_is_perhaps() {
        assert!(fits(&["a", "b?", "c"], &["a", "c"]) && fits(&["a", "b?", "c"], &["a", "b", "c"]));
        assert!(!fits(&["a", "b?"], &["b"]) && !fits(&["a"], &["a", "a"]) && !fits(&["a"], &[]));
        assert!(fits(&[], &[]) && fits(&["x?", "x?"], &["x"]));
    }
}
