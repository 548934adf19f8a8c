//! `upstreams`, and `ca` and `proxy` of a provider: what is refused, and who shares connections with whom.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;

use super::World;
use crate::Snapshot;

/// A folder with two authorities, `one.pem` and `two.pem`.
fn authorities() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one.pem", "two.pem"] {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.path().join(name), authority.pem()).unwrap();
    }
    folder
}

fn same_upstream(snapshot: &Snapshot, one: &str, two: &str) -> bool {
    let upstream = |name| &snapshot.provider_named(name).unwrap().upstream;
    Arc::ptr_eq(upstream(one), upstream(two))
}

const SERVERS: &str = "providers:
  plain: { base_url: 'https://10.0.0.1/v1' }
  same: { base_url: 'https://10.0.0.1/v1' }
  own: { base_url: 'https://10.0.0.1/v1', ca: { file: DIR/one.pem } }
  own-too: { base_url: 'https://10.0.0.1/v1', ca: { file: DIR/one.pem } }
  other: { base_url: 'https://10.0.0.1/v1', ca: { file: DIR/two.pem } }
  far: { base_url: 'https://10.0.0.1/v1', proxy: 'http://proxy.test:3128' }
";

#[test]
fn connections_are_shared_only_by_those_that_go_the_same_way() {
    let folder = authorities();
    let world = World::new(&[]);
    let text = SERVERS.replace("DIR", &folder.path().display().to_string());
    let snapshot = world.sound(&text);
    assert!(same_upstream(&snapshot, "plain", "same"));
    assert!(same_upstream(&snapshot, "own", "own-too"));
    for other in ["own", "other", "far"] {
        assert!(!same_upstream(&snapshot, "plain", other), "{other}");
    }
    assert!(!same_upstream(&snapshot, "own", "other"));
    assert_eq!(snapshot.files.len(), 3);
    // A reload keeps them all; another authority in the same file is another way.
    let second = world.prepare(&text, Some(&snapshot)).unwrap();
    for name in ["plain", "own", "other", "far"] {
        let provider = |snapshot: &Snapshot| snapshot.provider_named(name).unwrap().clone();
        assert!(Arc::ptr_eq(&provider(&snapshot), &provider(&second)), "{name}");
    }
    fs::copy(folder.path().join("two.pem"), folder.path().join("one.pem")).unwrap();
    let third = world.prepare(&text, Some(&second)).unwrap();
    assert!(same_upstream(&third, "own", "other"));
}

#[test]
fn a_provider_may_differ_from_all_others() {
    let folder = authorities();
    let ca = folder.path().join("one.pem");
    let text = format!(
        "upstreams:\n  proxy: env\n  ca: {{ file: {} }}\nproviders:\n  \
         usual: {{ base_url: 'https://10.0.0.1/v1' }}\n  \
         direct: {{ base_url: 'https://10.0.0.1/v1', proxy: none }}\n  \
         secret: {{ base_url: 'https://10.0.0.1/v1', proxy: {{ env: MY_PROXY }} }}\n",
        ca.display()
    );
    let variables = [("HTTPS_PROXY", "http://proxy.test:3128"), ("MY_PROXY", "http://u:p@proxy.test:3128")];
    let snapshot = World::new(&variables).sound(&text);
    assert!(!same_upstream(&snapshot, "usual", "direct"));
    assert!(!same_upstream(&snapshot, "usual", "secret"));
    assert_eq!(snapshot.files, [ca]);
}

#[test]
fn exporters_go_the_way_of_all_until_the_next_start() {
    let folder = authorities();
    let world = World::new(&[("SECRET", "s")]);
    let text = |ca: &str| {
        let path = folder.path().join(ca);
        format!(
            "upstreams: {{ ca: {{ file: {} }}, proxy: 'http://proxy.test:3128' }}\n\
             exporters: {{ out: {{ kind: webhook, endpoint: 'https://10.0.0.1/' }} }}\n",
            path.display()
        )
    };
    let first = world.sound(&text("one.pem"));
    let egress = &first.settings.egress;
    assert!(matches!(&egress.trust, pointsman_transport::tls::Trust::SystemAnd(own) if own.len() == 1));
    assert_ne!(egress.proxies, Arc::default());
    let second = world.prepare(&text("two.pem"), Some(&first)).unwrap();
    assert_eq!(&second.settings.egress, egress);
    let told = "`upstreams (for exporters)` differs from what runs and takes effect at the next start";
    assert_eq!(second.warnings, [told]);
}

#[test]
fn http2_is_the_servers_choice_unless_a_provider_says_otherwise() {
    let text = "providers:
  usual: { base_url: 'https://10.0.0.1/v1' }
  old: { base_url: 'https://10.0.0.1/v1', http2: never }
  auto: { base_url: 'https://10.0.0.1/v1', http2: auto }
  plain: { base_url: 'http://10.0.0.1/v1' }
  known: { base_url: 'http://10.0.0.1/v1', http2: prior_knowledge }
";
    let world = World::new(&[]);
    let snapshot = world.sound(text);
    assert!(same_upstream(&snapshot, "usual", "auto"));
    assert!(!same_upstream(&snapshot, "usual", "old"));
    assert!(!same_upstream(&snapshot, "plain", "known"));
    let without = world.sound(&format!("upstreams: {{ http2: never }}\n{text}"));
    assert!(same_upstream(&without, "usual", "old"));
    assert!(!same_upstream(&without, "usual", "auto"));
}

#[test]
fn faults_of_ways_are_told_at_their_place() {
    let errors = World::new(&[("HTTP_PROXY", "socks5://x")]).errors(
        "upstreams: { proxy: env, ca: { file: none.pem } }\n\
         providers:\n  a: { base_url: 'https://a/v1', proxy: 'ftp://proxy' }\n  \
         b: { base_url: 'https://b/v1', proxy: 'http://me:hunter2@proxy' }\n  \
         c: { base_url: 'https://c/v1', proxy: { env: UNSET } }\n  \
         d: { base_url: 'http://169.254.169.254/latest' }\n  \
         e: { base_url: 'http://[::ffff:169.254.169.254]/' }\n  \
         f: { base_url: 'https://f/v1', http2: prior_knowledge }\n  \
         g: { base_url: 'https://g/v1', http2: off }\n",
    );
    for wanted in [
        "1:21: the variable HTTP_PROXY does not hold the URL of an HTTP proxy",
        "1:38: none.pem: No such file",
        "3:41: not the URL of a proxy",
        "4:41: a secret must not be written into the configuration",
        "the environment variable UNSET is not set",
        "6:18: 169.254.169.254 is not called: it is link-local",
        "7:18: ::ffff:169.254.169.254 is not called: it is link-local",
        "8:41: `prior_knowledge` is for base URLs with http://",
        "9:41: `off` is none of auto, never, prior_knowledge",
    ] {
        assert!(errors.contains(wanted), "{wanted}\n{errors}");
    }
    let errors = World::new(&[]).errors("upstreams: { http2: prior_knowledge }\n");
    assert!(errors.contains("1:21: `prior_knowledge` cannot hold for all providers"), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
}
