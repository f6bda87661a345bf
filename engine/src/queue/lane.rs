//! One lane: who may run next, and how many stand where.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::queue::entry::{Entry, Phase};
use crate::queue::group::Groups;
use crate::queue::hash::GroupHash;
use crate::queue::held::{Held, Place};
use crate::queue::job::JobState;
use crate::queue::limits::{ATTEMPTS_MAX, DELAY_MS_MAX, LANE_NAME_BYTES_MAX, PRIORITY_MAX};
use crate::queue::line::Line;
use crate::queue::rate::{Meter, Rate};
use crate::queue::retry::{Backoff, Retry};
use crate::types::{JobId, Millis};

/// Number of priorities.
pub(crate) const PRIORITIES: usize = 16;

/// Names a lane inside keys: dense from 1, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneId(u32);

impl LaneId {
    pub(crate) const fn new(raw: u32) -> Self {
        Self(raw)
    }

    pub(crate) const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn check_lane_name(name: &str) -> Result<()> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    if (1..=LANE_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "'{}' is not a lane name: 1 to {LANE_NAME_BYTES_MAX} letters, digits and _ - . :",
        name.escape_default()
    )))
}

/// How a lane treats its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneSettings {
    /// Attempts of a job that names no number itself.
    pub attempts_max: u32,
    /// When a failed job that does not say so itself is tried again.
    pub retry: Retry,
    /// How long results are kept, in milliseconds; 0 keeps none.
    pub done_ms_keep: u64,
    /// How long dead jobs are kept, in milliseconds; 0 keeps them until somebody acts.
    pub dead_ms_keep: u64,
    /// Most jobs at a time, dead ones included; 0 leaves it to the store's bound.
    pub jobs_max: u32,
    /// Most leases at a time; 0 sets no bound.
    pub leased_max: u32,
    /// Most leases at a time of jobs with one key; 0 sets no bound.
    pub key_leased_max: u32,
    /// How many leases may begin in a time.
    pub rate: Option<Rate>,
    /// The same for jobs with one key.
    pub key_rate: Option<Rate>,
    /// What a failed member means for the rest of its group.
    pub group_on_fail: GroupOnFail,
    /// Age from which on no attempt of a job begins that names none itself, in milliseconds; 0 sets none.
    pub age_ms_max: u64,
    /// New jobs are refused; those that are there run out.
    pub draining: bool,
}

/// What a failed member means for the rest of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GroupOnFail {
    /// The others wait until it has succeeded or is dead: order is kept over retries.
    Block = 1,
    /// The others go on; it joins them again, at the end, when its wait is over.
    Skip = 2,
    /// It is dead at once, and the others go on.
    Dead = 3,
}

impl GroupOnFail {
    /// Every policy, in the order of its number on disk.
    pub const ALL: [Self; 3] = [Self::Block, Self::Skip, Self::Dead];

    /// The word the HTTP interface uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Skip => "skip",
            Self::Dead => "dead",
        }
    }

    pub(crate) fn from_raw(raw: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| *policy as u8 == raw)
    }
}

impl FromStr for GroupOnFail {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or_else(|| Error::invalid(format!("'{text}' is not block, skip or dead")))
    }
}

impl LaneSettings {
    /// What a lane begins with: 10 attempts, waits of 1 s doubling to 15 min, results kept for a
    /// day, dead jobs until somebody acts, no bounds of its own.
    pub const INITIAL: Self = Self {
        attempts_max: 10,
        retry: Retry { backoff: Backoff::Exponential, ms_base: 1_000, ms_max: 900_000 },
        done_ms_keep: 86_400_000,
        dead_ms_keep: 0,
        jobs_max: 0,
        leased_max: 0,
        key_leased_max: 0,
        rate: None,
        key_rate: None,
        group_on_fail: GroupOnFail::Block,
        age_ms_max: 0,
        draining: false,
    };

    pub(crate) fn check(&self) -> Result<()> {
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts_max) {
            return Err(Error::invalid(format!("attempts_max is not within 1 to {ATTEMPTS_MAX}")));
        }
        self.retry.check()?;
        if self.done_ms_keep.max(self.dead_ms_keep) > DELAY_MS_MAX {
            return Err(Error::invalid("retention is longer than ten years"));
        }
        if self.age_ms_max > DELAY_MS_MAX {
            return Err(Error::invalid("the maximum age is longer than ten years"));
        }
        self.rate.iter().chain(&self.key_rate).try_for_each(Rate::check)
    }

    /// Whether jobs may have to wait for others of their key.
    pub(crate) fn limits_keys(&self) -> bool {
        self.key_leased_max > 0 || self.key_rate.is_some()
    }

    /// When a job that died at this time is forgotten.
    pub(crate) fn dead_until(&self, died: Millis) -> Option<Millis> {
        (self.dead_ms_keep > 0).then(|| Millis::new(died.get().saturating_add(self.dead_ms_keep)))
    }
}

