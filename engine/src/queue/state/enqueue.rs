//! Adding jobs, and the lanes they name.

use crate::error::{Error, Result};
use crate::kv::families::Family;
use crate::queue::entry::{Entry, Phase};
use crate::queue::job::PreparedJob;
use crate::queue::lane::{Lane, LaneId, check_lane_name};
use crate::queue::limits::LANES_MAX;
use crate::queue::state::QueueState;
use crate::queue::{Mutations, codec, key, record};
use crate::types::{JobId, Millis};

impl QueueState {
    /// The unfinished job that holds the unique key of `job`, and is answered in its place.
    pub(crate) fn holder(&self, job: &PreparedJob) -> Option<JobId> {
        let lane = self.lane_id(&job.lane)?;
        self.uniques.get(&(lane, job.unique)).copied().filter(|_| job.unique.is_some())
    }

    /// Whether there is room for all jobs of one transaction.
    pub(crate) fn check_enqueue(&self, jobs: &[PreparedJob]) -> Result<()> {
        let mut lanes: Vec<&str> =
            jobs.iter().filter(|job| self.holder(job).is_none()).map(|job| job.lane.as_str()).collect();
        if self.jobs.len() + lanes.len() > self.jobs_max {
            return Err(Error::busy(format!("the queue holds {} jobs and is full", self.jobs.len())));
        }
        lanes.sort_unstable();
        let mut lanes_new = 0;
        for same in lanes.chunk_by(|a, b| a == b) {
            let Some(name) = same.first() else { continue };
            match self.lane_id(name).and_then(|id| self.lanes.get(&id)) {
                Some(lane) => check_room(lane, same.len())?,
                None => lanes_new += 1,
            }
        }
        self.check_new_lanes(lanes_new)
    }

    fn check_new_lanes(&self, lanes_new: usize) -> Result<()> {
        if lanes_new > 0 && self.lanes.len() + lanes_new > LANES_MAX {
            return Err(Error::invalid(format!("a store has at most {LANES_MAX} lanes")));
        }
        Ok(())
    }

    /// Adds a job under the id the caller gives it, and answers the id to give to the client: that of
    /// the holder of its unique key if there is one, in which case nothing is added.
    pub(crate) fn apply_enqueue(
        &mut self,
        id: JobId,
        job: &PreparedJob,
        now: Millis,
        out: &mut dyn Mutations,
    ) -> JobId {
        if let Some(holder) = self.holder(job) {
            return holder;
        }
        debug_assert!(!self.jobs.contains_key(&id), "job {id} is in the queue already");
        let lane = self.open_lane(&job.lane, out);
        let (attempts_max, age_ms_max) = self
            .lanes
            .get(&lane)
            .map_or((1, 0), |lane| (lane.settings.attempts_max, lane.settings.age_ms_max));
        let mut entry = Entry {
            priority: job.priority,
            attempts_max: if job.attempts_max == 0 { attempts_max } else { job.attempts_max },
            enqueued: now,
            at: now,
            group: job.group,
            key: job.key.unwrap_or(job.group),
            unique: job.unique,
            ..Entry::blank(lane)
        };
        let age_ms_max = if job.age_ms_max == 0 { age_ms_max } else { job.age_ms_max };
        if age_ms_max > 0 || job.retry.is_some() {
            let deadline = Millis::new(now.get().saturating_add(age_ms_max));
            let deadline = if age_ms_max > 0 { deadline } else { Millis::ZERO };
            entry.amend(|more| (more.deadline, more.retry) = (deadline, job.retry));
        }
        self.jobs.insert(id, entry);
        out.put(Family::Job, &key::job(lane, id), &job.envelope);
        self.claim_unique(id, out);
        if job.delay_ms > 0 {
            let due = Millis::new(now.get().saturating_add(job.delay_ms));
            self.place(id, Phase::Scheduled, due, out);
        } else {
            self.join(id, now, out);
        }
        id
    }

    /// Writes a job down as the holder of its unique key, if it has one.
    pub(super) fn claim_unique(&mut self, id: JobId, out: &mut dyn Mutations) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.unique.is_some()) else { return };
        self.uniques.insert((job.lane, job.unique), id);
        out.put(Family::Uniq, &key::unique(job.lane, job.unique), &record::encode_unique(id));
    }

    /// Whether `open_lane` may be called with this name.
    pub(crate) fn check_lane(&self, name: &str) -> Result<()> {
        check_lane_name(name)?;
        self.check_new_lanes(usize::from(self.lane_id(name).is_none()))
    }

    /// The lane of this name, created if need be.
    pub(super) fn open_lane(&mut self, name: &str, out: &mut dyn Mutations) -> LaneId {
        if let Some(id) = self.lane_id(name) {
            return id;
        }
        let last = self.lanes.last_key_value().map_or(0, |(id, _)| id.get());
        let id = LaneId::new(last + 1);
        let lane = Lane::new(name);
        self.lane_ids.insert(lane.name.clone(), id);
        self.lanes.insert(id, lane);
        self.write_lane(id, out);
        id
    }

    pub(super) fn write_lane(&self, id: LaneId, out: &mut dyn Mutations) {
        let Some(lane) = self.lanes.get(&id) else { return };
        let value = codec::lane::encode_lane(&lane.name, lane.paused, &lane.settings);
        out.put(Family::Meta, &key::meta_lane(id), &value);
    }
}

pub(super) fn check_room(lane: &Lane, jobs_new: usize) -> Result<()> {
    if lane.settings.draining {
        return Err(Error::busy(format!("lane '{}' is draining and takes no new jobs", lane.name)));
    }
    let Ok(jobs_max) = usize::try_from(lane.settings.jobs_max) else { return Ok(()) };
    let total = lane.counts.total();
    if jobs_max > 0 && total + jobs_new > jobs_max {
        return Err(Error::busy(format!("lane '{}' holds {total} jobs and is full", lane.name)));
    }
    Ok(())
}
