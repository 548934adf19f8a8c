//! The proof that a domain leads here, `tls-alpn-01` (RFC 8737): a certificate that nobody trusts, with the
//! authority's token in it, shown on the listener as long as the authority looks.

use std::collections::HashMap;
use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::error::AcmeError;
use crate::tls::server::ServerTls;

/// Bytes of SHA-256.
const DIGEST_BYTES: usize = 32;

/// Certificates by domain, in lower case.
#[derive(Debug, Default)]
pub(super) struct Proofs(HashMap<String, Arc<CertifiedKey>>);

impl Proofs {
    /// Adds the proof for `domain`; `digest`: the SHA-256 of the key authorization.
    pub(super) fn add(&mut self, domain: &str, digest: &[u8]) -> Result<(), AcmeError> {
        if digest.len() != DIGEST_BYTES {
            return Err(AcmeError::Setup("the digest of a challenge has the wrong length".into()));
        }
        let mut params = CertificateParams::new([domain.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let secret = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| AcmeError::Setup(error.to_owned()))?;
        let signer = rustls::crypto::ring::sign::any_ecdsa_type(&secret)
            .map_err(|error| AcmeError::Setup(error.to_string()))?;
        let certified = CertifiedKey::new(vec![certificate.der().clone()], signer);
        self.0.insert(domain.to_owned(), Arc::new(certified));
        Ok(())
    }

    /// Shows them until what is answered is dropped.
    pub(super) fn show(self, tls: &Arc<ServerTls>) -> Result<Shown, AcmeError> {
        tls.challenge(Some(Arc::new(self))).map_err(|error| AcmeError::Setup(error.to_string()))?;
        Ok(Shown(tls.clone()))
    }
}

impl ResolvesServerCert for Proofs {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }
}

/// Proofs on the listener. Cancelling the order that needs them takes them away as well.
pub(super) struct Shown(Arc<ServerTls>);

impl Drop for Shown {
    fn drop(&mut self) {
        // Taking away sets nothing up, so it cannot fail.
        let _ = self.0.challenge(None);
    }
}
