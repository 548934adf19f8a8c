//! `server.tls` and `server.admin_tls`: what is refused and where, and what a reload does with a changed pair.

use std::fs;
use std::path::Path;

use pointsman_transport::Http2;
use pointsman_transport::acme::AcmeOptions;
use pointsman_transport::tls::Trust;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::World;
use crate::domain::Certificate;
use crate::snapshot::Snapshot;

/// A folder with `cert.pem` and `key.pem`, valid until the end of `last_year`.
fn pair(last_year: i32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_pair(folder.path(), last_year);
    folder
}

fn write_pair(folder: &Path, last_year: i32) {
    let mut params = CertificateParams::new(vec!["gateway.test".into()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

fn yaml(folder: &Path) -> String {
    let dir = folder.display();
    format!("server:\n  tls:\n    cert: {dir}/cert.pem\n    key: {dir}/key.pem\n")
}

#[test]
fn a_pair_is_part_of_the_snapshot() {
    let folder = pair(2090);
    let snapshot = World::new(&[]).sound(&yaml(folder.path()));
    assert!(snapshot.tls.is_some());
    assert_eq!(snapshot.files, [folder.path().join("cert.pem"), folder.path().join("key.pem")]);
    assert_eq!(snapshot.warnings, Vec::<String>::new());
    assert_eq!(snapshot.settings.server.http2, Http2::Tls);
    let plain = World::new(&[]).sound("server: { http2: always }");
    assert!(plain.tls.is_none() && plain.files.is_empty());
    assert_eq!(plain.settings.server.http2, Http2::Always);
}

#[test]
fn faults_are_told_at_their_place() {
    let (one, two) = (pair(2090), pair(2090));
    let missing = World::new(&[]).errors("server:\n  tls:\n    cert: none.pem\n    key: none.key\n");
    assert!(missing.starts_with("pointsman.yaml:3:11: none.pem: No such file"), "{missing}");
    let mixed = yaml(one.path())
        .replace(&format!("key: {}", one.path().display()), &format!("key: {}", two.path().display()));
    let mixed = World::new(&[]).errors(&mixed);
    assert!(mixed.starts_with("pointsman.yaml:4:10: "), "{mixed}");
    assert!(mixed.contains("not the key of the certificate"), "{mixed}");
    let old = pair(2024);
    let expired = World::new(&[]).errors(&yaml(old.path()));
    assert!(
        expired.contains("cert.pem: the certificate ran out on 2024-12-31 00:00 UTC\n  hint: "),
        "{expired}"
    );
    let ca = format!("{}    client_ca: {}\n", yaml(one.path()), one.path().join("key.pem").display());
    let ca = World::new(&[]).errors(&ca);
    assert!(ca.starts_with("pointsman.yaml:5:16: ") && ca.contains("holds no certificate"), "{ca}");
    let half = World::new(&[]).errors("server: { tls: { cert: a.pem, cipher: x }, http2: maybe }");
    for wanted in ["unknown key `cipher`", "`maybe` is none of off, tls, always"] {
        assert!(half.contains(wanted), "{wanted}: {half}");
    }
    let half = World::new(&[]).errors("server: { tls: { cert: a.pem } }");
    assert!(half.contains("`key` is missing\n  hint: write both, or `acme`"), "{half}");
}

#[test]
fn a_bad_pair_is_refused_and_a_good_one_follows() {
    let folder = pair(2090);
    let (world, text) = (World::new(&[]), yaml(folder.path()));
    let first = world.sound(&text);
    let key = fs::read(folder.path().join("key.pem")).unwrap();
    write_pair(folder.path(), 2090);
    let renewed_key = fs::read(folder.path().join("key.pem")).unwrap();
    // Between the two writes of a renewal.
    fs::write(folder.path().join("key.pem"), key).unwrap();
    let errors = world.prepare(&text, Some(&first)).unwrap_err().to_string();
    assert!(errors.contains("not the key of the certificate"), "{errors}");
    fs::write(folder.path().join("key.pem"), renewed_key).unwrap();
    let second = world.prepare(&text, Some(&first)).unwrap();
    let (before, after) = (first.tls.unwrap(), second.tls.as_ref().unwrap());
    assert!(!before.same_certificate(after));
    write_pair(folder.path(), 2024);
    let errors = world.prepare(&text, Some(&second)).unwrap_err().to_string();
    assert!(errors.contains("ran out"), "a valid one is not replaced by one that is not: {errors}");
}

#[test]
fn what_needs_a_start_is_said() {
    let folder = pair(2090);
    let (world, text) = (World::new(&[]), yaml(folder.path()));
    let plain = world.sound("");
    let encrypted = world.prepare(&text, Some(&plain)).unwrap();
    assert_eq!(
        encrypted.warnings,
        ["`server.tls` differs from what runs and takes effect at the next start"]
    );
    assert!(encrypted.settings.server.tls.is_none(), "what runs is what is shown");
    let restarted = world.prepare(&text, None).unwrap();
    let off = world.prepare(&format!("{text}  http2: off\n"), Some(&restarted)).unwrap();
    assert_eq!(off.warnings, Vec::<String>::new(), "ALPN follows at once");
    let always = world.prepare("server: { http2: always }", Some(&plain)).unwrap();
    assert_eq!(always.warnings, ["`server.http2` differs from what runs and takes effect at the next start"]);
}

const ACME: &str = "server:\n  tls:\n    acme:\n      domains: [Gateway.Example.com, b.example.com]\n      agree_to_terms: true\n";

fn acme(snapshot: &Snapshot) -> &AcmeOptions {
    match &snapshot.settings.server.tls {
        Some(Certificate::Acme(options)) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_authority_is_asked_on_these_terms() {
    let world = World::new(&[("HOME", "/home/me")]);
    let plain = world.sound(ACME);
    let options = acme(&plain);
    assert_eq!(options.domains, ["gateway.example.com", "b.example.com"]);
    assert_eq!(options.directory, "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!(options.cache, Path::new("/home/me/.local/share/pointsman/acme"));
    assert_eq!((&options.email, options.http2), (&None, true));
    assert!(options.client_roots.is_empty() && plain.tls.is_none() && plain.files.is_empty());

    let folder = pair(2090);
    let cert = folder.path().join("cert.pem");
    let more = format!(
        "{ACME}      email: ops@example.com\n      directory: https://ca.internal/acme/directory\n      \
         ca: {{ file: {0} }}\n      cache: certs\n    client_ca: {0}\n  http2: off\n\
         upstreams: {{ proxy: 'http://proxy.test:3128' }}\n",
        cert.display(),
    );
    let full = world.sound(&more);
    let options = acme(&full);
    assert_eq!(options.email.as_deref(), Some("ops@example.com"));
    assert_eq!(
        (options.directory.as_str(), options.cache.as_path()),
        ("https://ca.internal/acme/directory", Path::new("certs"))
    );
    assert!(matches!(&options.egress.trust, Trust::Only(own) if own.len() == 1));
    assert_ne!(options.egress.proxies, std::sync::Arc::default(), "the way of all leads there as well");
    assert_eq!((options.client_roots.len(), options.http2), (1, false));
    assert_eq!(full.files, [cert.clone(), cert]);

    // A reload with other domains is followed; from one kind to the other needs a start.
    let next = world.prepare(&ACME.replace(", b.example.com", ""), Some(&plain)).unwrap();
    assert_eq!(acme(&next).domains, ["gateway.example.com"]);
    assert_eq!(next.warnings, Vec::<String>::new());
    let files = world.prepare(&yaml(folder.path()), Some(&plain)).unwrap();
    assert_eq!(files.warnings, ["`server.tls` differs from what runs and takes effect at the next start"]);
    assert!(files.tls.is_none() && acme(&files) == acme(&plain), "what runs goes on");
}

#[test]
fn terms_of_an_authority_are_checked_before_it_is_asked() {
    let folder = pair(2090);
    let world = World::new(&[]);
    let both = format!("{}    acme: {{ domains: a.test, agree_to_terms: true }}\n", yaml(folder.path()));
    let both = world.errors(&both);
    assert!(
        both.starts_with("pointsman.yaml:3:11: `server.tls` has `acme` (line 5) and files as well\n  hint: "),
        "{both}"
    );
    let errors = world.errors(
        "server:\n  tls:\n    acme:\n      domains: ['*.a.test', 10.0.0.1, 'https://a.test', a.test, A.test]\n      \
         email: ops\n      agree_to_terms: false\n      directory: http://ca.test/\n",
    );
    for wanted in [
        "4:17: `*.a.test` is a wildcard\n  hint: write each name",
        "`10.0.0.1` is no domain name",
        "`https://a.test` is no domain name",
        "`A.test` is there twice",
        "5:14: `ops` is no e-mail address",
        "6:23: the authority's terms must be agreed to\n  hint: ",
        "7:18: `http://ca.test/` is no URL of a directory\n  hint: write an https URL",
    ] {
        assert!(errors.contains(wanted), "{wanted}: {errors}");
    }
    let silent = world.errors("server: { tls: { acme: { domains: [] } } }");
    assert!(
        silent.contains("terms must be agreed to") && silent.contains("between 1 and 100 names, not 0"),
        "{silent}"
    );
    let nothing = world.errors("server: { tls: { client_ca: a.pem } }");
    assert!(nothing.contains("`cert` and `key` are missing\n  hint: write both, or `acme`"), "{nothing}");
}

#[test]
fn the_control_plane_has_a_pair_of_its_own() {
    let (data, control) = (pair(2090), pair(2090));
    let world = World::new(&[]);
    let text = yaml(data.path()) + &yaml(control.path()).replace("server:\n  tls", "  admin_tls");
    let first = world.sound(&text);
    assert!(!first.tls.as_ref().unwrap().same_certificate(first.admin_tls.as_ref().unwrap()));
    assert_eq!(first.files.len(), 4);
    assert_eq!(first.settings.server.admin_tls.as_ref().unwrap().cert, control.path().join("cert.pem"));
    write_pair(control.path(), 2090);
    let second = world.prepare(&text, Some(&first)).unwrap();
    let (before, after) = (first.admin_tls.as_ref().unwrap(), second.admin_tls.as_ref().unwrap());
    assert!(!before.same_certificate(after) && second.warnings.is_empty());

    let plain = world.prepare(&yaml(data.path()), Some(&first)).unwrap();
    assert_eq!(
        plain.warnings,
        ["`server.admin_tls` differs from what runs and takes effect at the next start"]
    );
    assert!(plain.settings.server.admin_tls.is_some(), "what runs is what is shown");
    let errors = world.errors("server: { admin_tls: { cert: none.pem, acme: {} } }");
    assert!(errors.contains("unknown key `acme`") && errors.contains("`key` is missing"), "{errors}");
}
