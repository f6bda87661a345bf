//! Lane `ingest:publish`: an item that a routing rule wants out is given to the producer, as a person would.
//!
//! Its job was made in the commit that made the item, so none is forgotten; it is completed in the commit that publishes, so
//! none goes out twice. What the producer refuses stays on its desk, and the job says why.

use dateline_engine::{ErrorKind, LeasedJob, NewJob, Result};
use serde_json::{Value, json};

use crate::publishing::publish_automatically;
use crate::work::{Desk, Lane, hand_back};

/// The lane's name.
pub(crate) const PUBLISH_LANE: &str = "ingest:publish";

/// The lane.
pub(crate) struct PublishRouted;

/// The job for one item.
pub(super) fn job(item: &str) -> NewJob {
    NewJob::new(PUBLISH_LANE, json!({"item": item}).to_string().into_bytes())
}

impl Lane for PublishRouted {
    fn name(&self) -> &'static str {
        PUBLISH_LANE
    }

    fn jobs_max(&self) -> usize {
        16
    }

    fn work(&mut self, desk: &Desk<'_>, jobs: &[LeasedJob]) -> Result<()> {
        for (place, job) in jobs.iter().enumerate() {
            if desk.is_stopping() {
                let left = jobs.iter().skip(place);
                left.for_each(|job| drop(desk.app.store().queue().release(job.lease)));
                return Ok(());
            }
            desk.heartbeat(jobs.get(place..).unwrap_or_default())?;
            let payload: Value = serde_json::from_slice(&job.payload).unwrap_or_default();
            let item = payload.get("item").and_then(Value::as_str).unwrap_or_default();
            match publish_automatically(desk.app, job, item) {
                Ok(None) => {}
                Ok(Some(reason)) => tracing::warn!(item, reason, "a routed item was not published"),
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => hand_back(desk.app.store(), job, &error.to_string())?,
            }
        }
        Ok(())
    }
}
