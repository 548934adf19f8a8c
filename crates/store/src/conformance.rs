//! What every record store has to do, as checks that any pair of sink and reader can be put through.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use pointsman_core::record::{Bodies, Joined, Joint, TraceContext};
use pointsman_core::store::{
    CostBy, CostRow, RecordFilter, RecordReader, RecordSink, RecordSummary, StoreError,
};
use pointsman_core::{
    AttemptRecord, Cost, ErrorCode, Money, Operation, Outcome, Phase, Principal, RequestId, RequestRecord,
    Usage, UsageSource,
};

/// 2026-11-22T00:00:00Z in Unix milliseconds: when the records of [`record`] begin.
pub const START_MS: u64 = 1_795_305_600_000;

type Case<S, R> = fn(&mut S, &mut R) -> Result<(), StoreError>;

/// Runs every case on a fresh store and answers how many there were.
///
/// # Errors
/// Where the store fails; a store that answers wrongly makes an assertion panic.
pub fn run<S: RecordSink, R: RecordReader>(mut fresh: impl FnMut() -> (S, R)) -> Result<usize, StoreError> {
    let cases: [Case<S, R>; 12] = [
        an_empty_store_answers,
        lists_newest_first_in_pages,
        summaries_hold_what_was_written,
        filters_narrow_the_list,
        an_id_is_kept_once_and_the_first_wins,
        late_records_find_their_place,
        costs_add_up_in_every_grouping,
        what_has_no_price_is_counted_apart,
        what_is_estimated_is_told,
        absurd_amounts_stop_at_the_largest,
        a_record_comes_back_whole,
        attempts_come_newest_first,
    ];
    for case in cases {
        let (mut sink, mut reader) = fresh();
        case(&mut sink, &mut reader)?;
    }
    Ok(cases.len())
}

/// A successful request number `n` (from 1), `n` minutes after [`START_MS`], with one attempt.
#[must_use]
pub fn record(n: u64) -> RequestRecord {
    let usage = Usage {
        input: 1_000 + n,
        cached_input: 200,
        output: 50,
        source: UsageSource::Reported,
        ..Usage::default()
    };
    let cost = Cost { input: Money(120_000), output: Money(30_000 + n as i64), ..Cost::default() };
    let started_ms = START_MS + n * 60_000;
    RequestRecord {
        id: RequestId::first_at(started_ms),
        started_unix_us: started_ms as i64 * 1_000,
        principal: Arc::new(Principal {
            key: Some("key-1".into()),
            organisation: Some("org".into()),
            project: Some("project".into()),
            team: Some("team".into()),
            user: Some("ana".into()),
            models: None,
        }),
        agent: Some("agent".into()),
        session: Some("session".into()),
        trace: TraceContext { trace_id: u128::from(n) << 64 | 7, parent_id: Some(u64::MAX), flags: 1 },
        tags: Some("team=core,stage=test".into()),
        operation: Operation::Chat,
        streamed: false,
        requested_model: "smart".into(),
        route: Some("smart".into()),
        attempts: [attempt("openai", "gpt-4o-mini", usage, Some(cost))].into_iter().collect(),
        usage,
        cost: Some(cost),
        price_version: 3,
        config_generation: 12,
        status: 200,
        outcome: Outcome::Success,
        error: None,
        duration_us: 1_500,
        first_token_us: Some(900),
        overhead_us: 40,
        request_bytes: 1_024,
        response_bytes: 800,
        simulated: false,
        dropped: Some("seed,answer.logprobs".into()),
        bodies: None,
    }
}

/// A successful attempt.
#[must_use]
pub fn attempt(provider: &str, model: &str, usage: Usage, cost: Option<Cost>) -> AttemptRecord {
    AttemptRecord {
        provider: provider.into(),
        model: model.into(),
        outcome: Outcome::Success,
        status: Some(200),
        started_us: 20,
        first_byte_us: Some(1_200),
        duration_us: 1_450,
        usage,
        cost,
        detail: None,
        joint: None,
    }
}

