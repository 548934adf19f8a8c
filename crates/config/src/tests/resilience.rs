//! What is said of deployments and routes for when providers fail, and what holds where nothing is said.

use std::sync::Arc;
use std::time::Duration;

use pointsman_providers::Prefill;
use pointsman_resilience::{
    BreakerPolicy, EndpointPolicy, FailureShare, HedgeAfter, HedgePolicy, Priority, ProbePolicy,
    RetryBudgetPolicy,
};

use super::World;
use crate::Snapshot;
use crate::domain::{Deployment, OnInterrupt, RouteOptions, Timeouts, ToolDeltas};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn deployment(snapshot: &Snapshot, name: &str) -> Arc<Deployment> {
    let (provider, model) = name.split_once('/').unwrap();
    snapshot.deployment_of(provider, model).unwrap()
}

fn route<'s>(snapshot: &'s Snapshot, name: &str) -> &'s RouteOptions {
    snapshot.routes.iter().find(|route| &*route.name == name).unwrap()
}

/// A provider `a` with this in its map.
fn provider(said: &str) -> String {
    format!("providers: {{ a: {{ base_url: 'http://a/v1', models: [m], {said} }} }}")
}

fn endpoint(said: &str) -> EndpointPolicy {
    EndpointPolicy::clone(&deployment(&World::new(&[]).sound(&provider(said)), "a/m").endpoint)
}

#[test]
fn where_nothing_is_said_breakers_are_on_and_nothing_else_is() {
    let snapshot = World::new(&[("OPENAI_API_KEY", "k")]).sound("routes: { r: openai/gpt-4o }");
    let deployment = deployment(&snapshot, "openai/gpt-4o");
    let five_a_minute = BreakerPolicy {
        failures: 5,
        window: seconds(60),
        open_for: seconds(300),
        consecutive: None,
        share: None,
    };
    assert_eq!(deployment.endpoint.breaker, five_a_minute);
    assert_eq!(deployment.endpoint.key_breaker.failures, 1);
    assert_eq!((deployment.endpoint.max_concurrency, deployment.endpoint.probe), (None, None));
    assert_eq!(deployment.endpoint.requests_per_minute.or(deployment.endpoint.tokens_per_minute), None);
    assert_eq!(*deployment.timeouts, Timeouts::default());
    for route in [route(&snapshot, "r"), &snapshot.no_route] {
        assert_eq!(route.retry_budget, RetryBudgetPolicy { percent: 20, minimum_per_second: 1 });
        assert_eq!((route.hedge, route.coalesce, route.priority), (None, false, Priority::Normal));
        assert_eq!((route.on_interrupt, route.tool_deltas), (OnInterrupt::Continue, ToolDeltas::Hold));
        assert!(route.fallbacks.is_empty());
    }
    assert_eq!(snapshot.settings.server.zone, None);
}

#[test]
fn breakers_open_by_the_rules_that_are_named() {
    let usual = BreakerPolicy::default();
    let share = |percent, minimum| Some(FailureShare { percent, minimum });
    for (said, expected) in [
        ("off", BreakerPolicy::OFF),
        ("{}", usual),
        (
            "{ failures: 3, window: 10s, open_for: 20s }",
            BreakerPolicy { failures: 3, window: seconds(10), open_for: seconds(20), ..usual },
        ),
        ("{ consecutive: 4 }", BreakerPolicy { failures: 0, consecutive: Some(4), ..usual }),
        ("{ share: { percent: 50% } }", BreakerPolicy { failures: 0, share: share(50, 20), ..usual }),
        (
            "{ failures: 9, share: { percent: 30, minimum: 5 } }",
            BreakerPolicy { failures: 9, share: share(30, 5), ..usual },
        ),
    ] {
        assert_eq!(endpoint(&format!("breaker: {said}")).breaker, expected, "{said}");
    }
    let policy = endpoint("breaker: { open_for: 7s }");
    assert_eq!((policy.key_breaker.failures, policy.key_breaker.open_for), (1, seconds(7)));
}

