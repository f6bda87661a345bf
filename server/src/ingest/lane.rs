//! Lane `ingest`: each job is one run of one provider; several at a time, and a slow one holds nobody else.

use std::time::Duration;

use dateline_engine::{LeasedJob, Result};
use serde_json::Value;

use super::run;
use crate::work::{Desk, Lane, Slots, alive};

/// The lane's name.
pub(crate) const INGEST_LANE: &str = "ingest";
/// Providers asked at a time.
const RUNS_MAX: usize = 8;
/// Runs that are on their way when the server stops get so long.
const LAST: Duration = Duration::from_secs(2);

/// The lane.
pub(crate) struct Poll {
    slots: Slots,
}

impl Poll {
    /// # Errors
    /// `Unavailable` when no thread can be started.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { slots: Slots::new("dateline-ingest", RUNS_MAX, 1, LAST)? })
    }
}

impl Lane for Poll {
    fn name(&self) -> &'static str {
        INGEST_LANE
    }

    fn jobs_max(&self) -> usize {
        self.slots.free()
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        self.slots.each(desk, jobs, |job| {
            let app = desk.app.clone();
            async move {
                let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
                let provider = payload.get("provider").and_then(Value::as_str).unwrap_or_default();
                alive(&app, &job, run::run(&app, &job, provider)).await;
            }
        })
    }
}