/// A request that no upstream saw.
fn unknown_model(n: u64) -> RequestRecord {
    RequestRecord {
        principal: Arc::default(),
        requested_model: "nonesuch".into(),
        route: None,
        attempts: [].into_iter().collect(),
        usage: Usage::default(),
        cost: Some(Cost::default()),
        status: 404,
        outcome: Outcome::ClientFault,
        error: Some(ErrorCode::ModelNotFound),
        first_token_us: None,
        ..record(n)
    }
}

/// A request whose first candidate timed out and whose second, without a price, answered.
fn fell_back(n: u64) -> RequestRecord {
    let mut fell_back = RequestRecord { cost: None, requested_model: "openai/o1".into(), ..record(n) };
    let mut first = attempt("openai", "o1", Usage::default(), Some(Cost::default()));
    first.outcome = Outcome::Timeout(Phase::FirstByte);
    first.status = None;
    first.first_byte_us = None;
    first.detail = Some("no answer within 30 s".into());
    let second = attempt("local", "llama3:8b", fell_back.usage, None);
    fell_back.attempts = [first, second].into_iter().collect();
    let body = Bytes::from_static(b"{}");
    fell_back.bodies = Some(Box::new(Bodies { request: body.clone(), response: body }));
    fell_back
}

fn write<S: RecordSink>(
    sink: &mut S,
    records: impl IntoIterator<Item = RequestRecord>,
) -> Result<(), StoreError> {
    let batch: Vec<Box<RequestRecord>> = records.into_iter().map(Box::new).collect();
    sink.write(&batch)
}

fn all() -> RecordFilter {
    RecordFilter { limit: 1_000, ..RecordFilter::default() }
}

fn ids(rows: &[RecordSummary]) -> Vec<RequestId> {
    rows.iter().map(|row| row.id).collect()
}

fn an_empty_store_answers<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    sink.write(&[])?;
    assert_eq!(reader.list(&all())?, []);
    for by in CostBy::ALL {
        assert_eq!(reader.cost(by, None, None)?, []);
    }
    Ok(())
}

fn lists_newest_first_in_pages<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    write(sink, (1..=10).map(record))?;
    let mut filter = RecordFilter { limit: 4, ..RecordFilter::default() };
    let mut seen = Vec::new();
    let mut pages = Vec::new();
    loop {
        let page = ids(&reader.list(&filter)?);
        pages.push(page.len());
        filter.before = page.last().copied();
        seen.extend(page);
        if pages.last() == Some(&0) {
            break;
        }
    }
    assert_eq!(pages, [4, 4, 2, 0]);
    assert_eq!(seen, (1..=10).rev().map(|n| record(n).id).collect::<Vec<_>>());
    Ok(())
}

fn summaries_hold_what_was_written<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    write(sink, [record(1), unknown_model(2), fell_back(3)])?;
    let plain = RecordSummary {
        id: record(1).id,
        started_unix_us: record(1).started_unix_us,
        requested_model: "smart".to_owned(),
        route: Some("smart".to_owned()),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o-mini".to_owned()),
        key: Some("key-1".to_owned()),
        status: 200,
        outcome: "success".to_owned(),
        attempts: 1,
        input_tokens: 1_001,
        output_tokens: 50,
        usage_source: "reported".to_owned(),
        cost: Some(Money(150_001)),
        estimated: false,
        duration_us: 1_500,
        first_token_us: Some(900),
        overhead_us: 40,
        simulated: false,
    };
    let nowhere = RecordSummary {
        id: record(2).id,
        started_unix_us: record(2).started_unix_us,
        requested_model: "nonesuch".to_owned(),
        route: None,
        provider: None,
        model: None,
        key: None,
        status: 404,
        outcome: "client_fault".to_owned(),
        attempts: 0,
        input_tokens: 0,
        output_tokens: 0,
        usage_source: "unknown".to_owned(),
        cost: Some(Money::ZERO),
        first_token_us: None,
        ..plain.clone()
    };
    let rescued = RecordSummary {
        id: record(3).id,
        started_unix_us: record(3).started_unix_us,
        requested_model: "openai/o1".to_owned(),
        provider: Some("local".to_owned()),
        model: Some("llama3:8b".to_owned()),
        attempts: 2,
        input_tokens: 1_003,
        cost: None,
        ..plain.clone()
    };
    assert_eq!(reader.list(&all())?, [rescued, nowhere, plain]);
    Ok(())
}

