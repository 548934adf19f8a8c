//! A provider's stream on its way to a client, whatever both speak.

use bytes::Bytes;

use super::{Translator, Watch};
use crate::neutral::Losses;
use crate::openai::stream::{Observed, StreamFault, StreamObserver};
use crate::rescue::Rejoin;

/// How a stream goes through.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, and a stream has only one")]
pub enum Relay {
    /// OpenAI chat on both sides: observed.
    Observe(StreamObserver),
    /// Another dialect on both sides: watched.
    Watch(Box<Watch>),
    /// Converted.
    Translate(Box<Translator>),
    /// Joined to what another provider began.
    Rejoin(Box<Rejoin>),
}

/// How an OpenAI stream ends.
const DONE: &[u8] = b"data: [DONE]\n\n";

impl Relay {
    /// What was seen so far.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        match self {
            Self::Observe(observer) => observer.observed(),
            Self::Watch(watch) => watch.observed(),
            Self::Translate(translator) => translator.observed(),
            Self::Rejoin(rejoin) => rejoin.observed(),
        }
    }

    /// Takes a chunk; what the client gets is added to `out`.
    ///
    /// # Errors
    /// The stream is not what it should be. What came before is in `out`.
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        match self {
            Self::Observe(observer) => observer.push(chunk, out),
            Self::Watch(watch) => watch.push(&chunk, out),
            Self::Translate(translator) => translator.push(&chunk, out),
            Self::Rejoin(rejoin) => rejoin.push(&chunk, out),
        }
    }

    /// The upstream has ended.
    ///
    /// # Errors
    /// What it ended with is not what it should be.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), StreamFault> {
        match self {
            Self::Observe(observer) => {
                observer.finish(out);
                Ok(())
            }
            Self::Watch(watch) => watch.finish(out),
            Self::Translate(translator) => translator.finish(out),
            Self::Rejoin(rejoin) => rejoin.finish(out),
        }
    }

    /// Ends an answer that is whole although its provider did not end it.
    pub fn conclude(&mut self, out: &mut Vec<Bytes>) {
        match self {
            Self::Observe(_) => out.push(Bytes::from_static(DONE)),
            Self::Watch(watch) => watch.conclude(out),
            Self::Translate(translator) => translator.conclude(out),
            Self::Rejoin(rejoin) => rejoin.conclude(out),
        }
    }

    /// Where it joins what another provider began.
    #[must_use]
    pub const fn rejoin(&self) -> Option<&Rejoin> {
        match self {
            Self::Rejoin(rejoin) => Some(rejoin),
            Self::Observe(_) | Self::Watch(_) | Self::Translate(_) => None,
        }
    }

    /// What could not be carried so far.
    #[must_use]
    pub fn losses(&self) -> Losses {
        match self {
            Self::Observe(_) | Self::Watch(_) => Losses::default(),
            Self::Translate(translator) => translator.losses(),
            Self::Rejoin(rejoin) => rejoin.losses(),
        }
    }
}
