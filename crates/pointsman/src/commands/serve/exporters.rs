//! Exporters: the HTTP side, and their start and end with the server.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use pointsman_config::Settings;
use pointsman_core::{Clock, Rng};
use pointsman_providers::parse_retry_after;
use pointsman_telemetry::Metrics;
use pointsman_telemetry::export::{
    self, Answer, Deliver, Delivering, Delivery, Endpoint, ExportSink, ExporterOptions, ExporterThreads,
    RotatingFile, Shared, Target,
};
use pointsman_transport::egress::{Egress, Egresses};
use pointsman_transport::fetch::Fetch;
use pointsman_transport::{Upstream, UpstreamConfig, UpstreamHttp2, Upstreams};

use crate::failure::Failure;

/// How long exporters may go on once the last request is settled.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// Longer answers are an error. They are looked at only where they refuse.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Starts the configured exporters; `None` where there are none. They trust whom `upstreams.ca` names and
/// call out through `upstreams.proxy`.
pub(super) fn start(
    settings: &Settings,
    metrics: &Arc<Metrics>,
    clock: Clock,
) -> Result<Option<(ExportSink, ExporterThreads)>, Failure> {
    if settings.exporters.is_empty() {
        return Ok(None);
    }
    let mut exporters: Vec<(ExporterOptions, Arc<dyn Deliver>)> = Vec::new();
    for options in &settings.exporters {
        exporters.push((options.clone(), receiver(options, clock, &settings.egress)?));
    }
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let seed = Rng::new(u64::from_ne_bytes(seed)).next_u64();
    let shared = Shared { metrics, clock, seed, flush_limit: FLUSH_LIMIT };
    let started = export::start(exporters, shared);
    started.map(Some).map_err(|error| Failure::new(format!("cannot start the exporters: {error}")))
}

fn receiver(options: &ExporterOptions, clock: Clock, egress: &Egress) -> Result<Arc<dyn Deliver>, Failure> {
    let failed = |problem: &dyn std::fmt::Display| {
        Failure::new(format!("cannot start the exporter `{}`: {problem}", options.name))
    };
    if let Target::File { path, rotate } = &options.target {
        let file = RotatingFile::open(path.clone(), *rotate, clock);
        let file = file.map_err(|error| failed(&format_args!("{}: {error}", path.display())))?;
        return Ok(Arc::new(file));
    }
    let Some(endpoint) = options.endpoint() else { return Err(failed(&"it has no address")) };
    // A registry of its own: its connections live on the exporter's thread and are shared with nobody.
    let upstreams = Egresses::default()
        .get(egress)
        .map_err(|error| failed(&format_args!("cannot set up TLS: {error}")))?;
    let receiver = HttpReceiver::new(endpoint, options.timeout, clock, &upstreams);
    Ok(Arc::new(receiver.map_err(|error| failed(&error))?))
}

/// POSTs to one address.
struct HttpReceiver {
    upstream: Arc<Upstream>,
    path: String,
    headers: HeaderMap,
    timeout: Duration,
    clock: Clock,
}

impl HttpReceiver {
    fn new(
        endpoint: &Endpoint,
        timeout: Duration,
        clock: Clock,
        upstreams: &Upstreams,
    ) -> Result<Self, pointsman_transport::UpstreamConfigError> {
        let config = UpstreamConfig {
            base_url: endpoint.origin.clone(),
            connect_timeout: timeout,
            // Batches go out one after the other.
            http2: UpstreamHttp2::Never,
        };
        let upstream = upstreams.get(&config)?;
        let mut headers = endpoint.headers.clone();
        let agent = HeaderValue::from_static(concat!("pointsman/", env!("CARGO_PKG_VERSION")));
        headers.entry(header::USER_AGENT).or_insert(agent);
        Ok(Self { upstream, path: endpoint.path.clone(), headers, timeout, clock })
    }

    async fn post(&self, delivery: Delivery) -> Result<Answer, String> {
        let mut headers = delivery.headers;
        headers.extend(self.headers.clone());
        let fetch = Fetch {
            method: Method::POST,
            path: &self.path,
            headers: &headers,
            body: delivery.body,
            limit: self.timeout,
            max_bytes: MAX_ANSWER_BYTES,
        };
        let answer = fetch.response(&self.upstream).await.map_err(|error| error.to_string())?;
        let now = u64::try_from(self.clock.unix_us(self.clock.now())).unwrap_or_default();
        let now = Duration::from_micros(now);
        let retry_after = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Answer {
            status: answer.status().as_u16(),
            retry_after: retry_after.and_then(|value| parse_retry_after(value, now)),
            body: answer.into_body(),
        })
    }
}

impl Deliver for HttpReceiver {
    fn deliver(&self, delivery: Delivery) -> Delivering<'_> {
        Box::pin(self.post(delivery))
    }
}

#[cfg(test)]
mod tests;
