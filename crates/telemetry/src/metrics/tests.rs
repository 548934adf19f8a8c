//! What a scrape shows after known requests.

use std::thread;

use pointsman_core::{Cost, Usage};

use super::*;
use crate::deployment::MAX_DEPLOYMENTS;
use crate::fixture::{attempt, record};

fn lines(metrics: &Metrics) -> Vec<String> {
    metrics.encode().lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_has(metrics: &Metrics, expected: &[&str]) {
    let lines = lines(metrics);
    for line in expected {
        assert!(lines.iter().any(|have| have == line), "{line}\nnot in\n{}", lines.join("\n"));
    }
}

#[test]
fn a_request_shows_up_everywhere() {
    let metrics = Metrics::new("1.2.3");
    let handle = metrics.deployment("openai", "gpt-4o-mini");
    metrics.observe([&*handle], &record());
    assert_has(
        &metrics,
        &[
            r#"pointsman_requests_total{gen_ai_operation_name="chat",outcome="success",status_class="2xx",stream="false"} 1"#,
            r#"pointsman_request_duration_seconds_bucket{le="1.0",gen_ai_operation_name="chat",stream="false"} 0"#,
            r#"pointsman_request_duration_seconds_bucket{le="2.5",gen_ai_operation_name="chat",stream="false"} 1"#,
            r#"pointsman_request_duration_seconds_bucket{le="+Inf",gen_ai_operation_name="chat",stream="false"} 1"#,
            r#"pointsman_request_duration_seconds_sum{gen_ai_operation_name="chat",stream="false"} 1.5"#,
            r#"pointsman_time_to_first_token_seconds_count{gen_ai_operation_name="chat",stream="false"} 1"#,
            r#"pointsman_overhead_seconds_bucket{le="0.00002"} 0"#,
            r#"pointsman_overhead_seconds_bucket{le="0.00005"} 1"#,
            "pointsman_overhead_seconds_count 1",
            r#"pointsman_usage_total{source="reported"} 1"#,
            r#"pointsman_attempts_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini",outcome="success"} 1"#,
            r#"pointsman_attempt_seconds_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini"} 1.25"#,
            r#"pointsman_tokens_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini",gen_ai_token_type="input"} 1200"#,
            r#"pointsman_tokens_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini",gen_ai_token_type="cached_input"} 200"#,
            r#"pointsman_cost_usd_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini"} 0.000150001"#,
            r#"pointsman_build_info{version="1.2.3"} 1"#,
            "# EOF",
        ],
    );
    assert!(!metrics.encode().contains("embeddings"), "series that were never counted are left out");
}

#[test]
fn each_attempt_counts_for_its_own_deployment() {
    let metrics = Metrics::new("1");
    let handles = [metrics.deployment("openai", "gpt-4o-mini"), metrics.deployment("local", "llama3:8b")];
    let mut request = record();
    let mut failed = attempt(Usage::default(), Some(Cost::default()));
    failed.outcome = Outcome::RateLimited { retry_after: None };
    request.attempts = [failed, attempt(request.usage, None)].into_iter().collect();
    request.cost = None;
    metrics.observe(handles.iter().map(|handle| &**handle), &request);
    let local = r#"gen_ai_provider_name="local",gen_ai_request_model="llama3:8b""#;
    assert_has(
        &metrics,
        &[
            r#"pointsman_attempts_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini",outcome="rate_limited"} 1"#,
            &format!("pointsman_attempts_total{{{local},outcome=\"success\"}} 1"),
            &format!("pointsman_unpriced_attempts_total{{{local}}} 1"),
        ],
    );
    let text = metrics.encode();
    assert!(
        !text.lines().any(|line| line.starts_with("pointsman_cost_usd_total{")),
        "an unknown price is not 0"
    );
}

#[test]
fn refusals_are_counted_by_code() {
    let metrics = Metrics::new("1");
    metrics.refused(ErrorCode::InvalidApiKey);
    metrics.refused(ErrorCode::InvalidApiKey);
    metrics.refused(*ErrorCode::ALL.last().unwrap());
    assert_has(
        &metrics,
        &[
            r#"pointsman_requests_refused_total{code="invalid_api_key"} 2"#,
            r#"pointsman_requests_refused_total{code="stream_interrupted"} 1"#,
        ],
    );
    assert!(!metrics.encode().contains("forbidden_origin"), "codes that never occurred are left out");
}

#[test]
fn refusals_are_counted_by_their_code() {
    let metrics = Metrics::new("1");
    assert!(!metrics.encode().contains("pointsman_requests_refused_total"));
    metrics.refused(ErrorCode::InvalidApiKey);
    metrics.refused(ErrorCode::InvalidApiKey);
    metrics.refused(ErrorCode::StreamInterrupted);
    assert_has(
        &metrics,
        &[
            r#"pointsman_requests_refused_total{code="invalid_api_key"} 2"#,
            r#"pointsman_requests_refused_total{code="stream_interrupted"} 1"#,
        ],
    );
}

#[test]
fn gauges_queues_and_loads() {
    let metrics = Metrics::new("1");
    metrics.in_flight().fetch_add(3, Ordering::Relaxed);
    metrics.in_flight().fetch_sub(1, Ordering::Relaxed);
    metrics.body_bytes().fetch_add(150_000, Ordering::Relaxed);
    assert_eq!(metrics.queue_drops("records").load(Ordering::Relaxed), 0);
    metrics.queue_drops("exports").fetch_add(7, Ordering::Relaxed);
    let sink = metrics.sink("sqlite");
    sink.written.fetch_add(1_000, Ordering::Relaxed);
    assert!(Arc::ptr_eq(&sink, &metrics.sink("sqlite")));
    metrics.config_loaded(4);
    metrics.config_loaded(5);
    metrics.config_failed();
    assert_eq!(metrics.config_generation(), 5);
    metrics.certificate_expiry("api").store(1_795_305_600, Ordering::Relaxed);
    assert_eq!(metrics.certificate_expiry("admin").load(Ordering::Relaxed), 0);
    assert_has(
        &metrics,
        &[
            "pointsman_requests_in_flight 2",
            "pointsman_request_body_bytes_in_flight 150000",
            r#"pointsman_queue_drops_total{queue="records"} 0"#,
            r#"pointsman_queue_drops_total{queue="exports"} 7"#,
            r#"pointsman_records_written_total{sink="sqlite"} 1000"#,
            r#"pointsman_records_failed_total{sink="sqlite"} 0"#,
            "pointsman_config_generation 5",
            r#"pointsman_certificate_expiry_timestamp_seconds{listener="api"} 1795305600"#,
            r#"pointsman_certificate_expiry_timestamp_seconds{listener="admin"} 0"#,
            r#"pointsman_config_loads_total{result="ok"} 2"#,
            r#"pointsman_config_loads_total{result="failed"} 1"#,
        ],
    );
}

#[test]
fn cardinality_is_bounded_and_handles_last() {
    let metrics = Metrics::new("1");
    let first = metrics.deployment("p", "m0");
    for n in 0..MAX_DEPLOYMENTS * 3 {
        metrics.deployment("p", &format!("m{n}")).observe(&record().attempts[0]);
    }
    assert!(Arc::ptr_eq(&first, &metrics.deployment("p", "m0")));
    let attempts: Vec<String> =
        lines(&metrics).into_iter().filter(|line| line.starts_with("pointsman_attempts_total{")).collect();
    assert_eq!(attempts.len(), MAX_DEPLOYMENTS + 1);
    let other = format!(
        r#"pointsman_attempts_total{{gen_ai_provider_name="other",gen_ai_request_model="other",outcome="success"}} {}"#,
        MAX_DEPLOYMENTS * 2
    );
    assert!(attempts.contains(&other));
}

#[test]
fn hostile_names_are_escaped() {
    let metrics = Metrics::new("1");
    metrics.deployment("p", "a\"b\\c\nd").observe(&record().attempts[0]);
    assert_has(
        &metrics,
        &[
            r#"pointsman_attempts_total{gen_ai_provider_name="p",gen_ai_request_model="a\"b\\c\nd",outcome="success"} 1"#,
        ],
    );
}

#[test]
fn nothing_is_lost_between_threads() {
    let metrics = Metrics::new("1");
    let handle = metrics.deployment("openai", "gpt-4o-mini");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let record = record();
                for _ in 0..1_000 {
                    metrics.observe([&*handle], &record);
                }
            });
        }
    });
    assert_has(
        &metrics,
        &[
            "pointsman_overhead_seconds_count 4000",
            r#"pointsman_cost_usd_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini"} 0.600004"#,
        ],
    );
}

