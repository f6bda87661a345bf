//! `POST /api/jobs/lease`: jobs for a worker elsewhere, at once or as soon as there are any.

use std::io::Write;
use std::time::Duration;

use axum::extract::State;
use dateline_engine::{Error, Granted, Holder, LeaseRequest, LeaseTerm, LeasedJob};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{TOGETHER_MAX, body, seconds, time, wrong};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, RawBody, Refusal};
use crate::outcome::Outcome;
use crate::resources::answer;
use crate::work;

/// Longest wait for a first job, in seconds; a worker asks again.
pub(super) const WAIT_S_MAX: u32 = 60;
/// Length of a lease without a word from the worker.
const LEASE_S: f64 = 30.0;
/// Payloads read on the executor; more are read on a thread of scans.
const READ_AT_ONCE: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    lane: String,
    max: Option<usize>,
    lease_s: Option<f64>,
    wait_s: Option<f64>,
}

pub(super) async fn lease(State(app): State<App>, RawBody(bytes): RawBody) -> Answer {
    let wanted: Wanted = body::read(&bytes)?;
    if work::is_own_lane(&wanted.lane) {
        let detail = format!("the server itself works lane '{}'", wanted.lane);
        return Err(Problem::new(Slug::Forbidden, detail).issue("lane", "worked by the server").into());
    }
    let max = wanted.max.unwrap_or(1);
    if !(1..=TOGETHER_MAX).contains(&max) {
        return Err(wrong("max", format!("must be from 1 to {TOGETHER_MAX}")).into());
    }
    let request = LeaseRequest {
        lane: wanted.lane,
        max,
        term: term(wanted.lease_s.unwrap_or(LEASE_S))?,
        holder: Holder::Worker,
        wait: seconds("wait_s", wanted.wait_s.unwrap_or(0.0), f64::from(WAIT_S_MAX))?,
    };
    let granted = wait(&app, &request).await?;
    let jobs = if granted.len() <= READ_AT_ONCE {
        app.store().queue().open(&granted)?
    } else {
        app.scan(move |store| store.queue().open(&granted)).await?
    };
    Ok(answer::json_bytes(written(&jobs)))
}

/// The length of a lease in seconds.
pub(super) fn term(lease_s: f64) -> Result<LeaseTerm, Problem> {
    let term = seconds("lease_s", lease_s, 86_400.0)?;
    LeaseTerm::new(term).map_err(|error| wrong("lease_s", error))
}

async fn wait(app: &App, request: &LeaseRequest) -> Result<Granted, Refusal> {
    let granted = ask(app, request).await?;
    if !granted.is_empty() || request.wait == Duration::ZERO {
        return Ok(granted);
    }
    let deadline = Instant::now() + request.wait;
    let mut draining = app.draining();
    // Entered before asking again: whatever comes from here on wakes somebody.
    let mut place = app.waiting().enter(&request.lane)?;
    loop {
        let granted = ask(app, request).await?;
        place.used(granted.len() >= request.max);
        if !granted.is_empty() {
            return Ok(granted);
        }
        tokio::select! {
            () = place.woken() => {}
            () = tokio::time::sleep_until(deadline) => return Ok(granted),
            _ = draining.wait_for(|draining| *draining) => return Ok(granted),
        }
    }
}

async fn ask(app: &App, request: &LeaseRequest) -> Result<Granted, Error> {
    let (answer, granted) = oneshot::channel();
    let store = app.store().clone();
    app.store().queue().submit_lease(request.clone(), move |outcome| {
        if let Err(Ok(granted)) = answer.send(outcome)
            && !granted.is_empty()
        {
            // The worker hung up meanwhile; its jobs go to another at once.
            store.queue().give_back(granted);
        }
    });
    Outcome::from(granted).await
}

/// `{"jobs": [{"_id", "payload", "attempt", "group", "lease", "until"}]}`. Every job is enqueued with a JSON payload,
/// which is copied as it is.
fn written(jobs: &[LeasedJob]) -> Vec<u8> {
    let bytes: usize = jobs.iter().map(|job| job.payload.len() + 160).sum();
    let mut out = Vec::with_capacity(bytes + 16);
    out.extend_from_slice(b"{\"jobs\":[");
    for (place, job) in jobs.iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        // Writing to memory cannot fail.
        drop(write!(out, "{comma}{{\"_id\":\"{}\",\"payload\":", job.id));
        out.extend_from_slice(&job.payload);
        let group = job.group.as_deref().map_or(Value::Null, Value::from);
        let (lease, until) = (job.lease, time(job.until));
        drop(write!(
            out,
            ",\"attempt\":{},\"group\":{group},\"lease\":\"{lease}\",\"until\":\"{until}\"}}",
            job.attempt
        ));
    }
    out.extend_from_slice(b"]}");
    out
}
