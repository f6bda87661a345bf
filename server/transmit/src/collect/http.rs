//! A document behind an address, asked for only when it has changed.

use super::{CollectError, Collectors};
use crate::http::{BadUrl, Endpoint, NoReply, empty};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    ACCEPT, AUTHORIZATION, ETAG, HOST, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use hyper::{Method, Request, StatusCode};

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
    /// Who asks.
    pub access: Access,
    /// `ETag` of the last answer.
    pub etag: Option<String>,
    /// `Last-Modified` of the last answer.
    pub last_modified: Option<String>,
    /// Bytes of the answer at the most.
    pub bytes_max: usize,
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

impl Collectors {
    /// Fetches a document.
    ///
    /// # Errors
    /// [`CollectError::Status`] for every answer but 200 and 304.
    pub async fn get(&self, asked: &Asked) -> Result<Fetched, CollectError> {
        let request = request(asked)?;
        let told = self.http.fetch(request, asked.bytes_max).await.map_err(|error| match error {
            NoReply::Denied(denied) => denied.into(),
            NoReply::Unreachable(why) => CollectError::Unreachable(format!("not reached: {why}")),
            NoReply::Lost(why) if why.starts_with("no answer") => CollectError::Late(why),
            NoReply::Lost(why) => CollectError::Failed(why),
        })?;
        match (told.status, told.body) {
            (StatusCode::NOT_MODIFIED, _) => Ok(Fetched::Unchanged),
            (StatusCode::OK, Some(bytes)) => Ok(Fetched::Document {
                bytes,
                etag: validator(&told.headers, &ETAG),
                last_modified: validator(&told.headers, &LAST_MODIFIED),
            }),
            (StatusCode::OK, None) => Err(CollectError::TooLarge(asked.bytes_max)),
            (status, _) => Err(CollectError::Status(status.as_u16())),
        }
    }
}

fn request(asked: &Asked) -> Result<Request<crate::http::Outgoing>, CollectError> {
    let endpoint = Endpoint::parse(&asked.url).map_err(|error| match error {
        BadUrl::Unreadable(why) => CollectError::Settings(format!("the address cannot be read: {why}")),
        BadUrl::Denied(denied) => denied.into(),
    })?;
    let uri = endpoint.uri().map_err(CollectError::Settings)?;
    let wrong = |what: &'static str| move |_| CollectError::Settings(format!("{what} cannot be sent"));
    let mut request = Request::new(empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    let host = HeaderValue::from_str(&host(&endpoint)).map_err(wrong("the host"))?;
    headers.insert(HOST, host);
    let credentials = match &asked.access {
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
