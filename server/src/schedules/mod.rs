//! Schedules: jobs that come by the clock.
//!
//! A schedule is a document of `schedules`, under its name. Its ticks are made by [`clockwork`], one thread: each is the
//! document with its next time and the job of the tick, in one commit, so that no crash doubles or loses one. What the
//! job does is the business of the workers of its lane.

mod change;
mod clockwork;
mod own;
mod run;
mod schedule;
mod timing;

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use dateline_engine::{CollectionId, Error, Result, Store};
use serde_json::json;

pub(crate) use change::check;
pub(crate) use clockwork::keep;
pub(crate) use own::ensure;

use crate::http::{Access, Doc, Routes};

/// The collection.
pub(crate) const SCHEDULES: &str = "schedules";

/// Schedules at the most.
pub(crate) const SCHEDULES_MAX: usize = 1_000;

/// How the writers of schedules reach the thread that keeps them. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Bell {
    collection: CollectionId,
    rung: Arc<(Mutex<bool>, Condvar)>,
}

impl Bell {
    /// # Errors
    /// `NotFound` without the built-in collections.
    pub(crate) fn new(store: &Store) -> Result<Self> {
        let collection = store.catalog().by_name(SCHEDULES).map(|schedules| schedules.id);
        let missing = || Error::not_found(format!("there is no collection '{SCHEDULES}'"));
        Ok(Self { collection: collection.ok_or_else(missing)?, rung: Arc::default() })
    }

    pub(crate) fn collection(&self) -> CollectionId {
        self.collection
    }

    /// A document of this collection was changed.
    pub(crate) fn changed(&self, collection: CollectionId) {
        if collection == self.collection {
            *self.rung.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.rung.1.notify_all();
        }
    }

    /// Waits for a change, at the most so long; whether there was one since the last time.
    fn wait(&self, at_most: Duration) -> bool {
        let rung = self.rung.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.1.wait_timeout_while(rung, at_most, |rung| !*rung);
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// The routes beside those of every resource.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .schema(
            "Run",
            json!({
                "type": "object", "additionalProperties": false,
                "properties": {"wait_s": {"type": "number", "minimum": 0, "maximum": run::WAIT_S_MAX}},
            }),
        )
        .post(
            "/api/schedules/{id}/run",
            run::run,
            Doc::new(
                "Add the job of a schedule now and wait for its end; 202 when that takes too long",
                SCHEDULES,
                Access::Privilege(SCHEDULES),
            )
            .request("Run")
            .answer(200, "Job")
            .answer(202, "Job"),
        )
}
