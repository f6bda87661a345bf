//! How a job gets from one phase to another.
//!
//! Every move is `lift` (out of the structure and keys of the old phase) and then either `place` (into
//! those of the new one) or `forget`. What a move means for the rest of its group is `pass_on`.

use crate::kv::families::Family;
use crate::queue::Mutations;
use crate::queue::entry::{Phase, cut};
use crate::queue::job::JobState;
use crate::queue::lane::GroupOnFail;
use crate::queue::news::JobStep;
use crate::queue::state::QueueState;
use crate::queue::timers::TimerKind;
use crate::queue::{key, record};
use crate::types::{JobId, Millis};

impl QueueState {
    /// Takes a job out of wherever its phase keeps it. Its group stays held.
    pub(super) fn lift(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(lane) = self.lanes.get_mut(&job.lane) else { return };
        *lane.counts.of(job.phase) -= 1;
        if let Some(end) = job.age_end() {
            self.timers.disarm(end, TimerKind::Age, id);
        }
        if let Some(members) = lane.members_mut(job.phase.state()) {
            members.remove(&id);
        }
        match job.phase {
            Phase::Scheduled => {
                self.timers.disarm(job.at, TimerKind::Schedule, id);
                out.delete(Family::Timer, &key::timer(job.at, TimerKind::Schedule, job.lane, id));
            }
            Phase::Retrying | Phase::Skipped => {
                self.timers.disarm(job.at, TimerKind::Retry, id);
                out.delete(Family::Timer, &key::timer(job.at, TimerKind::Retry, job.lane, id));
            }
            Phase::Ready => {
                lane.remove_ready(id, job);
                out.delete(Family::Ready, &key::ready(job.lane, job.priority, job.turn));
            }
            Phase::Waiting => {
                lane.groups.leave(job.group, job.turn);
                out.delete(Family::Grp, &key::group(job.lane, job.group, job.turn));
            }
            Phase::Leased(_) => {
                self.timers.disarm(job.at, TimerKind::Lease, id);
                if lane.settings.leased_max > 0 {
                    self.woken.insert(job.lane);
                }
                let key = job.key;
                if key.is_some() {
                    lane.held.change(key, |key| key.leased = key.leased.saturating_sub(1));
                    if lane.settings.limits_keys() {
                        let lane = job.lane;
                        self.let_in(lane, key, now);
                    }
                }
            }
            Phase::Dead => {
                if let Some(end) = lane.settings.dead_until(job.at) {
                    self.timers.disarm(end, TimerKind::Retention, id);
                }
                out.delete(Family::Dead, &key::filed(job.lane, job.at, id));
            }
        }
    }

