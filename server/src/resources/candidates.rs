//! Which documents a list has to look at: all, or fewer where an index knows better.

use std::time::Duration;

use dateline_engine::Seq;
use dateline_geo::{Shape, Within};
use dateline_index::SearchRequest;
use dateline_index::limits::{HITS_MAX, WINDOW_MAX};
use serde_json::Value;

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{ListQuery, Params};
use crate::resources::Resource;

/// Documents one list looks into by place at the most.
const FOUND_MAX: usize = 10_000;
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
}

/// Reads `q`, `near`, `bbox` and `min_seq`, and picks the narrowest way in.
pub(crate) fn choose(
    app: &App,
    resource: &Resource,
    params: &Params,
    query: &ListQuery,
) -> Result<Candidates, Problem> {
    let min_seq = min_seq(params)?;
    if let Some(q) = params.get("q").filter(|q| !q.trim().is_empty()) {
        return search(app, resource, q, min_seq).map(Candidates::These);
    }
    if let Some(seq) = min_seq {
        wait_for(app, seq)?;
    }
    if let Some(within) = within(params)? {
        return placed(app, resource, &within);
    }
    if let Some(ids) = query.filter.ids() {
        return Ok(Candidates::Unordered(ids.into_iter().map(str::to_owned).collect()));
    }
    let options = &app.store().catalog();
    let Some(collection) = options.by_id(resource.collection) else { return Ok(Candidates::All) };
    let declared = collection.options.unique.iter().chain(&collection.options.indexes);
    for (field, value) in query.filter.equalities() {
        let single = declared.clone().find(|fields| fields.len() == 1 && fields.iter().any(|f| f == field));
        // A null also matches documents without the field, which no index entry tells of.
        if single.is_some()
            && !value.is_null()
            && (value.is_string() || value.is_number() || value.is_boolean())
        {
            let found = app.store().lookup(resource.collection, field, std::slice::from_ref(value));
            if let Ok(ids) = found {
                return Ok(Candidates::Unordered(ids.iter().map(|id| id.as_str().to_owned()).collect()));
            }
        }
    }
    Ok(Candidates::All)
}

fn min_seq(params: &Params) -> Result<Option<Seq>, Problem> {
    let Some(text) = params.get("min_seq").filter(|text| !text.is_empty()) else { return Ok(None) };
    let seq = text.parse().map_err(|_| Problem::query("min_seq", "expected a sequence number"))?;
    Ok(Some(Seq::new(seq)))
}

/// Documents are visible as soon as they are committed; only a number from the future waits.
fn wait_for(app: &App, seq: Seq) -> Result<(), Problem> {
    let deadline = std::time::Instant::now() + MIN_SEQ_WAIT;
    loop {
        let tail = app.store().watermark().applied();
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        if tail.seq >= seq {
            return Ok(());
        }
        if left.is_zero() {
            return Err(behind(seq, tail.seq));
        }
        app.store().watermark().wait_past(tail, left);
    }
}

fn behind(wanted: Seq, seen: Seq) -> Problem {
    let detail = format!("{wanted} has not been reached within {} s, only {seen}", MIN_SEQ_WAIT.as_secs());
    Problem::new(Slug::SearchBehind, detail).with("seq", seen.get())
}

fn search(app: &App, resource: &Resource, q: &str, min_seq: Option<Seq>) -> Result<Vec<Candidate>, Problem> {
    if !resource.searched {
        let detail = format!("'{}' is not searched; define the collection with 'search'", resource.name);
        return Err(Problem::query("q", detail));
    }
    let mut request = SearchRequest {
        collection: resource.name.clone(),
        q: q.to_owned(),
        offset: 0,
        limit: HITS_MAX,
        min_seq,
        deadline: MIN_SEQ_WAIT,
    };
    let mut found = Vec::new();
    loop {
        let answer = app.search().search(&request).map_err(|error| match error.kind() {
            dateline_engine::ErrorKind::Invalid => Problem::query("q", error),
            dateline_engine::ErrorKind::Busy => behind(min_seq.unwrap_or(Seq::ZERO), app.search().visible()),
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

fn placed(app: &App, resource: &Resource, within: &Within) -> Result<Candidates, Problem> {
    if resource.name == "ads" {
        let tail = app.store().watermark().durable();
        // What this client has just written is matched before the question is asked.
        if !app.geo().wait_for(tail, MIN_SEQ_WAIT) {
            tracing::warn!("the matcher is behind; a list by place may miss the newest ads");
        }
        let hits = app.geo().ads(within, FOUND_MAX)?;
        let candidate = |hit: dateline_geo::AdHit| Candidate {
            id: hit.ad.as_str().to_owned(),
            extra: hit.distance_m.map(|distance| ("distance_m", Value::from(distance))),
        };
        return Ok(Candidates::These(hits.into_iter().map(candidate).collect()));
    }
    if resource.geo.is_empty() {
        let detail = format!("'{}' declares no 'geo' member", resource.name);
        return Err(Problem::query("near", detail));
    }
    scan_places(app, resource, within).map(Candidates::These)
}

/// Collections without a spatial index of their own are looked through.
fn scan_places(app: &App, resource: &Resource, within: &Within) -> Result<Vec<Candidate>, Problem> {
    let mut found: Vec<(f64, Candidate)> = Vec::new();
    app.store().snapshot()?.scan(resource.collection, None, false, |document| {
        let body: Value = serde_json::from_slice(&document.body).unwrap_or_default();
        let shapes = resource.geo.iter().filter_map(|field| Shape::parse(field, body.get(field)?).ok());
        let met = shapes.filter(|shape| within.meets(shape));
        let nearest = met.map(|shape| within.distance_m(&shape).unwrap_or(0.0)).fold(f64::INFINITY, f64::min);
        if nearest.is_finite() && found.len() < FOUND_MAX {
            let extra = matches!(within, Within::Near { .. }).then(|| ("distance_m", Value::from(nearest)));
            found.push((nearest, Candidate { id: document.id.as_str().to_owned(), extra }));
        }
        std::ops::ControlFlow::Continue(())
    })?;
    found.sort_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| x.id.cmp(&y.id)));
    Ok(found.into_iter().map(|(_, candidate)| candidate).collect())
}
