//! A model of a model server: how long it takes, and how it fails.

use std::time::Duration;

use pointsman_core::{LimitsSeen, Outcome, Window};

/// The wait for a first token, on average; its draw is a factor to it.
const FIRST_TOKEN_SECS: f64 = 0.3;
const PER_TOKEN_SECS: f64 = 0.005;
/// What a client waits for a first token.
const PATIENCE_SECS: f64 = 10.0;
const REFUSES_AFTER_SECS: f64 = 0.01;

/// What is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    None,
    /// By this factor.
    Slow(f64),
    /// Refuses with 429 above it, and says so beforehand in its headers.
    Throttled {
        per_minute: u64,
    },
    /// Down and up by turns; down, it refuses, is overloaded or is silent, by turns.
    Flapping {
        period_secs: u64,
    },
    /// In the middle third of the time: six times as slow, and a quarter of the calls end with an error.
    Brownout,
}

/// What a request draws, whoever serves it: the same for all balancers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    pub(super) factor: f64,
    pub(super) tokens: u64,
    /// Uniform below one.
    pub(super) luck: f64,
}

/// What comes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) outcome: Outcome,
    /// Until the first token, or the failure.
    pub(super) first: Duration,
    /// Until the end.
    pub(super) whole: Duration,
    pub(super) limits: LimitsSeen,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    pub(super) fault: Fault,
    /// In the region of the balancer.
    pub(super) near: bool,
    /// The way there and back.
    pub(super) way_secs: f64,
    /// Calls that it serves at full speed; more of them share it.
    pub(super) slots: u32,
    pub(super) in_flight: u32,
    /// Of its ceiling, filled all the time; and when that was counted.
    pub(super) left: f64,
    pub(super) counted: f64,
}

impl Server {
    pub(super) fn sound(near: bool) -> Self {
        Self {
            fault: Fault::None,
            near,
            way_secs: 0.0,
            slots: 16,
            in_flight: 0,
            left: f64::NAN,
            counted: 0.0,
        }
    }

    /// A call that begins at `now` of `horizon` seconds.
    pub(super) fn call(&mut self, draw: Draw, now: f64, horizon: f64) -> Reply {
        let load = (f64::from(self.in_flight + 1) / f64::from(self.slots)).max(1.0);
        let (slower, failure) = self.state(draw, now, horizon);
        let mut limits = LimitsSeen::default();
        if let Fault::Throttled { per_minute } = self.fault {
            limits.requests = Some(self.window(per_minute));
        }
        let secs = |secs: f64| Duration::from_secs_f64(secs + self.way_secs);
        if let Some((outcome, after)) = failure {
            return Reply { outcome, first: secs(after), whole: secs(after), limits };
        }
        let first = FIRST_TOKEN_SECS * draw.factor * load * slower;
        if first > PATIENCE_SECS {
            let outcome = Outcome::Timeout(pointsman_core::Phase::FirstToken);
            return Reply { outcome, first: secs(PATIENCE_SECS), whole: secs(PATIENCE_SECS), limits };
        }
        let whole = first + PER_TOKEN_SECS * draw.tokens as f64 * load * slower;
        Reply { outcome: Outcome::Success, first: secs(first), whole: secs(whole), limits }
    }

    /// By how much it is slower now, and how a call fails after how long.
    fn state(&mut self, draw: Draw, now: f64, horizon: f64) -> (f64, Option<(Outcome, f64)>) {
        let failing = |outcome, after| (1.0, Some((outcome, after)));
        match self.fault {
            Fault::None => (1.0, None),
            Fault::Slow(factor) => (factor, None),
            Fault::Throttled { per_minute } => match self.take(per_minute, now) {
                true => (1.0, None),
                false => failing(Outcome::RateLimited { retry_after: None }, REFUSES_AFTER_SECS),
            },
            Fault::Flapping { period_secs } => {
                let phase = now as u64 / period_secs;
                match phase % 6 {
                    1 => failing(Outcome::Refused, REFUSES_AFTER_SECS),
                    3 => failing(Outcome::Overloaded { retry_after: None }, REFUSES_AFTER_SECS),
                    5 => failing(Outcome::Timeout(pointsman_core::Phase::FirstToken), PATIENCE_SECS),
                    _ => (1.0, None),
                }
            }
            Fault::Brownout => {
                let third = (now * 3.0 / horizon) as u64;
                match third {
                    1 if draw.luck < 0.25 => failing(Outcome::UpstreamFault, REFUSES_AFTER_SECS),
                    1 => (6.0, None),
                    _ => (1.0, None),
                }
            }
        }
    }

    fn take(&mut self, per_minute: u64, now: f64) -> bool {
        let all = per_minute as f64;
        let left = if self.left.is_nan() { all } else { self.left + (now - self.counted) * all / 60.0 };
        self.left = left.min(all);
        self.counted = now;
        let fits = self.left >= 1.0;
        if fits {
            self.left -= 1.0;
        }
        fits
    }

    fn window(&self, per_minute: u64) -> Window {
        let missing = per_minute as f64 - self.left;
        Window {
            limit: Some(per_minute),
            remaining: Some(self.left as u64),
            reset: Some(Duration::from_secs_f64(missing * 60.0 / per_minute as f64)),
        }
    }
}
