//! Metrics, access log and tracing set-up.
//!
//! [`Metrics`] counts what happens now and is scraped; [`AccessLog`] writes one line a request;
//! [`init_logging`] is the program's own log; [`export`] sends finished requests to other systems. Every
//! metric and label name is in [`names`], every name that leaves over OTLP in [`export::semconv`].

pub mod access_log;
pub mod export;
pub mod histogram;
pub mod logging;
pub mod metrics;
pub mod names;
pub mod resilience;

mod deployment;
mod exposition;
#[cfg(test)]
mod fixture;

pub use access_log::AccessLog;
pub use deployment::DeploymentMetrics;
pub use logging::{LogFormat, LoggingError, init_logging};
pub use metrics::{Metrics, SinkCounters};
pub use resilience::{EndpointSample, Hedged, PassedOver, Probed, Rescued, ResilienceCounters, Waited};
