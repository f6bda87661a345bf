//! What is special about one lane.

use std::time::Duration;

use dateline_engine::{Error, Heartbeat, LeaseTerm, LeasedJob, Result};
use serde_json::Value;

use super::stop::Stop;
use crate::app::App;

/// How long a job may be in hand without a sign of life.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How often a lane that waits gives one.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);

/// The work of one lane.
pub(crate) trait Lane: Send {
    /// Name of the lane.
    fn name(&self) -> &'static str;

    /// Jobs taken at a time at the most.
    fn jobs_max(&self) -> usize {
        256
    }

    /// Does these jobs. Those it neither completes nor hands back before an error or a panic are handed back with
    /// the error.
    ///
    /// # Errors
    /// What concerns the whole lane. What is wrong with one job ends the attempt of that job alone.
    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()>;
}

/// What a lane works with.
pub(crate) struct Desk<'a> {
    pub(crate) app: &'a App,
    pub(crate) stop: &'a Stop,
}

impl Desk<'_> {
    /// Shows that these jobs are still being worked on. A lost or cancelled one is noticed when it is completed.
    pub(crate) fn heartbeat(&self, jobs: &[LeasedJob]) -> Result<()> {
        for job in jobs {
            let beat = Heartbeat { lease: job.lease, term: LeaseTerm::new(LEASE)?, progress: None };
            match self.app.store().queue().heartbeat(beat) {
                Err(error) if error.conflict().is_none() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Does jobs one after the other. Those that wait are kept alive meanwhile, and given back when the server stops.
    pub(crate) fn each(
        &self,
        jobs: &[LeasedJob],
        mut work: impl FnMut(&LeasedJob) -> Result<()>,
    ) -> Result<()> {
        for (place, job) in jobs.iter().enumerate() {
            let left = jobs.get(place..).unwrap_or_default();
            if self.is_stopping() {
                left.iter().for_each(|job| drop(self.app.store().queue().release(job.lease)));
                return Ok(());
            }
            // One may take long, and the others wait for it with their leases running.
            self.heartbeat(left)?;
            work(job)?;
        }
        Ok(())
    }

    /// The server is about to stop: what would take long is better done after the next start.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_set() || *self.app.draining().borrow()
    }
}

/// The ad a job is about.
///
/// # Errors
/// `Invalid` when the payload does not name one.
pub(crate) fn ad_of(job: &LeasedJob) -> Result<String> {
    let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
    let ad = payload.get("ad").and_then(Value::as_str);
    ad.map(str::to_owned).ok_or_else(|| Error::invalid("the payload names no ad"))
}
