//! The scorecard in memory, on paused time: every row, so that none waits. `make chaos` runs the same rows over
//! sockets against the real binary. [`health`] has what takes more than one request.

mod health;

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use pointsman_core::Clock;
use pointsman_testkit::chaos::{self, ASSERTIONS, Evidence, Place, Row, Verdict};
use pointsman_testkit::faults::{FaultServer, Injector, Question, Reader, Said};
use tokio::time::{Instant, timeout};

use crate::harness::*;

/// Timers are precise to a millisecond, and every hop may add one.
const SLACK: Duration = Duration::from_millis(20);
/// Longer than any row.
const PATIENCE: Duration = Duration::from_secs(60);

/// A world with faulty providers.
struct Faulty {
    world: World,
    injectors: Vec<Injector>,
    _servers: Vec<FaultServer>,
}

impl Faulty {
    /// Providers `a`, `b` and so on at `http://a.test`, as many as `count`.
    fn start(yaml: &str, count: usize) -> Self {
        let setup = Row::environment()
            .into_iter()
            .fold(Setup::new(yaml), |setup, (name, value)| setup.env(name, value));
        let setup = setup.env("CHAOS_KEY_2", "sk-chaos-0002");
        let world = setup.start();
        let names = ["a", "b", "c", "d"].into_iter().take(count);
        let injectors: Vec<_> =
            names.clone().map(|name| Injector::new(name, Clock::starting_at(START_UNIX))).collect();
        let serve = |(name, injector): (&str, &Injector)| {
            injector.serve_memory(&world.net, &format!("{name}.test:80"))
        };
        let servers = names.zip(&injectors).map(serve).collect();
        Self { world, injectors, _servers: servers }
    }

    /// One request on a connection of its own: status and what was said.
    async fn ask(&self, question: &Question) -> (u16, Said) {
        let (status, _, said) = self.ask_for_head(question).await;
        (status, said)
    }

    /// The same with the headers.
    async fn ask_for_head(&self, question: &Question) -> (u16, http::HeaderMap, Said) {
        let body = question.body().to_string();
        let request =
            Request::post(question.path()).header("host", HOST).header("content-type", "application/json");
        let mut client = self.world.client().await;
        let response = client.head(request.body(Full::from(body)).unwrap()).await;
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut reader, mut broken) = (Vec::new(), Reader::new(question.dialect), false);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                broken = true;
                break;
            };
            let data = frame.into_data().unwrap();
            reader.push(&data);
            bytes.extend_from_slice(&data);
        }
        let streamed = question.streamed && head.status == 200;
        let said = if streamed { reader.finish(broken) } else { Said::plain(question.dialect, &bytes) };
        (head.status.as_u16(), head.headers, said)
    }
}

async fn run(row: &Row) -> Verdict {
    let url = |(place, provider): (usize, &chaos::Provider)| match provider.place {
        Place::Served => format!("http://{}.test/v1", ["a", "b", "c", "d"][place]),
        _ => "http://nobody.test/v1".to_owned(),
    };
    let urls: Vec<_> = row.providers.iter().enumerate().map(url).collect();
    let yaml = format!("providers:\n{}routes:\n{}", row.providers_yaml(0, &urls), row.route_yaml(0));
    let faulty = Faulty::start(&yaml, row.providers.len());
    for (provider, injector) in row.providers.iter().zip(&faulty.injectors) {
        provider.prepare(injector);
    }
    let started = Instant::now();
    let (status, said) = faulty.ask(&row.question(0)).await;
    let elapsed = started.elapsed();
    let mut logs = Vec::new();
    for injector in &faulty.injectors {
        logs.push(injector.wait_idle().await);
    }
    let record = faulty.world.record().await;
    faulty.world.assert_at_rest();
    row.judge(0, &Evidence { status, said, elapsed, logs, record }, SLACK)
}

/// Runs rows, and tells all that is wrong at once.
async fn hold(rows: Vec<Row>) {
    let (mut wrong, count) = (Vec::new(), rows.len());
    for row in rows {
        // In memory every name is known, and TLS is taken as done.
        if row.providers.iter().any(|provider| matches!(provider.place, Place::Unknown | Place::Tls)) {
            continue;
        }
        match timeout(PATIENCE, run(&row)).await {
            Err(_) => wrong.push(format!("{}: never ends", row.name)),
            Ok(verdict) => {
                for (what, why) in ASSERTIONS.iter().zip(verdict) {
                    wrong.extend(why.map(|why| format!("{}: {what}: {why}", row.name)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} findings in {count} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// The rows of cut streams in a dialect, for both fixed seeds: where they are cut depends on it.
async fn hold_cut(dialect: usize) {
    for seed in chaos::SEEDS {
        hold(in_dialect(chaos::rescue(seed), dialect)).await;
    }
}

fn in_dialect(rows: Vec<Row>, number: usize) -> Vec<Row> {
    rows.into_iter().filter(|row| row.question.dialect == chaos::DIALECTS[number]).collect()
}

#[tokio::test(start_paused = true)]
async fn every_fault_in_chat() {
    hold(in_dialect(chaos::faults(chaos::SEEDS[0]), 0)).await;
}

#[tokio::test(start_paused = true)]
async fn every_fault_in_responses() {
    hold(in_dialect(chaos::faults(chaos::SEEDS[0]), 1)).await;
}

#[tokio::test(start_paused = true)]
async fn every_fault_in_anthropics_dialect() {
    hold(in_dialect(chaos::faults(chaos::SEEDS[0]), 2)).await;
}

#[tokio::test(start_paused = true)]
async fn scenarios() {
    hold(chaos::scenarios(chaos::SEEDS[0])).await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_cut_in_chat() {
    hold_cut(0).await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_cut_in_responses() {
    hold_cut(1).await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_cut_in_anthropics_dialect() {
    hold_cut(2).await;
}
