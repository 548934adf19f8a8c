//! Answers, whole and streamed: from every provider's dialect to every client's, and back.

use bytes::Bytes;
use pointsman_core::Dialect;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::facts::{self, Fact, What};
use super::make::{Maker, text as leaked};
use super::{PROVIDER, codec_of, pairs};
use crate::convert::{Frames, Translator};
use crate::json::{Document, Text, Writer};
use crate::neutral::{
    Answer, AnswerContext, Arguments, Block, BlockId, Choice, Citation, Content, Event, Finish, Head, Losses,
    Media, Origin, Path, Reasoning, Seal, Source, ToolCall,
};

type Checked = Result<(), TestCaseError>;

const ORIGIN: Origin<'static> = Origin { provider: PROVIDER, id: "r1" };

fn context() -> AnswerContext {
    let (id, model) = ("r1".into(), "asked".into());
    AnswerContext { id, model, created: 1, stream_usage: true, ..AnswerContext::default() }
}

/// All that was said is said there, or its loss is declared, and nothing else is. The facts that were carried.
fn compared(
    from: &Answer<'_>,
    to: &Answer<'_>,
    losses: &Losses,
    how: &str,
) -> Result<Vec<Fact>, TestCaseError> {
    let (said, known) = (facts::of_answer(from), facts::known_of_answer(to));
    let (carried, lost): (Vec<Fact>, Vec<Fact>) =
        said.iter().cloned().partition(|fact| known.has(&fact.what));
    for fact in lost {
        prop_assert!(fact.is_declared(losses), "{how}: lost without a word: {fact:?}\n{losses:?}\n{to:?}");
    }
    let made_up = known.made_up(&said);
    prop_assert!(made_up.is_empty(), "{how}: made up: {made_up:?}\n{to:?}");
    Ok(carried)
}

/// Tells an answer to a client of this dialect, and reads that as a provider's.
fn hop(answer: &Answer<'_>, to: Dialect, then: impl FnOnce(&Answer<'_>, Vec<Fact>) -> Checked) -> Checked {
    let codec = codec_of(to);
    let encoded = codec.encode_answer(answer, &context());
    let document = Document::read(&encoded.body).unwrap();
    let read = match codec.decode_answer(&document, &ORIGIN) {
        Ok(read) => read,
        Err(error) => {
            // Of an answer that says nothing which this dialect has a place for, nothing is left.
            let said = facts::of_answer(answer).into_iter().find(|fact| {
                let about = matches!(&fact.what, What::Is(is) if ["by ", "uses ", "tier ", "ends "].iter().any(|kind| is.starts_with(kind)));
                !about && !fact.is_declared(&encoded.losses)
            });
            prop_assert!(said.is_none(), "to {to}: {error}: {said:?}");
            return Ok(());
        }
    };
    let carried = compared(answer, &read, &encoded.losses, &format!("to {to}"))?;
    then(&read, carried)
}

/// What the way back may lose: an answer of responses holds pictures as items of its own, which nobody else has.
fn is_for_one_way(what: &What) -> bool {
    matches!(what, What::Is(is) if is.starts_with("picture ") || is.starts_with("type ") || is.starts_with("strange "))
}

fn came_back(carried: &[Fact], back: &Answer<'_>, how: &str) -> Checked {
    let known = facts::known_of_answer(back);
    for fact in carried.iter().filter(|fact| !is_for_one_way(&fact.what)) {
        prop_assert!(known.has(&fact.what), "{how}: did not come back: {fact:?}");
    }
    Ok(())
}

/// An answer's stream in this dialect, in small deltas, and what was lost.
fn streamed(answer: Answer<'static>, dialect: Dialect) -> (Vec<u8>, Losses) {
    let mut encoder = codec_of(dialect).encoder(context());
    let mut out = Writer::default();
    answer.into_events(|event| match event {
        Event::Delta { block, text } => {
            let value = text.value();
            let half = value.char_indices().nth(value.chars().count() / 2).map_or(0, |(at, _)| at);
            for piece in [&value[..half], &value[half..]] {
                encoder.event(Event::Delta { block, text: Text::from(piece) }, &mut out);
            }
        }
        event => encoder.event(event, &mut out),
    });
    (out.finish(), encoder.losses().clone())
}

