//! The ways out to upstreams as written: authorities, proxies, HTTP/2.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::decode::{Context, Decode, section};
use crate::raw::Secret;
use crate::raw::node::words;
use crate::yaml::{Node, Spanned, Value};

section! {
    /// How providers are reached, where a provider does not say otherwise.
    #[derive(Default)]
    pub(crate) struct Upstreams {
        /// Further certificate authorities, besides the system's.
        ca: Option<CaFile>,
        /// The proxy on the way.
        proxy: Option<Proxy>,
        /// Whether HTTP/2 is spoken; `auto` or `never`.
        http2: Option<Spanned<ProviderHttp2>>,
    }
}

words! {
    /// Whether a provider is called with HTTP/2.
    pub(crate) enum ProviderHttp2 {
        /// Where TLS is spoken and the server chooses it.
        Auto = "auto",
        /// HTTP/1.1 only.
        Never = "never",
        /// Without TLS: the server is known to speak it.
        PriorKnowledge = "prior_knowledge",
    }
}

section! {
    /// Certificate authorities in a file.
    pub(crate) struct CaFile {
        /// PEM.
        file: Spanned<String>,
    }
}

/// Which proxy.
#[derive(Debug)]
pub(crate) enum Proxy {
    /// `env`, `none` or `http://host:port`.
    Text(Spanned<String>),
    /// A URL with credentials.
    Secret(Secret),
}

impl Decode for Proxy {
    fn decode(node: &Node, cx: &mut Context) -> Option<Self> {
        match &node.value {
            Value::Map(_) => Secret::decode(node, cx).map(Self::Secret),
            _ => Spanned::decode(node, cx).map(Self::Text),
        }
    }
}

impl JsonSchema for Proxy {
    fn schema_name() -> Cow<'static, str> {
        "Proxy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Secret>();
        json_schema!({
            "description": "`env` (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), `none`, `http://host:port`, or where its URL with credentials is.",
            "anyOf": [{ "type": "string" }, secret],
        })
    }
}
