//! Looking for engines on this machine's usual ports: in parallel, briefly, and never in the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Method};
use pointsman_config::EngineFound;
use pointsman_providers::{Engine, engines};
use pointsman_transport::fetch::Fetch;
use pointsman_transport::{UpstreamConfig, UpstreamHttp2, Upstreams};
use pointsman_wire::openai::models::parse_list;

/// An engine that has not answered by then is not there.
const PROBE_LIMIT: Duration = Duration::from_millis(300);
/// Longer lists are not an engine's.
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// Every engine that gives a valid, non-empty model list in time.
pub(crate) async fn probe_all(upstreams: &Arc<Upstreams>) -> Vec<EngineFound> {
    let probes = engines().iter().map(|engine| probe(engine, upstreams));
    join_all(probes).await.into_iter().flatten().collect()
}

async fn probe(engine: &'static Engine, upstreams: &Upstreams) -> Option<EngineFound> {
    let base_url = format!("http://127.0.0.1:{}/v1", engine.port);
    let config = UpstreamConfig {
        base_url: base_url.clone(),
        connect_timeout: PROBE_LIMIT,
        http2: UpstreamHttp2::Never,
    };
    let upstream = upstreams.get(&config).ok()?;
    let fetch = Fetch {
        method: Method::GET,
        path: "/models",
        headers: &HeaderMap::new(),
        body: Bytes::new(),
        limit: PROBE_LIMIT,
        max_bytes: MAX_LIST_BYTES,
    };
    let (status, body) = fetch.run(&upstream).await.ok()?;
    if !status.is_success() {
        return None;
    }
    let models: Vec<String> = parse_list(&body).ok()?.into_iter().map(|entry| entry.id).collect();
    (!models.is_empty()).then_some(EngineFound { engine, base_url, models })
}
