//! The load generator: closed loop, open loop, and streams.
//!
//! A [`Load`] runs until it is told to stop and lets its last requests finish; whoever started it
//! decides which part of it is measured, with [`Stats::take`].

pub mod request;
mod stats;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

pub use self::request::Shape;
pub use self::stats::{Stats, Taken};
use self::worker::Worker;
use crate::clock::now_ns;

/// How requests follow each other.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// Each connection sends its next request as soon as its last answer is complete.
    Closed {
        /// Connections.
        connections: usize,
    },
    /// Requests begin at a fixed rate, whatever becomes of the earlier ones; latency counts from the
    /// moment at which a request was due, so that a stall is not hidden (coordinated omission).
    Open {
        /// Requests a second.
        rate: u64,
        /// Connections, and so the most requests at one time.
        connections: usize,
    },
    /// As closed, but the connections begin one after the other over this time, so that the chunks of
    /// their streams are spread evenly; each sends `rounds` requests.
    Streams {
        /// Connections.
        connections: usize,
        /// Over which the starts are spread.
        spread: Duration,
        /// Requests of each connection.
        rounds: u64,
    },
}

/// Load on its way.
#[derive(Debug)]
pub struct Load {
    /// What it measures.
    pub stats: Arc<Stats>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

/// The clock of an open loop: requests begin in groups, once in this time.
const TICK: Duration = Duration::from_millis(1);

impl Load {
    /// Starts load on `target`.
    #[must_use]
    pub fn start(target: SocketAddr, shape: &Arc<Shape>, mode: Mode) -> Self {
        let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
        let worker = |seed| Worker::new(target, Arc::clone(shape), Arc::clone(&stats), seed);
        let mut tasks = JoinSet::new();
        match mode {
            Mode::Closed { connections } => {
                for seed in 0..connections {
                    tasks.spawn(closed(worker(seed), Arc::clone(&stop), Instant::now(), u64::MAX));
                }
            }
            Mode::Streams { connections, spread, rounds } => {
                for seed in 0..connections {
                    let start = Instant::now() + spread.mul_f64(seed as f64 / connections as f64);
                    tasks.spawn(closed(worker(seed), Arc::clone(&stop), start, rounds));
                }
            }
            Mode::Open { rate, connections } => {
                let (due, queue) = async_queue();
                for seed in 0..connections {
                    tasks.spawn(open(worker(seed), Arc::clone(&queue)));
                }
                tasks.spawn(pace(rate, due, Arc::clone(&stats), Arc::clone(&stop)));
            }
        }
        Self { stats, stop, tasks }
    }

    /// Waits until the load has ended by itself.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Begins nothing new and waits for what is under way.
    pub async fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.ended().await;
    }
}

type Queue = Arc<tokio::sync::Mutex<mpsc::Receiver<u64>>>;

/// Requests that are due and wait for a connection. Beyond so many the rate is hopeless, and each further
/// one is an error.
const MAX_DUE: usize = 100_000;

/// Moments at which requests are due.
fn async_queue() -> (mpsc::Sender<u64>, Queue) {
    let (sender, receiver) = mpsc::channel(MAX_DUE);
    (sender, Arc::new(tokio::sync::Mutex::new(receiver)))
}

async fn closed(mut worker: Worker, stop: Arc<AtomicBool>, start: Instant, rounds: u64) {
    sleep_until(start).await;
    let mut round = 0;
    while round < rounds && !stop.load(Ordering::Relaxed) {
        worker.exchange(now_ns()).await;
        round += 1;
    }
}

async fn open(mut worker: Worker, queue: Queue) {
    loop {
        let due = queue.lock().await.recv().await;
        let Some(due) = due else { return };
        worker.exchange(due).await;
    }
}

async fn pace(rate: u64, due: mpsc::Sender<u64>, stats: Arc<Stats>, stop: Arc<AtomicBool>) {
    let (start, start_ns) = (Instant::now() + TICK, now_ns() + TICK.as_nanos() as u64);
    let mut ticks = interval_at(start, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut tick, mut sent) = (0u64, 0u64);
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        tick += 1;
        let target = rate * tick / 1000;
        let moment = start_ns + (tick - 1) * TICK.as_nanos() as u64;
        while sent < target {
            if due.try_send(moment).is_err() {
                stats.fail("more requests are due than the server can ever answer");
            }
            sent += 1;
        }
    }
}

/// Errors of a load in words: none, or the first.
///
/// # Errors
/// Where any request failed.
pub fn no_errors(what: &str, taken: &Taken) -> io::Result<()> {
    match &taken.first_error {
        None => Ok(()),
        Some(first) => Err(io::Error::other(format!("{what}: {} requests failed: {first}", taken.errors))),
    }
}

#[cfg(test)]
mod tests;
