//! Reads the queue back at the opening of a store.
//!
//! Each row must fit what is known already, and at the end every job must have exactly the rows of
//! its phase. Whatever does not fit is damage and is named by its key: the queue is not guessed at.

use crate::error::{Error, Result};
use crate::kv::families::Family;
use crate::queue::entry::{Entry, Phase};
use crate::queue::lane::{Lane, LaneId};
use crate::queue::state::QueueState;
use crate::queue::timers::TimerKind;
use crate::queue::{codec, key, record};
use crate::types::{Epoch, JobId};

/// The families to feed to a `Loader`, whole, in this order and each in key order; of `meta` only the
/// keys that begin with `key::META_PREFIX`.
pub(crate) const LOAD_ORDER: [Family; 7] =
    [Family::Meta, Family::Jst, Family::Ready, Family::Grp, Family::Timer, Family::Uniq, Family::Dead];

/// Bits of a turn below the epoch, so that the turns of an epoch begin above those of all earlier ones.
const TURN_BITS: u32 = 40;

/// Builds a `QueueState` row by row.
#[derive(Debug)]
pub(crate) struct Loader {
    state: QueueState,
    timer_rows: usize,
    unique_rows: usize,
    dead_rows: usize,
}

impl Loader {
    /// `epoch` is that of this opening, `jobs_max` the bound on jobs in memory.
    pub(crate) fn new(epoch: Epoch, jobs_max: usize) -> Self {
        let state = QueueState::empty(epoch, jobs_max);
        Self { state, timer_rows: 0, unique_rows: 0, dead_rows: 0 }
    }

    /// Takes one row.
    ///
    /// # Errors
    /// `Corrupt` when it cannot be read or contradicts the rows before it.
    pub(crate) fn row(&mut self, family: Family, key: &[u8], value: &[u8]) -> Result<()> {
        let taken = match family {
            Family::Meta if key::parse_meta_rate(key).is_some() => self.bucket(key, value),
            Family::Meta => self.lane(key, value),
            Family::Jst => self.job(key, value),
            Family::Ready => self.ready(key, value),
            Family::Grp => self.waiting(key, value),
            Family::Timer => self.timer(key),
            Family::Uniq => self.unique(key, value),
            Family::Dead => self.dead(key, value),
            _ => Err(Error::internal("the queue does not load this family")),
        };
        taken.map_err(|error| error.at(format_args!("{}/{}", family.name(), key.escape_ascii())))
    }

    fn lane(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let id = key::parse_meta_lane(key).ok_or_else(bad_key)?;
        let (name, paused, settings) = codec::lane::decode_lane(value)?;
        let mut lane = Lane::new(&name);
        (lane.paused, lane.settings) = (paused, settings);
        if self.state.lane_ids.insert(lane.name.clone(), id).is_some() {
            return Err(Error::corrupt(format!("a second lane is named '{name}'")));
        }
        self.state.lanes.insert(id, lane);
        Ok(())
    }

    fn bucket(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let (lane, hash) = key::parse_meta_rate(key).ok_or_else(bad_key)?;
        lane_mut(&mut self.state, lane)?;
        let meter = record::decode_meter(value)?;
        self.state.set_meter(lane, hash, meter);
        self.state.refills.arm(meter.full_at(), lane, hash);
        Ok(())
    }

    fn job(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let (lane_id, id) = key::parse_job(key).ok_or_else(bad_key)?;
        let job = Entry { lane: lane_id, ..record::decode_state(value)? };
        let lane = lane_mut(&mut self.state, lane_id)?;
        *lane.counts.of(job.phase) += 1;
        if let Some(members) = lane.members_mut(job.phase.state()) {
            members.insert(id);
        }
        if job.phase.heads_group() && job.group.is_some() && !lane.groups.hold(job.group, id) {
            return Err(Error::corrupt("a second job of its group is leased or retrying"));
        }
        match job.phase {
            Phase::Leased(_) => {
                if job.key.is_some() {
                    lane.held.change(job.key, |key| key.leased += 1);
                }
                self.state.timers.arm(job.at, TimerKind::Lease, id);
            }
            Phase::Dead => {
                if let Some(end) = lane.settings.dead_until(job.at) {
                    self.state.timers.arm(end, TimerKind::Retention, id);
                }
            }
            _ => {}
        }
        if let Some(end) = job.age_end() {
            self.state.timers.arm(end, TimerKind::Age, id);
        }
        if id == JobId::ZERO || self.state.jobs.insert(id, job).is_some() {
            return Err(Error::corrupt("the job id is zero or taken"));
        }
        Ok(())
    }

    fn ready(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let (lane_id, priority, turn) = key::parse_ready(key).ok_or_else(bad_key)?;
        let (id, group, since) = record::decode_ready(value)?;
        let job = job_mut(&mut self.state.jobs, lane_id, id)?;
        let is_new = job.phase == Phase::Waiting && job.turn == 0 && turn > 0;
        if !is_new || job.priority != priority || job.group != group {
            return Err(contradiction(job));
        }
        (job.phase, job.turn, job.at) = (Phase::Ready, turn, since);
        let lane = lane_mut(&mut self.state, lane_id)?;
        if group.is_some() && !lane.groups.hold(group, id) {
            return Err(Error::corrupt("a second job of its group is ready"));
        }
        lane.counts.waiting -= 1;
        lane.counts.ready += 1;
        lane.push_ready(priority, turn, id);
        self.state.turn = self.state.turn.max(turn);
        Ok(())
    }

