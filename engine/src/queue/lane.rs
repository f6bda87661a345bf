//! One lane: who may run next, and how many stand where.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::queue::entry::Phase;
use crate::queue::group::Groups;
use crate::queue::limits::{ATTEMPTS_MAX, DELAY_MS_MAX, LANE_NAME_BYTES_MAX};
use crate::queue::line::Line;
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
    /// Ceiling of the wait after the first failure, in milliseconds; doubles with every further one.
    pub backoff_ms_base: u64,
    /// Ceiling of any wait between attempts, in milliseconds.
    pub backoff_ms_max: u64,
    /// How long results are kept, in milliseconds; 0 keeps none.
    pub done_ms_keep: u64,
    /// How long dead jobs are kept, in milliseconds; 0 keeps them until somebody acts.
    pub dead_ms_keep: u64,
    /// Most jobs at a time, dead ones included; 0 leaves it to the store's bound.
    pub jobs_max: u32,
    /// Most leases at a time; 0 sets no bound.
    pub leased_max: u32,
}

impl LaneSettings {
    /// What a lane begins with: 10 attempts, waits of 1 s doubling to 15 min, results kept for a
    /// day, dead jobs until somebody acts, no bounds of its own.
    pub const INITIAL: Self = Self {
        attempts_max: 10,
        backoff_ms_base: 1_000,
        backoff_ms_max: 900_000,
        done_ms_keep: 86_400_000,
        dead_ms_keep: 0,
        jobs_max: 0,
        leased_max: 0,
    };

    pub(crate) fn check(&self) -> Result<()> {
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts_max) {
            return Err(Error::invalid(format!("attempts_max is not within 1 to {ATTEMPTS_MAX}")));
        }
        if self.backoff_ms_base > self.backoff_ms_max || self.backoff_ms_max > DELAY_MS_MAX {
            return Err(Error::invalid("the backoff must rise and stay below ten years"));
        }
        if self.done_ms_keep.max(self.dead_ms_keep) > DELAY_MS_MAX {
            return Err(Error::invalid("retention is longer than ten years"));
        }
        Ok(())
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
            Phase::Retrying => &mut self.retrying,
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
    ready: [Line; PRIORITIES],
}

impl Lane {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            paused: false,
            settings: LaneSettings::INITIAL,
            counts: Counts::default(),
            groups: Groups::default(),
            ready: Default::default(),
        }
    }

    pub(crate) fn push_ready(&mut self, priority: u8, turn: u64, id: JobId) {
        if let Some(line) = self.ready.get_mut(usize::from(priority)) {
            line.push(turn, id);
        }
    }

    pub(crate) fn remove_ready(&mut self, priority: u8, turn: u64) {
        if let Some(line) = self.ready.get_mut(usize::from(priority)) {
            line.remove(turn);
        }
    }

    /// The job to run next: highest priority, then the one longest in line.
    pub(crate) fn first_ready(&self) -> Option<JobId> {
        self.fronts().next_back().map(|(_, id)| id)
    }

    /// The first of each priority that has any, lowest priority first.
    pub(crate) fn fronts(&self) -> impl DoubleEndedIterator<Item = (u64, JobId)> {
        self.ready.iter().filter_map(Line::front)
    }

    /// How many jobs a worker could get now.
    pub(crate) fn leasable(&self) -> usize {
        if self.paused {
            return 0;
        }
        let leases_left = match usize::try_from(self.settings.leased_max) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(most) => most.saturating_sub(self.counts.leased),
        };
        self.counts.ready.min(leases_left)
    }

    #[cfg(test)]
    pub(crate) fn lines(&self) -> Vec<Vec<(u64, JobId)>> {
        self.ready.iter().map(|line| line.iter().collect()).collect()
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
            lane.remove_ready(priority, id.get());
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
        check(false, LaneSettings { backoff_ms_base: 900_001, ..initial });
        check(false, LaneSettings { backoff_ms_max: u64::MAX, ..initial });
        check(false, LaneSettings { dead_ms_keep: u64::MAX, ..initial });
    }
}
