//! What a reload keeps.

use std::sync::Arc;

use pointsman_providers::simulated;

use super::World;

const BEFORE: &str = "providers:
  a: { base_url: 'http://a/v1', models: [m, n] }
  b: { base_url: 'http://b/v1', models: [m] }
";

#[test]
fn what_has_not_changed_is_the_same_object() {
    let world = World::new(&[]);
    let first = world.sound(BEFORE);
    first.deployments[0].state.get_or_init(|| 42_u32);
    let text = BEFORE.replace("'http://b/v1'", "'http://b/v1', region: eu").replace("[m, n]", "[x, m, n]");
    let second = world.prepare(&text, Some(&first)).unwrap();
    assert_eq!(second.generation, 2);
    assert!(Arc::ptr_eq(&named(&first, "a/m"), &named(&second, "a/m")));
    assert_eq!(named(&second, "a/m").state.get_or_init(|| 0_u32), Some(&42));
    assert!(!Arc::ptr_eq(&named(&first, "b/m"), &named(&second, "b/m")));
    let upstream =
        |snapshot: &crate::Snapshot, name: &str| Arc::clone(&snapshot.provider_named(name).unwrap().upstream);
    assert!(Arc::ptr_eq(&upstream(&first, "b"), &upstream(&second, "b")));
    assert!(Arc::ptr_eq(
        first.provider_named(simulated::NAME).unwrap(),
        second.provider_named(simulated::NAME).unwrap()
    ));
}

#[test]
fn what_a_reload_cannot_change_is_a_warning() {
    let world = World::new(&[]);
    let first = world.sound(BEFORE);
    let text = format!("{BEFORE}server: {{ admin: '127.0.0.1:1', max_body: 1MiB }}");
    let second = world.prepare(&text, Some(&first)).unwrap();
    assert_eq!(second.warnings, ["`server.admin` differs from what runs and takes effect at the next start"]);
    assert_eq!(second.settings.server.max_body_bytes, 1 << 20);
}

#[test]
fn dynamic_deployments_are_kept_within_a_bound() {
    let snapshot = World::new(&[]).sound("");
    let dynamic = |name: &str| match snapshot.resolver.resolve(name) {
        Ok(pointsman_routing::Resolved::Dynamic(dynamic)) => snapshot.dynamic(dynamic).unwrap(),
        _ => panic!("{name} is not dynamic"),
    };
    let first = dynamic("one");
    assert!(Arc::ptr_eq(&first, &dynamic("one")));
    for number in 0..2_000 {
        dynamic(&format!("model-{number}"));
    }
    assert!(Arc::ptr_eq(&first, &dynamic("one")));
    assert_eq!(&*dynamic("model-1999").name, "sim/model-1999");
    assert!(!Arc::ptr_eq(&dynamic("model-1999"), &dynamic("model-1999")));
    assert_eq!(snapshot.dynamic.lock().unwrap().len(), 1_024);
}

fn named(snapshot: &crate::Snapshot, name: &str) -> Arc<crate::Deployment> {
    let (provider, model) = name.split_once('/').unwrap();
    snapshot.deployment_of(provider, model).unwrap()
}

#[test]
fn health_goes_on_where_only_settings_change() {
    let world = World::new(&[("K", "one"), ("L", "two")]);
    let text = "providers: { a: { base_url: 'http://a/v1', keys: { env: K }, models: [m] } }";
    let first = world.sound(text);
    let before = named(&first, "a/m");
    before.health.get_or_init(|| 42_u32);
    before.state.get_or_init(|| 1_u8);
    for settings in [
        "timeouts: { total: 1s }",
        "timeouts: { connect: 1s }",
        "breaker: { failures: 1 }",
        "limits: { concurrency: 1 }",
        "zone: eu",
        "local: true",
        "region: eu",
        "proxy: none",
        "headers: { x-a: b }",
        "prefill: message",
        "tags: [a]",
    ] {
        let text = text.replace("models:", &format!("{settings}, models:"));
        let second = world.prepare(&text, Some(&first)).unwrap();
        let after = named(&second, "a/m");
        assert_eq!(after.health.get_or_init(|| 0_u32), Some(&42), "{settings}");
        if !settings.starts_with("proxy") {
            assert!(!Arc::ptr_eq(&before, &after), "{settings}");
            assert_eq!(after.state.get_or_init(|| 2_u8), Some(&2), "{settings}");
        }
        let third = world.prepare(&text, Some(&second)).unwrap();
        assert!(Arc::ptr_eq(&after, &named(&third, "a/m")), "{settings}: nothing changed since");
    }
}

