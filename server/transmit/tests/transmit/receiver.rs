//! A receiver of HTTP that does what a test wants.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
    }
}

/// How it answers posts of items.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<Answer>>,
    assets: Arc<Mutex<BTreeSet<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    /// One that answers posts with 200, and keeps assets under `/assets`.
    pub(crate) async fn start() -> Receiver {
        Receiver::start_with(None).await
    }

    pub(crate) async fn start_with(tls: Option<tokio_rustls::TlsAcceptor>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Receiver {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(Answer { status: 200, headers: Vec::new(), body: "ok".to_owned() })),
            assets: Arc::default(),
            connections: Arc::default(),
        };
        let state = receiver.state();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                state.connections.fetch_add(1, Ordering::Relaxed);
                let (state, tls) = (state.state(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => state.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                state.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn answer(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        *self.answer.lock().unwrap() = Answer { status, headers, body: body.to_owned() };
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn state(&self) -> Receiver {
        Receiver {
            address: self.address,
            seen: Arc::clone(&self.seen),
            answer: Arc::clone(&self.answer),
            assets: Arc::clone(&self.assets),
            connections: Arc::clone(&self.connections),
        }
    }

    async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(&self, stream: S) {
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.take(request).await) });
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn take(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return plain(400, "cut off") };
        let seen = Seen {
            method: head.method.clone(),
            path: head.uri.path_and_query().unwrap().to_string(),
            headers: head.headers,
            body: body.to_bytes(),
        };
        let path = seen.path.clone();
        self.seen.lock().unwrap().push(seen.clone());
        match (head.method, path.as_str()) {
            (Method::GET, path) if path.starts_with("/assets/") => {
                match self.assets.lock().unwrap().contains(path.trim_start_matches("/assets/")) {
                    true => plain(200, ""),
                    false => plain(404, ""),
                }
            }
            (Method::POST, "/assets") => {
                self.assets.lock().unwrap().insert(media_id(&seen.body));
                plain(201, "")
            }
            _ => {
                let answer = self.answer.lock().unwrap().clone();
                let mut response = plain(answer.status, &answer.body);
                for (name, value) in answer.headers {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                response
            }
        }
    }
}

/// The field that names the medium of a form.
fn media_id(form: &[u8]) -> String {
    let form = String::from_utf8_lossy(form);
    let (_, rest) = form.split_once("name=\"media_id\"\r\n\r\n").unwrap();
    rest.split_once("\r\n").unwrap().0.to_owned()
}

fn plain(status: u16, body: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

/// A receiver that reads a request and then says exactly this; nothing keeps the connection open and silent.
pub(crate) async fn blunt(answer: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(speak(stream, answer));
        }
    });
    address
}

/// A receiver that says exactly this to whoever connects, without being asked.
pub(crate) async fn blunt_at_once(words: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Whoever has heard enough leaves.
        let _ = stream.write_all(words).await;
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    });
    address
}

async fn speak(mut stream: TcpStream, answer: Option<&'static [u8]>) {
    let mut request = vec![0; 4096];
    let _ = stream.read(&mut request).await;
    match answer {
        Some(answer) => {
            let _ = stream.write_all(answer).await;
        }
        None => tokio::time::sleep(std::time::Duration::from_secs(60)).await,
    }
}
