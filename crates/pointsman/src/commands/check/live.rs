//! `pointsman check --live`: each provider is called once with each of its keys, by the cheapest request
//! there is: the list of models, and where a key can run out of money, one token of a cheap model.

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method};
use pointsman_config::{Provider, Snapshot};
use pointsman_core::{Cost, Dialect, Operation, Usage};
use pointsman_providers::{Call, Mode, vendor};
use pointsman_transport::fetch::{Fetch, FetchError};
use pointsman_wire::convert::{Called, codec};
use pointsman_wire::json::Document;
use pointsman_wire::neutral::Target;
use serde_json::json;
use tokio::time::Instant;

use super::verdict::Verdict;
use crate::failure::Failure;
use crate::output::{self, Align, Table};

/// For everything that is asked of one key.
const LIMIT: Duration = Duration::from_secs(10);
/// OpenRouter's list of models has about half a megabyte.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// What stands in for a key that a vendor repeats.
const REDACTED: &str = "[key]";
/// Shorter values of configured headers are not taken for secrets.
const MIN_SECRET_BYTES: usize = 8;
const INTRODUCTION: &str = "
Each provider was asked for its models, and for one token where a key could be out of money:

";
/// The fewest tokens that OpenAI's Responses API takes as a limit.
const LEAST_OF_RESPONSES: u64 = 16;
/// The test prompt is one word; vendors add a few tokens of their own.
const PROMPT_TOKENS: u64 = 10;

/// What came of one key.
struct Checked {
    provider: String,
    key: String,
    verdict: Verdict,
    sent: String,
    detail: String,
}

/// A chat that is all but free.
struct Question {
    /// Below the provider's base URL.
    path: String,
    body: Bytes,
    /// How many it may cost, as it is shown.
    tokens: String,
}

/// One key of a provider, or none where it needs none.
struct Probe<'a> {
    provider: &'a Provider,
    /// Its place among the provider's keys.
    index: usize,
    key: Option<&'a HeaderValue>,
    /// For the request that costs something.
    model: Option<String>,
}

