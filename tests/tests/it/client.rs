//! A small HTTP client: one call, one reply, JSON both ways.
//!
//! It follows the program's address over restarts. `reply` fails the test when the connection breaks; `attempt`
//! returns the loss, for tests that kill the program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::program::{Address, PASSWORD, Server};

type Http = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

const REPLY_MAX: Duration = Duration::from_secs(60);

/// Somebody who speaks to the program.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http,
    address: Address,
    token: Option<String>,
}

/// No answer came: the request may or may not have been done.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) String);

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request being put together.
pub(crate) struct Call<'a> {
    client: &'a Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    signed: bool,
}

impl Client {
    /// Somebody without credentials.
    pub(crate) fn stranger(server: &Server) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { http, address: server.address(), token: None }
    }

    /// The administrator.
    pub(crate) async fn admin(server: &Server) -> Self {
        Self::stranger(server).signed_in("admin", PASSWORD).await
    }

    /// The same address as somebody else.
    pub(crate) async fn signed_in(&self, username: &str, password: &str) -> Self {
        let credentials = json!({"username": username, "password": password});
        let session = self.post("/api/auth", &credentials).reply().await.expect(201).json();
        let token = session["token"].as_str().unwrap_or_else(|| panic!("no token: {session}"));
        self.with_token(token)
    }

    /// The same address by a token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("signed in")
    }

    pub(crate) fn url(&self) -> String {
        self.address.get()
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let method = method.parse().expect("a method");
        Call {
            client: self,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            signed: true,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Call<'_> {
        self.call("POST", path).json(body)
    }

    /// Creates under an id of the client's choice.
    pub(crate) fn put_new(&self, path: &str, body: &Value) -> Call<'_> {
        self.call("PUT", path).json(body).header("if-none-match", "*")
    }

    /// Replaces what is at this revision.
    pub(crate) fn put(&self, path: &str, etag: &str, whole: &Value) -> Call<'_> {
        self.call("PUT", path).json(whole).if_match(etag)
    }

    pub(crate) fn patch(&self, path: &str, etag: &str, changes: &Value) -> Call<'_> {
        self.call("PATCH", path).json(changes).if_match(etag)
    }

    pub(crate) fn delete(&self, path: &str, etag: &str) -> Call<'_> {
        self.call("DELETE", path).if_match(etag)
    }

    /// The document or list at an address that must exist.
    pub(crate) async fn read(&self, path: &str) -> Value {
        self.get(path).reply().await.expect(200).json()
    }

    /// Every document of a resource, by cursor.
    pub(crate) async fn read_all(&self, resource: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut path = format!("/api/{resource}?max_results=500");
            if let Some(cursor) = &cursor {
                path = format!("{path}&{}", query(&[("cursor", cursor)]));
            }
            let mut page = self.read(&path).await;
            match page["_items"].take() {
                Value::Array(found) => items.extend(found),
                other => panic!("_items of {path} is {other}"),
            }
            cursor = next_cursor(&page);
            if cursor.is_none() {
                let total = page["_meta"]["total"].as_u64();
                assert_eq!(total, Some(items.len() as u64), "pages of {resource} hold what _meta.total says");
                return items;
            }
        }
    }
}

/// The cursor of the page after this one: from the `next` link, as a client finds it.
pub(crate) fn next_cursor(page: &Value) -> Option<String> {
    let href = page["_links"]["next"]["href"].as_str()?;
    let (_, after) = href.split_once("cursor=")?;
    let encoded = after.split('&').next()?;
    Some(decoded(encoded))
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub(crate) fn if_match(self, etag: &str) -> Self {
        self.header("if-match", &format!("\"{etag}\""))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub(crate) fn raw(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }

    /// Leaves out the credentials.
    pub(crate) fn unsigned(mut self) -> Self {
        self.signed = false;
        self
    }

    fn request(&self, address: &str) -> Request<Full<Bytes>> {
        let url = format!("{address}{}", self.path);
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        *request.headers_mut() = self.headers.clone();
        if let (Some(token), true) = (&self.client.token, self.signed) {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token");
            request.headers_mut().entry("authorization").or_insert(value);
        }
        request
    }

    /// Sends it; the head of the answer with the body still to come.
    pub(crate) async fn open(&self) -> Result<Response<Incoming>, Lost> {
        let address = self.client.address.get();
        if address.is_empty() {
            return Err(Lost("the program does not run".to_owned()));
        }
        let sent = tokio::time::timeout(REPLY_MAX, self.client.http.request(self.request(&address))).await;
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Lost(format!("{} {}: {error:?}", self.method, self.path))),
            Err(_) => panic!("{} {}: no answer in {REPLY_MAX:?}", self.method, self.path),
        }
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn attempt(&self) -> Result<Reply, Lost> {
        let what = format!("{} {}", self.method, self.path);
        let (head, body) = self.open().await?.into_parts();
        let body = tokio::time::timeout(REPLY_MAX, body.collect()).await;
        let body = body.unwrap_or_else(|_| panic!("{what}: the answer does not end"));
        let body = body.map_err(|error| Lost(format!("{what}: {error:?}")))?.to_bytes();
        Ok(Reply { what, status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends it over a plain socket, all of the body before looking at the answer: the program may refuse a large body
    /// and close early, which HTTP libraries report as a broken connection although the answer is there.
    pub(crate) fn over_a_socket(&self) -> Reply {
        let what = format!("{} {}", self.method, self.path);
        let address = self.client.address.get();
        let host = address.strip_prefix("http://").expect("http");
        let mut socket = TcpStream::connect(host).unwrap_or_else(|error| panic!("{what}: {error}"));
        socket.set_read_timeout(Some(REPLY_MAX)).expect("a timeout");
        let request = self.request(&address);
        let mut head = format!(
            "{what} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.body.len()
        );
        for (name, value) in request.headers() {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().expect("a header value")));
        }
        head.push_str("\r\n");
        // A closed connection ends the writing, not the reading.
        let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&self.body));
        let mut answer = Vec::new();
        // A reset after the answer is no fault.
        let _ = socket.read_to_end(&mut answer);
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("{what}: no answer"));
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok())
            .unwrap_or_else(|| panic!("{what}: {head}"));
        let fields = lines.filter_map(|line| line.split_once(": "));
        let headers = fields.filter_map(|(name, value)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
        });
        Reply { what, status, headers: headers.collect(), body: Bytes::copy_from_slice(&answer[end + 4..]) }
    }

    /// Sends it; the program is known to run.
    pub(crate) async fn reply(&self) -> Reply {
        self.attempt().await.unwrap_or_else(|Lost(reason)| panic!("{reason}"))
    }
}

impl Reply {
    /// Fails the test unless the status is this one.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.what, self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A text field of the answer.
    pub(crate) fn field(&self, name: &str) -> String {
        let body = self.json();
        body[name].as_str().unwrap_or_else(|| panic!("{}: no {name} in {body}", self.what)).to_owned()
    }

    pub(crate) fn etag(&self) -> String {
        self.field("_etag")
    }
}

/// A query string of these parameters.
pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let code = |high: u8, low: u8| u8::from_str_radix(std::str::from_utf8(&[high, low]).ok()?, 16).ok();
        match byte {
            b'%' => {
                let pair = rest.next().zip(rest.next()).and_then(|(high, low)| code(high, low));
                bytes.push(pair.expect("a percent-encoded byte"));
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