#[test]
fn health_begins_anew_with_another_server_or_account() {
    let world = World::new(&[("K", "one"), ("L", "two")]);
    let text = "providers: { a: { base_url: 'http://a/v1', keys: { env: K }, models: [m] } }";
    let first = world.sound(text);
    named(&first, "a/m").health.get_or_init(|| 42_u32);
    for other in [
        text.replace("http://a", "http://b"),
        text.replace("env: K", "env: L"),
        text.replace("{ env: K }", "[{ env: K }, { env: L }]"),
        text.replace("models:", "kind: ollama, models:"),
    ] {
        let second = world.prepare(&other, Some(&first)).unwrap();
        assert_eq!(named(&second, "a/m").health.get_or_init(|| 0_u32), Some(&0), "{other}");
    }
}

#[test]
fn health_goes_on_for_models_that_no_list_holds() {
    let world = World::new(&[]);
    let text = "providers: { a: { base_url: 'http://a/v1' } }";
    let first = world.sound(text);
    let (one, two) = (named(&first, "a/one"), named(&first, "a/two"));
    one.health.get_or_init(|| 1_u32);
    two.health.get_or_init(|| 2_u32);

    let same = world.prepare(text, Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&one, &named(&same, "a/one")));
    let listed = world.prepare(&format!("{text}\nroutes: {{ r: a/one }}"), Some(&same)).unwrap();
    assert!(named(&listed, "a/one").listed && !one.listed);
    let changed = text.replace("v1'", "v1', breaker: off");
    let changed = world.prepare(&changed, Some(&listed)).unwrap();
    for (name, expected) in [("a/one", 1), ("a/two", 2)] {
        assert_eq!(named(&changed, name).health.get_or_init(|| 0_u32), Some(&expected), "{name}");
        assert!(named(&changed, name).endpoint.breaker.is_off() && !named(&changed, name).listed, "{name}");
    }
    let gone = world.prepare("providers: { b: { base_url: 'http://a/v1' } }", Some(&changed)).unwrap();
    assert_eq!(gone.dynamic.lock().unwrap().len(), 0);
}

#[test]
fn made_up_models_beyond_the_bound_are_well_or_ill_together() {
    let world = World::new(&[]);
    let text = "providers: { a: { base_url: 'http://a/v1' } }";
    let first = world.sound(text);
    for number in 0..1_100 {
        named(&first, &format!("a/model-{number}"));
    }
    named(&first, "a/x").health.get_or_init(|| 7_u32);
    assert_eq!(named(&first, "a/y").health.get_or_init(|| 0_u32), Some(&7));
    assert_eq!(named(&first, "a/model-0").health.get_or_init(|| 0_u32), Some(&0));
    let second = world.prepare(&text.replace("v1'", "v1', zone: b"), Some(&first)).unwrap();
    assert_eq!(second.dynamic.lock().unwrap().len(), 0, "room for those that are really asked for");
    assert!(Arc::ptr_eq(
        &second.provider_named("a").unwrap().others,
        &first.provider_named("a").unwrap().others
    ));
}

#[test]
fn a_routes_state_is_handed_on_by_its_name() {
    let world = World::new(&[]);
    let first = world.sound("routes: { r: sim/a, s: sim/b }");
    first.routes[0].state.get_or_init(|| 5_u32);
    first.no_route.state.get_or_init(|| 6_u32);
    let second =
        world.prepare("routes: { new: sim/c, r: { first: [sim/b], coalesce: true } }", Some(&first)).unwrap();
    let state = |name: &str| {
        let route = second.routes.iter().find(|route| &*route.name == name).unwrap();
        route.state.get_or_init(|| 0_u32).copied()
    };
    assert_eq!((state("r"), state("new")), (Some(5), Some(0)));
    assert_eq!(second.no_route.state.get_or_init(|| 0_u32), Some(&6));
}
