//! A subscriber's server: takes what is pushed to it and keeps it in order.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

const ARRIVE_MAX: Duration = Duration::from_secs(60);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

impl Pushed {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The same for every attempt at a delivery.
    pub(crate) fn id(&self) -> &str {
        self.headers.get("webhook-id").map_or("", String::as_str)
    }
}

/// How a path is answered.
#[derive(Clone)]
struct Manner {
    status: u16,
    body: Bytes,
    after: Duration,
}

/// A server on a free port of this machine. It answers each path as it was told, with 200 and `{}` at first.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: String,
    pushed: Arc<Mutex<Vec<Pushed>>>,
    manners: Arc<Mutex<BTreeMap<String, Manner>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let receiver = Self { address, pushed: Arc::default(), manners: Arc::default() };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = serving.clone();
                let service = service_fn(move |request| {
                    let served = served.clone();
                    async move { Ok::<_, Infallible>(served.take(request).await) }
                });
                // The program may be killed in the middle of a request.
                tokio::spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await)
                });
            }
        });
        receiver
    }

    async fn take(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let manner = self.manners.lock().expect("no panic").get(&path).cloned();
        let usual = || Manner { status: 200, body: Bytes::from_static(b"{}"), after: Duration::ZERO };
        let manner = manner.unwrap_or_else(usual);
        if let Ok(body) = body.collect().await {
            let headers = head.headers.iter();
            let headers = headers.map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            });
            let pushed = Pushed { path, headers: headers.collect(), body: body.to_bytes() };
            if manner.status < 300 {
                self.pushed.lock().expect("no panic").push(pushed);
            }
        }
        tokio::time::sleep(manner.after).await;
        let mut response = Response::new(Full::new(manner.body));
        *response.status_mut() = manner.status.try_into().expect("a status");
        response
    }

    /// Its address, as an allowance and in URLs.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers a path so from now on.
    pub(crate) fn answer(&self, path: &str, status: u16) {
        self.say(path, status, "{}", Duration::ZERO);
    }

    /// Answers a path so from now on, after a while.
    pub(crate) fn say(&self, path: &str, status: u16, body: &str, after: Duration) {
        let manner = Manner { status, body: Bytes::from(body.to_owned()), after };
        self.manners.lock().expect("no panic").insert(path.to_owned(), manner);
    }

    /// What was taken so far.
    pub(crate) fn pushed(&self) -> Vec<Pushed> {
        self.pushed.lock().expect("no panic").clone()
    }

    /// What was taken at a path, each identity once, in the order of its first arrival.
    pub(crate) fn at(&self, path: &str) -> Vec<Pushed> {
        let mut first: Vec<Pushed> = Vec::new();
        for pushed in self.pushed().into_iter().filter(|pushed| pushed.path == path) {
            if first.iter().all(|known| known.id() != pushed.id()) {
                first.push(pushed);
            }
        }
        first
    }

    /// Waits until so many deliveries have arrived at a path.
    pub(crate) async fn wait(&self, path: &str, deliveries: usize) -> Vec<Pushed> {
        let deadline = Instant::now() + ARRIVE_MAX;
        loop {
            let found = self.at(path);
            if found.len() >= deliveries {
                return found;
            }
            assert!(Instant::now() < deadline, "{} of {deliveries} deliveries at {path}", found.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