    /// Puts a lifted or new job into a phase, and writes its state down.
    pub(super) fn place(&mut self, id: JobId, phase: Phase, at: Millis, out: &mut dyn Mutations) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(lane) = self.lanes.get_mut(&job.lane) else { return };
        *lane.counts.of(phase) += 1;
        if let Some(members) = lane.members_mut(phase.state()) {
            members.insert(id);
        }
        (job.phase, job.at, job.turn) = (phase, at, 0);
        if let Some(end) = job.age_end() {
            self.timers.arm(end, TimerKind::Age, id);
        }
        match phase {
            Phase::Scheduled => {
                self.timers.arm(at, TimerKind::Schedule, id);
                out.put(Family::Timer, &key::timer(at, TimerKind::Schedule, job.lane, id), &[]);
            }
            Phase::Retrying | Phase::Skipped => {
                self.timers.arm(at, TimerKind::Retry, id);
                out.put(Family::Timer, &key::timer(at, TimerKind::Retry, job.lane, id), &[]);
            }
            Phase::Ready => {
                self.turn += 1;
                job.turn = self.turn;
                lane.push_ready(job.priority, job.turn, id);
                self.woken.insert(job.lane);
                let line_key = key::ready(job.lane, job.priority, job.turn);
                out.put(Family::Ready, &line_key, &record::encode_ready(id, job.group, at));
            }
            Phase::Waiting => {
                self.turn += 1;
                job.turn = self.turn;
                lane.groups.wait(job.group, job.turn, id);
                let line_key = key::group(job.lane, job.group, job.turn);
                out.put(Family::Grp, &line_key, &record::encode_waiting(id));
            }
            Phase::Leased(_) => {
                self.timers.arm(at, TimerKind::Lease, id);
                if job.key.is_some() {
                    lane.held.change(job.key, |key| key.leased += 1);
                }
            }
            Phase::Dead => {
                if let Some(end) = lane.settings.dead_until(at) {
                    self.timers.arm(end, TimerKind::Retention, id);
                }
                let reason = job.error.as_deref().unwrap_or_default();
                let value = record::encode_dead(job, reason);
                out.put(Family::Dead, &key::filed(job.lane, at, id), &value);
            }
        }
        out.put(Family::Jst, &key::job(job.lane, id), &record::encode_state(job));
    }

    /// A lifted or new job may run: at once, or as soon as its group lets it.
    pub(super) fn join(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(lane) = self.lanes.get_mut(&job.lane) else { return };
        let is_free = !job.group.is_some() || lane.groups.hold(job.group, id);
        let phase = if is_free { Phase::Ready } else { Phase::Waiting };
        self.place(id, phase, now, out);
    }

    /// A job no longer holds its group back: the first in line becomes ready.
    ///
    /// Its state record stays as it is, because seen from outside it was ready already.
    pub(super) fn pass_on(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(lane) = self.lanes.get_mut(&job.lane) else { return };
        let Some((_, next)) = lane.groups.release(job.group, id) else { return };
        let Some(job) = self.jobs.get_mut(&next) else { return };
        out.delete(Family::Grp, &key::group(job.lane, job.group, job.turn));
        lane.counts.waiting -= 1;
        lane.counts.ready += 1;
        self.turn += 1;
        (job.phase, job.at, job.turn) = (Phase::Ready, now, self.turn);
        lane.push_ready(job.priority, job.turn, next);
        self.woken.insert(job.lane);
        let line_key = key::ready(job.lane, job.priority, job.turn);
        out.put(Family::Ready, &line_key, &record::encode_ready(next, job.group, now));
    }

    /// An attempt has failed: the next one at `due`, or none if there have been enough.
    pub(super) fn fail(&mut self, id: JobId, error: &str, due: Millis, now: Millis, out: &mut dyn Mutations) {
        let ran_ms = self.ran_ms(id, now);
        self.lift(id, now, out);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.set_error(error);
        let (group, gives_up) = (job.group, job.is_exhausted() || job.is_too_late(now));
        let policy = self.lanes.get(&job.lane).map(|lane| lane.settings.group_on_fail);
        let policy = policy.filter(|_| group.is_some()).unwrap_or(GroupOnFail::Block);
        if gives_up || policy == GroupOnFail::Dead {
            self.tell(id, JobStep::Dead { ran_ms });
            return self.die(id, now, out);
        }
        self.tell(id, JobStep::Retrying { ran_ms });
        if policy == GroupOnFail::Skip {
            self.pass_on(id, now, out);
        }
        match (due > now, policy) {
            (false, _) => self.join(id, now, out),
            (true, GroupOnFail::Skip) => self.place(id, Phase::Skipped, due, out),
            (true, _) => self.place(id, Phase::Retrying, due, out),
        }
    }

    /// A job that waits for an attempt has come to the age from which on none begins.
    pub(super) fn grow_old(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        self.lift(id, now, out);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.set_error("older than its maximum age");
        }
        self.tell(id, JobStep::Dead { ran_ms: 0 });
        self.die(id, now, out);
    }

    /// A lifted job gives up. Its unique key is free again and its group goes on without it.
    fn die(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        self.place(id, Phase::Dead, now, out);
        self.free_unique(id, out);
        self.pass_on(id, now, out);
    }

    /// A lifted job leaves the queue, with a last word if its lane keeps such.
    pub(super) fn finish(
        &mut self,
        id: JobId,
        state: JobState,
        result: Option<&[u8]>,
        now: Millis,
        out: &mut dyn Mutations,
    ) {
        self.tell(
            id,
            match state {
                JobState::Cancelled => JobStep::Cancelled,
                _ => JobStep::Done { ran_ms: self.ran_ms(id, now) },
            },
        );
        let Some(job) = self.jobs.get(&id) else { return };
        let keeps = self.lanes.get(&job.lane).is_some_and(|lane| lane.settings.done_ms_keep > 0);
        if keeps {
            let value = record::encode_done(job, state, result);
            out.put(Family::Done, &key::filed(job.lane, now, id), &value);
            out.put(Family::Done, &key::finished(id), &record::encode_finished(job.lane, now));
        }
        self.forget(id, now, out);
    }

    /// A lifted job leaves the queue without a trace.
    pub(super) fn forget(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        self.free_unique(id, out);
        self.pass_on(id, now, out);
        let Some(job) = self.jobs.remove(&id) else { return };
        out.delete(Family::Job, &key::job(job.lane, id));
        out.delete(Family::Jst, &key::job(job.lane, id));
    }

    fn free_unique(&mut self, id: JobId, out: &mut dyn Mutations) {
        let Some(job) = self.jobs.get(&id) else { return };
        let place = (job.lane, job.unique);
        if job.unique.is_some() && self.uniques.get(&place) == Some(&id) {
            self.uniques.remove(&place);
            out.delete(Family::Uniq, &key::unique(job.lane, job.unique));
        }
    }

    /// Cancels a job wherever it stands.
    pub(super) fn cancel(&mut self, id: JobId, by: &str, now: Millis, out: &mut dyn Mutations) {
        self.remember_cancelled(id, now);
        self.lift(id, now, out);
        self.finish(id, JobState::Cancelled, Some(cut(by).as_bytes()), now, out);
    }
}
