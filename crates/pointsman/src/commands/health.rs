//! `pointsman health`: one question to the control plane of a running server, for images without a shell
//! or curl. The paths it may ask without a credential are those of `pointsman_admin`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use pointsman_transport::tls::probe;
use pointsman_transport::tls::server::ServerFiles;

use super::world::{Sources, offline};
use crate::cli::Health;
use crate::failure::Failure;
use crate::output;

/// For the connection, and again for the answer. Shorter than the time limits of health checks.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer is a status line, a few headers and a word.
const MAX_ANSWER_BYTES: u64 = 4096;

/// Succeeds where the server answers that it is ready.
pub(crate) fn run(args: &Health) -> Result<(), Failure> {
    let configured = Sources::read(&args.config).and_then(|sources| {
        let settings = &sources.prepare(&[], &offline(), None)?.settings.server;
        Ok((settings.admin, settings.admin_tls.clone()))
    });
    let (admin, tls) = match args.admin {
        // Where the configuration cannot be read, the address still can be asked.
        Some(admin) => (admin, configured.ok().and_then(|(_, tls)| tls)),
        None => configured?,
    };
    let address = SocketAddr::new(reachable(admin.ip()), admin.port());
    let answer = ask(address, tls.as_ref()).map_err(|error| {
        let hint = match &tls {
            Some(ServerFiles { client_ca: Some(_), .. }) => {
                "is the server running, and does `client_ca` vouch for the pair in `server.admin_tls`? This command shows it"
            }
            _ => "is the server running, and are `server.admin` and `server.admin_tls` those that it started with?",
        };
        Failure::new(format!("nobody answers at {address}: {error}")).hint(hint)
    })?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => output::print(body),
        Some((_, body)) => Err(Failure::new(format!("the server at {address} says: {}", body.trim()))),
        None => Err(Failure::new(format!("what answers at {address} is not pointsman"))),
    }
}

/// The same machine, where the server listens on all addresses.
pub(crate) const fn reachable(listening: IpAddr) -> IpAddr {
    match listening {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    }
}

fn ask(address: SocketAddr, tls: Option<&ServerFiles>) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match tls {
        None => exchange(stream, address),
        Some(own) => exchange(probe::connect(stream, own)?, address),
    }
}

fn exchange(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<String> {
    // In one write: a server may answer and hang up on the first piece that it reads.
    stream.write_all(
        format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
