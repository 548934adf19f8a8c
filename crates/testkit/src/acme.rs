//! An authority that issues certificates, as RFC 8555 has it: strict about nonces, signatures, URLs, states
//! and who owns what; it really looks at the listener of a domain (`tls-alpn-01`, RFC 8737).
//!
//! [`Directory::serve`] takes a connection, from a socket or in memory, and [`Dial`] is how domains are
//! looked at. Checks run when the client next asks for them, so nothing runs by itself.

mod issue;
mod jws;
mod look;

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pointsman_core::Clock;
use pointsman_transport::BoxedIo;
use rustls::ServerConfig;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use self::issue::Authority;
use self::jws::{Key, Signed, Signer, malformed};

/// Longest request, in bytes.
const MAX_REQUEST: usize = 64 * 1024;
/// How long certificates are valid unless a test says otherwise.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A connection to port 443 of a domain.
pub type Dial =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<BoxedIo>> + Send>> + Send + Sync>;

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Orders are refused: kind, detail, and seconds for `Retry-After`.
    pub refuse_orders: Option<(&'static str, &'static str, Option<u64>)>,
    /// So many nonces are taken for stale.
    pub stale_nonces: u32,
    /// Every answer is an HTML page with status 503.
    pub down: bool,
}

/// The authority.
pub struct Directory {
    base: String,
    clock: Clock,
    dial: Dial,
    authority: Authority,
    listener: Arc<ServerConfig>,
    state: Mutex<State>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("base", &self.base).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    faults: Faults,
    lifetime: Option<Duration>,
    /// Counts tokens and nonces.
    drawn: u64,
    nonces: HashSet<String>,
    accounts: Vec<Key>,
    orders: Vec<Order>,
    domains: Vec<Domain>,
    log: Vec<String>,
}

struct Order {
    account: usize,
    names: Vec<String>,
    /// Of [`State::domains`].
    domains: Vec<usize>,
    /// Issued, but `processing` until it is asked for once more.
    chain: Option<String>,
    told: bool,
}

/// A domain to be checked for an order.
struct Domain {
    account: usize,
    name: String,
    token: String,
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Status {
    Pending,
    /// The client says that we may look.
    Processing,
    Valid,
    Invalid(String),
}

/// Why a request is refused.
#[derive(Debug)]
struct Problem {
    status: u16,
    kind: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), retry_after: None }
    }
}

/// Status, `Location`, and JSON or PEM.
struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
    kind: &'static str,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, location: None, body: body.to_string(), kind: "application/json" }
    }

    fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }
}

impl Directory {
    /// At `base` (`https://host:port`, without a slash at its end).
    ///
    /// # Errors
    /// Where keys cannot be made or the host is no name.
    pub fn new(base: &str, clock: Clock, dial: Dial) -> Result<Arc<Self>, Box<dyn std::error::Error>> {
        let uri: http::Uri = base.parse()?;
        let authority = Authority::new()?;
        let listener = authority.listener(uri.host().unwrap_or_default())?;
        let state = Mutex::default();
        Ok(Arc::new(Self { base: base.to_owned(), clock, dial, authority, listener, state }))
    }

