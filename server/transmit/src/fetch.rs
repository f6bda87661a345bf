//! Getting a file that somebody names by a URL: through the guard like everything else that leaves.

use crate::egress::{Class, Denied};
use crate::http::{BadUrl, Endpoint, HttpClient, NoReply, full};
use crate::limits::{FETCH_MAX, FETCH_REDIRECTS_MAX};
use crate::site::Site;
use crate::tls::Tls;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, LOCATION};
use std::fmt;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// Gets files for one site.
#[derive(Clone)]
pub struct Fetcher {
    client: HttpClient,
}

/// A file on its way.
#[derive(Debug)]
pub struct Fetched {
    body: Incoming,
    end: Instant,
    /// The last part of its path, as the URL says it; may be empty.
    pub name: String,
}

/// Why there is no file. Its `Display` is for whoever named the URL, and says nothing about networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFault {
    /// The URL cannot be read.
    Unreadable(String),
    /// The guard refuses. What operators may read is in it.
    Denied(Denied),
    /// Nobody answered, or not in time.
    Unreachable(String),
    /// The answer has no file.
    Status(u16),
}

impl fmt::Display for FetchFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(out, "the URL cannot be read: {why}"),
            Self::Denied(denied) => denied.fmt(out),
            Self::Unreachable(_) => out.write_str("the URL does not answer"),
            Self::Status(status) => write!(out, "the URL answers with status {status}"),
        }
    }
}

impl std::error::Error for FetchFault {}

impl Fetcher {
    /// For one site.
    ///
    /// # Errors
    /// A sentence if the settings of the site cannot be used: authorities that are no certificates.
    pub fn new(site: &Site) -> Result<Self, String> {
        let tls = Tls::new(site.authorities_pem.as_deref())?;
        Ok(Self { client: HttpClient::new(site.egress.clone(), tls, Class::Http, site.http_answer_max) })
    }

    /// Asks for a file. A few redirects are followed; each is judged like the first.
    ///
    /// # Errors
    /// [`FetchFault`].
    pub async fn fetch(&self, url: &str) -> Result<Fetched, FetchFault> {
        let end = Instant::now() + FETCH_MAX;
        let mut endpoint = parsed(url)?;
        for _ in 0..=FETCH_REDIRECTS_MAX {
            let uri = endpoint.uri().map_err(FetchFault::Unreadable)?;
            let request = Request::get(uri).header(ACCEPT, "*/*").body(full(Bytes::new()));
            let request = request.map_err(|error| FetchFault::Unreadable(error.to_string()))?;
            let late = |_| FetchFault::Unreachable("it takes too long".to_owned());
            let reply = timeout_at(end, self.client.open(request)).await.map_err(late)?.map_err(no_reply)?;
            let status = reply.status();
            if status.is_success() {
                return Ok(Fetched { body: reply.into_body(), end, name: name_of(&endpoint.url) });
            }
            let location = reply.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            match location.filter(|_| status.is_redirection()) {
                Some(location) => {
                    let next = endpoint.url.join(location);
                    endpoint =
                        parsed(next.map_err(|error| FetchFault::Unreadable(error.to_string()))?.as_str())?;
                }
                None => return Err(FetchFault::Status(status.as_u16())),
            }
        }
        Err(FetchFault::Unreachable("it redirects again and again".to_owned()))
    }
}

impl Fetched {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// `Unreachable` when they break off or take too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FetchFault> {
        let broken = |why: String| FetchFault::Unreachable(why);
        loop {
            match timeout_at(self.end, self.body.frame()).await {
                Err(_) => return Err(broken("it takes too long".to_owned())),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(broken(error.to_string())),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_) => continue,
                },
            }
        }
    }
}

fn parsed(url: &str) -> Result<Endpoint, FetchFault> {
    Endpoint::parse(url).map_err(|bad| match bad {
        BadUrl::Unreadable(why) => FetchFault::Unreadable(why),
        BadUrl::Denied(denied) => FetchFault::Denied(denied),
    })
}

fn no_reply(reply: NoReply) -> FetchFault {
    match reply {
        NoReply::Denied(denied) => FetchFault::Denied(denied),
        NoReply::Unreachable(why) | NoReply::Lost(why) => FetchFault::Unreachable(why),
    }
}

fn name_of(url: &Url) -> String {
    url.path_segments().and_then(|mut all| all.next_back()).unwrap_or_default().to_owned()
}
