//! The queue as its users see it. Each call is a step on the writer's thread and comes back when the
//! step is written, so a lease is known to the disk before a worker has it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;

use crate::commit::{Committer, Request};
use crate::error::{Conflict, Error, Result};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv};
use crate::queue::job::{FinishedJob, Job, LeasedJob, check_delay};
use crate::queue::lane::{LaneId, LaneSettings, LaneView};
use crate::queue::lease::{Ack, Grant, Holder, LeaseTerm, LeaseToken, Nack, Nacked};
use crate::queue::state::QueueState;
use crate::queue::{key, record};
use crate::types::{JobId, Millis};

/// What a step does once its write has succeeded or failed.
pub(crate) type Answer = Box<dyn FnOnce(Result<()>) + Send>;

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
    done: crossbeam::channel::Sender<Result<T>>,
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
        // The caller waits for the answer; if it is gone there is nobody to tell.
        Box::new(move |written| drop(done.send(written.and(outcome))))
    }

    fn refuse(self: Box<Self>, error: Error) {
        drop(self.done.send(Err(error)));
    }
}

/// Tells waiting workers that their lane may have something for them.
#[derive(Default)]
pub(crate) struct Wakes {
    /// How often each lane was woken.
    counts: Mutex<HashMap<Arc<str>, u64>>,
    moved: Condvar,
}

impl Wakes {
    pub(crate) fn wake(&self, lanes: Vec<Arc<str>>) {
        if lanes.is_empty() {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes {
            *counts.entry(lane).or_default() += 1;
        }
        drop(counts);
        self.moved.notify_all();
    }

    fn seen(&self, lane: &str) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(lane).copied().unwrap_or(0)
    }

    fn wait_past(&self, lane: &str, seen: u64, timeout: Duration) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let unmoved = |counts: &mut HashMap<Arc<str>, u64>| counts.get(lane).copied().unwrap_or(0) == seen;
        drop(self.moved.wait_timeout_while(counts, timeout, unmoved));
    }
}

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

/// The durable queue of a store.
#[derive(Clone, Copy)]
pub struct Queue<'a> {
    committer: &'a Committer,
    kv: &'a dyn Kv,
    wakes: &'a Arc<Wakes>,
}

impl<'a> Queue<'a> {
    pub(crate) fn new(committer: &'a Committer, kv: &'a dyn Kv, wakes: &'a Arc<Wakes>) -> Self {
        Self { committer, kv, wakes }
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
        let (done, outcome) = bounded(1);
        self.committer.submit(Request::Queue(Box::new(Call { sync, bytes, run, done })));
        outcome.recv().map_err(|_| Error::unavailable("the engine stopped before it answered"))?
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
                Ok(state.apply_lease(&lane, max, term, holder, now, out))
            })?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !grants.is_empty() || left.is_zero() {
                return self.open(&grants);
            }
            self.wakes.wait_past(&request.lane, seen, left);
        }
    }

    /// Reads the payloads. A job that has left meanwhile (cancelled, its lease over) is left out.
    fn open(&self, grants: &[Grant]) -> Result<Vec<LeasedJob>> {
        let mut jobs = Vec::with_capacity(grants.len());
        for grant in grants {
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

    /// Extends a lease to `term` from now; answers its new end.
    ///
    /// # Errors
    /// As `ack`.
    pub fn heartbeat(&self, lease: LeaseToken, term: LeaseTerm) -> Result<Millis> {
        self.call(false, move |state, now, out| {
            state.apply_heartbeat(lease, term, now, out).ok_or_else(|| Conflict::LeaseLost.into())
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
        self.call(true, move |state, _, out| {
            state.check_settings(&lane, &settings)?;
            state.apply_settings(&lane, settings, out);
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
        let Some(id) = self.lane_ids()?.get(lane).copied() else { return Ok(Vec::new()) };
        let range = KeyRange::new(
            key::job(id, JobId::new(after.get().saturating_add(1))).to_vec(),
            key::job(LaneId::new(id.get() + 1), JobId::ZERO).to_vec(),
        );
        let mut found = Vec::new();
        self.kv.scan(Family::Jst, &range, Direction::Forward, &mut |place, _| {
            if let Some((_, job)) = key::parse_job(place) {
                found.extend(self.read_job(id, lane, job)?);
            }
            Ok(more(found.len() < limit))
        })?;
        Ok(found)
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
