//! The rows: every fault in every dialect, every way to go on with a cut answer, and named scenarios.

mod faults;
mod rescue;
mod scenarios;

use pointsman_core::Dialect;

pub use self::faults::faults;
pub use self::rescue::rescue;
pub use self::scenarios::scenarios;
use super::row::Row;

/// The dialects of clients.
pub const DIALECTS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic];
/// From which texts and the places of cuts are worked out; a run adds one of its own.
pub const SEEDS: [u64; 2] = [11, 1_000_003];
/// Tokens of an answer.
const TOKENS: usize = 24;

/// All rows for a seed.
#[must_use]
pub fn all(seed: u64) -> Vec<Row> {
    let mut rows = faults(seed);
    rows.extend(rescue(seed));
    rows.extend(scenarios(seed));
    rows
}

/// A dialect's short name.
const fn short(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiResponses => "responses",
        Dialect::Anthropic => "anthropic",
        _ => "chat",
    }
}

const fn form(streamed: bool) -> &'static str {
    if streamed { "stream" } else { "plain" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::faults::FAULTS;

    #[test]
    fn every_fault_has_its_rows_and_no_name_comes_twice() {
        let rows = all(SEEDS[0]);
        let names: BTreeSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names.len(), rows.len());
        for fault in FAULTS {
            for dialect in DIALECTS {
                for streamed in [false, true].into_iter().filter(|streamed| fault.fits(*streamed)) {
                    let name = format!("{} {} {}", fault.name, short(dialect), form(streamed));
                    assert!(names.contains(name.as_str()), "{name}");
                }
            }
        }
        for row in &rows {
            assert_eq!(row.providers.len(), row.expect.attempts.len(), "{}", row.name);
        }
    }
}
