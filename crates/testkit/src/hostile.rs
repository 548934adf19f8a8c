//! Hostile clients: a table of inputs, each with the exact result that it must have.
//!
//! The inputs are bytes on a connection, so that the same table runs in memory on paused time and over
//! sockets against the real binary. [`cases`] is the table, [`Case::run`] plays one input, and
//! [`Case::verdict`] compares. What upstreams must have received is in [`Case::forwarded`].

mod access;
mod body;
mod framing;
mod head;
mod pass_through;
mod reply;
mod slow;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::sleep;

pub use self::reply::Reply;

/// The longest body that [`config`] allows, in bytes.
pub const MAX_BODY: usize = 4 << 20;
/// The time for a head that [`config`] allows.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// The time for a body that [`config`] allows.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// The right key in the world with keys.
pub const KEY: &str = "pm-hostile-right";
/// What clients call the server.
const HOST: &str = "127.0.0.1:4180";

/// Which server an input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// One without client keys.
    Open,
    /// One whose only key is [`KEY`].
    Keyed,
}

/// Something that a client does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes.
    Send(Bytes),
    /// Sends these bytes so many times.
    Repeat(Bytes, usize),
    /// Sends these bytes one by one with a pause before each.
    Drip(Bytes, Duration),
    /// Closes its sending side.
    EndWrite,
}

/// What an answer must be.
#[derive(Clone, Debug)]
pub enum Expect {
    /// 200 with the upstream's answer; the upstream got exactly these bytes as its body.
    Forwarded(Bytes),
    /// 200 from the gateway itself.
    Served,
    /// An error in OpenAI's shape: status, `code`, `param`.
    Error(u16, &'static str, Option<&'static str>),
    /// A status without a body, after which the connection is closed: no HTTP was understood.
    Bare(u16),
}

/// One input.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique in the table.
    pub name: &'static str,
    /// The server that it is for.
    pub world: World,
    /// What the client does. Then it reads until the server closes.
    pub steps: Vec<Step>,
    /// The answers, in order; none: the connection is closed without any.
    pub expect: Vec<Expect>,
}

/// The table.
#[must_use]
pub fn cases() -> Vec<Case> {
    [body::cases(), framing::cases(), head::cases(), access::cases(), slow::cases(), pass_through::cases()]
        .concat()
}

/// What a friendly client sends: it must pass at any time, in both worlds.
#[must_use]
pub fn friendly() -> Case {
    let fields = format!("authorization: Bearer {KEY}\r\nconnection: close\r\n");
    Case::new("a friendly client", with_length(&fields, BODY.as_bytes()), forwarded())
}

/// The configuration that the table is for: a provider `alpha` with the model `m`, at `base_url`.
/// `server` holds further members of that section, each with a comma behind it.
#[must_use]
pub fn config(world: World, base_url: &str, server: &str) -> String {
    let keys = match world {
        World::Open => String::new(),
        World::Keyed => {
            let hash: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("keys: [{{ id: right, sha256: {hash} }}]\n")
        }
    };
    format!(
        "server: {{ {server}max_body: {MAX_BODY}, max_in_flight: 64MiB, header_timeout: {}s, body_timeout: {}s, \
         auth_failures: {{ max: 0 }} }}\nproviders:\n  alpha: {{ base_url: '{base_url}', models: [m], local: true }}\n{}{keys}",
        HEADER_TIMEOUT.as_secs(),
        BODY_TIMEOUT.as_secs(),
        pass_through::ROUTES,
    )
}

impl Case {
    /// Plays the input and reads until the server closes. Reading goes on while the client still sends.
    ///
    /// # Errors
    /// Where what came back is no HTTP.
    pub async fn run<I: AsyncRead + AsyncWrite>(&self, io: I) -> io::Result<Vec<Reply>> {
        let (mut read, mut write) = split(io);
        let sending = async {
            for step in &self.steps {
                // The server may have enough before the client is done.
                if step.play(&mut write).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let receiving = async {
            let mut all = Vec::new();
            // A reset after the answer is an end, too.
            while read.read_buf(&mut all).await.is_ok_and(|count| count > 0) {}
            all
        };
        let all = tokio::select! {
            all = receiving => all,
            () = sending => Vec::new(),
        };
        let head_only = matches!(self.steps.first(), Some(Step::Send(bytes)) if bytes.starts_with(b"HEAD "));
        reply::parse(&all, head_only)
    }

    /// What is wrong with these answers; `None` is good.
    #[must_use]
    pub fn verdict(&self, replies: &[Reply]) -> Option<String> {
        let same = replies.len() == self.expect.len()
            && replies.iter().zip(&self.expect).all(|(reply, expect)| expect.is_met(reply));
        (!same).then(|| format!("{}: expected {:?}, got {replies:?}", self.name, self.expect))
    }

    /// The bodies that must have gone upstream.
    pub fn forwarded(&self) -> impl Iterator<Item = &Bytes> {
        self.expect.iter().filter_map(|expect| match expect {
            Expect::Forwarded(bytes) => Some(bytes),
            _ => None,
        })
    }

    fn new(name: &'static str, input: impl Into<Bytes>, expect: Expect) -> Self {
        Self { name, world: World::Open, steps: vec![Step::Send(input.into())], expect: vec![expect] }
    }

    /// The same, and then this.
    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// A further answer.
    fn and(mut self, expect: Expect) -> Self {
        self.expect.push(expect);
        self
    }

    /// No answer at all.
    fn closed(mut self) -> Self {
        self.expect.clear();
        self
    }

    fn keyed(mut self) -> Self {
        self.world = World::Keyed;
        self
    }
}

impl Step {
    async fn play(&self, io: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        match self {
            Self::Send(bytes) => io.write_all(bytes).await?,
            Self::Repeat(bytes, times) => {
                for _ in 0..*times {
                    io.write_all(bytes).await?;
                }
            }
            Self::Drip(bytes, pause) => {
                for byte in bytes {
                    sleep(*pause).await;
                    io.write_all(&[*byte]).await?;
                    io.flush().await?;
                }
            }
            Self::EndWrite => io.shutdown().await?,
        }
        io.flush().await
    }
}

impl Expect {
    fn is_met(&self, reply: &Reply) -> bool {
        match self {
            Self::Forwarded(_) => reply.status == 200 && reply.json["choices"].is_array(),
            Self::Served => reply.status == 200 && reply.json["choices"].is_null(),
            Self::Bare(status) => reply.status == *status && reply.body.is_empty(),
            Self::Error(status, code, param) => {
                let error = &reply.json["error"];
                reply.status == *status
                    && error["code"].as_str() == Some(code)
                    && error["param"].as_str() == *param
                    && error["message"].as_str().is_some_and(|message| !message.is_empty())
                    && error["type"].is_string()
            }
        }
    }
}

/// A request head for chat with these further fields, each ended by CRLF.
fn head(fields: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {HOST}\r\n{fields}\r\n")
}

/// A whole chat request with this body.
fn post(body: &[u8]) -> Bytes {
    with_length("", body)
}

/// The same with further fields.
fn with_length(fields: &str, body: &[u8]) -> Bytes {
    let head = head(&format!("{fields}content-length: {}\r\n", body.len()));
    [head.as_bytes(), body].concat().into()
}

/// The smallest body, as a client sends it.
const BODY: &str = r#"{"model":"alpha/m"}"#;
/// And as the upstream gets it.
const SENT: &str = r#"{"model":"m"}"#;

fn forwarded() -> Expect {
    Expect::Forwarded(Bytes::from_static(SENT.as_bytes()))
}
