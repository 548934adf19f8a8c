//! Providers: presets of known vendors and engines, base URLs, credentials, headers.

use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};
use pointsman_core::Dialect;
use pointsman_providers::{AuthStyle, Engine, Prefill, Protocol, Support, Vendor, engines, vendor, vendors};
use pointsman_resilience::EndpointPolicy;
use pointsman_wire::neutral::Quirks;

use super::resilience::Endpoint;
use super::{Checker, Way, quirks};
use crate::decode::similar;
use crate::domain::{ModelRules, ProviderKind, ProviderSource, SIMULATED_BASE_URL, Timeouts};
use crate::raw::{self, Models, Secret};
use crate::yaml::{Place, Spanned, shorten};

/// A provider without its connections.
pub(crate) struct ProviderSpec {
    pub(crate) name: Arc<str>,
    pub(crate) place: Place,
    pub(crate) kind: ProviderKind,
    pub(crate) vendor: Option<&'static Vendor>,
    pub(crate) source: ProviderSource,
    pub(crate) dialects: Vec<Dialect>,
    /// They are the vendor's own, of which single models may lack some.
    pub(crate) dialects_by_model: bool,
    pub(crate) api_version: Option<Arc<str>>,
    pub(crate) base_url: String,
    pub(crate) base_url_place: Place,
    pub(crate) auth_header: HeaderName,
    pub(crate) auth: Vec<HeaderValue>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) way: Way,
    pub(crate) region: Option<Arc<str>>,
    pub(crate) timeouts: Timeouts,
    pub(crate) rules: ModelRules,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) accepts_include_usage: bool,
    pub(crate) quirks: Quirks,
    pub(crate) local: bool,
    pub(crate) open_ended: bool,
    pub(crate) models: Vec<String>,
}

/// What is known of a provider by its vendor's or engine's name.
#[derive(Clone, Copy)]
enum Preset {
    None,
    Vendor(&'static Vendor),
    Engine(&'static Engine),
}

impl Preset {
    /// What it speaks at home.
    const fn protocol(self) -> Protocol {
        match self {
            Self::None => Protocol::OpenAi,
            Self::Vendor(vendor) => vendor.protocol,
            Self::Engine(engine) => engine.protocol,
        }
    }

    /// Where it is spoken to in this protocol: beside its own API, where that is another and has such a side.
    fn base_url(self, protocol: Protocol) -> Option<String> {
        match self {
            Self::None => None,
            Self::Vendor(vendor) if matches!(protocol, Protocol::OpenAi | Protocol::OpenAiResponses) => {
                Some(format!("{}{}", vendor.base_url, vendor.protocol.openai_side()))
            }
            Self::Vendor(vendor) => Some(vendor.base_url.to_owned()),
            Self::Engine(engine) => Some(format!("http://127.0.0.1:{}{}", engine.port, engine.base_path)),
        }
    }
}

/// Headers that Pointsman sets itself, or that would break the connection.
const RESERVED: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::UPGRADE,
    header::ACCEPT_ENCODING,
];

impl ProviderSpec {
    /// A provider with this name and base URL and nothing else.
    pub(crate) fn new(name: &str, source: ProviderSource, base_url: &str) -> Self {
        Self {
            name: name.into(),
            place: Place::default(),
            kind: ProviderKind::Api(Protocol::OpenAi),
            dialects: Vec::new(),
            dialects_by_model: false,
            api_version: None,
            vendor: None,
            source,
            base_url: base_url.trim_end_matches('/').to_owned(),
            base_url_place: Place::default(),
            auth_header: header::AUTHORIZATION,
            auth: Vec::new(),
            headers: Vec::new(),
            way: Way::default(),
            region: None,
            timeouts: Timeouts::default(),
            rules: ModelRules::default(),
            tags: Vec::new(),
            accepts_include_usage: false,
            quirks: Quirks::NONE,
            local: false,
            open_ended: true,
            models: Vec::new(),
        }
    }

