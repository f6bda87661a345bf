//! The connection to the relay, up to the first EHLO that counts.
//!
//! STARTTLS is spoken here rather than by the library, so that what comes in the clear before the handshake cannot be read
//! as an answer after it: the connection is given up if there is more than the one reply.

use crate::egress::{Class, ConnectError, Egress, Target};
use crate::failure::{Code, Failure};
use crate::limits::RELAY_BYTES_MAX;
use crate::line::{Line, Wire};
use crate::receipt::Answer;
use crate::site::{MailRelay, MailSecurity};
use crate::tls::Tls;
use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::extension::ClientId;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
    let stream: Box<dyn Wire> = match is_secret {
        false => Box::new(stream),
        true => Box::new(tls.secure(&target.host(), stream).await.map_err(broken)?),
    };
    let stream = Box::new(Line::new(stream, peer, RELAY_BYTES_MAX).greeted(greeting));
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

impl AsyncTokioStream for Line {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
