//! Leases: given, kept alive, and ended by those who hold them.

use crate::error::{Conflict, Error, Result};
use crate::kv::families::Family;
use crate::queue::entry::Phase;
use crate::queue::job::{JobState, check_delay};
use crate::queue::lease::{Ack, Beat, Grant, Heartbeat, Holder, LeaseTerm, LeaseToken, Nack, Nacked};
use crate::queue::limits::{CANCELLED_MAX, LEASE_JOBS_MAX};
use crate::queue::news::JobStep;
use crate::queue::state::QueueState;
use crate::queue::timers::TimerKind;
use crate::queue::{Mutations, key, record};
use crate::types::{JobId, Millis};

impl QueueState {
    /// Gives a worker up to `max` jobs of a lane, best first. An unknown or paused lane gives none.
    pub(crate) fn apply_lease(
        &mut self,
        lane: &str,
        max: usize,
        term: LeaseTerm,
        holder: Holder,
        now: Millis,
        out: &mut dyn Mutations,
    ) -> Vec<Grant> {
        let max = max.min(LEASE_JOBS_MAX).min(self.leasable(lane, now));
        let mut grants = Vec::with_capacity(max);
        while grants.len() < max {
            let Some(grant) = self.lease_first(lane, term, holder, now, out) else { break };
            grants.push(grant);
        }
        grants
    }

    fn lease_first(
        &mut self,
        lane: &str,
        term: LeaseTerm,
        holder: Holder,
        now: Millis,
        out: &mut dyn Mutations,
    ) -> Option<Grant> {
        let lane = self.lane_id(lane)?;
        let id = self.first_with_room(lane, now)?;
        let waited_ms = now.get().saturating_sub(self.jobs.get(&id)?.at.get());
        self.lift(id, now, out);
        let job = self.jobs.get_mut(&id)?;
        job.attempt = job.attempt.saturating_add(1);
        job.lease_epoch = self.epoch;
        job.started = now;
        let lease = job.token(id);
        let until = Millis::new(now.get().saturating_add(term.ms));
        self.take_tokens(id, now, out);
        self.place(id, Phase::Leased(holder), until, out);
        self.tell(id, JobStep::Leased { waited_ms });
        Some(Grant { lane, id, lease, until })
    }

    /// Whether this lease still holds.
    ///
    /// # Errors
    /// `Conflict::LeaseLost` when it has ended, or the job has passed to another worker or has left.
    pub(crate) fn check_lease(&self, lease: LeaseToken) -> Result<()> {
        match self.jobs.get(&lease.id).filter(|job| job.is_leased_under(lease)) {
            Some(_) => Ok(()),
            None => Err(Conflict::LeaseLost.into()),
        }
    }

