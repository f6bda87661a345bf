//! `POST /api/schedules/{name}/run`: the job of a schedule, now, and what became of it.

use axum::extract::State;
use axum::http::StatusCode;
use dateline_engine::Transaction;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::SCHEDULES;
use super::schedule::Schedule;
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, RawBody};
use crate::queues::{Shown, body, seconds, until_ended};
use crate::resources::target::Id;
use crate::resources::{Prefer, answer, find, missing};
use crate::work;

/// Longest wait for the end of the job, in seconds.
pub(super) const WAIT_S_MAX: u32 = 100;
const WAIT_S: f64 = 30.0;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    wait_s: Option<f64>,
}

/// The times of the schedule stay as they are. While a job of it is unfinished and `overlap` is `skip`, that one is
/// waited for.
pub(super) async fn run(
    State(app): State<App>,
    principal: Principal,
    Id(name): Id,
    headers: axum::http::HeaderMap,
    RawBody(bytes): RawBody,
) -> Answer {
    let wanted: Wanted = if bytes.trim_ascii().is_empty() { Wanted::default() } else { body::read(&bytes)? };
    let wait = seconds("wait_s", wanted.wait_s.unwrap_or(WAIT_S), f64::from(WAIT_S_MAX))?;
    let schedule = stored(&app, &name)?;
    if work::is_own_lane(schedule.lane()) && !principal.is_administrator() {
        let detail = format!("the server itself works lane '{}'", schedule.lane());
        return Err(Problem::new(Slug::Forbidden, detail).into());
    }
    let durability = Prefer::of(&headers).durability;
    let receipt = app.commit(Transaction::new(durability).enqueue(schedule.job(None))).await?;
    let id = receipt.jobs.first().copied();
    let id = id.ok_or_else(|| Problem::new(Slug::Internal, "the commit made no job"))?;
    let Shown { mut job, has_ended, .. } = until_ended(&app, id, wait).await?;
    job["schedule"] = name.into();
    job["held"] = (!receipt.is_new(id)).into();
    let mut response = answer::json_bytes(job.to_string().into_bytes());
    if !has_ended {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    Ok(response)
}

fn stored(app: &App, name: &str) -> Result<Schedule, Problem> {
    let resource = app.resources().get(SCHEDULES)?;
    let document = find(app, &resource, name)?.ok_or_else(|| missing(&resource, name))?;
    let body: Map<String, Value> = serde_json::from_slice(&document.body).unwrap_or_default();
    Schedule::read(document.id.as_str(), &body)
        .map_err(|(member, why)| answer::damaged(&document, &format!("{member}: {why}")))
}
