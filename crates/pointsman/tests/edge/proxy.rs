//! A tiny CONNECT proxy: every name leads to one port of this machine.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// The request lines so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Its threads end with the test's process.
pub(crate) fn start(target: u16) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = asked.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let notes = notes.clone();
            thread::spawn(move || tunnel(client, target, &notes));
        }
    });
    Proxy { address, asked }
}

fn tunnel(mut client: TcpStream, target: u16, notes: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    notes.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let upstream = TcpStream::connect(("127.0.0.1", target))?;
    let (mut from, mut to) = (upstream.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    let mut upstream = upstream;
    io::copy(&mut client, &mut upstream).map(|_| ())
}
