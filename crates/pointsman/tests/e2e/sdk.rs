//! The official OpenAI SDKs against the gateway, with real engines behind it, and a scripted provider for what
//! is not text.
//!
//! The cases are the programs in `tests/sdk`; each prints one JSON line a case. Fewer cases than
//! `tests/sdk/minimum.json` says is a failure: a case cannot vanish unnoticed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::engine::{CHAT_MODEL, EMBEDDING_MODEL, Engine};
use crate::support::gateway::{Gateway, KEY, LIMITED_KEY, provider};
use crate::support::media::media;
use crate::support::parts::{parts, repository};

#[tokio::test(flavor = "multi_thread")]
async fn python() {
    let folder = repository().join("tests/sdk/python");
    let program = folder.join("run.py");
    run_suite("python", &parts().python, &["-B", program.to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node() {
    let program = repository().join("tests/sdk/node/run.mjs");
    run_suite("node", Path::new("node"), &[program.to_str().unwrap()]).await;
}

/// What is let through for the cases of other paths.
const ROUTES: &str = "routes:\n  wide:\n    model: media/m\n    pass_through:\n      \
    - { methods: GET, path: '/v1/things/*' }\n";

async fn run_suite(sdk: &str, program: &Path, args: &[&str]) {
    let (chat, embeddings) = tokio::task::block_in_place(|| (Engine::chat(), Engine::embeddings()));
    let media = media().serve_tcp().await.unwrap();
    let config = format!(
        "providers:\n{}{}{}    dialects: [openai-chat, openai-responses]\n{ROUTES}",
        provider("chat", &chat.base_url(), &[CHAT_MODEL]),
        provider("embed", &embeddings.base_url(), &[EMBEDDING_MODEL]),
        provider("media", &media.base_url(), &["m"]),
    );
    let gateway = tokio::task::block_in_place(|| Gateway::start(&config));
    let mut command = Command::new(program);
    command
        .args(args)
        .env("BASE_URL", gateway.base_url())
        .env("API_KEY", KEY)
        .env("LIMITED_KEY", LIMITED_KEY)
        .env("MODEL", format!("chat/{CHAT_MODEL}"))
        .env("EMBEDDING_MODEL", format!("embed/{EMBEDDING_MODEL}"))
        .env("MEDIA_MODEL", "media/m")
        .env("NODE_MODULES", &parts().node_modules)
        // Proxies are for the internet, not for this machine.
        .env("NO_PROXY", "127.0.0.1");
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    judge(sdk, &output, &gateway);
}

fn judge(sdk: &str, output: &Output, gateway: &Gateway) {
    let text = String::from_utf8_lossy(&output.stdout);
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut failures = Vec::new();
    for case in &cases {
        println!("{sdk} {} {} {}", case["case"], case["ok"], case["seconds"]);
        if case["ok"] != true {
            failures.push(format!("{}: {}", case["case"], case["error"].as_str().unwrap_or_default()));
        }
    }
    let minimum = minimum(sdk);
    println!("note-for-summary: {sdk} SDK: {} cases executed (at least {minimum})", cases.len());
    assert!(
        failures.is_empty() && output.status.success(),
        "{}\n{}\nthe gateway said:\n{}",
        failures.join("\n"),
        String::from_utf8_lossy(&output.stderr),
        gateway.process.output(),
    );
    assert!(cases.len() >= minimum, "{} cases executed, at least {minimum} expected", cases.len());
}

fn minimum(sdk: &str) -> usize {
    let text = fs::read_to_string(repository().join("tests/sdk/minimum.json")).unwrap();
    let minimum: Value = serde_json::from_str(&text).unwrap();
    usize::try_from(minimum[sdk].as_u64().unwrap()).unwrap()
}