#[test]
fn limits_zones_and_probes_arrive() {
    let policy = endpoint(
        "limits: { requests_per_minute: 500, tokens_per_minute: 2_000_000, concurrency: 8, queue: 3, queue_wait: 2s },
        zone: eu-1, ease_in: 0s, probe: { every: 30s, max_per_day: 9 }",
    );
    let expected = EndpointPolicy {
        max_concurrency: Some(8),
        max_queue: 3,
        queue_wait: seconds(2),
        requests_per_minute: Some(500),
        tokens_per_minute: Some(2_000_000),
        ease_in: Duration::ZERO,
        zone: Some("eu-1".into()),
        probe: Some(ProbePolicy { every: seconds(30), max_per_day: 9 }),
        ..EndpointPolicy::default()
    };
    assert_eq!(policy, expected);
    let queued = endpoint("limits: { concurrency: 2 }");
    assert_eq!((queued.max_queue, queued.queue_wait), (100, seconds(10)));
    assert_eq!(endpoint("limits: { concurrency: 2, queue: 0 }").max_queue, 0);
    assert_eq!(endpoint("probe: {}").probe, Some(ProbePolicy { every: seconds(60), max_per_day: 100 }));
    assert_eq!(endpoint("probe: off").probe, None);
    let zone = World::new(&[]).sound("server: { zone: eu-1 }").settings.server.zone.clone();
    assert_eq!(zone.as_deref(), Some("eu-1"));
}

#[test]
fn a_model_may_have_its_own_in_place_of_its_providers() {
    let snapshot = World::new(&[]).sound(
        "providers:
  a:
    base_url: 'http://a/v1'
    breaker: { failures: 9 }
    limits: { requests_per_minute: 60, concurrency: 4 }
    zone: here
    probe: {}
    timeouts: { total: 50s, reasoning: { first_token: 40s } }
    models:
      - plain
      - other
      - id: own
        breaker: off
        limits: { requests_per_minute: 5, queue: 0 }
        probe: off
        timeouts: { total: 5s }
        reasoning: true
        prefill: prefix
        context_length: 8192
",
    );
    let [plain, other, own] =
        ["plain", "other", "own"].map(|model| deployment(&snapshot, &format!("a/{model}")));
    assert!(Arc::ptr_eq(&plain.endpoint, &other.endpoint) && Arc::ptr_eq(&plain.timeouts, &other.timeouts));
    assert_eq!((plain.endpoint.breaker.failures, plain.endpoint.max_queue), (9, 100));
    assert_eq!(
        (plain.reasons, plain.prefill, plain.timeouts.first_token),
        (false, Prefill::None, seconds(300))
    );
    assert!(own.endpoint.breaker.is_off());
    assert_eq!(own.endpoint.requests_per_minute, Some(5));
    assert_eq!((own.endpoint.max_concurrency, own.endpoint.max_queue), (Some(4), 0));
    assert_eq!((own.endpoint.zone.as_deref(), own.endpoint.probe), (Some("here"), None));
    assert_eq!((own.reasons, own.prefill), (true, Prefill::Prefix));
    assert_eq!((own.context_length, plain.context_length), (Some(8192), None));
    assert_eq!((own.timeouts.total, own.timeouts.first_token), (seconds(5), seconds(40)));
    assert!(snapshot.deployment_of("a", "unheard-of").is_none(), "a list is closed");
}

#[test]
fn a_list_with_any_in_it_is_open() {
    let world = World::new(&[("OPENAI_API_KEY", "k")]);
    let snapshot =
        world.sound("providers: { openai: { models: [any, { id: gpt-4o, limits: { concurrency: 1 } }] } }");
    let concurrency = |name: &str| deployment(&snapshot, name).endpoint.max_concurrency;
    assert_eq!(concurrency("openai/gpt-4o"), Some(1));
    assert_eq!(concurrency("openai/gpt-4o-mini"), None, "known by the catalogue");
    assert_eq!(concurrency("openai/gpt-unheard-of"), None);
    let report = world.errors("providers: { openai: { models: [gpt-4o, { id: gpt-4o }] } }");
    assert!(report.contains("1:47: the model `gpt-4o` is there twice"), "{report}");
}

#[test]
fn models_that_reason_have_their_own_limits() {
    let world = World::new(&[("OPENAI_API_KEY", "k")]);
    let snapshot = world.sound(
        "providers:
  openai: { timeouts: { first_token: 20s, reasoning: { first_token: 200s, total: 1h } } }
routes:
  plain: openai/gpt-4o
  both: { first: [openai/o3, openai/gpt-4o], timeouts: { connect: 1s, first_token: 5s, reasoning: { first_token: 90s } } }
  one: { first: [openai/o3], timeouts: { total: 30s } }
",
    );
    let (quick, slow) = (deployment(&snapshot, "openai/gpt-4o"), deployment(&snapshot, "openai/o3"));
    assert_eq!((quick.reasons, slow.reasons), (false, true));
    let limits = |name: &str, of: &Deployment| {
        let limits = route(&snapshot, name).timeouts.of(of);
        (limits.first_token.as_secs(), limits.total.as_secs())
    };
    assert_eq!((limits("plain", &quick), limits("plain", &slow)), ((20, 900), (200, 3_600)));
    assert_eq!((limits("both", &quick), limits("both", &slow)), ((5, 900), (90, 3_600)));
    assert_eq!((limits("one", &quick), limits("one", &slow)), ((20, 30), (200, 30)));
    assert_eq!(route(&snapshot, "both").timeouts.of(&slow).connect, seconds(1));
    assert_eq!(route(&snapshot, "plain").timeouts.of(&slow).connect, seconds(5));
    let told = world.sound("providers: { openai: { reasoning: false } }");
    assert!(!deployment(&told, "openai/o3").reasons);
}

