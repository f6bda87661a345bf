//! Lane `new:ad`: done when the matcher has seen the ad and its events are stored.
//!
//! The matcher follows the log by itself; the job is how others wait for it, count it and hear of its result.

use dateline_engine::{Ack, Error, JobId, LeasedJob, PositionSeq, Result, Seq, Tail};
use serde_json::json;

use super::lane::{Desk, HEARTBEAT, Lane};
use super::settle;

/// The lane.
pub(crate) struct NewAd;

impl Lane for NewAd {
    fn name(&self) -> &'static str {
        "new:ad"
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        // A job's number is its place in the log, just after the ad itself.
        let last = jobs.iter().map(|job| job.id).max().map_or(0, JobId::get);
        let tail = Tail { seq: Seq::new(last), positions: PositionSeq::ZERO };
        let (store, geo) = (desk.app.store(), desk.app.geo());
        while !geo.wait_for(tail, HEARTBEAT) {
            if desk.is_stopping() {
                // As if they had not been tried; a lease that was lost meanwhile is nobody's business.
                jobs.iter().for_each(|job| drop(store.queue().release(job.lease)));
                return Ok(());
            }
            if let Some(reason) = geo.failed() {
                return Err(Error::unavailable(format!("the geo matcher has stopped: {reason}")));
            }
            desk.heartbeat(jobs)?;
        }
        let result = json!({"matched_through": geo.visible().seq.get()}).to_string();
        let left = settle::together(store, jobs, &|transaction, job| {
            transaction.complete(Ack { lease: job.lease, result: Some(result.clone().into()) })
        })?;
        for (job, error) in left {
            settle::hand_back(store, job, &error.to_string())?;
        }
        Ok(())
    }
}
