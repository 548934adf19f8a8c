//! Calls of our own to deployments that are sick, where the configuration asks for them: they find out that one is
//! well again before a caller has to.
//!
//! Each is a request like any other, for one token, with a record; it is on the account of [`CALLER`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, StatusCode};
use pointsman_config::{Deployment, Snapshot};
use pointsman_core::{ModelRef, Operation, Outcome, Principal, Rng};
use pointsman_providers::Mode;
use pointsman_resilience::{Ask, BreakerState, EndpointView, Forced, ProbePolicy};
use pointsman_telemetry::Probed;
use smallvec::smallvec;
use tokio::time::{Instant, sleep};

use crate::Gateway;
use crate::endpoints::Site;
use crate::live::Live;
use crate::meter::Meter;
use crate::pipeline::attempt;
use crate::pipeline::dispatch::{Dispatch, Outgoing};
use crate::pipeline::plan::Planned;
use crate::settlement::Settlement;

/// The key under which probes are accounted for.
const CALLER: &str = "system:probe";
/// How often it is looked who is sick.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Probes at one time.
const AT_ONCE: usize = 8;
/// How long one may take.
const WITHIN: Duration = Duration::from_secs(30);
const SECONDS_PER_DAY: i64 = 86_400;

/// What was spent on one deployment.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    last: Option<Instant>,
    /// Days since the Unix epoch.
    day: i64,
    /// On that day.
    count: u32,
}

impl Spent {
    /// Whether one more is allowed; it is counted if so.
    fn take(&mut self, policy: ProbePolicy, now: Instant, day: i64) -> bool {
        if self.day != day {
            (self.day, self.count) = (day, 0);
        }
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= policy.every);
        if !due || self.count >= policy.max_per_day {
            return false;
        }
        (self.last, self.count) = (Some(now), self.count + 1);
        true
    }
}

impl Gateway {
    /// Probes sick deployments until the server drains.
    pub async fn probe(self: Arc<Self>) {
        let drain = self.drain.clone();
        tokio::select! {
            () = drain.wait() => {}
            () = self.probe_always() => {}
        }
    }

    async fn probe_always(self: &Arc<Self>) {
        let mut spent: HashMap<ModelRef, Spent> = HashMap::new();
        loop {
            sleep(LOOK_EVERY).await;
            let world = self.world.load_full();
            let sick: Vec<_> = self.due(&world, &mut spent);
            if sick.is_empty() {
                continue;
            }
            let known: HashSet<_> = world.all_deployments().iter().map(|known| known.key.clone()).collect();
            spent.retain(|key, _| known.contains(key));
            let calls = sick.into_iter().map(|(deployment, key)| self.probe_one(&world, deployment, key));
            stream::iter(calls).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
        }
    }

    /// Those that are sick and may be probed now, each with the key that is benched, if that is what is wrong.
    fn due(
        &self,
        world: &Snapshot,
        spent: &mut HashMap<ModelRef, Spent>,
    ) -> Vec<(Arc<Deployment>, Option<usize>)> {
        let now = self.clock.now();
        let day = self.clock.unix_us(now) / 1_000_000 / SECONDS_PER_DAY;
        let mut due = Vec::new();
        for deployment in world.all_deployments() {
            let Some(policy) = deployment.endpoint.probe else { continue };
            // Who was never called is not sick.
            let Some(site) = Site::known(&deployment) else { continue };
            let view = site.endpoint.view(&deployment.endpoint, self.timeline.at(now));
            let Some(key) = sick_key(&view) else { continue };
            if spent.entry(deployment.key.clone()).or_default().take(policy, now, day) {
                due.push((deployment, key));
            }
        }
        due
    }

