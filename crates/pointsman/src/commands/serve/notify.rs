//! Tells the service manager that requests are taken, as `sd_notify(3)` describes: one datagram to the
//! socket that `NOTIFY_SOCKET` names. Without the variable nobody wants to know.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixDatagram;

const VARIABLE: &str = "NOTIFY_SOCKET";
const READY: &[u8] = b"READY=1";
const STOPPING: &[u8] = b"STOPPING=1";

/// The listeners are open.
pub(super) fn ready() {
    tell(READY);
}

/// The drain has begun.
pub(super) fn stopping() {
    tell(STOPPING);
}

fn tell(state: &[u8]) {
    let Some(socket) = std::env::var_os(VARIABLE) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, ?socket, "cannot notify the service manager");
    }
}

/// A leading `@` is the abstract namespace of Linux.
fn send(socket: &OsStr, state: &[u8]) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return sender.send_to_addr(state, &address).map(drop);
    }
    sender.send_to(state, socket).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut text = [0; 64];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    #[test]
    fn states_arrive_at_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), READY).unwrap();
        send(path.as_os_str(), STOPPING).unwrap();
        assert_eq!((received(&socket), received(&socket)), ("READY=1".into(), "STOPPING=1".into()));
        assert!(send(folder.path().join("absent").as_os_str(), READY).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn states_arrive_at_an_abstract_name() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("pointsman-notify-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        send(OsStr::new(&format!("@{name}")), READY).unwrap();
        assert_eq!(received(&socket), "READY=1");
    }
}
