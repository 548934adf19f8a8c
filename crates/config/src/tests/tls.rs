//! `server.tls`: what is refused and where, and what a reload does with a changed pair.

use std::fs;
use std::path::Path;

use pointsman_transport::Http2;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::World;

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
    for wanted in ["unknown key `cipher`", "`key` is missing", "`maybe` is none of off, tls, always"] {
        assert!(half.contains(wanted), "{wanted}: {half}");
    }
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
