//! The durable queue for workers and operators elsewhere: jobs in, leases out, lanes under control.
//!
//! The hot calls (enqueue, lease, ack, nack, heartbeat) hold no thread while the engine works or a worker waits; a
//! body is read once, payloads and results pass through as the bytes they came in. What is asked rarely (lists,
//! lanes, bulk changes) runs on the threads of scans.
//!
//! Whoever may use jobs may use every lane, save those that the server works itself.

pub(crate) mod body;
mod enqueue;
mod follow;
mod lanes;
mod lease;
mod limits;
mod settle;
mod show;
mod waiting;
mod watched;

use std::time::Duration;

use dateline_engine::{JobId, Millis};
use serde_json::json;

pub(crate) use follow::until_ended;
pub(crate) use show::Shown;
pub(crate) use waiting::Waiting;
pub(crate) use watched::Watched;

use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Doc, Param, Routes};

/// Jobs or leases in one request at the most.
const TOGETHER_MAX: usize = 1_000;

/// The job an address names.
fn job_id(text: &str) -> Result<JobId, Problem> {
    let number = text.parse::<u64>().ok().filter(|number| number.to_string() == text);
    number.map(JobId::new).ok_or_else(|| no_job(text))
}

fn no_job(id: impl std::fmt::Display) -> Problem {
    Problem::new(Slug::NotFound, format!("there is no job '{id}', or it is no longer kept"))
}

/// A member that is wrong.
fn wrong(field: &str, reason: impl std::fmt::Display) -> Problem {
    Problem::new(Slug::ValidationFailed, format!("{field}: {reason}")).issue(field, reason.to_string())
}

/// Seconds of a member as a length of time, within a bound.
pub(crate) fn seconds(field: &str, given: f64, most_s: f64) -> Result<Duration, Problem> {
    let fits = (0.0..=most_s).contains(&given);
    let duration = Duration::try_from_secs_f64(given).ok().filter(|_| fits);
    duration.ok_or_else(|| wrong(field, format!("must be seconds from 0 to {most_s}")))
}

#[expect(clippy::cast_precision_loss, reason = "times below 285 000 years are exact")]
fn in_seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

