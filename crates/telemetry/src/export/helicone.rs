//! Helicone's log API, `POST /custom/v1/log`: one request a record
//! (<https://docs.helicone.ai/getting-started/integration-method/manual-logger-curl>).

use pointsman_core::RequestRecord;
use serde_json::{Map, Value, json};

use super::content::{self, Body};
use super::json::{content_type, put};
use super::{Delivery, ExporterOptions, Format};

/// The format.
pub(super) struct Helicone {
    content: bool,
    deliveries: Vec<Delivery>,
}

impl Helicone {
    pub(super) fn new(options: &ExporterOptions) -> Self {
        Self { content: options.capture_content, deliveries: Vec::new() }
    }
}

impl Format for Helicone {
    fn push(&mut self, record: &RequestRecord) -> usize {
        let body = log(record, self.content).to_string();
        let size = body.len();
        let headers = content_type("application/json");
        self.deliveries.push(Delivery { headers, body: body.into(), records: 1 });
        size
    }

    fn take(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }
}

fn log(record: &RequestRecord, with_content: bool) -> Value {
    let bodies = record.bodies.as_ref().filter(|_| with_content);
    let mut request = match bodies.map(|bodies| content::body(&bodies.request)) {
        Some(Body::Whole(Value::Object(request))) => request,
        _ => Map::new(),
    };
    // Helicone prices by this name: the model that answered, not the route that was asked for.
    let model = record.last_attempt().map_or(&*record.requested_model, |attempt| &*attempt.model);
    request.insert("model".into(), model.into());

    let usage = json!({
        "prompt_tokens": record.usage.input,
        "completion_tokens": record.usage.output,
        "total_tokens": record.usage.total(),
    });
    let mut response =
        json!({ "status": if record.status == 0 { 499 } else { record.status }, "headers": {} });
    match bodies.map(|bodies| content::body(&bodies.response)) {
        Some(Body::Whole(Value::String(stream))) => response["textBody"] = stream.into(),
        Some(Body::Whole(mut answer)) if answer.is_object() => {
            answer["usage"] = usage;
            response["json"] = answer;
        }
        _ => response["json"] = json!({ "model": model, "usage": usage }),
    }
    let end = record.started_unix_us.saturating_add(i64::try_from(record.duration_us).unwrap_or(i64::MAX));
    let mut timing = json!({ "startTime": time(record.started_unix_us), "endTime": time(end) });
    if let Some(first_token_us) = record.first_token_us {
        timing["timeToFirstToken"] = (first_token_us / 1_000).into();
    }
    json!({
        "providerRequest": { "url": "custom-model-nopath", "json": request, "meta": meta(record) },
        "providerResponse": response,
        "timing": timing,
    })
}

/// Helicone's own headers, and properties of ours; all values are texts.
fn meta(record: &RequestRecord) -> Map<String, Value> {
    let mut meta = Map::new();
    let principal = &record.principal;
    put(&mut meta, "Helicone-Request-Id", Some(uuid(record)));
    put(&mut meta, "Helicone-User-Id", principal.user.as_deref());
    put(&mut meta, "Helicone-Session-Id", record.session.as_deref());
    put(&mut meta, "Helicone-Property-Request", Some(record.id.to_string()));
    put(&mut meta, "Helicone-Property-Model", Some(&*record.requested_model));
    put(&mut meta, "Helicone-Property-Provider", record.last_attempt().map(|attempt| &*attempt.provider));
    put(&mut meta, "Helicone-Property-Outcome", Some(record.outcome.as_str()));
    put(&mut meta, "Helicone-Property-Key", principal.key.as_deref());
    put(&mut meta, "Helicone-Property-Project", principal.project.as_deref());
    put(&mut meta, "Helicone-Property-Team", principal.team.as_deref());
    put(&mut meta, "Helicone-Property-Agent", record.agent.as_deref());
    meta
}

/// Helicone's request ids are UUIDs. This one (RFC 9562, version 8) is made of ours, so that a record that
/// is sent twice is one there.
fn uuid(record: &RequestRecord) -> String {
    let bits = (u128::from(record.id.as_i64() as u64) << 64) | u128::from(record.id.span(0));
    let bits = bits & !(0xf << 76) | (0x8 << 76);
    let bits = bits & !(0x3 << 62) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn time(unix_us: i64) -> Value {
    json!({ "seconds": unix_us.div_euclid(1_000_000), "milliseconds": unix_us.rem_euclid(1_000_000) / 1_000 })
}
