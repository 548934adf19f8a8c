//! Every feature's configuration, composed into one immutable snapshot.
//!
//! One path: YAML text → spanned tree (`yaml`) → sections as written (`decode`, `raw`) → checked
//! domain types (`validate`, [`domain`]) → [`Snapshot`] (`compose`). Start with [`prepare`], which runs
//! all of it, and with [`Snapshot`], which is what requests see.

mod compose;
mod decode;
mod discover;
mod document;
pub mod domain;
mod edit;
mod effective;
mod environment;
mod error;
mod fuzz;
mod raw;
mod snapshot;
#[cfg(test)]
mod tests;
mod validate;
mod watch;
mod yaml;

pub use compose::{ConfigFile, Input, Override, prepare};
pub use discover::{EngineFound, VendorFound, discover_env};
pub use document::{init_text, schema};
pub use domain::{
    AccessLog, DataSettings, Deployment, DiscoverySettings, Fallbacks, LogFormat, LogSettings, OnDisconnect,
    OnInterrupt, Provider, ProviderKind, RouteOptions, ServerSettings, Settings, Slot, Timeouts, ToolDeltas,
};
pub use edit::{EditError, NewKey, add_key, remove_key};
pub use effective::effective;
pub use environment::{DotenvError, Environment};
pub use error::{ConfigError, ConfigErrors, Location};
#[doc(hidden)]
pub use fuzz::fuzz_parse;
pub use snapshot::Snapshot;
pub use watch::{Watch, WatchError, watch, watch_files};
