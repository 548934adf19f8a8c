//! Providers from all three origins, connected.

use std::sync::Arc;

use http::Uri;
use pointsman_core::{Dialect, Operation};
use pointsman_providers::{Call, Protocol, simulated, vendors};
use pointsman_transport::egress::{Egress, Egresses};
use pointsman_transport::guard::Reach;
use pointsman_transport::{Upstream, UpstreamConfig, Upstreams};

use crate::compose::Input;
use crate::decode::Named;
use crate::discover::discover_env;
use crate::domain::{Provider, ProviderKind, ProviderSource, Settings};
use crate::raw;
use crate::snapshot::Snapshot;
use crate::validate::{Checker, ProviderSpec, Way};

/// A provider on its way into the snapshot. Without `provider`, an error was told: its name still
/// counts, so that the names that lead to it are no errors as well.
pub(super) struct Prepared {
    pub(super) name: Arc<str>,
    pub(super) models: Vec<String>,
    pub(super) provider: Option<Arc<Provider>>,
}

/// What `connect` works on: a name, and the rest where it is sound.
pub(super) type Spec = (Arc<str>, Option<ProviderSpec>);

/// Configured ones first, then vendors from the environment, engines, and the built-in one.
pub(super) fn providers(
    check: &mut Checker<'_>,
    written: Named<raw::Provider>,
    input: &Input<'_>,
    settings: &Settings,
) -> Vec<Spec> {
    let mut specs: Vec<Spec> = Vec::with_capacity(written.0.len() + 1);
    for (name, raw) in written.0 {
        let spec = raw.and_then(|raw| check.provider(&name, raw));
        specs.push((name.value.into(), spec));
    }
    if settings.discovery.env {
        let found = discover_env(|name| check.environment.get(name), vendors());
        for found in found.iter().filter(|found| found.usable()) {
            if has_vendor(&specs, found.vendor.name) {
                continue;
            }
            let key = check.environment.get(found.variable).unwrap_or_default().trim();
            let source = ProviderSource::Environment(found.variable.into());
            if let Some(spec) = ProviderSpec::of_vendor(found.vendor, source, key) {
                specs.push((found.vendor.name.into(), Some(spec)));
            }
        }
    }
    if settings.discovery.engines {
        for found in input.engines.iter().filter(|found| !found.models.is_empty()) {
            if !has_engine(&specs, found.engine.name, &found.base_url) {
                let spec = ProviderSpec::of_engine(found.engine, &found.base_url, found.models.clone());
                specs.push((found.engine.name.into(), Some(spec)));
            }
        }
    }
    if !specs.iter().any(|(name, _)| &**name == simulated::NAME) {
        let spec = ProviderSpec::simulated(simulated::NAME, ProviderSource::BuiltIn);
        specs.push((simulated::NAME.into(), Some(spec)));
    }
    specs
}

/// A configured provider of this vendor takes the place of the one that would be discovered.
fn has_vendor(specs: &[Spec], vendor: &str) -> bool {
    specs.iter().any(|(name, spec)| {
        let spec_vendor = spec.as_ref().and_then(|spec| spec.vendor);
        &**name == vendor || spec_vendor.is_some_and(|known| known.name == vendor)
    })
}

/// Engines of one machine differ by address: `localhost` is what a person writes, with or without `/v1`.
fn has_engine(specs: &[Spec], engine: &str, base_url: &str) -> bool {
    let plain = |url: &str| {
        let url = url.trim_end_matches('/').replace("//localhost:", "//127.0.0.1:");
        url.strip_suffix("/v1").map(str::to_owned).unwrap_or(url)
    };
    specs.iter().any(|(name, spec)| {
        &**name == engine || spec.as_ref().is_some_and(|spec| plain(&spec.base_url) == plain(base_url))
    })
}

/// The ways to upstreams.
pub(super) struct Ways<'a> {
    pub(super) usual: &'a Upstreams,
    pub(super) others: &'a Egresses,
    /// Where a provider does not say otherwise.
    pub(super) all: Way,
}

