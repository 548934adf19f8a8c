//! The Grafana dashboard names only metrics and labels that `/metrics` has, and shows all of them.

#![cfg(test)]

use std::collections::BTreeSet;
use std::sync::Arc;

use pointsman_core::ErrorCode;
use pointsman_telemetry::{Metrics, names};
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../../deploy/grafana/pointsman.json");
const PAGE: &str = include_str!("../../../docs/metrics.md");
/// Labels that Prometheus itself adds, or that a histogram has.
const GIVEN: [&str; 2] = ["job", "le"];

/// Names and kinds of the families, as a scrape tells them.
fn families() -> Vec<(String, String)> {
    let metrics = Metrics::new("1");
    metrics.refused(ErrorCode::InvalidApiKey);
    let _ = metrics.exporter(&Arc::from("out"));
    let _ = metrics.certificate_expiry("api");
    let types = metrics.encode();
    let types = types.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|family| family.split_once(' ').unwrap())
        .map(|(name, kind)| (name.into(), kind.into()))
        .collect()
}

/// The names by which queries know a family.
fn series(name: &str, kind: &str) -> Vec<String> {
    match kind {
        "counter" => vec![format!("{name}_total")],
        "info" => vec![format!("{name}_info")],
        "histogram" => ["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")).into(),
        _ => vec![name.to_owned()],
    }
}

/// All expressions of the dashboard, and the texts of its legends.
fn texts<'d>(value: &'d Value, key: &str, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    other => texts(other, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The labels in `{…}` and `by (…)`.
fn labels(expression: &str) -> BTreeSet<&str> {
    let mut labels = BTreeSet::new();
    for part in expression.split('{').skip(1) {
        let inside = part.split('}').next().unwrap();
        labels.extend(inside.split(", ").filter_map(|matcher| words(matcher).next()));
    }
    for part in expression.split("by (").skip(1) {
        labels.extend(words(part.split(')').next().unwrap()));
    }
    labels
}

#[test]
fn every_name_in_the_dashboard_exists_and_every_metric_is_shown() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 20, "{}", expressions.len());
    let known: BTreeSet<String> = families().iter().flat_map(|(name, kind)| series(name, kind)).collect();

    let mut used = BTreeSet::new();
    for expression in &expressions {
        let metrics: Vec<_> = words(expression).filter(|word| word.starts_with("pointsman_")).collect();
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            assert!(known.contains(metric), "{metric} in {expression}");
            used.insert(metric.to_owned());
        }
        for label in labels(expression) {
            let documented = PAGE.contains(&format!("`{label}`"));
            assert!(documented || GIVEN.contains(&label), "the label {label} in {expression}");
        }
    }
    for (name, kind) in families() {
        assert!(series(&name, &kind).iter().any(|series| used.contains(series)), "{name} is on no panel");
    }
}

#[test]
fn legends_name_labels_of_their_query() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut checked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel.get("targets").and_then(Value::as_array).into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let legend = target["legendFormat"].as_str().unwrap();
            for label in legend.split("{{").skip(1).map(|part| part.split("}}").next().unwrap()) {
                assert!(labels(expression).contains(label), "{legend} for {expression}");
                checked += 1;
            }
        }
    }
    assert!(checked > 10);
}

#[test]
fn the_check_finds_what_is_wrong() {
    let by = format!(
        "sum by ({}, le) (rate(x_total{{job=~\"$job\", {}=\"a\"}}[5m]))",
        names::OUTCOME,
        names::QUEUE
    );
    assert_eq!(labels(&by), BTreeSet::from(["job", "le", "outcome", "queue"]));
    assert!(!families().iter().any(|(name, _)| name == "pointsman_nothing"));
}
