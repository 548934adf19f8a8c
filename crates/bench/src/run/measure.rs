//! Single measurements against one server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Bench, WARM_UP, usual_shape};
use crate::load::{Load, Mode, Shape, Taken, no_errors};
use crate::mock::Behaviour;
use crate::sample;
use crate::server::{Fleet, Server};

/// The streams of the targets: this many chunks, this far apart.
const CHUNKS: u32 = 64;
const INTERVAL: Duration = Duration::from_millis(20);
/// Streams that each connection receives, one after the other: in between all are open at once.
const ROUNDS: u64 = 3;
/// Connections and body size of the memory figure.
const LARGE_CONNECTIONS: usize = 256;
const LARGE_BYTES: usize = 150 * 1000;
/// The mock's delay there: long enough that all bodies are in the gateway at the same time.
const LARGE_DELAY: Duration = Duration::from_millis(500);
/// Between two looks at memory.
const LOOK: Duration = Duration::from_millis(50);
/// No reload takes longer.
const RELOAD_LIMIT: Duration = Duration::from_secs(20);

/// What a measurement gave.
#[derive(Debug)]
pub(super) struct Measured {
    /// Processor time of the server for each request or chunk; `None` without a server.
    pub(super) cpu_us: Option<f64>,
    pub(super) per_second: f64,
    /// All requests, those of the warm-up too.
    pub(super) sent: u64,
    pub(super) taken: Taken,
}

impl Bench {
    /// A closed loop of plain requests.
    pub(super) async fn closed(
        &self,
        address: SocketAddr,
        pid: Option<u32>,
        shape: &Arc<Shape>,
        connections: usize,
    ) -> io::Result<Measured> {
        self.mock.behave(Behaviour::default());
        let mut load = Load::start(address, shape, Mode::Closed { connections });
        sleep(WARM_UP).await;
        let (start, cpu_start) = (Instant::now(), pid.map(sample::cpu).transpose()?);
        let before = load.stats.take();
        sleep(self.measure).await;
        let taken = load.stats.take();
        let (elapsed, cpu_end) = (start.elapsed(), pid.map(sample::cpu).transpose()?);
        load.stop().await;
        let after = load.stats.take();
        for part in [&before, &taken, &after] {
            no_errors("closed loop", part)?;
        }
        let cpu = cpu_end.zip(cpu_start).map(|(end, start)| end.saturating_sub(start));
        Ok(Measured {
            cpu_us: cpu.map(|cpu| micros(cpu) / taken.ok as f64),
            per_second: taken.ok as f64 / elapsed.as_secs_f64(),
            sent: before.ok + taken.ok + after.ok,
            taken,
        })
    }

    /// Paced streams, spread evenly; all must arrive whole.
    pub(super) async fn streams(
        &self,
        address: SocketAddr,
        pid: Option<u32>,
        shape: &Shape,
        connections: usize,
    ) -> io::Result<Measured> {
        self.mock.behave(Behaviour { chunks: CHUNKS, interval: INTERVAL, ..Behaviour::default() });
        let spread = INTERVAL * CHUNKS;
        let shape = Arc::new(Shape { stream: true, ..shape.clone() });
        let (start, cpu_start) = (Instant::now(), pid.map(sample::cpu).transpose()?);
        let mut load = Load::start(address, &shape, Mode::Streams { connections, spread, rounds: ROUNDS });
        load.ended().await;
        let (elapsed, cpu_end) = (start.elapsed(), pid.map(sample::cpu).transpose()?);
        let taken = load.stats.take();
        no_errors("streams", &taken)?;
        let expected = connections as u64 * ROUNDS;
        if (taken.streams, taken.chunks) != (expected, expected * u64::from(CHUNKS)) {
            let text = format!("{} of {expected} streams whole, {} chunks", taken.streams, taken.chunks);
            return Err(io::Error::other(text));
        }
        let cpu = cpu_end.zip(cpu_start).map(|(end, start)| end.saturating_sub(start));
        Ok(Measured {
            cpu_us: cpu.map(|cpu| micros(cpu) / taken.chunks as f64),
            per_second: taken.chunks as f64 / elapsed.as_secs_f64(),
            sent: taken.ok,
            taken,
        })
    }

    /// Large bodies on many connections: requests sent, and the most memory seen.
    pub(super) async fn large_bodies(&self, server: &Server) -> io::Result<(u64, u64)> {
        self.mock.behave(Behaviour { delay: LARGE_DELAY, ..Behaviour::default() });
        let shape = Arc::new(Shape { body_bytes: LARGE_BYTES, ..usual_shape() });
        let mut load = Load::start(server.address, &shape, Mode::Closed { connections: LARGE_CONNECTIONS });
        let (end, mut peak) = (Instant::now() + WARM_UP + self.measure, 0);
        while Instant::now() < end {
            peak = peak.max(sample::resident(server.pid())?);
            sleep(LOOK).await;
        }
        load.stop().await;
        let taken = load.stats.take();
        no_errors("large bodies", &taken)?;
        self.mock.behave(Behaviour::default());
        Ok((taken.ok, peak))
    }

    /// The time from SIGHUP until a name that only the new file knows is answered.
    pub(super) async fn reload(&self, server: &Server, fleet: Fleet) -> io::Result<Duration> {
        let next = Fleet { generation: fleet.generation + 1, ..fleet };
        let shape = Arc::new(Shape { models: vec![next.generation_name()], ..usual_shape() });
        server.reload(&next, self.upstream)?;
        let start = Instant::now();
        let known = async {
            loop {
                let once = Mode::Streams { connections: 1, spread: Duration::ZERO, rounds: 1 };
                let mut load = Load::start(server.address, &shape, once);
                load.ended().await;
                if load.stats.take().ok == 1 {
                    return start.elapsed();
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(RELOAD_LIMIT, known).await.map_err(|_| io::Error::other("the new configuration is not used"))
    }
}

pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
