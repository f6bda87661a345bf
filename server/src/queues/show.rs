//! Jobs as they stand, one or in pages.

use std::str::FromStr;

use axum::extract::State;
use dateline_engine::{FinishedJob, Job, JobId, JobState, LaneView, Millis, Store};
use serde_json::{Value, json};

use super::time;
use crate::app::App;
use crate::eve::problem::Problem;
use crate::eve::{Links, ListMeta, ListWriter, PageRequest, Params};
use crate::http::Answer;
use crate::resources::{Query, answer};

/// Finished jobs that can be paged through, newest first; older ones are found by id.
const FINISHED_MAX: usize = 10_000;

/// A job as it stands, or as it ended.
pub(crate) struct Shown {
    pub(crate) job: Value,
    /// It is done, dead or cancelled.
    pub(crate) has_ended: bool,
    /// When it becomes ready by itself.
    pub(super) due: Option<Millis>,
}

impl Shown {
    /// One of which nothing is kept but how it ended.
    pub(super) fn ended(id: JobId, state: JobState) -> Self {
        let job = json!({"_id": id.to_string(), "state": state.as_str(), "_links": links(id)});
        Self { job, has_ended: true, due: None }
    }
}

/// `None` when there is no such job, or its lane keeps it no longer.
pub(super) fn shown(store: &Store, id: JobId) -> Result<Option<Shown>, Problem> {
    if let Some(job) = store.queue().job(id)? {
        let is_asleep = matches!(job.state, JobState::Scheduled | JobState::Retrying);
        let has_ended = job.state == JobState::Dead;
        return Ok(Some(Shown { job: waiting(&job), has_ended, due: job.due.filter(|_| is_asleep) }));
    }
    let found = store.queue().finished_job(id)?;
    Ok(found.map(|(lane, job)| Shown { job: finished(&lane, &job), has_ended: true, due: None }))
}

pub(super) async fn list(State(app): State<App>, Query(params): Query) -> Answer {
    let bytes = app.scan(move |store| page(store, &params)).await?;
    Ok(answer::json_bytes(bytes))
}

fn page(store: &Store, params: &Params) -> Result<Vec<u8>, Problem> {
    let request = PageRequest::parse(params)?;
    let given = |name: &str| params.get(name).filter(|text| !text.is_empty());
    let stands = given("state").map(JobState::from_str).transpose();
    let stands = stands.map_err(|error| Problem::query("state", &error).issue("state", error.to_string()))?;
    let mut lanes = store.queue().lanes()?;
    lanes.retain(|lane| given("lane").is_none_or(|name| *lane.name == *name));
    lanes.sort_by(|a, b| a.name.cmp(&b.name));
    let skip = usize::try_from(request.skip()).unwrap_or(usize::MAX);
    let (rows, total) = match stands {
        Some(state @ (JobState::Done | JobState::Cancelled)) => {
            (gone(store, &lanes, state, skip, request.take() + 1)?, None)
        }
        _ => there(store, &lanes, stands, skip, request.take() + 1)?,
    };
    let more = rows.len() > request.take() && request.take() > 0;
    let mut list = ListWriter::new(rows.len() * 256);
    rows.iter().take(request.take()).for_each(|row| list.push_value(row));
    let meta = ListMeta::new(&request, total, more);
    let links = Links { href: "jobs", title: "jobs", params, page: &request, next_cursor: None };
    let seq = store.watermark().applied().seq.get();
    Ok(list.finish(&meta, None, &links.to_json(&meta), seq, &[]))
}

/// Unfinished and dead jobs, lane by lane, and how many there are.
fn there(
    store: &Store,
    lanes: &[LaneView],
    stands: Option<JobState>,
    mut skip: usize,
    limit: usize,
) -> Result<(Vec<Value>, Option<u64>), Problem> {
    let (mut rows, mut total) = (Vec::new(), 0);
    for lane in lanes {
        let count = count(lane, stands);
        total += count;
        if skip >= count || rows.len() >= limit {
            skip = skip.saturating_sub(count);
            continue;
        }
        let found = store.queue().jobs_in(&lane.name, stands, JobId::ZERO, skip, limit - rows.len())?;
        skip = 0;
        rows.extend(found.iter().map(waiting));
    }
    Ok((rows, u64::try_from(total).ok()))
}

fn count(lane: &LaneView, stands: Option<JobState>) -> usize {
    match stands {
        None => lane.scheduled + lane.ready + lane.waiting + lane.leased + lane.retrying + lane.dead,
        Some(JobState::Scheduled) => lane.scheduled,
        Some(JobState::Ready) => lane.ready + lane.waiting,
        Some(JobState::Leased) => lane.leased,
        Some(JobState::Retrying) => lane.retrying,
        Some(JobState::Dead) => lane.dead,
        Some(JobState::Done | JobState::Cancelled) => 0,
    }
}

fn gone(
    store: &Store,
    lanes: &[LaneView],
    state: JobState,
    skip: usize,
    limit: usize,
) -> Result<Vec<Value>, Problem> {
    let mut found = Vec::new();
    for lane in lanes {
        let jobs = store.queue().finished(&lane.name, FINISHED_MAX)?;
        found.extend(jobs.into_iter().filter(|job| job.state == state).map(|job| (&lane.name, job)));
    }
    found.sort_by_key(|(_, job)| std::cmp::Reverse((job.finished, job.id)));
    Ok(found.iter().skip(skip).take(limit).map(|(lane, job)| finished(lane, job)).collect())
}

fn waiting(job: &Job) -> Value {
    json!({
        "_id": job.id.to_string(),
        "lane": job.lane,
        "state": job.state.as_str(),
        "attempt": job.attempt,
        "attempts": job.attempts_max,
        "priority": job.priority,
        "group": job.group,
        "unique": job.unique,
        "payload": read(&job.payload),
        "enqueued": time(job.enqueued),
        "started": job.started.map(time),
        "due": job.due.map(time),
        "error": job.error,
        "key": job.key,
        "progress": job.progress.as_ref().map(|told| json!({"percent": told.percent, "message": told.message})),
        "deadline": job.deadline.map(time),
        "_links": links(job.id),
    })
}

fn finished(lane: &str, job: &FinishedJob) -> Value {
    let mut shown = json!({
        "_id": job.id.to_string(),
        "lane": lane,
        "state": job.state.as_str(),
        "attempt": job.attempt,
        "enqueued": time(job.enqueued),
        "started": job.started.map(time),
        "finished": time(job.finished),
    });
    let last_word = job.result.as_deref().unwrap_or_default();
    match job.state {
        JobState::Cancelled => shown["error"] = String::from_utf8_lossy(last_word).into(),
        _ => shown["result"] = read(last_word),
    }
    shown["_links"] = links(job.id);
    shown
}

fn links(id: JobId) -> Value {
    json!({"self": {"title": "Job", "href": format!("jobs/{id}")}})
}

/// JSON as it was given; nothing given is null.
fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}
