//! HTTP proxies: which one for which server, and the tunnel through it (RFC 9110, 9.3.6).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connect::Origin;
use crate::io::BoxedIo;

/// Longer heads of a proxy's answer are refused, in bytes.
const MAX_HEAD: usize = 8 * 1024;

/// A proxy that cannot be used. Never repeats the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the URL of a proxy: expected http://host:port, with user:password@ before the host if it wants them"
)]
pub struct ProxyError;

/// One proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: Arc<str>,
    port: u16,
    authorization: Option<HeaderValue>,
}

/// Without credentials.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`; `host:port` is taken as well, as other programs do.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = with_scheme.parse().map_err(|_| ProxyError)?;
        let origin = Origin::of(&uri).filter(|origin| !origin.tls).ok_or(ProxyError)?;
        if uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(ProxyError);
        }
        let user = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let authorization = match user {
            None => None,
            Some((user, _)) => {
                let value = format!("Basic {}", STANDARD.encode(percent_decoded(user)));
                let mut value = HeaderValue::try_from(value).map_err(|_| ProxyError)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self { host: origin.host, port: origin.port, authorization })
    }

    pub(crate) const fn host(&self) -> &Arc<str> {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Asks the proxy at the other end of `io` for a connection to `origin`.
    pub(crate) async fn tunnel(&self, mut io: BoxedIo, origin: &Origin) -> io::Result<BoxedIo> {
        let host =
            if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.to_string() };
        let target = format!("{host}:{}", origin.port);
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        if let Some(value) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        io.write_all(&request).await?;
        io.flush().await?;
        let status = self.answer(&mut io).await?;
        match status {
            200..=299 => Ok(io),
            407 => Err(io::Error::other(format!("{self:?} wants other credentials (407)"))),
            status => {
                Err(io::Error::other(format!("{self:?} refused a tunnel to {target}: status {status}")))
            }
        }
    }

    /// The status of the proxy's answer, of which nothing is left to be read.
    async fn answer(&self, io: &mut BoxedIo) -> io::Result<u16> {
        let broken = |what: &str| io::Error::other(format!("{self:?}: {what}"));
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == MAX_HEAD {
                return Err(broken("its answer is too long"));
            }
            // Byte by byte: what follows the head belongs to the tunnel. Once per connection.
            match io.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(broken("it hung up"));
                }
                Err(error) => return Err(error),
            }
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let status = line.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
        let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        status.ok_or_else(|| broken("its answer is not HTTP"))
    }
}

/// Which servers are called without a proxy: the value of `NO_PROXY`, a list with commas. `*` is all; a
/// name stands for itself and everything below it; an address, or a range `10.0.0.0/8`, for itself. A port
/// may follow a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    All,
    Range(IpAddr, u8),
    Name(String, Option<u16>),
}

impl NoProxy {
    /// Reads a list. What is no rule matches nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.split(',').map(str::trim).filter(|rule| !rule.is_empty()).map(Rule::parse).collect())
    }

    /// Whether `origin` is called directly.
    #[must_use]
    pub fn covers(&self, origin: &Origin) -> bool {
        let address = origin.host.parse::<IpAddr>().ok();
        let host = origin.host.to_ascii_lowercase();
        self.0.iter().any(|rule| match rule {
            Rule::All => true,
            Rule::Range(network, bits) => address.is_some_and(|address| within(address, *network, *bits)),
            Rule::Name(name, port) => {
                let below = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                below && port.is_none_or(|port| port == origin.port)
            }
        })
    }
}

impl Rule {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let bare = text.replace(['[', ']'], "");
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Self::Range(address, 128);
        }
        if let Some((network, bits)) = bare.split_once('/')
            && let (Ok(network), Ok(bits)) = (network.parse(), bits.parse())
        {
            return Self::Range(network, bits);
        }
        let (name, port) = match text.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
            Some((name, Ok(port))) => (name, Some(port)),
            _ => (text, None),
        };
        let name = name.trim_start_matches("*.").trim_start_matches('.');
        Self::Name(name.to_ascii_lowercase(), port)
    }
}

/// Proxies for encrypted and for plain servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `https`.
    pub https: Option<Proxy>,
    /// For `http`.
    pub http: Option<Proxy>,
    /// Who is called directly all the same.
    pub except: NoProxy,
}

impl Proxies {
    /// One proxy for everything that is not on this machine.
    #[must_use]
    pub fn all(proxy: Proxy) -> Self {
        Self { https: Some(proxy.clone()), http: Some(proxy), except: NoProxy::default() }
    }

    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or the same in lower case, which wins.
    ///
    /// # Errors
    /// The variable whose value is not a proxy's URL.
    pub fn from_env<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, &'static str> {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, get(name)?))).filter(|(_, value)| !value.is_empty())
        };
        let proxy = |names| match first(names) {
            None => Ok(None),
            Some((name, value)) => Proxy::parse(value).map(Some).map_err(|_| name),
        };
        Ok(Self {
            https: proxy(["https_proxy", "HTTPS_PROXY"])?,
            http: proxy(["http_proxy", "HTTP_PROXY"])?,
            except: first(["no_proxy", "NO_PROXY"])
                .map(|(_, value)| NoProxy::parse(value))
                .unwrap_or_default(),
        })
    }

    /// The proxy for `origin`. This machine is always called directly.
    #[must_use]
    pub fn of(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = if origin.tls { &self.https } else { &self.http }.as_ref()?;
        (!is_loopback(&origin.host) && !self.except.covers(origin)).then_some(proxy)
    }
}

fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// `bits` beyond the length of an address mean all of it.
fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let same = |a: &[u8], b: &[u8]| {
        (0..usize::from(bits).min(a.len() * 8))
            .all(|bit| (a[bit / 8] ^ b[bit / 8]) & (0x80 >> (bit % 8)) == 0)
    };
    match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(&a.octets(), &b.octets()),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(&a.octets(), &b.octets()),
        _ => false,
    }
}

/// `%40` in a password is `@`. What is no such escape stays.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    decoded
}
