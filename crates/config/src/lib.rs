//! Every feature's configuration, composed into one immutable snapshot.
//!
//! One path: YAML text → spanned tree → raw sections → validated domain types → [`Snapshot`]. Start
//! with [`Snapshot`] for what requests see and with [`domain`] for what it is made of.

mod compose;
pub mod domain;
mod snapshot;

pub use domain::{
    AccessLog, DataSettings, Deployment, DiscoverySettings, LogFormat, LogSettings, OnDisconnect, Provider,
    ProviderKind, RouteOptions, ServerSettings, Settings, Timeouts,
};
pub use snapshot::Snapshot;
