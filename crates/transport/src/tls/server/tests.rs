//! Identities from files: what is accepted, and what is said of each fault.

use std::fs;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use super::*;
use crate::tls::testing::Authority;

const NOW: i64 = 1_795_305_600;

fn fault(files: &ServerFiles) -> String {
    let text = ServerIdentity::load(files, true).unwrap_err().to_string();
    assert!(!text.contains("-----BEGIN"), "no content of files: {text}");
    text
}

/// One exchange through a new connection: the server's first certificate, or why there is none.
async fn meet(tls: &ServerTls, client: Arc<rustls::ClientConfig>) -> Result<Vec<u8>, io::Error> {
    let (near, far) = duplex(64 * 1024);
    let server = async {
        let mut stream = tls.accept(Box::new(far)).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await
    };
    let client = async {
        let name = ServerName::try_from("gateway.test").unwrap();
        let mut stream = TlsConnector::from(client).connect(name, near).await?;
        // With TLS 1.3 a refused client certificate shows when the client first reads.
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        assert_eq!(text, "hello");
        Ok(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec())
    };
    tokio::join!(server, client).1
}

#[test]
fn a_pair_is_loaded_and_its_dates_are_known() {
    let authority = Authority::new();
    let identity = ServerIdentity::load(&authority.sign("good", "gateway.test", 2030), true).unwrap();
    assert_eq!(identity.problem(NOW), None);
    assert_eq!(identity.validity().not_before, 1_577_836_800);
    let early = identity.problem(0).unwrap();
    assert_eq!(early, "the certificate is not valid before 2020-01-01 00:00 UTC");
    let old = ServerIdentity::load(&authority.sign("old", "gateway.test", 2024), true).unwrap();
    assert_eq!(old.problem(NOW).unwrap(), "the certificate ran out on 2024-12-31 00:00 UTC");
    assert!(!identity.same_certificate(&old));
}

#[test]
fn every_fault_names_its_file() {
    let authority = Authority::new();
    let (one, two) =
        (authority.sign("one", "gateway.test", 2030), authority.sign("two", "gateway.test", 2030));
    let mixed = ServerFiles { key: two.key.clone(), ..one.clone() };
    assert_eq!(
        fault(&mixed),
        format!("{}: not the key of the certificate {}", two.key.display(), one.cert.display())
    );
    let swapped = ServerFiles { cert: one.key.clone(), ..one.clone() };
    assert!(fault(&swapped).ends_with("one.key: holds no certificate in PEM format"));
    let swapped = ServerFiles { key: one.cert.clone(), ..one.clone() };
    assert!(fault(&swapped).ends_with("one.pem: holds no private key in PEM format (unencrypted)"));
    let missing = ServerFiles { cert: authority.folder().join("none.pem"), ..one.clone() };
    assert!(fault(&missing).contains("none.pem: No such file"));
    let folder = ServerFiles { key: authority.folder().to_owned(), ..one.clone() };
    assert!(fault(&folder).ends_with("not a regular file"));
    let no_ca = ServerFiles { client_ca: Some(one.key.clone()), ..one.clone() };
    assert!(matches!(ServerIdentity::load(&no_ca, true), Err(ServerTlsError::ClientCa(_))));

    let garbage = authority.folder().join("garbage.pem");
    fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(
        fault(&ServerFiles { cert: garbage.clone(), ..one.clone() }).ends_with("not an X.509 certificate")
    );
    fs::write(&garbage, "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n").unwrap();
    assert!(fault(&ServerFiles { cert: garbage, ..one }).contains("not PEM"));
}

#[tokio::test]
async fn a_replaced_identity_is_for_new_connections() {
    let authority = Authority::new();
    let first = ServerIdentity::load(&authority.sign("a", "gateway.test", 2090), true).unwrap();
    let second = ServerIdentity::load(&authority.sign("b", "gateway.test", 2090), true).unwrap();
    let tls = ServerTls::new(&first);
    let client = authority.client(None, &[]);
    assert_eq!(meet(&tls, client.clone()).await.unwrap(), first.chain[0].to_vec());
    tls.replace(&second);
    assert_eq!(meet(&tls, client).await.unwrap(), second.chain[0].to_vec());
}

#[tokio::test]
async fn clients_that_must_show_a_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let files = authority.sign("server", "gateway.test", 2090);
    let files = ServerFiles { client_ca: Some(authority.file()), ..files };
    let tls = ServerTls::new(&ServerIdentity::load(&files, false).unwrap());
    let known = authority.sign("client", "client.test", 2090);
    assert!(meet(&tls, authority.client(Some(&known), &[])).await.is_ok());
    let without = meet(&tls, authority.client(None, &[])).await.unwrap_err().to_string();
    assert!(without.contains("CertificateRequired"), "{without}");
    let unknown = stranger.sign("client", "client.test", 2090);
    let refused = meet(&tls, authority.client(Some(&unknown), &[])).await.unwrap_err().to_string();
    assert!(refused.contains("UnknownCA") || refused.contains("DecryptError"), "{refused}");
    let expired = authority.sign("late", "client.test", 2021);
    let refused = meet(&tls, authority.client(Some(&expired), &[])).await.unwrap_err().to_string();
    assert!(refused.contains("CertificateExpired"), "{refused}");
}
