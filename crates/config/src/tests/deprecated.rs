//! Deprecated models that the file names.

use pointsman_providers::{CatalogueEntry, Class, catalogue};

use super::World;

fn models(wanted: impl Fn(&CatalogueEntry) -> bool) -> Vec<CatalogueEntry> {
    catalogue().of("anthropic").filter(|entry| wanted(entry)).collect()
}

#[test]
fn deprecated_models_in_use_are_warnings() {
    let old = models(|entry| entry.deprecated.is_some());
    let (first, second) = (old[0].model, old[1].model);
    let new = models(|entry| entry.deprecated.is_none())[0].model;
    let snapshot = World::new(&[("ANTHROPIC_API_KEY", "k"), ("KEY", "k")]).sound(&format!(
        "providers:
  anthropic: {{}}
  listed: {{ vendor: anthropic, keys: {{ env: KEY }}, models: [{second}, {new}] }}
  own: {{ base_url: 'http://127.0.0.1:9/v1', models: [{first}] }}
routes:
  fine: anthropic/{new}
  a: {{ first: [own/{first}, anthropic/{new}, anthropic/{first}] }}
  b: {{ split: [{{ weight: 1, to: anthropic/{first} }}, {{ weight: 1, to: fine }}] }}
aliases: {{ c: anthropic/{first}, d: a }}",
    ));
    let date = |at: usize| old[at].deprecated.unwrap();
    assert_eq!(
        snapshot.warnings,
        [
            format!(
                "`anthropic/{first}` (route `a`, route `b`, alias `c`) is deprecated: \
                 off at its provider as of {}",
                date(0)
            ),
            format!("`listed/{second}` (listed) is deprecated: off at its provider as of {}", date(1)),
        ]
    );
}

#[test]
fn classes_and_what_is_only_on_offer_are_no_warnings() {
    let world = World::new(&[("ANTHROPIC_API_KEY", "k")]);
    assert!(!models(|entry| entry.class == Class::Frontier && entry.deprecated.is_some()).is_empty());
    assert_eq!(world.sound("routes: { best: class:frontier }").warnings, [""; 0]);
}