    fn waiting(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let (lane_id, group, turn) = key::parse_group(key).ok_or_else(bad_key)?;
        let id = record::decode_waiting(value)?;
        let job = job_mut(&mut self.state.jobs, lane_id, id)?;
        let is_new = job.phase == Phase::Waiting && job.turn == 0 && turn > 0;
        if !is_new || job.group != group {
            return Err(contradiction(job));
        }
        job.turn = turn;
        if !lane_mut(&mut self.state, lane_id)?.groups.wait(group, turn, id) {
            return Err(Error::corrupt("a job waits for a group that has no head"));
        }
        self.state.turn = self.state.turn.max(turn);
        Ok(())
    }

    fn timer(&mut self, key: &[u8]) -> Result<()> {
        let (at, kind, lane_id, id) = key::parse_timer(key).ok_or_else(bad_key)?;
        let job = job_mut(&mut self.state.jobs, lane_id, id)?;
        let fits = match kind {
            TimerKind::Schedule => job.phase == Phase::Scheduled,
            TimerKind::Retry => matches!(job.phase, Phase::Retrying | Phase::Skipped),
            TimerKind::Lease | TimerKind::Retention | TimerKind::Age => false,
        };
        if !fits || job.at != at {
            return Err(contradiction(job));
        }
        self.state.timers.arm(at, kind, id);
        self.timer_rows += 1;
        Ok(())
    }

    fn unique(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let (lane_id, hash) = key::parse_unique(key).ok_or_else(bad_key)?;
        let id = record::decode_unique(value)?;
        let job = job_mut(&mut self.state.jobs, lane_id, id)?;
        if job.unique != hash || job.phase == Phase::Dead {
            return Err(contradiction(job));
        }
        self.state.uniques.insert((lane_id, hash), id);
        self.unique_rows += 1;
        Ok(())
    }

    fn dead(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let (lane_id, died, id) = key::parse_filed(key).ok_or_else(bad_key)?;
        record::decode_dead(value)?;
        let job = job_mut(&mut self.state.jobs, lane_id, id)?;
        if job.phase != Phase::Dead || job.at != died {
            return Err(contradiction(job));
        }
        self.dead_rows += 1;
        Ok(())
    }

    /// The queue as it was when its last write was made.
    ///
    /// # Errors
    /// `Corrupt` when a job lacks a row.
    pub(crate) fn finish(mut self) -> Result<QueueState> {
        // Every row fitted one job and was told apart by its key, so equal numbers mean none is missing.
        let is_timed = |job: &Entry| matches!(job.phase, Phase::Scheduled | Phase::Retrying | Phase::Skipped);
        let is_holder = |job: &Entry| job.unique.is_some() && job.phase != Phase::Dead;
        let count = |is: &dyn Fn(&Entry) -> bool| self.state.jobs.values().filter(|job| is(job)).count();
        let missing = |family: Family, rows: usize, wanted: usize| {
            if rows == wanted {
                return Ok(());
            }
            let name = family.name();
            Err(Error::corrupt(format!("family {name} has {rows} rows for {wanted} jobs")))
        };
        missing(Family::Timer, self.timer_rows, count(&is_timed))?;
        missing(Family::Uniq, self.unique_rows, count(&is_holder))?;
        missing(Family::Dead, self.dead_rows, count(&|job| job.phase == Phase::Dead))?;
        let lost = |(_, job): &(&JobId, &Entry)| job.phase == Phase::Waiting && job.turn == 0;
        if let Some((id, job)) = self.state.jobs.iter().find(lost) {
            let lane = job.lane;
            return Err(Error::corrupt(format!("jst/{lane}/{id}: ready, but in no line")));
        }
        let first = u64::from(self.state.epoch.get()).checked_mul(1 << TURN_BITS).unwrap_or(u64::MAX / 2);
        self.state.turn = self.state.turn.max(first);
        Ok(self.state)
    }
}

fn lane_mut(state: &mut QueueState, id: LaneId) -> Result<&mut Lane> {
    state.lanes.get_mut(&id).ok_or_else(|| Error::corrupt(format!("lane {id} does not exist")))
}

fn job_mut(
    jobs: &mut std::collections::HashMap<JobId, Entry>,
    lane: LaneId,
    id: JobId,
) -> Result<&mut Entry> {
    let missing = || Error::corrupt(format!("job {id} of lane {lane} does not exist"));
    jobs.get_mut(&id).filter(|job| job.lane == lane).ok_or_else(missing)
}

fn bad_key() -> Error {
    Error::corrupt("not a key of this family")
}

fn contradiction(job: &Entry) -> Error {
    Error::corrupt(format!("contradicts the state of the job, {:?} at {}", job.phase, job.at))
}
