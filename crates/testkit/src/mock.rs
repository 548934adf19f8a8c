//! A scripted OpenAI-compatible upstream.
//!
//! It speaks HTTP/1.1 itself, byte by byte, over any [`Io`]: so every fault that a real server can
//! show can be scripted, and what was received is kept exactly as it came. Start with [`Mock::new`];
//! answers are in [`answer`], what was received in [`log`], the strict checks in [`check`].

pub mod answer;
pub mod check;
pub mod http;
pub mod log;
pub(crate) mod play;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

pub use self::answer::{Answer, Cut, Gate};
pub use self::log::{Ending, Received};
use crate::net::{Io, MemoryNet};
use crate::openai::Tokens;

/// The upstream: a script and a log. Clones share both; it can serve many listeners at once.
#[derive(Clone, Default)]
pub struct Mock {
    shared: Arc<Shared>,
}

/// A listener that serves a [`Mock`]. It stops, and breaks off all its connections, on drop.
#[derive(Debug)]
pub struct MockServer {
    /// Where it listens: `127.0.0.1:port`, or the name in the [`MemoryNet`].
    pub authority: String,
    task: JoinHandle<()>,
}

type Responder = Arc<dyn Fn(&Received) -> Answer + Send + Sync>;

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    log: watch::Sender<Vec<Received>>,
    connections: watch::Sender<Connections>,
}

#[derive(Default)]
struct Script {
    queue: VecDeque<Answer>,
    otherwise: Option<Responder>,
}

/// How many connections there were and are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Ever accepted.
    pub accepted: usize,
    /// Now open.
    pub open: usize,
}

impl Mock {
    /// An upstream that answers every request well: see [`Answer::fitting`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues answers, given out in the order in which requests arrive.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) -> &Self {
        self.shared.script().queue.extend(answers);
        self
    }

    /// What to answer when the queue is empty.
    pub fn otherwise(&self, respond: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> &Self {
        self.shared.script().otherwise = Some(Arc::new(respond));
        self
    }

    /// Serves at `name` in `net`.
    #[must_use]
    pub fn serve_memory(&self, net: &MemoryNet, name: &str) -> MockServer {
        let mut listener = net.listen(name);
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok(io) = listener.accept().await {
                accept(&mut connections, &shared, io);
            }
            while connections.join_next().await.is_some() {}
        });
        MockServer { authority: name.to_owned(), task }
    }

    /// Serves at a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be bound.
    pub async fn serve_tcp(&self) -> io::Result<MockServer> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let authority = listener.local_addr()?.to_string();
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((io, _)) = listener.accept().await {
                // Chunks must leave when they are written, or pacing means nothing.
                let _ = io.set_nodelay(true);
                accept(&mut connections, &shared, io);
            }
        });
        Ok(MockServer { authority, task })
    }

    /// Everything received so far, in order of arrival.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.log.borrow().clone()
    }

    /// Waits until `count` requests have arrived. Bound it with a timeout where they may not.
    pub async fn wait_received(&self, count: usize) -> Vec<Received> {
        self.wait_log(|log| log.len() >= count).await
    }

    /// Waits until `count` exchanges are over, well or not.
    pub async fn wait_ended(&self, count: usize) -> Vec<Received> {
        self.wait_log(|log| log.iter().filter(|entry| entry.ended.is_some()).count() >= count).await
    }

    /// Waits until the entry of this number ([`Received::number`]) satisfies `condition`.
    pub async fn wait_entry(&self, number: usize, condition: impl Fn(&Received) -> bool) -> Received {
        let log = self.wait_log(|log| log.get(number).is_some_and(&condition)).await;
        log[number].clone()
    }

    /// The sum of tokens over all answers that were sent completely.
    #[must_use]
    pub fn tokens_emitted(&self) -> Tokens {
        let mut sum = Tokens::default();
        for entry in self.shared.log.borrow().iter().filter(|entry| entry.is_complete()) {
            sum.input += entry.tokens.input;
            sum.output += entry.tokens.output;
        }
        sum
    }

    /// Connections, for tests of reuse and of closing.
    #[must_use]
    pub fn connections(&self) -> Connections {
        *self.shared.connections.borrow()
    }

    /// Waits until the connections satisfy `condition`.
    pub async fn wait_connections(&self, condition: impl FnMut(&Connections) -> bool) -> Connections {
        let mut seen = self.shared.connections.subscribe();
        match seen.wait_for(condition).await {
            Ok(connections) => *connections,
            Err(_) => self.connections(),
        }
    }

    /// All that was wrong with the requests, by the strict checks; empty is good.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let log = self.shared.log.borrow();
        log.iter()
            .flat_map(|entry| entry.violations.iter().map(|text| format!("request {}: {text}", entry.number)))
            .collect()
    }

    async fn wait_log(&self, condition: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut seen = self.shared.log.subscribe();
        // The sender lives in `self`, so the wait cannot end with an error.
        match seen.wait_for(|log| condition(log)).await {
            Ok(log) => log.clone(),
            Err(_) => self.received(),
        }
    }
}

impl fmt::Debug for Mock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mock").field("received", &self.shared.log.borrow().len()).finish_non_exhaustive()
    }
}

impl MockServer {
    /// The base URL for a provider's configuration: `http://authority/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.authority)
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, number: usize, change: impl FnOnce(&mut Received)) {
        self.log.send_modify(|log| {
            if let Some(entry) = log.get_mut(number) {
                change(entry);
            }
        });
    }
}

impl play::Backend for Shared {
    /// Enters a request into the log and draws its answer.
    fn receive(&self, mut request: Received) -> (usize, Answer) {
        let mut number = 0;
        request.violations = check::violations(&request);
        self.log.send_modify(|log| {
            number = log.len();
            request.number = number;
            log.push(request.clone());
        });
        let (queued, otherwise) = {
            let mut script = self.script();
            (script.queue.pop_front(), script.otherwise.clone())
        };
        let answer = match (queued, otherwise) {
            (Some(answer), _) => answer,
            (None, Some(respond)) => respond(&request),
            (None, None) => Answer::fitting(&request),
        };
        self.update(number, |entry| entry.tokens = answer.tokens);
        (number, answer)
    }

    fn part_sent(&self, number: usize) {
        self.update(number, |entry| entry.parts_sent += 1);
    }

    fn ended(&self, number: usize, ending: Ending) {
        self.update(number, |entry| entry.ended = Some((ending, Instant::now())));
    }

    fn up(&self) -> Option<watch::Receiver<bool>> {
        None
    }
}

fn accept<I: Io>(connections: &mut JoinSet<()>, shared: &Arc<Shared>, io: I) {
    let shared = Arc::clone(shared);
    connections.spawn(async move {
        shared.connections.send_modify(|count| {
            count.accepted += 1;
            count.open += 1;
        });
        let _closed = OnDrop(|| shared.connections.send_modify(|count| count.open -= 1));
        play::serve(&*shared, io).await;
    });
    while connections.try_join_next().is_some() {}
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests;
