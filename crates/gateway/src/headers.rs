//! Headers that Pointsman reads, forwards, and answers with.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use pointsman_core::record::TraceContext;
use pointsman_core::{Dialect, RequestId};

use crate::percent;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-pointsman-request-id");
pub(crate) const MODEL: HeaderName = HeaderName::from_static("x-pointsman-model");
pub(crate) const PROVIDER: HeaderName = HeaderName::from_static("x-pointsman-provider");
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-pointsman-attempts");
pub(crate) const COST_USD: HeaderName = HeaderName::from_static("x-pointsman-cost-usd");
pub(crate) const OVERHEAD_US: HeaderName = HeaderName::from_static("x-pointsman-overhead-us");
pub(crate) const SIMULATED: HeaderName = HeaderName::from_static("x-pointsman-simulated");
/// Fields of the request that the provider's dialect has no place for.
pub(crate) const DROPPED: HeaderName = HeaderName::from_static("x-pointsman-dropped");
/// Nobody counted the tokens.
pub(crate) const ESTIMATED: HeaderName = HeaderName::from_static("x-pointsman-estimated");
/// The answer was made for another request that was the same.
pub(crate) const COALESCED: HeaderName = HeaderName::from_static("x-pointsman-coalesced");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Caller headers that go upstream as they are. Everything else stays here: an allow-list, so that
/// credentials, cookies and addresses cannot leak by being forgotten.
const FORWARDED: [HeaderName; 5] = [
    TRACESTATE,
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("idempotency-key"),
];

/// Whose account a caller of OpenAI means. They belong to its key, in whose place the provider's own is sent:
/// that key's account pays, and the caller is told that another was not asked for.
const ACCOUNTS: [&str; 2] = ["openai-organization", "openai-project"];
/// What a caller switches on at its own vendor.
const BETAS: [&str; 2] = ["anthropic-beta", "openai-beta"];

/// Provider headers that the caller gets to see, besides the content type.
const ANSWERED: [&str; 5] =
    ["x-request-id", "openai-version", "openai-processing-ms", "request-id", "x-should-retry"];
/// Families of the same.
const ANSWERED_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// Credential fields besides `Authorization`, first come first: Anthropic, Azure, Google.
pub(crate) const KEY_FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Longest list of fields in a header or a record, in bytes.
const MAX_LISTED_BYTES: usize = 1024;

/// Longest value of a caller's own label (agent, session, tags) that is kept.
const MAX_LABEL_BYTES: usize = 512;

pub(crate) fn insert_request_id(headers: &mut HeaderMap, id: RequestId) {
    if let Ok(value) = HeaderValue::from_bytes(&id.to_ascii()) {
        headers.insert(REQUEST_ID, value);
    }
}

/// What a caller calls its request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) agent: Option<Box<str>>,
    pub(crate) session: Option<Box<str>>,
    pub(crate) tags: Option<Box<str>>,
}

impl Labels {
    /// Those that are text and not too long, each the first of its name. Most requests have none: a look at each
    /// of their few headers is cheaper than look-ups.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut labels = Self::default();
        for (name, value) in headers {
            let label = match name.as_str().strip_prefix("x-pointsman-") {
                Some("agent") => &mut labels.agent,
                Some("session") => &mut labels.session,
                Some("tags") => &mut labels.tags,
                _ => continue,
            };
            let text = value.to_str().unwrap_or_default();
            if label.is_none() && !text.is_empty() && text.len() <= MAX_LABEL_BYTES {
                *label = Some(text.into());
            }
        }
        labels
    }
}

/// Adds names of fields to a list that can stand in a header: separated by commas, `?` for what cannot
/// stand there, and no further than it may be long.
pub(crate) fn list<'n>(into: &mut String, names: impl Iterator<Item = String> + 'n) {
    for name in names {
        let separator = usize::from(!into.is_empty());
        if into.len() + separator + name.len() > MAX_LISTED_BYTES {
            return;
        }
        if separator > 0 {
            into.push(',');
        }
        into.extend(name.chars().map(|c| if c.is_ascii_graphic() && c != ',' { c } else { '?' }));
    }
}

