//! Lane `new:log`: one document of `activity` per new ad, under the number of its job.

use dateline_engine::{Ack, CollectionId, Condition, DocId, Error, LeasedJob, Result};
use serde_json::json;

use super::lane::{Desk, Lane, ad_of};
use super::settle;
use crate::app::App;

/// The lane.
pub(crate) struct NewLog {
    activity: CollectionId,
}

struct Task<'a> {
    job: &'a LeasedJob,
    id: DocId,
    body: String,
}

impl NewLog {
    pub(crate) fn new(app: &App) -> Result<Self> {
        let activity = app.store().catalog().by_name("activity").map(|activity| activity.id);
        Ok(Self { activity: activity.ok_or_else(|| Error::not_found("there is no collection 'activity'"))? })
    }

    fn task<'a>(&self, job: &'a LeasedJob, at: &str) -> Result<Task<'a>> {
        let body = json!({"event": "ad:created", "ad": ad_of(job)?, "at": at, "_version": 1});
        Ok(Task { job, id: DocId::new(format!("{:024x}", job.id.get()))?, body: body.to_string() })
    }
}

impl Lane for NewLog {
    fn name(&self) -> &'static str {
        "new:log"
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        let store = desk.app.store();
        let at =
            i64::try_from(store.now().get()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let at = at.unwrap_or(jiff::Timestamp::MAX).to_string();
        let mut tasks = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.task(job, &at) {
                Ok(task) => tasks.push(task),
                Err(error) => settle::hand_back(store, job, &error.to_string())?,
            }
        }
        let left = settle::together(store, &tasks, &|transaction, task| {
            transaction
                .put(self.activity, task.id.clone(), Condition::Always, task.body.clone())
                .complete(Ack { lease: task.job.lease, result: None })
        })?;
        for (task, error) in left {
            settle::hand_back(store, task.job, &error.to_string())?;
        }
        Ok(())
    }
}
