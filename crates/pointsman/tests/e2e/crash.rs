//! kill -9 under load: what was finished a second before is on disk, exactly once.
//!
//! Each lane has a mock upstream, a data folder that survives its kills, and clients that send marked
//! requests as fast as answers come. The mock's own log says what was finished and when; the record
//! file says what was kept. The seed is printed; `POINTSMAN_SEED` repeats a run.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pointsman_core::Rng;
use pointsman_testkit::mock::{Answer, Mock, Received};
use pointsman_testkit::openai::{self, Tokens};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::gateway::{Folder, Gateway, KEY, provider};
use crate::support::http;
use crate::support::records::Records;

/// Kills in all, shared out over the lanes.
const KILLS: usize = 50;
/// Gateways that live and die side by side.
const LANES: usize = 5;
/// Clients of each gateway.
const CLIENTS: usize = 3;
/// What finished so long before a kill must be kept.
const DURABLE_AFTER: Duration = Duration::from_secs(1);
/// A life lasts this long and a random part of `SPREAD` more.
const SHORTEST_LIFE: Duration = Duration::from_millis(1200);
const SPREAD: Duration = Duration::from_millis(800);
/// The clients' pause between requests: enough load to fill batches, not so much that two cores starve.
const PAUSE: Duration = Duration::from_millis(5);

/// What one lane saw.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    /// Requests that had to be on disk.
    due: usize,
    /// Requests that the mock finished at all.
    finished: usize,
    missing: Vec<String>,
    doubled: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_keeps_what_was_finished() {
    let seed = std::env::var("POINTSMAN_SEED").map_or_else(|_| fresh_seed(), |text| text.parse().unwrap());
    println!("seed {seed}");
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        lanes.spawn(run_lane(lane, Rng::new(seed.wrapping_add(lane as u64))));
    }
    let mut all = Tally::default();
    for tally in lanes.join_all().await {
        all.kills += tally.kills;
        all.due += tally.due;
        all.finished += tally.finished;
        all.missing.extend(tally.missing);
        all.doubled.extend(tally.doubled);
    }
    println!(
        "note-for-summary: kill -9: {} kills, {} requests finished, {} due on disk, {} missing, {} doubled",
        all.kills,
        all.finished,
        all.due,
        all.missing.len(),
        all.doubled.len(),
    );
    assert_eq!(all.kills, KILLS);
    assert!(all.due > KILLS * 10, "too little load to prove anything: {} due", all.due);
    assert!(all.missing.is_empty(), "finished, but not on disk: {:?}", all.missing);
    assert!(all.doubled.is_empty(), "on disk more than once: {:?}", all.doubled);
}

async fn run_lane(lane: usize, mut rng: Rng) -> Tally {
    let mock = Mock::new();
    mock.otherwise(answer);
    let server = mock.serve_tcp().await.unwrap();
    let config = format!("providers:\n{}", provider("mock", &server.base_url(), &["m"]));
    let mut folder = Folder::new();
    let mut killed_at = Vec::new();
    for life in 0..KILLS / LANES {
        let gateway = tokio::task::block_in_place(|| Gateway::start_in(folder, &config));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(send_until_dead(gateway.address, format!("{lane}.{life}.{client}")));
        }
        let extra = rng.below(u64::try_from(SPREAD.as_micros()).unwrap());
        tokio::time::sleep(SHORTEST_LIFE + Duration::from_micros(extra)).await;
        killed_at.push(Instant::now());
        folder = tokio::task::block_in_place(|| gateway.kill());
        clients.join_all().await;
    }
    let records = Records::open(&folder.data());
    assert_eq!(records.integrity(), "ok");
    judge(&mock.received(), &killed_at, &records.sessions())
}

/// Sends marked requests, one after the other, every third one streamed, until the gateway is gone.
async fn send_until_dead(address: SocketAddr, client: String) {
    for n in 0.. {
        let mark = format!("{client}.{n}");
        let body = json!({
            "model": "mock/m", "user": mark, "stream": n % 3 == 2,
            "messages": [{"role": "user", "content": "Hi"}],
        });
        let authorization = format!("Bearer {KEY}");
        let headers = [("authorization", authorization.as_str()), ("x-pointsman-session", &mark)];
        let Ok(answer) = http::post(address, "/v1/chat/completions", &headers, &body).await else { return };
        assert_eq!(answer.status, 200, "{mark}");
        if answer.bytes().await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn answer(request: &Received) -> Answer {
    let tokens = Tokens { input: 3, output: 2 };
    if request.json()["stream"] == true {
        Answer::sse(openai::chat_events("m", &["a", "b"], Some(tokens))).emits(tokens)
    } else {
        Answer::chat("m", "ab", tokens)
    }
}

/// Compares the mock's log with the record file.
fn judge(log: &[Received], killed_at: &[Instant], sessions: &HashMap<String, u32>) -> Tally {
    let mut tally = Tally { kills: killed_at.len(), ..Tally::default() };
    for entry in log.iter().filter(|entry| entry.is_complete()) {
        let Some((_, ended)) = entry.ended else { continue };
        let mark = entry.json()["user"].as_str().unwrap().to_owned();
        let life: usize = mark.split('.').nth(1).unwrap().parse().unwrap();
        let rows = sessions.get(&mark).copied().unwrap_or(0);
        tally.finished += 1;
        if ended + DURABLE_AFTER < killed_at[life] {
            tally.due += 1;
            if rows == 0 {
                tally.missing.push(mark.clone());
            }
        }
        if rows > 1 {
            tally.doubled.push(mark);
        }
    }
    tally
}

fn fresh_seed() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap_or(0)
}