/// RFC 3339 in UTC, with milliseconds where there are some.
fn time(at: Millis) -> String {
    let at = i64::try_from(at.get()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// Routes of jobs and lanes.
pub(crate) fn routes() -> Routes {
    const LIST: &[Param] = &[
        Param::new("lane", "string", "only this lane"),
        Param::new(
            "state",
            "string",
            "scheduled, ready, leased, retrying, dead, done or cancelled; those not finished, and dead ones, without it",
        ),
        Param::new("page", "integer", "from 1"),
        Param::new("max_results", "integer", "jobs on a page, 0 to 500, 25 without it"),
    ];
    const ONE: &[Param] =
        &[Param::new("wait", "integer", "seconds to wait until it is done, dead or cancelled, 0 to 60")];
    let job = |summary| Doc::new(summary, "jobs", Access::Privilege("jobs"));
    let lane = |summary| Doc::new(summary, "queues", Access::Privilege("queues"));
    let any = "JobChange";
    schemas(Routes::new())
        .get("/api/jobs", show::list, job("List jobs by id").query(LIST).answer(200, "List"))
        .post(
            "/api/jobs",
            enqueue::enqueue,
            job("Add one job, or many that are added together or not at all")
                .request("NewJobs")
                .body_max(8 << 20)
                .answer(201, "Job")
                .answer(200, "Job"),
        )
        .post(
            "/api/jobs/lease",
            lease::lease,
            job("Take jobs; waits for a first one if asked to").request("Lease").answer(200, "Leased"),
        )
        .post(
            "/api/jobs/ack",
            settle::ack_many,
            job("Complete many jobs").request("Acks").body_max(8 << 20).answer(200, any),
        )
        .get(
            "/api/jobs/{id}",
            follow::one,
            job("Read a job, or follow it as server-sent events").query(ONE).answer(200, "Job").answer_as(
                200,
                "text/event-stream",
                None,
            ),
        )
        .delete("/api/jobs/{id}", settle::cancel, job("Cancel a job").empty(204))
        .post("/api/jobs/{id}/ack", settle::ack, job("Complete a job").request("Ack").empty(204))
        .post(
            "/api/jobs/{id}/nack",
            settle::nack,
            job("End an attempt without success").request(any).answer(200, any),
        )
        .post(
            "/api/jobs/{id}/heartbeat",
            settle::heartbeat,
            job("Extend a lease, tell progress, and learn of a cancel").request("Heartbeat").answer(200, any),
        )
        .post("/api/jobs/{id}/cancel", settle::cancel, job("Cancel a job").empty(204))
        .post(
            "/api/jobs/{id}/retry",
            settle::retry,
            job("Give a dead job a fresh set of attempts").answer(200, any),
        )
        .get("/api/queues", lanes::list, lane("Every lane with its counts").answer(200, "List"))
        .get("/api/queues/{lane}", lanes::one, lane("One lane with its settings").answer(200, "Queue"))
        .patch(
            "/api/queues/{lane}",
            lanes::change,
            lane("Change how a lane treats its jobs").request("QueueSettings").answer(200, "Queue"),
        )
        .post("/api/queues/{lane}/pause", lanes::pause, lane("Give no more leases").answer(200, "Queue"))
        .post("/api/queues/{lane}/resume", lanes::resume, lane("Give leases again").answer(200, "Queue"))
        .post(
            "/api/queues/{lane}/redrive",
            lanes::redrive,
            lane("Give dead jobs a fresh set of attempts, all or those that fit")
                .request(any)
                .answer(200, any),
        )
        .post(
            "/api/queues/{lane}/purge",
            lanes::purge,
            lane("Cancel every job that is in a state").request(any).answer(200, any),
        )
}

fn schemas(routes: Routes) -> Routes {
    let backoff = json!({"oneOf": [
        {"enum": ["exponential", "linear"]}, {"type": "array", "minItems": 1, "maxItems": 8, "items": {"type": "number"}},
    ]});
    let rate = json!({
        "type": ["object", "null"], "required": ["jobs"], "additionalProperties": false,
        "properties": {"jobs": {"type": "integer"}, "per_s": {"type": "number"}, "burst": {"type": "integer"}},
    });
    let new_job = json!({
        "type": "object", "required": ["lane", "payload"], "additionalProperties": false,
        "properties": {
            "lane": {"type": "string", "maxLength": 64}, "payload": {"description": "any JSON, at most 1 MiB"},
            "delay_s": {"type": "number", "minimum": 0}, "priority": {"type": "integer", "minimum": 0, "maximum": 15},
            "group": {"type": "string", "maxLength": 200}, "unique": {"type": "string", "maxLength": 200},
            "attempts": {"type": "integer", "minimum": 1, "maximum": 10_000}, "key": {"type": "string", "maxLength": 200},
            "backoff": backoff, "backoff_s": {"type": "number"}, "backoff_max_s": {"type": "number"}, "age_max_s": {"type": "number"},
        },
    });
    let ack = json!({
        "type": "object", "required": ["lease"],
        "properties": {"lease": {"type": "string"}, "result": {"description": "any JSON, at most 64 KiB"}},
    });
    routes
        .schema("NewJobs", json!({"oneOf": [new_job, {"type": "array", "minItems": 1, "maxItems": TOGETHER_MAX, "items": new_job}]}))
        .schema("Job", json!({
            "type": "object", "required": ["_id"],
            "properties": {"_id": {"type": "string"}, "lane": {"type": "string"}, "state": {"type": "string"}},
        }))
        .schema("Lease", json!({
            "type": "object", "required": ["lane"], "additionalProperties": false,
            "properties": {
                "lane": {"type": "string"}, "max": {"type": "integer", "minimum": 1, "maximum": TOGETHER_MAX},
                "lease_s": {"type": "number"}, "wait_s": {"type": "number", "minimum": 0, "maximum": lease::WAIT_S_MAX},
            },
        }))
        .schema("Leased", json!({
            "type": "object", "required": ["jobs"], "properties": {"jobs": {"type": "array", "items": {"type": "object"}}},
        }))
        .schema("Acks", json!({"type": "array", "minItems": 1, "maxItems": TOGETHER_MAX, "items": ack}))
        .schema("Ack", ack)
        .schema("Heartbeat", json!({
            "type": "object", "required": ["lease", "lease_s"], "additionalProperties": false,
            "properties": {
                "lease": {"type": "string"}, "lease_s": {"type": "number"},
                "progress": {"type": "object", "properties": {
                    "percent": {"type": "integer", "minimum": 0, "maximum": 100}, "message": {"type": "string"},
                }},
            },
        }))
        .schema("JobChange", json!({"type": "object"}))
        .schema("Queue", json!({"type": "object", "required": ["lane", "ready", "leased", "delayed", "retrying", "dead", "paused"]}))
        .schema("QueueSettings", json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "attempts": {"type": "integer"}, "backoff_s": {"type": "number"}, "backoff_max_s": {"type": "number"},
                "keep_done_s": {"type": "number"}, "keep_dead_s": {"type": "number"},
                "jobs_max": {"type": "integer"}, "leased_max": {"type": "integer"}, "key_leased_max": {"type": "integer"},
                "rate": rate, "key_rate": rate, "group_on_fail": {"enum": ["block", "skip", "dead"]},
                "age_max_s": {"type": "number"}, "draining": {"type": "boolean"}, "backoff": backoff,
            },
        }))
}