    /// Whether all completions of one transaction can be accepted.
    pub(crate) fn check_acks(&self, acks: &[Ack]) -> Result<()> {
        let mut ids = Vec::with_capacity(acks.len());
        for ack in acks {
            self.check_lease(ack.lease)?;
            ack.check()?;
            ids.push(ack.lease.id);
        }
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Error::invalid("one job is completed twice in one transaction"));
        }
        Ok(())
    }

    /// Completes a job; `false`, and nothing changes, if the lease has been lost.
    pub(crate) fn apply_ack(&mut self, ack: &Ack, now: Millis, out: &mut dyn Mutations) -> bool {
        if self.check_lease(ack.lease).is_err() {
            return false;
        }
        self.lift(ack.lease.id, now, out);
        self.finish(ack.lease.id, JobState::Done, ack.result.as_deref(), now, out);
        true
    }

    pub(crate) fn check_nack(&self, nack: &Nack) -> Result<()> {
        self.check_lease(nack.lease)?;
        nack.retry_in.map_or(Ok(()), |delay| check_delay(delay).map(drop))
    }

    /// Ends an attempt without success. `None`, and nothing changes, if the lease has been lost.
    pub(crate) fn apply_nack(&mut self, nack: &Nack, now: Millis, out: &mut dyn Mutations) -> Option<Nacked> {
        let id = nack.lease.id;
        let job = self.jobs.get(&id).filter(|job| job.is_leased_under(nack.lease))?;
        let own = job.more.as_ref().and_then(|more| more.retry);
        let retry = own.unwrap_or(self.lanes.get(&job.lane)?.settings.retry);
        let wait_ms = match nack.retry_in {
            Some(delay) => check_delay(delay).unwrap_or(retry.ms_max),
            None => retry.wait_ms(id, job.attempt, job.failures()),
        };
        // At least one millisecond, so that a retry is always seen as one.
        let due = Millis::new(now.get().saturating_add(wait_ms.max(1)));
        self.fail(id, &nack.error, due, now, out);
        let job = self.jobs.get(&id)?;
        let due = (job.phase.state() == JobState::Retrying).then_some(job.at);
        Some(Nacked { state: job.phase.state(), due })
    }

    /// Extends a lease to `term` from now and keeps the progress; `None` if the lease has been lost.
    pub(crate) fn apply_heartbeat(
        &mut self,
        beat: Heartbeat,
        now: Millis,
        out: &mut dyn Mutations,
    ) -> Option<Beat> {
        let Heartbeat { lease, term, progress } = beat;
        if self.cancelled.get(&lease.id).is_some_and(|(cancelled, until)| *cancelled == lease && *until > now)
        {
            return Some(Beat::Cancel);
        }
        let job = self.jobs.get_mut(&lease.id).filter(|job| job.is_leased_under(lease))?;
        let tells = progress.is_some();
        if let Some(progress) = progress {
            job.set_progress(progress);
        }
        let until = Millis::new(now.get().saturating_add(term.ms));
        self.timers.disarm(job.at, TimerKind::Lease, lease.id);
        self.timers.arm(until, TimerKind::Lease, lease.id);
        job.at = until;
        out.put(Family::Jst, &key::job(job.lane, lease.id), &record::encode_state(job));
        if tells {
            self.tell(lease.id, JobStep::Progressed);
        }
        Some(Beat::Until(until))
    }

    /// The holder of a lease whose job is cancelled is told so at its next heartbeat, as long as the lease would
    /// have lasted. After a restart, or behind thousands of others, it finds its lease lost instead.
    pub(super) fn remember_cancelled(&mut self, id: JobId, now: Millis) {
        let Some(job) = self.jobs.get(&id).filter(|job| matches!(job.phase, Phase::Leased(_))) else {
            return;
        };
        if self.cancelled.len() >= CANCELLED_MAX {
            self.cancelled.retain(|_, (_, until)| *until > now);
        }
        if self.cancelled.len() < CANCELLED_MAX {
            self.cancelled.insert(id, (job.token(id), job.at));
        }
    }

    /// Hands a job back as if it had not been tried; `false` if the lease has been lost.
    pub(crate) fn apply_release(&mut self, lease: LeaseToken, now: Millis, out: &mut dyn Mutations) -> bool {
        if self.check_lease(lease).is_err() {
            return false;
        }
        self.lift(lease.id, now, out);
        if let Some(job) = self.jobs.get_mut(&lease.id) {
            job.attempts_base = job.attempts_base.saturating_add(1);
        }
        self.join(lease.id, now, out);
        true
    }

    /// A lease has ended without a word from its holder.
    pub(super) fn expire(&mut self, id: JobId, reason: &str, now: Millis, out: &mut dyn Mutations) {
        // The lease itself was the wait: the next attempt may begin at once.
        self.fail(id, reason, now, now, out);
    }

    /// Ends the leases of threads that died with the last process. To be called once, after loading.
    pub(crate) fn recover(&mut self, now: Millis, out: &mut dyn Mutations) {
        let is_orphan = |phase| phase == Phase::Leased(Holder::Process);
        let mut orphans: Vec<JobId> =
            self.jobs.iter().filter(|(_, job)| is_orphan(job.phase)).map(|(id, _)| *id).collect();
        orphans.sort_unstable();
        for id in orphans {
            self.expire(id, "the server stopped during the attempt", now, out);
        }
    }
}