fn filters_narrow_the_list<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    write(sink, [record(1), unknown_model(2), fell_back(3), record(4)])?;
    let id = |n| record(n).id;
    let model = |name: &str| RecordFilter { model: Some(name.to_owned()), ..all() };
    let cases = [
        (RecordFilter { since: Some(id(3)), ..all() }, vec![id(4), id(3)]),
        (RecordFilter { since: Some(id(2)), before: Some(id(4)), ..all() }, vec![id(3), id(2)]),
        (RecordFilter { failed: true, ..all() }, vec![id(2)]),
        (RecordFilter { key: Some("key-1".to_owned()), ..all() }, vec![id(4), id(3), id(1)]),
        (RecordFilter { key: Some("key-2".to_owned()), ..all() }, vec![]),
        (model("smart"), vec![id(4), id(1)]),
        (model("nonesuch"), vec![id(2)]),
        (model("gpt-4o-mini"), vec![id(4), id(1)]),
        (model("openai/o1"), vec![id(3)]),
        (model("local/llama3:8b"), vec![id(3)]),
        (RecordFilter { route: Some("smart".to_owned()), ..all() }, vec![id(4), id(3), id(1)]),
        (RecordFilter { route: Some("other".to_owned()), ..all() }, vec![]),
        (RecordFilter { status: Some(404), ..all() }, vec![id(2)]),
        (RecordFilter { outcome: Some("success".to_owned()), ..all() }, vec![id(4), id(3), id(1)]),
        (RecordFilter { min_cost: Some(Money(150_002)), ..all() }, vec![id(4)]),
        (RecordFilter { min_cost: Some(Money(0)), ..all() }, vec![id(4), id(2), id(1)]),
        (RecordFilter { limit: 0, ..all() }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&reader.list(&filter)?), expected, "{filter:?}");
    }
    Ok(())
}

fn an_id_is_kept_once_and_the_first_wins<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    let other = |n| RequestRecord { status: 500, ..fell_back(n) };
    write(sink, [record(1), other(1), record(2)])?;
    write(sink, [other(2), record(3), other(1)])?;
    let rows = reader.list(&all())?;
    assert_eq!(ids(&rows), [record(3).id, record(2).id, record(1).id]);
    assert!(rows.iter().all(|row| row.status == 200 && row.attempts == 1));
    let models = reader.cost(CostBy::Model, None, None)?;
    assert_eq!(
        models.iter().map(|sum| (&*sum.group, sum.requests)).collect::<Vec<_>>(),
        [("openai/gpt-4o-mini", 3)]
    );
    Ok(())
}

fn late_records_find_their_place<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    write(sink, [record(5), record(2)])?;
    write(sink, [record(4), record(1)])?;
    assert_eq!(ids(&reader.list(&all())?), [5, 4, 2, 1].map(|n| record(n).id));
    Ok(())
}