/// A lane seen from outside, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneView {
    /// Its name.
    pub name: Arc<str>,
    pub(crate) id: LaneId,
    /// No lease is given while it is paused.
    pub paused: bool,
    /// How it treats its jobs.
    pub settings: LaneSettings,
    /// Jobs that may run now.
    pub ready: usize,
    /// Of those, how many are known to wait for a limit of their key.
    pub held: usize,
    /// Jobs that may run as soon as their group lets them.
    pub waiting: usize,
    /// Jobs in the hands of workers.
    pub leased: usize,
    /// Jobs whose delay has not passed.
    pub scheduled: usize,
    /// Failed jobs that wait for their next attempt.
    pub retrying: usize,
    /// Jobs that gave up.
    pub dead: usize,
    /// Since when the first in line may run.
    pub oldest_ready: Option<Millis>,
}

impl LaneView {
    /// The number by which log records of enqueued jobs name the lane.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.id.get()
    }
}

/// Number of jobs per phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) scheduled: usize,
    pub(crate) ready: usize,
    pub(crate) waiting: usize,
    pub(crate) leased: usize,
    pub(crate) retrying: usize,
    pub(crate) dead: usize,
}

impl Counts {
    pub(crate) fn of(&mut self, phase: Phase) -> &mut usize {
        match phase {
            Phase::Scheduled => &mut self.scheduled,
            Phase::Ready => &mut self.ready,
            Phase::Waiting => &mut self.waiting,
            Phase::Leased(_) => &mut self.leased,
            Phase::Retrying | Phase::Skipped => &mut self.retrying,
            Phase::Dead => &mut self.dead,
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.scheduled + self.ready + self.waiting + self.leased + self.retrying + self.dead
    }
}

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) name: Arc<str>,
    pub(crate) paused: bool,
    pub(crate) settings: LaneSettings,
    pub(crate) counts: Counts,
    pub(crate) groups: Groups,
    pub(crate) held: Held,
    /// The lane's own bucket.
    pub(crate) meter: Meter,
    ready: [Line; PRIORITIES],
    /// Jobs that were held back and are in line again, at the place they had.
    back: BTreeSet<Place>,
    /// Ids by state, `JobState::Scheduled` first.
    members: [BTreeSet<JobId>; STATES],
}

/// States in which a job is in its lane.
const STATES: usize = 7;

