//! What both listeners encrypt with, from files or from an authority, and how a reload changes it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pointsman_config::Snapshot;
use pointsman_config::domain::Certificate;
use pointsman_core::Clock;
use pointsman_telemetry::Metrics;
use pointsman_transport::acme::Acme;
use pointsman_transport::guard::SystemNetwork;
use pointsman_transport::tls::server::{ServerIdentity, ServerTls};
use pointsman_transport::tls::validity::Moment;

use crate::failure::Failure;

/// The listeners, as metrics and the log name them.
const API: &str = "api";
const ADMIN: &str = "admin";

/// Of each listener, if it encrypts.
pub(super) struct Encryption {
    data: Option<Arc<ServerTls>>,
    admin: Option<Arc<ServerTls>>,
    /// Who obtains the data plane's certificate.
    acme: Option<Arc<Acme>>,
    metrics: Arc<Metrics>,
}

impl Encryption {
    /// As `snapshot` has it. A certificate that is to be obtained is not there yet.
    pub(super) fn new(snapshot: &Snapshot, metrics: Arc<Metrics>) -> Result<Self, Failure> {
        let acme = match &snapshot.settings.server.tls {
            Some(Certificate::Acme(options)) => {
                // Spreads out the attempts of many servers; where there is no randomness, they are not.
                let seed = getrandom::u64().unwrap_or_default();
                let (network, expiry) = (Arc::new(SystemNetwork), metrics.certificate_expiry(API));
                let acme = Acme::new(options.clone(), network, Clock::system(), seed, expiry);
                Some(acme.map_err(|error| Failure::new(format!("cannot set up TLS: {error}")))?)
            }
            Some(Certificate::Files(_)) | None => None,
        };
        let data = match &acme {
            Some(acme) => Some(acme.tls().clone()),
            None => snapshot.tls.as_ref().map(ServerTls::new),
        };
        let admin = snapshot.admin_tls.as_ref().map(ServerTls::new);
        let encryption = Self { data, admin, acme, metrics };
        encryption.count(API, snapshot.tls.as_ref());
        encryption.count(ADMIN, snapshot.admin_tls.as_ref());
        Ok(encryption)
    }

    /// Of the data plane.
    pub(super) const fn data(&self) -> Option<&Arc<ServerTls>> {
        self.data.as_ref()
    }

    /// Of the control plane.
    pub(super) const fn admin(&self) -> Option<&Arc<ServerTls>> {
        self.admin.as_ref()
    }

    /// To be run beside the listeners.
    pub(super) const fn acme(&self) -> Option<&Arc<Acme>> {
        self.acme.as_ref()
    }

    /// Why there is no new certificate, where one is due.
    pub(super) fn problem(&self) -> Option<String> {
        self.acme.as_ref()?.state().borrow().problem.clone()
    }

    /// New connections get what `next` says; running ones keep what they have.
    pub(super) fn follow(&self, next: &Snapshot, previous: &Snapshot) {
        match (&self.acme, &next.settings.server.tls) {
            (Some(acme), Some(Certificate::Acme(options))) => acme.follow(options),
            (Some(_), _) => {}
            (None, _) => self.replace(API, self.data.as_ref(), next.tls.as_ref(), previous.tls.as_ref()),
        }
        let (now, before) = (next.admin_tls.as_ref(), previous.admin_tls.as_ref());
        self.replace(ADMIN, self.admin.as_ref(), now, before);
    }

    fn replace(
        &self,
        listener: &'static str,
        tls: Option<&Arc<ServerTls>>,
        next: Option<&ServerIdentity>,
        previous: Option<&ServerIdentity>,
    ) {
        let (Some(tls), Some(next)) = (tls, next) else { return };
        tls.replace(next);
        self.count(listener, Some(next));
        if !previous.is_some_and(|previous| previous.same_certificate(next)) {
            let not_after = Moment(next.validity().not_after).to_string();
            tracing::info!(listener, not_after, "new connections get the new certificate");
        }
    }

    fn count(&self, listener: &'static str, identity: Option<&ServerIdentity>) {
        if let Some(identity) = identity {
            let expiry = self.metrics.certificate_expiry(listener);
            expiry.store(identity.validity().not_after, Ordering::Relaxed);
        }
    }
}
