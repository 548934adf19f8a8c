//! A provider that fails as it is told: a server of three dialects with its own log.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pointsman_core::{Clock, Dialect};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::ask::{Ask, Prefix};
use super::continuing::{Continuing, pieces};
use super::log::Attempt;
use super::shape::{Manner, Shaped, shape};
use super::speak::{self, Reply, halves};
use super::table::{Fault, Words};
use crate::mock::play::{self, Backend};
use crate::mock::{Answer, Ending, Received};
use crate::net::{Io, MemoryNet};
use crate::openai::Tokens;
use crate::process::free_port;

/// Attempts that are kept; further ones are answered and forgotten.
const MAX_LOG: usize = 2_000_000;
/// Longer than the limits of most tests.
const LIMIT: Duration = Duration::from_secs(3600);

/// What befalls an attempt: chosen from what it asks and its number in the log, which must not be looked at.
pub type Choose = Arc<dyn Fn(&Ask, usize) -> Option<&'static Fault> + Send + Sync>;

/// The provider: what it is to do, and its log. Clones share both.
#[derive(Clone)]
pub struct Injector {
    shared: Arc<Shared>,
}

/// A listener that serves an [`Injector`]. It stops, and breaks off its connections, on drop.
#[derive(Debug)]
pub struct FaultServer {
    /// `127.0.0.1:port`, or the name in the [`MemoryNet`].
    pub authority: String,
    task: JoinHandle<()>,
}

struct Shared {
    /// Stands in the ids of answers.
    name: String,
    clock: Clock,
    orders: Mutex<Orders>,
    log: watch::Sender<Vec<Attempt>>,
    up: watch::Sender<bool>,
    /// Attempts under way.
    running: AtomicUsize,
}

#[derive(Default)]
struct Orders {
    script: VecDeque<Option<&'static Fault>>,
    otherwise: Option<Choose>,
    continuing: Continuing,
    refuses_prefill: bool,
    halves: bool,
    manner: Manner,
    bad_keys: HashSet<String>,
    ceiling: Option<Ceiling>,
}

/// A bucket of requests that is filled again at a steady rate, as the vendors count them.
struct Ceiling {
    limit: f64,
    /// Requests a second that come back.
    rate: f64,
    left: f64,
    at: Instant,
}

impl Ceiling {
    /// Takes a request: how many are left, or `None` where it is one too many; and when all are back.
    fn take(&mut self, now: Instant) -> (Option<u64>, Duration) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + since * self.rate).min(self.limit), now);
        let room = self.left >= 1.0;
        self.left -= f64::from(u8::from(room));
        let full = Duration::from_secs_f64((self.limit - self.left) / self.rate);
        (room.then_some(self.left as u64), full)
    }
}

