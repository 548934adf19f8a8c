//! An endpoint with what surrounds it, as the data plane tells the control plane.

use pointsman_core::ModelRef;

use crate::endpoint::EndpointView;

/// How a deployment is doing.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// Which one.
    pub deployment: ModelRef,
    /// All that is known of it. Its times are since [`EndpointStatus::started_unix_us`].
    pub view: EndpointView,
    /// Requests that wait for it.
    pub waiting: usize,
    /// When the server began, in microseconds since the Unix epoch.
    pub started_unix_us: i64,
}
