//! One HTTP/1.1 connection to the program: no pool and no redirects between a measurement and the server.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::program::PASSWORD;

/// Where a program listens, and the token of its administrator.
#[derive(Clone)]
pub(crate) struct Site {
    authority: String,
    authorization: Option<HeaderValue>,
}

/// One connection, one request at a time.
pub(crate) struct Wire {
    sender: SendRequest<Full<Bytes>>,
    site: Site,
}

impl Site {
    /// Signs in at `http://HOST:PORT`.
    pub(crate) async fn sign_in(url: &str) -> Result<Self, String> {
        let authority = url.strip_prefix("http://").unwrap_or(url).to_owned();
        let nobody = Self { authority, authorization: None };
        let credentials = json!({"username": "admin", "password": PASSWORD}).to_string();
        let reply = nobody.connect().await?.post("/api/auth", "application/json", credentials.into()).await?;
        let token = reply["token"].as_str().ok_or_else(|| format!("sign-in: {reply}"))?;
        let authorization = HeaderValue::try_from(format!("Bearer {token}")).map_err(|e| e.to_string())?;
        Ok(Self { authorization: Some(authorization), ..nobody })
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Result<Wire, String> {
        let stream =
            TcpStream::connect(&self.authority).await.map_err(|e| format!("{}: {e}", self.authority))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
        // It ends with the connection; what breaks is told to whoever sends.
        tokio::spawn(connection);
        Ok(Wire { sender, site: self.clone() })
    }
}

impl Wire {
    /// Posts a body; anything but success is an error with what the server says.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<Value, String> {
        self.call(Method::POST, path, kind, body, None).await
    }

    /// Changes a document at a known revision.
    pub(crate) async fn patch(&mut self, path: &str, etag: &str, body: &Value) -> Result<Value, String> {
        let etag = HeaderValue::try_from(etag).map_err(|e| e.to_string())?;
        self.call(Method::PATCH, path, "application/json", body.to_string().into(), Some(etag)).await
    }

    /// Reads JSON.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Value, String> {
        self.call(Method::GET, path, "application/json", Bytes::new(), None).await
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: Bytes,
        if_match: Option<HeaderValue>,
    ) -> Result<Value, String> {
        let mut request = Request::builder().method(&method).uri(path);
        request = request.header(HOST, &self.site.authority).header(CONTENT_TYPE, kind);
        if let Some(authorization) = &self.site.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(etag) = if_match {
            request = request.header(IF_MATCH, etag);
        }
        let request = request.body(Full::new(body)).map_err(|e| e.to_string())?;
        let lost = |e: hyper::Error| format!("{method} {path}: {e}");
        self.sender.ready().await.map_err(lost)?;
        let response = self.sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
        if !status.is_success() {
            return Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body)));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|e| format!("{method} {path}: {e}"))
    }
}
