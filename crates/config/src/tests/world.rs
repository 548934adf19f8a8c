//! What a sound configuration becomes: discovery, names, providers, keys.

use std::time::Duration;

use http::Method;
use pointsman_core::Operation;
use pointsman_resilience::FailurePolicy;

use super::{World, candidates};
use crate::domain::ProviderSource;
use crate::{AccessLog, OnDisconnect};

#[test]
fn without_anything_the_simulated_provider_answers_any_name() {
    let snapshot = World::new(&[("HOME", "/home/me")]).sound("");
    assert!(snapshot.simulated_only());
    assert!(snapshot.keys.is_empty());
    assert_eq!(candidates(&snapshot, "gpt-4o"), ["+sim/gpt-4o"]);
    assert_eq!(candidates(&snapshot, "any/thing:at-all"), ["+sim/any/thing:at-all"]);
    let simulated = snapshot.provider_named("sim").unwrap();
    assert!(simulated.simulated());
    assert_eq!(simulated.target(Operation::Chat), "/v1/chat/completions");
    assert_eq!(snapshot.settings.data.dir.to_str(), Some("/home/me/.local/share/pointsman"));
    assert_eq!(snapshot.generation, 1);
}

#[test]
fn keys_in_the_environment_make_providers() {
    let world = World::new(&[("OPENAI_API_KEY", " sk-a \n"), ("AWS_ACCESS_KEY_ID", "AKIA")]);
    let snapshot = world.sound("");
    let names: Vec<_> = snapshot.providers.iter().map(|provider| &*provider.name).collect();
    assert_eq!(names, ["openai", "sim"]);
    let openai = &snapshot.providers[0];
    assert_eq!(openai.source, ProviderSource::Environment("OPENAI_API_KEY".into()));
    let value = openai.authorization(7).unwrap();
    assert!(value.is_sensitive());
    assert_eq!(value, "Bearer sk-a");
    assert!(!format!("{snapshot:?}").contains("sk-a"));

    assert_eq!(candidates(&snapshot, "gpt-4o"), ["openai/gpt-4o"]);
    assert_eq!(candidates(&snapshot, "openai/gpt-99"), ["+openai/gpt-99"]);
    assert_eq!(candidates(&snapshot, "sim/x"), ["+sim/x"]);
    let unknown = &candidates(&snapshot, "claude-haiku-4-5")[0];
    assert!(unknown.starts_with("error: no model, route or alias is named `claude-haiku-4-5`; closest: "));
    assert!(unknown.ends_with("; setting ANTHROPIC_API_KEY would enable it"), "{unknown}");
    assert!(candidates(&snapshot, "groq/x")[0].ends_with("setting GROQ_API_KEY would enable it"));

    let id = snapshot.resolver.deployments().position(|(_, key)| &*key.model == "gpt-4o").unwrap();
    let deployment = &snapshot.deployments[id];
    assert_eq!(deployment.model_json, "\"gpt-4o\"");
    assert!(deployment.price.as_deref().is_some_and(|price| !price.is_free()));
}

#[test]
fn discovery_can_be_turned_off_and_gives_way_to_the_file() {
    let world = World::new(&[("OPENAI_API_KEY", "sk-a"), ("MINE", "sk-b")])
        .engine("ollama", "http://127.0.0.1:11434/v1", &["llama3:8b", "nomic"])
        .engine("vllm", "http://127.0.0.1:8000/v1", &["qwen"]);
    let snapshot = world.sound("discovery: { env: false, engines: false }");
    assert!(snapshot.simulated_only());

    let snapshot = world.sound(
        "providers:
  work: { vendor: openai, keys: { env: MINE }, models: [gpt-4o], headers: { x-team: a, x-key: { env: MINE } } }
  box: { base_url: 'http://localhost:8000/v1/', local: true, region: eu, tags: fast }",
    );
    let names: Vec<_> = snapshot.providers.iter().map(|provider| &*provider.name).collect();
    assert_eq!(names, ["work", "box", "ollama", "sim"]);
    assert_eq!(candidates(&snapshot, "llama3:8b"), ["ollama/llama3:8b"]);
    assert_eq!(candidates(&snapshot, "gpt-4o"), ["work/gpt-4o"]);
    assert!(candidates(&snapshot, "work/gpt-4o-mini")[0].starts_with("error"));
    assert_eq!(candidates(&snapshot, "box/anything"), ["+box/anything"]);
    let work = snapshot.provider_named("work").unwrap();
    assert_eq!(work.headers[0].1, "a");
    assert!(work.headers[1].1.is_sensitive() && work.headers[1].1 == "sk-b");
    assert_eq!(&*work.base_url, "https://api.openai.com/v1");
    let local = snapshot.provider_named("ollama").unwrap();
    assert!(local.local && !local.open_ended && local.auth.is_empty());
}

