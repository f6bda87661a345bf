//! The connection to the relay, up to the first EHLO that counts.
//!
//! STARTTLS is spoken here rather than by the library, so that what comes in the clear before the handshake cannot be read
//! as an answer after it: the connection is given up if there is more than the one reply.

use crate::egress::{Class, ConnectError, Egress, Target};
use crate::failure::{Code, Failure};
use crate::limits::RELAY_BYTES_MAX;
use crate::receipt::Answer;
use crate::site::{MailRelay, MailSecurity};
use crate::tls::Tls;
use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::extension::ClientId;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// A connection that expects EHLO.
pub(super) struct Relayed {
    pub(super) stream: Box<dyn AsyncTokioStream>,
    /// How we call ourselves: by our address, which needs no name of ours.
    pub(super) hello: ClientId,
    /// Whether a password may be said.
    pub(super) is_secret: bool,
}

pub(super) async fn connect(egress: &Egress, tls: &Tls, relay: &MailRelay) -> Result<Relayed, Failure> {
    let denied = |denied| Failure::denied(Code::Email, &denied);
    let target = Target::new(&relay.host, relay.port).map_err(denied)?;
    let mut stream = egress.connect(Class::Mail, &target).await.map_err(|error| match error {
        ConnectError::Denied(denied) => Failure::denied(Code::Email, &denied),
        ConnectError::Unreachable(why) => broken(format!("not reached: {why}")),
    })?;
    let unknown = |error: io::Error| broken(error.to_string());
    let peer = stream.peer_addr().map_err(unknown)?;
    let hello = match stream.local_addr().map_err(unknown)?.ip() {
        IpAddr::V4(address) => ClientId::Ipv4(address),
        IpAddr::V6(address) => ClientId::Ipv6(address),
    };
    let greeting = match relay.security {
        MailSecurity::StartTls => {
            start_tls(&mut stream, &hello).await?;
            // The library waits for a greeting, which came before TLS.
            b"220 secured\r\n".as_slice()
        }
        MailSecurity::Plain | MailSecurity::Tls => b"",
    };
    let is_secret = relay.security != MailSecurity::Plain;
    let stream: Box<dyn Bytes> = match is_secret {
        false => Box::new(stream),
        true => Box::new(tls.secure(&target.host(), stream).await.map_err(broken)?),
    };
    let stream = Box::new(Bounded { stream, peer, greeting, left: RELAY_BYTES_MAX });
    Ok(Relayed { stream, hello, is_secret })
}

async fn start_tls(stream: &mut TcpStream, hello: &ClientId) -> Result<(), Failure> {
    reply(stream, 220).await?;
    say(stream, &format!("EHLO {hello}\r\n")).await?;
    let offered = reply(stream, 250).await?;
    if !offered.lines().any(|line| line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case("STARTTLS"))) {
        return Err(broken("the relay does not offer STARTTLS"));
    }
    say(stream, "STARTTLS\r\n").await?;
    reply(stream, 220).await.map(drop)
}

async fn say(stream: &mut TcpStream, line: &str) -> Result<(), Failure> {
    stream.write_all(line.as_bytes()).await.map_err(|error| broken(error.to_string()))
}

/// One reply, and nothing after it.
async fn reply(stream: &mut TcpStream, expected: u16) -> Result<String, Failure> {
    let mut text = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let count = stream.read(&mut chunk).await.map_err(|error| broken(error.to_string()))?;
        text.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if count == 0 || text.len() > REPLY_BYTES_MAX {
            return Err(broken("the relay does not speak SMTP"));
        }
        let Some(end) = end_of_reply(&text) else { continue };
        if end != text.len() {
            return Err(broken("the relay says more than it was asked"));
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let status = text.get(..3).and_then(|code| code.parse().ok()).unwrap_or_default();
        if status != expected {
            let failure = broken(format!("the relay answers {status}"));
            return Err(failure.answered(Answer::new(status, text.as_bytes())));
        }
        return Ok(text);
    }
}

const REPLY_BYTES_MAX: usize = 16 << 10;

/// Where the last line of a reply ends (RFC 5321 4.2.1): the one without a hyphen behind its code.
fn end_of_reply(text: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let rest = text.get(start..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')? + 1;
        start += length;
        if rest.get(3) != Some(&b'-') {
            return Some(start);
        }
    }
}

pub(super) fn broken(message: impl AsRef<str>) -> Failure {
    Failure::passing(Code::Email, message)
}

trait Bytes: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Bytes for T {}

/// A connection on which the relay may say so much and no more: the library reads lines of any length.
struct Bounded {
    stream: Box<dyn Bytes>,
    peer: SocketAddr,
    greeting: &'static [u8],
    left: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let greeting = self.greeting;
        if !greeting.is_empty() && buffer.remaining() >= greeting.len() {
            buffer.put_slice(greeting);
            self.greeting = b"";
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        match self.left.checked_sub(buffer.filled().len() - before) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::other("the relay says too much"))),
        }
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Bounded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl fmt::Debug for Bounded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Bounded({})", self.peer)
    }
}
