//! The scorecard: what must become of a request for each way in which providers fail.
//!
//! A [`Row`] says who fails how, and what is to be seen. Whoever runs it (in memory on paused time, or over
//! sockets against the real binary) hands over the [`Evidence`], and four things are judged: the client's
//! bytes, the providers' logs of attempts, the bill, and the time.

mod judge;
mod row;
mod rows;

pub use self::judge::{ASSERTIONS, Evidence, Verdict};
pub use self::row::{Client, Expect, LIMIT, Place, Provider, Row};
pub use self::rows::{DIALECTS, SEEDS, all, faults, rescue, scenarios};
