//! `/api/changes`: the log in pages, with a wait for the next one, or as endless NDJSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use dateline_engine::Seq;
use futures_util::stream;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::Problem;
use crate::eve::{Filter, Params};
use crate::http::Answer;
use crate::resources::Query;
use crate::resources::answer;
use crate::streams::position::{Position, gone};
use crate::streams::topics::Topics;
use crate::streams::view::{Event, View};

/// Changes in one answer at the most.
const LIMIT_MAX: usize = 10_000;
/// Changes in one answer without `limit`.
const LIMIT_USUAL: usize = 1_000;
/// Records looked at for one answer: a filter that passes nothing still comes to an end.
const LOOKED_AT_MAX: usize = 100_000;
/// Longest wait in seconds.
const WAIT_S_MAX: u64 = 60;
/// Records read at a time.
const STEP: usize = 512;

/// `GET /api/changes`.
pub(crate) async fn read(
    State(app): State<App>,
    principal: Principal,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let since = since(&app, &params)?;
    let limit = number(&params, "limit", LIMIT_USUAL as u64, 1, LIMIT_MAX as u64)?;
    let limit = usize::try_from(limit).unwrap_or(LIMIT_MAX);
    let wait = Duration::from_secs(number(&params, "wait", 0, 0, WAIT_S_MAX)?);
    let with_documents = match params.get("include") {
        None | Some("" | "meta") => false,
        Some("doc") => true,
        Some(_) => return Err(Problem::query("include", "expected 'doc' or 'meta'").into()),
    };
    let filter = Filter::parse(params.get("where").unwrap_or_default())?;
    let view = Arc::new(View::new(&app, principal, topics(&params), filter, with_documents)?);
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("application/x-ndjson") {
        return Ok(endless(app, view, since));
    }
    let (found, last) = page(&app, &view, since, limit, wait).await?;
    let body = json!({
        "changes": found.into_iter().map(|event| event.data).collect::<Vec<_>>(),
        "last_seq": last.get(),
        "floor": app.store().feed().floor()?.get(),
    });
    Ok(answer::json_bytes(body.to_string().into_bytes()))
}

fn since(app: &App, params: &Params) -> Result<Seq, Problem> {
    let text = params.get("since").filter(|text| !text.is_empty()).unwrap_or("0");
    let position = Position::parse(text)
        .ok_or_else(|| Problem::query("since", "expected a log sequence").issue("since", "not a position"))?;
    match position.obstacle(app.store())? {
        None => Ok(position.seq),
        Some(reason) => Err(gone(app.store(), position.seq, reason)?),
    }
}

fn topics(params: &Params) -> Topics {
    let names = params.get("collections").unwrap_or_default().split(',').map(str::trim);
    let changes: std::collections::BTreeSet<String> =
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Topics { all_changes: changes.is_empty(), changes, ..Topics::default() }
}

fn number(params: &Params, name: &str, usual: u64, min: u64, max: u64) -> Result<u64, Problem> {
    match params.get(name).filter(|text| !text.is_empty()) {
        None => Ok(usual),
        Some(text) => match text.parse::<u64>() {
            Ok(number) if number >= min => Ok(number.min(max)),
            _ => Err(Problem::query(name, format!("expected a whole number from {min} to {max}"))),
        },
    }
}

/// Events after `since` and how far the log was read; waits for a first event.
async fn page(
    app: &App,
    view: &Arc<View>,
    since: Seq,
    limit: usize,
    wait: Duration,
) -> Result<(Vec<Event>, Seq), crate::http::Refusal> {
    let deadline = tokio::time::Instant::now() + wait;
    let (mut tail, mut draining) = (app.tail(), app.draining());
    let (mut at, mut looked_at) = (since, 0);
    let mut found = Vec::new();
    loop {
        let (events, last, records) = step(app, view, at, limit - found.len()).await?;
        found.extend(events);
        at = last;
        looked_at += records;
        if found.len() >= limit || looked_at >= LOOKED_AT_MAX {
            return Ok((found, at));
        }
        if records > 0 {
            continue;
        }
        if !found.is_empty() || *draining.borrow() {
            return Ok((found, at));
        }
        let more = tail.wait_for(|tail| tail.seq > at);
        tokio::select! {
            outcome = tokio::time::timeout_at(deadline, more) => {
                if outcome.is_err() {
                    return Ok((found, at));
                }
            }
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }
}

/// Reads on from `at`: the events, where the reader then stands, and how many records were read.
pub(crate) async fn step(
    app: &App,
    view: &Arc<View>,
    at: Seq,
    limit: usize,
) -> Result<(Vec<Event>, Seq, usize), crate::http::Refusal> {
    let view = Arc::clone(view);
    app.scan(move |store| -> Result<_, Problem> {
        let changes = store.feed().changes(at, limit.min(STEP))?;
        let last = changes.last().map_or(at, |change| change.seq);
        let mut events = Vec::new();
        for change in &changes {
            events.extend(view.event(change)?);
        }
        Ok((events, last, changes.len()))
    })
    .await
}

struct Tailing {
    app: App,
    view: Arc<View>,
    at: Seq,
    tail: tokio::sync::watch::Receiver<dateline_engine::Tail>,
    draining: tokio::sync::watch::Receiver<bool>,
}

/// One JSON object a line for each change, and `{"pos": ..}` while there is none, until the server stops.
fn endless(app: App, view: Arc<View>, since: Seq) -> Response {
    let (tail, draining) = (app.tail(), app.draining());
    let state = Tailing { app, view, at: since, tail, draining };
    let lines = stream::unfold(state, |mut state| async move {
        let line = state.next().await?;
        Some((Ok::<Bytes, Infallible>(line), state))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

impl Tailing {
    async fn next(&mut self) -> Option<Bytes> {
        const POSITION_EVERY: Duration = Duration::from_secs(15);
        loop {
            let (events, last, records) = step(&self.app, &self.view, self.at, STEP).await.ok()?;
            self.at = last;
            if !events.is_empty() {
                return Some(lines(events.iter().map(|event| &event.data)));
            }
            if records > 0 {
                continue;
            }
            if *self.draining.borrow() {
                return None;
            }
            let at = self.at;
            tokio::select! {
                more = self.tail.wait_for(|tail| tail.seq > at) => { more.ok()?; }
                _ = self.draining.wait_for(|draining| *draining) => return None,
                () = tokio::time::sleep(POSITION_EVERY) => {
                    return Some(lines([&json!({"pos": {"seq": at.get()}})].into_iter()));
                }
            }
        }
    }
}

fn lines<'a>(values: impl Iterator<Item = &'a Value>) -> Bytes {
    values.flat_map(|value| [value.to_string(), "\n".to_owned()]).collect::<String>().into()
}
