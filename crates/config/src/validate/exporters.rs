//! Exporters: addresses, credentials, limits.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use pointsman_telemetry::export::{
    BatchOptions, Endpoint, ExporterOptions, HmacKey, Ratio, RotateOptions, Target,
};

use super::Checker;
use crate::decode::Named;
use crate::raw::{self, ExporterKind, Secret};
use crate::yaml::{Place, Spanned, shorten};

use ExporterKind::{Datadog, File, Helicone, Langfuse, Otlp, Webhook};

/// What is sent as `service.name` where nothing else is configured.
const SERVICE: &str = "pointsman";
const QUEUE: u32 = 10_000;
const TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_FOR: Duration = Duration::from_secs(300);
const METRICS_EVERY: Duration = Duration::from_secs(60);
const BATCH: BatchOptions = BatchOptions { records: 512, bytes: 1 << 20, wait: Duration::from_secs(2) };
const ROTATE: RotateOptions =
    RotateOptions { bytes: 100 << 20, every: Duration::from_secs(24 * 60 * 60), keep: 7 };
/// Langfuse shows a trace at once where its first span says that it is complete.
const INGESTION_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-langfuse-ingestion-version"), HeaderValue::from_static("4"));
const DD_API_KEY: HeaderName = HeaderName::from_static("dd-api-key");

