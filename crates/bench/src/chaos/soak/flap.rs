//! What befalls the sick provider: one fault after the other for as many attempts as are wanted of it, well in
//! between; and now and then it is dead for a while and then left alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use pointsman_core::Rng;
use pointsman_testkit::faults::{FAULTS, Fault, Injector, What, Words};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Attempts that a fault befalls before the provider is well again.
const BEFALLS: u64 = 12;
/// Attempts that go well in between.
const WELL: u64 = 15;
/// The longest of either.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long it refuses connections: nobody can count what it does not receive.
const REFUSES_FOR: Duration = Duration::from_millis(1500);
const LOOK: Duration = Duration::from_millis(10);
/// How long it is left alone after it was dead.
pub(super) const LEFT_ALONE: Duration = Duration::from_secs(38);
/// A soak of this length or more has two such phases.
const LONG: Duration = Duration::from_secs(240);
/// None.
const WELL_NUMBER: usize = usize::MAX;

/// When the provider was dead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dead {
    pub(super) from: Instant,
    pub(super) to: Instant,
}

/// What befalls attempts now.
#[derive(Debug)]
pub(super) struct State {
    /// Index in the list of faults.
    now: AtomicUsize,
    /// Attempts that the present fault befell.
    befallen: AtomicU64,
    /// Attempts that arrived.
    arrived: AtomicU64,
    /// The provider is dead.
    pub(super) dead: AtomicBool,
    over: AtomicBool,
}

/// The provider under way.
#[derive(Debug)]
pub(super) struct Flap {
    state: Arc<State>,
    task: JoinHandle<Vec<Dead>>,
}

/// Faults that the soak goes through. A request that is wrong is nobody's fault but its client's, and who says
/// that he can be asked again in an hour is not asked before.
pub(super) fn soaked() -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().filter(|fault| {
        let told = matches!(fault.what, What::Status { words: Words::BadRequest, .. });
        !told && fault.name != "rate_limit_late"
    })
}

impl State {
    fn choose(&self, streamed: bool) -> Option<&'static Fault> {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        let fault = FAULTS.get(self.now.load(Ordering::Relaxed))?;
        if !fault.fits(streamed) {
            return None;
        }
        self.befallen.fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits until `count` has grown by `by`, or for long enough.
    async fn wait(&self, count: &AtomicU64, by: u64) {
        let (begun, end) = (count.load(Ordering::Relaxed), Instant::now() + PATIENCE);
        while count.load(Ordering::Relaxed) < begun + by && Instant::now() < end && !self.is_over() {
            sleep(LOOK).await;
        }
    }

    fn set(&self, fault: Option<&'static Fault>) {
        let index = fault.and_then(|fault| FAULTS.iter().position(|other| other.name == fault.name));
        self.now.store(index.unwrap_or(WELL_NUMBER), Ordering::Relaxed);
    }
}

impl Flap {
    /// Begins; it is told when to stop.
    pub(super) fn start(injector: Injector, long: Duration, seed: u64) -> Self {
        let state = Arc::new(State {
            now: AtomicUsize::new(WELL_NUMBER),
            befallen: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let choosing = Arc::clone(&state);
        injector.otherwise(move |ask, _| choosing.choose(ask.streamed));
        let task = tokio::spawn(flap(injector, Arc::clone(&state), long, seed));
        Self { state, task }
    }

    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// The provider is well from now on; when it was dead.
    pub(super) async fn stop(self) -> io::Result<Vec<Dead>> {
        self.state.over.store(true, Ordering::Relaxed);
        self.task.await.map_err(io::Error::other)
    }
}

async fn flap(injector: Injector, state: Arc<State>, long: Duration, seed: u64) -> Vec<Dead> {
    let begun = Instant::now();
    let shares: &[f64] = if long >= LONG { &[0.25, 0.65] } else { &[0.3] };
    let mut due: Vec<_> = shares.iter().map(|share| begun + long.mul_f64(*share)).collect();
    let (mut dead, mut rng) = (Vec::new(), Rng::new(seed));
    let mut faults: Vec<(u64, &'static Fault)> = soaked().map(|fault| (0, fault)).collect();
    while !state.is_over() {
        if due.first().is_some_and(|due| Instant::now() >= *due) {
            due.remove(0);
            dead.push(die(&state, long, dead.len()).await);
        }
        // Some befall few attempts before they are left in peace: those that were seen least come next.
        let least = faults.iter().map(|(seen, _)| *seen).min().unwrap_or_default();
        let rare: Vec<_> = faults.iter_mut().filter(|(seen, _)| *seen <= least + BEFALLS / 2).collect();
        let drawn = rng.below(rare.len().max(1) as u64) as usize;
        if let Some((seen, fault)) = rare.into_iter().nth(drawn) {
            *seen += befall(&injector, &state, fault).await;
        }
    }
    state.set(None);
    injector.listen(true);
    dead
}

/// How many attempts it befell; of refused connections as many as are wanted.
async fn befall(injector: &Injector, state: &State, fault: &'static Fault) -> u64 {
    let before = state.befallen.load(Ordering::Relaxed);
    let refuses = matches!(fault.what, What::Refuse);
    if refuses {
        injector.listen(false);
        sleep(REFUSES_FOR).await;
        injector.listen(true);
    } else {
        state.set(Some(fault));
        state.wait(&state.befallen, BEFALLS).await;
        state.set(None);
    }
    state.wait(&state.arrived, WELL).await;
    if refuses { BEFALLS } else { state.befallen.load(Ordering::Relaxed) - before }
}

/// Dead for a while, then left alone: first it does not answer, later it fails at once.
async fn die(state: &State, long: Duration, number: usize) -> Dead {
    let name = if number.is_multiple_of(2) { "hang_before_head" } else { "server_error" };
    let from = Instant::now();
    state.dead.store(true, Ordering::Relaxed);
    state.set(Fault::named(name));
    sleep((long / 40).clamp(Duration::from_secs(6), Duration::from_secs(15))).await;
    state.set(None);
    state.dead.store(false, Ordering::Relaxed);
    let to = Instant::now();
    let end = to + LEFT_ALONE;
    while Instant::now() < end && !state.is_over() {
        sleep(LOOK).await;
    }
    Dead { from, to }
}
