//! Records for the tests of this crate.

use std::sync::Arc;

use pointsman_core::record::{Bodies, TraceContext};
use pointsman_core::{
    AttemptRecord, Cost, Money, Operation, Outcome, Principal, RequestId, RequestRecord, Usage, UsageSource,
};

/// A successful chat of one attempt.
pub(crate) fn record() -> RequestRecord {
    let usage = Usage {
        input: 1_200,
        cached_input: 200,
        output: 50,
        source: UsageSource::Reported,
        ..Usage::default()
    };
    let cost = Cost { input: Money(120_000), output: Money(30_001), ..Cost::default() };
    RequestRecord {
        id: RequestId::first_at(1_795_337_748_123),
        started_unix_us: 1_795_337_748_123_456,
        principal: Arc::new(Principal { key: Some("key-1".into()), ..Principal::default() }),
        agent: None,
        session: None,
        trace: TraceContext {
            trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
            parent_id: None,
            flags: 1,
        },
        tags: None,
        operation: Operation::Chat,
        streamed: false,
        requested_model: "smart".into(),
        route: Some("smart".into()),
        attempts: [attempt(usage, Some(cost))].into_iter().collect(),
        usage,
        cost: Some(cost),
        price_version: 3,
        config_generation: 12,
        status: 200,
        outcome: Outcome::Success,
        error: None,
        duration_us: 1_500_000,
        first_token_us: Some(900_000),
        overhead_us: 40,
        request_bytes: 1_024,
        response_bytes: 800,
        simulated: false,
        dropped: None,
        bodies: None,
    }
}

/// A successful upstream call.
pub(crate) fn attempt(usage: Usage, cost: Option<Cost>) -> AttemptRecord {
    AttemptRecord {
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        outcome: Outcome::Success,
        status: Some(200),
        started_us: 20,
        first_byte_us: Some(1_200_000),
        duration_us: 1_250_000,
        usage,
        cost,
        detail: None,
        joint: None,
    }
}

/// The record with stored bodies.
pub(crate) fn with_bodies(mut record: RequestRecord, request: &str, response: &str) -> RequestRecord {
    let (request, response) = (request.as_bytes().to_vec().into(), response.as_bytes().to_vec().into());
    record.bodies = Some(Box::new(Bodies { request, response }));
    record
}
