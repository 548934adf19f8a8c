//! Langfuse's own attributes on OTLP spans: the server span is the trace's root, each upstream call a
//! generation (<https://langfuse.com/integrations/native/opentelemetry#property-mapping>).

use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::Span;
use pointsman_core::{AttemptRecord, ErrorCode, Outcome, RequestRecord, UsageSource};
use serde_json::{Map, Value};

use super::super::json::{dollars, put};
use super::super::{ExporterOptions, content, semconv};
use super::Attributes;
use crate::access_log::timestamp;

/// Adds to spans what Langfuse reads.
pub(super) struct Langfuse {
    environment: Option<Arc<str>>,
    content: bool,
}

impl Langfuse {
    pub(super) fn new(options: &ExporterOptions) -> Self {
        Self { environment: options.environment.clone(), content: options.capture_content }
    }

    pub(super) fn add(&self, record: &RequestRecord, server: &mut Span, clients: &mut [Span]) {
        let (input, output) = self.content(record);
        let mut root = Attributes(std::mem::take(&mut server.attributes));
        root.text(semconv::LANGFUSE_TRACE_NAME, server.name.clone());
        root.text_if(semconv::LANGFUSE_USER, record.principal.user.as_deref());
        root.text_if(semconv::LANGFUSE_SESSION, record.session.as_deref());
        if let Some(tags) = &record.tags {
            root.texts(semconv::LANGFUSE_TAGS, tags.split(',').map(|tag| tag.trim().to_owned()));
        }
        root.text(semconv::LANGFUSE_TYPE, "span");
        self.common(&mut root, record.outcome, record.error.map(ErrorCode::as_str));
        root.text_if(semconv::LANGFUSE_INPUT, input.clone());
        root.text_if(semconv::LANGFUSE_OUTPUT, output.clone());
        server.attributes = root.0;

        let last = record.attempts.len().saturating_sub(1);
        for (index, (span, attempt)) in clients.iter_mut().zip(&record.attempts).enumerate() {
            let mut generation = Attributes(std::mem::take(&mut span.attributes));
            self.generation(&mut generation, attempt);
            if index == last {
                // The first token that the client saw was this call's.
                let first = record.first_token_us.and_then(|us| i64::try_from(us).ok());
                let first = first.map(|us| timestamp(record.started_unix_us.saturating_add(us)));
                generation.text_if(semconv::LANGFUSE_FIRST_TOKEN, first);
                generation.text_if(semconv::LANGFUSE_INPUT, input.clone());
                generation.text_if(semconv::LANGFUSE_OUTPUT, output.clone());
            }
            span.attributes = generation.0;
        }
    }

    fn generation(&self, attributes: &mut Attributes, attempt: &AttemptRecord) {
        attributes.text(semconv::LANGFUSE_TYPE, "generation");
        attributes.text(semconv::LANGFUSE_MODEL, &*attempt.model);
        self.common(attributes, attempt.outcome, attempt.detail.as_deref());
        let usage = &attempt.usage;
        if usage.source != UsageSource::Unknown {
            // Langfuse adds the kinds up, so each token is in one of them.
            let mut kinds = Map::new();
            let cached = usage.cached_input.saturating_add(usage.cache_write);
            put(&mut kinds, "input", Some(usage.input.saturating_sub(cached)));
            put(&mut kinds, "input_cached_tokens", Some(usage.cached_input).filter(|&count| count > 0));
            put(&mut kinds, "input_cache_creation", Some(usage.cache_write).filter(|&count| count > 0));
            put(&mut kinds, "output", Some(usage.output.saturating_sub(usage.reasoning)));
            put(&mut kinds, "output_reasoning_tokens", Some(usage.reasoning).filter(|&count| count > 0));
            put(&mut kinds, "total", Some(usage.total()));
            attributes.text(semconv::LANGFUSE_USAGE, Value::Object(kinds).to_string());
        }
        if let Some(cost) = attempt.cost {
            let mut parts = Map::new();
            put(&mut parts, "input", Some(dollars(cost.input + cost.cached_input + cost.cache_write)));
            put(&mut parts, "output", Some(dollars(cost.output + cost.reasoning)));
            put(&mut parts, "total", Some(dollars(cost.total())));
            attributes.text(semconv::LANGFUSE_COST, Value::Object(parts).to_string());
        }
    }

    fn common(&self, attributes: &mut Attributes, outcome: Outcome, problem: Option<&str>) {
        attributes.text_if(semconv::LANGFUSE_ENVIRONMENT, self.environment.as_deref());
        let failed = outcome != Outcome::Success;
        attributes.text(semconv::LANGFUSE_LEVEL, if failed { "ERROR" } else { "DEFAULT" });
        attributes.text_if(semconv::LANGFUSE_STATUS, failed.then(|| problem.unwrap_or(outcome.as_str())));
    }

    fn content(&self, record: &RequestRecord) -> (Option<String>, Option<String>) {
        if !self.content {
            return (None, None);
        }
        let text = |messages: Option<Value>| messages.map(|value| value.to_string());
        (text(content::input_messages(record)), text(content::output_messages(record)))
    }
}
