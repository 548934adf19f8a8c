//! Stage 13: a request is settled once, when its guard is dropped: at the end of the answer, after an
//! error, or because the client left. [`beside`] is what two attempts at one time need.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pointsman_config::Deployment;
use pointsman_core::record::{Bodies, Joint, TraceContext};
use pointsman_core::{
    AttemptRecord, Cost, ErrorCode, Fault, Operation, Outcome, Phase, PublicError, RequestId, RequestRecord,
    Usage, UsageSource,
};
use pointsman_providers::{limits_seen, tells_limit};
use pointsman_wire::neutral::{CHARS_PER_TOKEN, Losses};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::Gateway;
use crate::budget::ByteLease;
use crate::headers;
use crate::live::Live;
use crate::meter::{Meter, micros};
use crate::pass::Pass;
use crate::passthrough::exchange::cost_is_known;
use crate::pipeline::balance::Sticky;
use crate::pipeline::exhaustion::most_useful;
use crate::recorder::RecordPermit;

mod beside;

use self::beside::Beside;

/// What stands before fields of the answer where fields of the request stand too.
const ANSWER: &str = "answer.";

/// The accounts of one request. Whoever owns it at the end settles by dropping it.
pub(crate) struct Settlement {
    gateway: Arc<Gateway>,
    record: Option<Box<RequestRecord>>,
    permit: Option<RecordPermit>,
    open: Option<OpenAttempt>,
    /// Wall time and waits.
    pub(crate) meter: Meter,
    /// The body's share of the byte budget, held as long as the body may be sent again.
    pub(crate) lease: Option<ByteLease>,
    /// Where its session is to be kept.
    pub(crate) sticky: Option<Sticky>,
    /// Attempts that have begun.
    begun: u32,
    /// What ran beside.
    beside: Option<Arc<Beside>>,
    /// These are the accounts of a single attempt beside others.
    forked: bool,
    /// The request was tried as often as it may be: if its client did so, too, load would only multiply.
    pub(crate) tried_enough: bool,
}

/// An upstream call that has not ended.
struct OpenAttempt {
    /// Its number in the request, from 0.
    number: u32,
    deployment: Arc<Deployment>,
    /// Bytes of its request's body; 0: not known.
    sent: u64,
    started: Instant,
    attempt: AttemptRecord,
    /// What it costs, where that was summed as it went.
    billed: Option<Cost>,
    /// Its place among the deployment's calls.
    pass: Option<Pass>,
}

impl Settlement {
    pub(crate) fn open(gateway: &Arc<Gateway>, permit: RecordPermit, id: RequestId, meter: Meter) -> Self {
        gateway.metrics.in_flight().fetch_add(1, Ordering::Relaxed);
        let record = Box::new(RequestRecord {
            id,
            started_unix_us: gateway.clock.unix_us(meter.started()),
            principal: Arc::default(),
            agent: None,
            session: None,
            trace: TraceContext::default(),
            tags: None,
            operation: Operation::Chat,
            streamed: false,
            requested_model: Arc::default(),
            route: None,
            attempts: SmallVec::new(),
            usage: Usage::default(),
            cost: Some(Cost::default()),
            price_version: 0,
            config_generation: 0,
            status: 0,
            outcome: Outcome::Cancelled,
            error: None,
            duration_us: 0,
            first_token_us: None,
            overhead_us: 0,
            request_bytes: 0,
            response_bytes: 0,
            simulated: false,
            dropped: None,
            bodies: None,
        });
        Self {
            gateway: gateway.clone(),
            record: Some(record),
            permit: Some(permit),
            open: None,
            meter,
            lease: None,
            sticky: None,
            begun: 0,
            beside: None,
            forked: false,
            tried_enough: false,
        }
    }

