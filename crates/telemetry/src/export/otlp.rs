//! OTLP over HTTP with protobuf bodies
//! (<https://opentelemetry.io/docs/specs/otlp/#binary-protobuf-encoding>): traces and metrics.

mod langfuse;
mod metrics;
mod scrape;
mod traces;

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{ExporterOptions, semconv};

pub(super) use metrics::MetricsFormat;
pub(super) use traces::Traces;

const CONTENT_TYPE: &str = "application/x-protobuf";
/// The instrumentation scope.
const SCOPE: &str = "pointsman";

/// Attributes in the order of writing.
#[derive(Debug, Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn put(&mut self, key: &str, value: any_value::Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() });
    }

    fn text(&mut self, key: &str, value: impl Into<String>) {
        self.put(key, any_value::Value::StringValue(value.into()));
    }

    fn text_if(&mut self, key: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn int(&mut self, key: &str, value: u64) {
        self.put(key, any_value::Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn bool(&mut self, key: &str, value: bool) {
        self.put(key, any_value::Value::BoolValue(value));
    }

    fn texts(&mut self, key: &str, values: impl Iterator<Item = String>) {
        let value = |text| AnyValue { value: Some(any_value::Value::StringValue(text)) };
        self.put(key, any_value::Value::ArrayValue(ArrayValue { values: values.map(value).collect() }));
    }
}

fn resource(options: &ExporterOptions, version: &str) -> Resource {
    let mut attributes = Attributes::default();
    attributes.text(semconv::SERVICE_NAME, &*options.service);
    attributes.text(semconv::SERVICE_VERSION, version);
    attributes.text_if(semconv::ENVIRONMENT, options.environment.as_deref());
    Resource { attributes: attributes.0, ..Resource::default() }
}

fn scope(version: &str) -> InstrumentationScope {
    InstrumentationScope { name: SCOPE.into(), version: version.into(), ..InstrumentationScope::default() }
}

#[cfg(test)]
mod tests;
