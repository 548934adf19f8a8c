//! What requests look like: keys and models drawn uniformly, bodies of a given size.

use pointsman_core::Rng;

/// The shape of a load's requests.
#[derive(Clone, Debug)]
pub struct Shape {
    /// `/v1/chat/completions` or another path.
    pub path: String,
    /// Client keys, drawn uniformly; none: no credentials are sent.
    pub keys: Vec<String>,
    /// Model names, drawn uniformly.
    pub models: Vec<String>,
    /// Size of the body.
    pub body_bytes: usize,
    /// Ask for a stream, with usage.
    pub stream: bool,
    /// Send a W3C `traceparent` with a random trace id.
    pub trace: bool,
    /// Further headers, `name: value` each.
    pub headers: Vec<String>,
}

impl Default for Shape {
    /// 1 KB chat requests for the model `bench`, no key.
    fn default() -> Self {
        Self {
            path: "/v1/chat/completions".into(),
            keys: Vec::new(),
            models: vec!["bench".into()],
            body_bytes: 1024,
            stream: false,
            trace: false,
            headers: Vec::new(),
        }
    }
}

impl Shape {
    /// The next request, in place of what `out` held.
    pub fn render(&self, rng: &mut Rng, out: &mut Vec<u8>) {
        let model = pick(&self.models, rng).map_or("bench", String::as_str);
        let opening = r#"{"model":""#;
        let (middle, tail) = match self.path.rsplit('/').next() {
            Some("embeddings") => (r#"","input":""#, r#""}"#),
            Some("completions") if !self.path.contains("/chat/") => (r#"","prompt":""#, r#""}"#),
            _ if self.stream => (
                r#"","messages":[{"role":"user","content":""#,
                r#""}],"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            _ => (r#"","messages":[{"role":"user","content":""#, r#""}]}"#),
        };
        let fixed = opening.len() + model.len() + middle.len() + tail.len();
        let text = self.body_bytes.saturating_sub(fixed);
        out.clear();
        out.extend_from_slice(b"POST ");
        out.extend_from_slice(self.path.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n");
        if let Some(key) = pick(&self.keys, rng) {
            out.extend_from_slice(b"authorization: Bearer ");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        for header in &self.headers {
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if self.trace {
            let line =
                format!("traceparent: 00-{:016x}{:016x}-{:016x}-01\r\n", rng.next_u64(), rng.next_u64(), 1);
            out.extend_from_slice(line.as_bytes());
        }
        out.extend_from_slice(format!("content-length: {}\r\n\r\n", fixed + text).as_bytes());
        for part in [opening, model, middle] {
            out.extend_from_slice(part.as_bytes());
        }
        out.resize(out.len() + text, b'x');
        out.extend_from_slice(tail.as_bytes());
    }
}

fn pick<'a>(list: &'a [String], rng: &mut Rng) -> Option<&'a String> {
    list.get(rng.below(list.len() as u64) as usize)
}
