//! One dialect, both ways: what its module has, behind one trait.

use bytes::Bytes;
use pointsman_core::{Dialect, Operation, PublicError};

use crate::UpstreamError;
use crate::json::{Document, Writer};
use crate::neutral::{
    Answer, AnswerContext, DecodeError, EncodeError, Encoded, Event, Losses, Need, Origin, Request, Sink,
    Target,
};
use crate::openai::error::TriedCandidate;

/// What a client's call says outside of its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Called<'a> {
    /// The model, where it stands in the path (Gemini).
    pub model: &'a str,
    /// Whether the path asks for a stream (Gemini).
    pub stream: bool,
}

/// A dialect.
pub trait Codec: Sync {
    /// Reads a client's request.
    ///
    /// # Errors
    /// A field that matters is missing or has the wrong type.
    fn decode_request<'a>(
        &self,
        document: &Document<'a>,
        called: Called<'a>,
    ) -> Result<Request<'a>, DecodeError>;

    /// The media that this dialect cannot take by address.
    fn needs(&self, request: &Request<'_>, target: &Target<'_>) -> Vec<Need>;

    /// Writes a provider's request.
    ///
    /// # Errors
    /// Something that cannot be left out has no counterpart.
    fn encode_request(&self, request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, EncodeError>;

    /// Reads a provider's whole answer.
    ///
    /// # Errors
    /// It is none.
    fn decode_answer<'a>(
        &self,
        document: &Document<'a>,
        origin: &Origin<'a>,
    ) -> Result<Answer<'a>, DecodeError>;

    /// Writes a client's whole answer.
    fn encode_answer(&self, answer: &Answer<'_>, context: &AnswerContext) -> Encoded;

    /// A reader of a provider's stream; `id` is the request's, for calls without one.
    fn decoder(&self, provider: &str, id: &str) -> Box<dyn Decode>;

    /// A writer of a client's stream.
    fn encoder(&self, context: AnswerContext) -> Box<dyn Encode>;

    /// An error document, for a client.
    fn render_error(&self, error: &PublicError, request_id: &str, tried: &[TriedCandidate<'_>]) -> Bytes;

    /// The same, as it ends a stream.
    fn render_stream_error(
        &self,
        error: &PublicError,
        request_id: &str,
        tried: &[TriedCandidate<'_>],
    ) -> Bytes;

    /// Reads a provider's error document.
    fn parse_error(&self, body: &[u8]) -> UpstreamError;

    /// Whether its streams are lines of JSON, not server-sent events.
    fn streams_lines(&self) -> bool;

    /// The frame that ends a stream and says nothing else; empty where there is none.
    fn sentinel(&self) -> &'static [u8];
}

/// Reads a stream, frame by frame.
pub trait Decode: Send + Sync {
    /// Reads one frame: an event's name and data, or a line.
    ///
    /// # Errors
    /// It is none of this dialect.
    fn frame(&mut self, name: &[u8], data: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError>;

    /// The stream has ended. [`Event::End`] comes now, if the answer is whole and it has not come yet.
    ///
    /// # Errors
    /// What was held until now is none of this dialect.
    fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError>;
}

/// Writes a stream.
pub trait Encode: Send + Sync {
    /// Writes what the event is in this dialect: whole frames, or nothing.
    fn event(&mut self, event: Event<'_>, out: &mut Writer);

    /// What could not be carried so far.
    fn losses(&self) -> &Losses;

    /// A twin, which goes on by itself.
    fn fork(&self) -> Box<dyn Encode>;

    /// The client was shown a frame of this dialect that somebody else wrote: the numbers and ids in it count
    /// from now on. Called before and after its events, whose output is discarded.
    fn shown(&mut self, data: &[u8], moment: Moment);
}

/// When [`Encode::shown`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the frame's events.
    Before,
    /// After them.
    After,
}

macro_rules! codec {
    (
        $name:ident, $module:path, lines: $lines:literal, sentinel: $sentinel:literal,
        decode_request: $decode:expr $(, shown: $shown:path)?
    ) => {
        struct $name;

        const _: () = {
            use $module as dialect;

            impl Decode for dialect::StreamDecoder {
                fn frame(
                    &mut self,
                    name: &[u8],
                    data: &[u8],
                    sink: &mut Sink<'_>,
                ) -> Result<(), DecodeError> {
                    Self::frame(self, name, data, sink)
                }

                fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
                    Self::finish(self, sink)
                }
            }

            impl Encode for dialect::StreamEncoder {
                fn event(&mut self, event: Event<'_>, out: &mut Writer) {
                    Self::event(self, event, out);
                }

                fn losses(&self) -> &Losses {
                    Self::losses(self)
                }

                fn fork(&self) -> Box<dyn Encode> {
                    Box::new(self.clone())
                }

                fn shown(&mut self, data: &[u8], moment: Moment) {
                    let _ = (data, moment);
                    $($shown(self, data, moment);)?
                }
            }

            impl Codec for $name {
                fn decode_request<'a>(
                    &self,
                    document: &Document<'a>,
                    called: Called<'a>,
                ) -> Result<Request<'a>, DecodeError> {
                    let decode: for<'d> fn(&'d Document<'a>, Called<'a>) -> _ = $decode;
                    decode(document, called)
                }

                fn needs(&self, request: &Request<'_>, target: &Target<'_>) -> Vec<Need> {
                    dialect::needs(request, target)
                }

                fn encode_request(
                    &self,
                    request: &Request<'_>,
                    target: &Target<'_>,
                ) -> Result<Encoded, EncodeError> {
                    let encoded = dialect::encode_request(request, target)?;
                    Ok(Encoded { losses: encoded.losses.in_words_of(request.dialect), ..encoded })
                }

                fn decode_answer<'a>(
                    &self,
                    document: &Document<'a>,
                    origin: &Origin<'a>,
                ) -> Result<Answer<'a>, DecodeError> {
                    dialect::decode_answer(document, origin)
                }

                fn encode_answer(&self, answer: &Answer<'_>, context: &AnswerContext) -> Encoded {
                    dialect::encode_answer(answer, context)
                }

                fn decoder(&self, provider: &str, id: &str) -> Box<dyn Decode> {
                    Box::new(dialect::StreamDecoder::new(provider, id))
                }

                fn encoder(&self, context: AnswerContext) -> Box<dyn Encode> {
                    Box::new(dialect::StreamEncoder::new(context))
                }

                fn render_error(
                    &self,
                    error: &PublicError,
                    request_id: &str,
                    tried: &[TriedCandidate<'_>],
                ) -> Bytes {
                    dialect::render_error(error, request_id, tried)
                }

                fn render_stream_error(
                    &self,
                    error: &PublicError,
                    request_id: &str,
                    tried: &[TriedCandidate<'_>],
                ) -> Bytes {
                    dialect::render_stream_error(error, request_id, tried)
                }

                fn parse_error(&self, body: &[u8]) -> UpstreamError {
                    dialect::parse_error(body)
                }

                fn streams_lines(&self) -> bool {
                    $lines
                }

                fn sentinel(&self) -> &'static [u8] {
                    $sentinel
                }
            }
        };
    };
}

