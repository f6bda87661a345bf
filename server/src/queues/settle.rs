//! What becomes of a job: completed, failed, kept alive, cancelled, tried again.

use std::borrow::Cow;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use bytes::Bytes;
use dateline_engine::{Ack, Beat, Conflict, Error, Heartbeat, LeaseToken, Nack, Progress};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::lease::term;
use super::limits::WAIT_S_MAX;
use super::{TOGETHER_MAX, body, job_id, seconds, time, wrong};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, RawBody};
use crate::outcome;
use crate::publishing::consumer;
use crate::resources::answer;
use crate::resources::target::Id;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedAck<'a> {
    #[serde(borrow)]
    lease: Cow<'a, str>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

impl WantedAck<'_> {
    fn check(&self, whole: &Bytes) -> Result<Ack, Problem> {
        let result = self.result.map(|result| whole.slice_ref(result.get().as_bytes()));
        Ok(Ack { lease: token(&self.lease)?, result })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedNack {
    lease: String,
    #[serde(default)]
    error: String,
    retry_in_s: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedHeartbeat {
    lease: String,
    lease_s: f64,
    progress: Option<WantedProgress>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedProgress {
    percent: Option<u8>,
    message: Option<String>,
}

fn token(text: &str) -> Result<LeaseToken, Problem> {
    text.parse().map_err(|error| wrong("lease", error))
}

/// The lease must be that of the job in the address.
fn token_of(id: &str, text: &str) -> Result<LeaseToken, Problem> {
    let token = token(text)?;
    if token.id() == job_id(id)? { Ok(token) } else { Err(wrong("lease", "is of another job")) }
}

pub(super) async fn ack(State(app): State<App>, Id(id): Id, RawBody(bytes): RawBody) -> Answer {
    let wanted: WantedAck<'_> = body::read(&bytes)?;
    token_of(&id, &wanted.lease)?;
    let ack = wanted.check(&bytes)?;
    let done = outcome::of(|done| app.store().queue().submit_acks(vec![ack], done)).await;
    let done = done.map_err(|error| out_of_bounds(error, "result"))?;
    if done != [true] {
        return Err(Error::from(Conflict::LeaseLost).into());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /api/jobs/ack`: those whose lease still holds are completed, the others are named.
pub(super) async fn ack_many(State(app): State<App>, RawBody(bytes): RawBody) -> Answer {
    let wanted: Vec<WantedAck<'_>> = body::read(&bytes)?;
    if !(1..=TOGETHER_MAX).contains(&wanted.len()) {
        return Err(wrong("body", format!("must hold 1 to {TOGETHER_MAX} leases")).into());
    }
    let acks: Vec<Ack> = wanted.iter().map(|wanted| wanted.check(&bytes)).collect::<Result<_, _>>()?;
    let done = outcome::of(|done| app.store().queue().submit_acks(acks, done)).await;
    let done = done.map_err(|error| out_of_bounds(error, "result"))?;
    let lost: Vec<&str> =
        wanted.iter().zip(&done).filter(|(_, done)| !**done).map(|(wanted, _)| &*wanted.lease).collect();
    let told = json!({"acked": wanted.len() - lost.len(), "lost": lost});
    Ok(answer::json_bytes(told.to_string().into_bytes()))
}

fn out_of_bounds(error: Error, field: &str) -> Problem {
    match error.kind() {
        dateline_engine::ErrorKind::Invalid => wrong(field, error),
        _ => error.into(),
    }
}

pub(super) async fn nack(State(app): State<App>, Id(id): Id, RawBody(bytes): RawBody) -> Answer {
    let wanted: WantedNack = body::read(&bytes)?;
    let retry_in = wanted.retry_in_s.map(|retry_in_s| seconds("retry_in_s", retry_in_s, WAIT_S_MAX));
    let nack =
        Nack { lease: token_of(&id, &wanted.lease)?, error: wanted.error, retry_in: retry_in.transpose()? };
    let nacked = outcome::of(|done| app.store().queue().submit_nack(nack, done)).await?;
    let told = json!({"state": nacked.state.as_str(), "due": nacked.due.map(time)});
    Ok(answer::json_bytes(told.to_string().into_bytes()))
}

pub(super) async fn heartbeat(State(app): State<App>, Id(id): Id, RawBody(bytes): RawBody) -> Answer {
    let wanted: WantedHeartbeat = body::read(&bytes)?;
    let (lease, term) = (token_of(&id, &wanted.lease)?, term(wanted.lease_s)?);
    let progress = wanted.progress.map(|told| Progress { percent: told.percent, message: told.message });
    let beat = Heartbeat { lease, term, progress };
    let beat = outcome::of(|done| app.store().queue().submit_heartbeat(beat, done)).await;
    let until = match beat.map_err(|error| out_of_bounds(error, "progress.percent"))? {
        Beat::Until(until) => Some(time(until)),
        Beat::Cancel => None,
    };
    let told = json!({"lease": wanted.lease, "until": until, "cancel": until.is_none()});
    Ok(answer::json_bytes(told.to_string().into_bytes()))
}

/// Wherever the job stands; who did it is kept beside it.
pub(super) async fn cancel(State(app): State<App>, principal: Principal, Id(id): Id) -> Answer {
    let id = job_id(&id)?;
    let by = format!("cancelled by {}", principal.username);
    let used = app.clone();
    app.scan(move |_| consumer::cancel_job(&used, id, &by)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn retry(State(app): State<App>, Id(id): Id) -> Answer {
    let id = job_id(&id)?;
    let state = app
        .scan(move |store| -> Result<_, Problem> {
            store.queue().requeue(id).map_err(|error| match error.kind() {
                dateline_engine::ErrorKind::Invalid => Problem::new(Slug::StateConflict, error.to_string()),
                _ => error.into(),
            })?;
            Ok(store.queue().job(id)?.map(|job| job.state.as_str()))
        })
        .await?;
    Ok(answer::json_bytes(json!({"_id": id.to_string(), "state": state}).to_string().into_bytes()))
}
