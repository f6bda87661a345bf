//! Who waits for what becomes of a job.
//!
//! It is told from memory, after the write, and only that something has happened: whoever is told looks at the job
//! itself. So many steps may be one look, and none is missed by one who was slow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{JobEvent, JobId, JobStep};
use tokio::sync::watch;

use crate::eve::problem::{Problem, Slug};

/// Jobs watched at a time at the most.
const JOBS_MAX: usize = 10_000;

/// Jobs that somebody watches, with the last step of each. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched(Arc<Mutex<HashMap<JobId, watch::Sender<Option<JobStep>>>>>);

/// One who watches a job, until dropped.
pub(crate) struct Watch {
    watched: Watched,
    id: JobId,
    steps: watch::Receiver<Option<JobStep>>,
}

impl Watched {
    /// Steps of a job from now on.
    ///
    /// # Errors
    /// 429 when too many are watched.
    pub(super) fn watch(&self, id: JobId) -> Result<Watch, Problem> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.len() >= JOBS_MAX && !jobs.contains_key(&id) {
            let problem = Problem::new(Slug::RateLimited, format!("{JOBS_MAX} jobs are watched already"));
            return Err(problem.retry_after(1));
        }
        let steps = jobs.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Ok(Watch { watched: self.clone(), id, steps })
    }

    /// Called on the engine's thread: quick, and without anybody who watches nothing.
    pub(crate) fn tell(&self, events: &[JobEvent]) {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.is_empty() {
            return;
        }
        for event in events {
            if let Some(steps) = jobs.get(&event.id) {
                steps.send_replace(Some(event.step));
            }
        }
    }
}

impl Watch {
    /// Until something happens to the job, or has happened since the last call.
    pub(super) async fn moved(&mut self) {
        // The other end lives as long as somebody watches.
        let _ = self.steps.changed().await;
    }

    /// The last thing that happened to the job since it is watched.
    pub(super) fn last(&self) -> Option<JobStep> {
        *self.steps.borrow()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut jobs = self.watched.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.get(&self.id).is_some_and(|steps| steps.receiver_count() == 1) {
            jobs.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_step_reaches_all_who_watch_and_nobody_stays_behind() {
        let watched = Watched::default();
        let event = |id, step| JobEvent { lane: "mail".into(), id: JobId::new(id), step };
        let (mut a, mut b) = (watched.watch(JobId::new(1)).unwrap(), watched.watch(JobId::new(1)).unwrap());
        watched.tell(&[event(2, JobStep::Cancelled)]);
        assert!(a.moved().now_or_never().is_none(), "another job");
        watched.tell(&[event(1, JobStep::Leased { waited_ms: 1 }), event(1, JobStep::Done { ran_ms: 2 })]);
        for watch in [&mut a, &mut b] {
            assert!(watch.moved().now_or_never().is_some());
            assert_eq!(watch.last(), Some(JobStep::Done { ran_ms: 2 }), "the last one counts");
            assert!(watch.moved().now_or_never().is_none(), "told once");
        }
        drop(a);
        watched.tell(&[event(1, JobStep::Cancelled)]);
        assert!(b.moved().now_or_never().is_some());
        drop(b);
        assert!(watched.0.lock().unwrap().is_empty());
        let held: Vec<Watch> =
            (0..JOBS_MAX as u64).map(|id| watched.watch(JobId::new(id)).unwrap()).collect();
        assert!(watched.watch(JobId::new(u64::MAX)).is_err());
        assert!(watched.watch(JobId::new(0)).is_ok(), "one that is watched already");
        drop(held);
    }
}
