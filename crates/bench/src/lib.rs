//! Measuring: a mock upstream, the floor proxy, a load generator, and the runs that compare.
//!
//! Start with [`cli`] for what can be done, and with [`floor`] for what Pointsman is held against. [`chaos`]
//! measures something else: whether callers notice that providers fail.

pub mod chaos;
pub mod cli;
pub mod clock;
pub mod convert;
pub mod floor;
pub mod http;
pub mod load;
pub mod machine;
pub mod mock;
pub mod prompt;
pub mod report;
pub mod run;
pub mod sample;
pub mod server;
