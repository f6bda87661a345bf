//! Connections of the HTTP client, opened by the guard.

use crate::egress::{Class, ConnectError, Egress, Target};
use crate::tls::Tls;
use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower::Service;
use url::Url;

/// Opens connections for one class of destinations.
#[derive(Clone)]
pub(crate) struct Connector {
    egress: Egress,
    tls: Tls,
    class: Class,
}

/// An open connection.
pub(crate) enum Link {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connector {
    pub(super) fn new(egress: Egress, tls: Tls, class: Class) -> Connector {
        Connector { egress, tls, class }
    }

    async fn connect(self, uri: Uri) -> Result<Link, ConnectError> {
        let unreachable = |why: &str| ConnectError::Unreachable(why.to_owned());
        let url = Url::parse(&uri.to_string()).map_err(|_| unreachable("the URL cannot be read"))?;
        let target = Target::of_url(&url, &["http", "https"]).map_err(ConnectError::Denied)?;
        let stream = self.egress.connect(self.class, &target).await?;
        if url.scheme() == "http" {
            return Ok(Link::Plain(TokioIo::new(stream)));
        }
        let stream = self.tls.secure(&target.host(), stream).await.map_err(ConnectError::Unreachable)?;
        Ok(Link::Tls(Box::new(TokioIo::new(stream))))
    }
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Link, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Link::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl Write for Link {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Link::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_flush(context),
            Link::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Link::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Link::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
