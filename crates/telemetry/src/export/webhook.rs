//! Webhook: a JSON array of records, signed with HMAC-SHA256 (RFC 2104).
//!
//! `x-pointsman-signature: sha256=HEX` over `TIMESTAMP.BODY`, with the Unix seconds of
//! `x-pointsman-timestamp`: a receiver that also refuses old timestamps is safe from replays.
//! `x-pointsman-delivery` is the same for every try of one request.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use pointsman_core::{Clock, RequestId, RequestRecord};
use sha2::Sha256;

use super::json::{Array, content_type, object};
use super::{Delivery, ExporterOptions, Format, HmacKey};

const SIGNATURE: HeaderName = HeaderName::from_static("x-pointsman-signature");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-pointsman-timestamp");
const DELIVERY: HeaderName = HeaderName::from_static("x-pointsman-delivery");

/// The format.
pub(super) struct Webhook {
    content: bool,
    secret: Option<HmacKey>,
    clock: Clock,
    array: Array,
    /// Of the batch's first record.
    first: Option<RequestId>,
}

impl Webhook {
    pub(super) fn new(options: &ExporterOptions, secret: Option<HmacKey>, clock: Clock) -> Self {
        Self { content: options.capture_content, secret, clock, array: Array::default(), first: None }
    }
}

impl Format for Webhook {
    fn push(&mut self, record: &RequestRecord) -> usize {
        self.first.get_or_insert(record.id);
        self.array.push(object(record, self.content))
    }

    fn take(&mut self) -> Vec<Delivery> {
        let first = self.first.take();
        let Some((body, records)) = self.array.take() else { return Vec::new() };
        let mut headers = content_type("application/json");
        let seconds = (self.clock.unix_us(self.clock.now()) / 1_000_000).to_string();
        if let Some(secret) = &self.secret {
            let signature = format!("sha256={}", sign(secret.bytes(), &seconds, &body));
            headers.extend(HeaderValue::try_from(signature).ok().map(|value| (SIGNATURE, value)));
        }
        headers.extend(HeaderValue::try_from(seconds).ok().map(|value| (TIMESTAMP, value)));
        let delivery = first.map(|id| id.to_string().replacen("req_", "del_", 1));
        let delivery = delivery.and_then(|id| HeaderValue::try_from(id).ok());
        headers.extend(delivery.map(|value| (DELIVERY, value)));
        vec![Delivery { headers, body, records }]
    }
}

/// Hexadecimal.
fn sign(secret: &[u8], seconds: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length: this never fails.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
