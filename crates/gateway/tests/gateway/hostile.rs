//! Hostile clients: the whole table of [`pointsman_testkit::hostile`], in memory and on paused time.

use std::collections::HashSet;

use pointsman_testkit::hostile::{self, BODY_TIMEOUT, Case, HEADER_TIMEOUT, KEY};
use pointsman_testkit::mock::{Answer, Mock};
use pointsman_testkit::openai::Tokens;
use tokio::time::Instant;

use crate::harness::*;

/// The minimum of distinct inputs.
const MINIMUM: usize = 120;

fn world(of: hostile::World) -> (World, Mock) {
    let world = start(&hostile::config(of, "http://alpha.test/v1", ""));
    let alpha = world.upstream("alpha");
    alpha.otherwise(|_| Answer::chat("m", "x", Tokens { input: 1, output: 1 }));
    (world, alpha)
}

/// Plays one input, and then a normal request on a connection of its own.
async fn play(world: &World, alpha: &Mock, case: &Case) -> Option<String> {
    let before = alpha.received().len();
    let started = Instant::now();
    let replies = match case.run(world.raw().await).await {
        Ok(replies) => replies,
        Err(error) => return Some(format!("{}: no HTTP came back: {error}", case.name)),
    };
    let elapsed = started.elapsed();
    let received: Vec<_> = alpha.received()[before..].iter().map(|request| request.body.clone()).collect();
    let normal = world.send(with(chat("alpha/m"), "authorization", &format!("Bearer {KEY}"))).await;
    world.assert_at_rest();
    if let Some(wrong) = case.verdict(&replies) {
        return Some(wrong);
    }
    if received != case.forwarded().cloned().collect::<Vec<_>>() {
        return Some(format!("{}: other bytes went upstream: {received:?}", case.name));
    }
    if normal.status != 200 {
        return Some(format!("{}: afterwards a normal request got {}", case.name, normal.status));
    }
    // A head, a body, and the wait for a next head that does not come.
    let limit = HEADER_TIMEOUT + BODY_TIMEOUT + secs(1);
    (elapsed > limit).then(|| format!("{}: the connection was held for {elapsed:?}", case.name))
}

#[tokio::test(start_paused = true)]
async fn every_input_has_its_exact_result() {
    let worlds = [world(hostile::World::Open), world(hostile::World::Keyed)];
    let cases = hostile::cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let (world, alpha) = &worlds[usize::from(case.world == hostile::World::Keyed)];
        wrong.extend(play(world, alpha, case).await);
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_table_is_long_enough_and_its_inputs_are_distinct() {
    let cases = hostile::cases();
    let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
    let inputs: HashSet<_> = cases.iter().map(|case| format!("{:?} {:?}", case.world, case.steps)).collect();
    assert_eq!(names.len(), cases.len(), "every name once");
    assert_eq!(inputs.len(), cases.len(), "every input once");
    assert!(cases.len() >= MINIMUM, "{} inputs", cases.len());
}
