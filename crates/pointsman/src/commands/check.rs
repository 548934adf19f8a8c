//! `pointsman check`: is the configuration right, and what does it come to? With `--live`, see
//! [`live`]: do the keys work?

mod live;
mod paths;
mod verdict;

use std::fmt::Write as _;
use std::process::ExitCode;

use pointsman_config::domain::{ProviderKind, ProviderSource};
use pointsman_config::{Provider, Snapshot, VendorFound, discover_env};
use pointsman_providers::vendors;

use super::world::{self, Sources};
use crate::cli::Check;
use crate::failure::Failure;
use crate::output::{self, Align, Table};

/// Checks, and says what was found.
pub(crate) fn run(args: &Check) -> Result<ExitCode, Failure> {
    let sources = Sources::read(&args.config)?;
    if !args.live {
        let snapshot = sources.prepare(&[], &world::offline(), None)?;
        paths::check(&snapshot.settings)?;
        output::print(&summary(&sources, &snapshot))?;
        return Ok(ExitCode::SUCCESS);
    }
    let upstreams = world::online()?;
    world::runtime()?.block_on(async {
        let snapshot = sources.discover(&upstreams).await?;
        paths::check(&snapshot.settings)?;
        output::print(&summary(&sources, &snapshot))?;
        live::run(&snapshot).await
    })
}

fn summary(sources: &Sources, snapshot: &Snapshot) -> String {
    let mut text = match &sources.file {
        Some((path, _)) => format!("{} is valid\n", path.display()),
        None => "no configuration file: defaults and the environment count\n".into(),
    };
    for (name, value) in facts(snapshot) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<8}  {value}");
    }
    let _ = write!(text, "\n{}", providers(snapshot));
    let found = discover_env(|name| sources.environment.get(name), vendors());
    for VendorFound { vendor, variable } in found.iter().filter(|found| !found.usable()) {
        let _ = writeln!(text, "{} ({variable}) is found but cannot be used yet", vendor.display);
    }
    for warning in &snapshot.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

fn facts(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let settings = &snapshot.settings;
    let listen: Vec<String> = settings.server.listen.iter().map(ToString::to_string).collect();
    let names = |names: Vec<&str>| match names.len() {
        0 => "none".to_owned(),
        count => format!("{count}: {}", output::plain(&names.join(", "))),
    };
    let keys = if snapshot.keys.is_empty() { "none: only this machine is served" } else { "required" };
    let records = match settings.data.records {
        true => settings.data.dir.display().to_string(),
        false => "off".to_owned(),
    };
    vec![
        ("listen", listen.join(", ")),
        ("admin", settings.server.admin.to_string()),
        ("keys", keys.to_owned()),
        ("records", records),
        ("models", snapshot.deployments.len().to_string()),
        ("routes", names(snapshot.resolver.routes().map(|name| &**name).collect())),
        ("aliases", names(snapshot.resolver.aliases().map(|name| &**name).collect())),
    ]
}

fn providers(snapshot: &Snapshot) -> Table {
    let mut table = Table::new([
        ("PROVIDER", Align::Left),
        ("FROM", Align::Left),
        ("KEYS", Align::Right),
        ("MODELS", Align::Right),
        ("BASE URL", Align::Left),
    ]);
    for provider in &snapshot.providers {
        let listed = snapshot.deployments.iter().filter(|d| d.key.provider == provider.name).count();
        table.row([
            provider.name.to_string(),
            source(&provider.source),
            provider.auth.len().to_string(),
            if provider.open_ended { format!("{listed}, any") } else { listed.to_string() },
            base_url(provider),
        ]);
    }
    table
}

fn source(source: &ProviderSource) -> String {
    match source {
        ProviderSource::Config => "configuration".into(),
        ProviderSource::Environment(variable) => variable.to_string(),
        ProviderSource::Engine => "this machine".into(),
        ProviderSource::BuiltIn => "built in".into(),
    }
}

fn base_url(provider: &Provider) -> String {
    match provider.kind {
        ProviderKind::Api(_) => provider.base_url.to_string(),
        ProviderKind::Simulated => "none: answers are made up".into(),
    }
}
