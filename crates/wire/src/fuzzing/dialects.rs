//! Requests, answers and streams of every dialect, from any bytes: what can be read can be written for everybody,
//! what is written reads back, and writing that again changes nothing.

use pointsman_core::{Dialect, Operation};

use super::told::{self, Told};
use super::{SINGLE_BYTES_LIMIT, cuts};
use crate::convert::{Called, Codec, Translator, Watch, codec, codec_for};
use crate::json::{Document, Flaw, JsonError, Writer};
use crate::neutral::{Answer, AnswerContext, Content, Origin, Request, Target, ids};
use crate::openai::stream::{Observed, StreamFault};
use bytes::Bytes;

/// All codecs: one for each dialect, and Ollama's for one prompt.
const CODECS: u8 = Dialect::ALL.len() as u8 + 1;
/// What every answer and stream is from.
const ORIGIN: Origin<'static> = Origin { provider: "provider", id: "r1" };

/// A dialect, its codec, and whether that is the one for one prompt.
type Known = (Dialect, &'static dyn Codec, bool);

fn nth(number: u8) -> Option<Known> {
    match Dialect::ALL.get(usize::from(number % CODECS)) {
        Some(dialect) => Some((*dialect, codec(*dialect)?, false)),
        None => Some((Dialect::Ollama, codec_for(Dialect::Ollama, Operation::TextCompletion)?, true)),
    }
}

fn all() -> impl Iterator<Item = Known> {
    (0..CODECS).filter_map(nth)
}

/// Requests. The first byte chooses the client's dialect and whether it asks for a stream.
pub fn check_request(input: &[u8]) {
    let Some((&choice, body)) = input.split_first() else { return };
    let Some((_, client, prompt)) = nth(choice >> 1) else { return };
    let called = Called { model: "asked", stream: choice & 1 == 1 };
    let Ok(document) = Document::read(body) else { return };
    let Ok(request) = client.decode_request(&document, called) else { return };
    let _ = request.estimated_tokens();
    for (dialect, codec, one_prompt) in all() {
        // The call for one prompt is made for clients that called it, and no other one of its dialect.
        if dialect == Dialect::Ollama && one_prompt != prompt {
            continue;
        }
        let target = Target { stream: request.stream, ..Target::new(dialect, ORIGIN.provider, "model") };
        let _ = codec.needs(&request, &target);
        let Ok(encoded) = codec.encode_request(&request, &target) else { continue };
        let Some(written) = read_back(&encoded.body) else { continue };
        let again = codec.decode_request(&written, called);
        assert!(
            again.is_ok() || is_strange(&request),
            "{} for {dialect}: {:?}",
            request.dialect,
            again.err()
        );
        if let Ok(again) = again {
            assert_request_settled(codec, &again, &target);
        }
    }
}

/// Whether a call has no name: some dialects take that for none.
fn is_strange(request: &Request<'_>) -> bool {
    request.messages.iter().flat_map(|message| &message.blocks).any(|block| match &block.content {
        Content::ToolCall(call) => call.name.is_empty(),
        _ => false,
    })
}

/// What was read from what was written is written the same way.
fn assert_request_settled(codec: &dyn Codec, request: &Request<'_>, target: &Target<'_>) {
    let called = Called { model: "asked", stream: target.stream };
    let Ok(first) = codec.encode_request(request, target) else { return };
    let Some(document) = read_back(&first.body) else { return };
    let second = codec.decode_request(&document, called).map(|again| codec.encode_request(&again, target));
    let body = second.as_ref().ok().and_then(|encoded| encoded.as_ref().ok()).map(|encoded| &encoded.body);
    assert_eq!(body.map(lossy), Some(lossy(&first.body)), "{}", target.dialect);
}

/// Whole answers and errors. The first byte chooses the provider's dialect.
pub fn check_reply(input: &[u8]) {
    let Some((&choice, body)) = input.split_first() else { return };
    let Some((_, provider, _)) = nth(choice) else { return };
    assert!(!provider.parse_error(body).message.is_empty(), "an error without words");
    let Ok(document) = Document::read(body) else { return };
    let Ok(answer) = provider.decode_answer(&document, &ORIGIN) else { return };
    let told = Told::of(&answer);
    let context = context();
    for (dialect, client, one_prompt) in all() {
        let encoded = client.encode_answer(&answer, &context);
        let Some(written) = read_back(&encoded.body) else { continue };
        let again = client.decode_answer(&written, &ORIGIN);
        // Not every dialect takes an answer that says nothing for one.
        let strange = told.is_silent() || told.is_strange();
        assert!(again.is_ok() || strange, "for {dialect}: {:?}", again.err());
        let Ok(again) = again else { continue };
        assert_same(&told, &Told::of(&again), (dialect, one_prompt));
        assert_answer_settled(client, &again, &context);
        let mut encoder = client.encoder(context.clone());
        let mut out = Writer::for_lines(1_024);
        answer.clone().into_events(|event| encoder.event(event, &mut out));
        let streamed = told::read(client, &out.finish());
        assert!(streamed.fault.is_none() || strange, "for {dialect}: {:?}", streamed.fault);
        if streamed.fault.is_none() && !told.further {
            assert_same(&told, &streamed.told, (dialect, one_prompt));
        }
    }
}

/// The client was told what the provider said. Ollama's answer to one prompt has no calls.
fn assert_same(given: &Told, got: &Told, (dialect, one_prompt): (Dialect, bool)) {
    assert!(given.says_the_same(got), "for {dialect}: {given:?} {got:?}");
    if !one_prompt && !given.is_strange() {
        assert_eq!(given.calls, got.calls, "for {dialect}");
    }
}

fn assert_answer_settled(client: &dyn Codec, answer: &Answer<'_>, context: &AnswerContext) {
    // A provider's proofs are told with their maker's name in front, and its ids in the client's alphabet: once more
    // each time.
    if is_marked(answer) {
        return;
    }
    let first = client.encode_answer(answer, context);
    let Some(document) = read_back(&first.body) else { return };
    let second =
        client.decode_answer(&document, &ORIGIN).map(|again| client.encode_answer(&again, context).body);
    assert_eq!(second.as_deref().map(lossy), Ok(lossy(&first.body)));
}

fn is_marked(answer: &Answer<'_>) -> bool {
    answer.choices.iter().flat_map(|choice| &choice.blocks).any(|block| match &block.content {
        Content::Reasoning(reasoning) => reasoning.seal.is_some(),
        Content::ToolCall(call) => call.seal.is_some() || ids::fit(&call.id.value()) != call.id.value(),
        _ => false,
    })
}

/// Streams: however they are cut, the outcome is the same, in every client's dialect. The first byte chooses the
/// dialects, the second seeds the cuts.
pub fn check_stream(input: &[u8]) {
    let [choice, seed, body @ ..] = input else { return };
    let Some((from, provider, _)) = nth(*choice) else { return };
    let Some((dialect, client, one_prompt)) = nth(choice / CODECS) else { return };
    let whole = translate(provider, client, [body]);
    assert_eq!(whole, translate(provider, client, cuts(body, *seed)), "cut by {seed}");
    if body.len() <= SINGLE_BYTES_LIMIT {
        assert_eq!(whole, translate(provider, client, body.chunks(1)), "one byte at a time");
    }
    // Told by the provider, and by what the client was given of it.
    let given = told::read(provider, body);
    let got = told::read(client, &whole.out);
    // One damaged event may have been passed over: what is whole in spite of it cannot be compared.
    let damaged = given.fault.is_some();
    let strange = given.told.is_strange() || damaged;
    assert!(got.fault.is_none() || strange, "for {dialect}: {:?}", got.fault);
    if whole.observed.done && !strange {
        assert!(got.ended, "for {dialect}: an end that is none");
        if !given.told.further {
            assert_same(&given.told, &got.told, (dialect, one_prompt));
        }
    }
    let watched = watch(Watch::new(provider, ORIGIN.provider, 1), body);
    // An answer that is whole is ended, where its provider did not.
    let forwarded = watched.0.strip_suffix(provider.sentinel()).unwrap_or(&watched.0);
    assert!(damaged || body.starts_with(forwarded), "bytes were changed on the way");
    if from == Dialect::Gemini
        && let (array, true) = watch(Watch::new(provider, ORIGIN.provider, 1).as_array(), body)
    {
        // Fails where it is none.
        let _ = read_back(&array);
    }
}

/// What a client got, and what was seen.
#[derive(Debug, PartialEq, Eq)]
struct Translated {
    out: Vec<u8>,
    observed: Observed,
    fault: Option<StreamFault>,
    lost: Vec<String>,
}

fn translate<'a>(
    provider: &dyn Codec,
    client: &dyn Codec,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Translated {
    let mut translator = Translator::new((provider, ORIGIN.provider), (client, context()), 1);
    let (mut out, mut fault) = (Vec::new(), None);
    for chunk in chunks {
        fault = fault.or(translator.push(&Bytes::copy_from_slice(chunk), &mut out).err());
    }
    fault = fault.or(translator.finish(&mut out).err());
    let lost = translator.losses().iter().map(str::to_owned).collect();
    Translated { out: out.concat(), observed: translator.observed().clone(), fault, lost }
}

/// What is forwarded of the stream, and whether it was read to its end.
fn watch(mut watch: Watch, body: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let whole = watch.push(&Bytes::copy_from_slice(body), &mut out).is_ok() && watch.finish(&mut out).is_ok();
    let done = watch.observed().done;
    (out.concat(), whole && done)
}

fn context() -> AnswerContext {
    AnswerContext {
        id: "r1".into(),
        model: "asked".into(),
        created: 1,
        stream_usage: true,
        ..AnswerContext::default()
    }
}

/// What was written, as a document. `None` where it is nested more deeply than is read here: what is put into
/// something else is deeper than it was.
fn read_back(body: &[u8]) -> Option<Document<'_>> {
    match Document::read(body) {
        Ok(document) => Some(document),
        Err(error) => {
            assert!(matches!(error, JsonError { flaw: Flaw::TooDeep, .. }), "{error}: {}", lossy(body));
            None
        }
    }
}

fn lossy(body: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(body.as_ref()).into_owned()
}
