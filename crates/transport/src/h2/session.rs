//! The connections of one origin: who may use them, the tasks that drive them, and when they end.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::h2::client::{Builder, Connection, SendRequest};
use ::h2::{Ping, PingPong};
use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::connect::ConnectError;
use crate::h1::head::MAX_HEAD_BYTES;
use crate::io::BoxedIo;

/// Requests at one time on a connection, also where its peer allows more: one task drives them all.
pub(crate) const MAX_STREAMS: usize = 100;
/// What a peer may send of one answer before it is read, in bytes: the speed of a long answer over a distance
/// of 100 ms is ten times this a second.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The same for a connection, in bytes: whatever clients leave unread, no answer takes another's room.
const CONNECTION_WINDOW: u32 = 50 * 1024 * 1024;
const _: () = assert!(CONNECTION_WINDOW as usize == STREAM_WINDOW as usize * MAX_STREAMS);
/// What waits to be written for one request beyond its peer's window, in bytes.
const SEND_BUFFER: usize = 256 * 1024;
/// A peer is asked so often whether it is there, and given up if it does not say so in time.
pub(crate) const PING_AFTER: Duration = Duration::from_secs(30);
pub(crate) const PING_LIMIT: Duration = Duration::from_secs(20);
/// A request that is given up after so long a silence puts its connection in doubt; so does a peer that does not
/// tell its limits for so long.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);

/// The connections of one origin.
pub(crate) struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    open: Vec<Session>,
    /// One for each connection that has not ended; those of `open`, and those whose last answers still run.
    tasks: JoinSet<()>,
}

struct Session {
    send: SendRequest<Bytes>,
    load: Arc<Load>,
    /// Whether the peer's limits are known: before, only the request that opened the connection uses it.
    settled: watch::Receiver<bool>,
}

/// What runs on a connection.
struct Load {
    state: Mutex<LoadState>,
    /// Its peer is to be asked at once whether it is there.
    ask: Notify,
}

struct LoadState {
    streams: usize,
    /// When it last had fewer streams than before.
    since: Instant,
    /// A request was given up in silence: until the peer gives a sign of life, others go elsewhere.
    doubtful: bool,
}

/// A place on a connection for one request, until this is dropped.
pub(crate) struct Claim {
    load: Arc<Load>,
    /// When something last came for it.
    heard: Instant,
    ended: bool,
    /// Connections outlive the upstream of an old configuration as long as there are answers on them.
    _sessions: Arc<Sessions>,
}

/// A place, and the way to send there.
pub(crate) struct Claimed {
    pub(super) send: SendRequest<Bytes>,
    pub(super) claim: Claim,
}

impl Sessions {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// A place on a connection that takes requests and has room; never on that of `avoid`.
    pub(crate) fn claim(self: &Arc<Self>, avoid: Option<&Avoid>) -> Option<Claimed> {
        let mut state = self.lock();
        let mut claimed = None;
        state.open.retain_mut(|session| {
            if claimed.is_some() {
                return true;
            }
            let open = session.takes_requests();
            if open && avoid.is_none_or(|avoid| !Arc::ptr_eq(&avoid.0, &session.load)) {
                claimed = session.claim(self);
            }
            open
        });
        claimed
    }

    /// Speaks HTTP/2 on `io` from now on, and takes the first place there.
    pub(crate) async fn add(self: &Arc<Self>, io: BoxedIo) -> Result<Claimed, ConnectError> {
        let (send, mut connection) =
            builder().handshake(io).await.map_err(|error| ConnectError::Io(into_io(error)))?;
        let pings = connection.ping_pong();
        let state = LoadState { streams: 0, since: Instant::now(), doubtful: false };
        let load = Arc::new(Load { state: Mutex::new(state), ask: Notify::new() });
        let (settling, settled) = watch::channel(false);
        let session = Session { send, load: load.clone(), settled };
        // Whatever the peer allows: this place is paid for with a connection.
        let claim = Claim::new(&session.load, self);
        let send = session.send.clone();
        let mut state = self.lock();
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(drive(connection, pings, settling, load));
        state.open.push(session);
        Ok(Claimed { send, claim })
    }

