//! The open load: questions at a fixed rate, whatever becomes of the earlier ones, and every answer compared with
//! its text.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pointsman_core::{Dialect, Rng};
use pointsman_testkit::chaos::DIALECTS;
use pointsman_testkit::faults::Question;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::super::client::{Answer, Client};
use super::flap::State;

/// Requests under way; beyond, the gateway has lost them all the same.
const MAX_AT_ONCE: usize = 4_000;
/// Requests begin in groups, once in this time.
const TICK: Duration = Duration::from_millis(5);
/// Of ten requests, how many ask for a stream.
const STREAMED: u64 = 8;
/// The shortest answer in tokens, and by how many others are longer.
const SHORTEST: u64 = 8;
const LONGER: u64 = 48;

/// One request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) seed: u64,
    pub(super) started: Instant,
    /// Asked of the route that has the sick provider; else of the well one alone.
    pub(super) soaked: bool,
    pub(super) first_byte: Duration,
    pub(super) elapsed: Duration,
    pub(super) end: End,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum End {
    /// Every byte is right.
    Right,
    /// It looks whole and is not.
    Truncated(String),
    /// Anything else.
    Lost(String),
}

/// The load under way.
#[derive(Debug)]
pub(super) struct Load {
    over: Arc<AtomicBool>,
    results: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Load {
    pub(super) fn start(client: Arc<Client>, rate: u64, seed: u64, state: Arc<State>) -> Self {
        let (over, results) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let pacer = Pacer { client, rate, seed: seed << 24, state, results: Arc::clone(&results) };
        let task = tokio::spawn(pacer.run(Arc::clone(&over)));
        Self { over, results, task }
    }

    /// Begins nothing new and waits for what is under way.
    pub(super) async fn stop(self) -> Vec<Asked> {
        self.over.store(true, Ordering::Relaxed);
        // It has nothing that could fail.
        let _ = self.task.await;
        std::mem::take(&mut self.results.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Pacer {
    client: Arc<Client>,
    rate: u64,
    seed: u64,
    state: Arc<State>,
    results: Arc<Mutex<Vec<Asked>>>,
}

impl Pacer {
    async fn run(self, over: Arc<AtomicBool>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begun, mut sent, mut asking) = (Instant::now(), 0, JoinSet::new());
        while !over.load(Ordering::Relaxed) {
            ticks.tick().await;
            let due = self.rate * begun.elapsed().as_millis() as u64 / 1000;
            while sent < due {
                if asking.len() < MAX_AT_ONCE {
                    asking.spawn(self.request(sent));
                } else {
                    self.note(sent);
                }
                sent += 1;
            }
            while asking.try_join_next().is_some() {}
        }
        while asking.join_next().await.is_some() {}
    }

    /// The request with this number: everything about it is drawn from its seed.
    fn request(&self, number: u64) -> impl Future<Output = ()> + Send + use<> {
        let seed = self.seed + number;
        let mut rng = Rng::new(seed);
        let dialect: Dialect = DIALECTS[rng.below(DIALECTS.len() as u64) as usize];
        let streamed = rng.below(10) < STREAMED;
        let tokens = (SHORTEST + rng.below(LONGER)) as usize;
        // While the provider is dead, half of the load shows what answers cost without it.
        let calm = if self.state.dead.load(Ordering::Relaxed) { 2 } else { 6 };
        let soaked = !number.is_multiple_of(calm);
        let route = if soaked { "soak" } else { "calm" };
        let question = Question::new(dialect, route, streamed, seed, tokens);
        let (client, results) = (Arc::clone(&self.client), Arc::clone(&self.results));
        async move {
            let started = Instant::now();
            let answer = client.ask(&question).await;
            let (first_byte, elapsed) = answer.as_ref().map_or_else(
                |_| (started.elapsed(), started.elapsed()),
                |answer| (answer.first_byte, answer.elapsed),
            );
            let end = match answer {
                Ok(answer) => judge(&question, &answer),
                Err(error) => End::Lost(format!("no answer: {error}")),
            };
            let result = Asked { seed, started, soaked, first_byte, elapsed, end };
            results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
        }
    }

    /// A request that could not even begin.
    fn note(&self, number: u64) {
        let end = End::Lost("too many requests are under way".to_owned());
        let (seed, started) = (self.seed + number, Instant::now());
        let none = Duration::ZERO;
        let result = Asked { seed, started, soaked: true, first_byte: none, elapsed: none, end };
        self.results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
    }
}

fn judge(question: &Question, answer: &Answer) -> End {
    let right = answer.status == 200 && answer.said.text == question.expected();
    let whole = answer.said.is_whole() && answer.said.ids.len() == 1;
    let told = || {
        let Answer { status, attempts, provider, said, .. } = answer;
        let (dialect, streamed) = (question.dialect, question.streamed);
        format!("{dialect}, streamed: {streamed}, {status} by {provider:?} in {attempts} attempts: {said:?}")
    };
    match (right, whole) {
        (true, true) => End::Right,
        (false, _) if answer.said.finish.is_some() && answer.said.error.is_none() => End::Truncated(told()),
        _ => End::Lost(told()),
    }
}