    async fn probe_one(
        self: &Arc<Self>,
        world: &Arc<Snapshot>,
        deployment: Arc<Deployment>,
        key: Option<usize>,
    ) {
        let Some((operation, body)) = question(&deployment) else { return };
        let Some(live) = Live::of(&deployment, self) else { return };
        // Room for its record, or none of it: probes do not crowd out requests.
        let Some(permit) = self.recorder.permit() else { return };
        // Before anything is on record: a probe that cannot be made is none.
        let ask = Ask { tokens: 1, forced: true, key, ..Ask::default() };
        let Ok(pass) = live.site.enter(&deployment.endpoint, ask, self.timeline.now()) else { return };
        let now = self.clock.now();
        let id = self.ids.next(u64::try_from(self.clock.unix_us(now) / 1000).unwrap_or_default());
        let mut settlement = Settlement::open(self, permit, id, Meter::start(now));
        settlement.update(|record| {
            record.principal = Arc::new(Principal { key: Some(CALLER.into()), ..Principal::default() });
            record.operation = operation;
            record.requested_model = deployment.name.clone();
            record.config_generation = world.generation;
            record.price_version = world.price_version;
            record.request_bytes = body.len() as u64;
        });
        let planned =
            Planned::plain(world.no_route.clone(), smallvec![deployment.clone()], Rng::for_request(id));
        let outgoing = Outgoing::new(body, &HeaderMap::new());
        let mut dispatch =
            Dispatch::new(self.clone(), settlement, Planned { total: WITHIN, ..planned }, outgoing);
        dispatch.turn_to(0, pass);
        // Boxed: as large as a request's own.
        let outcome = match Box::pin(attempt::attempt(&mut dispatch, &deployment)).await {
            Ok(_) => Outcome::Success,
            Err(failure) => failure.outcome,
        };
        let well = outcome == Outcome::Success;
        tracing::info!(deployment = %deployment.key, outcome = outcome.as_str(), "a sick deployment was probed");
        self.metrics.resilience().probed(if well { Probed::Well } else { Probed::Sick });
        let status = if well { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        dispatch.settlement.end(outcome, status.as_u16(), None);
    }
}

/// What is wrong: `None`: nothing; a key's place, where only that is.
fn sick_key(view: &EndpointView) -> Option<Option<usize>> {
    // One probe at a time, and none while the provider has asked to be left alone.
    if view.breaker.probing || view.held_until.is_some() {
        return None;
    }
    if view.breaker.state != BreakerState::Closed {
        // An operator's word is not for a probe to doubt.
        return (view.breaker.forced == Forced::None).then_some(None);
    }
    let benched = view.keys.iter().position(|key| {
        key.breaker.state != BreakerState::Closed && !key.breaker.probing && key.held_until.is_none()
    });
    benched.map(Some)
}

/// The smallest request that a model answers; `None`: of its kind none is small.
fn question(deployment: &Deployment) -> Option<(Operation, Bytes)> {
    let model = std::str::from_utf8(&deployment.model_json).ok()?;
    // OpenAI's reasoning models refuse the older name, most other servers do not know the newer one.
    let limit = match deployment.provider.vendor {
        Some("openai" | "azure") => "max_completion_tokens",
        _ => "max_tokens",
    };
    let (operation, rest) = match deployment.mode {
        None | Some(Mode::Chat) => {
            (Operation::Chat, format!(r#""messages":[{{"role":"user","content":"1"}}],"{limit}":1"#))
        }
        Some(Mode::Embedding) => (Operation::Embeddings, String::from(r#""input":"1""#)),
        Some(_) => return None,
    };
    Some((operation, format!(r#"{{"model":{model},{rest}}}"#).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn probes_are_apart_and_few_a_day() {
        let policy = ProbePolicy { every: Duration::from_secs(60), max_per_day: 2 };
        let mut spent = Spent::default();
        let start = Instant::now();
        let mut take = |seconds, day| spent.take(policy, start + Duration::from_secs(seconds), day);
        assert!(take(0, 1));
        assert!(!take(59, 1));
        assert!(take(60, 1));
        assert!(!take(600, 1), "two a day");
        assert!(take(601, 2), "another day");
    }
}
