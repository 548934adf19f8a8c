//! What an exporter costs whose receiver hangs: two Pointsmans, one with a webhook that is accepted and never
//! answered, one without any exporter, under the same load in turns.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use super::figures::{Figure, Results, Target};
use super::{Bench, account, say, usual_shape};
use crate::machine;
use crate::server::{Fleet, Program, Server};

/// Connections of the closed loop; the latency is that of one.
const CONNECTIONS: usize = 16;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary under test.
    pub pointsman: PathBuf,
    /// Rounds; each gives two pairs of figures.
    pub rounds: u32,
    /// How long each figure is measured.
    pub measure: Duration,
}

/// A receiver that accepts, reads nothing and never answers.
struct Mute {
    address: SocketAddr,
    accepted: Arc<AtomicU64>,
}

impl Mute {
    /// Ends with the runtime, when the run is over.
    async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, accepted) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                open.push(connection);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self { address, accepted })
    }
}

/// Runs the comparison.
///
/// # Errors
/// Where a server cannot be started, a request fails, the sums differ or the exporter never called.
pub async fn run(options: &Options) -> io::Result<Results> {
    let load_before = machine::load_average();
    let bench = Bench::start(options.measure).await?;
    let mut results = Results::new(None, bench.cores.apart(), options.rounds);
    results.load_before = load_before;
    for round in 1..=options.rounds {
        say(&format!("round {round} of {}: an exporter that hangs", options.rounds))?;
        bench.hanging(&mut results, options, round).await?;
    }
    Ok(results)
}

impl Bench {
    /// Both are there all the time, so that they differ in nothing but the load; the order changes, so
    /// that neither is always the first.
    async fn hanging(&self, results: &mut Results, options: &Options, round: u32) -> io::Result<()> {
        let mute = Mute::start().await?;
        let start = |webhook| {
            let binary = options.pointsman.clone();
            let program =
                Program::Pointsman { binary, records: true, access_log: true, fleet: Fleet::SMALL, webhook };
            Server::start(&program, self.upstream, self.cores)
        };
        let servers = [start(None)?, start(Some(mute.address))?];
        let figures = [
            (Figure::Cpu16, Figure::LatencyP50, Figure::LatencyP99),
            (Figure::CpuHanging, Figure::HangingP50, Figure::HangingP99),
        ];
        let shape = Arc::new(usual_shape());
        let mut accounts =
            [(0, self.mock.totals.sums()); 2].map(|(sent, sums)| (sent, account::difference(sums, sums)));
        let first = usize::from(round.is_multiple_of(2));
        for which in [first, 1 - first, 1 - first, first] {
            let (address, pid) = (servers[which].address, Some(servers[which].pid()));
            let (cpu, p50, p99) = figures[which];
            let before = self.mock.totals.sums();
            let closed = self.closed(address, pid, &shape, CONNECTIONS).await?;
            let alone = self.closed(address, pid, &shape, 1).await?;
            if let Some(each) = closed.cpu_us {
                results.add(Target::Full, cpu, each);
            }
            results.add(Target::Full, p50, alone.taken.latency_us(50.0));
            results.add(Target::Full, p99, alone.taken.latency_us(99.0));
            let (sent, sums) = &mut accounts[which];
            *sent += closed.sent + alone.sent;
            *sums = account::sum(*sums, account::difference(self.mock.totals.sums(), before));
        }
        if mute.accepted.load(Ordering::Relaxed) == 0 {
            return Err(io::Error::other("the exporter never called its receiver"));
        }
        for (server, (sent, sums)) in servers.into_iter().zip(accounts) {
            results.checks.push(account::check(&server.stop()?, sent, &sums, true)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_receiver_accepts_and_says_nothing() {
        let mute = Mute::start().await.unwrap();
        let connection = tokio::net::TcpStream::connect(mute.address).await.unwrap();
        while mute.accepted.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let mut byte = [0];
        assert_eq!(connection.try_read(&mut byte).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