codec!(OpenAiChat, crate::openai::chat, lines: false, sentinel: b"data: [DONE]\n\n", decode_request: |document, _| {
    crate::openai::chat::decode_request(document)
}, shown: crate::openai::chat::StreamEncoder::shown);
codec!(OpenAiResponses, crate::openai::responses, lines: false, sentinel: b"", decode_request: |document, _| {
    crate::openai::responses::decode_request(document)
}, shown: crate::openai::responses::StreamEncoder::shown);
codec!(
    Anthropic, crate::anthropic, lines: false,
    sentinel: b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", decode_request: |document, _| {
        crate::anthropic::decode_request(document)
    }, shown: crate::anthropic::StreamEncoder::shown
);
codec!(Gemini, crate::gemini, lines: false, sentinel: b"", decode_request: |document, called| {
    crate::gemini::decode_request(document, called.model, called.stream)
});
codec!(Ollama, crate::ollama, lines: true, sentinel: b"", decode_request: |document, _| {
    crate::ollama::decode_request(document)
});
codec!(OllamaGenerate, crate::ollama::generate, lines: true, sentinel: b"", decode_request: |document, _| {
    crate::ollama::generate::decode_request(document)
});

/// The codec of a dialect; `None` for one that is not served yet.
#[must_use]
pub fn codec(dialect: Dialect) -> Option<&'static dyn Codec> {
    match dialect {
        Dialect::OpenAiChat => Some(&OpenAiChat),
        Dialect::OpenAiResponses => Some(&OpenAiResponses),
        Dialect::Anthropic => Some(&Anthropic),
        Dialect::Gemini => Some(&Gemini),
        Dialect::Ollama => Some(&Ollama),
    }
}

/// The codec of an operation in a dialect: Ollama has a call of its own for one prompt.
#[must_use]
pub fn codec_for(dialect: Dialect, operation: Operation) -> Option<&'static dyn Codec> {
    match (dialect, operation) {
        (Dialect::Ollama, Operation::TextCompletion) => Some(&OllamaGenerate),
        _ => codec(dialect),
    }
}
