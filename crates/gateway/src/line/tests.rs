//! Many threads at one narrow place: nobody is forgotten, and nobody comes in too many.

use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::time::Duration;

use pointsman_core::{Clock, Outcome};
use pointsman_resilience::Endpoint;
use tokio::task::{JoinSet, yield_now};

use super::*;
use crate::endpoints::Timeline;

const PLACES: u32 = 3;
const REQUESTS: usize = 4_000;

fn site() -> Arc<Site> {
    let timeline = Timeline::new(Clock::system());
    Arc::new(Site { endpoint: Arc::new(Endpoint::new(1)), line: Line::default(), timeline })
}

fn policy() -> Arc<EndpointPolicy> {
    let (max_concurrency, max_queue) = (Some(PLACES), u32::MAX);
    Arc::new(EndpointPolicy { max_concurrency, max_queue, ..EndpointPolicy::default() })
}

/// A pass, at once or in line; whoever is impatient leaves the line after a few turns.
async fn come_in(site: &Arc<Site>, policy: &Arc<EndpointPolicy>, patient: bool) -> Option<Pass> {
    match site.enter(policy, Ask::default(), site.timeline.now()) {
        Ok(pass) => return Some(pass),
        Err(refusal) => assert_eq!(refusal, Refusal::Busy),
    }
    let until = Instant::now() + Duration::from_secs(60);
    let wish = Wish { policy: policy.clone(), ask: Ask::default(), priority: Priority::Normal, until };
    let waiting = wait(site, wish);
    if patient {
        return Some(waiting.await.unwrap());
    }
    tokio::select! {
        pass = waiting => Some(pass.unwrap()),
        () = async { for _ in 0..20 { yield_now().await } } => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_forgotten_and_nobody_comes_in_too_many() {
    let (site, policy) = (site(), policy());
    let (inside, most, served) =
        (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for number in 0..REQUESTS {
        let (site, policy) = (site.clone(), policy.clone());
        let (inside, most, served) = (inside.clone(), most.clone(), served.clone());
        tasks.spawn(async move {
            let patient = number % 4 != 0;
            let Some(pass) = come_in(&site, &policy, patient).await else { return };
            let now = inside.fetch_add(1, Ordering::AcqRel) + 1;
            most.fetch_max(now, Ordering::AcqRel);
            for _ in 0..number % 3 {
                yield_now().await;
            }
            inside.fetch_sub(1, Ordering::AcqRel);
            served.fetch_add(usize::from(patient), Ordering::AcqRel);
            match number % 2 {
                0 => pass.end(Outcome::Success, (1, 1), site.timeline.now()),
                _ => drop(pass),
            }
        });
    }
    let all = async { while tasks.join_next().await.is_some_and(|done| done.is_ok()) {} };
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
    assert_eq!(served.load(Ordering::Acquire), REQUESTS / 4 * 3);
    assert_eq!(most.load(Ordering::Acquire), PLACES, "all places were used, and no more");
    assert_eq!((site.endpoint.in_flight(), site.line.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_is_waited_for_as_long_as_it_takes() {
    let site = site();
    let policy = EndpointPolicy { requests_per_minute: Some(6), max_queue: 9, ..EndpointPolicy::default() };
    let policy = Arc::new(policy);
    for _ in 0..6 {
        site.enter(&policy, Ask::default(), site.timeline.now()).unwrap().end(
            Outcome::Success,
            (1, 1),
            site.timeline.now(),
        );
    }
    let started = Instant::now();
    let wish = |seconds| Wish {
        policy: policy.clone(),
        ask: Ask::default(),
        priority: Priority::Normal,
        until: started + Duration::from_secs(seconds),
    };
    let (first, second, third) =
        tokio::join!(wait(&site, wish(30)), wait(&site, wish(30)), wait(&site, wish(15)));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(third.err(), Some(Left::Late));
    let waited = started.elapsed();
    assert!(
        waited >= Duration::from_secs(19) && waited < Duration::from_secs(22),
        "one in ten seconds: {waited:?}"
    );
    assert_eq!(site.line.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_a_place_waits_for_the_ceiling_that_comes_after_it() {
    let site = site();
    let policy = Arc::new(EndpointPolicy {
        max_concurrency: Some(1),
        max_queue: 9,
        requests_per_minute: Some(1),
        ..EndpointPolicy::default()
    });
    let busy = site.enter(&policy, Ask::default(), site.timeline.now()).unwrap();
    let started = Instant::now();
    let wish = Wish {
        policy: policy.clone(),
        ask: Ask::default(),
        priority: Priority::Normal,
        until: started + Duration::from_secs(600),
    };
    let ends = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        busy.end(Outcome::Success, (1, 1), site.timeline.now());
    };
    let (pass, ()) = tokio::join!(wait(&site, wish), ends);
    assert!(pass.is_ok());
    let waited = started.elapsed();
    assert!(waited <= Duration::from_secs(61), "not until its own time is over: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_head_of_the_line_holds_nobody_up() {
    let site = site();
    let policy = Arc::new(EndpointPolicy {
        max_queue: 9,
        tokens_per_minute: Some(1_000),
        ..EndpointPolicy::default()
    });
    let first = site.enter(&policy, Ask { tokens: 900, ..Ask::default() }, site.timeline.now()).unwrap();
    let started = Instant::now();
    let wish = |tokens, seconds| Wish {
        policy: policy.clone(),
        ask: Ask { tokens, ..Ask::default() },
        priority: Priority::Normal,
        until: started + Duration::from_secs(seconds),
    };
    let (large, small) = tokio::join!(wait(&site, wish(1_000, 2)), wait(&site, wish(10, 600)));
    assert_eq!(large.unwrap_err(), Left::Late);
    assert!(small.is_ok());
    assert!(started.elapsed() <= Duration::from_secs(3), "{:?}", started.elapsed());
    drop(first);
}