impl Checker<'_> {
    pub(crate) fn exporters(
        &mut self,
        telemetry: &raw::Telemetry,
        exporters: Named<raw::Exporter>,
    ) -> Vec<ExporterOptions> {
        let service = telemetry.service.as_ref().map_or(SERVICE, |service| &service.value);
        for written in [&telemetry.service, &telemetry.environment].into_iter().flatten() {
            if written.value.trim().is_empty() {
                self.cx.fail::<()>(written.place, "must not be empty");
            }
        }
        let service: Arc<str> = service.into();
        let environment: Option<Arc<str>> =
            telemetry.environment.as_ref().map(|environment| environment.value.as_str().into());
        let mut all: Vec<ExporterOptions> = Vec::new();
        let mut names = HashSet::new();
        for (name, raw) in exporters.0 {
            self.exporter_name(&name);
            let Some(raw) = raw else { continue };
            let batch = self.batch(raw.batch.as_ref());
            let queue = self.positive(raw.queue.as_ref(), QUEUE) as usize;
            let timeout = self.duration(raw.timeout.clone(), TIMEOUT);
            for (name, target) in self.targets(&name, &raw) {
                if !names.insert(Arc::clone(&name.value)) {
                    let message = format!("the exporter `{}` is there twice", name.value);
                    let hint = "an exporter of kind otlp sends its metrics as `NAME-metrics`";
                    self.cx.fail_hint::<()>(name.place, message, hint);
                }
                all.push(ExporterOptions {
                    name: name.value,
                    service: Arc::clone(&service),
                    environment: environment.clone(),
                    target,
                    capture_content: raw.capture_content.unwrap_or(false),
                    queue,
                    batch,
                    retry_for: raw.retry_for.map_or(RETRY_FOR, |span| span.0),
                    timeout,
                });
            }
        }
        all
    }

    /// It becomes a label of metrics and the name of a thread.
    fn exporter_name(&mut self, name: &Spanned<String>) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !name.value.chars().all(allowed) || name.value.len() > 64 {
            let message = format!("`{}` cannot be an exporter's name", shorten(&name.value));
            self.cx.fail_hint::<()>(name.place, message, "use up to 64 letters, digits, `-`, `_` and `.`");
        }
    }

    /// OTLP makes two of one entry: traces and metrics go to addresses of their own.
    fn targets(&mut self, name: &Spanned<String>, raw: &raw::Exporter) -> Vec<(Spanned<Arc<str>>, Target)> {
        self.keys_of_kind(name, raw);
        let ratio = raw.sample.as_ref().map_or(Ratio::ALL, |share| Ratio(share.value.0));
        let named =
            |suffix: &str| Spanned { value: Arc::from(format!("{}{suffix}", name.value)), place: name.place };
        let mut targets = Vec::new();
        match raw.kind {
            Otlp => {
                let on = |flag: &Option<Spanned<bool>>| flag.as_ref().is_none_or(|flag| flag.value);
                if !on(&raw.traces) && !on(&raw.metrics) {
                    self.cx.fail::<()>(name.place, "neither traces nor metrics: it would send nothing");
                }
                let default = Some("http://127.0.0.1:4318");
                let every = self.duration(raw.metrics_every.clone(), METRICS_EVERY);
                let Some(endpoint) = self.endpoint(name, raw, default, "/v1/traces") else { return targets };
                if on(&raw.metrics) {
                    let path = endpoint.path.replace("/v1/traces", "/v1/metrics");
                    let endpoint = Endpoint { path, ..endpoint.clone() };
                    targets.push((named("-metrics"), Target::OtlpMetrics { endpoint, every }));
                }
                if on(&raw.traces) {
                    targets.push((named(""), Target::OtlpTraces { endpoint, ratio }));
                }
            }
            File => targets.extend(self.file(name, raw).map(|target| (named(""), target))),
            Webhook => {
                let secret = raw.secret.as_ref().and_then(|secret| self.secret(secret));
                let secret = secret.map(|secret| HmacKey::new(secret.as_bytes()));
                let endpoint = self.endpoint(name, raw, None, "");
                targets.extend(endpoint.map(|endpoint| (named(""), Target::Webhook { endpoint, secret })));
            }
            Langfuse => {
                let default = Some("https://cloud.langfuse.com");
                let endpoint = self.endpoint(name, raw, default, "/api/public/otel/v1/traces");
                let auth = self.langfuse_auth(name, raw);
                if let (Some(mut endpoint), Some(auth)) = (endpoint, auth) {
                    endpoint.headers.insert(header::AUTHORIZATION, auth);
                    let (header, version) = INGESTION_VERSION;
                    endpoint.headers.insert(header, version);
                    targets.push((named(""), Target::Langfuse { endpoint, ratio }));
                }
            }
            Helicone => {
                let default = Some("https://api.worker.helicone.ai");
                let endpoint = self.endpoint(name, raw, default, "/custom/v1/log");
                let auth = self.api_key(name, raw, "Bearer ");
                if let (Some(mut endpoint), Some(auth)) = (endpoint, auth) {
                    endpoint.headers.insert(header::AUTHORIZATION, auth);
                    targets.push((named(""), Target::Helicone { endpoint }));
                }
            }
            Datadog => {
                let default = Some("https://http-intake.logs.datadoghq.com");
                let endpoint = self.endpoint(name, raw, default, "/api/v2/logs");
                let auth = self.api_key(name, raw, "");
                if let (Some(mut endpoint), Some(auth)) = (endpoint, auth) {
                    endpoint.headers.insert(DD_API_KEY, auth);
                    targets.push((named(""), Target::Datadog { endpoint }));
                }
            }
        }
        targets
    }

    /// A key that another kind has is a mistake, not a preference.
    fn keys_of_kind(&mut self, name: &Spanned<String>, raw: &raw::Exporter) {
        let http: &[ExporterKind] = &[Otlp, Webhook, Langfuse, Helicone, Datadog];
        let secret = |secret: &Option<Secret>| secret.as_ref().map(Secret::place);
        let keys: [(&str, Option<Place>, &[ExporterKind]); 13] = [
            ("endpoint", raw.endpoint.as_ref().map(|key| key.place), http),
            ("headers", raw.headers.as_ref().map(|key| key.place), http),
            ("timeout", raw.timeout.as_ref().map(|key| key.place), http),
            ("api_key", secret(&raw.api_key), &[Helicone, Datadog]),
            ("public_key", secret(&raw.public_key), &[Langfuse]),
            ("secret_key", secret(&raw.secret_key), &[Langfuse]),
            ("secret", secret(&raw.secret), &[Webhook]),
            ("traces", raw.traces.as_ref().map(|key| key.place), &[Otlp]),
            ("metrics", raw.metrics.as_ref().map(|key| key.place), &[Otlp]),
            ("metrics_every", raw.metrics_every.as_ref().map(|key| key.place), &[Otlp]),
            ("sample", raw.sample.as_ref().map(|key| key.place), &[Otlp, Langfuse]),
            ("path", raw.path.as_ref().map(|key| key.place), &[File]),
            ("rotate", raw.rotate.as_ref().map(|key| key.place), &[File]),
        ];
        for (key, place, kinds) in keys {
            if let Some(place) = place.filter(|_| !kinds.contains(&raw.kind)) {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
                let message = format!(
                    "`{key}` is for {}, and `{}` is {}",
                    kinds.join(", "),
                    name.value,
                    raw.kind.word()
                );
                self.cx.fail::<()>(place, message);
            }
        }
    }

    /// The address with the receiver's own path, and the configured headers.
    fn endpoint(
        &mut self,
        name: &Spanned<String>,
        raw: &raw::Exporter,
        default: Option<&str>,
        path: &str,
    ) -> Option<Endpoint> {
        let (url, place) = match (&raw.endpoint, default) {
            (Some(written), _) => (written.value.as_str(), written.place),
            (None, Some(default)) => (default, name.place),
            (None, None) => return self.cx.fail(name.place, "the key `endpoint` is missing"),
        };
        let uri: Option<Uri> = url.parse().ok();
        let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?, uri)));
        let Some((scheme @ ("http" | "https"), authority, uri)) = parts else {
            let hint = "write `http://host:port` or `https://host`";
            return self.cx.fail_hint(place, format!("`{}` is no address", shorten(url)), hint);
        };
        if authority.as_str().contains('@') {
            return self.cx.fail_hint(
                place,
                "an address must not hold credentials",
                "write them as `headers`",
            );
        }
        if !path.is_empty() && (uri.query().is_some() || uri.path().trim_end_matches('/').ends_with(path)) {
            let hint = format!("leave `{path}` and a query out: the path is appended");
            return self.cx.fail_hint(place, "not a base address", hint);
        }
        let path = match path {
            "" => uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned(),
            path => format!("{}{path}", uri.path().trim_end_matches('/')),
        };
        let mut headers = HeaderMap::new();
        if let Some(written) = &raw.headers {
            for (name, value) in &written.value.0 {
                let value = value.clone().and_then(|value| self.header(name, value));
                headers.extend(value);
            }
        }
        Some(Endpoint { origin: format!("{scheme}://{authority}"), path, headers })
    }

    fn file(&mut self, name: &Spanned<String>, raw: &raw::Exporter) -> Option<Target> {
        let Some(path) = &raw.path else {
            return self.cx.fail(name.place, "the key `path` is missing");
        };
        let rotate = match &raw.rotate {
            None => ROTATE,
            Some(Spanned { value: rotate, .. }) => RotateOptions {
                bytes: self.size(rotate.bytes.as_ref(), ROTATE.bytes),
                every: self.duration(rotate.every.clone(), ROTATE.every),
                keep: rotate.keep.unwrap_or(ROTATE.keep),
            },
        };
        Some(Target::File { path: self.path(&path.value), rotate })
    }

    fn batch(&mut self, raw: Option<&raw::Batch>) -> BatchOptions {
        let Some(raw) = raw else { return BATCH };
        let bytes = self.size(raw.bytes.as_ref(), BATCH.bytes as u64);
        BatchOptions {
            records: self.positive(raw.records.as_ref(), BATCH.records as u32) as usize,
            bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            wait: self.duration(raw.wait.clone(), BATCH.wait),
        }
    }

    fn size(&mut self, raw: Option<&Spanned<crate::decode::ByteSize>>, default: u64) -> u64 {
        let raw = raw.map(|size| Spanned { value: size.value.0, place: size.place });
        self.positive(raw.as_ref(), default)
    }

    fn langfuse_auth(&mut self, name: &Spanned<String>, raw: &raw::Exporter) -> Option<HeaderValue> {
        let (Some(public), Some(secret)) = (&raw.public_key, &raw.secret_key) else {
            let hint = "write `public_key: { env: LANGFUSE_PUBLIC_KEY }` and `secret_key: { env: LANGFUSE_SECRET_KEY }`";
            return self.cx.fail_hint(name.place, "`public_key` and `secret_key` are needed", hint);
        };
        let (public, key) = (self.secret(public), self.secret(secret));
        let pair = format!("{}:{}", public?.as_str(), key?.as_str());
        self.credential(&format!("Basic {}", STANDARD.encode(pair)), secret.place())
    }

    fn api_key(&mut self, name: &Spanned<String>, raw: &raw::Exporter, scheme: &str) -> Option<HeaderValue> {
        let Some(secret) = &raw.api_key else {
            return self.cx.fail(name.place, "the key `api_key` is missing");
        };
        let key = self.secret(secret)?;
        self.credential(&format!("{scheme}{}", key.as_str()), secret.place())
    }

    fn credential(&mut self, text: &str, place: Place) -> Option<HeaderValue> {
        match HeaderValue::try_from(text) {
            Ok(mut value) => {
                value.set_sensitive(true);
                Some(value)
            }
            Err(_) => self.cx.fail(place, "the key holds characters that no header can carry"),
        }
    }
}
