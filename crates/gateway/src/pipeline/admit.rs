//! Stages 1 to 3: a request id, one snapshot, room in the queues; then who calls. No body yet.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request;
use pointsman_config::Snapshot;
use pointsman_core::record::TraceContext;
use pointsman_core::{ErrorCode, Operation, PublicError, Rng};

use crate::Gateway;
use crate::headers;
use crate::meter::Meter;
use crate::pipeline::identify::identify;
use crate::pipeline::read::BodyLimits;
use crate::settlement::Settlement;

/// When a shed client may come back.
const SHED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request that may be read.
pub(crate) struct Admitted {
    /// The world it keeps to its end.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Its accounts.
    pub(crate) settlement: Settlement,
}

/// Admits a request, or says why not: a refusal has no record, so it is counted here.
pub(crate) fn admit(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    operation: Operation,
    head: &request::Parts,
) -> Result<Admitted, PublicError> {
    try_admit(gateway, peer, operation, head).inspect_err(|error| gateway.metrics.refused(error.code))
}

fn try_admit(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    operation: Operation,
    head: &request::Parts,
) -> Result<Admitted, PublicError> {
    let now = gateway.clock.now();
    let snapshot = gateway.world.load_full();
    let principal = identify(gateway, &snapshot, peer, head)?;
    let Some(permit) = gateway.recorder.permit() else {
        let mut error =
            PublicError::new(ErrorCode::Overloaded, "too many requests are in flight; try again in a moment");
        error.retry_after = Some(SHED_RETRY_AFTER);
        return Err(error);
    };
    let unix_us = gateway.clock.unix_us(now);
    let id = gateway.ids.next(u64::try_from(unix_us / 1000).unwrap_or_default());
    let mut settlement = Settlement::open(gateway, permit, id, Meter::start(now));
    let headers::Labels { agent, session, tags } = headers::Labels::of(&head.headers);
    settlement.update(|record| {
        record.principal = principal;
        record.operation = operation;
        record.config_generation = snapshot.generation;
        record.price_version = snapshot.price_version;
        (record.agent, record.session, record.tags) = (agent, session, tags);
        record.trace = headers::trace_context(&head.headers).unwrap_or_else(|| new_trace(record.id));
    });
    Ok(Admitted { snapshot, settlement })
}

/// The limits that this snapshot sets for bodies.
pub(crate) fn body_limits(snapshot: &Snapshot) -> BodyLimits {
    let server = &snapshot.settings.server;
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    BodyLimits {
        per_request: bytes(server.max_body_bytes),
        in_flight: bytes(server.max_bytes_in_flight),
        timeout: server.body_timeout,
    }
}

/// A trace of our own where the caller has none. Drawn from the id, so that it can be told from a log.
fn new_trace(id: pointsman_core::RequestId) -> TraceContext {
    let mut rng = Rng::for_request(id);
    let trace_id = (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64() | 1);
    TraceContext { trace_id, parent_id: None, flags: 0 }
}