    /// Makes it speak this protocol. A base URL of the OpenAI-compatible side leads to the native one.
    pub(crate) fn speaks(&mut self, protocol: Protocol) {
        if let Some(native) = self.base_url.strip_suffix(protocol.openai_side()) {
            self.base_url.truncate(native.len());
        }
        self.kind = ProviderKind::Api(protocol);
        if protocol != Protocol::OpenAi {
            self.quirks = Quirks::NONE;
        }
    }

    /// The built-in provider.
    pub(crate) fn simulated(name: &str, source: ProviderSource) -> Self {
        Self {
            kind: ProviderKind::Simulated,
            accepts_include_usage: true,
            local: true,
            ..Self::new(name, source, SIMULATED_BASE_URL)
        }
    }

    /// A vendor with a key. `None` where the key cannot be sent.
    pub(crate) fn of_vendor(vendor: &'static Vendor, source: ProviderSource, key: &str) -> Option<Self> {
        let (auth_header, value) = credential(vendor.auth, key)?;
        let mut spec = Self {
            vendor: Some(vendor),
            auth_header,
            auth: vec![value],
            accepts_include_usage: vendor.include_usage,
            quirks: quirks::of_vendor(vendor),
            dialects: vendor.dialects.to_vec(),
            dialects_by_model: !vendor.dialects.is_empty(),
            ..Self::new(vendor.name, source, vendor.base_url)
        };
        spec.speaks(vendor.protocol);
        Some(spec)
    }

    /// What is known of an engine holds for it.
    fn is_engine(&mut self, engine: &Engine) {
        self.accepts_include_usage = engine.include_usage;
        self.local = true;
        self.rules.prefill = (engine.prefill != Prefill::None).then_some(engine.prefill);
    }

    /// An engine that answered on this machine.
    pub(crate) fn of_engine(engine: &'static Engine, base_url: &str, models: Vec<String>) -> Self {
        let mut spec = Self::new(engine.name, ProviderSource::Engine, base_url);
        spec.is_engine(engine);
        spec.speaks(engine.protocol);
        Self { open_ended: false, models, ..spec }
    }
}

impl Checker<'_> {
    pub(crate) fn provider(&mut self, name: &Spanned<String>, raw: raw::Provider) -> Option<ProviderSpec> {
        self.provider_name(name);
        let mut spec = match raw.kind {
            Some(raw::Kind::Simulated) => ProviderSpec::simulated(&name.value, ProviderSource::Config),
            _ => self.api(name, &raw)?,
        };
        spec.place = name.place;
        spec.way = self.way_of_one(&raw, &spec.base_url);
        for (header, value) in raw.headers.unwrap_or_default().0 {
            if let Some(value) = value
                && let Some(header) = self.header(&header, value)
            {
                spec.headers.push(header);
            }
        }
        let written = raw.timeouts.unwrap_or_default();
        let defaults = spec.timeouts;
        spec.timeouts = Timeouts {
            connect: self.duration(written.connect, defaults.connect),
            first_byte: self.duration(written.first_byte, defaults.first_byte),
            first_token: self.duration(written.first_token, defaults.first_token),
            between_chunks: self.duration(written.between_chunks, defaults.between_chunks),
            total: self.duration(written.total, defaults.total),
        };
        let reasoning = written.reasoning.map(|raw| self.reasoning_timeouts(raw)).unwrap_or_default();
        spec.rules.timeouts = Arc::new(spec.timeouts);
        spec.rules.reasoning_timeouts = Arc::new(reasoning.over(&spec.timeouts));
        spec.rules.prefill = raw.prefill.map(Prefill::from).or(spec.rules.prefill);
        spec.rules.reasoning = raw.reasoning;
        let (breaker, limits, probe) = (raw.breaker, raw.limits, raw.probe);
        let said = Endpoint { breaker, limits, zone: raw.zone, ease_in: raw.ease_in, probe };
        spec.rules.endpoint = Arc::new(self.endpoint_policy(said, &EndpointPolicy::default()));
        // They go by what was said of all of them.
        if let Some(Models::Listed(models)) = raw.models {
            self.models(models, &mut spec);
        }
        spec.region = raw.region.map(Arc::from);
        spec.tags = raw.tags.unwrap_or_default().0.into_iter().map(Arc::from).collect();
        spec.accepts_include_usage = raw.include_usage.unwrap_or(spec.accepts_include_usage);
        if let Some(written) = raw.quirks {
            spec.quirks = quirks::with(spec.quirks, written);
        }
        spec.local = raw.local.unwrap_or(spec.local);
        Some(spec)
    }

