//! Everything the writer knows about the queue, and what it tells without changing anything.

mod control;
mod enqueue;
mod moves;
mod rewind;
mod room;
mod settle;
mod tick;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::queue::entry::Entry;
use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::job::JobState;
use crate::queue::key;
use crate::queue::lane::{Lane, LaneId, LaneView};
use crate::queue::lease::LeaseToken;
use crate::queue::news::{JobEvent, JobStep};
use crate::queue::timers::{Refills, Timers};
use crate::types::{Epoch, JobId, Millis};

/// The queue in memory. Each `apply_*` changes it and tells the sink the same in keys.
#[derive(Debug)]
pub(crate) struct QueueState {
    pub(super) epoch: Epoch,
    pub(super) jobs_max: usize,
    pub(super) jobs: HashMap<JobId, Entry>,
    pub(super) lanes: BTreeMap<LaneId, Lane>,
    pub(super) lane_ids: HashMap<Arc<str>, LaneId>,
    pub(super) uniques: HashMap<(LaneId, UniqueHash), JobId>,
    pub(super) timers: Timers,
    pub(super) refills: Refills,
    /// Leases that ended because their job was cancelled, and when they would have ended.
    pub(super) cancelled: HashMap<JobId, (LeaseToken, Millis)>,
    /// The last turn given.
    pub(super) turn: u64,
    /// Lanes from which a worker may get something it could not get before.
    pub(super) woken: BTreeSet<LaneId>,
    /// Steps of jobs since they were last taken.
    pub(super) events: Vec<JobEvent>,
}

impl QueueState {
    pub(super) fn empty(epoch: Epoch, jobs_max: usize) -> Self {
        Self {
            epoch,
            jobs_max,
            jobs: HashMap::new(),
            lanes: BTreeMap::new(),
            lane_ids: HashMap::new(),
            uniques: HashMap::new(),
            timers: Timers::default(),
            refills: Refills::default(),
            cancelled: HashMap::new(),
            turn: 0,
            woken: BTreeSet::new(),
            events: Vec::new(),
        }
    }

    /// Jobs in the queue, dead ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn lane_id(&self, name: &str) -> Option<LaneId> {
        self.lane_ids.get(name).copied()
    }

    pub(crate) fn lane_name(&self, id: LaneId) -> Option<&Arc<str>> {
        self.lanes.get(&id).map(|lane| &lane.name)
    }

    /// The lane of an unfinished or dead job.
    pub(crate) fn lane_of(&self, id: JobId) -> Option<LaneId> {
        self.jobs.get(&id).map(|job| job.lane)
    }

    /// How many jobs of a lane a worker could get now.
    pub(crate) fn leasable(&self, lane: &str, now: Millis) -> usize {
        let lane = self.lane_id(lane).and_then(|id| self.lanes.get(&id));
        lane.map_or(0, |lane| lane.leasable(now))
    }

    /// Ids of the jobs of a lane that are in a state, from the first above `after` on.
    pub(crate) fn members(&self, lane: LaneId, state: JobState, after: JobId) -> impl Iterator<Item = JobId> {
        self.lanes.get(&lane).into_iter().flat_map(move |lane| lane.members(state, after))
    }

    /// Lanes that may have got something for a waiting worker since the last call.
    pub(crate) fn take_woken(&mut self, now: Millis) -> Vec<Arc<str>> {
        let woken = std::mem::take(&mut self.woken);
        for id in &woken {
            // A lane without a token wakes nobody now, but when it has one again.
            self.watch_bucket(*id, GroupHash::NONE, now);
        }
        let lanes = woken.iter().filter_map(|id| self.lanes.get(id));
        lanes.filter(|lane| lane.leasable(now) > 0).map(|lane| Arc::clone(&lane.name)).collect()
    }

    /// Steps of jobs since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<JobEvent> {
        std::mem::take(&mut self.events)
    }

    /// Remembers a step of a job, to be told once it is written.
    pub(super) fn tell(&mut self, id: JobId, step: JobStep) {
        let lane = self.jobs.get(&id).and_then(|job| self.lanes.get(&job.lane));
        if let Some(lane) = lane {
            self.events.push(JobEvent { lane: Arc::clone(&lane.name), id, step });
        }
    }

    /// How long the attempt at a job has been going on, in milliseconds.
    pub(super) fn ran_ms(&self, id: JobId, now: Millis) -> u64 {
        self.jobs.get(&id).map_or(0, |job| now.get().saturating_sub(job.started.get()))
    }

    /// When `tick` has something to do next.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.timers.next_at().into_iter().chain(self.refills.next_at()).min()
    }

    /// Every lane in order of creation. Costs the same however many jobs there are.
    pub(crate) fn lanes(&self) -> Vec<LaneView> {
        self.lanes.iter().map(|(id, lane)| self.view(*id, lane)).collect()
    }

    fn view(&self, id: LaneId, lane: &Lane) -> LaneView {
        // Within a priority the first in line has been ready longest.
        let since =
            lane.fronts().filter_map(|id| self.jobs.get(&id)).map(|job| job.at).chain(lane.held.oldest());
        LaneView {
            name: Arc::clone(&lane.name),
            id,
            paused: lane.paused,
            settings: lane.settings,
            ready: lane.counts.ready,
            held: lane.held.len(),
            waiting: lane.counts.waiting,
            leased: lane.counts.leased,
            scheduled: lane.counts.scheduled,
            retrying: lane.counts.retrying,
            dead: lane.counts.dead,
            oldest_ready: since.min(),
        }
    }

    /// Ranges of family `done` whose retention has ended: first key, and the key after the last.
    pub(crate) fn done_expired(&self, now: Millis) -> Vec<([u8; 20], [u8; 20])> {
        let range = |(id, lane): (&LaneId, &Lane)| {
            let end = Millis::new(now.get().saturating_sub(lane.settings.done_ms_keep));
            (key::filed(*id, Millis::ZERO, JobId::ZERO), key::filed(*id, end, JobId::ZERO))
        };
        self.lanes.iter().map(range).collect()
    }

    pub(super) fn job(&self, id: JobId) -> Result<&Entry> {
        let missing = || Error::not_found(format!("job {id} is not in the queue; it may have finished"));
        self.jobs.get(&id).ok_or_else(missing)
    }
}
