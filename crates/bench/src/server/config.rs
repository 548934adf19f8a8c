//! Configuration files of the servers under test.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The folder of the record file, relative to the configuration.
pub(super) const DATA: &str = "data";
/// The access log, relative to the configuration.
pub(super) const ACCESS_LOG: &str = "access.log";

/// A model whose price Pointsman knows; the mock's own sums use the same price.
pub const PRICED_MODEL: &str = "gpt-4o-mini";
/// The one model and the one key of other gateways.
pub const RIVAL_MODEL: &str = "bench";
/// See [`RIVAL_MODEL`].
pub const RIVAL_KEY: &str = "sk-bench";
const PROVIDERS: usize = 10;
/// Providers that speak other dialects, by kind: each has the priced model, below this path of the mock.
const OTHERS: [(&str, &str); 2] = [("anthropic", "v1"), ("gemini", "v1beta")];

/// What is configured: models, keys, routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Models, spread over ten providers; the first is [`PRICED_MODEL`].
    pub models: usize,
    /// Client keys.
    pub keys: usize,
    /// Routes of two candidates each.
    pub routes: usize,
    /// Makes files differ, so that a reload has something to do: the name `generation-N` resolves.
    pub generation: u32,
    /// Besides, a provider for each other dialect: `anthropic/gpt-4o-mini`, `gemini/gpt-4o-mini`.
    pub dialects: bool,
}

impl Fleet {
    /// Ten models, ten keys, no routes.
    pub const SMALL: Self = Self { models: 10, keys: 10, routes: 0, generation: 0, dialects: false };
    /// The same, and the other dialects.
    pub const DIALECTS: Self = Self { dialects: true, ..Self::SMALL };
    /// 5,000 models, 20,000 keys, 500 routes.
    pub const LARGE: Self = Self { models: 5_000, keys: 20_000, routes: 500, generation: 0, dialects: false };

    /// All names that a client may ask for.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let models = (0..self.models).map(|n| format!("{}/{}", provider(n), model(n)));
        models.chain((0..self.routes).map(route)).collect()
    }

    /// All client keys.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        (0..self.keys).map(secret).collect()
    }

    /// The name that only this generation knows.
    #[must_use]
    pub fn generation_name(&self) -> String {
        format!("generation-{}", self.generation)
    }

    /// Pointsman's configuration.
    #[must_use]
    pub fn yaml(
        &self,
        listen: SocketAddr,
        admin: &str,
        upstream: SocketAddr,
        records: bool,
        access_log: bool,
    ) -> String {
        let access = if access_log { ACCESS_LOG } else { "off" };
        let mut text = format!(
            "server:\n  listen: \"{listen}\"\n  admin: \"{admin}\"\n\
             data:\n  dir: {DATA}\n  records: {records}\n\
             log:\n  access: \"{access}\"\n\
             discovery:\n  env: false\n  engines: false\n\
             aliases:\n  {}: {}/{PRICED_MODEL}\n\
             providers:\n",
            self.generation_name(),
            provider(0),
        );
        for first in 0..PROVIDERS.min(self.models) {
            let models: Vec<_> = (first..self.models).step_by(PROVIDERS).map(model).collect();
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "  {}:\n    kind: openai\n    vendor: openai\n    base_url: http://{upstream}/v1\n    \
                 include_usage: true\n    models: [{}]\n",
                provider(first),
                models.join(", "),
            );
        }
        for (kind, path) in OTHERS.into_iter().filter(|_| self.dialects) {
            // The vendor is whose prices count: the same as above, whatever is spoken.
            let _ = write!(
                text,
                "  {kind}:\n    kind: {kind}\n    vendor: openai\n    base_url: http://{upstream}/{path}\n    \
                 models: [{PRICED_MODEL}]\n",
            );
        }
        if self.routes > 0 {
            text.push_str("routes:\n");
        }
        for n in 0..self.routes {
            let (a, b) = (n % self.models, (n + 1) % self.models);
            let candidates = format!("{}/{}, {}/{}", provider(a), model(a), provider(b), model(b));
            let _ = write!(text, "  {}:\n    first: [{candidates}]\n", route(n));
        }
        text.push_str("keys:\n");
        for n in 0..self.keys {
            let _ = write!(text, "  - id: k{n:05}\n    sha256: \"");
            for byte in Sha256::digest(secret(n).as_bytes()) {
                let _ = write!(text, "{byte:02x}");
            }
            text.push_str("\"\n");
        }
        text
    }
}

/// Pointsman's configuration around a caller's own part: records, no discovery, no access log.
pub(super) fn around(yaml: &str, listen: SocketAddr, admin: &str) -> String {
    format!(
        "server:\n  listen: \"{listen}\"\n  admin: \"{admin}\"\ndata:\n  dir: {DATA}\nlog:\n  access: off\n\
         discovery:\n  env: false\n  engines: false\n{yaml}"
    )
}

/// Pointsman's part for an exporter to `receiver`.
pub(super) fn webhook(receiver: SocketAddr) -> String {
    format!("exporters:\n  bench:\n    kind: webhook\n    endpoint: \"http://{receiver}/\"\n")
}

/// nginx as a plain reverse proxy: one worker, kept connections, nothing logged, nothing buffered.
pub(super) fn nginx(folder: &Path, listen: SocketAddr, upstream: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 32m; client_body_buffer_size 256k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream mock {{ server {upstream}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen {listen} backlog=1024;
    location / {{ proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off; }}
  }}
}}
"
    )
}

/// The LiteLLM proxy: one model, one key, no database.
pub(super) fn litellm(upstream: SocketAddr) -> String {
    format!(
        "model_list:
  - model_name: {RIVAL_MODEL}
    litellm_params: {{ model: openai/{RIVAL_MODEL}, api_base: \"http://{upstream}/v1\", api_key: any }}
general_settings: {{ master_key: {RIVAL_KEY} }}
"
    )
}

fn provider(model: usize) -> String {
    format!("bench{}", model % PROVIDERS)
}

fn model(n: usize) -> String {
    if n == 0 { PRICED_MODEL.to_owned() } else { format!("model-{n:04}") }
}

fn route(n: usize) -> String {
    format!("route-{n:03}")
}

fn secret(n: usize) -> String {
    format!("pm-bench-{n:032}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_file() {
        let fleet = Fleet { models: 23, keys: 2, routes: 2, generation: 7, dialects: true };
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let yaml = fleet.yaml(address, "127.0.0.1:2", address, true, false);
        assert_eq!(fleet.names().len(), 25);
        assert_eq!(fleet.names()[11], "bench1/model-0011");
        assert!(
            yaml.contains("  bench1:\n") && yaml.contains("models: [model-0001, model-0011, model-0021]")
        );
        assert!(yaml.contains(
            "  gemini:\n    kind: gemini\n    vendor: openai\n    base_url: http://127.0.0.1:1/v1beta\n"
        ));
        assert!(
            !Fleet { dialects: false, ..fleet }
                .yaml(address, "127.0.0.1:2", address, true, false)
                .contains("gemini")
        );
        assert!(yaml.contains("  route-001:\n    first: [bench1/model-0001, bench2/model-0002]\n"));
        assert!(yaml.contains("  generation-7: bench0/gpt-4o-mini\n") && yaml.contains("access: \"off\""));
        // printf 'pm-bench-00000000000000000000000000000001' | sha256sum
        assert!(
            yaml.contains(
                "id: k00001\n    sha256: \"1f74bd8e5cf347153f47f14f694db28c52600a13f399a4272ba7066f69b88953\""
            ),
            "{yaml}"
        );
    }
}
