//! Validated configuration: what the rest of the program reads. Nothing here knows about YAML.

mod deployment;
mod keys;
mod pass_through;
mod provider;
mod route;
mod rules;
mod settings;

pub use deployment::{Deployment, Slot};
pub use keys::{Key, Keys};
pub use pass_through::{KeyRule, KeyRules, PathRule, PatternError, is_plain_segment};
pub use provider::{Provider, ProviderKind, ProviderSource, SIMULATED_BASE_URL, Timeouts};
pub use route::{
    Fallbacks, OnDisconnect, OnInterrupt, RouteOptions, RouteTimeouts, TimeoutOverrides, ToolDeltas,
};
pub(crate) use rules::{ModelRules, OwnRules};
pub use settings::{
    AccessLog, Certificate, DataSettings, DiscoverySettings, LogFormat, LogSettings, ServerSettings, Settings,
};
