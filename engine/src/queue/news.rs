//! What each write has done to the jobs, for those who count or wait.
//!
//! Told after the write, on the writer's thread, and to nobody else: it is not part of the log, so who
//! listens later or restarts has missed it. What must not be missed is read from the log or the store.

use std::fmt;
use std::sync::{Arc, RwLock};

use crate::types::JobId;

/// What became of one attempt at a job, or of the job itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStep {
    /// A worker got it, after it had been ready for so many milliseconds.
    Leased {
        /// Since it became ready, in milliseconds.
        waited_ms: u64,
    },
    /// Its worker told how far it is.
    Progressed,
    /// Completed.
    Done {
        /// Since the attempt began, in milliseconds.
        ran_ms: u64,
    },
    /// The attempt failed and another one follows.
    Retrying {
        /// Since the attempt began, in milliseconds.
        ran_ms: u64,
    },
    /// The last attempt failed.
    Dead {
        /// Since the attempt began, in milliseconds.
        ran_ms: u64,
    },
    /// Taken out by somebody.
    Cancelled,
}

/// One step of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEvent {
    /// Its lane.
    pub lane: Arc<str>,
    /// The job.
    pub id: JobId,
    /// What happened.
    pub step: JobStep,
}

/// What one write has changed for those outside.
#[derive(Clone, Copy, Debug)]
pub struct QueueNews<'a> {
    /// Lanes from which a waiting worker may get something it could not get before.
    pub woken: &'a [Arc<str>],
    /// Steps of jobs in the order in which they happened.
    pub events: &'a [JobEvent],
}

type Listener = Box<dyn Fn(QueueNews<'_>) + Send + Sync>;

/// Those who listen.
#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<Listener>>);

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listeners")
    }
}

impl Listeners {
    pub(crate) fn add(&self, listener: Listener) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(listener);
    }

    pub(crate) fn tell(&self, woken: &[Arc<str>], events: &[JobEvent]) {
        if woken.is_empty() && events.is_empty() {
            return;
        }
        for listener in self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
            listener(QueueNews { woken, events });
        }
    }
}
