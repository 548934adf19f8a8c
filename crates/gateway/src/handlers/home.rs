//! `GET /`: status at a glance and the three snippets that connect a client. No scripts, no assets.

use std::fmt::Write;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderValue, Response, header, request};
use pointsman_config::Snapshot;
use pointsman_providers::simulated;

use crate::Gateway;
use crate::body::ResponseBody;
use crate::{errors, origin};

/// Most rows of the provider table.
const MAX_PROVIDERS: usize = 50;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
color:#1c2430;background:#fff}h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:2rem 0 .5rem}\
p{margin:.25rem 0}pre{background:#f3f5f8;border:1px solid #dde3ea;border-radius:6px;padding:.75rem 1rem;overflow:auto;\
font:14px/1.45 ui-monospace,monospace}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem \
.75rem .25rem 0;border-bottom:1px solid #dde3ea}th{font-weight:600}.note{color:#5a6675}\
@media(prefers-color-scheme:dark){body{color:#e3e8ee;background:#12161c}pre{background:#1b222b;border-color:#2c3642}\
td,th{border-color:#2c3642}.note{color:#93a0b0}}";

/// The page.
pub(crate) fn page(gateway: &Gateway, peer: IpAddr, head: &request::Parts) -> Response<ResponseBody> {
    let snapshot = gateway.world.load_full();
    let open = snapshot.keys.is_empty();
    if open && let Err(error) = origin::check(peer, &head.headers, &head.uri) {
        return errors::response(&error, None);
    }
    let host = head.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let html = html(&snapshot, &escape(host), open);
    let mut response = Response::new(ResponseBody::full(Bytes::from(html)));
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    response
}

fn html(snapshot: &Snapshot, host: &str, open: bool) -> String {
    let key = if open { "anything" } else { "YOUR_KEY" };
    let model = escape(&first_model(snapshot, open));
    let base = format!("http://{host}/v1");
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>Pointsman</title><style>{STYLE}</style>\
         <h1>Pointsman is running</h1><p class=\"note\">version {} · configuration {}</p>",
        env!("CARGO_PKG_VERSION"),
        snapshot.generation
    );
    if open {
        push_providers(&mut page, snapshot);
    } else {
        page.push_str("<p>This server asks for a key.</p>");
    }
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<h2>Environment</h2><pre>export OPENAI_BASE_URL={base}\nexport OPENAI_API_KEY={key}</pre>\
         <h2>Python</h2><pre>from openai import OpenAI\n\nclient = OpenAI(base_url=\"{base}\", api_key=\"{key}\")\n\
         answer = client.chat.completions.create(\n    model=\"{model}\",\n    \
         messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)\nprint(answer.choices[0].message.content)</pre>\
         <h2>Node</h2><pre>import OpenAI from \"openai\";\n\n\
         const client = new OpenAI({{ baseURL: \"{base}\", apiKey: \"{key}\" }});\n\
         const answer = await client.chat.completions.create({{\n  model: \"{model}\",\n  \
         messages: [{{ role: \"user\", content: \"Hello\" }}],\n}});\n\
         console.log(answer.choices[0].message.content);</pre></html>"
    );
    page
}

fn push_providers(page: &mut String, snapshot: &Snapshot) {
    if snapshot.simulated_only() {
        page.push_str(
            "<p>No provider was found, so answers are <b>simulated</b>. Set a key such as <code>OPENAI_API_KEY</code>, \
             or start an engine such as Ollama or llama.cpp.</p>",
        );
        return;
    }
    let real = snapshot.providers.iter().enumerate().filter(|(_, provider)| !provider.simulated());
    page.push_str("<h2>Providers</h2><table><tr><th>name<th>server<th>models</tr>");
    for (index, provider) in real.take(MAX_PROVIDERS) {
        let models = snapshot.resolver.deployments().filter(|(id, _)| id.index() == index).count();
        let any = if provider.open_ended { " and any other" } else { "" };
        let (name, url) = (escape(&provider.name), escape(&provider.base_url));
        let _ = write!(page, "<tr><td>{name}<td>{url}<td>{models}{any}</tr>");
    }
    page.push_str("</table>");
}

/// A model for the snippets: a local one or a simulated one, so that trying them costs nothing. Lists are
/// for known callers.
fn first_model(snapshot: &Snapshot, open: bool) -> String {
    if !open {
        return "a-model-of-yours".into();
    }
    let free = snapshot.deployments.iter().find(|deployment| deployment.provider.local);
    free.map_or_else(|| format!("{}/hello", simulated::NAME), |deployment| deployment.name.to_string())
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