/// Copies what may go upstream.
pub(crate) fn forward(from: &HeaderMap, to: &mut HeaderMap) {
    // Most requests have none of these; a look at each of their few headers is cheaper than look-ups.
    for (name, value) in from {
        // A state without the trace that it belongs to means nothing (W3C Trace Context, 3.3).
        if FORWARDED.contains(name) && (*name != TRACESTATE || trace_context(from).is_some()) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// The headers of a request that name an account of the caller's own.
pub(crate) fn accounts(from: &HeaderMap) -> Vec<&'static str> {
    from.keys().filter_map(|name| ACCOUNTS.into_iter().find(|account| name == account)).collect()
}

/// Of the headers that go upstream, those that a provider with another dialect is not told, and that the caller
/// will miss.
pub(crate) fn untold(
    forwarded: &HeaderMap,
    client: Dialect,
    upstream: Dialect,
) -> impl Iterator<Item = &'static str> {
    let foreign = BETAS.into_iter().filter(move |_| client != upstream && !forwarded.is_empty());
    foreign.filter(move |name| {
        let name = HeaderName::from_static(name);
        forwarded.contains_key(&name) && !is_for(&name, upstream)
    })
}

/// Whether a caller's header means something to a provider that is spoken to in this dialect, where the
/// client speaks another.
pub(crate) fn is_for(name: &HeaderName, upstream: Dialect) -> bool {
    match name.as_str() {
        "anthropic-beta" => upstream == Dialect::Anthropic,
        // What is converted is written in the version that the provider's protocol names.
        "anthropic-version" => false,
        "openai-beta" => matches!(upstream, Dialect::OpenAiChat | Dialect::OpenAiResponses),
        _ => true,
    }
}

/// Copies what the caller may see of a provider's answer.
pub(crate) fn answer(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        let text = name.as_str();
        if ANSWERED.contains(&text) || ANSWERED_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// The caller's trace context, where it sent a valid one (W3C Trace Context, version 00).
pub(crate) fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut fields = text.split('-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let well_formed = [(version, 2), (trace, 32), (parent, 16), (flags, 2)]
        .into_iter()
        .all(|(field, length)| field.len() == length && digits(field));
    // Later versions may have more fields; this one has not.
    if !well_formed || version == "ff" || (version == "00" && fields.next().is_some()) {
        return None;
    }
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let trace_id = u128::from_str_radix(trace, 16).ok().filter(|&id| id != 0)?;
    let parent_id = hex(parent).filter(|&id| id != 0)?;
    let flags = u8::try_from(hex(flags)?).ok()?;
    Some(TraceContext { trace_id, parent_id: Some(parent_id), flags })
}

/// Tells the provider the trace, with `span` as the parent of whatever it does.
pub(crate) fn insert_traceparent(headers: &mut HeaderMap, trace: &TraceContext, span: u64) {
    // By hand: each call has one, and formatting takes ten times as long.
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    hex(&mut text[3..35], trace.trace_id);
    hex(&mut text[36..52], span.into());
    hex(&mut text[53..], trace.flags.into());
    if let Ok(value) = HeaderValue::from_bytes(&text) {
        headers.insert(TRACEPARENT, value);
    }
}

/// The last digits of a number, as many as there is room for.
fn hex(digits: &mut [u8], mut number: u128) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

/// The client's credential: `Authorization: Bearer`, else one of [`KEY_FIELDS`], else, where Google's
/// clients may put it, `key` in the query.
pub(crate) fn credential<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<Cow<'a, [u8]>> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let bytes = value.as_bytes();
        let (scheme, rest) = bytes.split_at_checked(7)?;
        return scheme.eq_ignore_ascii_case(b"bearer ").then(|| Cow::Borrowed(rest.trim_ascii()));
    }
    match KEY_FIELDS.iter().find_map(|name| headers.get(name)) {
        Some(value) => Some(Cow::Borrowed(value.as_bytes().trim_ascii())),
        None => match percent::decode(query_keys(uri).next().filter(|key| !key.is_empty())?)? {
            Cow::Borrowed(key) => Some(Cow::Borrowed(key.as_bytes())),
            Cow::Owned(key) => Some(Cow::Owned(key.into_bytes())),
        },
    }
}

