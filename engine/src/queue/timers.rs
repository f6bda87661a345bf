//! When something happens by itself.
//!
//! The persistent kinds have a key in family `timer`; the others follow from a job's state record.
//! Timers of one moment fire in the order of kind, then job.

use std::collections::{BTreeSet, HashMap};

use crate::queue::hash::GroupHash;
use crate::queue::lane::LaneId;
use crate::types::{JobId, Millis};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum TimerKind {
    /// A delayed job becomes ready.
    Schedule = 1,
    /// A failed job becomes ready again.
    Retry = 2,
    /// A lease ends. Only in memory: the deadline is in the state record.
    Lease = 3,
    /// A dead job is forgotten. Only in memory: it follows from the lane's settings.
    Retention = 4,
    /// A job becomes too old for another attempt. Only in memory: the time is in the state record.
    Age = 5,
}

impl TimerKind {
    pub(crate) fn from_raw(raw: u8) -> Option<Self> {
        // Only the persistent kinds are ever read back.
        [Self::Schedule, Self::Retry].into_iter().find(|kind| *kind as u8 == raw)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    armed: BTreeSet<(Millis, TimerKind, JobId)>,
}

impl Timers {
    pub(crate) fn arm(&mut self, at: Millis, kind: TimerKind, id: JobId) {
        self.armed.insert((at, kind, id));
    }

    pub(crate) fn disarm(&mut self, at: Millis, kind: TimerKind, id: JobId) {
        self.armed.remove(&(at, kind, id));
    }

    /// The first timer whose time has come.
    pub(crate) fn first_due(&self, now: Millis) -> Option<(TimerKind, JobId)> {
        let (at, kind, id) = self.armed.first()?;
        (*at <= now).then_some((*kind, *id))
    }

    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.armed.first().map(|(at, ..)| *at)
    }
}

/// When each bucket is looked at next.
#[derive(Debug, Default)]
pub(crate) struct Refills {
    armed: BTreeSet<(Millis, LaneId, GroupHash)>,
    at: HashMap<(LaneId, GroupHash), Millis>,
}

impl Refills {
    pub(crate) fn arm(&mut self, at: Millis, lane: LaneId, key: GroupHash) {
        if let Some(before) = self.at.insert((lane, key), at) {
            self.armed.remove(&(before, lane, key));
        }
        self.armed.insert((at, lane, key));
    }

    pub(crate) fn disarm(&mut self, lane: LaneId, key: GroupHash) {
        if let Some(before) = self.at.remove(&(lane, key)) {
            self.armed.remove(&(before, lane, key));
        }
    }

    /// The first bucket whose time has come.
    pub(crate) fn first_due(&self, now: Millis) -> Option<(LaneId, GroupHash)> {
        let (at, lane, key) = self.armed.first()?;
        (*at <= now).then_some((*lane, *key))
    }

    pub(crate) fn next_at(&self) -> Option<Millis> {
        self.armed.first().map(|(at, ..)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_by_time_then_kind_then_job_and_never_early() {
        let mut timers = Timers::default();
        let [one, two] = [JobId::new(1), JobId::new(2)];
        timers.arm(Millis::new(20), TimerKind::Schedule, one);
        timers.arm(Millis::new(10), TimerKind::Lease, one);
        timers.arm(Millis::new(10), TimerKind::Retry, two);
        assert_eq!(timers.next_at(), Some(Millis::new(10)));
        assert_eq!(timers.first_due(Millis::new(9)), None);
        assert_eq!(timers.first_due(Millis::new(10)), Some((TimerKind::Retry, two)));
        timers.disarm(Millis::new(10), TimerKind::Retry, two);
        assert_eq!(timers.first_due(Millis::new(99)), Some((TimerKind::Lease, one)));
        timers.disarm(Millis::new(10), TimerKind::Lease, one);
        assert_eq!(timers.first_due(Millis::new(19)), None);
        assert_eq!(timers.first_due(Millis::new(20)), Some((TimerKind::Schedule, one)));
    }
}
