//! Receivers: one that takes everything at once, one that never answers, and an address where nobody is.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::program;

const ARRIVE_MAX: Duration = Duration::from_secs(300);

/// Receivers in a thread of their own.
pub(super) struct Receiver {
    living: SocketAddr,
    silent: SocketAddr,
    refusing: u16,
    taken: Arc<AtomicUsize>,
    told: Arc<Notify>,
}

impl Receiver {
    pub(super) fn start() -> Result<Self, String> {
        let (living, silent) = (bind()?, bind()?);
        let address = |listener: &std::net::TcpListener| listener.local_addr().map_err(|e| e.to_string());
        let addresses = (address(&living)?, address(&silent)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| e.to_string())?;
        let (taken, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let receiver = Self {
            living: addresses.0,
            silent: addresses.1,
            refusing: program::free_port()?,
            taken: Arc::clone(&taken),
            told: Arc::clone(&told),
        };
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let (Ok(living), Ok(silent)) = (TcpListener::from_std(living), TcpListener::from_std(silent))
                else {
                    return;
                };
                tokio::spawn(keep_silent(silent));
                while let Ok((stream, _)) = living.accept().await {
                    let (taken, told) = (Arc::clone(&taken), Arc::clone(&told));
                    let service =
                        service_fn(move |request| take(request, Arc::clone(&taken), Arc::clone(&told)));
                    // The program ends in the middle of a connection.
                    tokio::spawn(async move {
                        drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                    });
                }
            });
        });
        Ok(receiver)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.living)
    }

    pub(super) fn silent(&self, path: &str) -> String {
        format!("http://{}{path}", self.silent)
    }

    pub(super) fn refusing(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.refusing)
    }

    /// Waits until so many deliveries have arrived in all.
    pub(super) async fn wait(&self, deliveries: usize) -> Result<(), String> {
        let work = async {
            loop {
                let next = self.told.notified();
                if self.taken.load(Ordering::Acquire) >= deliveries {
                    return;
                }
                next.await;
            }
        };
        let late = |_| format!("{} of {deliveries} deliveries", self.taken.load(Ordering::Acquire));
        tokio::time::timeout(ARRIVE_MAX, work).await.map_err(late)
    }
}

/// A port of its own on loopback.
fn bind() -> Result<std::net::TcpListener, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    listener.set_nonblocking(true).map_err(|e| e.to_string())?;
    Ok(listener)
}

async fn take(
    request: Request<Incoming>,
    taken: Arc<AtomicUsize>,
    told: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.into_body().collect().await.is_ok() {
        taken.fetch_add(1, Ordering::Release);
        told.notify_one();
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"{}"))))
}

/// Takes connections and says nothing.
async fn keep_silent(listener: TcpListener) {
    let mut open = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        open.push(stream);
    }
}
