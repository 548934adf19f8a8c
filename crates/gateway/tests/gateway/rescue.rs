//! Streams that break off in the middle, gone on with by another provider.

mod calls;
mod cuts;
mod limits;
mod policy;
mod story;