fn costs_add_up_in_every_grouping<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    let dear = |n| {
        let mut dear = record(n);
        dear.principal = Arc::new(Principal { key: Some("key-2".into()), ..Principal::default() });
        let cost = Cost { output: Money(5_000_000), ..Cost::default() };
        dear.cost = Some(cost);
        dear.attempts = [attempt("anthropic", "claude", dear.usage, Some(cost))].into_iter().collect();
        dear
    };
    // The last one is of the next day.
    write(sink, [record(1), record(2), unknown_model(3), dear(4), dear(24 * 60 + 5)])?;
    let sums = |rows: Vec<CostRow>| -> Vec<(String, u64, i64)> {
        rows.into_iter().map(|row| (row.group, row.requests, row.cost.nanos())).collect()
    };
    let expect = |rows: &[(&str, u64, i64)]| -> Vec<(String, u64, i64)> {
        rows.iter().map(|&(group, requests, cost)| (group.to_owned(), requests, cost)).collect()
    };
    assert_eq!(sums(reader.cost(CostBy::Total, None, None)?), expect(&[("total", 5, 10_300_003)]));
    assert_eq!(
        sums(reader.cost(CostBy::Model, None, None)?),
        expect(&[
            ("anthropic/claude", 2, 10_000_000),
            ("openai/gpt-4o-mini", 2, 300_003),
            ("(no model)", 1, 0),
        ])
    );
    assert_eq!(
        sums(reader.cost(CostBy::Key, None, None)?),
        expect(&[("key-2", 2, 10_000_000), ("key-1", 2, 300_003), ("(no key)", 1, 0),])
    );
    assert_eq!(
        sums(reader.cost(CostBy::Day, None, None)?),
        expect(&[("2026-11-23", 1, 5_000_000), ("2026-11-22", 4, 5_300_003),])
    );
    for (by, name) in [(CostBy::Project, "project"), (CostBy::Team, "team")] {
        let none = format!("(no {name})");
        let expected = expect(&[(&*none, 3, 10_000_000), (name, 2, 300_003)]);
        assert_eq!(sums(reader.cost(by, None, None)?), expected);
    }
    let (from, to) = (Some(record(4).id), Some(record(24 * 60).id));
    assert_eq!(sums(reader.cost(CostBy::Total, from, None)?), expect(&[("total", 2, 10_000_000)]));
    assert_eq!(sums(reader.cost(CostBy::Total, from, to)?), expect(&[("total", 1, 5_000_000)]));
    assert_eq!(sums(reader.cost(CostBy::Model, from, to)?), expect(&[("anthropic/claude", 1, 5_000_000)]));
    let tokens: BTreeMap<_, _> = CostBy::ALL
        .into_iter()
        .map(|by| {
            let rows = reader.cost(by, None, None)?;
            let input: u64 = rows.iter().map(|row| row.input_tokens).sum();
            let output: u64 = rows.iter().map(|row| row.output_tokens).sum();
            Ok(((input, output), ()))
        })
        .collect::<Result<_, StoreError>>()?;
    assert_eq!(tokens.into_keys().collect::<Vec<_>>(), [(5_452, 200)]);
    Ok(())
}

fn what_has_no_price_is_counted_apart<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    // A refused request may come without a cost; it is not unpriced: nothing was bought.
    write(sink, [record(1), fell_back(2), RequestRecord { cost: None, ..unknown_model(3) }])?;
    for by in CostBy::ALL {
        let rows = reader.cost(by, None, None)?;
        assert_eq!(rows.iter().map(|row| row.unpriced).sum::<u64>(), 1, "{by:?}");
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), 3, "{by:?}");
        assert_eq!(rows.iter().map(|row| row.cost).sum::<Money>(), Money(150_001), "{by:?}");
    }
    let models = reader.cost(CostBy::Model, None, None)?;
    let unpriced: Vec<_> = models.iter().filter(|row| row.unpriced > 0).map(|row| &*row.group).collect();
    assert_eq!(unpriced, ["local/llama3:8b"]);
    Ok(())
}

