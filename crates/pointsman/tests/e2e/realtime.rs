//! Realtime sessions of the official OpenAI SDK for Python, with a scripted provider behind the real binary; and what
//! the sessions leave in the record file.

use std::process::Command;

use pointsman_testkit::process;
use pointsman_testkit::realtime;
use serde_json::Value;

use crate::support::gateway::{Gateway, KEY, provider};
use crate::support::parts::{parts, repository};

#[tokio::test(flavor = "multi_thread")]
async fn python() {
    let program = repository().join("tests/sdk/python/run.py");
    // The answers of the sessions that the cases open, in their order.
    let (cases, answers) = (6, [3, 1, 0, 0, 0]);
    let (address, serving) = realtime::serve_tcp().await.unwrap();
    let gone = format!("http://127.0.0.1:{}/v1", process::free_port().unwrap());
    let mut gateway = tokio::task::block_in_place(|| {
        Gateway::start(&format!(
            "providers:\n{}{}",
            provider("live", &format!("http://{address}/v1"), &["m"]),
            provider("gone", &gone, &["m"]),
        ))
    });
    let mut command = Command::new(&parts().python);
    command
        .arg("-B")
        .arg(program)
        .arg("realtime")
        .env("BASE_URL", gateway.base_url())
        .env("API_KEY", KEY)
        .env("MODEL", "live/m")
        .env("EMBEDDING_MODEL", "live/m")
        .env("LIVE_MODEL", "live/m")
        // Proxies are for the internet, not for this machine.
        .env("NO_PROXY", "127.0.0.1");
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let seen: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(seen.len() == cases && seen.iter().all(|case| case["ok"] == true), "{text}");

    let stopped = tokio::task::block_in_place(|| gateway.process.stop(crate::support::PATIENCE));
    stopped.unwrap();
    serving.abort();
    let sessions = gateway.records().with_status(101);
    assert_eq!(sessions.len(), answers.len(), "{sessions:?}");
    for (session, answers) in sessions.iter().zip(answers) {
        assert_eq!(session.outcome, "success", "{session:?}");
        // Ten tokens in and six out for each answer.
        assert_eq!((session.input_tokens, session.output_tokens), (10 * answers, 6 * answers), "{session:?}");
    }
}