#[test]
fn what_goes_on_from_a_begun_answer_is_known_or_told() {
    let keys = [("ANTHROPIC_API_KEY", "k"), ("MISTRAL_API_KEY", "k"), ("OPENAI_API_KEY", "k")];
    let world = World::new(&keys).engine("vllm", "http://127.0.0.1:8000/v1", &["qwen"]);
    let snapshot = world.sound(
        "providers:
  ollama: {}
  llamacpp: { prefill: off }
  mine: { vendor: sglang, base_url: 'http://x/v1' }
  moon: { vendor: moonshot, keys: { env: OPENAI_API_KEY }, prefill: partial }
",
    );
    for (name, expected) in [
        ("anthropic/claude-haiku-4-5", Prefill::Message),
        ("anthropic/claude-opus-4-6", Prefill::None),
        ("mistral/mistral-large-latest", Prefill::Prefix),
        ("openai/gpt-4o", Prefill::None),
        ("vllm/qwen", Prefill::ContinueFinalMessage),
        ("mine/qwen", Prefill::ContinueFinalMessage),
        ("ollama/llama3:8b", Prefill::None),
        ("llamacpp/any", Prefill::None),
        ("moon/kimi-k3", Prefill::Partial),
    ] {
        assert_eq!(deployment(&snapshot, name).prefill, expected, "{name}");
    }
}