    /// Waits until the limits of all connections are known, so that nobody opens one that is not needed. Those
    /// in doubt are not waited for, and those that say nothing for a while are in doubt.
    pub(crate) async fn settled(&self) {
        let mut unsettled: Vec<_> = {
            let state = self.lock();
            let sessions = state.open.iter().filter(|session| !lock(&session.load.state).doubtful);
            let sessions = sessions.filter(|session| !*session.settled.borrow());
            sessions.map(|session| (session.load.clone(), session.settled.clone())).collect()
        };
        let all = async {
            for (_, settled) in &mut unsettled {
                // An error: the connection has ended.
                let _ = settled.wait_for(|settled| *settled).await;
            }
        };
        if timeout(SILENCE, all).await.is_err() {
            for (load, settled) in unsettled {
                if !*settled.borrow() {
                    lock(&load.state).doubtful = true;
                }
            }
        }
    }

    /// Lets go of connections that have been idle for `limit`, and of those that ended.
    pub(crate) fn sweep(&self, limit: Duration) {
        let mut state = self.lock();
        let now = Instant::now();
        state.open.retain_mut(|session| {
            let load = lock(&session.load.state);
            let idle = load.streams == 0 && now - load.since >= limit;
            drop(load);
            !idle && session.takes_requests()
        });
        while state.tasks.try_join_next().is_some() {}
    }

    /// Lets go of all connections: each says goodbye and ends after its last answer, and its task with it.
    pub(crate) fn retire(&self) -> JoinSet<()> {
        let mut state = self.lock();
        state.open.clear();
        std::mem::take(&mut state.tasks)
    }

    /// Connections on which nothing runs.
    pub(crate) fn idle(&self) -> usize {
        self.lock().open.iter().filter(|session| lock(&session.load.state).streams == 0).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl Session {
    /// Whether the peer is there and has not said goodbye.
    fn takes_requests(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(self.send.poll_ready(&mut context), Poll::Ready(Ok(())))
    }

    /// Streams at one time: its peer's limit, and ours.
    fn limit(&self) -> usize {
        match *self.settled.borrow() {
            true => self.send.current_max_send_streams().min(MAX_STREAMS),
            false => 0,
        }
    }

    fn claim(&self, sessions: &Arc<Sessions>) -> Option<Claimed> {
        // Places are taken under the lock of the sessions: none is taken between these lines.
        let limit = self.limit();
        let load = lock(&self.load.state);
        let room = !load.doubtful && load.streams < limit;
        drop(load);
        room.then(|| Claimed { send: self.send.clone(), claim: Claim::new(&self.load, sessions) })
    }
}

impl Claim {
    fn new(load: &Arc<Load>, sessions: &Arc<Sessions>) -> Self {
        lock(&load.state).streams += 1;
        Self { load: load.clone(), heard: Instant::now(), ended: false, _sessions: sessions.clone() }
    }

    /// Something came.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// The exchange is over, well or not.
    pub(super) fn ended(&mut self) {
        self.ended = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut load = lock(&self.load.state);
        load.streams -= 1;
        load.since = now;
        // Whoever gives up after a silence cannot know whether the upstream is slow or the connection dead.
        if !self.ended && now - self.heard >= SILENCE {
            load.doubtful = true;
            self.load.ask.notify_one();
        }
    }
}

/// A connection that refused a request, and is not to be asked again for it.
pub(crate) struct Avoid(Arc<Load>);

impl Claimed {
    /// So that a second try goes elsewhere.
    pub(crate) fn avoid(&self) -> Avoid {
        Avoid(self.claim.load.clone())
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim")
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// Reads and writes until the connection has ended, or its peer gives no sign of life: then its streams break.
async fn drive(
    connection: Connection<BoxedIo, Bytes>,
    pings: Option<PingPong>,
    settling: watch::Sender<bool>,
    load: Arc<Load>,
) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "an upstream connection ended");
        },
        () = silence(pings, settling, &load) => tracing::debug!("an upstream connection gave no sign of life"),
    }
}

/// Resolves when a ping is not answered. The peer's limits come before its first answer (RFC 9113, 3.4).
async fn silence(mut pings: Option<PingPong>, settling: watch::Sender<bool>, load: &Load) {
    while let Some(asking) = &mut pings {
        match timeout(PING_LIMIT, asking.ping(Ping::opaque())).await {
            Ok(Ok(_pong)) => {
                lock(&load.state).doubtful = false;
                settling.send_replace(true);
            }
            // The connection itself tells what is wrong.
            Ok(Err(_)) => break,
            Err(_) => return,
        }
        // Early or not: it is time to ask.
        let _ = timeout(PING_AFTER, load.ask.notified()).await;
    }
    std::future::pending::<()>().await;
}

fn into_io(error: ::h2::Error) -> std::io::Error {
    if error.is_io() {
        error.into_io().unwrap_or_else(|| std::io::ErrorKind::Other.into())
    } else {
        std::io::Error::other(error)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
