//! Room under the limits of lanes and keys: who is passed over, and when it changes.
//!
//! A job is passed over only when a worker comes for it and its key has no room; from then on it waits for
//! its key alone, so a crowd of jobs under one key costs each of them one look, not every lease one.

use crate::kv::families::Family;
use crate::queue::entry::Entry;
use crate::queue::hash::GroupHash;
use crate::queue::lane::LaneId;
use crate::queue::rate::Meter;
use crate::queue::state::QueueState;
use crate::queue::{Mutations, key, record};
use crate::types::{JobId, Millis};

impl QueueState {
    /// The first job of a lane whose key has room; those before it that have none are parked.
    pub(super) fn first_with_room(&mut self, id: LaneId, now: Millis) -> Option<JobId> {
        loop {
            let lane = self.lanes.get_mut(&id)?;
            let first = lane.first_ready()?;
            let job = self.jobs.get(&first)?;
            if !job.key.is_some() || !lane.settings.limits_keys() || lane.key_room(job.key, now) > 0 {
                return Some(first);
            }
            let key = job.key;
            lane.park(first, job);
            self.watch_bucket(id, key, now);
        }
    }

    /// A lease begins: it takes a token from the buckets that apply.
    pub(super) fn take_tokens(&mut self, id: JobId, now: Millis, out: &mut dyn Mutations) {
        let Some(job) = self.jobs.get(&id) else { return };
        let (lane_id, job_key) = (job.lane, job.key);
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return };
        if let Some(rate) = &lane.settings.rate {
            lane.meter.take(rate, now);
            self.write_bucket(lane_id, GroupHash::NONE, now, out);
        }
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return };
        if let Some(rate) = lane.settings.key_rate.filter(|_| job_key.is_some()) {
            lane.held.change(job_key, |key| key.meter.take(&rate, now));
            self.write_bucket(lane_id, job_key, now, out);
        }
    }

    /// A key may have room: as many as have it are in line again.
    pub(super) fn let_in(&mut self, id: LaneId, key: GroupHash, now: Millis) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let (jobs, mut room) = (&self.jobs, lane.key_room(key, now));
        let since = |id| jobs.get(&id).map_or(Millis::ZERO, |job: &Entry| job.at);
        while room > 0 && lane.unpark(key, since) {
            room -= 1;
            self.woken.insert(id);
        }
    }

    /// The limits of a lane have changed: everybody is in line again until a worker comes.
    pub(super) fn let_all_in(&mut self, id: LaneId, now: Millis) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let jobs = &self.jobs;
        let since = |id| jobs.get(&id).map_or(Millis::ZERO, |job: &Entry| job.at);
        for key in lane.held.waiting() {
            while lane.unpark(key, since) {}
        }
        self.watch_bucket(id, GroupHash::NONE, now);
    }

    /// The time for which a bucket is watched has come.
    pub(super) fn refill(&mut self, id: LaneId, key: GroupHash, now: Millis, out: &mut dyn Mutations) {
        self.refills.disarm(id, key);
        if key.is_some() {
            self.let_in(id, key, now);
        } else {
            self.woken.insert(id);
        }
        if self.meter(id, key).get() > 0 && self.meter(id, key).full_at() <= now {
            self.set_meter(id, key, Meter::default());
            out.delete(Family::Meta, &key::meta_rate(id, key));
        }
        self.watch_bucket(id, key, now);
    }

    fn write_bucket(&mut self, id: LaneId, key: GroupHash, now: Millis, out: &mut dyn Mutations) {
        let value = record::encode_meter(self.meter(id, key));
        out.put(Family::Meta, &key::meta_rate(id, key), &value);
        self.watch_bucket(id, key, now);
    }

    /// Sees to it that a bucket is looked at when a job that waits for it may run, or else when it is full.
    pub(super) fn watch_bucket(&mut self, id: LaneId, key: GroupHash, now: Millis) {
        let meter = self.meter(id, key);
        if meter == Meter::default() {
            return self.refills.disarm(id, key);
        }
        let Some(lane) = self.lanes.get(&id) else { return };
        let (rate, is_awaited) = match key.is_some() {
            true => (&lane.settings.key_rate, lane.held.first(key).is_some()),
            false => (&lane.settings.rate, lane.counts.ready > 0),
        };
        let next = rate.as_ref().map(|rate| meter.next_at(rate, now)).filter(|at| is_awaited && *at > now);
        self.refills.arm(next.unwrap_or(meter.full_at()), id, key);
    }

    /// A bucket as it stands, full if nothing is known of it.
    fn meter(&self, id: LaneId, key: GroupHash) -> Meter {
        let Some(lane) = self.lanes.get(&id) else { return Meter::default() };
        match key.is_some() {
            true => lane.held.key(key).map(|key| key.meter).unwrap_or_default(),
            false => lane.meter,
        }
    }

    /// Sets a bucket, as it was read back or because it is full.
    pub(crate) fn set_meter(&mut self, id: LaneId, key: GroupHash, meter: Meter) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match key.is_some() {
            true => lane.held.change(key, |key| key.meter = meter),
            false => lane.meter = meter,
        }
    }
}
