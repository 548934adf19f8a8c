//! Stage 13: a request is settled once, when its guard is dropped: at the end of the answer, after an
//! error, or because the client left.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use pointsman_config::Deployment;
use pointsman_core::record::{Bodies, TraceContext};
use pointsman_core::{
    AttemptRecord, Cost, ErrorCode, Fault, Operation, Outcome, PublicError, RequestId, RequestRecord, Usage,
};
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::Gateway;
use crate::budget::ByteLease;
use crate::live::Live;
use crate::meter::Meter;
use crate::recorder::RecordPermit;

/// The accounts of one request. Whoever owns it at the end settles by dropping it.
pub(crate) struct Settlement {
    gateway: Arc<Gateway>,
    record: Option<Box<RequestRecord>>,
    permit: Option<RecordPermit>,
    /// Wall time and waits.
    pub(crate) meter: Meter,
    /// The body's share of the byte budget, held as long as the body may be sent again.
    pub(crate) lease: Option<ByteLease>,
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
            bodies: None,
        });
        Self { gateway: gateway.clone(), record: Some(record), permit: Some(permit), meter, lease: None }
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

    /// One more upstream call of `deployment` has ended.
    pub(crate) fn attempted(&mut self, deployment: &Deployment, attempt: AttemptRecord) {
        if let Some(live) = self.live(deployment) {
            live.metrics.observe(&attempt);
        }
        self.update(|record| {
            record.cost = match (record.cost, attempt.cost) {
                (Some(mut sum), Some(cost)) => {
                    sum += cost;
                    Some(sum)
                }
                _ => None,
            };
            record.attempts.push(attempt);
        });
    }

    /// What the gateway keeps with `deployment`.
    pub(crate) fn live<'a>(&self, deployment: &'a Deployment) -> Option<&'a Live> {
        Live::of(deployment, &self.gateway.metrics)
    }

    /// Keeps the bodies with the row.
    pub(crate) fn store_bodies(&mut self, request: Bytes, response: Bytes) {
        self.update(|record| record.bodies = Some(Box::new(Bodies { request, response })));
    }

    /// An error of ours ends it.
    pub(crate) fn refuse(&mut self, error: &PublicError, status: u16) {
        let attempted =
            self.record().and_then(|record| record.attempts.last()).map(|attempt| attempt.outcome);
        let outcome = match error.code.fault() {
            Fault::Client => Outcome::ClientFault,
            Fault::Upstream => attempted.unwrap_or(Outcome::UpstreamFault),
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
