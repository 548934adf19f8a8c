//! The soak: two providers under an open load, one of them flapping through every fault. Nothing may be lost.
//!
//! [`flap`] decides what befalls the sick one, [`load`] asks and compares every answer with its text,
//! [`verdict`] says what held.

mod flap;
mod load;
mod verdict;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::flap::Flap;
use self::load::Load;
use self::verdict::{Memory, Seen};
use super::control::Control;
use super::stage::Stage;
use super::{Line, Options};
use crate::machine::Cores;
use crate::sample;

/// How often the breaker's state is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often memory is.
const LOOKS_PER_MEMORY: u32 = 20;
/// The limits, and a breaker with shortened times.
const PROVIDER: &str = "    dialects: [openai-chat, openai-responses, anthropic]
    keys: [{ env: CHAOS_KEY }, { env: CHAOS_KEY_2 }, { env: CHAOS_KEY_3 }, { env: CHAOS_KEY_4 }]
    models: [mmmm, long]
    include_usage: true
    timeouts: { connect: 1s, first_byte: 700ms, first_token: 700ms, between_chunks: 1500ms, total: 60s }
    breaker: { failures: 10, window: 10s, open_for: 700ms }
    ease_in: 5s
";

/// What was seen of the gateway while it ran.
#[derive(Debug, Default)]
struct Watched {
    /// How often the sick provider's breaker opened, and closed again.
    opened: u64,
    closed: u64,
    /// Resident bytes.
    memory: Vec<u64>,
}

pub(super) async fn run(options: &Options, cores: Cores, seed: u64) -> io::Result<Vec<Line>> {
    let stage = Stage::start(&options.pointsman, cores, 2, |urls| {
        let provider = |name: &str, url: &str| format!("  {name}:\n    base_url: {url}\n{PROVIDER}");
        format!(
            "providers:\n{}{}routes:\n  soak:\n    balance: [a/mmmm, b/mmmm]\n    by: round_robin\n    fallbacks: {{ context_too_long: [b/long], \
             content_filter: [b/mmmm], quota: [b/mmmm] }}\n  calm: b/mmmm\n",
            provider("a", &urls[0]),
            provider("b", &urls[1]),
        )
    })
    .await?;
    for injector in &stage.injectors {
        injector.takes(Duration::from_millis(5), Duration::from_millis(1)).limit(Duration::from_secs(30));
    }
    let control = Control::new(&stage.server)?;
    let started = Instant::now();
    let flap = Flap::start(stage.injectors[0].clone(), options.soak, seed);
    let load = Load::start(Arc::clone(&stage.client), options.rate, seed, flap.state());
    let watching = watch(control.clone(), stage.server.pid(), options.soak);
    let watched = watching.await.map_err(io::Error::other)??;
    let phases = flap.stop().await?;
    let results = load.stop().await;
    let refused = control.attempts("a", "refused").await?;
    let closed = stage.close().await?;
    let memory = Memory::of(&watched.memory);
    let seen = Seen { started, watched, memory, phases, results, refused, closed };
    verdict::judge(seen, options)
}

/// Looks at state and memory until the time is over.
fn watch(control: Control, pid: u32, long: Duration) -> JoinHandle<io::Result<Watched>> {
    tokio::spawn(async move {
        let (end, mut watched, mut was_open) = (Instant::now() + long, Watched::default(), false);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = 0;
        while Instant::now() < end {
            looks.tick().await;
            let open = control.is_open("a").await?;
            watched.opened += u64::from(open && !was_open);
            watched.closed += u64::from(!open && was_open);
            was_open = open;
            if look % LOOKS_PER_MEMORY == 0 {
                watched.memory.push(sample::resident(pid)?);
            }
            look += 1;
        }
        Ok(watched)
    })
}