fn what_is_estimated_is_told<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    let mut estimated = record(2);
    estimated.usage.source = UsageSource::Estimated;
    estimated.attempts[0].usage.source = UsageSource::Estimated;
    // The answer's tokens are the provider's own, but those of the attempt before were counted.
    let mut rescued = fell_back(3);
    rescued.attempts[0].usage.source = UsageSource::Counted;
    write(sink, [record(1), estimated, rescued])?;
    let told: Vec<_> =
        reader.list(&all())?.into_iter().map(|row| (row.usage_source, row.estimated)).collect();
    let expected = [("reported", true), ("estimated", true), ("reported", false)];
    assert_eq!(told, expected.map(|(source, estimated)| (source.to_owned(), estimated)));
    for by in CostBy::ALL {
        let rows = reader.cost(by, None, None)?;
        assert_eq!(rows.iter().map(|row| row.estimated).sum::<u64>(), 2, "{by:?}");
    }
    let models = reader.cost(CostBy::Model, None, None)?;
    let names: Vec<_> = models.iter().filter(|row| row.estimated > 0).map(|row| &*row.group).collect();
    assert_eq!(names, ["openai/gpt-4o-mini", "openai/o1"]);
    Ok(())
}

fn absurd_amounts_stop_at_the_largest<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    let absurd = |n| {
        let mut absurd = record(n);
        let usage = Usage { input: i64::MAX as u64, ..absurd.usage };
        let cost = Cost { input: Money(i64::MAX), output: Money(i64::MAX), ..Cost::default() };
        (absurd.usage, absurd.cost) = (usage, Some(cost));
        absurd.attempts = [attempt("openai", "gpt-4o-mini", usage, Some(cost))].into_iter().collect();
        absurd
    };
    write(sink, [absurd(1), absurd(2), record(3)])?;
    assert_eq!(reader.list(&all())?[2].cost, Some(Money(i64::MAX)));
    for by in CostBy::ALL {
        let rows = reader.cost(by, None, None)?;
        let sums: Vec<_> = rows.iter().map(|row| (row.cost, row.input_tokens, row.output_tokens)).collect();
        assert_eq!(sums, [(Money(i64::MAX), i64::MAX as u64, 150)], "{by:?}");
    }
    Ok(())
}

fn a_record_comes_back_whole<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    let waited = Outcome::RateLimited { retry_after: Some(std::time::Duration::from_millis(1_500)) };
    let mut limited = RequestRecord { outcome: Outcome::Timeout(Phase::Total), ..fell_back(4) };
    for attempt in &mut limited.attempts {
        attempt.outcome = waited;
    }
    let mut rescued = fell_back(6);
    for (attempt, how) in rescued.attempts.iter_mut().zip(Joined::ALL) {
        attempt.joint = Some(Joint { at_chars: 120, dropped_chars: 9, how });
    }
    let records = [record(1), unknown_model(2), fell_back(3), rescued];
    write(sink, records.clone())?;
    for expected in records {
        let found = reader.get(expected.id)?;
        assert_eq!(found.map(|found| format!("{found:?}")), Some(format!("{expected:?}")));
    }
    write(sink, [limited.clone()])?;
    let found = reader.get(limited.id)?;
    assert_eq!(found.map(|found| format!("{:?}", found.attempts)), Some(format!("{:?}", limited.attempts)));
    assert!(reader.get(record(5).id)?.is_none());
    Ok(())
}

fn attempts_come_newest_first<S: RecordSink, R: RecordReader>(
    sink: &mut S,
    reader: &mut R,
) -> Result<(), StoreError> {
    write(sink, [record(1), unknown_model(2), fell_back(3)])?;
    let samples = reader.attempts(RequestId::from_i64(0), 10)?;
    let told: Vec<_> = samples.iter().map(|s| (s.request, &*s.model, &*s.outcome, s.status)).collect();
    assert_eq!(
        told,
        [
            (record(3).id, "llama3:8b", "success", Some(200)),
            (record(3).id, "o1", "timeout", None),
            (record(1).id, "gpt-4o-mini", "success", Some(200)),
        ]
    );
    assert_eq!((samples[2].first_byte_us, samples[2].duration_us), (Some(1_200), 1_450));
    assert_eq!(reader.attempts(record(3).id, 10)?.len(), 2);
    assert_eq!(reader.attempts(RequestId::from_i64(0), 1)?.len(), 1);
    Ok(())
}
