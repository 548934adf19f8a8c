//! TLS towards clients: certificate and key from files, optional client certificates, and the place
//! where listeners find the pair that counts now. Who reads the files again is not decided here.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::pem::{self, PemError};
use super::validity::{Moment, Validity};
use crate::io::BoxedIo;

/// The ALPN name of HTTP/2 over TLS (RFC 9113, 3.2).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
/// The ALPN name of HTTP/1.1 (RFC 7301, 6).
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Where a server's identity is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFiles {
    /// PEM: the server's certificate, then those between it and the authority.
    pub cert: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
    /// PEM: authorities one of which must have signed the client's certificate. `None`: none is asked for.
    pub client_ca: Option<PathBuf>,
}

impl ServerFiles {
    /// All files, for a watch.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten()
    }
}

/// Why an identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// The certificate's file.
    #[error("{0}")]
    Cert(#[source] PemError),
    /// The key's file.
    #[error("{0}")]
    Key(#[source] PemError),
    /// The file of the clients' authorities.
    #[error("{0}")]
    ClientCa(#[source] PemError),
    /// TLS could not be set up (a build fault).
    #[error("tls: {0}")]
    Setup(#[from] rustls::Error),
}

/// A server's identity, read and checked.
#[derive(Clone)]
pub struct ServerIdentity {
    config: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    validity: Validity,
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").field("validity", &self.validity).finish_non_exhaustive()
    }
}

impl ServerIdentity {
    /// Reads the files. `http2`: whether clients may choose it.
    ///
    /// # Errors
    /// Where a file is missing or malformed, or the key is not the certificate's.
    pub fn load(files: &ServerFiles, http2: bool) -> Result<Self, ServerTlsError> {
        let chain = pem::certificates(&files.cert).map_err(ServerTlsError::Cert)?;
        let bad = |problem: &str| ServerTlsError::Cert(PemError::new(&files.cert, problem));
        let validity = chain.first().and_then(Validity::of).ok_or_else(|| bad("not an X.509 certificate"))?;
        let key = pem::private_key(&files.key).map_err(ServerTlsError::Key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = pem::authorities(path).map_err(ServerTlsError::ClientCa)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                let verifier = verifier
                    .map_err(|error| ServerTlsError::ClientCa(PemError::new(path, error.to_string())))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain.clone(), key).map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("not the key of the certificate {}", files.cert.display())
                }
                error => error.to_string(),
            };
            ServerTlsError::Key(PemError::new(&files.key, problem))
        })?;
        config.alpn_protocols = if http2 { vec![ALPN_HTTP2.to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(ALPN_HTTP1.to_vec());
        Ok(Self { config: Arc::new(config), chain, validity })
    }

    /// When the certificate may be used.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Why clients would refuse it at `now` (seconds since 1970), whatever their authorities.
    #[must_use]
    pub fn problem(&self, now: i64) -> Option<String> {
        let Validity { not_before, not_after } = self.validity;
        if now > not_after {
            return Some(format!("the certificate ran out on {}", Moment(not_after)));
        }
        (now < not_before).then(|| format!("the certificate is not valid before {}", Moment(not_before)))
    }

    /// Whether it shows clients the same certificates.
    #[must_use]
    pub fn same_certificate(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}

/// The identity that new connections get. Running ones keep theirs.
pub struct ServerTls {
    current: ArcSwap<ServerConfig>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

impl ServerTls {
    /// Begins with `identity`.
    #[must_use]
    pub fn new(identity: &ServerIdentity) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::new(identity.config.clone()) })
    }

    /// New connections get `identity` from now on.
    pub fn replace(&self, identity: &ServerIdentity) {
        self.current.store(identity.config.clone());
    }

    /// The server's side of a handshake.
    ///
    /// # Errors
    /// Where it fails.
    pub(crate) async fn accept(&self, io: BoxedIo) -> io::Result<TlsStream<BoxedIo>> {
        TlsAcceptor::from(self.current.load_full()).accept(io).await
    }
}

#[cfg(test)]
mod tests;
