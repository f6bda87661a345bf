//! HTTP as a client: through the guard, connections kept per receiver, answers bounded.

mod connector;
mod status;

pub(crate) use status::{StatusClass, retry_after};

use crate::egress::{Class, ConnectError, Denied, Egress, Target};
use crate::failure::{Code, Failure};
use crate::limits::{
    ANSWER_BODY_MAX, ANSWER_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX, IDLE_CONNECTIONS_MAX, IDLE_MAX,
    UPLOAD_BYTES_PER_SECOND_MIN,
};
use crate::tls::Tls;
use bytes::Bytes;
use connector::Connector;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

/// The body of a request.
pub(crate) type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// A client for one class of destinations. Clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<Connector, Outgoing>,
    answer_max: Duration,
}

/// An answer; the body is cut at 64 KiB.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request without an answer.
pub(crate) enum NoReply {
    /// The guard refuses.
    Denied(Denied),
    /// Nobody got the request.
    Unreachable(String),
    /// Somebody may have got it and says nothing in time.
    Late(String),
    /// Somebody may have got it.
    Lost(String),
}

/// Where a request goes, parsed and within the rules for URLs; not yet judged by address.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) target: Target,
}

/// A URL that nothing is sent to.
pub(crate) enum BadUrl {
    /// It is none; why, without the text itself, which may have a secret in it.
    Unreadable(String),
    /// The guard refuses.
    Denied(Denied),
}

impl BadUrl {
    /// As a setting that will not change by itself.
    pub(crate) fn failure(self, code: Code, setting: &str) -> Failure {
        match self {
            BadUrl::Unreadable(why) => Failure::lasting(code, format!("{setting} cannot be read: {why}")),
            BadUrl::Denied(denied) => Failure::denied(code, &denied),
        }
    }
}

impl Endpoint {
    /// Parses an `http` or `https` URL.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub(crate) fn parse(text: &str) -> Result<Endpoint, BadUrl> {
        let mut url = Url::parse(text).map_err(|error| BadUrl::Unreadable(error.to_string()))?;
        url.set_fragment(None);
        let target = Target::of_url(&url, &["http", "https"]).map_err(BadUrl::Denied)?;
        Ok(Endpoint { url, target })
    }

    pub(crate) fn uri(&self) -> Result<Uri, String> {
        self.url.as_str().parse().map_err(|_| "the URL is not one of HTTP".to_owned())
    }
}

impl HttpClient {
    pub(crate) fn new(egress: Egress, tls: Tls, class: Class, answer_max: Duration) -> HttpClient {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .build(Connector::new(egress, tls, class));
        HttpClient { client, answer_max }
    }

    /// Sends a request and reads the answer. Redirects are answers.
    ///
    /// Time: the connection has its own bounds; from then on the receiver has `answer_max` and what the body takes at
    /// 64 KiB/s until the head of the answer is there, and 20 s for its body.
    ///
    /// # Errors
    /// [`NoReply`].
    pub(crate) async fn call(&self, request: Request<Outgoing>) -> Result<Reply, NoReply> {
        let (head, body) = self.open(request).await?.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body: read(body).await })
    }

    /// Sends a request and gives the answer as soon as its head is there; the body is for the caller to bound.
    ///
    /// # Errors
    /// [`NoReply`].
    pub(crate) async fn open(&self, mut request: Request<Outgoing>) -> Result<Response<Incoming>, NoReply> {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let bytes = request.body().size_hint().exact().unwrap_or(0);
        let time = self.answer_max + Duration::from_secs(bytes / UPLOAD_BYTES_PER_SECOND_MIN);
        let mut connection = capture_connection(&mut request);
        let mut response = std::pin::pin!(self.client.request(request));
        let head = tokio::select! {
            biased;
            head = &mut response => head,
            () = async { connection.wait_for_connection_metadata().await; } => {
                let late = || NoReply::Late(format!("no answer within {} s", time.as_secs_f32()));
                timeout(time, response).await.map_err(|_| late())?
            }
        };
        head.map_err(|error| no_reply(&error))
    }
}

const AGENT: &str = concat!("Dateline/", env!("CARGO_PKG_VERSION"));

/// A body that is in memory.
pub(crate) fn full(bytes: Bytes) -> Outgoing {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// No body.
pub(crate) fn empty() -> Outgoing {
    full(Bytes::new())
}

/// The first bytes of a body. The head has decided already, so one that breaks off or takes too long is what came of it.
async fn read(mut body: Incoming) -> Bytes {
    let end = Instant::now() + ANSWER_BODY_MAX;
    let mut bytes = Vec::new();
    while let Ok(Some(Ok(frame))) = timeout_at(end, body.frame()).await {
        let Some(data) = frame.data_ref() else { continue };
        let room = ANSWER_BYTES_MAX - bytes.len();
        bytes.extend_from_slice(data.get(..room).unwrap_or(data));
        if bytes.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    bytes.into()
}

fn no_reply(error: &legacy::Error) -> NoReply {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    let mut deepest = String::new();
    while let Some(error) = source {
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::Denied(denied)) => return NoReply::Denied(denied.clone()),
            Some(ConnectError::Unreachable(why)) => return NoReply::Unreachable(why.clone()),
            None => deepest = error.to_string(),
        }
        source = error.source();
    }
    match error.is_connect() {
        true => NoReply::Unreachable(deepest),
        false => NoReply::Lost(deepest),
    }
}
