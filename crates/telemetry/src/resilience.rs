//! What is done so that requests come through: candidates passed over, waits, retries, hedges, shared answers,
//! probes. How deployments are doing is not counted but asked, at each scrape.

use std::fmt;
use std::fmt::Error;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::deployment::{DeploymentMetrics, MAX_DEPLOYMENTS};
use crate::exposition::{count, count_used, counters, labels};
use crate::metrics::Series;
use crate::names;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            pub(crate) const WORDS: [&'static str; [$($word),+].len()] = [$($word),+];

            /// The word used in metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }
    };
}

words! {
    /// Why a candidate was not asked.
    PassedOver {
        /// Its breaker is open.
        Open = "open",
        /// A limit of requests or tokens is reached.
        Ceiling = "ceiling",
        /// It has as many calls as it may.
        Busy = "busy",
        /// None of its keys is accepted.
        Keys = "keys",
    }
}
words! {
    /// What became of a request that would wait for a deployment.
    Waited {
        /// It was its turn.
        Admitted = "admitted",
        /// There was no room in the line.
        Full = "full",
        /// It took too long.
        Late = "late",
        /// Somebody more urgent took its place, or the deployment fell sick.
        Away = "away",
    }
}
words! {
    /// What became of a second attempt beside one that was late.
    Hedged {
        /// Its answer was the one that was shown.
        Won = "won",
        /// The first one came before it.
        Lost = "lost",
        /// It failed.
        Failed = "failed",
        /// The share of requests that may be asked twice was used up.
        Denied = "denied",
    }
}
words! {
    /// What a call of our own to a sick deployment found.
    Probed {
        /// It is well again.
        Well = "well",
        /// It is not.
        Sick = "sick",
    }
}

words! {
    /// What became of a stream that broke off after something of it was shown.
    Rescued {
        /// Somebody went on behind its text.
        Continued = "continued",
        /// Somebody answered from the beginning: nothing that counts had been shown.
        Restarted = "restarted",
        /// Nobody did: the client was told.
        Failed = "failed",
    }
}

/// Counters of the whole program.
#[derive(Debug, Default)]
pub struct ResilienceCounters {
    retries: AtomicU64,
    waited: [AtomicU64; Waited::WORDS.len()],
    hedged: [AtomicU64; Hedged::WORDS.len()],
    coalesced: AtomicU64,
    probed: [AtomicU64; Probed::WORDS.len()],
    rescued: [AtomicU64; Rescued::WORDS.len()],
}

impl ResilienceCounters {
    /// A candidate is asked again after a pause.
    pub fn retried(&self) {
        add(&self.retries);
    }

    /// A request waited in line, or would have.
    pub fn waited(&self, what: Waited) {
        add(&self.waited[what as usize]);
    }

    /// A second attempt ended, or was not allowed.
    pub fn hedged(&self, what: Hedged) {
        add(&self.hedged[what as usize]);
    }

    /// A request was given another one's answer.
    pub fn coalesced(&self) {
        add(&self.coalesced);
    }

    /// A call of our own ended.
    pub fn probed(&self, what: Probed) {
        add(&self.probed[what as usize]);
    }

    /// A stream broke off that somebody else could have gone on with.
    pub fn rescued(&self, what: Rescued) {
        add(&self.rescued[what as usize]);
    }
}

impl DeploymentMetrics {
    /// It was not asked although it was its turn.
    pub fn passed_over(&self, why: PassedOver) {
        add(&self.passed_over[why as usize]);
    }
}

/// How a deployment is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSample {
    /// The provider's configured name.
    pub provider: Arc<str>,
    /// The upstream model id.
    pub model: Arc<str>,
    /// Of its breaker: 0 closed, 1 half open, 2 open.
    pub breaker: u8,
    /// Calls that have not ended.
    pub in_flight: u32,
    /// Requests that wait for it.
    pub waiting: u64,
}

type Ask = Box<dyn Fn() -> Vec<EndpointSample> + Send + Sync>;

type Reading = fn(&EndpointSample) -> u64;

/// Who knows how the deployments are doing.
#[derive(Default)]
pub(crate) struct EndpointSource(OnceLock<Ask>);

impl EndpointSource {
    /// The first call counts.
    pub(crate) fn set(&self, ask: Ask) {
        let _ = self.0.set(ask);
    }
}

impl fmt::Debug for EndpointSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointSource")
    }
}

impl Series {
    pub(crate) fn encode_resilience(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let own = &self.resilience;
        let mut family = counters(encoder, names::RETRIES, "Candidates that were asked again after a pause")?;
        plain(&mut family, &own.retries)?;
        let mut family =
            counters(encoder, names::COALESCED, "Requests that were given another one's answer")?;
        plain(&mut family, &own.coalesced)?;
        let results: [(_, _, &[&str], &[AtomicU64]); 4] = [
            (names::WAITS, "Requests that would wait for a deployment", &Waited::WORDS, &own.waited),
            (names::HEDGES, "Second attempts beside late ones", &Hedged::WORDS, &own.hedged),
            (names::PROBES, "Calls of our own to sick deployments", &Probed::WORDS, &own.probed),
            (names::RESCUES, "Streams that broke off when they were shown", &Rescued::WORDS, &own.rescued),
        ];
        for (name, help, words, counts) in results {
            let mut family = counters(encoder, name, help)?;
            for (word, number) in words.iter().zip(counts) {
                count(&mut family, &[(names::RESULT, word)], number)?;
            }
        }
        let mut family =
            counters(encoder, names::PASSED_OVER, "Candidates that were not asked in their turn")?;
        for deployment in &self.deployments.all() {
            for (why, number) in PassedOver::WORDS.iter().zip(&deployment.passed_over) {
                let [provider, model] = labels(deployment);
                count_used(&mut family, &[provider, model, (names::REASON, why)], number)?;
            }
        }
        self.encode_endpoints(encoder)
    }

    fn encode_endpoints(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut samples = self.endpoints.0.get().map(|ask| ask()).unwrap_or_default();
        samples.truncate(MAX_DEPLOYMENTS);
        let gauges: [(_, _, Reading); 3] = [
            (names::BREAKER_STATE, "Breakers: 0 closed, 1 half open, 2 open", |s| s.breaker.into()),
            (names::ENDPOINT_IN_FLIGHT, "Upstream calls that have not ended", |s| s.in_flight.into()),
            (names::ENDPOINT_WAITING, "Requests that wait for a deployment", |s| s.waiting),
        ];
        for (name, help, value) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for sample in &samples {
                let labels = [(names::PROVIDER, &*sample.provider), (names::MODEL, &*sample.model)];
                let value = i64::try_from(value(sample)).unwrap_or(i64::MAX);
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}

fn plain(family: &mut MetricEncoder<'_>, counter: &AtomicU64) -> Result<(), Error> {
    family.encode_counter::<NoLabelSet, _, u64>(&counter.load(Ordering::Relaxed), None)
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