/// A stream of one dialect in another, sent in small pieces.
fn translated(stream: &[u8], from: Dialect, to: Dialect) -> (Vec<u8>, Losses) {
    let mut translator = Translator::new((codec_of(from), PROVIDER), (codec_of(to), context()), 1);
    let mut out = Vec::new();
    for chunk in stream.chunks(37) {
        translator.push(&Bytes::copy_from_slice(chunk), &mut out).unwrap();
    }
    translator.finish(&mut out).unwrap();
    assert!(translator.observed().done, "{from} to {to}: {}", String::from_utf8_lossy(stream));
    (out.concat(), translator.losses())
}

/// A stream put together. What its decoder has no place for is added to the losses.
fn gathered(stream: &[u8], dialect: Dialect, losses: &mut Losses) -> Answer<'static> {
    let codec = codec_of(dialect);
    let mut decoder = codec.decoder(PROVIDER, "r1");
    let mut frames = Frames::new(codec.streams_lines());
    let mut gather = Gather::default();
    while let Some(piece) = frames.next(stream).unwrap() {
        if let Some((name, data)) = frames.read(stream, &piece) {
            decoder.frame(name, data, &mut |event| gather.take(event)).unwrap();
        }
    }
    decoder.finish(&mut |event| gather.take(event)).unwrap();
    gather.lost.iter().for_each(|lost| losses.field(lost.clone()));
    gather.answer()
}

#[derive(Default)]
struct Gather {
    answer: Answer<'static>,
    blocks: Vec<(u64, Content<'static>, String)>,
    ends: Vec<(u64, Finish<'static>)>,
    logprobs: Vec<u64>,
    lost: Vec<String>,
}

impl Gather {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start { model, .. } => self.answer.model = model.into_owned(),
            Event::Open { block, choice, head } => {
                assert_eq!(block as usize, self.blocks.len());
                self.blocks.push((choice, opened(head), String::new()));
            }
            Event::Delta { block, text } => self.at(block).2.push_str(&text.value()),
            Event::Cite { block, citation } => {
                if let Content::Text { citations, .. } = &mut self.at(block).1 {
                    citations.push(cited(citation));
                }
            }
            Event::Sealed { block, seal } => {
                let Seal { kind, dialect, provider, data, behind } = seal;
                let own = Seal {
                    provider: provider.map(Text::into_owned),
                    data: data.into_owned(),
                    kind,
                    dialect,
                    behind,
                };
                match &mut self.at(block).1 {
                    Content::Reasoning(thought) => thought.seal = Some(own),
                    Content::ToolCall(call) => call.seal = Some(own),
                    other => panic!("{other:?}"),
                }
            }
            Event::Logprobs { choice, .. } => self.logprobs.push(choice),
            Event::Finish { choice, finish } => {
                let Finish { reason, raw, stop_sequence } = finish;
                let stop_sequence = stop_sequence.map(Text::into_owned);
                self.ends.push((choice, Finish { reason, raw: raw.map(Text::into_owned), stop_sequence }));
            }
            Event::Usage(usage) => self.answer.usage = Some(usage),
            Event::ServiceTier(tier) => self.answer.service_tier = Some(tier.into_owned()),
            Event::Lost(name) => self.lost.push(name.into_value().into_owned()),
            Event::Close { .. } | Event::Ping | Event::End => {}
            Event::Error(error) => panic!("{error:?}"),
        }
    }

    fn at(&mut self, block: BlockId) -> &mut (u64, Content<'static>, String) {
        &mut self.blocks[block as usize]
    }

    fn answer(mut self) -> Answer<'static> {
        for (index, finish) in self.ends {
            let mut choice = Choice { index, finish: Some(finish), ..Choice::default() };
            for (at, (_, content, said)) in (0..).zip(self.blocks.iter().filter(|(of, ..)| *of == index)) {
                let content = filled(content.clone(), said.clone());
                choice.blocks.push(Block::new(content, Path::Item("content", at)));
            }
            choice.logprobs = self.logprobs.contains(&index).then(|| "{}".into());
            self.answer.choices.push(choice);
        }
        self.answer
    }
}

