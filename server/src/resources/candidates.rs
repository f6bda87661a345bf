//! Which documents a list has to look at: all, or fewer where an index knows better.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dateline_engine::{DocId, Moment, Seq, Snapshot};
use dateline_index::limits::{HITS_MAX, WINDOW_MAX};
use dateline_index::{DefaultOperator, SearchRequest};
use serde_json::Value;

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{ListQuery, Params};
use crate::http::Refusal;
use crate::places::catch_up;
use crate::resources::part::within;
use crate::resources::placed::Placed;
use crate::resources::plan::{Plan, plan};
use crate::resources::{Resource, Sight};

/// Records of the log that a list of the past goes through to know what has changed since.
const CHANGED_MAX: u64 = 10_000;
/// Longest wait for search to catch up with `min_seq`.
const MIN_SEQ_WAIT: Duration = Duration::from_secs(5);

/// A document to look at, in the order of relevance if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    /// `("distance_m", ..)` or `("_score", ..)`.
    pub(crate) extra: Option<(&'static str, Value)>,
}

/// What search found.
pub(crate) struct Found {
    pub(crate) candidates: Vec<Candidate>,
    /// There is more than search shows.
    pub(crate) cut: bool,
    /// Where they have to be besides.
    pub(crate) placed: Option<Box<Placed>>,
}

/// What to look at.
pub(crate) enum Candidates {
    /// Every document, in the order of ids.
    All,
    /// These, in this order.
    These(Found),
    /// Those of a place, in the order of places.
    Placed(Box<Placed>),
    /// These, in no order of their own.
    Unordered(Vec<String>),
    /// Those in an index, and for a list of the past those that have changed since.
    Planned { plan: Box<Plan>, changed: BTreeSet<DocId> },
}

/// Reads `q` and the part of the earth, and picks the narrowest way in. Indexes know the present: they serve a list of the past
/// while it is known what has changed since.
pub(crate) fn choose(
    app: &App,
    resource: &Arc<Resource>,
    sight: &Sight,
    params: &Params,
    query: &ListQuery,
    snapshot: &Snapshot<'_>,
    as_of: Option<Moment>,
) -> Result<Candidates, Problem> {
    let q = params.get("q").filter(|q| !q.trim().is_empty());
    let within = within(params)?;
    if as_of.is_some() && (q.is_some() || within.is_some()) {
        return Err(Problem::query("as_of", "cannot be combined with q or a place"));
    }
    let placed = within.map(|within| Placed::new(app, resource, sight, within).map(Box::new)).transpose()?;
    match (q, placed) {
        (Some(q), placed) => {
            let (candidates, cut) = search(app, resource, q, default_operator(params)?)?;
            return Ok(Candidates::These(Found { candidates, cut, placed }));
        }
        (None, Some(placed)) => return Ok(Candidates::Placed(placed)),
        (None, None) => {}
    }
    if let Some(ids) = query.filter.ids() {
        return Ok(Candidates::Unordered(ids.into_iter().map(str::to_owned).collect()));
    }
    let Some(collection) = snapshot.catalog().by_id(resource.collection) else { return Ok(Candidates::All) };
    let Some(plan) = plan(snapshot, collection, query)? else { return Ok(Candidates::All) };
    let changed = match as_of {
        None => Some(BTreeSet::new()),
        Some(moment) => snapshot.changed_since(resource.collection, moment.seq, CHANGED_MAX)?,
    };
    Ok(match changed {
        Some(changed) => Candidates::Planned { plan: Box::new(plan), changed },
        None => Candidates::All,
    })
}

/// Waits until what the request wants to see can be seen: `min_seq`, and for places all that was durable when it
/// came. No thread waits meanwhile that others need.
pub(crate) async fn wait(app: &App, params: &Params) -> Result<(), Refusal> {
    if within(params)?.is_some() {
        catch_up(app).await?;
    }
    let Some(text) = params.get("min_seq").filter(|text| !text.is_empty()) else { return Ok(()) };
    let seq: u64 = text.parse().map_err(|_| Problem::query("min_seq", "expected a sequence number"))?;
    let seq = Seq::new(seq);
    let searches = params.get("q").is_some_and(|q| !q.trim().is_empty());
    let mut tail = app.tail();
    let applied = |app: &App| app.store().watermark().applied().seq;
    // A document is visible as soon as it is committed; only a number from the future waits for more.
    let committed = applied(app) >= seq
        || tokio::time::timeout(MIN_SEQ_WAIT, tail.wait_for(|tail| tail.seq >= seq)).await.is_ok();
    if !committed {
        return Err(behind(seq, applied(app)).into());
    }
    if searches && app.search().visible() < seq {
        let asked = app.clone();
        let seen = tokio::task::spawn_blocking(move || asked.search().wait_visible(seq, MIN_SEQ_WAIT)).await;
        if !seen.unwrap_or(false) {
            return Err(behind(seq, app.search().visible()).into());
        }
    }
    Ok(())
}

fn behind(wanted: Seq, seen: Seq) -> Problem {
    let detail = format!("{wanted} has not been reached within {} s, only {seen}", MIN_SEQ_WAIT.as_secs());
    Problem::new(Slug::SearchBehind, detail).with("seq", seen.get())
}

/// What a blank between two words of `q` means.
fn default_operator(params: &Params) -> Result<DefaultOperator, Problem> {
    match params.get("default_operator").unwrap_or_default().to_ascii_uppercase().as_str() {
        "" | "AND" => Ok(DefaultOperator::And),
        "OR" => Ok(DefaultOperator::Or),
        _ => Err(Problem::query("default_operator", "expected AND or OR")),
    }
}

/// The most relevant, and whether there are more.
fn search(
    app: &App,
    resource: &Resource,
    q: &str,
    default_operator: DefaultOperator,
) -> Result<(Vec<Candidate>, bool), Problem> {
    if !resource.searched {
        let detail = format!("'{}' is not searched; define the collection with 'search'", resource.name);
        return Err(Problem::query("q", detail));
    }
    let mut request = SearchRequest {
        collection: resource.name.clone(),
        q: q.to_owned(),
        default_operator,
        offset: 0,
        limit: HITS_MAX,
        min_seq: None,
        deadline: MIN_SEQ_WAIT,
    };
    let mut found = Vec::new();
    loop {
        let answer = app.search().search(&request).map_err(|error| match error.kind() {
            dateline_engine::ErrorKind::Invalid => Problem::query("q", error),
            dateline_engine::ErrorKind::Busy => {
                Problem::new(Slug::Overloaded, "search is being rebuilt; retry").retry_after(1)
            }
            _ => error.into(),
        })?;
        let hits = answer.hits.len();
        found.extend(answer.hits.into_iter().map(|hit| Candidate {
            id: hit.id.as_str().to_owned(),
            extra: Some(("_score", Value::from(f64::from(hit.score)))),
        }));
        request.offset += hits;
        let last = hits < HITS_MAX;
        if last || request.offset + HITS_MAX > WINDOW_MAX {
            return Ok((found, !last));
        }
    }
}
