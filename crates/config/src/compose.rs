//! From text to snapshot: read, check, compose. May fail, and then nothing has changed; the caller
//! swaps the result in.

mod classes;
mod deployments;
mod deprecated;
mod graphs;
mod naming;
mod parts;
mod pricing;
mod read;

use std::mem::discriminant;
use std::path::Path;
use std::sync::{Arc, Mutex};

use pointsman_core::KeyDirectory;
use pointsman_transport::Upstreams;

use crate::decode::Context;
use crate::discover::EngineFound;
use crate::domain::{Certificate, Keys, RouteOptions, Settings};
use crate::environment::Environment;
use crate::error::ConfigErrors;
use crate::snapshot::Snapshot;
use crate::validate::{Checker, Way};

pub(crate) use pricing::Pricing;
pub(crate) use read::tree;

/// A configuration file that was read.
#[derive(Clone, Copy, Debug)]
pub struct ConfigFile<'a> {
    /// As shown in errors; relative paths in the file are relative to its folder.
    pub path: &'a Path,
    /// Its content.
    pub text: &'a str,
}

/// A value from the command line that overrides the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// As shown in errors: `--listen`.
    pub source: String,
    /// The key, with dots: `server.listen`.
    pub key: String,
    /// One text, or a list of them; taken literally.
    pub values: Vec<String>,
}

/// Everything that a snapshot is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// `None`: no configuration at all, which is fine.
    pub file: Option<ConfigFile<'a>>,
    /// Variables: secrets, overrides, discovery.
    pub environment: &'a Environment,
    /// The command line.
    pub overrides: &'a [Override],
    /// Engines that answered.
    pub engines: &'a [EngineFound],
}

/// Makes the next world. `previous` lends what has not changed: providers with their connections,
/// deployments with their live state.
///
/// # Errors
/// Everything that is wrong, with places and hints.
pub fn prepare(
    input: &Input<'_>,
    upstreams: &Upstreams,
    previous: Option<&Snapshot>,
) -> Result<Snapshot, ConfigErrors> {
    let mut cx = Context::default();
    let Some(mut root) = read::read(input, &mut cx) else { return Err(failure(&mut cx)) };
    let base = input.file.and_then(|file| file.path.parent()).unwrap_or(Path::new(""));
    let mut check = Checker { cx: &mut cx, environment: input.environment, base };

    let has_keys = root.keys.0.written > 0;
    let mut warnings = Vec::new();
    let (tls, admin_tls) = (root.server.0.tls.take(), root.server.0.admin_tls.take());
    let mut settings = check.settings(root.server.0, &root.data.0, &root.log.0, &root.discovery.0, has_keys);
    settings.exporters = check.exporters(&root.telemetry.0, root.exporters.0);
    let usual_way = check.way_of_all(&root.upstreams.0);
    settings.egress = Way::default().or(&usual_way);
    let mut encrypted = check.data_plane(tls, &settings, &usual_way, previous, &mut warnings);
    let mut admin_encrypted = check.control_plane(admin_tls.as_ref(), previous, &mut warnings);
    settings.server.tls.clone_from(&encrypted.certificate);
    settings.server.admin_tls = admin_encrypted.certificate.take();
    warnings.extend(keep_what_runs(&mut settings, previous));
    if settings.server.tls != encrypted.certificate {
        encrypted.identity = previous.and_then(|previous| previous.tls.clone());
    }
    // Also where the file now says otherwise: the sockets that are open stay open until the next start.
    if previous.is_some()
        && !has_keys
        && let Some(open) = settings.server.listen.iter().find(|a| !a.ip().to_canonical().is_loopback())
    {
        check.refuse_running_open(*open);
    }
    let specs = parts::providers(&mut check, root.providers.0, input, &settings);
    let egresses = previous.map(|previous| previous.egresses.clone()).unwrap_or_default();
    let ways = parts::Ways { usual: upstreams, others: &egresses, all: usual_way };
    let mut files: Vec<_> =
        specs.iter().filter_map(|(_, spec)| spec.as_ref()).flat_map(|spec| spec.way.files.clone()).collect();
    let providers = parts::connect(&mut check, specs, &ways, previous);
    files.extend(ways.all.files);

    let mut builder = pointsman_routing::Builder::new();
    naming::providers(&mut builder, &providers);
    let mut places = Vec::new();
    let mut used = deprecated::Used::default();
    used.listed(&providers);
    let mut graphs = graphs::Graphs {
        check: &mut check,
        builder: &mut builder,
        places: &mut places,
        used: &mut used,
        providers: &providers,
        previous,
    };
    let routes = graphs.routes(root.routes.0);
    graphs.aliases(root.aliases.0);
    let resolver = builder.build().map_err(|errors| naming::tell(check.cx, errors, &places, &providers)).ok();

    let names: Vec<_> = providers.iter().map(|prepared| &prepared.name).collect();
    let key_rules = check.key_rules(&root.keys.0.sound, &names);
    let keys = Keys::new(check.keys(root.keys.0.sound, resolver.as_ref(), &mut warnings));
    cx.finish()?;
    let Some(resolver) = resolver else { return Err(failure(&mut cx)) };

    let pricing = Pricing::new();
    let providers: Vec<_> = providers.into_iter().filter_map(|prepared| prepared.provider).collect();
    let makers = deployments::Makers { resolver: &resolver, providers: &providers, pricing, previous };
    let (deployments, dynamic) = (makers.listed(), makers.dynamic());
    warnings.extend(used.warnings(&resolver, &providers, &deployments));
    files.extend(encrypted.files);
    files.extend(admin_encrypted.files);
    Ok(Snapshot {
        generation: previous.map_or(1, |previous| previous.generation + 1),
        settings: Arc::new(settings),
        resolver,
        providers,
        deployments,
        routes,
        no_route: previous
            .map_or_else(|| Arc::new(RouteOptions::default()), |previous| Arc::clone(&previous.no_route)),
        tls: encrypted.identity,
        admin_tls: admin_encrypted.identity,
        files,
        egresses,
        keys: Arc::new(keys) as Arc<dyn KeyDirectory>,
        key_rules,
        price_version: pricing.version(),
        warnings,
        pricing,
        dynamic: Mutex::new(dynamic),
    })
}