#[test]
fn prices_are_free_known_or_unknown() {
    let world = World::new(&[("OPENAI_API_KEY", "a")]);
    let snapshot = world.sound(
        "providers:
  openai: { models: [gpt-4o, gpt-unheard-of] }
  box: { base_url: 'http://box/v1', local: true, models: [m] }
  other: { base_url: 'https://other/v1', models: [gpt-4o] }",
    );
    let price = |name: &str| {
        let deployment = snapshot.deployments.iter().find(|deployment| &*deployment.name == name).unwrap();
        deployment.price.as_deref().map(pointsman_providers::PriceList::is_free)
    };
    assert_eq!(price("openai/gpt-4o"), Some(false));
    assert_eq!(price("openai/gpt-unheard-of"), None);
    assert_eq!(price("box/m"), Some(true));
    assert_eq!(price("other/gpt-4o"), None);
    let ambiguous = &candidates(&snapshot, "gpt-4o")[0];
    assert_eq!(ambiguous, "error: `gpt-4o` is ambiguous: name one of `openai/gpt-4o`, `other/gpt-4o`");
}

#[test]
fn routes_aliases_and_options_arrive() {
    let world = World::new(&[("OPENAI_API_KEY", "a"), ("GROQ_API_KEY", "b")]);
    let snapshot = world.sound(
        "routes:
  plain: openai/gpt-4o
  fast:
    first:
      - groq/llama-x
      - split: [{ weight: 1, to: openai/gpt-4o-mini }, { weight: 3, to: { route: plain } }]
    on_disconnect: finish
    store_bodies: true
    timeouts: { total: 20s, first_token: 500ms }
    retry: { attempts: 1, total_attempts: 3, base: 100ms, cap: 1s }
aliases: { quick: fast, quicker: quick }",
    );
    let plan = candidates(&snapshot, "quicker");
    assert_eq!(plan[0], "groq/llama-x");
    assert_eq!(plan.len(), 3);
    let id = snapshot.resolver.routes().position(|name| &**name == "fast").unwrap();
    let route = snapshot.route(Some(pointsman_routing::RouteId(id as u32)));
    assert_eq!(route.on_disconnect, OnDisconnect::Finish);
    assert!(route.store_bodies);
    assert_eq!(route.retry.max_attempts_total, 3);
    let timeouts = route.timeouts.of(&snapshot.deployments[0]);
    assert_eq!(timeouts.total.as_secs(), 20);
    assert_eq!(timeouts.first_token.as_millis(), 500);
    assert_eq!(timeouts.connect, snapshot.providers[0].timeouts.connect);
    assert!(!snapshot.route(None).store_bodies);
}

#[test]
fn keys_find_their_principal_and_say_what_it_may_use() {
    let hash = |digit: u8| [digit * 17; 32];
    let snapshot = World::new(&[("OPENAI_API_KEY", "a")]).sound(
        "keys:
  - { id: a, sha256: '1111111111111111111111111111111111111111111111111111111111111111', models: [gpt-4o, gone], team: t }
  - { id: b, sha256: 2222222222222222222222222222222222222222222222222222222222222222, organisation: 12 }",
    );
    let a = snapshot.keys.find(&hash(1)).unwrap();
    assert_eq!(a.key.as_deref(), Some("a"));
    assert_eq!(a.team.as_deref(), Some("t"));
    assert!(a.may_use("gpt-4o") && a.may_use("openai/gpt-4o") && !a.may_use("openai/gpt-4o-mini"));
    let b = snapshot.keys.find(&hash(2)).unwrap();
    assert_eq!(b.organisation.as_deref(), Some("12"));
    assert!(b.may_use("anything"));
    assert!(snapshot.keys.find(&hash(3)).is_none());
    assert_eq!(snapshot.warnings, ["key `a` allows `gone`, which no model, route or alias is named"]);
}

