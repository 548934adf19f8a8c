//! The sections of the file as they are written: syntax checked, meaning not yet. The doc comments
//! here are the descriptions in the JSON Schema.

mod balance;
mod exporter;
mod network;
mod node;
mod pass_through;
mod provider;
mod quirks;
mod resilience;
mod route;
mod secret;
mod server;

pub(crate) use exporter::{Batch, Exporter, ExporterKind, Telemetry};
pub(crate) use network::{CaFile, ProviderHttp2, Proxy, Upstreams};
pub(crate) use node::number;
pub(crate) use pass_through::{KeyRule, Method, PathRule};
pub(crate) use provider::{DialectWord, Header, Kind, Model, ModelEntry, ModelTimeouts, Models, Provider};
pub(crate) use quirks::{Extra, Quirks};
pub(crate) use resilience::{Breaker, Limits, OffOr, Percent, PrefillWord, Probe};
pub(crate) use route::{
    Chain, Deltas, Hedge, HedgeAfter, Interrupt, PriorityWord, ReasoningTimeouts, Retry, RetryBudget, Route,
    RouteOptions, RouteTimeouts,
};
pub(crate) use secret::Secret;
pub(crate) use server::{
    Acme, AuthFailures, Data, Disconnect, Discovery, Domains, Format, Http2, Key, Log, Responses, Server,
    Tls, TlsFiles,
};

use crate::decode::{Items, Named, Part, section};
use crate::yaml::Spanned;

section! {
    /// Pointsman's configuration. Every key is optional: without any, providers are discovered.
    #[schemars(title = "Pointsman configuration")]
    pub(crate) struct Root {
        /// Listeners and limits.
        #[schemars(with = "Option<Server>")]
        server: Part<Server>,
        /// Request records.
        #[schemars(with = "Option<Data>")]
        data: Part<Data>,
        /// Logs.
        #[schemars(with = "Option<Log>")]
        log: Part<Log>,
        /// What exporters say of this program.
        #[schemars(with = "Option<Telemetry>")]
        telemetry: Part<Telemetry>,
        /// Where finished requests are sent, by name.
        #[schemars(with = "Option<Named<Exporter>>")]
        exporters: Part<Named<Exporter>>,
        /// What to look for besides the providers below.
        #[schemars(with = "Option<Discovery>")]
        discovery: Part<Discovery>,
        /// How providers are reached.
        #[schemars(with = "Option<Upstreams>")]
        upstreams: Part<Upstreams>,
        /// Vendors and servers by name: the first segment of `provider/model`.
        #[schemars(with = "Option<Named<Provider>>")]
        providers: Part<Named<Provider>>,
        /// Virtual models by name.
        #[schemars(with = "Option<Named<Route>>")]
        routes: Part<Named<Route>>,
        /// Other names for models, routes and aliases.
        #[schemars(with = "Option<Named<Spanned<String>>>")]
        aliases: Part<Named<Spanned<String>>>,
        /// Client keys. Without any, only this machine is served.
        #[schemars(with = "Option<Items<Key>>")]
        keys: Part<Items<Key>>,
    }
}
