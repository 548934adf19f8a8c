//! The ways out to upstreams: authorities, proxies and HTTP/2, of all providers and of one.

use std::path::PathBuf;
use std::sync::Arc;

use pointsman_transport::UpstreamHttp2;
use pointsman_transport::egress::{Egress, Proxies, Proxy};
use pointsman_transport::tls::{Trust, pem};

use super::Checker;
use crate::raw;
use crate::yaml::{Place, Spanned};

/// What one level of the configuration says.
#[derive(Debug, Default)]
pub(crate) struct Way {
    pub(crate) trust: Option<Trust>,
    pub(crate) proxies: Option<Arc<Proxies>>,
    pub(crate) http2: Option<UpstreamHttp2>,
    /// What it was read from.
    pub(crate) files: Vec<PathBuf>,
}

impl Way {
    /// The way out, where `all` holds for all providers and this for one.
    pub(crate) fn or(&self, all: &Self) -> Egress {
        Egress {
            trust: self.trust.as_ref().or(all.trust.as_ref()).cloned().unwrap_or_default(),
            proxies: self.proxies.as_ref().or(all.proxies.as_ref()).cloned().unwrap_or_default(),
        }
    }

    /// Whether HTTP/2 is spoken, likewise.
    pub(crate) fn http2_or(&self, all: &Self) -> UpstreamHttp2 {
        self.http2.or(all.http2).unwrap_or_default()
    }
}

impl Checker<'_> {
    /// For all providers: authorities come on top of the system's.
    pub(crate) fn way_of_all(&mut self, raw: &raw::Upstreams) -> Way {
        let http2 = raw.http2.as_ref();
        if let Some(Spanned { value: raw::ProviderHttp2::PriorKnowledge, place }) = http2 {
            let hint = "write it at the providers that are known to speak it";
            self.cx.fail_hint::<()>(*place, "`prior_knowledge` cannot hold for all providers", hint);
        }
        Way { http2: http2.map(known), ..self.way(raw.ca.as_ref(), raw.proxy.as_ref(), Trust::SystemAnd) }
    }

    /// For one provider: its authorities take the place of all others.
    pub(crate) fn way_of_one(&mut self, raw: &raw::Provider, base_url: &str) -> Way {
        let http2 = raw.http2.as_ref();
        if let Some(Spanned { value: raw::ProviderHttp2::PriorKnowledge, place }) = http2
            && !base_url.starts_with("http://")
        {
            let hint = "leave it out: over TLS the server chooses";
            self.cx.fail_hint::<()>(*place, "`prior_knowledge` is for base URLs with http://", hint);
        }
        Way { http2: http2.map(known), ..self.way(raw.ca.as_ref(), raw.proxy.as_ref(), Trust::Only) }
    }

    pub(super) fn way(
        &mut self,
        ca: Option<&raw::CaFile>,
        proxy: Option<&raw::Proxy>,
        trust: fn(Vec<pem::Certificate>) -> Trust,
    ) -> Way {
        let mut way = Way::default();
        if let Some(raw::CaFile { file }) = ca {
            let path = self.path(&file.value);
            match pem::authorities(&path).and_then(|_sound| pem::certificates(&path)) {
                Ok(authorities) => way.trust = Some(trust(authorities)),
                Err(error) => {
                    self.cx.fail::<()>(file.place, error.to_string());
                }
            }
            way.files.push(path);
        }
        way.proxies = proxy.and_then(|proxy| self.proxies(proxy)).map(Arc::new);
        way
    }

    fn proxies(&mut self, raw: &raw::Proxy) -> Option<Proxies> {
        match raw {
            raw::Proxy::Text(text) if text.value == "none" => Some(Proxies::default()),
            raw::Proxy::Text(text) if text.value == "env" => {
                let environment = self.environment;
                Proxies::from_env(|name| environment.get(name)).map_or_else(
                    |name| {
                        let message = format!("the variable {name} does not hold the URL of an HTTP proxy");
                        self.cx.fail_hint(text.place, message, "write `http://host:port` there, or unset it")
                    },
                    Some,
                )
            }
            // The text may be a password; it is not repeated.
            raw::Proxy::Text(text) if text.value.contains('@') => {
                let message = "a secret must not be written into the configuration";
                let hint = "write `{ env: NAME }` or `{ file: PATH }`, and put the whole URL there";
                self.cx.fail_hint(text.place, message, hint)
            }
            raw::Proxy::Text(text) => self.proxy(&text.value, text.place),
            raw::Proxy::Secret(secret) => {
                let url = self.secret(secret)?;
                self.proxy(&url, secret.place())
            }
        }
    }

    fn proxy(&mut self, url: &str, place: Place) -> Option<Proxies> {
        match Proxy::parse(url) {
            Ok(proxy) => Some(Proxies::all(proxy)),
            Err(error) => self.cx.fail_hint(place, error.to_string(), "or write `env` or `none`"),
        }
    }
}

const fn known(written: &Spanned<raw::ProviderHttp2>) -> UpstreamHttp2 {
    match written.value {
        raw::ProviderHttp2::Auto => UpstreamHttp2::Auto,
        raw::ProviderHttp2::Never => UpstreamHttp2::Never,
        raw::ProviderHttp2::PriorKnowledge => UpstreamHttp2::PriorKnowledge,
    }
}
