//! Datadog's logs intake, `POST /api/v2/logs`: an array of at most 1,000 entries and 5 MB
//! (<https://docs.datadoghq.com/api/latest/logs/>).

use std::fmt::Write;
use std::sync::Arc;

use pointsman_core::{Outcome, RequestRecord};

use super::json::{Array, content_type, object, put};
use super::{Delivery, ExporterOptions, Format};

/// The format.
pub(super) struct Datadog {
    content: bool,
    service: Arc<str>,
    /// `env:production`, for every entry.
    tags: String,
    array: Array,
}

impl Datadog {
    /// Most entries of one request.
    pub(super) const MAX_ENTRIES: usize = 1_000;

    pub(super) fn new(options: &ExporterOptions) -> Self {
        let tags = options.environment.as_deref().map(|name| format!("env:{name}"));
        Self {
            content: options.capture_content,
            service: Arc::clone(&options.service),
            tags: tags.unwrap_or_default(),
            array: Array::default(),
        }
    }
}

impl Format for Datadog {
    fn push(&mut self, record: &RequestRecord) -> usize {
        let mut entry = object(record, self.content);
        // `status` is Datadog's word for the level; ours moves to its standard attribute.
        entry.remove("status");
        entry.insert("http".into(), serde_json::json!({ "status_code": record.status }));
        put(&mut entry, "status", Some(level(record)));
        put(&mut entry, "message", Some(message(record)));
        put(&mut entry, "ddsource", Some("pointsman"));
        put(&mut entry, "service", Some(&*self.service));
        put(&mut entry, "timestamp", Some(record.started_unix_us / 1_000));
        if !self.tags.is_empty() {
            put(&mut entry, "ddtags", Some(self.tags.as_str()));
        }
        self.array.push(entry)
    }

    fn take(&mut self) -> Vec<Delivery> {
        let Some((body, records)) = self.array.take() else { return Vec::new() };
        vec![Delivery { headers: content_type("application/json"), body, records }]
    }
}

fn level(record: &RequestRecord) -> &'static str {
    match record.outcome {
        Outcome::Success => "info",
        Outcome::Cancelled => "warn",
        outcome if outcome.blames_request() => "warn",
        _ => "error",
    }
}

fn message(record: &RequestRecord) -> String {
    let mut text = format!("{} {}", record.operation.as_str(), record.requested_model);
    if let Some(last) = record.last_attempt() {
        // Writing to a text cannot fail.
        let _ = write!(text, " by {}/{}", last.provider, last.model);
    }
    let _ = write!(text, ": {} in {} ms", record.outcome.as_str(), record.duration_us / 1_000);
    text
}
