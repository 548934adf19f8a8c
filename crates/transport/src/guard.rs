//! The guard against requests to where nobody may send us: addresses are checked after names are
//! resolved, and exactly the checked address is dialled, so that a name cannot change in between.
//!
//! [`Reach::Configured`] holds for all upstreams. [`Reach::Public`] is for URLs that come from users;
//! [`Fetcher`] gets those, and checks every redirect.

mod address;
mod fetcher;
mod network;
#[cfg(test)]
mod tests;

pub use address::{Reach, Refused};
pub use fetcher::{FetchUrlError, Fetched, Fetcher, Limits};
pub use network::{Dialing, Network, Resolving, SystemNetwork};
