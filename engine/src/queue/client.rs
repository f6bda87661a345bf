//! The queue as its users see it. Each call is a step on the writer's thread and comes back when the
//! step is written, so a lease is known to the disk before a worker has it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::commit::{Committer, Done, Request, Sleeper, wait};
use crate::error::{Conflict, Error, Result};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv};
use crate::queue::job::{FinishedJob, Job, JobState, LeasedJob, check_delay};
use crate::queue::lane::{LaneId, LaneSettings, LaneView};
use crate::queue::lease::{Ack, Beat, Grant, Heartbeat, Holder, LeaseTerm, LeaseToken, Nack, Nacked};
use crate::queue::news::{Listeners, QueueNews};
use crate::queue::state::QueueState;
use crate::queue::wakes::Wakes;
use crate::queue::{key, record};
use crate::types::{JobId, Millis};

/// What a step does once its write has succeeded or failed; whom to wake then.
pub(crate) type Answer = Box<dyn FnOnce(Result<()>) -> Option<Arc<Sleeper>> + Send>;

/// One change of the queue's state, to be run by the writer.
pub(crate) trait Step: Send {
    /// Whether the change must survive power loss before it is answered.
    fn needs_sync(&self) -> bool;
    /// What it holds of the intake's bound.
    fn bytes(&self) -> usize;
    fn run(self: Box<Self>, state: &mut QueueState, now: Millis, out: &mut Batch) -> Answer;
    fn refuse(self: Box<Self>, error: Error);
}

struct Call<T, Run> {
    sync: bool,
    bytes: usize,
    run: Run,
    done: Done<T>,
}

impl<T, Run> Step for Call<T, Run>
where
    T: Send + 'static,
    Run: FnOnce(&mut QueueState, Millis, &mut Batch) -> Result<T> + Send,
{
    fn needs_sync(&self) -> bool {
        self.sync
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(self: Box<Self>, state: &mut QueueState, now: Millis, out: &mut Batch) -> Answer {
        let outcome = (self.run)(state, now, out);
        let done = self.done;
        Box::new(move |written| done.leave(written.and(outcome)))
    }

    fn refuse(self: Box<Self>, error: Error) {
        self.done.tell(Err(error));
    }
}

/// Jobs looked at in one step of the writer.
const MEMBERS_AT_A_TIME: usize = 500;

/// Longest wait of one call; a worker asks again.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// Which lane.
    pub lane: String,
    /// At most so many jobs.
    pub max: usize,
    /// How long each lease lasts without a heartbeat.
    pub term: LeaseTerm,
    /// Where the worker lives.
    pub holder: Holder,
    /// How long to wait for a first job.
    pub wait: Duration,
}

/// Which dead jobs are meant; one with no member means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadFilter {
    /// Its error contains this.
    pub error: Option<String>,
    /// It belongs to this group.
    pub group: Option<String>,
    /// It was enqueued before this.
    pub enqueued_before: Option<Millis>,
}

impl DeadFilter {
    /// Whether it means this job.
    #[must_use]
    pub fn takes(&self, job: &Job) -> bool {
        let error = job.error.as_deref().unwrap_or_default();
        self.error.as_deref().is_none_or(|part| error.contains(part))
            && (self.group.is_none() || self.group == job.group)
            && self.enqueued_before.is_none_or(|before| job.enqueued < before)
    }
}

/// The durable queue of a store.
#[derive(Clone, Copy)]
pub struct Queue<'a> {
    committer: &'a Committer,
    kv: &'a dyn Kv,
    wakes: &'a Arc<Wakes>,
    listeners: &'a Listeners,
}

/// Leases just given; [`Queue::open`] adds the payloads.
#[derive(Debug)]
pub struct Granted(Vec<Grant>);

impl Granted {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there was nothing to give.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Queue<'a> {
    pub(crate) fn new(
        committer: &'a Committer,
        kv: &'a dyn Kv,
        wakes: &'a Arc<Wakes>,
        listeners: &'a Listeners,
    ) -> Self {
        Self { committer, kv, wakes, listeners }
    }

