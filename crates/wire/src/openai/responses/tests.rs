//! What goes in comes out, alone and through other dialects.

mod answers;
mod errors;
mod foreign;
mod hostile;
mod own;
mod streams;
mod told;

use pointsman_core::Dialect;
use serde_json::Value;

use super::{decode_request, encode_request};
use crate::json::Document;
use crate::neutral::{Losses, Request, Target};

const FIXTURES: [(&str, &str); 5] = [
    ("full", include_str!("../../../fixtures/openai-responses/requests/full.json")),
    ("tools", include_str!("../../../fixtures/openai-responses/requests/tools.json")),
    ("media", include_str!("../../../fixtures/openai-responses/requests/media.json")),
    ("hosted", include_str!("../../../fixtures/openai-responses/requests/hosted.json")),
    ("codex", include_str!("../../../fixtures/openai-responses/requests/codex.json")),
];

fn fixture(name: &str) -> &'static str {
    FIXTURES.iter().find(|(known, _)| *known == name).unwrap().1
}

fn names(losses: &Losses) -> Vec<String> {
    losses.iter().map(str::to_owned).collect()
}

/// The request as a provider of this dialect would get it, and what was lost.
fn encoded(body: &str, target: &Target<'_>, change: impl FnOnce(&mut Request<'_>)) -> (Value, Vec<String>) {
    let document = Document::read(body.as_bytes()).unwrap();
    let mut request = decode_request(&document).unwrap();
    change(&mut request);
    written(&request, target)
}

fn written(request: &Request<'_>, target: &Target<'_>) -> (Value, Vec<String>) {
    let encoded = encode_request(request, target).unwrap();
    let text = String::from_utf8(encoded.body).unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (body, names(&encoded.losses))
}

fn target() -> Target<'static> {
    Target::new(Dialect::OpenAiResponses, "vendor", "m")
}
