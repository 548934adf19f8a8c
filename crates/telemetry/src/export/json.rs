//! A record as a JSON object: the names of the access log (docs/records.md), and what it leaves out.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use pointsman_core::{AttemptRecord, ErrorCode, Money, RequestRecord};
use serde_json::{Map, Number, Value};

use super::content::{self, Body};
use super::{Delivery, ExporterOptions, Format};
use crate::access_log::timestamp;

/// One JSON object a line.
pub(super) struct Lines {
    content: bool,
    body: Vec<u8>,
    records: usize,
}

impl Lines {
    pub(super) fn new(options: &ExporterOptions) -> Self {
        Self { content: options.capture_content, body: Vec::new(), records: 0 }
    }
}

impl Format for Lines {
    fn push(&mut self, record: &RequestRecord) -> usize {
        let before = self.body.len();
        append(&mut self.body, &Value::Object(object(record, self.content)));
        self.body.push(b'\n');
        self.records += 1;
        self.body.len() - before
    }

    fn take(&mut self) -> Vec<Delivery> {
        if self.records == 0 {
            return Vec::new();
        }
        let headers = content_type("application/x-ndjson");
        let (body, records) = (std::mem::take(&mut self.body), std::mem::take(&mut self.records));
        vec![Delivery { headers, body: body.into(), records }]
    }
}

/// A JSON array that grows.
#[derive(Debug, Default)]
pub(super) struct Array {
    body: Vec<u8>,
    records: usize,
}

impl Array {
    /// Returns the bytes that were added.
    pub(super) fn push(&mut self, value: Map<String, Value>) -> usize {
        let before = self.body.len();
        self.body.push(if self.records == 0 { b'[' } else { b',' });
        append(&mut self.body, &Value::Object(value));
        self.records += 1;
        self.body.len() - before
    }

    /// The whole array and its length, where it is not empty.
    pub(super) fn take(&mut self) -> Option<(Bytes, usize)> {
        let records = std::mem::take(&mut self.records);
        let mut body = std::mem::take(&mut self.body);
        body.push(b']');
        (records > 0).then(|| (body.into(), records))
    }
}

/// A record. With `with_content` also `request` and `response`, where the route stores them.
pub(super) fn object(record: &RequestRecord, with_content: bool) -> Map<String, Value> {
    let mut map = Map::new();
    let (principal, last) = (&record.principal, record.last_attempt());
    put(&mut map, "ts", Some(timestamp(record.started_unix_us)));
    put(&mut map, "request_id", Some(record.id.to_string()));
    put(&mut map, "operation", Some(record.operation.as_str()));
    put(&mut map, "stream", Some(record.streamed));
    put(&mut map, "requested_model", Some(&*record.requested_model));
    put(&mut map, "route", record.route.as_deref());
    put(&mut map, "provider", last.map(|attempt| &*attempt.provider));
    put(&mut map, "model", last.map(|attempt| &*attempt.model));
    put(&mut map, "key", principal.key.as_deref());
    put(&mut map, "organisation", principal.organisation.as_deref());
    put(&mut map, "project", principal.project.as_deref());
    put(&mut map, "team", principal.team.as_deref());
    put(&mut map, "user", principal.user.as_deref());
    put(&mut map, "agent", record.agent.as_deref());
    put(&mut map, "session", record.session.as_deref());
    put(&mut map, "tags", record.tags.as_deref());
    put(&mut map, "status", Some(record.status));
    put(&mut map, "outcome", Some(record.outcome.as_str()));
    put(&mut map, "error", record.error.map(ErrorCode::as_str));
    put(&mut map, "input_tokens", Some(record.usage.input));
    put(&mut map, "cached_input_tokens", Some(record.usage.cached_input));
    put(&mut map, "cache_write_tokens", Some(record.usage.cache_write));
    put(&mut map, "output_tokens", Some(record.usage.output));
    put(&mut map, "reasoning_tokens", Some(record.usage.reasoning));
    put(&mut map, "usage", Some(record.usage.source.as_str()));
    map.insert("cost_usd".into(), record.cost.map_or(Value::Null, |cost| dollars(cost.total())));
    put(&mut map, "duration_us", Some(record.duration_us));
    put(&mut map, "first_token_us", record.first_token_us);
    put(&mut map, "overhead_us", Some(record.overhead_us));
    put(&mut map, "request_bytes", Some(record.request_bytes));
    put(&mut map, "response_bytes", Some(record.response_bytes));
    if record.trace.trace_id != 0 {
        put(&mut map, "trace_id", Some(format!("{:032x}", record.trace.trace_id)));
        put(&mut map, "span_id", Some(format!("{:016x}", record.id.span(0))));
        put(&mut map, "parent_span_id", record.trace.parent_id.map(|id| format!("{id:016x}")));
    }
    put(&mut map, "simulated", record.simulated.then_some(true));
    put(&mut map, "dropped", record.dropped.as_deref());
    map.insert("attempts".into(), record.attempts.iter().map(attempt).collect());
    if with_content && let Some(bodies) = &record.bodies {
        put_body(&mut map, "request", content::body(&bodies.request));
        put_body(&mut map, "response", content::body(&bodies.response));
    }
    map
}

/// An exact JSON number of dollars.
pub(super) fn dollars(money: Money) -> Value {
    money.to_string().parse::<Number>().map_or(Value::Null, Value::Number)
}

/// Inserts what is there.
pub(super) fn put(map: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into());
    }
}

pub(super) fn content_type(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))])
}

fn attempt(attempt: &AttemptRecord) -> Value {
    let mut map = Map::new();
    put(&mut map, "provider", Some(&*attempt.provider));
    put(&mut map, "model", Some(&*attempt.model));
    put(&mut map, "outcome", Some(attempt.outcome.as_str()));
    put(&mut map, "status", attempt.status);
    put(&mut map, "started_us", Some(attempt.started_us));
    put(&mut map, "first_byte_us", attempt.first_byte_us);
    put(&mut map, "duration_us", Some(attempt.duration_us));
    put(&mut map, "input_tokens", Some(attempt.usage.input));
    put(&mut map, "output_tokens", Some(attempt.usage.output));
    map.insert("cost_usd".into(), attempt.cost.map_or(Value::Null, |cost| dollars(cost.total())));
    put(&mut map, "detail", attempt.detail.as_deref());
    put(&mut map, "joined", attempt.joint.map(|joint| joint.how.as_str()));
    put(&mut map, "joined_at_chars", attempt.joint.map(|joint| joint.at_chars));
    Value::Object(map)
}

fn put_body(map: &mut Map<String, Value>, name: &str, body: Body) {
    match body {
        Body::Empty => {}
        Body::Whole(value) => put(map, name, Some(value)),
        Body::TooLong(bytes) => put(map, &format!("{name}_omitted_bytes"), Some(bytes)),
    }
}

fn append(out: &mut Vec<u8>, value: &Value) {
    // Neither writing to memory nor a map with text keys can fail.
    let _ = serde_json::to_writer(out, value);
}
