//! What an exporter is told: made by the configuration, never by YAML directly.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use zeroize::Zeroizing;

/// One exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExporterOptions {
    /// The label in metrics and logs.
    pub name: Arc<str>,
    /// `service.name` of everything that is sent.
    pub service: Arc<str>,
    /// `deployment.environment.name`, where there is one.
    pub environment: Option<Arc<str>>,
    /// Where to, and in which form.
    pub target: Target,
    /// Whether request and answer go along, where the route stores them.
    pub capture_content: bool,
    /// Records that may wait. Further ones are dropped, and counted.
    pub queue: usize,
    /// How records become requests.
    pub batch: BatchOptions,
    /// How long one request is tried again. Its records are then given up, and counted.
    pub retry_for: Duration,
    /// Limit for one request, with connecting.
    pub timeout: Duration,
}

impl ExporterOptions {
    /// Where it sends its requests; `None` for a file.
    #[must_use]
    pub const fn endpoint(&self) -> Option<&Endpoint> {
        match &self.target {
            Target::OtlpTraces { endpoint, .. }
            | Target::OtlpMetrics { endpoint, .. }
            | Target::Langfuse { endpoint, .. }
            | Target::Webhook { endpoint, .. }
            | Target::Helicone { endpoint }
            | Target::Datadog { endpoint } => Some(endpoint),
            Target::File { .. } => None,
        }
    }
}

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// OTLP/HTTP protobuf, `/v1/traces`.
    OtlpTraces {
        /// The whole address.
        endpoint: Endpoint,
        /// Share of traces that begin here.
        ratio: Ratio,
    },
    /// OTLP/HTTP protobuf, `/v1/metrics`.
    OtlpMetrics {
        /// The whole address.
        endpoint: Endpoint,
        /// The pause between two reports.
        every: Duration,
    },
    /// OTLP traces with Langfuse's attributes.
    Langfuse {
        /// The whole address.
        endpoint: Endpoint,
        /// Share of traces that begin here.
        ratio: Ratio,
    },
    /// A JSON array of records.
    Webhook {
        /// The whole address.
        endpoint: Endpoint,
        /// Signs bodies.
        secret: Option<HmacKey>,
    },
    /// Helicone's log API: one request a record.
    Helicone {
        /// The whole address.
        endpoint: Endpoint,
    },
    /// Datadog's logs intake, version 2.
    Datadog {
        /// The whole address.
        endpoint: Endpoint,
    },
    /// JSON lines.
    File {
        /// The file that is appended to.
        path: PathBuf,
        /// When a new one begins.
        rotate: RotateOptions,
    },
}

/// An HTTP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `http(s)://host[:port]`.
    pub origin: String,
    /// Path and query; begins with a slash.
    pub path: String,
    /// Credentials (marked as sensitive) and whatever else the operator wants.
    pub headers: HeaderMap,
}

/// When a batch is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// At so many records.
    pub records: usize,
    /// At so many encoded bytes: the last record may go beyond.
    pub bytes: usize,
    /// So long after its first record.
    pub wait: Duration,
}

/// When a file is renamed to `NAME.1`, and a new one begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotateOptions {
    /// Before it grows beyond so many bytes.
    pub bytes: u64,
    /// At multiples of this since the Unix epoch (UTC midnight, for a day).
    pub every: Duration,
    /// Renamed files that are kept.
    pub keep: u32,
}

/// A share in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(pub u32);

impl Ratio {
    /// All.
    pub const ALL: Self = Self(1_000_000);

    /// Whether a trace is in the share. Compares the low 56 bits of the id, which W3C Trace Context level
    /// 2 asks to be random, so that all who use the same share choose the same traces.
    #[must_use]
    pub const fn takes(self, trace_id: u128) -> bool {
        const SPACE: u128 = 1 << 56;
        trace_id % SPACE >= SPACE - SPACE * self.0 as u128 / 1_000_000
    }
}

/// A shared secret; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct HmacKey(Arc<Zeroizing<Vec<u8>>>);

impl HmacKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(Arc::new(Zeroizing::new(key.to_vec())))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_takes_its_share_and_secrets_are_not_shown() {
        let mut rng = pointsman_core::Rng::new(5);
        let ids: Vec<u128> = (0..10_000).map(|_| u128::from(rng.next_u64())).collect();
        let taken = |ratio: Ratio| ids.iter().filter(|&&id| ratio.takes(id)).count();
        assert_eq!((taken(Ratio::ALL), taken(Ratio(0))), (10_000, 0));
        assert!((900..1_100).contains(&taken(Ratio(100_000))), "{}", taken(Ratio(100_000)));
        assert!(ids.iter().all(|&id| !Ratio(100_000).takes(id) || Ratio(200_000).takes(id)));
        assert_eq!(format!("{:?}", HmacKey::new(b"secret")), "HmacKey(..)");
    }
}