fn opened(head: Head<'_>) -> Content<'static> {
    match head {
        Head::Text => Content::text(Text::default()),
        Head::Refusal => Content::Refusal(Text::default()),
        // Whether it is a summary is not compared.
        Head::Reasoning { .. } => Content::Reasoning(Reasoning::default()),
        Head::ToolCall { id, name, custom, .. } => {
            let arguments =
                if custom { Arguments::Free(Text::default()) } else { Arguments::Quoted(Text::default()) };
            let (id, name) = (id.into_owned(), name.into_owned());
            Content::ToolCall(ToolCall { id, item: None, name, arguments, seal: None })
        }
        Head::Media(Content::Image(Media { source: Source::Base64(data), mime, .. })) => {
            let source = Source::Base64(data.into_owned());
            Content::Image(Media { source, mime: mime.map(Text::into_owned), name: None, detail: None })
        }
        Head::Media(other) => panic!("{other:?}"),
        Head::Opaque(raw) => Content::Opaque(leaked(raw.to_owned())),
    }
}

fn filled(content: Content<'static>, said: String) -> Content<'static> {
    let said = Text::from(said);
    match content {
        Content::Text { citations, .. } => Content::Text { text: said, citations },
        Content::Refusal(_) => Content::Refusal(said),
        Content::Reasoning(thought) if said.is_empty() => Content::Reasoning(thought),
        Content::Reasoning(thought) => Content::Reasoning(Reasoning { text: vec![said], ..thought }),
        Content::ToolCall(call) => {
            let arguments = match call.arguments {
                Arguments::Free(_) => Arguments::Free(said),
                _ => Arguments::Quoted(said),
            };
            Content::ToolCall(ToolCall { arguments, ..call })
        }
        other => other,
    }
}

fn cited(citation: Citation<'_>) -> Citation<'static> {
    let Citation { url, title, quote, span, raw } = citation;
    let own = |text: Option<Text<'_>>| text.map(Text::into_owned);
    Citation { url: own(url), title: own(title), quote: own(quote), span, raw: leaked(raw.to_owned()) }
}

fn whole_of(bytes: &[u8], provider: Dialect, client: Dialect) -> Checked {
    // As the provider's dialect can say it.
    hop(&Maker::new(bytes).answer(), provider, |answer, _| {
        hop(answer, client, |there, carried| {
            hop(there, provider, |back, _| came_back(&carried, back, &format!("{provider} by {client}")))
        })
    })
}

fn stream_of(bytes: &[u8], provider: Dialect, client: Dialect) -> Checked {
    let answer = Maker::new(bytes).answer();
    let (stream, mut losses) = streamed(answer.clone(), provider);
    let own = gathered(&stream, provider, &mut losses);
    compared(&answer, &own, &losses, &format!("in {provider}"))?;
    let (there, mut losses) = translated(&stream, provider, client);
    let other = gathered(&there, client, &mut losses);
    let carried = compared(&own, &other, &losses, &format!("{provider} to {client}"))?;
    let (back, mut losses) = translated(&there, client, provider);
    let back = gathered(&back, provider, &mut losses);
    compared(&other, &back, &losses, &format!("{client} to {provider}"))?;
    came_back(&carried, &back, &format!("{provider} by {client}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whole(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        for (provider, client) in pairs() {
            whole_of(&bytes, provider, client)?;
        }
    }

    #[test]
    fn streams(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        for (provider, client) in pairs() {
            stream_of(&bytes, provider, client)?;
        }
    }

    #[test]
    fn a_stream_says_what_the_whole_says(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        for dialect in Dialect::ALL {
            let answer = Maker::new(&bytes).answer();
            let (stream, mut losses) = streamed(answer.clone(), dialect);
            let gathered = gathered(&stream, dialect, &mut losses);
            let (stream, mut whole) = (facts::known_of_answer(&gathered), Vec::new());
            hop(&answer, dialect, |read, _| {
                whole = facts::of_answer(read);
                Ok(())
            })?;
            for fact in whole {
                // What a stream has no place for is told; and that an item is cut, the end of the stream tells.
                let extra = matches!(&fact.what, What::Is(is) if is.starts_with("extra "));
                let told = extra || fact.is_declared(&losses);
                prop_assert!(stream.has(&fact.what) || told, "{dialect}: {fact:?}");
            }
        }
    }
}