/// Gives each provider its upstream; takes over what has not changed.
pub(super) fn connect(
    check: &mut Checker<'_>,
    specs: Vec<Spec>,
    ways: &Ways<'_>,
    previous: Option<&Snapshot>,
) -> Vec<Prepared> {
    let connected = specs.into_iter().map(|(name, spec)| {
        let mut prepared = Prepared { name, models: Vec::new(), provider: None };
        if let Some(mut spec) = spec {
            prepared.models = std::mem::take(&mut spec.models);
            prepared.provider = upstream(check, &spec, ways).map(|(upstream, targets)| {
                let mut provider = provider(spec, upstream, targets);
                let before = previous.and_then(|previous| previous.provider_named(&provider.name));
                match before {
                    Some(before) if before.same(&provider) => Arc::clone(before),
                    Some(before) if before.same_account(&provider) => {
                        provider.others = Arc::clone(&before.others);
                        Arc::new(provider)
                    }
                    _ => Arc::new(provider),
                }
            });
        }
        prepared
    });
    connected.collect()
}

type Targets = [Uri; Operation::ALL.len()];

fn upstream(
    check: &mut Checker<'_>,
    spec: &ProviderSpec,
    ways: &Ways<'_>,
) -> Option<(Arc<Upstream>, Targets)> {
    // The errors below repeat the URL.
    if spec.base_url.contains('@') {
        let message = "a base URL must not hold credentials";
        return check.cx.fail_hint(spec.base_url_place, message, "write them as `keys`");
    }
    let config = UpstreamConfig {
        base_url: spec.base_url.clone(),
        connect_timeout: spec.timeouts.connect,
        http2: spec.way.http2_or(&ways.all),
    };
    let egress = spec.way.or(&ways.all);
    let upstream = if spec.kind == ProviderKind::Simulated || egress == Egress::default() {
        ways.usual.get(&config)
    } else {
        match ways.others.get(&egress) {
            Ok(upstreams) => upstreams.get(&config),
            Err(error) => return check.cx.fail(spec.place, format!("cannot set up TLS: {error}")),
        }
    };
    let upstream = match upstream {
        Ok(upstream) => upstream,
        Err(error) => return check.cx.fail(spec.base_url_place, error.to_string()),
    };
    if let Ok(address) = upstream.origin().host.parse()
        && let Err(refused) = Reach::Configured.check(address)
    {
        return check.cx.fail(spec.base_url_place, refused.to_string());
    }
    let protocol = match spec.kind {
        ProviderKind::Api(protocol) => protocol,
        ProviderKind::Simulated => Protocol::OpenAi,
    };
    let target = |operation: Operation| {
        let dialect = Dialect::OpenAiChat;
        let call = Call { dialect, operation, model: "", streamed: false, api_version: None };
        // Whatever the protocol, OpenAI's operations have a path, if not an answer.
        upstream.target(&protocol.path(&call).unwrap_or_default())
    };
    let targets: Result<Vec<Uri>, _> = Operation::ALL.into_iter().map(target).collect();
    match targets.map(Targets::try_from) {
        Ok(Ok(targets)) => Some((upstream, targets)),
        _ => check.cx.fail(spec.base_url_place, format!("`{}` is not a URL", spec.base_url)),
    }
}

fn provider(spec: ProviderSpec, upstream: Arc<Upstream>, targets: Targets) -> Provider {
    let dialects = match spec.kind {
        _ if !spec.dialects.is_empty() => spec.dialects,
        ProviderKind::Api(protocol) => protocol.dialects().to_vec(),
        ProviderKind::Simulated => Protocol::OpenAi.dialects().to_vec(),
    };
    Provider {
        dialects: dialects.into(),
        dialects_by_model: spec.dialects_by_model,
        api_version: spec.api_version,
        quirks: Arc::new(spec.quirks),
        name: spec.name,
        kind: spec.kind,
        vendor: spec.vendor.map(|vendor| vendor.name),
        source: spec.source,
        upstream,
        base_url: spec.base_url.into(),
        targets,
        auth_header: spec.auth_header,
        auth: spec.auth.into(),
        headers: spec.headers.into(),
        region: spec.region,
        timeouts: spec.timeouts,
        rules: spec.rules,
        others: Arc::default(),
        tags: spec.tags.into(),
        accepts_include_usage: spec.accepts_include_usage,
        local: spec.local,
        open_ended: spec.open_ended,
    }
}
