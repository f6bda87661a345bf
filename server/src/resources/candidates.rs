//! Which documents a list has to look at: all, or fewer where an index knows better.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use dateline_engine::{DocId, Moment, Seq, Snapshot};
use dateline_geo::Within;
use dateline_index::SearchRequest;
use dateline_index::limits::{HITS_MAX, WINDOW_MAX};
use serde_json::Value;

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{ListQuery, Params};
use crate::http::Refusal;
use crate::places::catch_up;
use crate::resources::Resource;
use crate::resources::plan::{Plan, plan};

/// Documents one list looks into by place at the most.
const FOUND_MAX: usize = 10_000;
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

/// What to look at.
pub(crate) enum Candidates {
    /// Every document, in the order of ids.
    All,
    /// These, in this order.
    These(Vec<Candidate>),
    /// These, in no order of their own.
    Unordered(Vec<String>),
    /// Those in an index, and for a list of the past those that have changed since.
    Planned { plan: Box<Plan>, changed: BTreeSet<DocId> },
}

/// Reads `q`, `near` and `bbox`, and picks the narrowest way in. Indexes know the present: they serve a list of the past
/// while it is known what has changed since.
pub(crate) fn choose(
    app: &App,
    resource: &Resource,
    params: &Params,
    query: &ListQuery,
    snapshot: &Snapshot<'_>,
    as_of: Option<Moment>,
) -> Result<Candidates, Problem> {
    let q = params.get("q").filter(|q| !q.trim().is_empty());
    let within = within(params)?;
    if as_of.is_some() && (q.is_some() || within.is_some()) {
        return Err(Problem::query("as_of", "cannot be combined with q, near or bbox"));
    }
    match (q, within) {
        (Some(q), None) => return search(app, resource, q).map(Candidates::These),
        (None, Some(within)) => return placed(app, resource, &within).map(Candidates::These),
        (Some(q), Some(within)) => {
            let placed = placed(app, resource, &within)?;
            let mut placed: HashMap<String, Candidate> =
                placed.into_iter().map(|candidate| (candidate.id.clone(), candidate)).collect();
            let found = search(app, resource, q)?;
            return Ok(Candidates::These(found.iter().filter_map(|hit| placed.remove(&hit.id)).collect()));
        }
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

fn search(app: &App, resource: &Resource, q: &str) -> Result<Vec<Candidate>, Problem> {
    if !resource.searched {
        let detail = format!("'{}' is not searched; define the collection with 'search'", resource.name);
        return Err(Problem::query("q", detail));
    }
    let mut request = SearchRequest {
        collection: resource.name.clone(),
        q: q.to_owned(),
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
        if hits < HITS_MAX || request.offset + HITS_MAX > WINDOW_MAX {
            return Ok(found);
        }
    }
}

/// `near=lon,lat,radius_m` or `bbox=w,s,e,n`, in degrees and metres.
pub(crate) fn within(params: &Params) -> Result<Option<Within>, Problem> {
    let (name, count) = match (params.get("near"), params.get("bbox")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(Problem::query("bbox", "cannot be combined with near")),
        (Some(_), None) => ("near", 3),
        (None, Some(_)) => ("bbox", 4),
    };
    let text = params.get(name).unwrap_or_default();
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse::<f64>()).collect();
    let numbers =
        numbers.ok().filter(|numbers| numbers.len() == count && numbers.iter().all(|n| n.is_finite()));
    let within = match numbers.as_deref() {
        Some(&[lon, lat, radius_m]) => dateline_geo::Point::new(lon, lat)
            .map(|center| Within::Near { center, radius_m })
            .map_err(|reason| Problem::query(name, reason))?,
        Some(&[west, south, east, north]) => Within::Box { west, south, east, north },
        _ => {
            return Err(Problem::query(name, "expected near=lon,lat,radius_m or bbox=west,south,east,north"));
        }
    };
    within.check().map_err(|reason| Problem::query(name, reason))?;
    Ok(Some(within))
}

fn placed(app: &App, resource: &Resource, within: &Within) -> Result<Vec<Candidate>, Problem> {
    if resource.name == "ads" {
        let hits = app.geo().ads(within, FOUND_MAX)?;
        let candidate = |hit: dateline_geo::AdHit| Candidate {
            id: hit.ad.as_str().to_owned(),
            extra: hit.distance_m.map(|distance| ("distance_m", Value::from(distance))),
        };
        return Ok(hits.into_iter().map(candidate).collect());
    }
    if resource.geo.is_empty() {
        let detail = format!("'{}' declares no 'geo' member", resource.name);
        return Err(Problem::query("near", detail));
    }
    scan_places(app, resource, within)
}

/// Collections without a spatial index of their own are looked through.
fn scan_places(app: &App, resource: &Resource, within: &Within) -> Result<Vec<Candidate>, Problem> {
    let mut found: Vec<(f64, Candidate)> = Vec::new();
    app.store().snapshot()?.scan(resource.collection, None, false, |document| {
        let body: Value = serde_json::from_slice(&document.body).unwrap_or_default();
        let met = resource.shapes(&body).into_iter().filter(|shape| within.meets(shape));
        let nearest = met.map(|shape| within.distance_m(&shape).unwrap_or(0.0)).fold(f64::INFINITY, f64::min);
        if nearest.is_finite() {
            let extra = matches!(within, Within::Near { .. }).then(|| ("distance_m", Value::from(nearest)));
            found.push((nearest, Candidate { id: document.id.as_str().to_owned(), extra }));
        }
        std::ops::ControlFlow::Continue(())
    })?;
    found.sort_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| x.id.cmp(&y.id)));
    found.truncate(FOUND_MAX);
    Ok(found.into_iter().map(|(_, candidate)| candidate).collect())
}
