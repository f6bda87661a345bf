//! The listener: sockets, encryption, connections, and stopping without cutting anybody off.
//!
//! Bounds: connections at one time, the time for a handshake and for each request's header, the sizes of headers.
//! Stopping: no new connections, everybody is told ([`App::draining`]), open requests get `limits.drain_s` seconds.

mod first_bytes;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::app::App;
use crate::config::Config;
use crate::http::path::{self, Front};
use crate::http::peer::{Connected, Held};
use crate::streams::rights;
use first_bytes::Protocol;

/// Larger than what `http::frame` allows, so that the usual excess gets an answer with a body.
const HEADER_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
const HTTP2_STREAMS_MAX: u32 = 128;
const HANDSHAKE_S: u64 = 10;

/// Why the listener does not listen.
#[derive(Debug)]
pub enum ListenError {
    /// It would be unsafe; the text says what to do.
    Refused(String),
    /// The system refused.
    Failed(String),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) | Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ListenError {}

/// A bound socket that does not accept yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Binds the configured address.
    ///
    /// # Errors
    /// `Refused` for an address that others can reach, unless there is an administrator and the way is encrypted by
    /// us or by a proxy; `Failed` when the address or the certificate cannot be used.
    pub async fn bind(app: &App) -> Result<Self, ListenError> {
        let config = app.config();
        let failed = |error: std::io::Error| ListenError::Failed(format!("{}: {error}", config.listen));
        // A text that is no address at all is a mistake on the command line, not of the network.
        let port = config.listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            return Err(ListenError::Refused(format!("listen: '{}' is not HOST:PORT", config.listen)));
        }
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host(&config.listen).await.map_err(failed)?.collect();
        let has_administrator = app
            .auth()
            .users()
            .has_administrator(app.store())
            .map_err(|error| ListenError::Failed(error.to_string()))?;
        check_exposure(config, &addresses, has_administrator)?;
        let tls = tls::acceptor(&config.tls)?;
        let socket = TcpListener::bind(addresses.as_slice()).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, tls })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until `stop` ends, then drains.
    pub async fn serve(self, app: &App, router: Router, stop: impl Future<Output = ()>) {
        let limits = &app.config().limits;
        let server = Arc::new(Server {
            front: path::front(router),
            app: app.clone(),
            tls: self.tls,
            header_read: Duration::from_secs(limits.header_read_s),
        });
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let graceful = GracefulShutdown::new();
        let rights = tokio::spawn(rights::watch(app.clone()));
        let mut tasks = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = async {
                // A full house stops accepting; the system's queue is the next bound.
                let place = Arc::clone(&places).acquire_owned().await;
                (place, self.socket.accept().await)
            };
            tokio::select! {
                () = &mut stop => break,
                (place, accepted) = accepted => match accepted {
                    Ok((stream, peer)) => {
                        let (server, watcher) = (Arc::clone(&server), graceful.watcher());
                        let counted = Counted::new(app);
                        let held = Held::new((place, counted));
                        tasks.spawn(async move { server.connection(stream, peer, watcher, held).await });
                    }
                    Err(error) => {
                        // Out of file descriptors or the like: waiting is all that helps.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
        drop(self.socket);
        app.drain();
        let deadline = Duration::from_secs(limits.drain_s);
        let drained = async {
            graceful.shutdown().await;
            app.sockets_closed().await;
        };
        if tokio::time::timeout(deadline, drained).await.is_err() {
            tracing::warn!(connections = tasks.len(), "connections did not end in time");
        }
        tasks.shutdown().await;
        rights.abort();
    }
}

/// Deny by default: what others can reach needs somebody who is in charge and a way nobody listens in on.
fn check_exposure(
    config: &Config,
    addresses: &[SocketAddr],
    has_administrator: bool,
) -> Result<(), ListenError> {
    let Some(open) = addresses.iter().find(|address| !address.ip().is_loopback()) else { return Ok(()) };
    if !has_administrator {
        return Err(ListenError::Refused(format!(
            "refusing to listen on {open}: there is no administrator yet; set DATELINE_ADMIN_PASSWORD, or create \
             one with 'dateline user add NAME --admin --data DIR'"
        )));
    }
    if config.tls.cert.is_none() && !config.behind_proxy {
        return Err(ListenError::Refused(format!(
            "refusing to listen on {open} without encryption: give --tls-cert and --tls-key, or --behind-proxy when \
             a proxy ends TLS"
        )));
    }
    Ok(())
}

/// What every connection needs.
struct Server {
    front: Front,
    app: App,
    tls: Option<TlsAcceptor>,
    header_read: Duration,
}

/// Counts a connection as long as it lives.
struct Counted(prometheus_client::metrics::gauge::Gauge);

impl Counted {
    fn new(app: &App) -> Self {
        let connections = app.metrics().connections.clone();
        connections.inc();
        Self(connections)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Server {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher, held: Held) {
        // Answers are written whole; waiting to fill a packet would only delay them.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let connected = Connected { ip: peer.ip().to_canonical(), tls: self.tls.is_some() };
        // Somebody who has not asked for anything yet is not waited for when the server stops.
        let mut draining = self.app.draining();
        let outcome = match &self.tls {
            None => match tokio::time::timeout(self.header_read, async {
                tokio::select! {
                    protocol = first_bytes::protocol(&stream) => protocol,
                    _ = draining.wait_for(|draining| *draining) => Err(std::io::ErrorKind::ConnectionAborted.into()),
                }
            })
            .await
            {
                Ok(Ok(protocol)) => self.speak(stream, protocol, connected, held, watcher).await,
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err("no request came".into()),
            },
            Some(acceptor) => {
                let handshake = Duration::from_secs(HANDSHAKE_S);
                match tokio::time::timeout(handshake, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
                        self.speak(stream, protocol, connected, held, watcher).await
                    }
                    Ok(Err(error)) => Err(error.into()),
                    Err(_) => Err("the TLS handshake took too long".into()),
                }
            }
        };
        if let Err(error) = outcome {
            // Clients go away all the time; this is for whoever looks for a reason.
            tracing::debug!(%peer, %error, "connection ended");
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        protocol: Protocol,
        connected: Connected,
        held: Held,
        watcher: Watcher,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut builder = match protocol {
            Protocol::Http1 => builder.http1_only(),
            Protocol::Http2 => builder.http2_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_read)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        let front = self.front.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(connected);
            request.extensions_mut().insert(held.clone());
            front.clone().oneshot(request)
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        watcher.watch(connection.into_owned()).await
    }
}

#[cfg(test)]
mod tests;
