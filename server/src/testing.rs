//! A running server inside a test, and a client that shows everything.

use std::convert::Infallible;
use std::sync::Arc;

use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use dateline_engine::{Durability, Transaction};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::auth::{password, users};
use crate::config::Config;
use crate::http::Routes;
use crate::ids;
use crate::listener::Listener;

/// A server on a free port of this machine, over a temporary directory.
pub(crate) struct Running {
    pub(crate) app: App,
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn test_config() -> Config {
    let mut config = Config::new();
    config.listen = "127.0.0.1:0".to_owned();
    config.engine.cache_bytes = 8 << 20;
    config.engine.memtable_bytes = 8 << 20;
    config
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::start_with(test_config(), crate::routes()).await
    }

    pub(crate) async fn start_with(config: Config, routes: Routes) -> Self {
        let app = App::builder().config(config).open().unwrap();
        Self::serve(app, routes).await
    }

    pub(crate) async fn serve(app: App, routes: Routes) -> Self {
        let listener = Listener::bind(&app).await.unwrap();
        let address = listener.address().to_string();
        let router = routes.build(&app);
        let (stop, stopped) = oneshot::channel::<()>();
        let served = app.clone();
        let task = tokio::spawn(async move {
            listener.serve(&served, router, async { drop(stopped.await) }).await;
        });
        Self { app, address, stop: Some(stop), task }
    }

    /// Stops it and waits for the end of the drain; gives the app back.
    pub(crate) async fn stop(mut self) -> App {
        drop(self.stop.take());
        self.task.await.unwrap();
        self.app
    }

    /// Adds a user; returns the id.
    pub(crate) async fn add_user(&self, name: &str, password: &str, user_type: &str) -> String {
        let id = ids::new_id(self.app.store().now()).unwrap();
        let hash = password::hash(password).unwrap();
        let tx = Transaction::new(Durability::Buffered);
        let tx = self.app.auth().users().create(tx, &id, &users::body(name, user_type), Some(&hash));
        self.app.commit(tx).await.unwrap();
        id.as_str().to_owned()
    }

    /// Signs in; returns the session's body.
    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Value {
        let body = serde_json::json!({"username": name, "password": password});
        let seen = self.post("/api/auth", &[], &body.to_string()).await;
        assert_eq!(seen.status, 201, "{:?}", seen.body);
        seen.json()
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Seen {
        self.send(Method::GET, path, headers, "").await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Seen {
        self.send(Method::POST, path, headers, body).await
    }

    /// A request with the headers as given; `host` is added when it is not among them.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Seen {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", &self.address);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        exchange(stream, request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
    }

    /// A POST whose length is not announced.
    pub(crate) async fn post_chunked(&self, path: &str, body: &str) -> Seen {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let pieces: Vec<_> = body
            .as_bytes()
            .chunks(64 << 10)
            .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        let body = StreamBody::new(futures_util::stream::iter(pieces));
        let request = Request::post(path).header("host", &self.address).body(body).unwrap();
        exchange(stream, request).await
    }
}

async fn exchange<B>(stream: TcpStream, request: Request<B>) -> Seen
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    driver.abort();
    Seen { status: parts.status, headers: parts.headers, body }
}

/// The header value of a bearer token.
pub(crate) fn bearer(token: &Value) -> String {
    format!("Bearer {}", token.as_str().unwrap())
}

/// A clock for tests, at a fixed time.
pub(crate) fn manual_clock() -> Arc<dateline_engine::ManualClock> {
    Arc::new(dateline_engine::ManualClock::new(dateline_engine::Millis::new(1_769_860_800_000)))
}
