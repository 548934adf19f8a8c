//! Certificates from an authority (ACME, RFC 8555), obtained and renewed while the server runs.
//!
//! [`Acme`] owns the listener's [`ServerTls`]. Its [`Acme::run`] takes the certificate from the cache, or an
//! order ([`order`]) that proves with `tls-alpn-01` ([`challenge`]) that the domains lead here; then it waits
//! for the next renewal ([`schedule`]). Failures are logged and tried again; what is served goes on.

mod cache;
mod challenge;
mod client;
mod error;
mod order;
mod schedule;

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pointsman_core::Clock;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::cache::{Cache, Pair};
use self::client::Pause;
use self::error::AcmeError;
use self::order::Desk;
use self::schedule::{Backoff, renewal};
use crate::connect::TcpConnect;
use crate::egress::Egress;
use crate::guard::Network;
use crate::serve::Drain;
use crate::tls;
use crate::tls::pem::Certificate;
use crate::tls::server::{ServerIdentity, ServerTls};
use crate::tls::validity::{Moment, Validity};

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// For one order, all of it.
const ORDER_LIMIT: Duration = Duration::from_secs(5 * 60);
/// How often the time of the next renewal is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);
/// From so many seconds before its end on, a certificate that cannot be renewed is an error and not a warning.
const URGENT: i64 = 7 * 24 * 60 * 60;

/// What is wanted, of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeOptions {
    /// Names in lower case, without wildcards; at least one.
    pub domains: Vec<String>,
    /// Whom the authority may write to.
    pub email: Option<String>,
    /// Where the directory is: an `https` URL.
    pub directory: String,
    /// The way there.
    pub egress: Egress,
    /// Where keys and certificates are kept.
    pub cache: PathBuf,
    /// One of these must have signed a client's certificate. Empty: none is asked for.
    pub client_roots: Vec<Certificate>,
    /// Whether clients may choose HTTP/2.
    pub http2: bool,
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcmeState {
    /// The last second of the certificate that is served, since 1970. `None`: connections are refused.
    pub not_after: Option<i64>,
    /// Why the last attempt failed, with what to do.
    pub problem: Option<String>,
}

/// A listener's certificate, kept up to date.
pub struct Acme {
    tls: Arc<ServerTls>,
    network: Arc<dyn Network>,
    clock: Clock,
    /// Of the waits after failures.
    seed: u64,
    options: watch::Sender<Arc<AcmeOptions>>,
    state: watch::Sender<AcmeState>,
    /// As [`AcmeState::not_after`], for a metric; 0: none.
    expiry: Arc<AtomicI64>,
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acme").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

impl Acme {
    /// Does nothing until [`Self::run`]; connections are refused until then. `seed`: any number, another for
    /// every process. `expiry` follows the certificate that is served: its last second since 1970, or 0.
    ///
    /// # Errors
    /// Where TLS cannot be set up (a build fault).
    pub fn new(
        options: AcmeOptions,
        network: Arc<dyn Network>,
        clock: Clock,
        seed: u64,
        expiry: Arc<AtomicI64>,
    ) -> Result<Arc<Self>, rustls::Error> {
        Ok(Arc::new(Self {
            tls: ServerTls::without_identity()?,
            network,
            clock,
            seed,
            options: watch::Sender::new(Arc::new(options)),
            state: watch::Sender::default(),
            expiry,
        }))
    }

    /// What listeners encrypt with.
    #[must_use]
    pub const fn tls(&self) -> &Arc<ServerTls> {
        &self.tls
    }

    /// How it stands, now and later.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<AcmeState> {
        self.state.subscribe()
    }

    /// From now on `options` are wanted. What is served goes on until there is a certificate for them;
    /// whose certificates clients must show, and whether they may choose HTTP/2, changes at once.
    pub fn follow(&self, options: &AcmeOptions) {
        self.options.send_if_modified(|current| {
            let changed = **current != *options;
            if changed {
                *current = Arc::new(options.clone());
            }
            changed
        });
    }

    /// Obtains and renews until `drain` starts. To be run once.
    pub async fn run(self: Arc<Self>, drain: Drain) {
        tokio::select! {
            () = drain.wait() => {}
            _never = self.keep() => {}
        }
    }

    async fn keep(&self) -> Infallible {
        let mut options = self.options.subscribe();
        let mut served = None;
        loop {
            let wanted = options.borrow_and_update().clone();
            tokio::select! {
                // The sender is part of `self`, so this ends only with a change.
                _changed = options.changed() => {}
                never = self.keep_for(&wanted, &mut served) => return never,
            }
        }
    }