#[test]
fn every_index_meets_its_word() {
    for (index, wanted) in USAGE_SOURCES.into_iter().enumerate() {
        assert_eq!(usage_source(wanted), index);
    }
    for (status, class) in
        [(0, "none"), (99, "none"), (100, "1xx"), (204, "2xx"), (499, "4xx"), (599, "5xx"), (600, "none")]
    {
        assert_eq!(STATUS_CLASSES[status_class(status)], class);
    }
}

/// docs/metrics.md, whose table must not fall behind.
const PAGE: &str = include_str!("../../../../docs/metrics.md");

#[test]
fn every_metric_and_label_is_on_its_page() {
    let metrics = Metrics::new("1");
    metrics.deployment("openai", "gpt-4o-mini").observe(&record().attempts[0]);
    metrics.observe([], &record());
    metrics.refused(ErrorCode::InvalidApiKey);
    let _ = (metrics.queue_drops("records"), metrics.sink("sqlite"), metrics.exporter(&"out".into()));
    let mut families = 0;
    for line in lines(&metrics) {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            assert!(PAGE.contains(&format!("| `{name}{suffix}` | {kind} |")), "{family}");
            families += 1;
        } else if let Some((_, labels)) = line.split_once('{') {
            let names = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(name, _)| name);
            for name in names.filter(|&name| name != "le") {
                assert!(PAGE.contains(&format!("`{name}`")), "{line}");
            }
        }
    }
    assert_eq!(families, PAGE.lines().filter(|line| line.starts_with("| `pointsman_")).count());
}
