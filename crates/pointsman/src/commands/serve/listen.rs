//! Opening the listening sockets, and saying who is in the way when that fails.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use pointsman_transport::bind;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Listens on every address; `option` is what changes it on the command line.
///
/// IPv6 loopback may be missing on a machine: with another address bound, that is only logged.
pub(super) fn open(addresses: &[SocketAddr], option: &str) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for &address in addresses {
        match bind::listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_ipv6() && !listeners.is_empty() && family_is_missing(&error) => {
                tracing::info!(%address, %error, "not listening on IPv6");
            }
            Err(error) => return Err(explain(address, option, &error)),
        }
    }
    Ok(listeners)
}

fn family_is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(97)
}

fn explain(address: SocketAddr, option: &str, error: &io::Error) -> Failure {
    if error.kind() != io::ErrorKind::AddrInUse {
        return Failure::new(format!("cannot listen on {address}: {error}"))
            .hint(format!("choose another address with `{option} ADDRESS:PORT`"));
    }
    let owner = owner_of(address.port()).map(|owner| format!(" by {owner}")).unwrap_or_default();
    let other = address.port().checked_add(10).unwrap_or(4190);
    let other = SocketAddr::new(address.ip(), other);
    Failure::new(format!("cannot listen on {address}: the port is in use{owner}"))
        .hint(format!("stop that process, or listen elsewhere: `pointsman serve {option} {other}`"))
}

/// The process that listens on `port`, as `name (pid 123)`: found through /proc, where there is one and
/// the process is ours to see.
fn owner_of(port: u16) -> Option<String> {
    let inode =
        ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| listening_inode(table, port))?;
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds =
            |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|link| link == Path::new(&wanted));
        if files.flatten().any(holds) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    None
}

/// The socket's inode, from the kernel's table (proc(5)): state 0A is "listening".
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let suffix = format!(":{port:04X}");
    let text = fs::read_to_string(table).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == "0A";
        if listens { fields.get(9)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_explained_with_its_owner() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let failure = open(&[address], "--listen").unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("the port is in use by "), "{text}");
        assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
        assert!(text.contains("--listen"), "{text}");
    }
}