#[test]
fn a_key_for_an_engines_model_does_not_lead_elsewhere_while_the_engine_is_off() {
    let text = "keys:
  - { id: a, sha256: '1111111111111111111111111111111111111111111111111111111111111111', models: [DeepSeek-V3] }";
    let allowed = |world: &World| {
        let snapshot = world.sound(text);
        let key = snapshot.keys.find(&[0x11; 32]).unwrap();
        let guessed = &candidates(&snapshot, "DeepSeek-V3")[0];
        (key.may_use("DeepSeek-V3"), key.may_use(guessed), guessed.clone(), snapshot.warnings)
    };
    let world = World::new(&[("TOGETHER_API_KEY", "k")]);
    let (written, resolved, guessed, warnings) = allowed(&world);
    assert_eq!((written, resolved, &*guessed), (false, false, "together/deepseek-ai/DeepSeek-V3"));
    assert_eq!(
        warnings,
        ["key `a` allows `DeepSeek-V3`, which no model, route or alias is named; \
          is `together/deepseek-ai/DeepSeek-V3` meant?"]
    );
    let world = world.engine("ollama", "http://127.0.0.1:11434/v1", &["DeepSeek-V3"]);
    let (written, resolved, found, warnings) = allowed(&world);
    assert_eq!((written, resolved, &*found), (true, true, "ollama/DeepSeek-V3"));
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn overrides_win_over_the_file_and_take_yaml() {
    let world = World::new(&[
        ("POINTSMAN__SERVER__LISTEN", "[::1]:9"),
        ("POINTSMAN__LOG", "{ access: stdout }"),
        ("POINTSMAN__PROVIDERS__MY_BOX__MODELS", "[a, b]"),
    ])
    .over("--data-dir", "data.dir", &["/tmp/x: y"]);
    let snapshot = world.sound("log: { level: debug }\nproviders: { my-box: { base_url: 'http://x/v1' } }");
    assert_eq!(snapshot.settings.server.listen, ["[::1]:9".parse().unwrap()]);
    assert_eq!(snapshot.settings.log.access, AccessLog::Stdout);
    assert_eq!(snapshot.settings.log.level, "info");
    assert_eq!(snapshot.settings.data.dir.to_str(), Some("/tmp/x: y"));
    assert_eq!(candidates(&snapshot, "b"), ["my-box/b"]);
}

#[test]
fn secrets_come_from_files_beside_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "sk-file\n").unwrap();
    let path = dir.path().join("pointsman.yaml");
    let world = World::new(&[]);
    let input = crate::Input {
        file: Some(crate::ConfigFile { path: &path, text: "providers: { openai: { keys: { file: key } } }" }),
        environment: &world.environment,
        overrides: &[],
        engines: &[],
    };
    let snapshot = crate::prepare(&input, &world.upstreams, None).unwrap();
    assert_eq!(snapshot.providers[0].authorization(0).unwrap(), "Bearer sk-file");
}

#[test]
fn wrong_keys_have_a_limit_that_can_be_set() {
    let limit = |yaml: &str| World::new(&[]).sound(yaml).settings.server.auth_failures;
    let policy = |max, seconds| FailurePolicy { max, window: Duration::from_secs(seconds) };
    assert_eq!(limit(""), policy(20, 60));
    assert_eq!(limit("server: { auth_failures: { max: 3 } }"), policy(3, 60));
    assert_eq!(limit("server: { auth_failures: { max: 0, window: 5m } }"), policy(0, 300));
    let errors = World::new(&[]).errors("server: { auth_failures: { window: 0s, limit: 3 } }");
    assert!(errors.contains("unknown key `limit`") && errors.contains("a limit of 0"), "{errors}");
}

#[test]
fn paths_are_let_through_for_keys_and_routes() {
    let hash = "1".repeat(64);
    let world = World::new(&[]);
    let text = format!(
        "providers: {{ a: {{ base_url: 'http://a/v1' }} }}
routes: {{ r: {{ model: a/m, pass_through: [{{ methods: POST, path: /v1/conversations }}] }} }}
keys:
  - id: k
    sha256: '{hash}'
    pass_through:
      - {{ provider: a, methods: [GET, DELETE], path: '/v1/vector_stores/**' }}
"
    );
    let snapshot = world.sound(&text);
    assert!(snapshot.passes_through() && !world.sound("routes: { r: sim/x }").passes_through());
    let [rule] = snapshot.key_rules.of(Some("k")) else { panic!("one rule") };
    assert_eq!((&*rule.provider, &**rule.rule.pattern()), ("a", "/v1/vector_stores/**"));
    assert!(rule.rule.matches(&Method::DELETE, "/v1/vector_stores/vs_1"));
    assert!(!rule.rule.matches(&Method::POST, "/v1/vector_stores/vs_1"));
    assert!(snapshot.key_rules.of(None).is_empty() && snapshot.key_rules.of(Some("x")).is_empty());
    assert!(snapshot.routes[0].pass_through[0].matches(&Method::POST, "/v1/conversations"));
    assert_eq!(snapshot.deployment_of("a", "x").unwrap().name.as_ref(), "a/x");
    let report = world.errors(&text.replace("provider: a", "provider: b"));
    assert!(report.contains("7:21: there is no provider `b`"), "{report}");
    let report = world.errors(&text.replace("[GET, DELETE]", "[GET, FETCH]"));
    assert!(report.contains("7:39: `FETCH` is none of GET, POST, PUT, PATCH, DELETE"), "{report}");
    let report =
        world.errors(&text.replace("[GET, DELETE]", "[]").replace("/v1/conversations", "/v1/../admin"));
    assert!(report.contains("a rule without methods lets nothing through"), "{report}");
    assert!(report.contains("`/v1/../admin` is no pattern of a path: a segment is `*`"), "{report}");
}
