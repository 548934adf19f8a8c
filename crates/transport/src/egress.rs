//! Ways out to upstreams: which authorities are trusted, and through which proxy. [`Egresses`] keeps one
//! registry of upstreams for each, so that connections of different trust are never mixed.

mod proxy;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::connect::{Connect, TcpConnect};
use crate::tls::{self, Trust};
use crate::upstream::Upstreams;

pub use proxy::{NoProxy, Proxies, Proxy, ProxyError};

/// A way out. The default trusts the system's authorities and goes directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// Who may vouch for a server.
    pub trust: Trust,
    /// Proxies on the way.
    pub proxies: Arc<Proxies>,
}

struct Known {
    egress: Egress,
    /// Held by the registry and by each of its upstreams: tells when there are none left.
    connector: Arc<dyn Connect>,
    upstreams: Arc<Upstreams>,
}

/// Upstreams by their way out. Kept across reloads.
#[derive(Default)]
pub struct Egresses(Mutex<Vec<Known>>);

impl fmt::Debug for Egresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Egresses")
    }
}

impl Egresses {
    /// The upstreams behind this way out: those from before, or a new registry.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn get(&self, egress: &Egress) -> Result<Arc<Upstreams>, rustls::Error> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|known| known.egress == *egress) {
            return Ok(same.upstreams.clone());
        }
        let tls = tls::client_config_trusting(&egress.trust)?;
        let connector: Arc<dyn Connect> = Arc::new(TcpConnect::new(tls).with_proxies(egress.proxies.clone()));
        let upstreams = Arc::new(Upstreams::new(connector.clone()));
        known.push(Known { egress: egress.clone(), connector, upstreams: upstreams.clone() });
        Ok(upstreams)
    }

    /// See [`Upstreams::close`], for all ways.
    pub async fn close(&self) {
        let all: Vec<_> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().map(|known| known.upstreams.clone()).collect()
        };
        for upstreams in all {
            upstreams.close().await;
        }
    }

    /// Closes idle connections, and forgets ways that no upstream uses.
    pub fn sweep(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| {
            known.upstreams.sweep();
            // One is ours and one the registry's.
            Arc::strong_count(&known.connector) > 2
        });
    }
}
