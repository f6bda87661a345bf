//! Who is told that a job has left its lane.
//!
//! It is told from memory and to those who listen at the time; whoever falls behind looks at the job itself.

use dateline_engine::{JobEvent, JobId, JobStep};
use tokio::sync::broadcast::{Receiver, Sender};

/// Ends that a listener may be behind.
const BEHIND_MAX: usize = 4_096;

/// The listeners. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Ends(Sender<JobId>);

impl Default for Ends {
    fn default() -> Self {
        Self(Sender::new(BEHIND_MAX))
    }
}

impl Ends {
    /// Every job that is done, dead or cancelled from now on.
    pub(crate) fn listen(&self) -> Receiver<JobId> {
        self.0.subscribe()
    }

    /// Called on the engine's thread: quick, and without anybody who listens nothing.
    pub(crate) fn tell(&self, events: &[JobEvent]) {
        if self.0.receiver_count() == 0 {
            return;
        }
        for JobEvent { id, step, .. } in events {
            if matches!(step, JobStep::Done { .. } | JobStep::Dead { .. } | JobStep::Cancelled) {
                // The last listener may have gone meanwhile.
                drop(self.0.send(*id));
            }
        }
    }
}
