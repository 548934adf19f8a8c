//! TLS towards clients: certificate and key, optional client certificates, and the place where listeners
//! find the pair that counts now. Who reads files again, or obtains a pair ([`crate::acme`]), is not decided here.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::pem::{self, PemError};
use super::validity::{Moment, Validity};
use crate::io::BoxedIo;

/// The ALPN name of HTTP/2 over TLS (RFC 9113, 3.2).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
/// The ALPN name of HTTP/1.1 (RFC 7301, 6).
pub(crate) const ALPN_HTTP1: &[u8] = b"http/1.1";
/// The ALPN name under which an authority checks that a domain leads here (RFC 8737, 3).
pub(crate) const ALPN_CHALLENGE: &[u8] = b"acme-tls/1";

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
        let verifier = match &files.client_ca {
            None => None,
            Some(path) => {
                let roots = pem::authorities(path).map_err(ServerTlsError::ClientCa)?;
                Some(
                    verifier(roots)
                        .map_err(|error| ServerTlsError::ClientCa(PemError::new(path, error.to_string())))?,
                )
            }
        };
        let config = config(chain.clone(), key, verifier, http2)?.map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("not the key of the certificate {}", files.cert.display())
                }
                error => error.to_string(),
            };
            ServerTlsError::Key(PemError::new(&files.key, problem))
        })?;
        Ok(Self { config: Arc::new(config), chain, validity })
    }

    /// From what is in memory. `None`: the pair is not one of certificate and key.
    pub(crate) fn of(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        client_roots: &[CertificateDer<'static>],
        http2: bool,
    ) -> Option<Self> {
        let validity = chain.first().and_then(Validity::of)?;
        let verifier = match client_roots {
            [] => None,
            roots => {
                let mut store = RootCertStore::empty();
                // Checked when they were read.
                store.add_parsable_certificates(roots.iter().cloned());
                Some(verifier(store).ok()?)
            }
        };
        let config = config(chain.clone(), key, verifier, http2).ok()?.ok()?;
        Some(Self { config: Arc::new(config), chain, validity })
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
    /// Only while an authority checks that domains lead here.
    challenge: ArcSwapOption<ServerConfig>,
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
        Arc::new(Self::with(identity.config.clone()))
    }

    /// Begins without one: until [`Self::replace`], a connection is refused with the alert `access_denied`.
    ///
    /// # Errors
    /// Where TLS cannot be set up (a build fault).
    pub fn without_identity() -> Result<Arc<Self>, rustls::Error> {
        Ok(Arc::new(Self::with(nobody()?)))
    }

    fn with(config: Arc<ServerConfig>) -> Self {
        Self { current: ArcSwap::new(config), challenge: ArcSwapOption::empty() }
    }

    /// New connections get `identity` from now on.
    pub fn replace(&self, identity: &ServerIdentity) {
        self.current.store(identity.config.clone());
    }

    /// New connections are refused from now on.
    ///
    /// # Errors
    /// Where TLS cannot be set up (a build fault).
    pub(crate) fn withdraw(&self) -> Result<(), rustls::Error> {
        self.current.store(nobody()?);
        Ok(())
    }

    /// Who asks for [`ALPN_CHALLENGE`], and for nothing else, gets the certificate that `answers` holds for
    /// the name; `None`: as everybody else.
    ///
    /// # Errors
    /// Where TLS cannot be set up (a build fault).
    pub(crate) fn challenge(
        &self,
        answers: Option<Arc<dyn ResolvesServerCert>>,
    ) -> Result<(), rustls::Error> {
        let config = answers.map(|answers| {
            let mut config = builder(None)?.with_cert_resolver(answers);
            config.alpn_protocols = vec![ALPN_CHALLENGE.to_vec()];
            Ok::<_, rustls::Error>(Arc::new(config))
        });
        self.challenge.store(config.transpose()?);
        Ok(())
    }

    /// The server's side of a handshake.
    ///
    /// # Errors
    /// Where it fails, and where it was a challenge: nothing is said after that.
    pub(crate) async fn accept(&self, io: BoxedIo) -> io::Result<TlsStream<BoxedIo>> {
        match self.challenge.load_full() {
            None => TlsAcceptor::from(self.current.load_full()).accept(io).await,
            // Boxed: rare, and larger than what every connection holds.
            Some(challenge) => Box::pin(self.accept_or_prove(io, challenge)).await,
        }
    }

    async fn accept_or_prove(
        &self,
        io: BoxedIo,
        challenge: Arc<ServerConfig>,
    ) -> io::Result<TlsStream<BoxedIo>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), io).await?;
        let asked = start.client_hello().alpn().map(|names| names.eq([ALPN_CHALLENGE]));
        if asked != Some(true) {
            return start.into_stream(self.current.load_full()).await;
        }
        start.into_stream(challenge).await?.shutdown().await?;
        Err(io::Error::other("an authority checked that a domain leads here"))
    }
}

/// Has no certificate.
#[derive(Debug)]
struct Nobody;

impl ResolvesServerCert for Nobody {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

fn nobody() -> Result<Arc<ServerConfig>, rustls::Error> {
    Ok(Arc::new(builder(None)?.with_cert_resolver(Arc::new(Nobody))))
}

type Builder = rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// TLS 1.2 and 1.3.
fn builder(verifier: Option<Arc<dyn ClientCertVerifier>>) -> Result<Builder, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    })
}

fn verifier(roots: RootCertStore) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build()
}

/// The outer error is of the build, the inner one of the pair.
fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    http2: bool,
) -> Result<Result<ServerConfig, rustls::Error>, rustls::Error> {
    let config = builder(verifier)?.with_single_cert(chain, key).map(|mut config| {
        config.alpn_protocols = if http2 { vec![ALPN_HTTP2.to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(ALPN_HTTP1.to_vec());
        config
    });
    Ok(config)
}

#[cfg(test)]
mod tests;
