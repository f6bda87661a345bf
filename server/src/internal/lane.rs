//! Lane `send:internal`: several jobs at a time, since one may wait for the macro of another server.

use std::time::Duration;

use dateline_engine::{Ack, Durability, LeasedJob, Result, Transaction};
use serde_json::Value;

use super::job::Order;
use super::{copying, deciding};
use crate::app::App;
use crate::ingest;
use crate::work::{Desk, Lane, Slots, alive, blocking};

/// The lane's name.
pub(crate) const INTERNAL_LANE: &str = "send:internal";
/// Jobs done at a time.
const JOBS_MAX: usize = 16;
/// Jobs that are on their way when the server stops get so long.
const LAST: Duration = Duration::from_secs(2);

/// The lane.
pub(crate) struct Internal {
    slots: Slots,
}

impl Internal {
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { slots: Slots::new("dateline-internal", JOBS_MAX, 1, LAST)? })
    }
}

impl Lane for Internal {
    fn name(&self) -> &'static str {
        INTERNAL_LANE
    }

    fn jobs_max(&self) -> usize {
        self.slots.free()
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        self.slots.each(desk, jobs, |job| {
            let app = desk.app.clone();
            async move { alive(&app, &job, done(&app, &job)).await }
        })
    }
}

async fn done(app: &App, job: &LeasedJob) -> Result<()> {
    match Order::read(job)? {
        Order::Version(version) => {
            let (app, job) = (app.clone(), job.clone());
            blocking(move || deciding::decide(&app, &job, &version)).await
        }
        Order::Copy(copying) => copying::copy(app, job, &copying).await,
        Order::Routed(routed) => ingest::fetch_routed(app, job, &routed).await,
    }
}

/// Adds the end of a job, and what came of it.
pub(super) fn ended(transaction: Transaction, job: &LeasedJob, result: &Value) -> Transaction {
    transaction.complete(Ack { lease: job.lease, result: Some(result.to_string().into()) })
}

/// A job that writes nothing.
pub(super) fn nothing(job: &LeasedJob, result: &Value) -> Transaction {
    ended(Transaction::new(Durability::Buffered), job, result)
}
