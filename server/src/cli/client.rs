//! A small HTTP client for commands that talk to a running server.
//!
//! One connection per request, HTTP/1.1, TLS with the system's certificate authorities or a given one. It never
//! follows redirects, so a token goes nowhere but to the named server.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::outcome::{Exit, Failure};

const CONNECT_S: u64 = 10;
const ANSWER_S: u64 = 120;
/// A server that reads everything it has before it answers takes its time.
const LONG_ANSWER_S: u64 = 3_600;
const ANSWER_BYTES_MAX: usize = 64 << 20;
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A server to talk to, from code that is not async.
pub struct Client {
    host: String,
    port: u16,
    base_path: String,
    token: Option<String>,
    tls: Option<TlsConnector>,
    runtime: Runtime,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Client {
    /// `url` is `http://HOST[:PORT][/PATH]` or `https://...`.
    ///
    /// # Errors
    /// 2 when the URL is none; 1 when the certificate authorities cannot be read.
    pub fn new(url: &str, token: Option<String>, cacert: Option<&Path>) -> Result<Self, Failure> {
        let wrong = || Failure::usage(format!("--url {url}: expected http://HOST:PORT or https://HOST:PORT"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(connector(cacert)?), 443),
            _ => return Err(wrong()),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            port: uri.port_u16().unwrap_or(port),
            base_path: uri.path().trim_end_matches('/').to_owned(),
            host,
            token,
            tls,
            runtime,
        })
    }

    /// Sends JSON and expects a success with JSON.
    ///
    /// # Errors
    /// 5 when the server cannot be reached; by status when it refuses, with its own words.
    pub fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        let reply = self.send(method, path, &[], body)?;
        succeed(&reply)
    }

    /// As `call`, for a change of the version with this entity tag.
    ///
    /// # Errors
    /// As `call`.
    pub fn change(
        &self,
        method: Method,
        path: &str,
        etag: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        let reply = self.send(method, path, &[("if-match", etag)], body)?;
        succeed(&reply)
    }

    /// Sends any body with further headers and returns whatever comes back.
    ///
    /// # Errors
    /// 5 when the server cannot be reached or does not answer in time.
    pub fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, Bytes)>,
    ) -> Result<Reply, Failure> {
        let request = self.request(method, path, headers, body)?;
        self.runtime.block_on(async {
            let connect = tokio::time::timeout(Duration::from_secs(CONNECT_S), self.connect());
            let stream = connect.await.map_err(|_| self.unreachable("no answer in time"))??;
            let answer = tokio::time::timeout(Duration::from_secs(ANSWER_S), exchange(stream, request));
            let answer = answer.await.map_err(|_| self.unreachable("no answer in time"))?;
            answer.map_err(|error| self.unreachable(error))
        })
    }

    /// Sends JSON or nothing and gives the body of a success to `take` as it comes, however long it is.
    ///
    /// # Errors
    /// As `call`; 5 when the answer breaks off.
    pub fn read<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
        take: impl FnOnce(&mut dyn Read) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let request = self.request(method, path, &[], body)?;
        let started = self.runtime.block_on(async {
            let connect = tokio::time::timeout(Duration::from_secs(CONNECT_S), self.connect());
            let stream = connect.await.map_err(|_| self.unreachable("no answer in time"))??;
            let answer = tokio::time::timeout(Duration::from_secs(LONG_ANSWER_S), begin(stream, request));
            let answer = answer.await.map_err(|_| self.unreachable("no answer in time"))?;
            answer.map_err(|error| self.unreachable(error))
        });
        let (response, driver) = started?;
        let status = response.status().as_u16();
        let body = response.into_body();
        if !(200..300).contains(&status) {
            let body = self.runtime.block_on(Limited::new(body, ANSWER_BYTES_MAX).collect());
            let body = body.map_err(|error| self.unreachable(error))?.to_bytes();
            return Err(match succeed(&Reply { status, body }) {
                Err(failure) => failure,
                Ok(_) => self.unreachable("an answer of no kind"),
            });
        }
        let taken = take(&mut Streamed { client: self, body, waiting: Bytes::new() });
        driver.abort();
        taken
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, Bytes)>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_path))
            .header("host", format!("{host}:{}", self.port))
            .header("accept", "application/json")
            .header("user-agent", concat!("dateline/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((media_type, _)) = &body {
            request = request.header("content-type", *media_type);
        }
        request
            .body(Full::new(body.map(|(_, bytes)| bytes).unwrap_or_default()))
            .map_err(|error| Failure::usage(format!("{path}: {error}")))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| self.unreachable(error))?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| self.unreachable(error))?;
        let stream = tls.connect(name, stream).await.map_err(|error| self.unreachable(error))?;
        Ok(Box::new(stream))
    }

    fn unreachable(&self, reason: impl std::fmt::Display) -> Failure {
        Failure::new(Exit::Unavailable, format!("{}:{}: {reason}", self.host, self.port))
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The task that moves the bytes of a connection.
type Driver = JoinHandle<hyper::Result<()>>;

/// A body that is read as it comes.
struct Streamed<'a> {
    client: &'a Client,
    body: Incoming,
    waiting: Bytes,
}

impl Read for Streamed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.waiting.is_empty() {
            let body = &mut self.body;
            let frame = self
                .client
                .runtime
                .block_on(async { tokio::time::timeout(Duration::from_secs(ANSWER_S), body.frame()).await });
            let frame = frame.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            let Some(frame) = frame else { return Ok(0) };
            let frame = frame.map_err(|error| {
                io::Error::new(io::ErrorKind::ConnectionAborted, format!("the answer broke off: {error}"))
            })?;
            self.waiting = frame.into_data().unwrap_or_default();
        }
        let taken = self.waiting.split_to(into.len().min(self.waiting.len()));
        into[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn begin(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<(Response<Incoming>, Driver), AnyError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    Ok((sender.send_request(request).await?, driver))
}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Reply, AnyError> {
    let (response, driver) = begin(stream, request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
    driver.abort();
    Ok(Reply { status, body })
}

fn succeed(reply: &Reply) -> Result<Value, Failure> {
    let body = reply.json();
    if (200..300).contains(&reply.status) {
        return Ok(body);
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let words = text("detail").or_else(|| text("_message")).unwrap_or("the server refused");
    let issues =
        body.get("_issues").filter(|issues| issues.as_object().is_some_and(|issues| !issues.is_empty()));
    let issues = issues.map_or(String::new(), |issues| format!(" {issues}"));
    Err(Failure::from_status(reply.status, format!("{words}{issues} (status {})", reply.status)))
}

fn connector(cacert: Option<&Path>) -> Result<TlsConnector, Failure> {
    let given = cacert.map(Path::to_owned);
    let system = || {
        let named = std::env::var_os("SSL_CERT_FILE").map(Into::into);
        named.or_else(|| SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned))
    };
    let file = given.or_else(system).ok_or_else(|| {
        Failure::error("no certificate authorities found on this system; name a file with --cacert")
    })?;
    let unreadable = |error: &dyn std::fmt::Display| Failure::error(format!("{}: {error}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file).map_err(|error| unreadable(&error))? {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        // A bundle may hold certificates of forms that are not understood; the others still serve.
        let _ = roots.add(certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unreadable(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
