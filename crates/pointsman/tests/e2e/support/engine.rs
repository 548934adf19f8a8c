//! A real llama.cpp server with SmolLM2, on the CPU.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pointsman_testkit::process::{self, Running};
use serde_json::Value;

use super::parts::{parts, repository};
use super::{PATIENCE, POLL, http};

/// The model's name as the engine lists it.
pub(crate) const CHAT_MODEL: &str = "smollm2";
/// The same weights, serving embeddings.
pub(crate) const EMBEDDING_MODEL: &str = "smollm2-embed";

/// A running engine. It is killed on drop.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    process: Running,
}

impl Engine {
    /// An engine for chat and completions, four requests at a time.
    pub(crate) fn chat() -> Self {
        Self::chat_for(4, 2048)
    }

    /// The same for so many requests at a time, each of as many tokens as `context`.
    pub(crate) fn chat_for(requests: usize, context: usize) -> Self {
        let template = repository().join("tests/engine/chatml-tools.jinja");
        let template = template.to_str().unwrap();
        Self::start(&[
            "--alias",
            CHAT_MODEL,
            "--jinja",
            "--chat-template-file",
            template,
            "--slots",
            "--parallel",
            &requests.to_string(),
            "--ctx-size",
            &(requests * context).to_string(),
        ])
    }

    /// An engine for embeddings.
    pub(crate) fn embeddings() -> Self {
        Self::start(&["--alias", EMBEDDING_MODEL, "--embeddings", "--pooling", "mean", "--ctx-size", "2048"])
    }

    fn start(options: &[&str]) -> Self {
        let parts = parts();
        let port = process::free_port().unwrap();
        let port_text = port.to_string();
        let libraries = parts.llama_server.parent().unwrap();
        let common = [
            "--model",
            parts.model.to_str().unwrap(),
            "--host",
            "127.0.0.1",
            "--port",
            &port_text,
            "--no-ui",
        ];
        let process = process::start(
            &parts.llama_server,
            common.iter().chain(options),
            &[("LD_LIBRARY_PATH", libraries.to_str().unwrap())],
        )
        .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        process.wait_for_http(address, "/health", PATIENCE).unwrap();
        Self { address, process }
    }

    /// For a provider's configuration.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How many of its slots are at work, by its own list.
    pub(crate) async fn busy_slots(&self) -> usize {
        let slots = http::get(self.address, "/slots").await.json().await;
        slots.as_array().unwrap().iter().filter(|slot| slot["is_processing"] == Value::Bool(true)).count()
    }

    /// Waits until `count` slots are at work; returns how long that took.
    pub(crate) async fn wait_busy_slots(&self, count: usize) -> Duration {
        let begun = Instant::now();
        while self.busy_slots().await != count {
            assert!(begun.elapsed() < PATIENCE, "never {count} busy slots");
            tokio::time::sleep(POLL).await;
        }
        begun.elapsed()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }
}
