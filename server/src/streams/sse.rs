//! `/api/stream`: server-sent events with ids that survive reconnects, restarts and crashes of the server.

use std::convert::Infallible;
use std::fmt::{Display, Write};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

use crate::app::App;
use crate::eve::Filter;
use crate::http::Answer;
use crate::resources::Query;
use crate::streams::caller::Caller;
use crate::streams::connections::Kind;
use crate::streams::reader::{Bounds, Reader};
use crate::streams::tailing::Tailing;
use crate::streams::telling::{Beginning, Next, Telling, Told, retry_ms};
use crate::streams::topics::Topics;
use crate::streams::view::View;

pub(crate) const MEDIA_TYPE: &str = "text/event-stream";

/// How far one piece of the body goes.
const STEP: Bounds = Bounds::groups(256);

/// `GET /api/stream`.
pub(crate) async fn stream(
    State(app): State<App>,
    caller: Caller,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let text = params.get("topics").unwrap_or_default();
    let topics = Topics::parse(text)?;
    // The header wins: it is where the browser really is, the parameter is where the page began.
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last.or_else(|| params.get("last_event_id")).filter(|text| !text.trim().is_empty());
    let view = View::new(&app, caller.principal.clone(), topics, Filter::everything(), true)?;
    let seat = app.connections().take(Kind::Events, &caller, text, app.store().now())?;
    let beginning = Beginning::after(&app, last)?;
    let reader = Reader::new(&app, caller.credentials, view, beginning.from);
    let telling = Telling::new(Tailing::new(app, reader, Some(seat)), beginning);
    let pieces = stream::unfold(Some((telling, true)), |state| async move {
        let (mut telling, is_first) = state?;
        match telling.next(STEP).await {
            Next::Told(told) => Some((piece(&told, is_first), Some((telling, false)))),
            Next::Bye(why) => Some((bye(why.reason()), None)),
        }
    });
    Ok(response(pieces.map(Bytes::from)))
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

fn piece(told: &[Told], is_first: bool) -> String {
    let mut piece = String::new();
    if is_first {
        let _ = write!(piece, "retry: {}\n\n", retry_ms(1_000, 2_000));
    }
    for told in told {
        if told.is_position() {
            // Keeps proxies from closing.
            piece.push_str(": still here\n\n");
        }
        event(&mut piece, Some(&told.id), told.kind, &told.data);
    }
    piece
}

/// One event in the form of the HTML standard, 9.2.6. JSON never has a line break outside its strings.
pub(crate) fn event(out: &mut String, id: Option<&dyn Display>, kind: &str, data: &impl Display) {
    if let Some(id) = id {
        let _ = writeln!(out, "id: {id}");
    }
    let _ = write!(out, "event: {kind}\ndata: {data}\n\n");
}

/// The last event of a stream, and how long a client waits before it comes back.
pub(crate) fn bye(reason: &str) -> String {
    let retry_ms = retry_ms(1_000, 14_000);
    let mut piece = format!("retry: {retry_ms}\n\n");
    event(&mut piece, None, "bye", &json!({"reason": reason, "retry_ms": retry_ms}));
    piece
}
