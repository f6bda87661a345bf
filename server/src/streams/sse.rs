//! `/api/stream`: server-sent events with ids that survive reconnects, restarts and crashes of the server.

use std::convert::Infallible;
use std::fmt::{Display, Write};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use dateline_engine::Seq;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

use crate::app::App;
use crate::auth::Principal;
use crate::eve::Filter;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, Peer, Refusal};
use crate::resources::Query;
use crate::streams::position::Position;
use crate::streams::reader::{End, Reader};
use crate::streams::tailing::{Moment, Tailing};
use crate::streams::topics::Topics;
use crate::streams::view::{Event, View};

pub(crate) const MEDIA_TYPE: &str = "text/event-stream";

/// Records read at a time; also bounds what one piece of the body holds.
const STEP: usize = 256;

/// `GET /api/stream`.
pub(crate) async fn stream(
    State(app): State<App>,
    principal: Principal,
    peer: Peer,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let topics = Topics::parse(params.get("topics").unwrap_or_default())?;
    // The header wins: it is where the browser really is, the parameter is where the page began.
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last.or_else(|| params.get("last_event_id")).filter(|text| !text.trim().is_empty());
    let user = principal.user.clone();
    let view = View::new(&app, principal, topics, Filter::everything(), true)?;
    let seat = app.seats().take(user.as_str())?;
    let (from, first) = begin(&app, last)?;
    let reader = Reader::new(&app, &headers, peer, view, from)?;
    let state = Following { tailing: Tailing::new(app, reader, seat), first: Some(first), ended: false };
    Ok(response(stream::unfold(state, |mut state| async move {
        let piece = state.next().await?;
        Some((piece, state))
    })))
}

/// An answer of server-sent events, in pieces as they come.
pub(crate) fn response(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(pieces.map(Ok::<Bytes, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would hold events back otherwise.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Where the stream starts, and what it says first.
fn begin(app: &App, last: Option<&str>) -> Result<(Seq, String), Problem> {
    let store = app.store();
    let (epoch, head, floor) = (store.epoch(), store.feed().head(), store.feed().floor()?);
    let (from, obstacle) = match last {
        None => (head, None),
        Some("earliest") => (floor, None),
        Some(text) => match Position::parse(text) {
            None => (head, Some("unknown")),
            Some(position) => match position.obstacle(store)? {
                None => (position.seq, None),
                Some(reason) => (head, Some(reason)),
            },
        },
    };
    let mut first = String::new();
    // Each client waits a little differently before it comes back, so that a restart brings no stampede.
    let retry_ms = 1_000 + (crate::ids::random_u64().unwrap_or(0) % 2_000);
    let _ = write!(first, "retry: {retry_ms}\n\n");
    let hello = json!({"epoch": epoch.get(), "from": from.get(), "head": head.get(), "floor": floor.get()});
    event(&mut first, Some((epoch.get(), from)), "hello", &hello);
    if let Some(reason) = obstacle {
        let reset = json!({"reason": reason, "head": head.get()});
        event(&mut first, Some((epoch.get(), from)), "reset", &reset);
    }
    Ok((from, first))
}

/// One event in the form of the HTML standard, 9.2.6. JSON never has a line break outside its strings.
pub(crate) fn event(out: &mut String, id: Option<(u32, Seq)>, kind: &str, data: &impl Display) {
    if let Some((epoch, seq)) = id {
        let _ = writeln!(out, "id: {epoch}-{seq}");
    }
    let _ = write!(out, "event: {kind}\ndata: {data}\n\n");
}

/// The last event of a stream, and how long a client waits before it comes back.
pub(crate) fn bye(reason: &str) -> String {
    let retry_ms = 1_000 + (crate::ids::random_u64().unwrap_or(0) % 14_000);
    let mut piece = format!("retry: {retry_ms}\n\n");
    event(&mut piece, None, "bye", &json!({"reason": reason, "retry_ms": retry_ms}));
    piece
}

struct Following {
    tailing: Tailing,
    first: Option<String>,
    ended: bool,
}

impl Following {
    /// The next piece of the body; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first.into());
        }
        if self.ended {
            return None;
        }
        Some(match self.tailing.next(STEP).await {
            Moment::Events(events) => self.events(&events),
            Moment::Position => self.position(),
            Moment::Draining => self.bye("shutdown"),
            Moment::Ended(End::SignedOut) => self.bye("signed_out"),
            Moment::Ended(End::Forbidden(_)) => self.bye("forbidden"),
            Moment::Ended(End::Failed(refusal)) => self.refused(&refusal),
        })
    }

    fn events(&self, events: &[Event]) -> Bytes {
        let epoch = self.tailing.reader().app().store().epoch().get();
        let mut piece = String::new();
        for told in events {
            event(&mut piece, Some((epoch, told.seq)), told.kind, &told.data);
        }
        piece.into()
    }

    /// Moves the client's position although nothing passed its topics, and keeps proxies from closing.
    fn position(&self) -> Bytes {
        let (store, at) = (self.tailing.reader().app().store(), self.tailing.reader().at());
        let mut piece = String::from(": still here\n\n");
        let data = json!({"seq": at.get(), "head": store.feed().head().get()});
        event(&mut piece, Some((store.epoch().get(), at)), "pos", &data);
        piece.into()
    }

    fn bye(&mut self, reason: &str) -> Bytes {
        self.ended = true;
        bye(reason).into()
    }

    /// The log was trimmed past a reader that was too slow, or cannot be read.
    fn refused(&mut self, refusal: &Refusal) -> Bytes {
        if refusal.problem().slug() != Slug::Gone {
            tracing::error!(detail = refusal.problem().detail(), "stream ended");
            return self.bye("error");
        }
        let store = self.tailing.reader().app().store();
        let (epoch, head) = (store.epoch().get(), store.feed().head());
        self.tailing.go_to(head);
        let mut piece = String::new();
        let data = json!({"reason": "trimmed", "head": head.get()});
        event(&mut piece, Some((epoch, head)), "reset", &data);
        piece.into()
    }
}
