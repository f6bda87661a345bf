//! `POST /api/jobs`: one job or an array, in one commit.

use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{HeaderValue, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode};
use dateline_engine::{ChangeOp, JobId, LaneSettings, NewJob, Seq, Transaction};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::limits::{self, WantedBackoff};
use super::{TOGETHER_MAX, body, wrong};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, RawBody};
use crate::resources::{Prefer, answer, idempotency};
use crate::work;

/// A job as a client writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted<'a> {
    #[serde(borrow)]
    lane: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
    delay_s: Option<f64>,
    priority: Option<u8>,
    group: Option<String>,
    unique: Option<String>,
    attempts: Option<u32>,
    key: Option<String>,
    backoff: Option<WantedBackoff>,
    backoff_s: Option<f64>,
    backoff_max_s: Option<f64>,
    age_max_s: Option<f64>,
}

impl Wanted<'_> {
    fn check(self, whole: &Bytes, principal: &Principal) -> Result<NewJob, Problem> {
        if work::is_own_lane(&self.lane) && !principal.is_administrator() {
            let detail = format!("the server itself works lane '{}'", self.lane);
            return Err(Problem::new(Slug::Forbidden, detail).issue("lane", "worked by the server"));
        }
        let delay = match self.delay_s {
            None => Duration::ZERO,
            Some(delay_s) => super::seconds("delay_s", delay_s, limits::WAIT_S_MAX)?,
        };
        if self.attempts == Some(0) {
            return Err(wrong("attempts", "must be at least 1"));
        }
        let age_max = self.age_max_s.map(|age| super::seconds("age_max_s", age, limits::WAIT_S_MAX));
        let has_own_retry =
            self.backoff.is_some() || self.backoff_s.is_some() || self.backoff_max_s.is_some();
        let retry = limits::retry(
            self.backoff.as_ref(),
            self.backoff_s,
            self.backoff_max_s,
            LaneSettings::INITIAL.retry,
        )?;
        let job = NewJob {
            lane: self.lane.into_owned(),
            // The bytes of the request, as they came.
            payload: whole.slice_ref(self.payload.get().as_bytes()),
            group: self.group,
            priority: self.priority.unwrap_or(0),
            delay,
            unique: self.unique,
            attempts_max: self.attempts.unwrap_or(0),
            key: self.key,
            retry: has_own_retry.then_some(retry),
            age_max: age_max.transpose()?.unwrap_or_default(),
        };
        match job.flaw() {
            None => Ok(job),
            Some((member, error)) => {
                let field = match member {
                    "delay" => "delay_s",
                    "attempts_max" => "attempts",
                    same => same,
                };
                Err(wrong(field, error))
            }
        }
    }
}

pub(super) async fn enqueue(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    RawBody(bytes): RawBody,
) -> Answer {
    let (jobs, is_array) = wanted(&bytes, &principal)?;
    let once = idempotency::key(&headers)?.map(|key| {
        // It has been read as JSON, so it is text.
        let text = String::from_utf8_lossy(&bytes);
        idempotency::bound_text(&key, &principal, &Method::POST, "jobs", &text)
    });
    if once.is_some() && jobs.iter().any(|job| job.unique.is_some()) {
        return Err(wrong("unique", "stands beside Idempotency-Key; either alone makes it once").into());
    }
    let mut transaction = Transaction::new(Prefer::of(&headers).durability);
    let count = jobs.len();
    transaction = jobs.into_iter().fold(transaction, Transaction::enqueue);
    if let Some(once) = once {
        transaction = transaction.once(once);
        if let Some(first) = app.store().recall(&once)? {
            return replayed(&app, first.seq, count, is_array);
        }
    }
    let receipt = app.commit(transaction).await?;
    match receipt.replayed {
        // Two requests under one key came at the same time, and the other was first.
        Some(first) => replayed(&app, first, count, is_array),
        None => written(&receipt.jobs, |id| receipt.is_new(id), is_array),
    }
}

fn wanted(bytes: &Bytes, principal: &Principal) -> Result<(Vec<NewJob>, bool), Problem> {
    if !body::is_array(bytes) {
        let wanted: Wanted<'_> = body::read(bytes)?;
        return Ok((vec![wanted.check(bytes, principal)?], false));
    }
    let wanted: Vec<Wanted<'_>> = body::read(bytes)?;
    if wanted.is_empty() {
        return Err(Problem::new(Slug::BadRequest, "the array holds no job"));
    }
    if wanted.len() > TOGETHER_MAX {
        let detail = format!("an array holds at most {TOGETHER_MAX} jobs");
        return Err(Problem::new(Slug::BadRequest, detail).status(413));
    }
    let jobs = wanted.into_iter().enumerate().map(|(place, wanted)| {
        wanted.check(bytes, principal).map_err(|problem| {
            let issues = problem.to_json().get("_issues").cloned().unwrap_or_default();
            let detail = format!("[{place}]: {}", problem.detail());
            Problem::new(problem.slug(), detail).issue(place.to_string(), issues)
        })
    });
    Ok((jobs.collect::<Result<_, _>>()?, true))
}

fn written(jobs: &[JobId], is_new: impl Fn(JobId) -> bool, is_array: bool) -> Answer {
    let mut out = Vec::with_capacity(48 + jobs.len() * 48);
    let is_any_new = jobs.iter().any(|id| is_new(*id));
    // Writing to memory cannot fail.
    let one = |out: &mut Vec<u8>, id: JobId| {
        let held = if is_new(id) { "" } else { ",\"held\":true" };
        drop(write!(out, "{{\"_id\":\"{id}\"{held},\"_status\":\"OK\"}}"));
    };
    match jobs {
        [only] => one(&mut out, *only),
        many => {
            debug_assert!(is_array, "one object is one job");
            out.extend_from_slice(b"{\"_status\":\"OK\",\"_items\":[");
            for (place, id) in many.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                one(&mut out, *id);
            }
            out.extend_from_slice(b"]}");
        }
    }
    let mut response = answer::json_bytes(out);
    *response.status_mut() = if is_any_new { StatusCode::CREATED } else { StatusCode::OK };
    if let [only] = jobs
        && let Ok(href) = HeaderValue::try_from(format!("/api/jobs/{only}"))
    {
        response.headers_mut().insert(LOCATION, href);
    }
    Ok(response)
}

/// The answer that the first request under the same key got: without unique keys its jobs have consecutive ids.
fn replayed(app: &App, first: Seq, count: usize, is_array: bool) -> Answer {
    let before = Seq::new(first.get().saturating_sub(1));
    let group = app.store().feed().changes(before, 1)?;
    let jobs: Vec<JobId> = group
        .iter()
        .filter(|change| change.op == ChangeOp::Enqueue && change.seq >= first)
        .take(count)
        .map(|change| JobId::new(change.seq.get()))
        .collect();
    if jobs.len() != count {
        return Err(Problem::new(Slug::Gone, "the first answer is no longer kept").into());
    }
    Ok(idempotency::replayed(written(&jobs, |_| true, is_array)?))
}
