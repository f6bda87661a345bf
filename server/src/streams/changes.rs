//! `/api/changes`: the log in pages, with a wait for the next one, or as endless NDJSON.

use std::convert::Infallible;
use std::fmt::{Display, Write};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dateline_engine::Seq;
use dateline_geo::Within;
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Filter, Params};
use crate::http::{Answer, Refusal};
use crate::resources::{Query, part};
use crate::streams::caller::Caller;
use crate::streams::connections::{Kind, Seat};
use crate::streams::position::{Place, beginning};
use crate::streams::reader::{BYTES_MAX, Bounds, End, Reader};
use crate::streams::tailing::{Moment, Tailing};
use crate::streams::topics::Topics;
use crate::streams::view::{Event, View};

/// Changes in one answer at the most.
const LIMIT_MAX: usize = 10_000;
/// Changes in one answer without `limit`.
const LIMIT_USUAL: usize = 1_000;
/// Records looked at for one answer: a filter that passes nothing still comes to an end.
const LOOKED_AT_MAX: usize = 100_000;
/// Bytes of documents looked at for one answer, for the same reason.
const BYTES_LOOKED_AT_MAX: usize = 256 << 20;
/// Longest wait in seconds.
const WAIT_S_MAX: u64 = 60;
/// Records read at a time.
pub(super) const STEP: usize = 512;

#[derive(Serialize)]
struct Page<'a> {
    changes: Vec<&'a RawValue>,
    last_seq: u64,
    epoch: u32,
    floor: u64,
}

/// `GET /api/changes`.
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let since = since(&app, &params)?;
    let limit = params.number("limit", LIMIT_USUAL as u64, 1, LIMIT_MAX as u64)?;
    let limit = usize::try_from(limit).unwrap_or(LIMIT_MAX);
    let wait = Duration::from_secs(params.number("wait", 0, 0, WAIT_S_MAX)?);
    let with_documents = match params.get("include") {
        None | Some("" | "meta") => false,
        Some("doc") => true,
        Some(_) => return Err(Problem::query("include", "expected 'doc' or 'meta'").into()),
    };
    let filter = Filter::parse(params.get("where").unwrap_or_default())?;
    let topics = topics(&params);
    let within = placed(&app, &params, &topics)?;
    let view = View::new(&app, caller.principal.clone(), topics, filter, with_documents)?.within(within);
    let mut reader = Reader::new(&app, caller.credentials.clone(), view, Place::after(since));
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("application/x-ndjson") {
        let about = params.get("collections").unwrap_or_default();
        let seat = app.connections().take(Kind::Lines, &caller, about, app.store().now())?;
        return Ok(endless(app, reader, seat));
    }
    let found = page(&app, &mut reader, limit, wait).await?;
    let page = Page {
        changes: found.iter().map(|event| &*event.data).collect(),
        last_seq: reader.at().seq.get(),
        epoch: app.store().epoch().get(),
        floor: app.store().feed().floor()?.get(),
    };
    Ok(axum::Json(page).into_response())
}

fn since(app: &App, params: &Params) -> Result<Seq, Problem> {
    let text = params.get("since").filter(|text| !text.is_empty()).unwrap_or("0");
    beginning(app.store(), "since", text)?.ok_or_else(|| {
        Problem::query("since", "expected 'now', 'earliest', a log sequence or EPOCH-SEQ")
            .issue("since", "not a position")
    })
}

fn topics(params: &Params) -> Topics {
    let names = params.get("collections").unwrap_or_default().split(',').map(str::trim);
    let changes: std::collections::BTreeSet<String> =
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Topics { all_changes: changes.is_empty(), changes, ..Topics::default() }
}

/// The part of the earth to look into, where all that is asked for has a place on it.
fn placed(app: &App, params: &Params, topics: &Topics) -> Result<Option<Within>, Problem> {
    let Some((name, within)) = part::named(params)? else { return Ok(None) };
    if within.is_nearest() {
        return Err(Problem::query(name, "expected near=lon,lat,radius_m"));
    }
    match topics.without_place(app)? {
        Some(collection) => Err(Problem::query(name, format!("'{collection}' declares no 'geo' member"))),
        None => Ok(Some(within)),
    }
}

/// Events that come next; waits for a first one. The reader then stands where the next page begins.
async fn page(app: &App, reader: &mut Reader, limit: usize, wait: Duration) -> Result<Vec<Event>, Refusal> {
    let deadline = tokio::time::Instant::now() + wait;
    let (mut tail, mut draining) = (app.tail(), app.draining());
    let (mut records, mut bytes, mut bytes_looked_at) = (0, 0, 0);
    let mut found: Vec<Event> = Vec::new();
    loop {
        let taken = reader.take(Bounds::groups((limit - found.len()).min(STEP))).await?;
        records += taken.records;
        bytes_looked_at += taken.bytes_looked_at;
        bytes += taken.events.iter().map(|event| event.bytes).sum::<usize>();
        found.extend(taken.events);
        let looked_enough = records >= LOOKED_AT_MAX || bytes_looked_at >= BYTES_LOOKED_AT_MAX;
        if found.len() >= limit || bytes >= BYTES_MAX || looked_enough {
            return Ok(found);
        }
        if taken.records > 0 {
            continue;
        }
        if !found.is_empty() || *draining.borrow() {
            return Ok(found);
        }
        let at = reader.at().seq;
        let more = tail.wait_for(|tail| tail.seq > at);
        tokio::select! {
            outcome = tokio::time::timeout_at(deadline, more) => {
                if outcome.is_err() {
                    return Ok(found);
                }
            }
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }
}

/// One JSON object a line for each change, and `{"pos": ..}` now and then while there is none, until the server
/// stops, the reader may not read on, or the log is trimmed under it, which is told by a last `{"reset": ..}`.
fn endless(app: App, reader: Reader, seat: Seat) -> Response {
    let lines = stream::unfold(Some(Tailing::new(app, reader, Some(seat))), |tailing| async move {
        let mut tailing = tailing?;
        let (line, goes_on) = next(&mut tailing).await?;
        Some((Ok::<Bytes, Infallible>(line), goes_on.then_some(tailing)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// The next lines and whether others follow; `None` ends the body without a word.
pub(super) async fn next(tailing: &mut Tailing) -> Option<(Bytes, bool)> {
    match tailing.next(Bounds::groups(STEP)).await {
        Moment::Events(events) => Some((lines(events.iter().map(|event| &event.data)), true)),
        Moment::Position => {
            let seq = tailing.reader().at().seq.get();
            Some((lines([&json!({"pos": {"seq": seq}})].into_iter()), true))
        }
        Moment::Draining | Moment::Ended(End::SignedOut | End::Forbidden(_) | End::Disconnected) => None,
        Moment::Ended(End::Failed(refusal)) if refusal.problem().slug() == Slug::Gone => {
            let head = tailing.reader().app().store().feed().head().get();
            Some((lines([&json!({"reset": {"reason": "trimmed", "head": head}})].into_iter()), false))
        }
        Moment::Ended(End::Failed(refusal)) => {
            tracing::error!(detail = refusal.problem().detail(), "lines of changes ended");
            None
        }
    }
}

fn lines(values: impl Iterator<Item: Display>) -> Bytes {
    let mut lines = String::new();
    for value in values {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{value}");
    }
    lines.into()
}
