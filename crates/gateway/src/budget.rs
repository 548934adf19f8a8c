//! The global budget of request-body bytes in flight: memory stays bounded whatever clients send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be held at one time.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    used: AtomicUsize,
}

/// A share of the budget, given back on drop.
#[derive(Debug)]
pub(crate) struct ByteLease {
    budget: Arc<ByteBudget>,
    bytes: usize,
}

impl ByteBudget {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0) })
    }

    /// Bytes held now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// An empty share.
    pub(crate) fn lease(self: &Arc<Self>) -> ByteLease {
        ByteLease { budget: self.clone(), bytes: 0 }
    }
}

impl ByteLease {
    /// Takes `bytes` more, or nothing where that would exceed `limit`.
    pub(crate) fn grow(&mut self, bytes: usize, limit: usize) -> bool {
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > limit {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for ByteLease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_comes_back_and_the_limit_holds() {
        let budget = ByteBudget::new();
        let mut first = budget.lease();
        let mut second = budget.lease();
        assert!(first.grow(600, 1000));
        assert!(!second.grow(500, 1000));
        assert!(second.grow(400, 1000));
        drop(first);
        assert_eq!(budget.used(), 400);
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
