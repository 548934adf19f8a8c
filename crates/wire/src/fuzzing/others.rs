//! What else is read in several dialects: embeddings, lists of models, counts of tokens, kept answers.

use pointsman_core::{Dialect, Usage};

use crate::convert::{count_request, read_count, render_count};
use crate::embeddings::{self, Reply, Shape};
use crate::json::{Document, Flaw, JsonError, validate};
use crate::lists;
use crate::neutral::Target;
use crate::ollama::{read_load, render_load};
use crate::openai::kept::{self, AnswerWatch, KeptAnswer, KeptRequest};
use crate::openai::models::{parse_list, render_list};
use crate::openai::{objects, realtime};

/// Inputs that an answer is read for at most.
const MOST_INPUTS: usize = 5;

/// Requests for embeddings, and answers. The first byte chooses the shape, and for how many inputs an answer is.
pub fn check_embeddings(input: &[u8]) {
    let Some((&choice, body)) = input.split_first() else { return };
    let choice = usize::from(choice);
    let Ok(document) = Document::read(body) else { return };
    let Some(&shape) = Shape::ALL.get(choice % Shape::ALL.len()) else { return };
    check_embedded(shape, &document, choice / Shape::ALL.len() % MOST_INPUTS);
    let Ok(request) = embeddings::decode_request(shape, &document) else { return };
    for dialect in Dialect::ALL {
        let target = Target::new(dialect, "provider", "model");
        let Ok(encoded) = embeddings::encode_request(&request, &target) else { continue };
        let (Some(asked), true) = (Shape::of_provider(dialect), is_json(&encoded.body)) else { continue };
        let Ok(written) = Document::read(&encoded.body) else { continue };
        match embeddings::decode_request(asked, &written) {
            Ok(again) => {
                assert_eq!(again.inputs.len(), request.inputs.len(), "{shape:?} for {dialect}");
                let twice = embeddings::encode_request(&again, &target).map(|twice| twice.body);
                assert_eq!(twice.as_deref(), Ok(&encoded.body[..]), "{shape:?} for {dialect}");
            }
            // OpenAI wants something to embed, the others do not.
            Err(_) => assert!(request.inputs.is_empty(), "{shape:?} for {dialect}"),
        }
    }
}

fn check_embedded(shape: Shape, document: &Document<'_>, expected: usize) {
    let Ok(answer) = embeddings::decode_answer(shape, document, expected) else { return };
    for to in Shape::ALL {
        let one = matches!(to, Shape::GeminiOne | Shape::OllamaOne);
        for base64 in [false, true] {
            let reply = Reply { shape: to, base64, model: "model", usage: Usage::default() };
            let encoded = embeddings::encode_answer(&answer, &reply);
            assert!(is_json(&encoded.body), "{to:?}");
            if (one && expected != 1) || (base64 && to != Shape::OpenAi) {
                continue;
            }
            let Ok(written) = Document::read(&encoded.body) else { continue };
            let again = embeddings::decode_answer(to, &written, expected);
            assert!(again.is_ok(), "{to:?}: {:?}", again.err());
        }
    }
}

/// Lists of models, counts, kept answers: whatever is no question of dialects alone.
pub fn check_lists(body: &[u8]) {
    if let Ok(list) = parse_list(body) {
        let again = parse_list(&render_list(&list, 1));
        let ids = again.map(|again| again.into_iter().map(|entry| entry.id).collect::<Vec<_>>());
        assert_eq!(ids.ok(), Some(list.into_iter().map(|entry| entry.id).collect()));
    }
    if let Ok(model) = lists::ollama::shown_model(body) {
        assert!(!model.is_empty(), "a model without a name");
    }
    if let Some(load) = read_load(body) {
        assert!(is_json(&render_load(load, "model", 1, true)));
    }
    for dialect in Dialect::ALL {
        if let Ok(count) = read_count(dialect, body) {
            assert_eq!(read_count(dialect, &render_count(dialect, count)), Ok(count), "{dialect}");
        }
        if let Ok(cut) = count_request(dialect, body, "model") {
            assert!(is_json(&cut), "{dialect}");
        }
    }
    let _ = (objects::page(body), objects::texts(body, ["id", "object"]), realtime::event(body));
    check_kept(body);
}

/// A request of OpenAI's responses that goes on from itself, as it were.
fn check_kept(body: &[u8]) {
    let answer = KeptAnswer::read(body);
    assert!(answer.is_none_or(|answer| !answer.id.is_empty()), "an answer without an id");
    let looked = AnswerWatch::default().look(body);
    if let Ok(Some(found)) = looked {
        assert!(is_json(&found.body));
    }
    let Ok(request) = KeptRequest::read(body) else { return };
    assert!(request.previous.is_none_or(|id| !id.is_empty()));
    let items = kept::input_items(body, "resp_pm1_1");
    assert!(items.as_ref().is_ok_and(|items| is_json(items)));
    let Ok(items) = items else { return };
    if let Ok(resumed) = kept::resumed(body, &[(&items, body)], &[]) {
        assert!(is_json(&resumed));
    }
}

/// Whether it is JSON, but for being nested too deeply: what is put into something else is deeper than it was.
fn is_json(body: &[u8]) -> bool {
    matches!(validate(body), Ok(()) | Err(JsonError { flaw: Flaw::TooDeep, .. }))
}
