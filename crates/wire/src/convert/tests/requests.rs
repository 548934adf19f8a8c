//! Requests: from every dialect to every other, and back.

use pointsman_core::Dialect;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::facts::{self, Fact, What};
use super::make::Maker;
use super::{PROVIDER, codec_of, pairs};
use crate::convert::Called;
use crate::json::Document;
use crate::neutral::{Request, Target, ToolChoice};

type Checked = Result<(), TestCaseError>;

/// Models with different measures of thinking, which refuse different things, by turns.
fn model(dialect: Dialect, which: usize) -> &'static str {
    let models = match dialect {
        Dialect::OpenAiChat => ["gpt-4o", "gpt-5", "gpt-5.2"],
        Dialect::OpenAiResponses => ["gpt-4o", "gpt-5", "gpt-5.2"],
        Dialect::Anthropic => ["claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5-5"],
        Dialect::Gemini => ["gemini-2.5-flash", "gemini-3-flash", "gemini-2.0-flash"],
        Dialect::Ollama => ["qwen3:8b", "gpt-oss:20b", "llama3.2"],
    };
    models[which % models.len()]
}

/// Writes the request for a provider of another dialect, and reads that as a client's of this dialect. All that was
/// said is said there, or its loss is declared, and nothing else is. `then` is given what was read, and the
/// facts that were carried and that were lost; it is not called for a request that is refused, which must name a field.
fn hop(
    request: &Request<'_>,
    to: (Dialect, &'static str),
    then: impl FnOnce(&Request<'_>, Vec<Fact>, Vec<What>) -> Checked,
) -> Checked {
    let (dialect, model) = to;
    let codec = codec_of(dialect);
    let said = facts::of_request(request);
    let encoded = match codec.encode_request(request, &Target::new(dialect, PROVIDER, model)) {
        Ok(encoded) => encoded,
        Err(error) => {
            prop_assert!(said.iter().any(|fact| fact.stands_at(&error.field)), "{error}");
            return Ok(());
        }
    };
    let losses = &encoded.losses;
    let document = Document::read(&encoded.body).unwrap();
    let text = String::from_utf8_lossy(&encoded.body);
    let read = codec.decode_request(&document, Called { model, stream: false });
    let read = read.map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    let known = facts::known_of_request(&read);
    let (carried, lost): (Vec<Fact>, Vec<Fact>) =
        said.iter().cloned().partition(|fact| known.has(&fact.what));
    for fact in &lost {
        let told = fact.is_declared(losses) || is_needless(fact, request, dialect);
        prop_assert!(
            told,
            "{} to {dialect}: lost without a word: {fact:?}\n{losses:?}\n{text}",
            request.dialect
        );
    }
    let made_up = known.made_up(&said);
    prop_assert!(made_up.is_empty(), "{} to {dialect}: made up: {made_up:?}\n{text}", request.dialect);
    then(&read, carried, lost.into_iter().map(|fact| fact.what).collect())
}

/// Whether leaving a tool out is how the dialect says that it may not be called.
fn is_needless(fact: &Fact, request: &Request<'_>, to: Dialect) -> bool {
    let Some(tool) = &fact.tool else { return false };
    match (to, request.tool_choice.as_ref().map(|given| &given.value)) {
        (Dialect::Ollama, Some(ToolChoice::None)) => true,
        (Dialect::Anthropic, Some(ToolChoice::Among { names, .. })) => {
            names.iter().all(|name| *name != tool.as_str())
        }
        _ => false,
    }
}

/// What the way back may lose, if it says so. Proofs, and the thoughts that they prove, are for their maker alone;
/// and how to think, and how to draw while thinking, depends on what was lost on the way there.
fn may_be_lost(what: &What) -> bool {
    const KINDS: [&str; 5] = ["seal ", "thinks ", "temperature ", "top_p ", "top_k "];
    match what {
        What::Words(by, _) => *by == facts::By::Thought,
        What::Is(is) => KINDS.iter().any(|kind| is.starts_with(kind)),
    }
}

/// What is always so in one dialect is not said again in the other; and Anthropic leaves it to itself whether there
/// is room for priority.
fn goes_without_saying(what: &What) -> bool {
    matches!(what, What::Is(is) if is.ends_with(" obeys") || is == "format is obeyed" || is == "tier priority")
}

fn declared_of(bytes: &[u8], client: Dialect, provider: Dialect) -> Checked {
    let mut maker = Maker::new(bytes);
    let which = maker.below(3);
    hop(&maker.request(client), (provider, model(provider, which)), |_, _, _| Ok(()))
}

fn back_of(bytes: &[u8], client: Dialect, provider: Dialect) -> Checked {
    let mut maker = Maker::new(bytes);
    let which = maker.below(3);
    // Written by a third, so that it is what the client's dialect can say.
    let third = Dialect::ALL.into_iter().find(|third| *third != client).unwrap();
    let own = (client, model(client, which));
    hop(&maker.request(third), own, |request, _, _| {
        hop(request, (provider, model(provider, which)), |there, carried, _| {
            hop(there, own, |back, _, lost| {
                let known = facts::known_of_request(back);
                for fact in carried.iter().filter(|fact| !goes_without_saying(&fact.what)) {
                    let told = may_be_lost(&fact.what) && lost.contains(&fact.what);
                    let back = known.has(&fact.what) || told;
                    prop_assert!(back, "{client} by {provider}: did not come back: {fact:?}");
                }
                Ok(())
            })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_cannot_be_carried_is_declared(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (client, provider) in pairs() {
            declared_of(&bytes, client, provider)?;
        }
    }

    #[test]
    fn what_is_carried_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (client, provider) in pairs() {
            back_of(&bytes, client, provider)?;
        }
    }
}

#[test]
fn the_requests_have_something_of_everything() {
    // Otherwise the tests above would hold for nothing.
    let mut seen = std::collections::BTreeSet::new();
    let mut state = 1u32;
    for _ in 0..400 {
        let bytes: Vec<u8> = (0..400)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for fact in facts::of_request(&Maker::new(&bytes).request(Dialect::OpenAiChat)) {
            seen.insert(match &fact.what {
                What::Words(facts::By::Tool(_), _) => "result".to_owned(),
                What::Words(by, _) => format!("{by:?}"),
                What::Is(is) => is.split([' ', ':']).next().unwrap_or_default().to_owned(),
            });
        }
    }
    for kind in [
        "Instructions",
        "User",
        "Model",
        "Thought",
        "result",
        "picture",
        "document",
        "sound",
        "file",
        "cites",
        "calls",
        "seal",
        "cache",
        "extra",
        "id",
        "item",
        "speaker",
        "title",
        "detail",
        "type",
        "strange",
        "server",
        "tool",
        "must",
        "callable",
        "one",
        "answers",
        "format",
        "temperature",
        "seed",
        "at",
        "stops",
        "logprobs",
        "user",
        "notes",
        "tier",
        "kept",
        "thinks",
    ] {
        assert!(seen.contains(kind), "{kind} of {seen:?}");
    }
}
