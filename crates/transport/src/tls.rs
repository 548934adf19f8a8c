//! TLS: towards providers here, towards clients in [`server`], files in [`pem`].

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

pub mod pem;
pub mod probe;
pub mod server;
#[cfg(test)]
pub(crate) mod testing;
pub mod validity;

/// Who may vouch for a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The system's authorities, and Mozilla's where it has none.
    #[default]
    System,
    /// These as well.
    SystemAnd(Vec<CertificateDer<'static>>),
    /// Only these.
    Only(Vec<CertificateDer<'static>>),
}

/// The client configuration for upstreams: TLS 1.2 and 1.3, HTTP/1.1, *ring* as provider.
///
/// # Errors
/// Where the provider lacks the protocol versions (a build fault).
pub fn client_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    client_config_trusting(&Trust::System)
}

/// The same for other authorities.
///
/// # Errors
/// Where an authority is malformed.
pub fn client_config_trusting(trust: &Trust) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let own = match trust {
        Trust::System => &[][..],
        Trust::SystemAnd(own) | Trust::Only(own) => own,
    };
    if !matches!(trust, Trust::Only(_)) {
        let (added, _ignored) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    for authority in own {
        roots.add(authority.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
