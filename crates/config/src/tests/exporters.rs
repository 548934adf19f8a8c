//! Exporters as configured: addresses, credentials, defaults, and mistakes.

use std::time::Duration;

use pointsman_telemetry::export::{ExporterOptions, Ratio, Target};

use super::World;

const EVERY_KIND: &str = "
telemetry: { service: gate, environment: production }
exporters:
  otel: { kind: otlp, endpoint: 'http://collector:4318/base/', headers: { x-team: a, authorization: { env: TOKEN } }, sample: 0.25, metrics_every: 15s }
  lines: { kind: file, path: out/requests.jsonl, rotate: { bytes: 1MiB, every: 1h, keep: 3 } }
  hook: { kind: webhook, endpoint: 'https://example.com/hook?a=b', secret: { env: HOOK }, batch: { records: 10, bytes: 1KiB, wait: 1s } }
  lang: { kind: langfuse, public_key: { env: PUBLIC }, secret_key: { env: PRIVATE }, capture_content: true }
  heli: { kind: helicone, api_key: { env: TOKEN }, timeout: 3s, retry_for: 0s }
  dog: { kind: datadog, endpoint: 'https://http-intake.logs.datadoghq.eu', api_key: { env: TOKEN }, queue: 5 }
";

fn world() -> World {
    World::new(&[("TOKEN", "t0ken"), ("HOOK", "h00k"), ("PUBLIC", "pk-lf-1"), ("PRIVATE", "sk-lf-2")])
}

/// Where it sends, with one header: `https://host/path header=value`.
fn place(exporter: &ExporterOptions, header: &str) -> String {
    let endpoint = exporter.endpoint().unwrap();
    let value = endpoint.headers.get(header).map(|value| value.to_str().unwrap());
    format!("{}{} {header}={}", endpoint.origin, endpoint.path, value.unwrap_or_default())
}

#[test]
fn every_kind_finds_its_address_and_credentials() {
    let snapshot = world().sound(EVERY_KIND);
    let exporters = &snapshot.settings.exporters;
    let names: Vec<&str> = exporters.iter().map(|exporter| &*exporter.name).collect();
    assert_eq!(names, ["otel-metrics", "otel", "lines", "hook", "lang", "heli", "dog"]);
    let [metrics, traces, lines, hook, lang, heli, dog] = &exporters[..] else { panic!() };
    assert_eq!(place(metrics, "authorization"), "http://collector:4318/base/v1/metrics authorization=t0ken");
    assert_eq!(place(traces, "x-team"), "http://collector:4318/base/v1/traces x-team=a");
    assert_eq!(place(hook, "authorization"), "https://example.com/hook?a=b authorization=");
    // base64 of pk-lf-1:sk-lf-2
    let basic = "Basic cGstbGYtMTpzay1sZi0y";
    assert_eq!(
        place(lang, "authorization"),
        format!("https://cloud.langfuse.com/api/public/otel/v1/traces authorization={basic}")
    );
    let helicone = "https://api.worker.helicone.ai/custom/v1/log authorization=Bearer t0ken";
    assert_eq!(place(heli, "authorization"), helicone);
    let datadog = "https://http-intake.logs.datadoghq.eu/api/v2/logs dd-api-key=t0ken";
    assert_eq!(place(dog, "dd-api-key"), datadog);

    assert!(matches!(&traces.target, Target::OtlpTraces { ratio: Ratio(250_000), .. }));
    let every = Duration::from_secs(15);
    assert!(matches!(&metrics.target, Target::OtlpMetrics { every: set, .. } if *set == every));
    let Target::File { path, rotate } = &lines.target else { panic!("{lines:?}") };
    assert!(path.ends_with("out/requests.jsonl"));
    assert_eq!((rotate.bytes, rotate.every, rotate.keep), (1 << 20, Duration::from_secs(3600), 3));
    assert_eq!((hook.batch.records, hook.batch.bytes, hook.batch.wait), (10, 1024, Duration::from_secs(1)));
    assert_eq!((lang.capture_content, hook.capture_content), (true, false));
    assert_eq!((heli.timeout, heli.retry_for), (Duration::from_secs(3), Duration::ZERO));
    assert_eq!((dog.queue, heli.queue), (5, 10_000));
    assert!(exporters.iter().all(|exporter| &*exporter.service == "gate"));
    let environment = exporters[0].environment.as_deref();
    assert_eq!(environment, Some("production"));

    let shown = format!("{:?}", snapshot.settings);
    for secret in ["t0ken", "h00k", "sk-lf-2", basic] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn exporters_take_effect_at_the_next_start() {
    let world = world();
    let before = world.sound("");
    assert!(before.settings.exporters.is_empty());
    let after = world.prepare(EVERY_KIND, Some(&before)).unwrap();
    let warning = "`exporters` differs from what runs and takes effect at the next start";
    assert!(after.warnings.iter().any(|told| told == warning), "{:?}", after.warnings);
}

#[test]
fn mistakes_are_told_once_and_without_secrets() {
    let report = world().errors(
        "exporters:
  a: { kind: otlp, endpoint: 'collector:4318' }
  n: { kind: otlp, sample: 2 }
  b: { kind: otlp, endpoint: 'http://c:4318/v1/traces', path: x }
  c: { kind: webhook }
  d: { kind: langfuse, secret_key: { env: TOKEN } }
  e: { kind: helicone, api_key: literal-secret }
  f: { kind: datadog, api_key: { env: MISSING }, batch: { records: 0 } }
  g: { kind: file, endpoint: 'http://x' }
  h: { kind: otlp, traces: false, metrics: false }
  i: { kind: splunk }
  j k: { kind: webhook, endpoint: 'http://user:secret@host/' }
  l: { kind: otlp }
  l-metrics: { kind: file, path: x }
",
    );
    assert_eq!(
        report,
        "\
pointsman.yaml:2:30: `collector:4318` is no address
  hint: write `http://host:port` or `https://host`
pointsman.yaml:3:28: expected a number from 0 to 1, found `2`
pointsman.yaml:4:30: not a base address
  hint: leave `/v1/traces` and a query out: the path is appended
pointsman.yaml:4:63: `path` is for file, and `b` is otlp
pointsman.yaml:5:3: the key `endpoint` is missing
pointsman.yaml:6:3: `public_key` and `secret_key` are needed
  hint: write `public_key: { env: LANGFUSE_PUBLIC_KEY }` and `secret_key: { env: LANGFUSE_SECRET_KEY }`
pointsman.yaml:7:33: a secret must not be written into the configuration
  hint: write `{ env: NAME }` or `{ file: PATH }` instead, and put the value there
pointsman.yaml:8:32: the environment variable MISSING is not set
  hint: set MISSING, in the environment or in `.env` beside the configuration
pointsman.yaml:8:68: must be at least 1
pointsman.yaml:9:3: the key `path` is missing
pointsman.yaml:9:30: `endpoint` is for otlp, webhook, langfuse, helicone, datadog, and `g` is file
pointsman.yaml:10:3: neither traces nor metrics: it would send nothing
pointsman.yaml:11:14: `splunk` is none of otlp, file, webhook, langfuse, helicone, datadog
pointsman.yaml:12:3: `j k` cannot be an exporter's name
  hint: use up to 64 letters, digits, `-`, `_` and `.`
pointsman.yaml:12:35: an address must not hold credentials
  hint: write them as `headers`
pointsman.yaml:14:3: the exporter `l-metrics` is there twice
  hint: an exporter of kind otlp sends its metrics as `NAME-metrics`"
    );
}