    fn call<T: Send + 'static>(
        &self,
        sync: bool,
        run: impl FnOnce(&mut QueueState, Millis, &mut Batch) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.carry(sync, 0, run)
    }

    /// A call that carries so many bytes to the writer.
    fn carry<T: Send + 'static>(
        &self,
        sync: bool,
        bytes: usize,
        run: impl FnOnce(&mut QueueState, Millis, &mut Batch) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        wait(|done| self.committer.submit(Request::Queue(Box::new(Call { sync, bytes, run, done }))))
    }

    /// A call that nobody waits for: `done` is told once, usually on the writer's thread.
    fn submit<T: Send + 'static>(
        &self,
        sync: bool,
        bytes: usize,
        run: impl FnOnce(&mut QueueState, Millis, &mut Batch) -> Result<T> + Send + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        let done = Done::new(done);
        self.committer.submit(Request::Queue(Box::new(Call { sync, bytes, run, done })));
    }

    /// Calls `listener` after each write that changed something for workers or jobs, on the writer's
    /// thread: it must be quick and must not call the store.
    pub fn listen(&self, listener: impl Fn(QueueNews<'_>) + Send + Sync + 'static) {
        self.listeners.add(Box::new(listener));
    }

    /// As `lease` without its wait, and without holding a thread: `done` is called once, usually on the
    /// writer's thread, and must be quick. Leases that are no longer wanted go to `give_back`.
    pub fn submit_lease(&self, request: LeaseRequest, done: impl FnOnce(Result<Granted>) + Send + 'static) {
        let LeaseRequest { lane, max, term, holder, .. } = request;
        let run = move |state: &mut QueueState, now, out: &mut Batch| {
            Ok(Granted(state.apply_lease(&lane, max, term, holder, now, out)))
        };
        self.submit(false, 0, run, done);
    }

    /// Hands leases back as if the jobs had not been tried, without waiting.
    pub fn give_back(&self, granted: Granted) {
        let run = move |state: &mut QueueState, now, out: &mut Batch| {
            for grant in &granted.0 {
                state.apply_release(grant.lease, now, out);
            }
            Ok(())
        };
        // What cannot be handed back now comes back when its lease ends.
        self.submit(false, 0, run, |_| ());
    }

    /// Completes each of these jobs whose lease still holds, durably, without holding a thread; `done` is
    /// told for each whether it did.
    pub fn submit_acks(&self, acks: Vec<Ack>, done: impl FnOnce(Result<Vec<bool>>) + Send + 'static) {
        let bytes = acks.iter().filter_map(|ack| Some(ack.result.as_ref()?.len())).sum();
        if let Err(error) = acks.iter().try_for_each(Ack::check) {
            return done(Err(error));
        }
        let run = move |state: &mut QueueState, now, out: &mut Batch| {
            Ok(acks.iter().map(|ack| state.apply_ack(ack, now, out)).collect())
        };
        self.submit(true, bytes, run, done);
    }

    /// As `nack`, without holding a thread.
    pub fn submit_nack(&self, nack: Nack, done: impl FnOnce(Result<Nacked>) + Send + 'static) {
        let run = move |state: &mut QueueState, now, out: &mut Batch| {
            state.check_nack(&nack)?;
            state.apply_nack(&nack, now, out).ok_or_else(|| Conflict::LeaseLost.into())
        };
        self.submit(true, 0, run, done);
    }

    /// As `heartbeat`, without holding a thread.
    pub fn submit_heartbeat(&self, beat: Heartbeat, done: impl FnOnce(Result<Beat>) + Send + 'static) {
        if let Err(error) = beat.check() {
            return done(Err(error));
        }
        let run = move |state: &mut QueueState, now, out: &mut Batch| {
            state.apply_heartbeat(beat, now, out).ok_or_else(|| Conflict::LeaseLost.into())
        };
        self.submit(false, 0, run, done);
    }

    /// Takes jobs of a lane, best first; an empty answer when none came within `wait`.
    ///
    /// The lease is written but not synced: after power loss a job may be given out a second time with
    /// the same attempt number, under a token of the new epoch.
    ///
    /// # Errors
    /// `Busy` when too much waits for the writer; `Unavailable` when the engine has stopped.
    pub fn lease(&self, request: &LeaseRequest) -> Result<Vec<LeasedJob>> {
        let deadline = Instant::now() + request.wait.min(WAIT_MAX);
        loop {
            let seen = self.wakes.seen(&request.lane);
            let LeaseRequest { lane, max, term, holder, .. } = request.clone();
            let grants = self.call(false, move |state, now, out| {
                Ok(Granted(state.apply_lease(&lane, max, term, holder, now, out)))
            })?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !grants.is_empty() || left.is_zero() {
                return self.open(&grants);
            }
            self.wakes.wait_past(&request.lane, seen, left);
        }
    }

    /// Reads the payloads. A job that has left meanwhile (cancelled, its lease over) is left out.
    ///
    /// # Errors
    /// `Unavailable` when the storage below cannot be read.
    pub fn open(&self, granted: &Granted) -> Result<Vec<LeasedJob>> {
        let mut jobs = Vec::with_capacity(granted.len());
        for grant in &granted.0 {
            if let Some(envelope) = self.kv.get(Family::Job, &key::job(grant.lane, grant.id))? {
                match LeasedJob::open(grant, envelope) {
                    Ok(job) => jobs.push(job),
                    // The others are still good; this one comes back when its lease ends, until it is dead.
                    Err(error) => tracing::error!(job = %grant.id, %error, "payload cannot be read"),
                }
            }
        }
        Ok(jobs)
    }

    /// Completes a job, durably. To complete it together with other writes use [`crate::Transaction::complete`].
    ///
    /// # Errors
    /// `Conflict` (`LeaseLost`) when the lease has ended; `Invalid` when the result is too long.
    pub fn ack(&self, ack: Ack) -> Result<()> {
        let bytes = ack.result.as_ref().map_or(0, bytes::Bytes::len);
        self.carry(true, bytes, move |state, now, out| {
            state.check_acks(std::slice::from_ref(&ack))?;
            state.apply_ack(&ack, now, out);
            Ok(())
        })
    }

    /// Ends an attempt without success: another one later, or the job is dead.
    ///
    /// # Errors
    /// As `ack`.
    pub fn nack(&self, nack: Nack) -> Result<Nacked> {
        nack.retry_in.map_or(Ok(0), check_delay)?;
        self.call(true, move |state, now, out| {
            state.check_nack(&nack)?;
            state.apply_nack(&nack, now, out).ok_or_else(|| Conflict::LeaseLost.into())
        })
    }

    /// Extends a lease and keeps the progress told with it. Answers the new end, or that the job was cancelled.
    ///
    /// # Errors
    /// `Conflict` (`LeaseLost`) when the lease has ended; `Invalid` when the percentage is above 100.
    pub fn heartbeat(&self, beat: Heartbeat) -> Result<Beat> {
        beat.check()?;
        self.call(false, move |state, now, out| {
            state.apply_heartbeat(beat, now, out).ok_or_else(|| Conflict::LeaseLost.into())
        })
    }

    /// Hands a job back as if it had not been tried.
    ///
    /// # Errors
    /// As `ack`.
    pub fn release(&self, lease: LeaseToken) -> Result<()> {
        self.call(false, move |state, now, out| {
            let held = state.apply_release(lease, now, out);
            held.then_some(()).ok_or_else(|| Conflict::LeaseLost.into())
        })
    }

    /// Takes a job out wherever it stands; `by` says who and why.
    ///
    /// # Errors
    /// `NotFound` when it is not in the queue.
    pub fn cancel(&self, id: JobId, by: impl Into<String>) -> Result<()> {
        let by = by.into();
        self.call(true, move |state, now, out| {
            state.check_cancel(id)?;
            state.apply_cancel(id, &by, now, out);
            Ok(())
        })
    }

    /// Gives a dead job a fresh set of attempts.
    ///
    /// # Errors
    /// `NotFound` when it is not in the queue, `Invalid` when it is not dead, `Conflict` when another
    /// job holds its unique key.
    pub fn requeue(&self, id: JobId) -> Result<()> {
        self.call(true, move |state, now, out| {
            state.check_requeue(id)?;
            state.apply_requeue(id, now, out);
            Ok(())
        })
    }

    /// Takes out those of these jobs that are in the queue, in one write; answers how many.
    ///
    /// # Errors
    /// `Busy` or `Unavailable`.
    pub fn cancel_many(&self, ids: Vec<JobId>, by: impl Into<String>) -> Result<usize> {
        let by = by.into();
        self.call(true, move |state, now, out| {
            let mut cancelled = 0;
            for id in ids {
                if state.check_cancel(id).is_ok() {
                    state.apply_cancel(id, &by, now, out);
                    cancelled += 1;
                }
            }
            Ok(cancelled)
        })
    }

    /// Gives those of these jobs that are dead a fresh set of attempts, in one write; answers how many.
    /// One whose unique key another job holds stays dead.
    ///
    /// # Errors
    /// `Busy` or `Unavailable`.
    pub fn requeue_many(&self, ids: Vec<JobId>) -> Result<usize> {
        self.call(true, move |state, now, out| {
            let mut requeued = 0;
            for id in ids {
                if state.check_requeue(id).is_ok() {
                    state.apply_requeue(id, now, out);
                    requeued += 1;
                }
            }
            Ok(requeued)
        })
    }

    /// Stops or resumes the giving of leases in a lane; survives restarts.
    ///
    /// # Errors
    /// `Invalid` when the lane's name is not one.
    pub fn pause(&self, lane: impl Into<String>, paused: bool) -> Result<()> {
        let lane = lane.into();
        self.call(true, move |state, _, out| {
            state.check_lane(&lane)?;
            state.apply_pause(&lane, paused, out);
            Ok(())
        })
    }

    /// Changes how a lane treats its jobs.
    ///
    /// # Errors
    /// `Invalid` when the name or a setting is out of bounds.
    pub fn configure(&self, lane: impl Into<String>, settings: LaneSettings) -> Result<()> {
        let lane = lane.into();
        self.call(true, move |state, now, out| {
            state.check_settings(&lane, &settings)?;
            state.apply_settings(&lane, settings, now, out);
            Ok(())
        })
    }

    /// Every lane with its counts. Costs the same however many jobs there are.
    ///
    /// # Errors
    /// `Busy` or `Unavailable`.
    pub fn lanes(&self) -> Result<Vec<LaneView>> {
        self.call(false, |state, _, _| Ok(state.lanes()))
    }

    /// An unfinished or dead job.
    ///
    /// # Errors
    /// `Busy`, `Unavailable`, or `Corrupt` when its bytes are damaged.
    pub fn job(&self, id: JobId) -> Result<Option<Job>> {
        let place = self.call(false, move |state, _, _| {
            let lane = state.lane_of(id);
            Ok(lane.and_then(|lane| Some((lane, Arc::clone(state.lane_name(lane)?)))))
        })?;
        let Some((lane, name)) = place else { return Ok(None) };
        self.read_job(lane, &name, id)
    }

    fn read_job(&self, lane: LaneId, name: &str, id: JobId) -> Result<Option<Job>> {
        let place = key::job(lane, id);
        let (state, envelope) = (self.kv.get(Family::Jst, &place)?, self.kv.get(Family::Job, &place)?);
        match (state, envelope) {
            (Some(state), Some(envelope)) => Job::decode(name, id, &state, envelope).map(Some),
            // It finished between the two reads.
            _ => Ok(None),
        }
    }

    /// Unfinished and dead jobs of a lane in the order of their ids, after the given one.
    ///
    /// # Errors
    /// As `job`.
    pub fn jobs(&self, lane: &str, after: JobId, limit: usize) -> Result<Vec<Job>> {
        self.jobs_in(lane, None, after, 0, limit)
    }

    /// As `jobs`, only those in this state, and without the first `skip` of them. Jobs in other states cost
    /// nothing.
    ///
    /// # Errors
    /// As `job`.
    pub fn jobs_in(
        &self,
        lane: &str,
        stands: Option<JobState>,
        after: JobId,
        mut skip: usize,
        limit: usize,
    ) -> Result<Vec<Job>> {
        let id = self.lane_ids()?.get(lane).copied().filter(|_| limit > 0);
        let Some(id) = id else { return Ok(Vec::new()) };
        if let Some(stands) = stands {
            return self.members(id, lane, stands, after, skip, limit);
        }
        let range = KeyRange::new(
            key::job(id, JobId::new(after.get().saturating_add(1))).to_vec(),
            key::job(LaneId::new(id.get() + 1), JobId::ZERO).to_vec(),
        );
        let mut found = Vec::new();
        self.kv.scan(Family::Jst, &range, Direction::Forward, &mut |place, _| {
            let Some((_, job)) = key::parse_job(place) else { return Ok(more(true)) };
            if skip > 0 {
                skip -= 1;
            } else {
                found.extend(self.read_job(id, lane, job)?);
            }
            Ok(more(found.len() < limit))
        })?;
        Ok(found)
    }

    /// Jobs of one state, found by their ids in memory. One that leaves the state meanwhile makes room for the next.
    fn members(
        &self,
        id: LaneId,
        name: &str,
        stands: JobState,
        mut after: JobId,
        mut skip: usize,
        limit: usize,
    ) -> Result<Vec<Job>> {
        let mut found = Vec::new();
        while found.len() < limit {
            let wanted = (limit - found.len()).min(MEMBERS_AT_A_TIME);
            let ids: Vec<JobId> = self.call(false, move |state, _, _| {
                Ok(state.members(id, stands, after).skip(skip).take(wanted).collect())
            })?;
            (after, skip) = (ids.last().copied().unwrap_or_default(), 0);
            let is_last = ids.len() < wanted;
            for id in ids.into_iter().map(|job| self.read_job(id, name, job)) {
                found.extend(id?.filter(|job| job.state == stands));
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// Gives dead jobs of a lane a fresh set of attempts, those that the filter takes, at most `max` of them;
    /// answers how many, and whether there may be more.
    ///
    /// # Errors
    /// As `job`.
    pub fn redrive(&self, lane: &str, filter: &DeadFilter, max: usize) -> Result<(usize, bool)> {
        let (mut after, mut redriven) = (JobId::ZERO, 0);
        while redriven < max {
            let dead = self.jobs_in(lane, Some(JobState::Dead), after, 0, MEMBERS_AT_A_TIME)?;
            let Some(last) = dead.last() else { return Ok((redriven, false)) };
            after = last.id;
            let taken = dead.iter().filter(|job| filter.takes(job)).map(|job| job.id);
            let ids: Vec<JobId> = taken.take(max - redriven).collect();
            redriven += self.requeue_many(ids)?;
        }
        Ok((redriven, true))
    }

    /// A job that has left the queue, with the name of its lane, as long as that keeps it.
    ///
    /// # Errors
    /// As `job`.
    pub fn finished_job(&self, id: JobId) -> Result<Option<(Arc<str>, FinishedJob)>> {
        let Some(place) = self.kv.get(Family::Done, &key::finished(id))? else { return Ok(None) };
        let (lane, at) =
            record::decode_finished(&place).map_err(|error| error.at(format_args!("done/0/{id}")))?;
        // Its retention may end between the two reads.
        let Some(value) = self.kv.get(Family::Done, &key::filed(lane, at, id))? else { return Ok(None) };
        let job = record::decode_done(id, at, value)
            .map_err(|error| error.at(format_args!("done/{lane}/{at}/{id}")))?;
        let name = self.call(false, move |state, _, _| Ok(state.lane_name(lane).map(Arc::clone)))?;
        Ok(name.map(|name| (name, job)))
    }

    /// Finished jobs of a lane, newest first.
    ///
    /// # Errors
    /// As `job`.
    pub fn finished(&self, lane: &str, limit: usize) -> Result<Vec<FinishedJob>> {
        let Some(id) = self.lane_ids()?.get(lane).copied() else { return Ok(Vec::new()) };
        let end = LaneId::new(id.get() + 1);
        let range = KeyRange::new(
            key::filed(id, Millis::ZERO, JobId::ZERO).to_vec(),
            key::filed(end, Millis::ZERO, JobId::ZERO).to_vec(),
        );
        let mut found = Vec::new();
        self.kv.scan(Family::Done, &range, Direction::Backward, &mut |place, value| {
            if let Some((_, at, job)) = key::parse_filed(place) {
                found.push(record::decode_done(job, at, value.to_vec())?);
            }
            Ok(more(found.len() < limit))
        })?;
        Ok(found)
    }

    fn lane_ids(&self) -> Result<HashMap<String, LaneId>> {
        Ok(self.lanes()?.into_iter().map(|lane| (lane.name.to_string(), lane.id)).collect())
    }
}

fn more(wanted: bool) -> ControlFlow<()> {
    if wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