/// What is done.
impl Injector {
    /// A provider that answers well until it is told otherwise; `clock` dates what it says.
    #[must_use]
    pub fn new(name: &str, clock: Clock) -> Self {
        let orders = Orders { manner: Manner { limit: LIMIT, ..Manner::default() }, ..Orders::default() };
        let shared = Shared {
            name: name.to_owned(),
            clock,
            orders: Mutex::new(orders),
            log: watch::Sender::new(Vec::new()),
            up: watch::Sender::new(true),
            running: AtomicUsize::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What befalls the next attempts, in the order in which they arrive; `None` is a good answer.
    pub fn script(&self, faults: impl IntoIterator<Item = Option<&'static Fault>>) -> &Self {
        self.shared.orders().script.extend(faults);
        self
    }

    /// What befalls attempts when the script is empty.
    pub fn otherwise(
        &self,
        choose: impl Fn(&Ask, usize) -> Option<&'static Fault> + Send + Sync + 'static,
    ) -> &Self {
        self.shared.orders().otherwise = Some(Arc::new(choose));
        self
    }

    /// The same fault befalls every attempt when the script is empty.
    pub fn always(&self, fault: &'static Fault) -> &Self {
        self.otherwise(move |ask, _| Some(fault).filter(|fault| fault.fits(ask.streamed)))
    }

    /// Answers well from now on.
    pub fn recover(&self) -> &Self {
        let mut orders = self.shared.orders();
        orders.script.clear();
        orders.otherwise = None;
        drop(orders);
        self
    }

    /// How it goes on with answers that others began.
    pub fn continues(&self, way: Continuing) -> &Self {
        self.shared.orders().continuing = way;
        self
    }

    /// A request that ends with a turn of the model is refused.
    pub fn refuses_prefill(&self) -> &Self {
        self.shared.orders().refuses_prefill = true;
        self
    }

    /// Characters beyond the first plane come as two deltas, and everything in reads of a few bytes. Faults in
    /// mid-text come between the two halves.
    pub fn splits_characters(&self) -> &Self {
        let mut orders = self.shared.orders();
        orders.halves = true;
        orders.manner.crumbs = true;
        drop(orders);
        self
    }

    /// Waits so long before the head, and so long between events.
    pub fn takes(&self, head: Duration, pace: Duration) -> &Self {
        let mut orders = self.shared.orders();
        orders.manner.thinks = head;
        orders.manner.pace = pace;
        drop(orders);
        self
    }

    /// How long "too long" is.
    pub fn limit(&self, limit: Duration) -> &Self {
        self.shared.orders().manner.limit = limit;
        self
    }

    /// This key is refused from now on.
    pub fn refuses_key(&self, key: &str) -> &Self {
        self.shared.orders().bad_keys.insert(key.to_owned());
        self
    }

    /// Takes `limit` requests at once and as many again in each `window`, and tells with every answer how many
    /// are left, as OpenAI does. Further ones get `rate_limit_headers`.
    pub fn ceiling(&self, limit: u32, window: Duration) -> &Self {
        let limit = f64::from(limit);
        let ceiling = Ceiling { limit, rate: limit / window.as_secs_f64(), left: limit, at: Instant::now() };
        self.shared.orders().ceiling = Some(ceiling);
        self
    }

    /// Stops listening, as a process that has ended: connections on which nothing is under way are closed, new
    /// ones refused. With `true` it listens again, at the same place.
    pub fn listen(&self, up: bool) {
        self.shared.up.send_replace(up);
    }
}

/// What it saw.
impl Injector {
    /// Everything so far, in order of arrival.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.log.borrow().clone()
    }

    /// Looks at the log without a copy. Nothing can be entered meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&[Attempt]) -> T) -> T {
        look(&self.shared.log.borrow())
    }

    /// Waits until `count` attempts have arrived. Bound it with a timeout where they may not.
    pub async fn wait_arrived(&self, count: usize) -> Vec<Attempt> {
        self.wait(|log| log.len() >= count).await
    }

    /// Waits until `count` attempts are over, well or not.
    pub async fn wait_ended(&self, count: usize) -> Vec<Attempt> {
        self.wait(|log| log.iter().filter(|attempt| attempt.ended.is_some()).count() >= count).await
    }

    /// Waits until nothing is under way.
    pub async fn wait_idle(&self) -> Vec<Attempt> {
        self.wait(|log| log.iter().all(|attempt| attempt.ended.is_some())).await
    }

    async fn wait(&self, condition: impl Fn(&[Attempt]) -> bool) -> Vec<Attempt> {
        let mut seen = self.shared.log.subscribe();
        // The sender lives in `self`, so the wait cannot end with an error.
        match seen.wait_for(|log| condition(log)).await {
            Ok(log) => log.clone(),
            Err(_) => self.attempts(),
        }
    }
}