    /// The URL that clients are told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/directory", self.base)
    }

    /// PEM of who vouches for the directory itself.
    #[must_use]
    pub fn https_authority(&self) -> String {
        self.authority.https_pem()
    }

    /// PEM of who vouches for the certificates.
    #[must_use]
    pub fn issuing_authority(&self) -> String {
        self.authority.issuer_pem()
    }

    /// From now on this goes wrong.
    pub fn break_down(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How long certificates are valid from now on.
    pub fn issue_for(&self, lifetime: Duration) {
        self.state().lifetime = Some(lifetime);
    }

    /// Forgets all accounts.
    pub fn forget_accounts(&self) {
        self.state().accounts.clear();
    }

    /// What was done, in order: `account`, `order a.test b.test`, `valid a.test`, `invalid a.test: why`,
    /// `issued a.test b.test`, `refused kind`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// Serves one connection to its end.
    pub async fn serve(self: Arc<Self>, io: BoxedIo) {
        let Ok(stream) = TlsAcceptor::from(self.listener.clone()).accept(io).await else { return };
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.answer(request).await) });
        // A client that hangs up is none of its business.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if self.state().faults.down {
            let mut response = Response::new(Full::from("<html>down</html>"));
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            return response;
        }
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let answered = match (&head.method, path) {
            (&Method::GET, "/directory") => Ok(Answer::json(200, &self.directory())),
            (&Method::HEAD | &Method::GET, "/nonce") => Ok(Answer::json(200, &Value::Null)),
            (&Method::POST, _) => match Limited::new(body, MAX_REQUEST).collect().await {
                Ok(body) => self.post(path, &head.headers, &body.to_bytes()).await,
                Err(_) => Err(malformed("the body broke off or is too long")),
            },
            _ => Err(Problem::new(405, "malformed", "only POST here")),
        };
        self.respond(answered)
    }

    fn directory(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.base);
        json!({
            "newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/order"),
            "revokeCert": at("/revoke"), "keyChange": at("/key-change"),
            "meta": { "termsOfService": at("/terms") },
        })
    }

    /// Every answer brings a new nonce.
    fn respond(&self, answered: Result<Answer, Problem>) -> Response<Full<Bytes>> {
        let mut retry_after = None;
        let answer = answered.unwrap_or_else(|problem| {
            self.state().log.push(format!("refused {}", problem.kind));
            retry_after = problem.retry_after;
            let json = Answer::json(problem.status, &jws::problem_json(&problem));
            Answer { kind: "application/problem+json", ..json }
        });
        let mut response = Response::new(Full::from(answer.body));
        *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
        let nonce = self.state().nonce();
        let headers = [
            (header::CONTENT_TYPE, Some(answer.kind.to_owned())),
            (header::LOCATION, answer.location),
            (header::RETRY_AFTER, retry_after.map(|seconds| seconds.to_string())),
            (header::CACHE_CONTROL, Some("no-store".to_owned())),
            (header::HeaderName::from_static("replay-nonce"), Some(nonce)),
        ];
        for (name, value) in headers {
            if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    async fn post(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Problem> {
        if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/jose+json") {
            return Err(Problem::new(415, "malformed", "the content type must be application/jose+json"));
        }
        if headers.get(header::USER_AGENT).is_none() {
            return Err(malformed("clients must say who they are: no User-Agent (RFC 8555, 6.1)"));
        }
        let signed = Signed::parse(body)?;
        self.state().spend(&signed.nonce)?;
        if signed.url != format!("{}{path}", self.base) {
            return Err(Problem::new(403, "unauthorized", format!("signed for {}", signed.url)));
        }
        let account = match (&signed.signer, path) {
            (Signer::Key(key), "/account") => {
                signed.verify(key)?;
                return self.account(key, &signed.json()?);
            }
            (Signer::Account(url), _) if path != "/account" => {
                let account = self.number(url, "/account/");
                let key = account.and_then(|account| self.state().accounts.get(account).cloned());
                let unknown = || Problem::new(400, "accountDoesNotExist", format!("{url} is no account"));
                let key = key.ok_or_else(unknown)?;
                signed.verify(&key)?;
                account.unwrap_or_default()
            }
            _ => return Err(malformed("a key for new accounts, an account for all else")),
        };
        let (resource, rest) = path.trim_start_matches('/').split_once('/').unwrap_or((&path[1..], ""));
        if (resource, rest) == ("order", "") {
            return self.order(account, &signed.json()?);
        }
        let (number, action) = rest.split_once('/').unwrap_or((rest, ""));
        let number = number.parse().map_err(|_| missing(path))?;
        match (resource, action) {
            ("challenge", "") => self.ready(account, number, &signed),
            ("order", "finalize") => self.finalize(account, number, &signed),
            _ if !signed.payload.is_empty() => Err(malformed("what only asks has no payload")),
            ("order", "") => {
                self.look_at_domains().await;
                self.tell_order(account, number)
            }
            ("domain", "") => {
                self.look_at_domains().await;
                self.tell_domain(account, number)
            }
            ("certificate", "") => self.certificate(account, number),
            _ => Err(missing(path)),
        }
    }

    /// The number at the end of one of our URLs.
    fn number(&self, url: &str, path: &str) -> Option<usize> {
        url.strip_prefix(&self.base)?.strip_prefix(path)?.parse().ok()
    }

    fn account(&self, key: &Key, payload: &Value) -> Result<Answer, Problem> {
        let mut state = self.state();
        let found = state.accounts.iter().position(|known| known == key);
        let answer = |status, number: usize| {
            let body = json!({ "status": "valid", "orders": format!("{}/orders/{number}", self.base) });
            Ok(Answer::json(status, &body).at(format!("{}/account/{number}", self.base)))
        };
        if let Some(number) = found {
            return answer(200, number);
        }
        if payload["onlyReturnExisting"] == true {
            return Err(Problem::new(400, "accountDoesNotExist", "this key has no account"));
        }
        if payload["termsOfServiceAgreed"] != true {
            return Err(Problem::new(403, "userActionRequired", "the terms must be agreed to"));
        }
        for contact in payload["contact"].as_array().into_iter().flatten() {
            let address = contact.as_str().and_then(|contact| contact.strip_prefix("mailto:"));
            if !address.is_some_and(|address| address.contains('@')) {
                return Err(Problem::new(400, "unsupportedContact", format!("{contact} is no mailto URL")));
            }
        }
        state.accounts.push(key.clone());
        state.log.push("account".to_owned());
        answer(201, state.accounts.len() - 1)
    }

    fn order(&self, account: usize, payload: &Value) -> Result<Answer, Problem> {
        let mut state = self.state();
        if let Some((kind, detail, retry_after)) = state.faults.refuse_orders {
            return Err(Problem { retry_after, ..Problem::new(429, kind, detail) });
        }
        let mut names = Vec::new();
        for identifier in payload["identifiers"].as_array().into_iter().flatten() {
            let name = jws::text(identifier, "value")?;
            if identifier["type"] != "dns" || name.contains('*') || name != name.to_ascii_lowercase() {
                return Err(Problem::new(400, "rejectedIdentifier", format!("not for {identifier}")));
            }
            names.push(name.to_owned());
        }
        if names.is_empty() {
            return Err(malformed("an order for nothing"));
        }
        state.log.push(format!("order {}", names.join(" ")));
        let mut domains = Vec::new();
        for name in &names {
            let token = state.draw("token");
            domains.push(state.domains.len());
            state.domains.push(Domain { account, name: name.clone(), token, status: Status::Pending });
        }
        let number = state.orders.len();
        state.orders.push(Order { account, names, domains, chain: None, told: false });
        drop(state);
        let told = self.tell_order(account, number)?;
        Ok(Answer { status: 201, ..told }.at(format!("{}/order/{number}", self.base)))
    }

    fn tell_order(&self, account: usize, number: usize) -> Result<Answer, Problem> {
        let mut state = self.state();
        let status = state.order_status(account, number)?;
        let base = &self.base;
        let order = &mut state.orders[number];
        let mut body = json!({
            "status": status,
            "identifiers": order.names.iter().map(|name| json!({ "type": "dns", "value": name })).collect::<Vec<_>>(),
            "authorizations": order.domains.iter().map(|domain| format!("{base}/domain/{domain}")).collect::<Vec<_>>(),
            "finalize": format!("{base}/order/{number}/finalize"),
        });
        if status == "valid" {
            body["certificate"] = format!("{base}/certificate/{number}").into();
        }
        order.told = order.chain.is_some();
        Ok(Answer::json(200, &body))
    }

    fn tell_domain(&self, account: usize, number: usize) -> Result<Answer, Problem> {
        let state = self.state();
        let domain = state.domains.get(number).filter(|domain| domain.account == account);
        let domain = domain.ok_or_else(|| missing("this authorization"))?;
        let status = match &domain.status {
            Status::Pending | Status::Processing => "pending",
            Status::Valid => "valid",
            Status::Invalid(_) => "invalid",
        };
        let body = json!({
            "status": status,
            "identifier": { "type": "dns", "value": domain.name },
            "challenges": [
                { "type": "http-01", "status": "pending", "url": format!("{}/unused/{number}", self.base), "token": "unused" },
                self.challenge(number, domain),
            ],
        });
        Ok(Answer::json(200, &body))
    }

    fn challenge(&self, number: usize, domain: &Domain) -> Value {
        let status = match &domain.status {
            Status::Pending => "pending",
            Status::Processing => "processing",
            Status::Valid => "valid",
            Status::Invalid(_) => "invalid",
        };
        let url = format!("{}/challenge/{number}", self.base);
        let mut body = json!({ "type": "tls-alpn-01", "status": status, "url": url, "token": domain.token });
        if let Status::Invalid(why) = &domain.status {
            body["error"] = jws::problem_json(&Problem::new(403, "incorrectResponse", why.as_str()));
        }
        body
    }

    /// The client says that the proof is on its listener.
    fn ready(&self, account: usize, number: usize, signed: &Signed) -> Result<Answer, Problem> {
        let mut state = self.state();
        let domain = state.domains.get_mut(number).filter(|domain| domain.account == account);
        let domain = domain.ok_or_else(|| missing("this challenge"))?;
        if signed.json()? != json!({}) {
            return Err(malformed("the payload must be an empty object"));
        }
        if domain.status == Status::Pending {
            domain.status = Status::Processing;
        }
        let body = self.challenge(number, domain);
        Ok(Answer::json(200, &body))
    }

    async fn look_at_domains(&self) {
        let due: Vec<_> = {
            let state = self.state();
            let due =
                state.domains.iter().enumerate().filter(|(_, domain)| domain.status == Status::Processing);
            due.filter_map(|(number, domain)| {
                let key = state.accounts.get(domain.account)?;
                let authorization = format!("{}.{}", domain.token, key.thumbprint);
                Some((number, domain.name.clone(), Sha256::digest(authorization)))
            })
            .collect()
        };
        for (number, name, digest) in due {
            let looked = match (self.dial)(name.clone()).await {
                Ok(io) => look::look(io, &name, &digest).await,
                Err(error) => Err(format!("no connection: {error}")),
            };
            let mut state = self.state();
            state.domains[number].status = match looked {
                Ok(()) => {
                    state.log.push(format!("valid {name}"));
                    Status::Valid
                }
                Err(why) => {
                    state.log.push(format!("invalid {name}: {why}"));
                    Status::Invalid(why)
                }
            };
        }
    }

    fn finalize(&self, account: usize, number: usize, signed: &Signed) -> Result<Answer, Problem> {
        {
            let mut state = self.state();
            let status = state.order_status(account, number)?;
            if status != "ready" {
                return Err(Problem::new(403, "orderNotReady", format!("the order is {status}")));
            }
            let payload = signed.json()?;
            let request = jws::decode(jws::text(&payload, "csr")?)?;
            let now = u64::try_from(self.clock.unix_us(self.clock.now()) / 1_000_000).unwrap_or_default();
            let lifetime = state.lifetime.unwrap_or(LIFETIME);
            let (names, key) = (state.orders[number].names.clone(), state.accounts[account].clone());
            let chain = self.authority.issue(request, &names, &key, (now, lifetime))?;
            state.log.push(format!("issued {}", names.join(" ")));
            state.orders[number].chain = Some(chain);
        }
        self.tell_order(account, number)
    }

    fn certificate(&self, account: usize, number: usize) -> Result<Answer, Problem> {
        let mut state = self.state();
        if state.order_status(account, number)? != "valid" {
            return Err(missing("this certificate"));
        }
        let body = state.orders[number].chain.clone().unwrap_or_default();
        Ok(Answer { status: 200, location: None, body, kind: "application/pem-certificate-chain" })
    }
}

impl State {
    fn draw(&mut self, what: &str) -> String {
        self.drawn += 1;
        jws::encode(&Sha256::digest(format!("{what} {}", self.drawn)))
    }

    fn nonce(&mut self) -> String {
        let nonce = self.draw("nonce");
        self.nonces.insert(nonce.clone());
        nonce
    }

    /// A nonce is good for one request.
    fn spend(&mut self, nonce: &str) -> Result<(), Problem> {
        let known = self.nonces.remove(nonce);
        if self.faults.stale_nonces > 0 || !known {
            self.faults.stale_nonces = self.faults.stale_nonces.saturating_sub(1);
            return Err(Problem::new(400, "badNonce", "unknown, or used before"));
        }
        Ok(())
    }

    /// RFC 8555, 7.1.6.
    fn order_status(&mut self, account: usize, number: usize) -> Result<&'static str, Problem> {
        let order = self.orders.get(number).filter(|order| order.account == account);
        let order = order.ok_or_else(|| missing("this order"))?;
        let statuses: Vec<_> = order.domains.iter().map(|domain| &self.domains[*domain].status).collect();
        Ok(match (&order.chain, order.told) {
            (Some(_), true) => "valid",
            (Some(_), false) => "processing",
            (None, _) if statuses.iter().any(|status| matches!(status, Status::Invalid(_))) => "invalid",
            (None, _) if statuses.iter().all(|status| **status == Status::Valid) => "ready",
            (None, _) => "pending",
        })
    }
}

fn missing(what: &str) -> Problem {
    Problem::new(404, "malformed", format!("{what} is not there, or another's"))
}
