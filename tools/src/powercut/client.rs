//! JSON over HTTP to a program that may die at any moment.
//!
//! Once the power is cut no answer counts: a real machine would not have sent it. ext4 that is shut down while an
//! fsync is under way may report success for data that never reached the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::program::PASSWORD;

/// No answer came: the request may or may not have been done.
#[derive(Debug)]
pub(crate) struct Lost;

/// Status and body of an answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// One administrator at one address.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    url: String,
    token: String,
    power_is_off: Arc<AtomicBool>,
}

impl Client {
    /// Signs in.
    pub(crate) async fn sign_in(url: &str) -> Result<Self, String> {
        let http = Http::builder(TokioExecutor::new()).build_http();
        let mut client =
            Self { http, url: url.to_owned(), token: String::new(), power_is_off: Arc::default() };
        let credentials = json!({"username": "admin", "password": PASSWORD});
        let reply = client.call("POST", "/api/auth", &[], Some(&credentials)).await;
        let reply = reply.map_err(|Lost| "no answer to the sign-in".to_owned())?;
        let token = reply.body["token"].as_str();
        client.token = token.ok_or_else(|| format!("sign-in: {}", reply.body))?.to_owned();
        Ok(client)
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, Lost> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("content-type", "application/json");
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.body(Full::new(bytes)).map_err(|_| Lost)?;
        let response = self.http.request(request).await.map_err(|_| Lost)?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|_| Lost)?.to_bytes();
        if self.power_is_off.load(Ordering::SeqCst) {
            return Err(Lost);
        }
        Ok(Reply { status, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    /// From now on no answer counts.
    pub(crate) fn power_off(&self) {
        self.power_is_off.store(true, Ordering::SeqCst);
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Reply, Lost> {
        self.call("GET", path, &[], None).await
    }

    /// What must be there while the program runs.
    pub(crate) async fn read(&self, path: &str) -> Result<Value, String> {
        match self.get(path).await {
            Ok(Reply { status: 200, body }) => Ok(body),
            Ok(Reply { status, body }) => Err(format!("GET {path}: {status} {body}")),
            Err(Lost) => Err(format!("GET {path}: no answer")),
        }
    }
}
