//! Upstream connections and pools, TLS, listeners, drain.
//!
//! [`Upstream`] is one origin with its pool; [`Upstreams`] keeps them alive across config reloads.
//! [`serve`] runs a service on a listener until it is told to drain. Tests replace
//! [`connect::Connect`] and [`serve::Accept`] by in-memory streams.

pub mod acme;
pub mod bind;
pub mod body;
pub mod collect;
pub mod connect;
pub mod egress;
pub mod fetch;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
mod h1;
mod h2;
pub mod io;
mod linger;
pub mod loopback;
mod pool;
pub mod serve;
mod stall;
pub mod tls;
pub mod upstream;

pub use body::{RequestBody, RequestBodyError, StreamedBody};
pub use collect::{CollectError, collect};
pub use connect::{Connect, ConnectError, Origin};
pub use h1::ExchangeError;
pub use io::{BoxedIo, Io};
pub use pool::UpstreamBody;
pub use serve::{Drain, Edge, Http2, ServeOptions, TwoFramings, serve, serve_edge};
pub use upstream::{
    SendError, Upgraded, Upstream, UpstreamConfig, UpstreamConfigError, UpstreamHttp2, Upstreams,
};
