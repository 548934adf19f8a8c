//! The binary under test, with a configuration of its own in a folder of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pointsman_testkit::process::{self, Running};
use serde_json::Value;
use tempfile::TempDir;

use super::PATIENCE;
use super::http::{self, Answer};
use super::records::Records;

/// The client key of every configuration that [`Gateway::start`] writes.
pub(crate) const KEY: &str = "pm-end-to-end-key";
/// SHA-256 of [`KEY`].
const KEY_SHA256: &str = "3ab0123af7d9eec9730b7d3e67529bee6ae6ca57d72806ff343dbb7167d30c55";

/// A second key, which may use one model only: see [`LIMITED_MODEL`].
pub(crate) const LIMITED_KEY: &str = "pm-limited-key";
/// SHA-256 of [`LIMITED_KEY`].
const LIMITED_KEY_SHA256: &str = "322eadbe0fedadc6de6732f80c2a1cc425c33768efb2bbab2f3db07386e2ee5d";
/// Served in the SDK tests; elsewhere the key is left out.
const LIMITED_MODEL: &str = "embed/smollm2-embed";

/// A running Pointsman. It is killed on drop.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Where the data plane listens.
    pub(crate) address: SocketAddr,
    /// Where the control plane listens.
    pub(crate) admin: SocketAddr,
    /// The process, for signals.
    pub(crate) process: Running,
    folder: Folder,
}

/// Where configuration and data lie; outlives the process, so that a test can kill and restart.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("pointsman-e2e-").tempdir().unwrap())
    }

    /// The folder of the record file.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Gateway {
    /// Starts with these providers and routes (YAML), in a new folder.
    pub(crate) fn start(providers_and_routes: &str) -> Self {
        Self::start_in(Folder::new(), providers_and_routes)
    }

    /// Starts in a folder that may hold an earlier run's data.
    pub(crate) fn start_in(folder: Folder, providers_and_routes: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], process::free_port().unwrap()));
        let admin = SocketAddr::from(([127, 0, 0, 1], process::free_port().unwrap()));
        let config = folder.path().join("pointsman.yaml");
        let data = folder.data();
        // A key may only name what exists.
        let limited = if providers_and_routes.contains("  embed:\n") {
            format!("  - id: limited\n    sha256: {LIMITED_KEY_SHA256}\n    models: [{LIMITED_MODEL}]\n")
        } else {
            String::new()
        };
        let text = format!(
            "server:\n  listen: [\"{address}\"]\n  admin: \"{admin}\"\n\
             data:\n  dir: \"{}\"\n\
             discovery:\n  env: false\n  engines: false\n\
             keys:\n  - id: e2e\n    sha256: {KEY_SHA256}\n{limited}\
             {providers_and_routes}",
            data.display(),
        );
        fs::write(&config, text).unwrap();
        let binary = env!("CARGO_BIN_EXE_pointsman");
        let process = process::start(binary, ["serve", "--config", config.to_str().unwrap()], &[]).unwrap();
        process.wait_for_http(address, "/livez", PATIENCE).unwrap();
        process.wait_for_http(admin, "/livez", PATIENCE).unwrap();
        Self { address, admin, process, folder }
    }

    /// kill -9; what it left behind.
    pub(crate) fn kill(mut self) -> Folder {
        self.process.kill().unwrap();
        self.folder
    }

    /// The base URL for clients.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The credential of the control plane.
    pub(crate) fn admin_token(&self) -> String {
        fs::read_to_string(self.folder.data().join("admin.token")).unwrap().trim().to_owned()
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("pointsman.yaml")
    }

    /// POST with the key.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        http::post(self.address, path, &[("authorization", &format!("Bearer {KEY}"))], body).await.unwrap()
    }

    /// A chat request.
    pub(crate) async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", body).await
    }

    /// The record file.
    pub(crate) fn records(&self) -> Records {
        Records::open(&self.folder.data())
    }
}

/// A provider of kind `openai` at `base_url` with these models, as YAML under `providers:`.
pub(crate) fn provider(name: &str, base_url: &str, models: &[&str]) -> String {
    let models = models.join(", ");
    format!(
        "  {name}:\n    kind: openai\n    base_url: {base_url}\n    models: [{models}]\n    \
         local: true\n    include_usage: true\n"
    )
}