/// The keys in the query, where they are looked for: the paths of Gemini's API, whose queries go nowhere.
pub(crate) fn query_keys(uri: &Uri) -> impl Iterator<Item = &str> {
    let geminis = uri.path().starts_with("/v1beta/") || uri.path().starts_with("/v1/models/");
    let query = uri.query().filter(|_| geminis).unwrap_or_default();
    query.split('&').filter_map(|pair| pair.strip_prefix("key="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn credentials_where_clients_put_them() {
        let sent = |fields: &[(&'static str, &str)], target: &str| {
            let (headers, uri) = (map(fields), target.parse().unwrap());
            credential(&headers, &uri).map(|key| String::from_utf8(key.into_owned()).unwrap())
        };
        let header = |fields: &[(&'static str, &str)]| sent(fields, "/v1/messages");
        assert_eq!(header(&[("authorization", "Bearer k1")]).as_deref(), Some("k1"));
        assert_eq!(header(&[("authorization", "bearer  k1 ")]).as_deref(), Some("k1"));
        assert_eq!(header(&[("authorization", "Basic k1"), ("x-api-key", "k2")]), None);
        assert_eq!(header(&[("x-api-key", "k2"), ("api-key", "k3")]).as_deref(), Some("k2"));
        assert_eq!(header(&[("api-key", "k3")]).as_deref(), Some("k3"));
        assert_eq!(header(&[("x-goog-api-key", "k4")]).as_deref(), Some("k4"));
        assert_eq!(header(&[]), None);
        let gemini = "/v1beta/models/m:generateContent?alt=sse&key=k%2F5";
        assert_eq!(sent(&[], gemini).as_deref(), Some("k/5"));
        assert_eq!(sent(&[("x-goog-api-key", "k4")], gemini).as_deref(), Some("k4"));
        for elsewhere in ["/v1/messages?key=k5", "/v1/models?key=k5", "/v1beta/models/m:countTokens?key="] {
            assert_eq!(sent(&[], elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn lists_of_fields_are_bounded_and_fit_a_header() {
        let mut text = String::new();
        list(&mut text, ["seed", "tools[0].\u{e9}\r\na,b"].map(str::to_owned).into_iter());
        assert_eq!(text, "seed,tools[0].???a?b");
        list(&mut text, (0..1_000).map(|at| format!("messages[{at}]")));
        assert!(text.len() <= MAX_LISTED_BYTES && !text.ends_with(','), "{}", text.len());
        HeaderValue::try_from(text).unwrap();
    }

    #[test]
    fn only_the_allow_list_goes_upstream() {
        let from = map(&[
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("x-api-key", "secret"),
            ("x-forwarded-for", "10.0.0.1"),
            ("openai-beta", "assistants=v2"),
            ("openai-organization", "org"),
        ]);
        let mut to = HeaderMap::new();
        forward(&from, &mut to);
        assert_eq!(to, map(&[("openai-beta", "assistants=v2")]));
    }

    #[test]
    fn what_another_dialect_is_not_told_is_named() {
        let sent = map(&[
            ("anthropic-beta", "context-1m-2025-08-07"),
            ("anthropic-version", "2026-10-21"),
            ("openai-beta", "responses=v1"),
            ("idempotency-key", "k"),
        ]);
        let missed = |upstream| untold(&sent, Dialect::Anthropic, upstream).collect::<Vec<_>>();
        assert_eq!(missed(Dialect::Anthropic), Vec::<&str>::new(), "all of it goes");
        assert_eq!(missed(Dialect::OpenAiChat), ["anthropic-beta"]);
        assert_eq!(missed(Dialect::Gemini), ["anthropic-beta", "openai-beta"]);
        assert_eq!(accounts(&map(&[("openai-project", "p"), ("x-a", "b")])), ["openai-project"]);
        assert_eq!(accounts(&sent), Vec::<&str>::new());
    }

    #[test]
    fn a_trace_state_goes_with_its_trace_only() {
        let forwarded = |parent: &str| {
            let mut to = HeaderMap::new();
            forward(&map(&[("traceparent", parent), ("tracestate", "a=1")]), &mut to);
            to.contains_key(TRACESTATE)
        };
        assert!(forwarded("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        assert!(!forwarded("00-zz-zz-zz"));
        let mut to = HeaderMap::new();
        forward(&map(&[("tracestate", "a=1")]), &mut to);
        assert!(to.is_empty());
    }

    #[test]
    fn trace_context_round_trips_and_refuses_nonsense() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = trace_context(&map(&[("traceparent", text)])).unwrap();
        assert_eq!(trace.parent_id, Some(0xb7ad_6b71_6920_3331));
        let mut out = HeaderMap::new();
        insert_traceparent(&mut out, &trace, 0xb7ad_6b71_6920_3331);
        assert_eq!(out.get(TRACEPARENT).unwrap(), text);
        for bad in [
            "",
            "00-0-0-0",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        ] {
            assert_eq!(trace_context(&map(&[("traceparent", bad)])), None, "{bad}");
        }
    }
}
