//! What goes in comes out: requests, answers and streams of this dialect, alone.

mod answers;
mod refused;
mod requests;
mod streams;

use pointsman_core::Dialect;
use serde_json::Value;

use super::{decode_request, encode_request};
use crate::json::Document;
use crate::neutral::{Request, Target};

/// The request as a provider of this dialect would get it, and what was lost.
fn encoded(body: &str, target: &Target<'_>, change: impl FnOnce(&mut Request<'_>)) -> (Value, Vec<String>) {
    let document = Document::read(body.as_bytes()).unwrap();
    let mut request = decode_request(&document).unwrap();
    change(&mut request);
    let encoded = encode_request(&request, target).unwrap();
    let losses = encoded.losses.iter().map(str::to_owned).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), losses)
}

fn target() -> Target<'static> {
    Target::new(Dialect::OpenAiChat, "vendor", "m")
}
