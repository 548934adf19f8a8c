//! A stream in one dialect that becomes a stream in another.

use super::bridge::{Between, Bridge};
use super::codec::Codec;
use super::frames::Frames;
use crate::neutral::{AnswerContext, Event};
use crate::openai::stream::Observed;

/// Reads a provider's stream and writes a client's, event by event.
pub type Translator = Bridge<Nothing>;

/// The client is told all that the provider says.
pub struct Nothing;

impl Translator {
    /// A translator of a new stream of `choices` answers, from `provider`'s dialect to the client's.
    #[must_use]
    pub fn new(
        (from, provider): (&dyn Codec, &str),
        (to, context): (&dyn Codec, AnswerContext),
        choices: u64,
    ) -> Self {
        let read = (Frames::new(from.streams_lines()), from.decoder(provider, &context.id));
        Self::over(read, Nothing, to.encoder(context), choices)
    }
}

impl Between for Nothing {
    const LENIENT_AT_THE_END: bool = false;

    fn take(&mut self, event: Event<'_>, _: &Observed, mut emit: impl FnMut(Event<'_>)) {
        emit(event);
    }

    fn fault(&self) -> Option<&'static str> {
        None
    }
}