#[test]
fn routes_say_how_failures_are_met() {
    let snapshot = World::new(&[]).sound(
        "routes:
  r:
    first: [sim/a, sim/b]
    retry: { attempts: 3, budget: { percent: 10%, minimum_per_second: 0 } }
    hedge: { after: 2s, max_share: 1% }
    on_interrupt: restart
    tool_deltas: live
    coalesce: true
    priority: high
    fallbacks:
      context_too_long: sim/long
      content_filter: [sim/c, { balance: [sim/d, sim/e] }]
  s: { first: [sim/a], hedge: {}, on_interrupt: error, priority: low }
  t: { first: [sim/a], hedge: off, retry: { budget: {} } }
",
    );
    let r = route(&snapshot, "r");
    assert_eq!(r.retry_budget, RetryBudgetPolicy { percent: 10, minimum_per_second: 0 });
    assert_eq!(r.hedge, Some(HedgePolicy { after: HedgeAfter::Fixed(seconds(2)), max_percent: 1 }));
    assert_eq!((r.on_interrupt, r.tool_deltas), (OnInterrupt::Restart, ToolDeltas::Live));
    assert_eq!((r.coalesce, r.priority), (true, Priority::High));
    let chain = |id: Option<pointsman_routing::ChainId>| -> Vec<String> {
        let mut rng = pointsman_core::Rng::new(1);
        let deployments = snapshot.chain(id.unwrap(), &mut rng, &());
        deployments.iter().map(|deployment| deployment.name.to_string()).collect()
    };
    assert_eq!(chain(r.fallbacks.context_too_long), ["sim/long"]);
    assert_eq!(chain(r.fallbacks.content_filter), ["sim/c", "sim/d", "sim/e"]);
    assert_eq!(r.fallbacks.quota, None);
    let s = route(&snapshot, "s");
    assert_eq!(s.hedge, Some(HedgePolicy { after: HedgeAfter::Percentile(95), max_percent: 5 }));
    assert_eq!(
        (s.on_interrupt, s.priority, s.fallbacks.is_empty()),
        (OnInterrupt::Error, Priority::Low, true)
    );
    let t = route(&snapshot, "t");
    assert_eq!((t.hedge, t.retry_budget), (None, RetryBudgetPolicy::default()));
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_a_way_out() {
    let report = World::new(&[]).errors(
        "providers:
  a: { base_url: 'http://a/v1', breaker: on, ease_in: 3 }
  b: { base_url: 'http://b/v1', breaker: { shares: 1 }, prefill: yes, zone: [a] }
  c: { base_url: 'http://c/v1', models: [{ limits: {} }, { id: m, temperature: 1 }, [x]] }
routes:
  r: { first: [sim/a], hedge: { after: p100 }, fallbacks: { content_filtered: x } }
  s: { first: [sim/a], on_interrupt: retry, retry: { budget: { percent: 101% } }, priority: 1 }
  t: { first: [sim/a, { model: sim/b, hedge: off }] }
",
    );
    let expected = "\
pointsman.yaml:2:42: expected `off` or a map, found a text
pointsman.yaml:2:55: `3` is no duration
  hint: write a whole number and ms, s, m, h or d: `500ms`, `30s`
pointsman.yaml:3:44: unknown key `shares`
  hint: did you mean `share`?
pointsman.yaml:3:66: `yes` is none of off, message, prefix, partial, continue_final_message
pointsman.yaml:3:77: expected a text, found a list
pointsman.yaml:4:42: the key `id` is missing
pointsman.yaml:4:67: unknown key `temperature`
  hint: known keys are id, context_length, timeouts, breaker, limits, zone, ease_in, probe, prefill, reasoning
pointsman.yaml:4:85: expected a text, found a list
pointsman.yaml:6:40: `p100` is no percentile
  hint: write `p50` to `p99`, or a time: `2s`
pointsman.yaml:6:61: unknown key `content_filtered`
  hint: did you mean `content_filter`?
pointsman.yaml:7:38: `retry` is none of continue, restart, error
  hint: did you mean `restart`?
pointsman.yaml:7:73: `101%` is no percentage
  hint: write a whole number from 0 to 100: `5%`
pointsman.yaml:7:93: `1` is none of high, normal, low
pointsman.yaml:8:39: `hedge` is an option of the route as a whole
  hint: write it at the top of the route";
    assert_eq!(report, expected);
}

#[test]
fn what_makes_no_sense_is_told_with_its_place_and_a_way_out() {
    let report = World::new(&[]).errors(
        "providers:
  a: { base_url: 'http://a/v1', breaker: { failures: 0 }, limits: { queue: 5 } }
  b: { base_url: 'http://b/v1', limits: { concurrency: 0, queue: 999999, requests_per_minute: 0 } }
  c: { base_url: 'http://c/v1', breaker: { failures: 5000, window: 0s, share: { percent: 0, minimum: 0 } } }
  d: { base_url: 'http://d/v1', breaker: { consecutive: 0 }, probe: { every: 1ms, max_per_day: 0 } }
  e: { base_url: 'http://e/v1', models: [{ id: '' }, { id: m, timeouts: { total: 0s }, context_length: 0 }] }
routes:
  r: { first: [sim/a], hedge: { max_share: 0 }, fallbacks: { quota: [], content_filter: nowhere-to-be-found } }
  s: { first: [sim/a], hedge: { after: 0s }, timeouts: { reasoning: { total: 0s } } }
",
    );
    let expected = "\
pointsman.yaml:2:54: nothing would ever open this breaker
  hint: write `breaker: off`
pointsman.yaml:2:76: nothing waits where calls at one time are not limited
  hint: write `concurrency` as well
pointsman.yaml:3:56: must be at least 1
pointsman.yaml:3:66: must be at most 100000
pointsman.yaml:3:95: must be at least 1
pointsman.yaml:4:54: must be at most 1000
pointsman.yaml:4:68: a limit of 0 would let nothing pass
pointsman.yaml:4:90: a share of 0 is always reached
pointsman.yaml:4:102: must be at least 1
pointsman.yaml:5:57: must be at least 1
pointsman.yaml:5:78: probes are paid for: wait at least `1s` between two
pointsman.yaml:5:96: must be at least 1
pointsman.yaml:6:48: not the id of a model
pointsman.yaml:6:82: a limit of 0 would let nothing pass
pointsman.yaml:6:104: must be at least 1
pointsman.yaml:8:44: a share of 0 is `hedge: off`
pointsman.yaml:8:69: an empty list leads nowhere
  hint: leave the key out, or name at least one candidate
pointsman.yaml:8:89: no model, route or alias is named `nowhere-to-be-found`
pointsman.yaml:9:40: a time of 0 would ask two candidates from the start
pointsman.yaml:9:78: a limit of 0 would let nothing pass";
    assert_eq!(report, expected);
}
