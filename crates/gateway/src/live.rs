//! What the gateway keeps with a deployment: made at its first use, kept across reloads.

use std::sync::Arc;

use http::HeaderValue;
use pointsman_config::Deployment;
use pointsman_providers::{catalogue, vendor};
use pointsman_telemetry::DeploymentMetrics;

use crate::Gateway;
use crate::endpoints::Site;

/// The series of models that nobody but a caller knows.
const OTHER: &str = "other";
/// Longer names are cut in headers.
const MAX_HEADER_CHARS: usize = 200;

/// Ready-made parts of answers, and counters.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) model_header: HeaderValue,
    pub(crate) provider_header: HeaderValue,
    pub(crate) metrics: Arc<DeploymentMetrics>,
    /// The most tokens that its model can write, where known.
    pub(crate) max_output: Option<u64>,
    /// How it is doing; shared with earlier and later worlds.
    pub(crate) site: Arc<Site>,
}

impl Live {
    /// What is kept with `deployment`.
    pub(crate) fn of<'a>(deployment: &'a Deployment, gateway: &Gateway) -> Option<&'a Self> {
        deployment.state.get_or_init(|| Self {
            site: Site::of(deployment, gateway.timeline),
            // What callers make up gets no series of its own: there would be no end to them.
            metrics: gateway.metrics.deployment(
                &deployment.key.provider,
                if deployment.listed { &deployment.key.model } else { OTHER },
            ),
            model_header: header(&deployment.key.model),
            provider_header: header(&deployment.key.provider),
            max_output: max_output(deployment),
        })
    }
}

fn max_output(deployment: &Deployment) -> Option<u64> {
    let vendor = vendor(deployment.provider.vendor?)?;
    catalogue().find_for(vendor, &deployment.key.model)?.max_output.map(u64::from)
}

/// Names may hold what headers cannot: such characters are shown as `?`.
fn header(text: &str) -> HeaderValue {
    let visible: String = text
        .chars()
        .take(MAX_HEADER_CHARS)
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    HeaderValue::try_from(visible).unwrap_or(HeaderValue::from_static("?"))
}
