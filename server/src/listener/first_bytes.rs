//! Which protocol a plain connection speaks, without taking a byte from it.
//!
//! HTTP/2 by prior knowledge begins with `PRI`. Looking before the HTTP library does puts the wait for the first bytes
//! under our clock: a connection that says nothing must not stay.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// What follows on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, or nonsense, which HTTP/1.1 answers.
    Http1,
    /// HTTP/2.
    Http2,
}

pub(crate) async fn protocol(stream: &TcpStream) -> io::Result<Protocol> {
    let mut bytes = [0; 3];
    loop {
        let seen = stream.peek(&mut bytes).await?;
        match bytes.get(..seen).unwrap_or_default() {
            [] => return Err(io::ErrorKind::UnexpectedEof.into()),
            b"PRI" => return Ok(Protocol::Http2),
            b"P" | b"PR" => tokio::time::sleep(Duration::from_millis(2)).await,
            _ => return Ok(Protocol::Http1),
        }
    }
}
