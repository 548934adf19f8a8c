//! From validated parts to a [`crate::Snapshot`].

mod pricing;

pub(crate) use pricing::Pricing;