/// Calls all providers at the same time and shows how they did. Fails where one is not ok.
pub(super) async fn run(snapshot: &Snapshot) -> Result<ExitCode, Failure> {
    let probes = probes(snapshot);
    if probes.is_empty() {
        output::print("\nno provider to call\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let checked = join_all(probes.iter().map(Probe::run)).await;
    output::print(&format!("{INTRODUCTION}{}", table(&checked)))?;
    let well = checked.iter().all(|checked| checked.verdict == Verdict::Ok);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn probes(snapshot: &Snapshot) -> Vec<Probe<'_>> {
    let mut probes = Vec::new();
    for provider in snapshot.providers.iter().filter(|provider| !provider.simulated()) {
        let model = cheapest_model(snapshot, provider);
        let probe = |index, key| Probe { provider, index, key, model: model.clone() };
        if provider.auth.is_empty() {
            probes.push(probe(0, None));
        }
        probes.extend(provider.auth.iter().enumerate().map(|(index, key)| probe(index, Some(key))));
    }
    probes
}

/// The vendor's check model; else the cheapest chat model of the configuration. `None` for what costs
/// nothing.
fn cheapest_model(snapshot: &Snapshot, provider: &Provider) -> Option<String> {
    if provider.local || provider.auth.is_empty() {
        return None;
    }
    if let Some(model) = provider.vendor.and_then(vendor).and_then(|vendor| vendor.check_model) {
        return Some(model.to_owned());
    }
    let usage = Usage { input: PROMPT_TOKENS, output: 1, ..Usage::default() };
    let own = snapshot.deployments.iter().filter(|deployment| {
        deployment.key.provider == provider.name && deployment.mode.is_none_or(|mode| mode == Mode::Chat)
    });
    let cheapest = own.min_by_key(|deployment| {
        let cost = deployment.price.as_deref().map(|price| price.cost(&usage));
        (cost.is_none(), cost.as_ref().map(Cost::total))
    });
    cheapest.map(|deployment| deployment.key.model.to_string())
}

impl Probe<'_> {
    async fn run(&self) -> Checked {
        let start = Instant::now();
        let list = self.provider.protocol().list_path();
        let (verdict, detail) = self.fetch(Method::GET, list, Bytes::new(), LIMIT).await;
        let mut checked = self.checked(format!("GET {list}"), verdict, detail);
        // A server without a list of models may still answer.
        let go_on = matches!(checked.verdict, Verdict::Ok | Verdict::Failed);
        let question = self.model.as_ref().filter(|_| go_on).and_then(|model| self.question(model));
        if let Some(Question { path, body, tokens }) = question {
            let left = LIMIT.saturating_sub(start.elapsed());
            (checked.verdict, checked.detail) = self.fetch(Method::POST, &path, body, left).await;
            let (sent, model) = (checked.sent, self.model.as_deref().unwrap_or_default());
            checked.sent = format!("{sent}, then {tokens} of {model}");
        }
        checked
    }

    /// The cheapest chat there is, in the provider's own dialect. `None`: it cannot be asked for one.
    fn question(&self, model: &str) -> Option<Question> {
        let dialects = &self.provider.dialects;
        let chats = dialects.contains(&Dialect::OpenAiChat);
        let dialect = if chats { Dialect::OpenAiChat } else { *dialects.first()? };
        let (limit, tokens) = match dialect {
            Dialect::OpenAiResponses => (LEAST_OF_RESPONSES, format!("up to {LEAST_OF_RESPONSES} tokens")),
            _ => (1, "1 token".to_owned()),
        };
        let (operation, api_version) = (Operation::Chat, self.provider.api_version.as_deref());
        let call = Call { dialect, operation, model, streamed: false, api_version };
        let path = self.provider.protocol().path(&call)?.into_owned();
        let body = json!({
            "model": model,
            "messages": [{ "role": "user", "content": "Hi" }],
            "max_tokens": limit,
        });
        let body = body.to_string();
        if chats {
            return Some(Question { path, body: body.into(), tokens });
        }
        let document = Document::read(body.as_bytes()).ok()?;
        let request = codec(Dialect::OpenAiChat)?.decode_request(&document, Called::default()).ok()?;
        let target = Target::new(dialect, &self.provider.name, model);
        let body = codec(dialect)?.encode_request(&request, &target).ok()?.body.into();
        Some(Question { path, body, tokens })
    }

    async fn fetch(&self, method: Method, path: &str, body: Bytes, limit: Duration) -> (Verdict, String) {
        let headers = self.headers();
        let fetch = Fetch { method, path, headers: &headers, body, limit, max_bytes: MAX_ANSWER_BYTES };
        match fetch.run(&self.provider.upstream).await {
            Ok((status, body)) => {
                let (verdict, detail) = Verdict::of(status, &body);
                (verdict, self.redact(&detail))
            }
            Err(error @ (FetchError::Send(_) | FetchError::Timeout(_))) => {
                (Verdict::Unreachable, error.to_string())
            }
            Err(error) => (Verdict::Failed, error.to_string()),
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.provider.add_headers(&mut headers);
        if let Some(key) = self.key {
            headers.insert(self.provider.auth_header.clone(), key.clone());
        }
        headers
    }

    fn checked(&self, sent: String, verdict: Verdict, detail: String) -> Checked {
        let key = match (self.key, self.provider.auth.len()) {
            (None, _) => "none".to_owned(),
            (Some(_), count) => format!("{} of {count}", self.index + 1),
        };
        Checked { provider: self.provider.name.to_string(), key, verdict, sent, detail }
    }

    /// Without anything secret that the vendor repeated.
    fn redact(&self, text: &str) -> String {
        let headers = self.provider.headers.iter().map(|(_, value)| value);
        // A header such as `x-mode: a` is no secret, and replacing it would garble the text.
        let headers = headers.filter(|value| value.len() >= MIN_SECRET_BYTES);
        let secrets = self.provider.auth.iter().chain(headers).filter_map(|value| value.to_str().ok());
        secrets.fold(text.to_owned(), |text, value| {
            // `Bearer KEY`, or the key alone.
            let secret = value.rsplit(' ').next().unwrap_or(value);
            if secret.is_empty() { text } else { text.replace(secret, REDACTED) }
        })
    }
}

fn table(checked: &[Checked]) -> Table {
    let mut table = Table::new([
        ("PROVIDER", Align::Left),
        ("KEY", Align::Left),
        ("RESULT", Align::Left),
        ("SENT", Align::Left),
        ("ANSWER", Align::Left),
    ]);
    for Checked { provider, key, verdict, sent, detail } in checked {
        let cells = [provider, key, verdict.as_str(), sent, detail];
        table.row(cells.map(str::to_owned));
    }
    table
}