    /// Fills in the row. Until an end is declared its outcome is `Cancelled`.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut RequestRecord)) {
        if let Some(record) = &mut self.record {
            change(record);
        }
    }

    /// The row as it stands. `None` only while it is being dropped.
    pub(crate) fn record(&self) -> Option<&RequestRecord> {
        self.record.as_deref()
    }

    /// An upstream call of `deployment` begins. It is on the record also if nobody sees its end.
    pub(crate) fn begin_attempt(
        &mut self,
        deployment: &Arc<Deployment>,
        sent: u64,
        started: Instant,
        pass: Option<Pass>,
    ) {
        let attempt = AttemptRecord {
            provider: deployment.key.provider.clone(),
            model: deployment.key.model.clone(),
            outcome: Outcome::Cancelled,
            status: None,
            started_us: self.meter.elapsed_us(started),
            first_byte_us: None,
            duration_us: 0,
            usage: Usage::default(),
            cost: Some(Cost::default()),
            detail: None,
            joint: None,
        };
        let number = self.begun;
        self.begun += 1;
        let deployment = deployment.clone();
        self.open = Some(OpenAttempt { number, deployment, sent, started, attempt, billed: None, pass });
    }

    /// The attempt that is under way turned out to be one of this deployment.
    pub(crate) fn answered_by(&mut self, deployment: &Arc<Deployment>) {
        if let Some(open) = &mut self.open {
            open.deployment = deployment.clone();
            open.attempt.model = deployment.key.model.clone();
        }
    }

    /// The head of the answer is here. What it says of limits is learned.
    pub(crate) fn attempt_answered(&mut self, status: StatusCode, headers: &HeaderMap, now: Instant) {
        let Some(open) = &mut self.open else { return };
        open.attempt.status = Some(status.as_u16());
        open.attempt.first_byte_us = Some(micros(now.saturating_duration_since(open.started)));
        if let Some(pass) = &open.pass
            && headers.keys().any(|name| tells_limit(name.as_str()))
        {
            let unix_us = u64::try_from(self.gateway.clock.unix_us(now)).unwrap_or_default();
            let text = |name: &str| headers.get(name)?.to_str().ok();
            let seen = limits_seen(&text, Duration::from_micros(unix_us));
            if !seen.is_empty() {
                pass.limits_seen(&seen, self.gateway.timeline.at(now));
            }
        }
    }

    /// The length of what was sent in the attempt that is under way, in bytes; `None`: not known.
    pub(crate) fn sent_bytes(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.sent).filter(|sent| *sent > 0)
    }

    /// The answer of the attempt that is under way begins to show.
    pub(crate) fn first_token(&mut self, now: Instant) {
        let now = self.gateway.timeline.at(now);
        if let Some(pass) = self.open.as_mut().and_then(|open| open.pass.as_mut()) {
            pass.first_token(now);
        }
    }

    /// Where the attempt that is under way goes on with another one's answer.
    pub(crate) fn joined(&mut self, joint: Option<Joint>) {
        if let Some(open) = &mut self.open {
            open.attempt.joint = joint;
        }
    }

    /// The upstream call that is under way has ended.
    pub(crate) fn end_attempt(
        &mut self,
        outcome: Outcome,
        usage: Usage,
        detail: Option<Box<str>>,
        now: Instant,
    ) {
        let Some(open) = self.open.take() else { return };
        let OpenAttempt { number, deployment, sent, started, mut attempt, billed, pass } = open;
        // What was refused by status was not worked on.
        let refused = attempt.status.is_some_and(|status| status >= 400);
        let usage = match usage.source {
            UsageSource::Unknown if !refused => self.presumed(outcome, sent),
            _ => usage,
        };
        attempt.duration_us = micros(now.saturating_duration_since(started));
        attempt.outcome = outcome;
        attempt.usage = usage;
        // `None` from before its end: not to be known whatever its tokens.
        attempt.cost = attempt.cost.and_then(|_| billed.or_else(|| self.cost(&deployment, outcome, &usage)));
        attempt.detail = detail;
        if let Some(pass) = pass {
            // Of a deadline that passed while it had the smaller part of the time, it is innocent.
            let late = outcome == Outcome::Timeout(Phase::Total)
                && attempt.duration_us < self.meter.elapsed_us(now) / 2;
            let outcome = if late { Outcome::Cancelled } else { outcome };
            pass.end(outcome, (usage.total(), usage.output), self.gateway.timeline.at(now));
        }
        if let Some(sticky) = self.sticky.filter(|_| outcome == Outcome::Success) {
            sticky.keep(&self.gateway, &deployment);
        }
        if let Some(live) = self.live(&deployment) {
            live.metrics.observe(&attempt);
        }
        match self.beside.as_ref().filter(|_| self.forked) {
            Some(beside) => beside.push(number, attempt),
            None => self.enter(number, attempt),
        }
    }

    /// Puts an attempt that has ended into the row, in the order in which they began.
    fn enter(&mut self, number: u32, attempt: AttemptRecord) {
        self.update(|record| {
            record.cost = match (record.cost, attempt.cost) {
                (Some(mut sum), Some(cost)) => {
                    sum += cost;
                    Some(sum)
                }
                _ => None,
            };
            let place = record.attempts.len().min(number as usize);
            record.attempts.insert(place, attempt);
        });
    }

    /// The span that exporters tell of the attempt that is under way or comes next: what is recorded is what was
    /// sent.
    pub(crate) fn span(&self) -> u64 {
        let earlier = self.open.as_ref().map_or(self.begun, |open| open.number);
        self.record().map_or(1, |record| record.id.span(earlier.saturating_add(1)))
    }

    /// What an attempt of which no usage is known used. A provider that refused did nothing; one that was
    /// given up, or that broke off, may well bill the prompt that it had: an estimate, never a zero.
    fn presumed(&self, outcome: Outcome, sent: u64) -> Usage {
        let Some(record) = self.record().filter(|_| may_have_worked(outcome)) else {
            return Usage::default();
        };
        match record.operation {
            Operation::Chat | Operation::TextCompletion | Operation::Embeddings => Usage {
                input: if sent > 0 { sent } else { record.request_bytes }.div_ceil(CHARS_PER_TOKEN),
                source: UsageSource::Estimated,
                ..Usage::default()
            },
            _ => Usage::default(),
        }
    }

    /// What `usage` costs: nothing where there was none, unknown where no price is. Without any usage it is
    /// unknown also where a provider may have worked for something that is billed otherwise: pictures, say.
    fn cost(&self, deployment: &Deployment, outcome: Outcome, usage: &Usage) -> Option<Cost> {
        if usage.source != UsageSource::Unknown {
            let price = deployment.price.as_ref().filter(|price| price.tells(usage));
            return price.map(|price| price.cost(usage));
        }
        let billed = self.record().is_some_and(|record| match record.operation {
            // Counting is free, and a session that did not open did nothing.
            Operation::TokenCount | Operation::Realtime => false,
            operation => may_have_worked(outcome) && !cost_is_known(deployment, operation, usage),
        });
        (!billed).then(Cost::default)
    }

    /// What the attempt that is under way costs cannot be known, and so neither can the sum.
    pub(crate) fn cost_unknown(&mut self) {
        if let Some(open) = &mut self.open {
            open.attempt.cost = None;
        }
    }

    /// What the attempt that is under way costs: the sum of several answers, each at its own price.
    pub(crate) fn bill(&mut self, cost: Cost) {
        if let Some(open) = &mut self.open {
            open.billed = Some(cost);
        }
    }

    /// The gateway whose accounts these are.
    pub(crate) const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// What the gateway keeps with `deployment`.
    pub(crate) fn live<'a>(&self, deployment: &'a Deployment) -> Option<&'a Live> {
        Live::of(deployment, &self.gateway)
    }

    /// What the request to the present candidate does not carry; of earlier candidates nothing is kept.
    pub(crate) fn lost_in_request(&mut self, losses: &Losses) {
        self.update(|record| record.dropped = None);
        self.lost("", losses);
    }

    /// What the client's answer does not carry of the provider's.
    pub(crate) fn lost_in_answer(&mut self, losses: &Losses) {
        self.lost(ANSWER, losses);
    }

    fn lost(&mut self, side: &str, losses: &Losses) {
        if losses.is_empty() {
            return;
        }
        self.update(|record| {
            let mut listed = record.dropped.take().map(String::from).unwrap_or_default();
            headers::list(&mut listed, losses.iter().map(|field| format!("{side}{field}")));
            record.dropped = Some(listed.into());
        });
    }

    /// Keeps the bodies with the row.
    pub(crate) fn store_bodies(&mut self, request: Bytes, response: Bytes) {
        self.update(|record| record.bodies = Some(Box::new(Bodies { request, response })));
    }

    /// An error of ours ends it.
    pub(crate) fn refuse(&mut self, error: &PublicError, status: u16) {
        let attempts = self.record().map(|record| record.attempts.iter());
        let attempted = attempts.and_then(|attempts| most_useful(attempts.map(|attempt| attempt.outcome)));
        let outcome = match error.code.fault() {
            Fault::Client => Outcome::ClientFault,
            Fault::Upstream => attempted.unwrap_or(match error.code {
                ErrorCode::UpstreamRateLimited => Outcome::RateLimited { retry_after: error.retry_after },
                _ => Outcome::UpstreamFault,
            }),
            Fault::Gateway => Outcome::Overloaded { retry_after: error.retry_after },
        };
        self.end(outcome, status, Some(error.code));
    }

    /// The time now.
    pub(crate) fn now(&self) -> Instant {
        self.gateway.clock.now()
    }

    /// How it ended, as the client sees it.
    pub(crate) fn end(&mut self, outcome: Outcome, status: u16, error: Option<ErrorCode>) {
        self.update(|record| {
            record.outcome = outcome;
            record.status = status;
            record.error = error;
        });
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.end_attempt(Outcome::Cancelled, Usage::default(), None, self.gateway.clock.now());
            let used = self.record().and_then(|record| record.attempts.last()).map(|attempt| attempt.usage);
            self.update(|record| record.usage = used.unwrap_or_default());
        }
        if self.forked {
            return;
        }
        self.absorb();
        let Some(mut record) = self.record.take() else { return };
        let now = self.gateway.clock.now();
        record.duration_us = self.meter.elapsed_us(now);
        record.overhead_us = self.meter.overhead_us(now);
        self.gateway.metrics.observe(std::iter::empty(), &record);
        self.gateway.metrics.in_flight().fetch_sub(1, Ordering::Relaxed);
        if let Some(permit) = self.permit.take() {
            permit.send(record);
        }
    }
}

/// Whether a provider may have begun with what ended so. One that refused has not.
const fn may_have_worked(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Cancelled
            | Outcome::Reset
            | Outcome::Malformed
            | Outcome::Timeout(Phase::FirstByte | Phase::FirstToken | Phase::BetweenChunks | Phase::Total)
    )
}
