//! A provider's stream that goes on with what another one began, on its way to a client that sees one.
//!
//! Driven like every other stream: see [`crate::convert::Relay`]. [`graft`] decides what becomes of each
//! event.

mod graft;
mod usage;

use pointsman_core::Usage;

pub use self::usage::Before;

use self::graft::Graft;
use super::joint::{Dropped, Manner};
use super::request::Terms;
use super::shown::Shown;
use crate::convert::{Bridge, Codec, Frames};

/// Reads the stream of the one who goes on, and writes what is left of its client's.
pub type Rejoin = Bridge<Graft>;

/// How the rest of an answer was asked for.
#[derive(Clone, Debug)]
pub struct Plan<'t> {
    /// In which manner somebody was asked to go on; `None`: somebody answers from the beginning.
    pub manner: Option<Manner>,
    /// What the client asked for.
    pub terms: &'t Terms,
    /// How many choices it asked for.
    pub choices: u64,
    /// What was used before.
    pub before: Before,
}

impl Rejoin {
    /// For the stream of a provider that speaks `from` (named with its configured name and the request's id,
    /// unique for this attempt), behind what was shown.
    #[must_use]
    pub fn new(from: (&dyn Codec, &str, &str), shown: &Shown, plan: &Plan<'_>) -> Self {
        let (codec, provider, id) = from;
        let read = (Frames::new(codec.streams_lines()), codec.decoder(provider, id));
        Self::over(read, Graft::new(shown.said(), plan), shown.encoder(), plan.choices)
    }

    /// Tokens of the whole answer, as if it had not broken off.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.between().usage(self.observed())
    }

    /// By how many pieces of text the client got fewer than were shown of this provider's.
    #[must_use]
    pub fn merged(&self) -> i64 {
        self.between().merged()
    }

    /// What was left out because it was said twice.
    #[must_use]
    pub const fn dropped(&self) -> Dropped {
        self.between().dropped()
    }
}
