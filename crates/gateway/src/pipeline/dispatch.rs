//! Stage 9: attempts, one after the other, until one has something to show.
//!
//! Retry and fallback are one mechanism: [`Dispatch::open`] goes on from wherever the last attempt left
//! off. It owns all it needs, so that a response body can call it again in the middle of a stream.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use pointsman_config::{Deployment, RouteOptions, Timeouts};
use pointsman_core::record::TraceContext;
use pointsman_core::{Deadline, Operation, PublicError, Rng};
use pointsman_wire::neutral::{Losses, ToolNames};
use pointsman_wire::splice::Edits;
use tokio::time::Instant;

use crate::Gateway;
use crate::asked::Asked;
use crate::endpoints::RouteSite;
use crate::headers;
use crate::pipeline::attempt::{self, Failure, Opened};
use crate::pipeline::candidates::Candidates;
use crate::pipeline::coalesce::Leader;
use crate::pipeline::hedge;
use crate::pipeline::media::Media;
use crate::pipeline::plan::Planned;
use crate::pipeline::translate::Speech;
use crate::rescue::Continuation;
use crate::responses::Keeping;
use crate::settlement::Settlement;

/// What is sent upstream, as far as it does not depend on the candidate.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// The client's own bytes.
    pub(crate) body: Bytes,
    /// The client's headers that may go upstream.
    pub(crate) headers: HeaderMap,
    /// Those that name an account of the client's own, and go nowhere.
    pub(crate) accounts: Vec<&'static str>,
}

impl Outgoing {
    pub(crate) fn new(body: Bytes, headers: &HeaderMap) -> Self {
        let mut forwarded = HeaderMap::new();
        headers::forward(headers, &mut forwarded);
        Self { body, headers: forwarded, accounts: headers::accounts(headers) }
    }
}

/// A request on its way through its candidates.
pub(crate) struct Dispatch {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) settlement: Settlement,
    pub(crate) asked: Asked,
    pub(crate) operation: Operation,
    pub(crate) streamed: bool,
    /// Whether the client itself asked for the usage chunk.
    pub(crate) wants_usage: bool,
    pub(crate) first_edits: Option<Edits>,
    pub(crate) outgoing: Outgoing,
    pub(crate) trace: TraceContext,
    pub(crate) deadline: Deadline,
    pub(crate) rng: Rng,
    pub(crate) route: Arc<RouteOptions>,
    /// How many choices the client asked for.
    pub(crate) choices: u64,
    /// How the present candidate is spoken to.
    pub(crate) speech: Speech,
    /// What the request to it does not carry.
    pub(crate) dropped: Losses,
    /// Tools that it calls otherwise than the client does.
    pub(crate) tool_names: Option<Arc<ToolNames>>,
    /// What was fetched for candidates that do not take addresses.
    pub(crate) media: Option<Box<Media>>,
    /// What it takes to keep the answer.
    pub(crate) keeping: Option<Box<Keeping>>,
    /// Proofs and ciphers of thoughts stay here: somebody has refused them.
    pub(crate) unsealed: bool,
    /// Fields that a candidate has refused.
    pub(super) withheld: Option<Box<Withheld>>,
    /// What somebody is asked to go on with.
    pub(crate) continuation: Option<Arc<Continuation>>,
    /// Whoever waits for the same answer.
    pub(super) leader: Option<Leader>,
    pub(super) candidates: Candidates,
    /// Attempts without an answer, and candidates that the request could not be said to, in order.
    pub(super) failures: Vec<(Arc<Deployment>, Failure)>,
}

/// Fields that a candidate has refused, and that it is asked again without.
#[derive(Debug)]
pub(super) struct Withheld {
    /// The candidate's place.
    pub(super) position: usize,
    pub(super) fields: Vec<&'static str>,
}

