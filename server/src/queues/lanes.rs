//! Lanes: how much stands where, whether leases are given, and how jobs are treated.

use axum::extract::State;
use dateline_engine::{DeadFilter, ErrorKind, JobId, JobState, LaneSettings, LaneView, Millis, Rate, Store};
use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::{self, WantedBackoff, WantedRate};
use super::{body, in_seconds, wrong};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Links, ListMeta, ListWriter, PageRequest};
use crate::http::{Answer, RawBody};
use crate::publishing::consumer;
use crate::resources::target::Id;
use crate::resources::{Query, answer};

/// Jobs changed in one write of a bulk change.
const STEP: usize = 500;
/// Jobs changed by one request at the most; the answer says whether there are more.
const CHANGED_MAX: usize = 100_000;

pub(super) async fn list(State(app): State<App>, Query(params): Query) -> Answer {
    let bytes = app
        .scan(move |store| -> Result<Vec<u8>, Problem> {
            let request = PageRequest::parse(&params)?;
            let mut lanes = store.queue().lanes()?;
            lanes.sort_by(|a, b| a.name.cmp(&b.name));
            let mut list = ListWriter::new(lanes.len() * 160);
            let skip = usize::try_from(request.skip()).unwrap_or(usize::MAX);
            for lane in lanes.iter().skip(skip).take(request.take()) {
                list.push_value(&row(lane, store.now()));
            }
            let more = request.take() > 0 && lanes.len() > skip.saturating_add(request.take());
            let meta = ListMeta::new(&request, u64::try_from(lanes.len()).ok(), more);
            let links =
                Links { href: "queues", title: "queues", params: &params, page: &request, next_cursor: None };
            let seq = store.watermark().applied().seq.get();
            Ok(list.finish(&meta, None, &links.to_json(&meta), seq, &[]))
        })
        .await?;
    Ok(answer::json_bytes(bytes))
}

pub(super) async fn one(State(app): State<App>, Id(lane): Id) -> Answer {
    let shown = app.scan(move |store| find(store, &lane).map(|view| whole(&view, store.now()))).await?;
    Ok(answer::json_bytes(shown.to_string().into_bytes()))
}

pub(super) async fn pause(State(app): State<App>, Id(lane): Id) -> Answer {
    set_paused(&app, lane, true).await
}

pub(super) async fn resume(State(app): State<App>, Id(lane): Id) -> Answer {
    set_paused(&app, lane, false).await
}

/// A lane can be paused before its first job: it is made by this.
async fn set_paused(app: &App, lane: String, paused: bool) -> Answer {
    let shown = app
        .scan(move |store| -> Result<Value, Problem> {
            store.queue().pause(lane.as_str(), paused).map_err(bad_name)?;
            Ok(whole(&find(store, &lane)?, store.now()))
        })
        .await?;
    Ok(answer::json_bytes(shown.to_string().into_bytes()))
}