/// Where it listens.
impl Injector {
    /// Serves at `name` in `net`.
    #[must_use]
    pub fn serve_memory(&self, net: &MemoryNet, name: &str) -> FaultServer {
        let (shared, net, place) = (Arc::clone(&self.shared), net.clone(), name.to_owned());
        let first = net.listen(name);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let mut up = shared.up.subscribe();
            let mut listener = Some(first);
            loop {
                let mut open = listener.take().unwrap_or_else(|| net.listen(&place));
                loop {
                    tokio::select! {
                        _ = up.wait_for(|up| !up) => break,
                        accepted = open.accept() => match accepted {
                            Ok(io) => accept(&mut connections, &shared, io),
                            Err(_) => return,
                        },
                    }
                }
                drop(open);
                if up.wait_for(|up| *up).await.is_err() {
                    return;
                }
            }
        });
        FaultServer { authority: name.to_owned(), task }
    }

    /// Serves at a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where none can be bound.
    pub async fn serve_tcp(&self) -> io::Result<FaultServer> {
        // A port that nobody's outgoing connection takes while this one does not listen.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut first = Some(TcpListener::bind(address).await?);
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let mut up = shared.up.subscribe();
            loop {
                let bound = match first.take() {
                    Some(listener) => Ok(listener),
                    None => TcpListener::bind(address).await,
                };
                let Ok(listener) = bound else { return };
                loop {
                    tokio::select! {
                        _ = up.wait_for(|up| !up) => break,
                        accepted = listener.accept() => {
                            let Ok((io, _)) = accepted else { continue };
                            // Chunks must leave when they are written, or pacing means nothing.
                            let _ = io.set_nodelay(true);
                            accept(&mut connections, &shared, io);
                        }
                    }
                }
                drop(listener);
                if up.wait_for(|up| *up).await.is_err() {
                    return;
                }
            }
        });
        Ok(FaultServer { authority: address.to_string(), task })
    }
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.shared.log.borrow().len();
        f.debug_struct("Injector").field("name", &self.shared.name).field("attempts", &attempts).finish()
    }
}

impl FaultServer {
    /// The base URL for a provider's configuration: `http://authority/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.authority)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn accept<I: Io>(connections: &mut JoinSet<()>, shared: &Arc<Shared>, io: I) {
    let shared = Arc::clone(shared);
    connections.spawn(async move { play::serve(&*shared, io).await });
    while connections.try_join_next().is_some() {}
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, number: usize, change: impl FnOnce(&mut Attempt)) {
        self.log.send_modify(|log| {
            if let Some(attempt) = log.get_mut(number) {
                change(attempt);
            }
        });
    }

    /// What is answered to a request that was understood.
    fn answer(&self, ask: &Ask, attempt: &mut Attempt) -> Shaped {
        let mut orders = self.orders();
        let prefill = ask.prefix.as_ref().is_some_and(|prefix| prefix.prefill);
        let refusal = |words, message| {
            let error = speak::error(ask.dialect, words, message);
            let status = if words == Words::Authentication { 401 } else { 400 };
            Shaped { answer: Answer::status(status, &error), weights: Vec::new() }
        };
        if orders.bad_keys.contains(&attempt.key) {
            attempt.fault = Fault::named("key_wrong");
            return refusal(Words::Authentication, None);
        }
        if prefill && orders.refuses_prefill {
            attempt.refused = Some("prefill".into());
            return refusal(Words::BadRequest, Some(NO_PREFILL));
        }
        let room = orders.ceiling.as_mut().map(|ceiling| {
            let (left, full) = ceiling.take(attempt.at);
            (ceiling.limit, left, full)
        });
        let fault = match orders.script.pop_front() {
            _ if room.is_some_and(|(_, left, _)| left.is_none()) => Fault::named("rate_limit_headers"),
            Some(fault) => fault,
            None => orders.otherwise.clone().and_then(|choose| choose(ask, attempt.number)),
        };
        let mut manner = orders.manner;
        let (way, split) = (orders.continuing, orders.halves);
        drop(orders);
        let unix_us = self.clock.unix_us(self.clock.now());
        manner.unix_seconds = u64::try_from(unix_us / 1_000_000).unwrap_or_default();
        let reply = self.reply(ask, attempt.number, way, split && ask.streamed);
        attempt.fault = fault;
        if fault.is_none_or(Fault::works) {
            attempt.tokens.input = ask.input;
        }
        let shaped = shape(&reply, ask.streamed, fault, &manner);
        let Some((limit, Some(left), full)) = room else { return shaped };
        let answer = shaped.answer;
        let answer = answer
            .header("x-ratelimit-limit-requests", &limit.to_string())
            .header("x-ratelimit-remaining-requests", &left.to_string())
            .header("x-ratelimit-reset-requests", &format!("{}ms", full.as_millis()));
        Shaped { answer, ..shaped }
    }

    fn reply(&self, ask: &Ask, number: usize, way: Continuing, split: bool) -> Reply {
        let (pieces, end) = pieces(ask, way);
        let pieces: Vec<String> = match split {
            true => pieces.iter().flat_map(|piece| halves(piece)).collect(),
            false => pieces.iter().map(|piece| speak::escaped(piece)).collect(),
        };
        let output = pieces.len() as u64;
        Reply {
            dialect: ask.dialect,
            tag: format!("{}-{number}", self.name),
            model: ask.model.clone(),
            kind: ask.kind,
            seed: ask.seed,
            pieces,
            end,
            tokens: Tokens { input: ask.input, output },
            tells_usage: ask.include_usage,
        }
    }
}

