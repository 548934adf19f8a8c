//! Requests that wait for a deployment which has as many calls as it may: a short queue with deadlines, the more
//! urgent first.
//!
//! Nobody in line tries for themselves. Whoever sees that a place may be free ([`Line::moves_up`]: a call that
//! ended, a ceiling whose time has come) asks on behalf of the first in line and hands the pass over, so that
//! order is never lost and a newcomer never overtakes.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pointsman_resilience::{Ask, EndpointPolicy, Place, Priority, Refusal, WaitLine};
use smallvec::SmallVec;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::endpoints::Site;
use crate::pass::Pass;

/// Those who wait for one deployment.
#[derive(Debug)]
pub(crate) struct Line {
    /// How many they are: what a call that ends looks at.
    count: AtomicUsize,
    waiting: Mutex<WaitLine<Waiter>>,
    /// The first one can go on at a time that nobody in line knows of yet.
    again: Notify,
}

impl Default for Line {
    fn default() -> Self {
        Self { count: AtomicUsize::new(0), waiting: Mutex::new(WaitLine::new(0)), again: Notify::new() }
    }
}

#[derive(Debug)]
struct Waiter {
    ask: Ask,
    policy: Arc<EndpointPolicy>,
    pass: oneshot::Sender<Pass>,
}

/// Why somebody left the line without a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was full.
    Full,
    /// It took too long.
    Late,
    /// Somebody more urgent took its place, or what it waited for may not be called at all by now.
    Away,
}

/// What somebody waits for, and how long.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) policy: Arc<EndpointPolicy>,
    pub(crate) ask: Ask,
    pub(crate) priority: Priority,
    pub(crate) until: Instant,
}

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Hands passes to those in front, as many as there are. Answers when it is worth another look, where that is
    /// a matter of time.
    pub(crate) fn moves_up(&self, site: &Arc<Site>) -> Option<Duration> {
        // Against the fence in `wait`: either the newcomer is seen here, or it sees the place that is free.
        fence(Ordering::SeqCst);
        if self.is_empty() {
            return None;
        }
        loop {
            let mut gone: SmallVec<[Waiter; 4]> = SmallVec::new();
            let (handed, again) = self.hand_over(site, &mut gone);
            // Outside the lock: those who see their sender dropped go elsewhere.
            drop(gone);
            match handed.map(|(waiter, pass)| waiter.pass.send(pass)) {
                Some(Ok(())) => {}
                // It left just now. Its pass is for the next one, who is looked for when that is dropped.
                Some(Err(pass)) => pass.unused(),
                None => return again,
            }
        }
    }

    /// A place may be free: hands passes over, and has somebody in line look again where that is a matter of time.
    pub(crate) fn freed(&self, site: &Arc<Site>) {
        if self.moves_up(site).is_some() {
            self.again.notify_one();
        }
    }

    /// The first in line with a pass, or when to look again.
    fn hand_over(
        &self,
        site: &Arc<Site>,
        gone: &mut SmallVec<[Waiter; 4]>,
    ) -> (Option<(Waiter, Pass)>, Option<Duration>) {
        let now = site.timeline.now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        gone.extend(waiting.expire(now));
        let found = loop {
            let Some(first) = waiting.first(now) else { break (None, None) };
            match site.endpoint.admit(&first.policy, first.ask, now) {
                Ok(ticket) => {
                    let Some(waiter) = waiting.pop(now) else { break (None, None) };
                    break (Some((waiter, Pass::new(ticket, site.clone()))), None);
                }
                Err(Refusal::Ceiling { until, .. }) => break (None, Some(until)),
                Err(Refusal::Busy) => break (None, None),
                Err(Refusal::Open { .. } | Refusal::KeysBenched { .. }) => {
                    let Some(waiter) = waiting.pop(now) else { break (None, None) };
                    gone.push(waiter);
                }
            }
        };
        self.count.store(waiting.len(), Ordering::Relaxed);
        found
    }

    fn push(&self, wish: &Wish, until: Duration) -> Result<(Place, oneshot::Receiver<Pass>), Left> {
        let (pass, receiver) = oneshot::channel();
        let waiter = Waiter { ask: wish.ask, policy: wish.policy.clone(), pass };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.resize(wish.policy.max_queue as usize);
        let joined = waiting.push(wish.priority, until, waiter);
        self.count.store(waiting.len(), Ordering::Relaxed);
        drop(waiting);
        fence(Ordering::SeqCst);
        // Whoever had to make room learns it by the end of its channel.
        joined.map(|joined| (joined.place, receiver)).map_err(|_| Left::Full)
    }

    fn remove(&self, place: Place) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = waiting.remove(place);
        self.count.store(waiting.len(), Ordering::Relaxed);
        drop(waiting);
        drop(removed);
    }
}

/// Leaves the line when it is dropped.
struct Standing<'s> {
    site: &'s Arc<Site>,
    place: Place,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.site.line.remove(self.place);
        // It may have been the first, held by what does not hold the next one.
        self.site.line.freed(self.site);
    }
}

/// Waits in line.
///
/// # Errors
/// It was in vain.
pub(crate) async fn wait(site: &Arc<Site>, wish: Wish) -> Result<Pass, Left> {
    let timeline = site.timeline;
    let until = timeline.at(wish.until);
    let (place, mut receiver) = site.line.push(&wish, until)?;
    let standing = Standing { site, place };
    let mut look_again = site.line.moves_up(site);
    loop {
        let wake = look_again.map_or(wish.until, |at| timeline.instant(at).min(wish.until));
        tokio::select! {
            biased;
            pass = &mut receiver => {
                drop(standing);
                return pass.map_err(|_| if timeline.now() >= until { Left::Late } else { Left::Away });
            }
            () = site.line.again.notified() => look_again = site.line.moves_up(site),
            () = sleep_until(wake) => {
                if timeline.now() >= until {
                    drop(standing);
                    // It may have come at the last moment.
                    return receiver.try_recv().map_err(|_| Left::Late);
                }
                look_again = site.line.moves_up(site);
            }
        }
    }
}

#[cfg(test)]
mod tests;
