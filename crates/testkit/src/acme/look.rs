//! Looking at the listener of a domain: `tls-alpn-01` as the authority does it (RFC 8737, 3).

use std::sync::Arc;

use pointsman_transport::BoxedIo;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::TlsConnector;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

const ALPN: &[u8] = b"acme-tls/1";
/// `id-pe-acmeIdentifier` (RFC 8737, 6.1).
const ACME_IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";
/// An OCTET STRING of 32 bytes.
const DIGEST_HEAD: [u8; 2] = [0x04, 0x20];

/// Connects as the authority and checks what is shown; the error says what is wrong with it.
pub(super) async fn look(io: BoxedIo, domain: &str, digest: &[u8]) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(HoldsTheKey))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let name = ServerName::try_from(domain.to_owned()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, io).await;
    let stream = stream.map_err(|error| format!("the handshake failed: {error}"))?;
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(ALPN) {
        return Err("acme-tls/1 was not agreed on".into());
    }
    match session.peer_certificates() {
        Some([certificate]) => check(certificate, domain, digest),
        _ => Err("not exactly one certificate was shown".into()),
    }
}

/// One name, and the critical extension with the digest.
fn check(certificate: &CertificateDer<'_>, domain: &str, digest: &[u8]) -> Result<(), String> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    let mut identifier = None;
    for extension in certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension() {
            names.extend(&alternatives.general_names);
        }
        if extension.oid.to_id_string() == ACME_IDENTIFIER {
            identifier = Some(extension);
        }
    }
    match names.as_slice() {
        [GeneralName::DNSName(name)] if name.eq_ignore_ascii_case(domain) => {}
        other => return Err(format!("the names are {other:?}, not {domain} alone")),
    }
    let identifier = identifier.ok_or("there is no acmeIdentifier")?;
    if !identifier.critical {
        return Err("acmeIdentifier is not critical".into());
    }
    match identifier.value.strip_prefix(&DIGEST_HEAD) {
        Some(shown) if shown == digest => Ok(()),
        _ => Err("acmeIdentifier does not hold the digest of this key authorization".into()),
    }
}

/// The certificate proves nothing but itself: its key must have signed the handshake.
#[derive(Debug)]
struct HoldsTheKey;

impl ServerCertVerifier for HoldsTheKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls13_signature(message, certificate, signed)
    }

    /// By hand: rustls refuses certificates with a critical extension that it does not know.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = |text: &str| Error::General(text.to_owned());
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| bad("not X.509"))?;
        let key = &certificate.public_key().subject_public_key.data;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
            .verify(message, signed.signature())
            .map_err(|_| bad("the handshake was signed by another key"))?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
