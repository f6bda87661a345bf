//! A running server for benches, the same bytes from bare hyper, and the least client that can ask for them.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;
use dateline_engine::{Durability, Transaction};
use dateline_server::app::App;
use dateline_server::auth::users;
use dateline_server::config::Config;
use dateline_server::{ids, listener::Listener};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;

/// A whole server in this process, on a free port, over a temporary directory, and an administrator's token.
pub struct Server {
    /// Its state.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    /// A session token of an administrator.
    pub token: String,
    _runtime: Runtime,
}

impl Server {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot start.
    #[must_use]
    pub fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (app, address) = runtime.block_on(async {
            let mut config = Config::new();
            config.listen = "127.0.0.1:0".to_owned();
            let app = App::builder().config(config).open().expect("the app opens");
            let id = ids::new_id(app.store().now()).expect("an id");
            let hash = app.auth().hash_password("bench-password".to_owned()).await.expect("a hash");
            let transaction = Transaction::new(Durability::Sync);
            let body = users::body("bench", "administrator");
            let transaction = app.auth().users().create(transaction, &id, &body, Some(&hash));
            app.commit(transaction).await.expect("the user is stored");
            let listener = Listener::bind(&app).await.expect("a port");
            let address = listener.address();
            let (served, router) = (app.clone(), dateline_server::routes().build(&app));
            tokio::spawn(async move { listener.serve(&served, router, std::future::pending()).await });
            (app, address)
        });
        let mut client = Client::connect(address);
        let body = br#"{"username":"bench","password":"bench-password"}"#;
        let answer = client.send("POST", "/api/auth", "application/json", "", body);
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("a session");
        let token = answer["token"].as_str().expect("a token").to_owned();
        Self { app, address, token, _runtime: runtime }
    }
}

/// Bare hyper that answers every request with the same bytes and headers from memory.
pub struct Fixed {
    /// Where it listens.
    pub address: SocketAddr,
    _runtime: Runtime,
}

impl Fixed {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot start.
    #[must_use]
    pub fn start(body: Vec<u8>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let body = Bytes::from(body);
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let body = body.clone();
                    let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                        let response = Response::builder()
                            .header("content-type", "application/json")
                            .body(Full::new(body.clone()))
                            .expect("a response");
                        async move { Ok::<_, Infallible>(response) }
                    });
                    tokio::spawn(async move {
                        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                        // The client hangs up at the end of a bench.
                        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            });
            address
        });
        Self { address, _runtime: runtime }
    }
}

/// One keep-alive connection over HTTP/1.1 that knows just enough to read `Content-Length` bodies.
pub struct Client {
    stream: BufReader<TcpStream>,
    line: String,
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { stream: BufReader::with_capacity(64 << 10, stream), line: String::new() }
    }

    /// Sends one request and reads its answer.
    ///
    /// # Panics
    /// When the answer is not 2xx or cannot be read.
    pub fn send(&mut self, method: &str, path: &str, media_type: &str, token: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
             content-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request).expect("the request goes out");
        let (mut length, mut first) = (0, true);
        loop {
            self.line.clear();
            self.stream.read_line(&mut self.line).expect("an answer");
            let line = self.line.trim_end();
            if first {
                assert!(line.starts_with("HTTP/1.1 2"), "{method} {path}: {line}");
                first = false;
            } else if line.is_empty() {
                break;
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("the whole body");
        answer
    }
}
