//! Lane `ads:expire`: an ad that has reached its end is written back as inactive.
//!
//! The job was made when the end was set, so by now the ad may have been changed: what counts is what is stored. An ad
//! with a later end gets a new job for it, in the same commit.

use std::time::Duration;

use dateline_engine::{
    Ack, CollectionId, Condition, DocId, Document, Error, LeasedJob, NewJob, Result, Transaction,
};
use serde_json::{Map, Value, json};

use super::lane::{Desk, Lane, ad_of};
use super::settle;
use crate::app::App;
use crate::eve::{date, json as text, patch};
use crate::resources::ads::{EXPIRE_LANE, ended};

/// An ad that changes all the time is left to a later attempt.
const TRIES: usize = 3;

/// The lane.
pub(crate) struct Expire {
    ads: CollectionId,
}

/// What one job comes to.
struct Task<'a> {
    job: &'a LeasedJob,
    plan: Plan,
}

enum Plan {
    /// There is nothing to end.
    Skip(&'static str),
    End {
        id: DocId,
        condition: Condition,
        body: Vec<u8>,
    },
    Later {
        payload: Vec<u8>,
        unique: String,
        delay: Duration,
    },
}

impl Expire {
    pub(crate) fn new(app: &App) -> Result<Self> {
        let ads = app.store().catalog().by_name("ads").map(|ads| ads.id);
        Ok(Self { ads: ads.ok_or_else(|| Error::not_found("there is no collection 'ads'"))? })
    }

    fn plan(&self, desk: &Desk<'_>, job: &LeasedJob) -> Result<Plan> {
        let store = desk.app.store();
        let Some(ad) = store.get(self.ads, &ad_of(job)?)? else {
            return Ok(Plan::Skip("the ad is not there"));
        };
        let body = body_of(&ad)?;
        if body.get("active").and_then(Value::as_bool) == Some(false) {
            return Ok(Plan::Skip("the ad is not active"));
        }
        let Some(end) = body.get("expires").and_then(Value::as_str).and_then(date::parse_time) else {
            return Ok(Plan::Skip("the ad has no end"));
        };
        let now_ms = i64::try_from(store.now().get()).unwrap_or(i64::MAX);
        let left_ms = u64::try_from(end.as_millisecond().saturating_sub(now_ms)).unwrap_or(0);
        if left_ms > 0 {
            let payload = json!({"ad": ad.id.as_str()}).to_string().into_bytes();
            // One such job per ad is enough, however often its end was moved.
            let unique = ad.id.as_str().to_owned();
            return Ok(Plan::Later { payload, unique, delay: Duration::from_millis(left_ms) });
        }
        let mut next = ended(&body, "expired");
        patch::set_version(&mut next, patch::version(&body) + 1);
        let condition = Condition::Revision(ad.revision());
        Ok(Plan::End { id: ad.id, condition, body: text::encode(&next) })
    }

    fn finish(&self, transaction: Transaction, task: &Task<'_>) -> Transaction {
        let ack = |result: Value| Ack { lease: task.job.lease, result: Some(result.to_string().into()) };
        match &task.plan {
            Plan::Skip(reason) => transaction.complete(ack(json!({"skipped": reason}))),
            Plan::End { id, condition, body } => transaction
                .put(self.ads, id.clone(), *condition, body.clone())
                .complete(ack(json!({"ended": id.as_str()}))),
            Plan::Later { payload, unique, delay } => {
                let job = NewJob::new(EXPIRE_LANE, payload.clone());
                let job = NewJob { delay: *delay, unique: Some(unique.clone()), ..job };
                transaction.complete(ack(json!({"later_ms": millis(*delay)}))).enqueue(job)
            }
        }
    }
}

impl Lane for Expire {
    fn name(&self) -> &'static str {
        EXPIRE_LANE
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        let mut open: Vec<&LeasedJob> = jobs.iter().collect();
        for attempt in 1..=TRIES {
            let mut tasks = Vec::with_capacity(open.len());
            for job in open {
                match self.plan(desk, job) {
                    Ok(plan) => tasks.push(Task { job, plan }),
                    Err(error) => settle::hand_back(desk.app.store(), job, &error.to_string())?,
                }
            }
            let left = settle::together(desk.app.store(), &tasks, &|tx, task| self.finish(tx, task))?;
            if attempt == TRIES {
                for (task, error) in left {
                    settle::hand_back(desk.app.store(), task.job, &error.to_string())?;
                }
                return Ok(());
            }
            // The ad was changed between reading and writing: look again.
            open = left.into_iter().map(|(task, _)| task.job).collect();
            if open.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn body_of(ad: &Document) -> Result<Map<String, Value>> {
    serde_json::from_slice(&ad.body).map_err(|error| Error::corrupt(format!("ads/{}: {error}", ad.id)))
}

fn millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
}
