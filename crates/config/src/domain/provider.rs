//! A provider: one vendor account or server, ready to be called.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use pointsman_core::{Dialect, Operation};
use pointsman_providers::{Call, Protocol, fits_path};
use pointsman_transport::Upstream;
use pointsman_wire::neutral::Quirks;

use super::{ModelRules, Slot};

/// The base URL of the simulated provider. The name cannot exist (RFC 2606): the gateway's connector
/// answers for it in memory, and nothing ever leaves the machine.
pub const SIMULATED_BASE_URL: &str = "http://simulated.invalid/v1";

/// Which protocol a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// A vendor's or engine's API.
    Api(Protocol),
    /// Built in; answers any model name.
    Simulated,
}

/// Where a provider comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderSource {
    /// The configuration file.
    Config,
    /// A key in this environment variable.
    Environment(Arc<str>),
    /// An engine that answered on this machine.
    Engine,
    /// Built in.
    BuiltIn,
}

/// Limits for each phase of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS.
    pub connect: Duration,
    /// From the sent request to the response head.
    pub first_byte: Duration,
    /// From the response head to the first token, of a stream.
    pub first_token: Duration,
    /// Between two chunks.
    pub between_chunks: Duration,
    /// The client's whole request, with all attempts.
    pub total: Duration,
}

impl Default for Timeouts {
    /// Generous where models think: reasoning models send nothing for minutes.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(300),
            first_token: Duration::from_secs(300),
            between_chunks: Duration::from_secs(120),
            total: Duration::from_secs(900),
        }
    }
}

/// A configured, discovered or built-in provider. Kept across reloads while nothing of it changes.
pub struct Provider {
    /// The first segment of `provider/model`.
    pub name: Arc<str>,
    /// The protocol.
    pub kind: ProviderKind,
    /// The row of [`pointsman_providers::vendors()`] that it was made from.
    pub vendor: Option<&'static str>,
    /// Where it comes from.
    pub source: ProviderSource,
    /// The server and its connections.
    pub upstream: Arc<Upstream>,
    /// As configured, without a slash at its end; for display.
    pub base_url: Arc<str>,
    /// The request target of every operation in OpenAI's dialect, by the order of [`Operation::ALL`].
    pub(crate) targets: [Uri; Operation::ALL.len()],
    /// The dialects of chat that it understands; the first is the one to convert to. Never empty.
    pub dialects: Box<[Dialect]>,
    /// Whether they are the vendor's own: then a model may have fewer, or another one to convert to.
    pub(crate) dialects_by_model: bool,
    /// Azure's `api-version`.
    pub api_version: Option<Arc<str>>,
    /// In what it differs from its dialect's inventor.
    pub quirks: Arc<Quirks>,
    /// The header that carries the key.
    pub auth_header: HeaderName,
    /// One complete, sensitive header value per key; empty where none is needed.
    pub auth: Box<[HeaderValue]>,
    /// Further headers of every request, as configured: [`Provider::add_headers`] knows them all.
    pub headers: Box<[(HeaderName, HeaderValue)]>,
    /// Where the data is processed, as configured.
    pub region: Option<Arc<str>>,
    /// Limits. Models that reason, or have their own, may have others: see [`super::Deployment::timeouts`].
    pub timeouts: Timeouts,
    /// What else holds for its models.
    pub(crate) rules: ModelRules,
    /// How the models are doing that find no room among those that are remembered, as one.
    pub(crate) others: Arc<Slot>,
    /// Free labels, for rules and reports.
    pub tags: Box<[Arc<str>]>,
    /// Whether `stream_options.include_usage` may be added.
    pub accepts_include_usage: bool,
    /// On this machine or network: costs nothing.
    pub local: bool,
    /// Takes model ids that no list holds.
    pub open_ended: bool,
}

impl Provider {
    /// The protocol; that of OpenAI where answers are made up.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self.kind {
            ProviderKind::Api(protocol) => protocol,
            ProviderKind::Simulated => Protocol::OpenAi,
        }
    }

    /// The request target of one call, in whatever dialect. `None`: there is no such call, or the model's name
    /// has no place in a path.
    #[must_use]
    pub fn call_target(
        &self,
        dialect: Dialect,
        operation: Operation,
        model: &str,
        streamed: bool,
    ) -> Option<Uri> {
        let protocol = self.protocol();
        if dialect == Dialect::OpenAiChat && !protocol.model_in_path() {
            return Some(self.target(operation).clone());
        }
        if protocol.model_in_path() && !fits_path(model) {
            return None;
        }
        let api_version = self.api_version.as_deref();
        let call = Call { dialect, operation, model, streamed, api_version };
        self.upstream.target(&protocol.path(&call)?).ok()
    }

    /// The request target of a path of OpenAI's API, without its `/v1`: `/files/file-1?limit=2`.
    ///
    /// # Errors
    /// The path cannot be sent.
    pub fn openai_target(&self, path: &str) -> Result<Uri, http::Error> {
        match self.protocol().openai_side() {
            "" => self.upstream.target(path),
            side => self.upstream.target(&format!("{side}{path}")),
        }
    }

    /// The request target of an operation in OpenAI's dialect, without a model.
    #[must_use]
    pub const fn target(&self, operation: Operation) -> &Uri {
        &self.targets[operation.index()]
    }

    /// Adds the headers that every request needs: as configured, whatever is there; those that the protocol asks
    /// for where nobody says otherwise.
    pub fn add_headers(&self, headers: &mut HeaderMap) {
        for &(name, value) in self.protocol().headers() {
            let value = HeaderValue::from_static(value);
            headers.entry(HeaderName::from_static(name)).or_insert(value);
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }

    /// The auth header's value for the `nth` use: keys take turns. `None` without keys.
    #[must_use]
    pub fn authorization(&self, nth: u64) -> Option<&HeaderValue> {
        // A list never has 2^64 elements, so the casts lose nothing.
        let index = nth.checked_rem(self.auth.len() as u64)?;
        self.auth.get(index as usize)
    }

    /// Whether answers are made up.
    #[must_use]
    pub const fn simulated(&self) -> bool {
        matches!(self.kind, ProviderKind::Simulated)
    }

    /// Whether what is known of its health holds for the other as well: the same server and account.
    pub(crate) fn same_account(&self, other: &Self) -> bool {
        self.name == other.name
            && self.kind == other.kind
            && self.base_url == other.base_url
            && self.auth_header == other.auth_header
            && self.auth == other.auth
    }

    /// Whether nothing differs but the identity.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.kind == other.kind
            && self.vendor == other.vendor
            && self.source == other.source
            && Arc::ptr_eq(&self.upstream, &other.upstream)
            && self.base_url == other.base_url
            && self.dialects == other.dialects
            && self.dialects_by_model == other.dialects_by_model
            && self.api_version == other.api_version
            && self.quirks == other.quirks
            && self.auth_header == other.auth_header
            && self.auth == other.auth
            && self.headers == other.headers
            && self.region == other.region
            && self.timeouts == other.timeouts
            && self.rules == other.rules
            && self.tags == other.tags
            && self.accepts_include_usage == other.accepts_include_usage
            && self.local == other.local
            && self.open_ended == other.open_ended
    }
}

/// Without headers: those of a configuration may hold secrets.
impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("base_url", &self.base_url)
            .field("keys", &self.auth.len())
            .finish_non_exhaustive()
    }
}
