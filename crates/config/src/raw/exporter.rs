//! Exporters as written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{ByteSize, Context, Decode, Named, Span, section};
use crate::raw::node::words;
use crate::raw::{Header, Secret};
use crate::yaml::{Node, Spanned, Value, shorten};

section! {
    /// What all exporters say of this program.
    #[derive(Default)]
    pub(crate) struct Telemetry {
        /// `service.name`.
        service: Option<Spanned<String>>,
        /// `deployment.environment.name`: `production`, `staging`.
        environment: Option<Spanned<String>>,
    }
}

section! {
    /// Where finished requests are sent.
    pub(crate) struct Exporter {
        /// The receiver.
        kind: ExporterKind,
        /// Its address; a path before the receiver's own is kept.
        endpoint: Option<Spanned<String>>,
        /// Further headers; a value is a text or a secret.
        headers: Option<Spanned<Named<Header>>>,
        /// `helicone` and `datadog`: the API key.
        api_key: Option<Secret>,
        /// `langfuse`: the public key.
        public_key: Option<Secret>,
        /// `langfuse`: the secret key.
        secret_key: Option<Secret>,
        /// `webhook`: bodies are signed with it.
        secret: Option<Secret>,
        /// `otlp`: whether requests are sent as traces.
        traces: Option<Spanned<bool>>,
        /// `otlp`: whether metrics are sent.
        metrics: Option<Spanned<bool>>,
        /// `otlp`: the pause between two reports of metrics.
        metrics_every: Option<Spanned<Span>>,
        /// `otlp` and `langfuse`: the share of the traces that begin here, from 0 to 1.
        sample: Option<Spanned<Share>>,
        /// `file`: the file, relative to this one.
        path: Option<Spanned<String>>,
        /// `file`: when a new one begins.
        rotate: Option<Spanned<Rotate>>,
        /// Whether request and answer go along, for routes with `store_bodies`.
        capture_content: Option<bool>,
        /// Records that may wait; further ones are dropped.
        queue: Option<Spanned<u32>>,
        /// When a batch is sent.
        batch: Option<Batch>,
        /// Limit for one request to the receiver.
        timeout: Option<Spanned<Span>>,
        /// How long one request is tried again.
        retry_for: Option<Span>,
    }
}

section! {
    /// When a batch is sent: whichever comes first.
    #[derive(Default)]
    pub(crate) struct Batch {
        /// At so many records.
        records: Option<Spanned<u32>>,
        /// At this size.
        bytes: Option<Spanned<ByteSize>>,
        /// So long after its first record.
        wait: Option<Spanned<Span>>,
    }
}

section! {
    /// When a new file begins: whichever comes first.
    #[derive(Default)]
    pub(crate) struct Rotate {
        /// At this size.
        bytes: Option<Spanned<ByteSize>>,
        /// At multiples of this, in UTC.
        every: Option<Spanned<Span>>,
        /// Older files that are kept.
        keep: Option<u32>,
    }
}

words! {
    /// A receiver of finished requests.
    pub(crate) enum ExporterKind {
        /// OpenTelemetry over HTTP.
        Otlp = "otlp",
        /// JSON lines in a file.
        File = "file",
        /// A JSON array, signed.
        Webhook = "webhook",
        /// Langfuse.
        Langfuse = "langfuse",
        /// Helicone.
        Helicone = "helicone",
        /// Datadog's logs.
        Datadog = "datadog",
    }
}

impl ExporterKind {
    /// As it is written.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::File => "file",
            Self::Webhook => "webhook",
            Self::Langfuse => "langfuse",
            Self::Helicone => "helicone",
            Self::Datadog => "datadog",
        }
    }
}

/// A number from 0 to 1, in parts per million.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(pub(crate) u32);

impl Decode for Share {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        let Value::Scalar { text, plain: true } = &node.value else {
            return cx.mismatch(node, "a number from 0 to 1");
        };
        match text.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Some(Self((share * 1e6).round() as u32)),
            _ => cx.fail(node.place, format!("expected a number from 0 to 1, found `{}`", shorten(text))),
        }
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}