/// The errors told so far. The context always holds one when a step gave up.
fn failure(cx: &mut Context) -> ConfigErrors {
    match cx.finish() {
        Err(errors) => errors,
        Ok(()) => ConfigErrors(Vec::new()),
    }
}

/// What a reload does not change stays as it runs; where the file says otherwise, that is told.
fn keep_what_runs(settings: &mut Settings, previous: Option<&Snapshot>) -> Vec<String> {
    let Some(old) = previous.map(|previous| &previous.settings) else { return Vec::new() };
    let mut changed = Vec::new();
    let (new, running) = (&mut settings.server, &old.server);
    keep(&mut new.listen, &running.listen, "server.listen", &mut changed);
    keep(&mut new.admin, &running.admin, "server.admin", &mut changed);
    keep(&mut new.max_connections, &running.max_connections, "server.max_connections", &mut changed);
    keep(&mut new.header_timeout, &running.header_timeout, "server.header_timeout", &mut changed);
    let kind = |tls: &Option<Certificate>| tls.as_ref().map(discriminant);
    if kind(&new.tls) != kind(&running.tls) {
        new.tls.clone_from(&running.tls);
        changed.push("server.tls");
    }
    if new.admin_tls.is_some() != running.admin_tls.is_some() {
        new.admin_tls.clone_from(&running.admin_tls);
        changed.push("server.admin_tls");
    }
    if running.tls.is_none() {
        keep(&mut new.http2, &running.http2, "server.http2", &mut changed);
    }
    keep(&mut settings.data, &old.data, "data", &mut changed);
    keep(&mut settings.log, &old.log, "log", &mut changed);
    keep(&mut settings.exporters, &old.exporters, "exporters", &mut changed);
    if !settings.exporters.is_empty() {
        keep(&mut settings.egress, &old.egress, "upstreams (for exporters)", &mut changed);
    }
    let told = changed
        .iter()
        .map(|key| format!("`{key}` differs from what runs and takes effect at the next start"));
    told.collect()
}

fn keep<T: Clone + PartialEq>(new: &mut T, running: &T, key: &'static str, changed: &mut Vec<&'static str>) {
    if new != running {
        new.clone_from(running);
        changed.push(key);
    }
}
