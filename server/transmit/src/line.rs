//! A connection on which the other side may say so much and no more: libraries of line protocols keep whatever they hear.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection, secured or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// A bounded connection. Beyond its bound it fails.
pub(crate) struct Line {
    wire: Box<dyn Wire>,
    pub(crate) peer: SocketAddr,
    greeting: &'static [u8],
    /// Bytes that may still be read.
    pub(crate) left: usize,
}

impl Line {
    pub(crate) fn new(wire: Box<dyn Wire>, peer: SocketAddr, left: usize) -> Line {
        Line { wire, peer, greeting: b"", left }
    }

    /// What is read before anything else, for a library that waits for what has been said already.
    pub(crate) fn greeted(self, greeting: &'static [u8]) -> Line {
        Line { greeting, ..self }
    }
}

impl AsyncRead for Line {
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
        let polled = Pin::new(&mut self.wire).poll_read(context, buffer);
        match self.left.checked_sub(buffer.filled().len() - before) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::other("the server says too much"))),
        }
        polled
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Line({})", self.peer)
    }
}