    /// Keeps a certificate for `wanted`. `served`: what is shown meanwhile.
    async fn keep_for(&self, wanted: &AcmeOptions, served: &mut Option<Pair>) -> Infallible {
        let cache = Cache::of(wanted);
        let mut due = i64::MIN;
        match cache.pair(&wanted.domains) {
            Ok(Some(pair)) => match self.serve(&pair, wanted) {
                Some(validity) => {
                    due = renewal(validity);
                    *served = Some(pair);
                    let not_after = Moment(validity.not_after).to_string();
                    tracing::info!(not_after, "the certificate in the cache is served");
                }
                None => tracing::warn!("the certificate in the cache has run out"),
            },
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the certificate in the cache cannot be used"),
        }
        if due == i64::MIN {
            // Another set of domains, say: better the old certificate than none, but on the new terms.
            let others = served.as_ref().and_then(|pair| self.serve(pair, wanted)).is_some();
            let (domains, directory) = (wanted.domains.join(", "), &wanted.directory);
            match others {
                true => tracing::info!(
                    domains,
                    directory,
                    "obtaining a certificate; the old one is served meanwhile"
                ),
                false => {
                    // What was served, if anything, has run out; it could stand for other terms.
                    let _ = self.tls.withdraw();
                    self.state.send_replace(AcmeState::default());
                    self.expiry.store(0, Ordering::Relaxed);
                    tracing::warn!(
                        domains,
                        directory,
                        "there is no certificate yet: connections are refused until the directory has issued one"
                    );
                }
            }
        }
        let mut backoff = Backoff::new(self.seed);
        loop {
            self.wait_until(due).await;
            match self.obtain(wanted, &cache).await {
                Ok((pair, validity)) => {
                    *served = Some(pair);
                    due = renewal(validity);
                    backoff.succeeded();
                    let not_after = Moment(validity.not_after).to_string();
                    tracing::info!(not_after, "new connections get the new certificate");
                }
                Err((error, asked)) => {
                    let wait = backoff.failed(error.failure(), asked);
                    self.tell(&error, wait);
                    sleep(wait).await;
                }
            }
        }
    }

    /// In steps: the wall time may be set meanwhile.
    async fn wait_until(&self, moment: i64) {
        while let Ok(seconds @ 1..) = u64::try_from(moment.saturating_sub(self.now())) {
            sleep(Duration::from_secs(seconds).min(LOOK_AGAIN)).await;
        }
    }

    /// A new certificate, served already; or why there is none, and how long the directory wants to be left
    /// alone.
    async fn obtain(
        &self,
        wanted: &AcmeOptions,
        cache: &Cache,
    ) -> Result<(Pair, Validity), (AcmeError, Option<Duration>)> {
        let pause = Pause::default();
        let ordered = timeout(ORDER_LIMIT, Box::pin(self.order(wanted, cache, pause.clone()))).await;
        let pair = ordered.unwrap_or(Err(AcmeError::Slow)).and_then(|(pair, unkept)| {
            let served = self.serve(&pair, wanted).filter(|validity| renewal(*validity) > self.now());
            let validity = served.ok_or_else(|| {
                AcmeError::Answer("the certificate is not valid now, or only for moments".into())
            })?;
            if let Some(error) = unkept {
                let hint = error.hint();
                tracing::error!(%error, hint, "the new certificate is served, but not kept: a restart orders another");
                self.blame(&error);
            }
            Ok((pair, validity))
        });
        pair.map_err(|error| (error, *pause.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn order(
        &self,
        options: &AcmeOptions,
        cache: &Cache,
        pause: Pause,
    ) -> Result<(Pair, Option<AcmeError>), AcmeError> {
        let trust = tls::client_config_trusting(&options.egress.trust);
        let trust = trust.map_err(|error| AcmeError::Setup(error.to_string()))?;
        let connector = TcpConnect::new(trust)
            .with_proxies(options.egress.proxies.clone())
            .with_network(self.network.clone());
        let desk = Desk { options, cache, connector: Arc::new(connector), pause, tls: &self.tls };
        let pair = desk.obtain().await;
        if pair.as_ref().is_err_and(AcmeError::unknown_account) {
            cache.forget_account()?;
        }
        pair
    }

    /// New connections get this pair. `None`: it is not valid now, and nothing has changed.
    fn serve(&self, pair: &Pair, options: &AcmeOptions) -> Option<Validity> {
        let (chain, key) = (pair.chain.clone(), pair.key.clone_key());
        let identity = ServerIdentity::of(chain, key, &options.client_roots, options.http2)?;
        if identity.problem(self.now()).is_some() {
            return None;
        }
        self.tls.replace(&identity);
        let not_after = Some(identity.validity().not_after);
        self.expiry.store(identity.validity().not_after, Ordering::Relaxed);
        self.state.send_replace(AcmeState { not_after, problem: None });
        Some(identity.validity())
    }

    fn tell(&self, error: &AcmeError, wait: Duration) {
        let (hint, retry_s) = (error.hint(), wait.as_secs());
        let served = self.state.borrow().not_after;
        match served {
            Some(not_after) if not_after.saturating_sub(self.now()) > URGENT => {
                tracing::warn!(%error, hint, retry_s, "the certificate could not be renewed; the old one is served");
            }
            Some(not_after) => {
                let not_after = Moment(not_after).to_string();
                tracing::error!(%error, hint, retry_s, not_after, "the certificate could not be renewed and runs out");
            }
            None => tracing::error!(%error, hint, retry_s, "no certificate: connections are refused"),
        }
        self.blame(error);
    }

    fn blame(&self, error: &AcmeError) {
        let problem = format!("{error}; hint: {}", error.hint());
        self.state.send_modify(|state| state.problem = Some(problem));
    }

    fn now(&self) -> i64 {
        self.clock.unix_us(self.clock.now()) / 1_000_000
    }
}
