//! What operators do: cancel, requeue, pause, resume, settings.

use crate::error::{Conflict, Error, Result};
use crate::queue::Mutations;
use crate::queue::entry::Phase;
use crate::queue::hash::UniqueHash;
use crate::queue::job::JobState;
use crate::queue::lane::LaneSettings;
use crate::queue::state::QueueState;
use crate::queue::timers::TimerKind;
use crate::types::{DocId, JobId, Millis};

impl QueueState {
    /// # Errors
    /// `NotFound` when the job is not in the queue.
    pub(crate) fn check_cancel(&self, id: JobId) -> Result<()> {
        self.job(id).map(drop)
    }

    /// Takes a job out wherever it stands; a worker that has it loses its lease. `by` says who and why.
    pub(crate) fn apply_cancel(&mut self, id: JobId, by: &str, now: Millis, out: &mut dyn Mutations) {
        self.cancel(id, by, now, out);
    }

    /// Takes out the unfinished job of a lane that holds a unique key, if there is one.
    pub(crate) fn apply_cancel_unique(
        &mut self,
        lane: &str,
        unique: &str,
        by: &str,
        now: Millis,
        out: &mut dyn Mutations,
    ) {
        let lane = self.lane_id(lane);
        let holder = lane.and_then(|lane| self.uniques.get(&(lane, UniqueHash::of(unique))).copied());
        if let Some(id) = holder {
            self.cancel(id, by, now, out);
        }
    }

    /// # Errors
    /// `NotFound` when the job is not in the queue, `Invalid` when it is not dead, `Conflict` when
    /// another unfinished job has taken its unique key.
    pub(crate) fn check_requeue(&self, id: JobId) -> Result<()> {
        let job = self.job(id)?;
        if job.phase != Phase::Dead {
            let state = job.phase.state();
            return Err(Error::invalid(format!("job {id} is {state}; only a dead job can be requeued")));
        }
        match self.uniques.get(&(job.lane, job.unique)).filter(|_| job.unique.is_some()) {
            Some(holder) => {
                let id = DocId::new(holder.to_string())?;
                Err(Conflict::Unique { index: "unique".to_owned(), id }.into())
            }
            None => Ok(()),
        }
    }

    /// Gives a dead job all its attempts again. It joins its group at the end.
    pub(crate) fn apply_requeue(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        if self.check_requeue(id).is_err() {
            return;
        }
        self.lift(id, now, out);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.attempts_base = job.attempt;
            // Whoever asks for it now does not find it too old.
            job.amend(|more| more.deadline = Millis::ZERO);
        }
        self.claim_unique(id, out);
        self.join(id, now, out);
    }

    /// Stops or starts the giving of leases; those given go on. Check the name with `check_lane`.
    pub(crate) fn apply_pause(&mut self, lane: &str, paused: bool, out: &mut dyn Mutations) {
        let id = self.open_lane(lane, out);
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.paused = paused;
        self.woken.insert(id);
        self.write_lane(id, out);
    }

    /// # Errors
    /// `Invalid` when the name or a value is out of bounds.
    pub(crate) fn check_settings(&self, lane: &str, settings: &LaneSettings) -> Result<()> {
        self.check_lane(lane)?;
        settings.check()
    }

    /// Changes how a lane treats its jobs from now on; the retention of dead jobs also backwards.
    pub(crate) fn apply_settings(
        &mut self,
        lane: &str,
        settings: LaneSettings,
        now: Millis,
        out: &mut dyn Mutations,
    ) {
        let id = self.open_lane(lane, out);
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let before = std::mem::replace(&mut lane.settings, settings);
        self.woken.insert(id);
        self.let_all_in(id, now);
        self.write_lane(id, out);
        if before.dead_ms_keep == settings.dead_ms_keep {
            return;
        }
        let Some(lane) = self.lanes.get(&id) else { return };
        for job_id in lane.members(JobState::Dead, JobId::ZERO) {
            let Some(job) = self.jobs.get(&job_id) else { continue };
            if let Some(end) = before.dead_until(job.at) {
                self.timers.disarm(end, TimerKind::Retention, job_id);
            }
            if let Some(end) = settings.dead_until(job.at) {
                self.timers.arm(end, TimerKind::Retention, job_id);
            }
        }
    }
}