fn bad_name(error: dateline_engine::Error) -> Problem {
    match error.kind() {
        ErrorKind::Invalid => wrong("lane", error),
        _ => error.into(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    attempts: Option<u32>,
    backoff: Option<WantedBackoff>,
    backoff_s: Option<f64>,
    backoff_max_s: Option<f64>,
    keep_done_s: Option<f64>,
    keep_dead_s: Option<f64>,
    jobs_max: Option<u32>,
    leased_max: Option<u32>,
    key_leased_max: Option<u32>,
    #[serde(default, deserialize_with = "limits::given")]
    rate: Option<Option<WantedRate>>,
    #[serde(default, deserialize_with = "limits::given")]
    key_rate: Option<Option<WantedRate>>,
    group_on_fail: Option<String>,
    age_max_s: Option<f64>,
    draining: Option<bool>,
}

impl Wanted {
    /// The settings with what was asked for; the rest stays.
    fn over(&self, now: LaneSettings) -> Result<LaneSettings, Problem> {
        let ms = |field: &str, given: Option<f64>, now_ms: u64| {
            given.map_or(Ok(now_ms), |given| limits::in_ms(field, given))
        };
        let rate = |field: &str, given: &Option<Option<WantedRate>>, now: Option<Rate>| match given {
            None => Ok(now),
            Some(None) => Ok(None),
            Some(Some(rate)) => rate.check(field).map(Some),
        };
        let policy = self.group_on_fail.as_deref().map(str::parse).transpose();
        let attempts_max = self.attempts.unwrap_or(now.attempts_max);
        if !(1..=10_000).contains(&attempts_max) {
            return Err(wrong("attempts", "must be from 1 to 10000"));
        }
        Ok(LaneSettings {
            attempts_max,
            retry: limits::retry(self.backoff.as_ref(), self.backoff_s, self.backoff_max_s, now.retry)?,
            done_ms_keep: ms("keep_done_s", self.keep_done_s, now.done_ms_keep)?,
            dead_ms_keep: ms("keep_dead_s", self.keep_dead_s, now.dead_ms_keep)?,
            jobs_max: self.jobs_max.unwrap_or(now.jobs_max),
            leased_max: self.leased_max.unwrap_or(now.leased_max),
            key_leased_max: self.key_leased_max.unwrap_or(now.key_leased_max),
            rate: rate("rate", &self.rate, now.rate)?,
            key_rate: rate("key_rate", &self.key_rate, now.key_rate)?,
            group_on_fail: policy
                .map_err(|error| wrong("group_on_fail", error))?
                .unwrap_or(now.group_on_fail),
            age_ms_max: ms("age_max_s", self.age_max_s, now.age_ms_max)?,
            draining: self.draining.unwrap_or(now.draining),
        })
    }
}

pub(super) async fn change(State(app): State<App>, Id(lane): Id, RawBody(bytes): RawBody) -> Answer {
    let wanted: Wanted = body::read(&bytes)?;
    let turn = app.waiting().settings.lock().await;
    let shown = app
        .scan(move |store| -> Result<Value, Problem> {
            let lanes = store.queue().lanes()?;
            let now = lanes.iter().find(|view| *view.name == *lane);
            let settings = wanted.over(now.map_or(LaneSettings::INITIAL, |view| view.settings))?;
            store.queue().configure(lane.as_str(), settings).map_err(bad_name)?;
            Ok(whole(&find(store, &lane)?, store.now()))
        })
        .await;
    drop(turn);
    Ok(answer::json_bytes(shown?.to_string().into_bytes()))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedRedrive {
    error: Option<String>,
    group: Option<String>,
    enqueued_before: Option<String>,
}

impl WantedRedrive {
    fn check(self) -> Result<DeadFilter, Problem> {
        let before = self.enqueued_before.map(|text| {
            let at = text.parse::<jiff::Timestamp>().map_err(|error| wrong("enqueued_before", error))?;
            let ms = u64::try_from(at.as_millisecond());
            ms.map(Millis::new).map_err(|_| wrong("enqueued_before", "is before 1970"))
        });
        Ok(DeadFilter { error: self.error, group: self.group, enqueued_before: before.transpose()? })
    }
}

/// `POST /api/queues/{lane}/redrive {"error"?, "group"?, "enqueued_before"?}`, all without a body. A job whose
/// unique key is held by another stays dead.
pub(super) async fn redrive(State(app): State<App>, Id(lane): Id, RawBody(bytes): RawBody) -> Answer {
    let wanted: WantedRedrive = if bytes.is_empty() { WantedRedrive::default() } else { body::read(&bytes)? };
    let filter = wanted.check()?;
    let told = app
        .scan(move |store| -> Result<Value, Problem> {
            find(store, &lane)?;
            let (changed, more) = store.queue().redrive(&lane, &filter, CHANGED_MAX)?;
            Ok(json!({"redriven": changed, "more": more}))
        })
        .await?;
    Ok(answer::json_bytes(told.to_string().into_bytes()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedPurge {
    state: String,
}

/// `POST /api/queues/{lane}/purge {"state"}`.
pub(super) async fn purge(
    State(app): State<App>,
    principal: Principal,
    Id(lane): Id,
    RawBody(bytes): RawBody,
) -> Answer {
    let WantedPurge { state } = body::read(&bytes)?;
    let state: JobState = state.parse().map_err(|error| wrong("state", error))?;
    if matches!(state, JobState::Done | JobState::Cancelled) {
        return Err(wrong("state", "jobs that have finished are removed by keep_done_s").into());
    }
    let by = format!("purged by {}", principal.username);
    let used = app.clone();
    let told = app
        .scan(move |store| -> Result<Value, Problem> {
            find(store, &lane)?;
            let (changed, more) =
                in_steps(store, &lane, state, |ids| consumer::cancel_jobs(&used, &lane, ids, &by))?;
            Ok(json!({"purged": changed, "more": more}))
        })
        .await?;
    Ok(answer::json_bytes(told.to_string().into_bytes()))
}

/// Changes every job of a state, so many in a write; jobs that come meanwhile may be among them.
fn in_steps(
    store: &Store,
    lane: &str,
    state: JobState,
    change: impl Fn(Vec<JobId>) -> dateline_engine::Result<usize>,
) -> Result<(usize, bool), Problem> {
    let (mut changed, mut seen, mut after) = (0, 0, JobId::ZERO);
    while seen < CHANGED_MAX {
        let jobs = store.queue().jobs_in(lane, Some(state), after, 0, STEP)?;
        let Some(last) = jobs.last() else { return Ok((changed, false)) };
        after = last.id;
        seen += jobs.len();
        changed += change(jobs.iter().map(|job| job.id).collect())?;
    }
    Ok((changed, true))
}

fn find(store: &Store, lane: &str) -> Result<LaneView, Problem> {
    let found = store.queue().lanes()?.into_iter().find(|view| *view.name == *lane);
    found.ok_or_else(|| Problem::new(Slug::NotFound, format!("there is no lane '{lane}'")))
}

/// The lane as it stands in the list. A job that waits for its group is ready for all its worker can tell.
fn row(lane: &LaneView, now: Millis) -> Value {
    let oldest_ms = lane.oldest_ready.map(|since| now.get().saturating_sub(since.get()));
    json!({
        "lane": &*lane.name,
        "ready": lane.ready + lane.waiting,
        "leased": lane.leased,
        "delayed": lane.scheduled,
        "retrying": lane.retrying,
        "dead": lane.dead,
        "held": lane.held,
        "paused": lane.paused,
        "oldest_ready_s": oldest_ms.map(in_seconds),
    })
}

fn whole(lane: &LaneView, now: Millis) -> Value {
    let LaneSettings {
        attempts_max,
        retry,
        done_ms_keep,
        dead_ms_keep,
        jobs_max,
        leased_max,
        key_leased_max,
        rate,
        key_rate,
        group_on_fail,
        age_ms_max,
        draining,
    } = lane.settings;
    let mut shown = row(lane, now);
    shown["settings"] = json!({
        "attempts": attempts_max,
        "backoff": limits::shown_backoff(retry.backoff),
        "backoff_s": in_seconds(retry.ms_base),
        "backoff_max_s": in_seconds(retry.ms_max),
        "keep_done_s": in_seconds(done_ms_keep),
        "keep_dead_s": in_seconds(dead_ms_keep),
        "jobs_max": jobs_max,
        "leased_max": leased_max,
        "key_leased_max": key_leased_max,
        "rate": limits::shown_rate(rate),
        "key_rate": limits::shown_rate(key_rate),
        "group_on_fail": group_on_fail.as_str(),
        "age_max_s": in_seconds(age_ms_max),
        "draining": draining,
    });
    shown["_links"] = json!({"self": {"title": "Queue", "href": format!("queues/{}", lane.name)}});
    shown
}
