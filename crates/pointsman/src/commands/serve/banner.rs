//! What a newcomer sees: what was found, how to connect, and a first request that costs nothing.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use pointsman_config::domain::{Certificate, ProviderSource};
use pointsman_config::{Deployment, Provider, Snapshot};
use pointsman_providers::simulated;

use crate::commands::health::reachable;

/// Most model names in a row of the table.
const SHOWN_MODELS: usize = 3;

/// All that the banner tells.
pub(super) struct Banner<'a> {
    /// Addresses of the data plane, as bound.
    pub(super) listening: &'a [SocketAddr],
    /// The world.
    pub(super) snapshot: &'a Snapshot,
    /// Vendors with a key that this version cannot call: name and variable.
    pub(super) unusable: &'a [(&'static str, &'static str)],
    /// The configuration, if there is one.
    pub(super) config: Option<&'a Path>,
    /// The database, if requests are recorded.
    pub(super) database: Option<&'a Path>,
    /// The control plane.
    pub(super) admin: SocketAddr,
    /// Its credential.
    pub(super) token_file: &'a Path,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.snapshot.settings.server;
        let scheme = scheme(server.tls.is_some());
        let urls: Vec<String> =
            self.listening.iter().map(|address| format!("{scheme}://{address}")).collect();
        writeln!(f, "\nPointsman {} listens on {}\n", env!("CARGO_PKG_VERSION"), urls.join(" and "))?;
        self.providers(f)?;
        // Where it listens on all addresses, what is shown still has to be one.
        let first = self.listening.first().map(|first| match &server.tls {
            // The certificate is for names, not for addresses.
            Some(Certificate::Acme(acme)) => {
                format!("{}:{}", acme.domains.first().map_or("localhost", String::as_str), first.port())
            }
            _ => SocketAddr::new(reachable(first.ip()), first.port()).to_string(),
        });
        let base = first.map_or("http://127.0.0.1:4180/v1".into(), |first| format!("{scheme}://{first}/v1"));
        let key = if self.snapshot.keys.is_empty() { "anything" } else { "YOUR_KEY" };
        writeln!(f, "Connect any OpenAI client:")?;
        writeln!(f, "  shell   export OPENAI_BASE_URL={base} OPENAI_API_KEY={key}")?;
        writeln!(f, "  Python  client = OpenAI(base_url=\"{base}\", api_key=\"{key}\")")?;
        writeln!(f, "  Node    const client = new OpenAI({{ baseURL: \"{base}\", apiKey: \"{key}\" }})\n")?;
        self.first_request(f, &base, key)?;
        self.places(f)
    }
}

impl Banner<'_> {
    fn providers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let real: Vec<_> = self.snapshot.providers.iter().filter(|provider| !provider.simulated()).collect();
        if real.is_empty() {
            writeln!(f, "No provider was found, so answers are simulated, for any model name.")?;
            writeln!(f, "  Set a key such as OPENAI_API_KEY (or put it into .env), or start an engine")?;
            writeln!(
                f,
                "  (Ollama, llama.cpp, vLLM, LM Studio, SGLang): engines are found while this runs.\n"
            )?;
        }
        let rows: Vec<[String; 3]> = real
            .iter()
            .map(|provider| [provider.name.to_string(), source(provider), self.models(provider)])
            .chain(self.unusable.iter().map(|(name, variable)| {
                [
                    (*name).to_owned(),
                    (*variable).to_owned(),
                    "found, but this version cannot call it yet".to_owned(),
                ]
            }))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (first, second) = (width(0).max("provider".len()), width(1).max("found".len()));
        writeln!(f, "  {:first$}  {:second$}  models", "provider", "found")?;
        for [name, found, models] in &rows {
            writeln!(f, "  {name:first$}  {found:second$}  {models}")?;
        }
        writeln!(f)
    }

    fn models(&self, provider: &Provider) -> String {
        let own =
            self.snapshot.deployments.iter().filter(|deployment| deployment.key.provider == provider.name);
        let names: Vec<&str> = own.map(|deployment| &*deployment.key.model).collect();
        let listed = match names.len() {
            0 => String::new(),
            count if count <= SHOWN_MODELS => names.join(", "),
            count => format!(
                "{}, … ({count})",
                names.iter().take(SHOWN_MODELS).copied().collect::<Vec<_>>().join(", ")
            ),
        };
        match (provider.open_ended, listed.is_empty()) {
            (true, true) => "any".into(),
            (true, false) => format!("{listed}, and any other"),
            (false, _) => listed,
        }
    }

    fn first_request(&self, f: &mut fmt::Formatter<'_>, base: &str, key: &str) -> fmt::Result {
        // Never a paid model by itself: the first thing somebody pastes must not cost anything.
        let local = self.snapshot.deployments.iter().find(|deployment| chats_for_free(deployment));
        let (model, price) = match local {
            Some(deployment) => (deployment.name.to_string(), "runs on this machine, free"),
            None => (format!("{}/hello", simulated::NAME), "simulated, free"),
        };
        writeln!(f, "First request ({model}: {price}):")?;
        let auth = if self.snapshot.keys.is_empty() {
            String::new()
        } else {
            format!(" -H 'authorization: Bearer {key}'")
        };
        writeln!(
            f,
            "  curl {base}/chat/completions -H 'content-type: application/json'{auth} \\\n    \
             -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n"
        )
    }

    fn places(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.config {
            Some(path) => writeln!(f, "  config   {}", path.display())?,
            None => writeln!(f, "  config   none (`pointsman init` writes one)")?,
        }
        match self.database {
            Some(path) => writeln!(f, "  records  {}", path.display())?,
            None => writeln!(f, "  records  off")?,
        }
        writeln!(
            f,
            "  admin    {}://{} (credential in {})",
            scheme(self.snapshot.settings.server.admin_tls.is_some()),
            self.admin,
            self.token_file.display()
        )
    }
}

const fn scheme(encrypted: bool) -> &'static str {
    if encrypted { "https" } else { "http" }
}

fn source(provider: &Provider) -> String {
    match &provider.source {
        ProviderSource::Config => "configuration".into(),
        ProviderSource::Environment(variable) => variable.to_string(),
        ProviderSource::Engine => provider.base_url.trim_end_matches("/v1").to_owned(),
        ProviderSource::BuiltIn => "built in".into(),
    }
}

fn chats_for_free(deployment: &Deployment) -> bool {
    let embeds = deployment.key.model.to_ascii_lowercase().contains("embed");
    deployment.provider.local && !deployment.provider.simulated() && !embeds
}
