//! Headers that Pointsman reads, forwards, and answers with.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pointsman_core::RequestId;
use pointsman_core::record::TraceContext;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-pointsman-request-id");
pub(crate) const MODEL: HeaderName = HeaderName::from_static("x-pointsman-model");
pub(crate) const PROVIDER: HeaderName = HeaderName::from_static("x-pointsman-provider");
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-pointsman-attempts");
pub(crate) const COST_USD: HeaderName = HeaderName::from_static("x-pointsman-cost-usd");
pub(crate) const OVERHEAD_US: HeaderName = HeaderName::from_static("x-pointsman-overhead-us");
pub(crate) const SIMULATED: HeaderName = HeaderName::from_static("x-pointsman-simulated");

pub(crate) const AGENT: HeaderName = HeaderName::from_static("x-pointsman-agent");
pub(crate) const SESSION: HeaderName = HeaderName::from_static("x-pointsman-session");
pub(crate) const TAGS: HeaderName = HeaderName::from_static("x-pointsman-tags");

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

/// Provider headers that the caller gets to see, besides the content type.
const ANSWERED: [&str; 5] =
    ["x-request-id", "openai-version", "openai-processing-ms", "request-id", "x-should-retry"];
/// Families of the same.
const ANSWERED_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// Longest value of a caller's own label (agent, session, tags) that is kept.
const MAX_LABEL_BYTES: usize = 512;

pub(crate) fn insert_request_id(headers: &mut HeaderMap, id: RequestId) {
    if let Ok(value) = HeaderValue::from_bytes(&id.to_ascii()) {
        headers.insert(REQUEST_ID, value);
    }
}

/// A caller's label, if it is text and not too long.
pub(crate) fn label(headers: &HeaderMap, name: &HeaderName) -> Option<Box<str>> {
    let text = headers.get(name)?.to_str().ok()?;
    (!text.is_empty() && text.len() <= MAX_LABEL_BYTES).then(|| text.into())
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
    let text = format!("00-{:032x}-{span:016x}-{:02x}", trace.trace_id, trace.flags);
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(TRACEPARENT, value);
    }
}

/// The client's credential: `Authorization: Bearer`, else `x-api-key`, else `api-key`.
pub(crate) fn credential(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let bytes = value.as_bytes();
        let (scheme, rest) = bytes.split_at_checked(7)?;
        return scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii());
    }
    let value = headers.get("x-api-key").or_else(|| headers.get("api-key"))?;
    Some(value.as_bytes().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn credentials_where_clients_put_them() {
        assert_eq!(credential(&map(&[("authorization", "Bearer k1")])), Some(&b"k1"[..]));
        assert_eq!(credential(&map(&[("authorization", "bearer  k1 ")])), Some(&b"k1"[..]));
        assert_eq!(credential(&map(&[("authorization", "Basic k1"), ("x-api-key", "k2")])), None);
        assert_eq!(credential(&map(&[("x-api-key", "k2")])), Some(&b"k2"[..]));
        assert_eq!(credential(&map(&[("api-key", "k3")])), Some(&b"k3"[..]));
        assert_eq!(credential(&map(&[])), None);
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
