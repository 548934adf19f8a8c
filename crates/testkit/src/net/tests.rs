//! Connections in memory behave as sockets do where tests rely on it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::*;

#[tokio::test(start_paused = true)]
async fn carries_bytes_both_ways_and_ends() {
    let net = MemoryNet::new();
    let mut listener = net.listen("a:80");
    let mut client = net.connect("a:80").await.unwrap();
    let mut server = listener.accept().await.unwrap();
    client.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    server.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"ping");
    server.write_all(b"pong").await.unwrap();
    drop(server);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"pong");
    assert_eq!(net.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn reset_is_an_error_after_the_bytes_that_had_arrived() {
    let (mut client, mut server) = pair();
    server.write_all(b"ab").await.unwrap();
    server.reset().await;
    let mut two = [0; 2];
    client.read_exact(&mut two).await.unwrap();
    assert_eq!(client.read(&mut two).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(client.write(b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn refuses_where_nobody_listens_and_hangs_in_a_black_hole() {
    let net = MemoryNet::new();
    assert_eq!(net.connect("a:80").await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    drop(net.listen("a:80"));
    assert_eq!(net.connect("a:80").await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    net.black_hole("a:80");
    let start = Instant::now();
    assert!(timeout(Duration::from_secs(5), net.connect("a:80")).await.is_err());
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn carries_transport_in_both_roles() {
    let net = MemoryNet::new();
    let peer: SocketAddr = "192.0.2.7:9".parse().unwrap();
    let mut listener = net.listen("host:8080").from_peer(peer);
    let origin = Origin { tls: false, host: "host".into(), port: 8080 };
    let mut client = Connect::connect(&net, &origin).await.unwrap();
    let (mut server, from) = Accept::accept(&mut listener).await.unwrap();
    assert_eq!(from, peer);
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');
    drop((server, listener));
    assert!(matches!(Connect::connect(&net, &origin).await, Err(ConnectError::Io(_))));
}
