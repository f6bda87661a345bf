//! What ten thousand idle sockets take up.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::program::Server;

/// Opens a socket and reads what the program says at first, with nothing of a library around it.
async fn bare(address: &str, token: &str, message: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    let mut request = format!(
        "GET /api/ws HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes();
    if !message.is_empty() {
        // A text of less than 126 bytes, masked with nothing.
        let length = u8::try_from(message.len()).expect("a short message");
        request.extend([0x81, 0x80 | length, 0, 0, 0, 0]);
        request.extend(message.as_bytes());
    }
    socket.write_all(&request).await.expect("it is sent");
    let (mut heard, mut piece) = (Vec::new(), [0; 1024]);
    let wanted: &[u8] = if message.is_empty() { b"\r\n\r\n" } else { b"hello" };
    while !heard.windows(wanted.len()).any(|part| part == wanted) {
        let count = socket.read(&mut piece).await.expect("an answer");
        assert!(count > 0, "closed: {}", String::from_utf8_lossy(&heard));
        heard.extend(&piece[..count]);
    }
    assert!(heard.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&heard));
    socket
}

/// `ulimit -n 20000; cargo test --release -p dateline-tests -- --ignored --nocapture ten_thousand`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "by hand: takes 10,000 open files here and as many in the program"]
async fn ten_thousand_idle_sockets_take_at_most_200_mb() {
    const SOCKETS: usize = 10_000;
    let mut server = Server::idle();
    server.before("ulimit -n 20000");
    let flags = ["limits.streams_per_user_max=20000", "limits.streams_per_address_max=20000"];
    server.flags(&flags.iter().flat_map(|&flag| ["--set", flag]).collect::<Vec<_>>());
    for message in ["", "{\"op\":\"sub\",\"id\":1,\"topics\":[\"changes:ads\",\"matches\"]}"] {
        server.launch();
        let admin = Client::admin(&server).await;
        let address = admin.url().replacen("http://", "", 1);
        drop(bare(&address, admin.token(), message).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = server.resident_mib();
        let mut sockets = Vec::with_capacity(SOCKETS);
        for _ in 0..SOCKETS {
            sockets.push(bare(&address, admin.token(), message).await);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let grown = server.resident_mib() - before;
        let kind = if message.is_empty() { "without a subscription" } else { "with a subscription" };
        eprintln!("{SOCKETS} sockets {kind}: {before} MiB before, {grown} MiB more");
        assert!(grown <= 190, "{grown} MiB");
        let open = admin.read("/api/admin/connections").await["_meta"]["total"].clone();
        assert_eq!(open, SOCKETS);
        drop(sockets);
        tokio::task::block_in_place(|| server.stop());
    }
}
