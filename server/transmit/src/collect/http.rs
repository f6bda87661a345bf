//! A document behind an address, asked for only when it has changed.

use super::{CollectError, Collectors};
use crate::http::{BadUrl, Endpoint, NoReply, Outgoing, empty};
use crate::limits::{FETCH_MAX, FETCH_REDIRECTS_MAX};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, ETAG, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

/// Who asks.
#[derive(Debug, Clone)]
pub enum Access {
    /// Anybody.
    Open,
    /// A name and a password.
    Basic(String, Secret),
    /// A token.
    Bearer(Secret),
}

/// A question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The address: `http` or `https`.
    pub url: String,
    /// Who asks. After a redirect, only the origin of the address is told.
    pub access: Access,
    /// `ETag` of the last answer.
    pub etag: Option<String>,
    /// `Last-Modified` of the last answer.
    pub last_modified: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is as it was.
    Unchanged,
    /// The document, with what the next question may name.
    Document {
        /// All of it.
        bytes: Vec<u8>,
        /// Its `ETag`.
        etag: Option<String>,
        /// Its `Last-Modified`.
        last_modified: Option<String>,
    },
}

/// A document on its way.
#[derive(Debug)]
pub struct Arriving {
    body: Incoming,
    end: Instant,
    /// The last part of its path, as the address says it; may be empty.
    pub name: String,
}

impl Asked {
    /// As anybody, for the first time.
    #[must_use]
    pub fn new(url: &str) -> Asked {
        Asked { url: url.to_owned(), access: Access::Open, etag: None, last_modified: None }
    }
}

impl Collectors {
    /// Fetches a document whole, if it has changed.
    ///
    /// # Errors
    /// [`CollectError::Status`] for every answer but 200 and 304, [`CollectError::TooLarge`] beyond `bytes_max`.
    pub async fn get(&self, asked: &Asked, bytes_max: usize) -> Result<Fetched, CollectError> {
        let end = Instant::now() + FETCH_MAX;
        let (reply, _) = self.answer(asked, end).await?;
        match reply.status() {
            StatusCode::NOT_MODIFIED => return Ok(Fetched::Unchanged),
            StatusCode::OK => {}
            status => return Err(CollectError::Status(status.as_u16())),
        }
        let (head, body) = reply.into_parts();
        let mut arriving = Arriving { body, end, name: String::new() };
        let mut bytes = Vec::new();
        while let Some(more) = arriving.next().await? {
            if bytes.len() + more.len() > bytes_max {
                return Err(CollectError::TooLarge(bytes_max));
            }
            bytes.extend_from_slice(&more);
        }
        let (etag, last_modified) =
            (validator(&head.headers, &ETAG), validator(&head.headers, &LAST_MODIFIED));
        Ok(Fetched::Document { bytes, etag, last_modified })
    }

    /// Asks for a document and gives its bytes as they come; their number is for the caller to bound.
    ///
    /// # Errors
    /// [`CollectError::Status`] for every answer that is no success.
    pub async fn open(&self, url: &str) -> Result<Arriving, CollectError> {
        let end = Instant::now() + FETCH_MAX;
        let (reply, endpoint) = self.answer(&Asked::new(url), end).await?;
        match reply.status() {
            status if status.is_success() => Ok(Arriving {
                name: endpoint
                    .url
                    .path_segments()
                    .and_then(|mut all| all.next_back())
                    .unwrap_or_default()
                    .to_owned(),
                body: reply.into_body(),
                end,
            }),
            status => Err(CollectError::Status(status.as_u16())),
        }
    }

    /// The head of the answer, and where it came from. A few redirects are followed; each is judged like the first.
    async fn answer(
        &self,
        asked: &Asked,
        end: Instant,
    ) -> Result<(Response<Incoming>, Endpoint), CollectError> {
        let mut endpoint = parsed(&asked.url)?;
        let origin = endpoint.url.origin();
        for _ in 0..=FETCH_REDIRECTS_MAX {
            let access = if endpoint.url.origin() == origin { &asked.access } else { &Access::Open };
            let request = request(&endpoint, access, asked)?;
            let reply = timeout_at(end, self.http.open(request)).await.map_err(|_| late())??;
            let location = reply.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let is_redirect = reply.status().is_redirection() && reply.status() != StatusCode::NOT_MODIFIED;
            match location.filter(|_| is_redirect) {
                None => return Ok((reply, endpoint)),
                Some(location) => {
                    let next = endpoint.url.join(location).map_err(|error| unreadable(&error.to_string()))?;
                    endpoint = parsed(next.as_str())?;
                }
            }
        }
        Err(CollectError::Redirects)
    }
}

impl Arriving {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// `Late` or `Failed` when they break off or take too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CollectError> {
        loop {
            let frame = timeout_at(self.end, self.body.frame()).await.map_err(|_| late())?;
            let Some(frame) = frame.transpose().map_err(|error| broken(&error))? else { return Ok(None) };
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }
}

impl From<NoReply> for CollectError {
    fn from(error: NoReply) -> CollectError {
        match error {
            NoReply::Denied(denied) => denied.into(),
            NoReply::Unreachable(why) => CollectError::Unreachable(format!("not reached: {why}")),
            NoReply::Late(why) => CollectError::Late(why),
            NoReply::Lost(why) => CollectError::Failed(why),
        }
    }
}

pub(super) fn parsed(url: &str) -> Result<Endpoint, CollectError> {
    Endpoint::parse(url).map_err(|error| match error {
        BadUrl::Unreadable(why) => unreadable(&why),
        BadUrl::Denied(denied) => denied.into(),
    })
}

fn unreadable(why: &str) -> CollectError {
    CollectError::Settings(format!("the address cannot be read: {why}"))
}

fn late() -> CollectError {
    CollectError::Late(format!("no answer in full within {} s", FETCH_MAX.as_secs()))
}

pub(super) fn broken(error: &hyper::Error) -> CollectError {
    CollectError::Failed(format!("the answer broke off: {error}"))
}

fn request(endpoint: &Endpoint, access: &Access, asked: &Asked) -> Result<Request<Outgoing>, CollectError> {
    let uri = endpoint.uri().map_err(CollectError::Settings)?;
    let wrong = |what: &'static str| move |_| CollectError::Settings(format!("{what} cannot be sent"));
    let mut request = Request::new(empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    let host = HeaderValue::from_str(&host(endpoint)).map_err(wrong("the host"))?;
    headers.insert(HOST, host);
    let credentials = match access {
        Access::Open => None,
        Access::Basic(name, password) => {
            Some(format!("Basic {}", STANDARD.encode(format!("{name}:{}", password.reveal()))))
        }
        Access::Bearer(token) => Some(format!("Bearer {}", token.reveal())),
    };
    if let Some(credentials) = credentials {
        let mut value = HeaderValue::from_str(&credentials).map_err(wrong("the token"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in [(IF_NONE_MATCH, &asked.etag), (IF_MODIFIED_SINCE, &asked.last_modified)] {
        // What the server said before and cannot be said back is left out.
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(request)
}

fn host(endpoint: &Endpoint) -> String {
    let host = endpoint.url.host_str().unwrap_or_default();
    endpoint.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn validator(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 1024).then(|| value.to_owned())
}