impl Dispatch {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        settlement: Settlement,
        planned: Planned,
        outgoing: Outgoing,
    ) -> Box<Self> {
        let (operation, trace) = settlement
            .record()
            .map_or((Operation::Chat, TraceContext::default()), |record| (record.operation, record.trace));
        let deadline = Deadline::new(settlement.meter.started(), planned.total);
        if let Some(site) = RouteSite::of(&planned.route) {
            site.budget.deposit(gateway.timeline.at(settlement.meter.started()));
        }
        let asked = Asked::openai(operation);
        // Boxed here, once: it goes from stage to stage, and into the body of a stream.
        Box::new(Self {
            gateway,
            settlement,
            speech: Speech::same(asked.dialect),
            asked,
            operation,
            streamed: planned.streamed,
            wants_usage: planned.wants_usage,
            first_edits: planned.first_edits,
            outgoing,
            trace,
            deadline,
            rng: planned.rng,
            route: planned.route,
            choices: planned.choices,
            dropped: Losses::default(),
            tool_names: None,
            media: None,
            keeping: None,
            unsealed: false,
            withheld: None,
            continuation: None,
            leader: None,
            candidates: Candidates::new(planned.candidates, planned.chains),
            failures: Vec::new(),
        })
    }

    /// Makes attempts until one has an answer to show, or none is left.
    ///
    /// # Errors
    /// What the client is told: every attempt is named in it.
    pub(crate) async fn open(&mut self) -> Result<Opened, PublicError> {
        match self.attempts().await {
            Ok(opened) => Ok(opened),
            // A provider that blames the request says it best.
            Err(error) => self.kept_rejection().map(Opened::Rejected).ok_or(error),
        }
    }

    async fn attempts(&mut self) -> Result<Opened, PublicError> {
        loop {
            let deployment = self.candidate().await?;
            let attempted = match self.hedge_after(&deployment) {
                // Boxed: few routes do, and their future would make everybody's larger.
                Some(after) => Box::pin(hedge::attempt(self, &deployment, after)).await,
                None => attempt::attempt(self, &deployment).await.map_err(|failure| (deployment, failure)),
            };
            match attempted {
                Ok(opened) => return Ok(opened),
                Err((deployment, failure)) if failure.unsaid.is_some() => {
                    self.pass_over(deployment, failure)?;
                }
                Err((deployment, failure)) => {
                    if let Some(rejection) = self.go_on(deployment, failure)? {
                        return Ok(Opened::Rejected(rejection));
                    }
                }
            }
        }
    }

    /// What was opened is the answer of all who asked the same, too.
    pub(crate) fn tell_followers(&mut self, opened: &Result<Opened, PublicError>) {
        if let Some(leader) = self.leader.take() {
            leader.publish(opened);
        }
    }

    /// The attempt at the present candidate is on the record from here on. `sent` is the length of its body, in
    /// bytes; 0: not known.
    pub(crate) fn begin_attempt(&mut self, deployment: &Arc<Deployment>, sent: u64, now: Instant) {
        let pass = self.take_pass();
        self.settlement.begin_attempt(deployment, sent, now, pass);
    }

    /// The limits of a candidate on this request's route.
    pub(crate) fn timeouts(&self, deployment: &Deployment) -> Timeouts {
        self.route.timeouts.of(deployment)
    }

    /// The client's request as it came; what is sent upstream is made of `outgoing`.
    pub(crate) fn received(&self) -> &Bytes {
        self.keeping.as_ref().map_or(&self.outgoing.body, |keeping| &keeping.request)
    }

    /// The time, in seconds since the Unix epoch.
    pub(crate) fn unix_seconds(&self) -> u64 {
        let unix_us = self.gateway.clock.unix_us(self.gateway.clock.now());
        u64::try_from(unix_us / 1_000_000).unwrap_or_default()
    }

    /// Asks only candidates that may be.
    pub(crate) fn retain(&mut self, may: impl Fn(&Deployment) -> bool) {
        self.candidates.list.retain(|candidate| may(candidate));
    }

    /// The first candidate.
    pub(crate) fn first(&self) -> Option<&Arc<Deployment>> {
        self.candidates.list.first()
    }

    /// What was made for the first candidate of the plan, where this is the one.
    pub(crate) fn take_first_edits(&mut self) -> Option<Edits> {
        self.first_edits.take().filter(|_| self.candidates.at_first())
    }

    /// The accounts, when nothing is left to be done.
    pub(crate) fn into_settlement(self: Box<Self>) -> Settlement {
        self.settlement
    }
}
