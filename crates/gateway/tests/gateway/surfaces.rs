//! What clients of other dialects call besides chats: lists of models, embeddings, Ollama's prompts, and
//! answers of the responses API that are kept; and OpenAI's other operations at providers of other dialects.

mod embeddings;
mod generate;
mod kept;
mod lists;
mod sides;

use std::fmt::Write;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::*;

/// Providers of all kinds.
const KINDS: &str = r"
providers:
  gpt: { base_url: http://gpt.test/v1, models: [g, e] }
  gem: { kind: gemini, base_url: http://gem.test/v1beta, keys: { env: ALPHA_KEY }, models: [e] }
  olla: { kind: ollama, base_url: http://olla.test, models: [l, e] }
  claude: { kind: anthropic, base_url: http://claude.test/v1, keys: { env: BETA_KEY }, models: [c] }
  native: { kind: openai-responses, base_url: http://native.test/v1, keys: [{ env: ALPHA_KEY }, { env: BETA_KEY }], models: [r, r2] }
routes:
  both: { first: [claude/c, gpt/e] }
  exact: { model: olla/e, strict: true }
  any: { first: [claude/c, native/r] }
";

/// The same with two client keys, of which the second may use one model only.
fn keyed() -> String {
    let hash = |key: &str| {
        Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    };
    let (ann, bob) = (hash("pm-ann"), hash("pm-bob"));
    format!(
        "{KINDS}keys:\n  - {{ id: ann, sha256: {ann} }}\n  - {{ id: bob, sha256: {bob}, models: [gpt/g] }}\n"
    )
}

fn ask(path: &str, body: &Value) -> Request<Full<Bytes>> {
    post(path, body.to_string())
}

fn call(method: &str, path: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(path).header("host", HOST).body(Full::default()).unwrap()
}

fn by(request: Request<Full<Bytes>>, key: &str) -> Request<Full<Bytes>> {
    with(request, "authorization", &format!("Bearer pm-{key}"))
}