    /// It becomes the first segment of model names, and a label of metrics.
    fn provider_name(&mut self, name: &Spanned<String>) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !name.value.chars().all(allowed) || name.value.len() > 64 {
            let message = format!("`{}` cannot be a provider's name", shorten(&name.value));
            let hint = "use up to 64 letters, digits, `-`, `_` and `.`";
            self.cx.fail_hint::<()>(name.place, message, hint);
        }
    }

    fn api(&mut self, name: &Spanned<String>, raw: &raw::Provider) -> Option<ProviderSpec> {
        let preset = self.preset(name, raw)?;
        let chosen = raw.kind.and_then(raw::Kind::protocol);
        let protocol = chosen.unwrap_or(preset.protocol());
        let mut spec = match (&raw.base_url, preset.base_url(protocol)) {
            (Some(url), _) => ProviderSpec {
                base_url_place: url.place,
                ..ProviderSpec::new(&name.value, ProviderSource::Config, &url.value)
            },
            (None, Some(url)) => ProviderSpec::new(&name.value, ProviderSource::Config, &url),
            (None, None) => {
                let names = vendors().iter().map(|vendor| vendor.name);
                let names = names.chain(engines().iter().map(|engine| engine.name));
                let hint = match similar(&name.value, names) {
                    Some(known) => format!("did you mean the provider `{known}`?"),
                    None => {
                        "write `base_url: https://host/v1`, or `vendor:` with the name of a known one".into()
                    }
                };
                return self.cx.fail_hint(name.place, "the key `base_url` is missing", hint);
            }
        };
        if let Some(url) = &raw.base_url
            && url.value.trim_end_matches('/').ends_with("/chat/completions")
        {
            let hint = "leave `/chat/completions` out: operations are appended";
            self.cx.fail_hint::<()>(url.place, "not a base URL but that of one operation", hint);
        }
        let auth = match preset {
            Preset::Vendor(vendor) => {
                spec.vendor = Some(vendor);
                spec.accepts_include_usage = vendor.include_usage;
                spec.quirks = quirks::of_vendor(vendor);
                // Another server that is called like a vendor's need not have all that the vendor's has.
                if raw.base_url.is_none() && protocol == vendor.protocol {
                    spec.dialects = vendor.dialects.to_vec();
                    spec.dialects_by_model = !vendor.dialects.is_empty();
                }
                if protocol == vendor.protocol { vendor.auth } else { protocol.auth() }
            }
            Preset::Engine(engine) => {
                spec.is_engine(engine);
                protocol.auth()
            }
            Preset::None => protocol.auth(),
        };
        spec.speaks(protocol);
        if let Some(words) = &raw.dialects {
            spec.dialects_by_model = false;
            spec.dialects = words.0.iter().map(|word| self.dialect(word, protocol)).collect::<Option<_>>()?;
        }
        spec.api_version = raw.api_version.as_ref().and_then(|version| self.api_version(version, protocol));
        self.credentials(name, raw, auth, &mut spec);
        Some(spec)
    }

    fn dialect(&mut self, word: &Spanned<raw::DialectWord>, protocol: Protocol) -> Option<Dialect> {
        let dialect = word.value.into();
        if protocol.speaks(dialect) {
            return Some(dialect);
        }
        let message = format!("a server of the kind `{}` has no path for `{dialect}`", protocol.as_str());
        let hint = "leave it out, or write the `kind` that has it as a provider of its own";
        self.cx.fail_hint(word.place, message, hint)
    }

    fn api_version(&mut self, version: &Spanned<String>, protocol: Protocol) -> Option<Arc<str>> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if protocol != Protocol::Azure {
            let message = "`api_version` is for Azure OpenAI only";
            return self.cx.fail_hint(version.place, message, "leave it out, or write `kind: azure`");
        }
        if version.value.is_empty() || !version.value.chars().all(allowed) {
            let message = format!("`{}` is no version of Azure's API", shorten(&version.value));
            return self.cx.fail_hint(version.place, message, "write a date such as `2024-10-21`");
        }
        Some(version.value.as_str().into())
    }

    fn preset(&mut self, name: &Spanned<String>, raw: &raw::Provider) -> Option<Preset> {
        let wanted = raw.vendor.as_ref().unwrap_or(name);
        let engine = engines().iter().find(|engine| engine.name == wanted.value);
        match (vendor(&wanted.value), engine) {
            (Some(vendor), _) if vendor.support == Support::Usable || raw.base_url.is_some() => {
                Some(Preset::Vendor(vendor))
            }
            (Some(vendor), _) => {
                let message = format!("{} cannot be called yet", vendor.display);
                let hint = "if it has an OpenAI-compatible API, give its `base_url`";
                self.cx.fail_hint(wanted.place, message, hint)
            }
            (None, Some(engine)) => Some(Preset::Engine(engine)),
            (None, None) if raw.vendor.is_none() => Some(Preset::None),
            (None, None) => {
                let names = vendors().iter().map(|vendor| vendor.name);
                let names = names.chain(engines().iter().map(|engine| engine.name));
                let hint = match similar(&wanted.value, names) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "leave it out and give a `base_url`".to_owned(),
                };
                let message = format!("no vendor or engine is known as `{}`", shorten(&wanted.value));
                self.cx.fail_hint(wanted.place, message, hint)
            }
        }
    }

    /// The keys as written, or the vendor's own variable.
    fn credentials(
        &mut self,
        name: &Spanned<String>,
        raw: &raw::Provider,
        auth: AuthStyle,
        spec: &mut ProviderSpec,
    ) {
        let written = raw.keys.as_ref().map(|keys| keys.0.clone());
        let secrets = match (written, spec.vendor) {
            (Some(secrets), _) => secrets,
            (None, Some(vendor)) => {
                let set = vendor.env.iter().find(|variable| self.environment.get(variable).is_some());
                let variable = set.or(vendor.env.first());
                variable
                    .map(|variable| Secret::Env { name: (*variable).to_owned(), place: name.place })
                    .into_iter()
                    .collect()
            }
            (None, None) => Vec::new(),
        };
        for secret in secrets {
            let Some(key) = self.secret(&secret) else { continue };
            match credential(auth, &key) {
                Some((header, value)) => {
                    spec.auth_header = header;
                    spec.auth.push(value);
                }
                None => {
                    self.cx.fail::<()>(secret.place(), "the key holds characters that no header can carry");
                }
            }
        }
    }

    pub(super) fn header(
        &mut self,
        name: &Spanned<String>,
        value: raw::Header,
    ) -> Option<(HeaderName, HeaderValue)> {
        let Ok(header) = HeaderName::try_from(&name.value) else {
            let message = format!("`{}` cannot be the name of a header", shorten(&name.value));
            return self.cx.fail(name.place, message);
        };
        if RESERVED.contains(&header) {
            return self.cx.fail(name.place, format!("the header `{header}` is set by Pointsman itself"));
        }
        let (value, place, secret) = match value {
            raw::Header::Text(text) if header == header::AUTHORIZATION => {
                let hint = "use `keys`, or write `{ env: NAME }` or `{ file: PATH }` here";
                let message = "a secret must not be written into the configuration";
                return self.cx.fail_hint(text.place, message, hint);
            }
            raw::Header::Text(text) => (HeaderValue::try_from(&text.value), text.place, false),
            raw::Header::Secret(secret) => {
                (HeaderValue::try_from(self.secret(&secret)?.as_str()), secret.place(), true)
            }
        };
        match value {
            Ok(mut value) => {
                value.set_sensitive(secret);
                Some((header, value))
            }
            Err(_) => self.cx.fail(place, "the value holds characters that no header can carry"),
        }
    }
}

/// The header that carries a key, marked as sensitive.
fn credential(auth: AuthStyle, key: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = match auth {
        AuthStyle::Header(name) => (HeaderName::try_from(name).ok()?, HeaderValue::try_from(key)),
        AuthStyle::Bearer | AuthStyle::AwsSigV4 | AuthStyle::GoogleOauth => {
            (header::AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")))
        }
    };
    let mut value = value.ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