/// What a vendor says who has no prefill.
const NO_PREFILL: &str = "This model does not support assistant message prefill. The conversation must end with a user \
                          message.";

impl Backend for Shared {
    fn receive(&self, request: Received) -> (usize, Answer) {
        let read = Ask::read(&request);
        let ask = read.as_ref().ok();
        let prefix = ask.and_then(|ask| ask.prefix.as_ref());
        let mut attempt = Attempt {
            number: 0,
            at: request.at,
            dialect: ask.map(|ask| ask.dialect),
            streamed: ask.is_some_and(|ask| ask.streamed),
            seed: ask.map_or(0, |ask| ask.seed),
            key: key(&request),
            fault: None,
            continues: prefix.map(|prefix: &Prefix| prefix.text.len()),
            prefill: prefix.is_some_and(|prefix| prefix.prefill),
            beside: self.running.fetch_add(1, Ordering::Relaxed) + 1,
            refused: None,
            tokens: Tokens::default(),
            ended: None,
            parts_sent: 0,
            weights: Vec::new(),
        };
        // The number is drawn and the entry made in one step: answers are chosen by it.
        let mut answer = None;
        self.log.send_modify(|log| {
            attempt.number = log.len();
            let Shaped { answer: chosen, weights } = match read {
                Ok(ask) => self.answer(&ask, &mut attempt),
                Err(why) => {
                    let error = speak::error(Dialect::OpenAiChat, Words::BadRequest, Some(&why));
                    let status = if why.starts_with("no such path") { 404 } else { 400 };
                    attempt.refused = Some(why);
                    Shaped { answer: Answer::status(status, &error), weights: Vec::new() }
                }
            };
            attempt.weights = weights;
            if log.len() < MAX_LOG {
                log.push(attempt.clone());
            } else {
                attempt.number = usize::MAX;
            }
            answer = Some(chosen);
        });
        (attempt.number, answer.unwrap_or_else(|| Answer::nothing(crate::mock::Cut::Close)))
    }

    fn part_sent(&self, number: usize) {
        self.update(number, Attempt::sent_part);
    }

    fn ended(&self, number: usize, ending: Ending) {
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.update(number, |attempt| {
            attempt.ended = Some((ending, Instant::now()));
            attempt.weights = Vec::new();
        });
    }

    fn up(&self) -> Option<watch::Receiver<bool>> {
        Some(self.up.subscribe())
    }
}

/// The key that a request came with.
fn key(request: &Received) -> String {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| request.header("x-api-key")).unwrap_or_default().to_owned()
}
