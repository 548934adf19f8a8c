//! Sections of the process itself, and client keys.

use crate::decode::{ByteSize, OneOrMany, Span, section};
use crate::raw::node::words;
use crate::raw::{CaFile, KeyRule};
use crate::yaml::Spanned;

section! {
    /// Listeners and limits.
    #[derive(Default)]
    pub(crate) struct Server {
        /// Where this process is: balancing prefers deployments of the same zone.
        zone: Option<String>,
        /// Addresses of the API, each `address:port`.
        listen: Option<OneOrMany<Spanned<String>>>,
        /// Address of metrics, health and status, `address:port`.
        admin: Option<Spanned<String>>,
        /// Longest request body.
        max_body: Option<Spanned<ByteSize>>,
        /// Longest request body that is streamed and never held: forms with files, files, other paths.
        max_upload: Option<Spanned<ByteSize>>,
        /// Request bodies in memory at one time, in all. Beyond, callers get 429.
        max_in_flight: Option<Spanned<ByteSize>>,
        /// Certificate and key, or where to obtain them: connections of the API are encrypted.
        tls: Option<Spanned<Tls>>,
        /// Certificate and key: connections of the control plane are encrypted.
        admin_tls: Option<TlsFiles>,
        /// Where HTTP/2 is spoken.
        http2: Option<Http2>,
        /// From an idle or new connection to a complete request head.
        header_timeout: Option<Spanned<Span>>,
        /// From the head to the end of the request body.
        body_timeout: Option<Spanned<Span>>,
        /// Connections at one time. Further ones wait.
        max_connections: Option<Spanned<u32>>,
        /// Wrong client keys from one address.
        auth_failures: Option<AuthFailures>,
        /// How long requests may still run after the signal to end.
        drain_timeout: Option<Span>,
        /// A realtime session without any message for so long ends.
        realtime_idle_timeout: Option<Spanned<Span>>,
        /// Longest realtime session.
        max_realtime_session: Option<Spanned<Span>>,
    }
}

section! {
    /// How many wrong keys an address may send. Beyond, wrong ones get 429; right ones still pass.
    #[derive(Default)]
    pub(crate) struct AuthFailures {
        /// Wrong keys within `window`; 0 sets no limit.
        max: Option<u32>,
        /// The time after which as many may come again.
        window: Option<Spanned<Span>>,
    }
}

section! {
    /// A server's identity: PEM files that are read again when they change, or an authority to ask.
    pub(crate) struct Tls {
        /// The certificate, followed by those between it and its authority.
        cert: Option<Spanned<String>>,
        /// The private key.
        key: Option<Spanned<String>>,
        /// Authorities of clients: only who shows a certificate of theirs may connect.
        client_ca: Option<Spanned<String>>,
        /// Obtains and renews the certificate, in place of `cert` and `key`.
        acme: Option<Spanned<Acme>>,
    }
}

section! {
    /// A server's identity, in PEM files that are read again when they change.
    pub(crate) struct TlsFiles {
        /// The certificate, followed by those between it and its authority.
        cert: Spanned<String>,
        /// The private key.
        key: Spanned<String>,
        /// Authorities of clients: only who shows a certificate of theirs may connect.
        client_ca: Option<Spanned<String>>,
    }
}

/// One name or a list of them.
pub(crate) type Domains = OneOrMany<Spanned<String>>;

section! {
    /// An authority that issues certificates by itself (ACME, RFC 8555).
    pub(crate) struct Acme {
        /// The names that the certificate is for. Port 443 of each must lead here.
        domains: Spanned<Domains>,
        /// Whom the authority may write to.
        email: Option<Spanned<String>>,
        /// `true`: you have read the authority's terms and agree to them.
        agree_to_terms: Option<Spanned<bool>>,
        /// The authority's directory; Let's Encrypt's by default.
        directory: Option<Spanned<String>>,
        /// Who vouches for the directory, instead of all others.
        ca: Option<CaFile>,
        /// Folder of the account's key and the certificates; `acme` in the data folder by default.
        cache: Option<Spanned<String>>,
    }
}

words! {
    /// Where HTTP/2 is spoken.
    pub(crate) enum Http2 {
        /// Nowhere.
        Off = "off",
        /// On encrypted connections that ask for it.
        Tls = "tls",
        /// Also on plain connections that begin with it.
        Always = "always",
    }
}

section! {
    /// Request records.
    #[derive(Default)]
    pub(crate) struct Data {
        /// Folder of the database and the admin credential; relative to this file.
        dir: Option<Spanned<String>>,
        /// Whether requests are recorded.
        records: Option<bool>,
        /// Days after which records are deleted.
        retention_days: Option<Spanned<u32>>,
        /// Number of records beyond which the oldest are deleted.
        max_rows: Option<Spanned<u64>>,
        /// Answers of the responses API, for conversations that go on from their ids.
        responses: Option<Responses>,
    }
}

section! {
    /// Which answers of the responses API are kept. What was used longest ago is deleted first.
    #[derive(Default)]
    pub(crate) struct Responses {
        /// Whether any are.
        keep: Option<bool>,
        /// Number of answers.
        max_count: Option<Spanned<u64>>,
        /// Their bytes, with the requests' own items.
        max_size: Option<Spanned<ByteSize>>,
        /// Since an answer was made or gone on from.
        max_age: Option<Spanned<Span>>,
    }
}

section! {
    /// Logs.
    #[derive(Default)]
    pub(crate) struct Log {
        /// `error`, `warn`, `info`, `debug` or `trace`; or by module: `info,pointsman_gateway=debug`.
        level: Option<Spanned<String>>,
        /// For people or for machines.
        format: Option<Format>,
        /// A JSON line for every request: `off`, `stdout`, or the path of a file.
        access: Option<Spanned<String>>,
    }
}

words! {
    /// The form of log lines.
    pub(crate) enum Format {
        /// For people.
        Text = "text",
        /// For machines.
        Json = "json",
    }
}

words! {
    /// What happens to the upstream call when the client hangs up.
    pub(crate) enum Disconnect {
        /// It is cancelled.
        Cancel = "cancel",
        /// It is read to its end, so that usage is exact.
        Finish = "finish",
    }
}

section! {
    /// What to look for besides the configured providers.
    #[derive(Default)]
    pub(crate) struct Discovery {
        /// Vendors whose key is in the environment or in `.env` beside this file.
        env: Option<bool>,
        /// Engines on this machine at their usual ports.
        engines: Option<bool>,
    }
}

section! {
    /// A client key. `pointsman keys new` makes one.
    pub(crate) struct Key {
        /// Name of the key in records; not secret.
        id: Spanned<String>,
        /// SHA-256 of the key, 64 hexadecimal digits: `pointsman keys hash`.
        sha256: Spanned<String>,
        /// Models, routes and aliases that the key may name; absent: all.
        models: Option<Vec<Spanned<String>>>,
        /// Paths that no handler serves and that the key may call.
        pass_through: Option<Vec<KeyRule>>,
        /// Who pays.
        organisation: Option<String>,
        /// Who pays, more closely.
        project: Option<String>,
        /// Whose work it is.
        team: Option<String>,
        /// Whose key it is.
        user: Option<String>,
    }
}
