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
    let named = |snapshot: &crate::Snapshot, name: &str| {
        let found = snapshot.deployments.iter().find(|deployment| &*deployment.name == name);
        Arc::clone(found.unwrap())
    };
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
