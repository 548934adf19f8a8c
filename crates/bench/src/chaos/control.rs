//! The control plane of the gateway under test: the state of a breaker, and counters.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::Server;

/// A client of the control plane.
#[derive(Clone, Debug)]
pub(super) struct Control {
    address: SocketAddr,
    token: Arc<str>,
}

impl Control {
    pub(super) fn new(server: &Server) -> io::Result<Self> {
        let (address, token) = server.control()?;
        Ok(Self { address, token: token.into() })
    }

    /// Whether the breaker of any deployment of `provider` is open or half open.
    pub(super) async fn is_open(&self, provider: &str) -> io::Result<bool> {
        let health: Value = serde_json::from_str(&self.get("/admin/v1/endpoints").await?)?;
        let endpoints = health["endpoints"].as_array().ok_or_else(|| io::Error::other("no endpoints"))?;
        let of = |endpoint: &&Value| {
            endpoint["deployment"].as_str().is_some_and(|name| name.split('/').next() == Some(provider))
        };
        Ok(endpoints.iter().filter(of).any(|endpoint| endpoint["breaker"]["state"] != "closed"))
    }

    /// Attempts at `provider` that ended so.
    pub(super) async fn attempts(&self, provider: &str, outcome: &str) -> io::Result<u64> {
        let metrics = self.get("/metrics").await?;
        let (of, ended) = (format!("gen_ai_provider_name=\"{provider}\""), format!("outcome=\"{outcome}\""));
        let lines = metrics.lines().filter(|line| {
            line.starts_with("pointsman_attempts_total{") && line.contains(&of) && line.contains(&ended)
        });
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum::<f64>() as u64)
    }

    async fn get(&self, path: &str) -> io::Result<String> {
        let Self { address, token } = self;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
            _ => Err(io::Error::other(format!("{path}: {answer}"))),
        }
    }
}