impl Lane {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            paused: false,
            settings: LaneSettings::INITIAL,
            counts: Counts::default(),
            groups: Groups::default(),
            held: Held::default(),
            meter: Meter::default(),
            ready: Default::default(),
            back: BTreeSet::new(),
            members: Default::default(),
        }
    }

    /// Ids of the jobs in a state, for those that leave it or come to it.
    pub(crate) fn members_mut(&mut self, state: JobState) -> Option<&mut BTreeSet<JobId>> {
        self.members.get_mut(state as usize)
    }

    /// Ids of the jobs in a state above `after`, in order.
    pub(crate) fn members(&self, state: JobState, after: JobId) -> impl Iterator<Item = JobId> {
        let above = (Bound::Excluded(after), Bound::Unbounded);
        self.members.get(state as usize).into_iter().flat_map(move |ids| ids.range(above)).copied()
    }

    pub(crate) fn push_ready(&mut self, priority: u8, turn: u64, id: JobId) {
        if let Some(line) = self.ready.get_mut(usize::from(priority)) {
            line.push(turn, id);
        }
    }

    /// Takes a ready job out of the line, or from beside it.
    pub(crate) fn remove_ready(&mut self, id: JobId, job: &Entry) {
        let place = (!job.priority, job.turn, id);
        if self.held.leave(job.key, place, job.at) || self.back.remove(&place) {
            return;
        }
        if let Some(line) = self.ready.get_mut(usize::from(job.priority)) {
            line.remove(job.turn);
        }
    }

    /// The job to run next: highest priority, then the one longest in line.
    pub(crate) fn first_ready(&self) -> Option<JobId> {
        let lines = (0..=PRIORITY_MAX).zip(&self.ready).rev();
        let front = lines.filter_map(|(priority, line)| line.front().map(|(turn, id)| (!priority, turn, id)));
        let first = front.take(1).chain(self.back.first().copied()).min();
        first.map(|(_, _, id)| id)
    }

    /// The first of each priority that has any, and the first of those held back and in line again.
    pub(crate) fn fronts(&self) -> impl Iterator<Item = JobId> {
        let back = (0_u8..).zip(&self.ready).filter_map(|(priority, _)| {
            let same = (!priority, 0, JobId::ZERO)..=(!priority, u64::MAX, JobId::new(u64::MAX));
            self.back.range(same).next().map(|(_, _, id)| *id)
        });
        self.ready.iter().filter_map(|line| line.front().map(|(_, id)| id)).chain(back)
    }

    /// Leases that may begin under the bounds of the lane itself.
    pub(crate) fn room(&self, now: Millis) -> usize {
        if self.paused {
            return 0;
        }
        let leases_left = room_under(self.settings.leased_max, self.counts.leased);
        let tokens = self.settings.rate.as_ref().map_or(usize::MAX, |rate| self.meter.tokens(rate, now));
        leases_left.min(tokens)
    }

    /// How many jobs a worker could get now; fewer, if their keys turn out to have used up a limit.
    pub(crate) fn leasable(&self, now: Millis) -> usize {
        (self.counts.ready - self.held.len()).min(self.room(now))
    }

    /// Leases that may begin of jobs with this key.
    pub(crate) fn key_room(&self, key: GroupHash, now: Millis) -> usize {
        let (leased, meter) = self.held.key(key).map_or((0, Meter::default()), |key| (key.leased, key.meter));
        let leases_left =
            room_under(self.settings.key_leased_max, usize::try_from(leased).unwrap_or(usize::MAX));
        let tokens = self.settings.key_rate.as_ref().map_or(usize::MAX, |rate| meter.tokens(rate, now));
        leases_left.min(tokens)
    }

    /// Takes a ready job out of the line until its key has room.
    pub(crate) fn park(&mut self, id: JobId, job: &Entry) {
        self.remove_ready(id, job);
        self.held.park(job.key, (!job.priority, job.turn, id), job.at);
    }

    /// Puts the first job that is parked under a key back to its place.
    pub(crate) fn unpark(&mut self, key: GroupHash, since: impl Fn(JobId) -> Millis) -> bool {
        let Some(place) = self.held.first(key) else { return false };
        let left = self.held.leave(key, place, since(place.2));
        self.back.insert(place);
        left
    }

    #[cfg(test)]
    pub(crate) fn lines(&self) -> Vec<(u8, u64, JobId)> {
        let lines = (0_u8..).zip(&self.ready);
        let lines =
            lines.flat_map(|(priority, line)| line.iter().map(move |(turn, id)| (!priority, turn, id)));
        let mut all: Vec<_> = lines.chain(self.back.iter().copied()).chain(self.held.list().1).collect();
        all.sort_unstable();
        all
    }
}

/// What a bound leaves; 0 sets none.
fn room_under(most: u32, taken: usize) -> usize {
    match usize::try_from(most) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(most) => most.saturating_sub(taken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_priority_first_then_longest_in_line() {
        let mut lane = Lane::new("x");
        for (turn, priority) in [(1, 0), (2, 15), (3, 7), (4, 15)] {
            lane.push_ready(priority, turn, JobId::new(turn));
        }
        let mut order = Vec::new();
        while let Some(id) = lane.first_ready() {
            let priority = [0, 15, 7, 15][usize::try_from(id.get()).unwrap() - 1];
            lane.remove_ready(id, &Entry { priority, turn: id.get(), ..Entry::blank(LaneId::new(1)) });
            order.push(id.get());
        }
        assert_eq!(order, [2, 4, 3, 1]);
    }

    #[test]
    fn settings_bounds() {
        let initial = LaneSettings::INITIAL;
        let check = |is_fine: bool, settings: LaneSettings| assert_eq!(settings.check().is_ok(), is_fine);
        check(true, initial);
        check(false, LaneSettings { attempts_max: 0, ..initial });
        check(false, LaneSettings { retry: Retry { ms_base: 900_001, ..initial.retry }, ..initial });
        check(false, LaneSettings { retry: Retry { ms_max: u64::MAX, ..initial.retry }, ..initial });
        check(false, LaneSettings { age_ms_max: u64::MAX, ..initial });
        let rate = Rate { jobs: 0, per_ms: 1, burst: 1 };
        check(false, LaneSettings { rate: Some(rate), ..initial });
        check(false, LaneSettings { key_rate: Some(rate), ..initial });
        check(false, LaneSettings { dead_ms_keep: u64::MAX, ..initial });
    }
}
