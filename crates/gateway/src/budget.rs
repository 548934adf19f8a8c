//! The global budget of request-body bytes in flight: memory stays bounded whatever clients send.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pointsman_telemetry::Metrics;

/// A share of the budget, given back on drop. The sum of all shares is the gauge of that name, so that
/// what is enforced is what is shown.
#[derive(Debug)]
pub(crate) struct ByteLease {
    metrics: Arc<Metrics>,
    bytes: i64,
    limit: i64,
}

impl ByteLease {
    /// An empty share of a budget of `limit` bytes.
    pub(crate) fn new(metrics: Arc<Metrics>, limit: usize) -> Self {
        Self { metrics, bytes: 0, limit: signed(limit) }
    }

    /// Whether `bytes` more would fit now; takes nothing.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.metrics.body_bytes().load(Ordering::Relaxed).saturating_add(signed(bytes)) <= self.limit
    }

    /// Takes `bytes` more, or nothing where all shares together would exceed the budget.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let bytes = signed(bytes);
        let before = self.metrics.body_bytes().fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit {
            self.metrics.body_bytes().fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for ByteLease {
    fn drop(&mut self) {
        self.metrics.body_bytes().fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_comes_back_and_the_limit_holds() {
        let metrics = Arc::new(Metrics::new("test"));
        let mut first = ByteLease::new(metrics.clone(), 1000);
        let mut second = ByteLease::new(metrics.clone(), 1000);
        assert!(first.grow(600));
        assert!(!second.grow(500) && !second.fits(401));
        assert!(second.fits(400) && second.grow(400));
        drop(first);
        assert_eq!(metrics.body_bytes().load(Ordering::Relaxed), 400);
        drop(second);
        assert_eq!(metrics.body_bytes().load(Ordering::Relaxed), 0);
    }
}
