//! Leave to call a deployment once: a place among its calls, given back on drop.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::{LimitsSeen, Outcome};
use pointsman_resilience::Ticket;

use crate::endpoints::Site;

/// Leave to call a deployment once. What became of the call is told by [`Pass::end`]; a pass that is dropped
/// before counts as a call that was cancelled.
#[derive(Debug)]
pub(crate) struct Pass {
    ticket: Option<Ticket>,
    site: Arc<Site>,
}

impl Pass {
    pub(crate) fn new(ticket: Ticket, site: Arc<Site>) -> Self {
        Self { ticket: Some(ticket), site }
    }

    /// Which of the provider's keys goes with the call.
    pub(crate) fn key(&self) -> usize {
        self.ticket.as_ref().map_or(0, |ticket| ticket.key)
    }

    /// What the answer's headers say of limits.
    pub(crate) fn limits_seen(&self, seen: &LimitsSeen, now: Duration) {
        if let Some(ticket) = &self.ticket {
            ticket.limits_seen(seen, now);
        }
    }

    /// The answer begins to show.
    pub(crate) fn first_token(&mut self, now: Duration) {
        if let Some(ticket) = &mut self.ticket {
            ticket.first_token(now);
        }
    }

    /// The call has ended, and used so many tokens: all, and those of the answer.
    pub(crate) fn end(mut self, outcome: Outcome, (total, output): (u64, u64), now: Duration) {
        if let Some(ticket) = self.ticket.take() {
            ticket.end(outcome, total, output, now);
        }
    }

    /// Nothing was sent.
    pub(crate) fn unused(mut self) {
        let now = self.site.timeline.now();
        if let Some(ticket) = self.ticket.take() {
            ticket.unused(now);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // The place is free before the next one in line is looked for.
        drop(self.ticket.take());
        self.site.line.freed(&self.site);
    }
}
