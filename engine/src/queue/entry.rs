//! What the writer remembers of one job.

use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::job::JobState;
use crate::queue::lane::LaneId;
use crate::queue::lease::{Holder, LeaseToken};
use crate::queue::limits::ERROR_BYTES_MAX;
use crate::types::{Epoch, JobId, Millis};

/// Where a job stands, and what `Entry::at` then means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `at`: end of the delay.
    Scheduled,
    /// In line; `at`: since when.
    Ready,
    /// Behind the head of its group; `at`: since when. Seen from outside it is ready.
    Waiting,
    /// `at`: end of the lease.
    Leased(Holder),
    /// `at`: next attempt.
    Retrying,
    /// `at`: time of death.
    Dead,
}

impl Phase {
    pub(crate) fn state(self) -> JobState {
        match self {
            Self::Scheduled => JobState::Scheduled,
            Self::Ready | Self::Waiting => JobState::Ready,
            Self::Leased(_) => JobState::Leased,
            Self::Retrying => JobState::Retrying,
            Self::Dead => JobState::Dead,
        }
    }

    /// Whether a group member in this phase holds the others back.
    pub(crate) fn heads_group(self) -> bool {
        matches!(self, Self::Ready | Self::Leased(_) | Self::Retrying)
    }
}

/// Everything but the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) lane: LaneId,
    pub(crate) phase: Phase,
    pub(crate) priority: u8,
    /// Leases given so far; never falls, so that no token is given twice.
    pub(crate) attempt: u32,
    /// Attempts allowed beyond `attempts_base`.
    pub(crate) attempts_max: u32,
    /// Attempts that no longer count: those before a requeue, and leases handed back.
    pub(crate) attempts_base: u32,
    /// Epoch of the last lease.
    pub(crate) lease_epoch: Epoch,
    pub(crate) enqueued: Millis,
    /// When the last lease was given.
    pub(crate) started: Millis,
    pub(crate) at: Millis,
    /// Place in line, while ready or waiting.
    pub(crate) turn: u64,
    pub(crate) group: GroupHash,
    pub(crate) unique: UniqueHash,
    pub(crate) error: Option<Box<str>>,
}

impl Entry {
    pub(crate) fn is_leased_under(&self, lease: LeaseToken) -> bool {
        matches!(self.phase, Phase::Leased(_))
            && self.lease_epoch == lease.epoch
            && self.attempt == lease.attempt
    }

    /// Failures in a row that count.
    pub(crate) fn failures(&self) -> u32 {
        self.attempt.saturating_sub(self.attempts_base)
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.failures() >= self.attempts_max
    }

    pub(crate) fn token(&self, id: JobId) -> LeaseToken {
        LeaseToken { epoch: self.lease_epoch, id, attempt: self.attempt }
    }

    pub(crate) fn set_error(&mut self, error: &str) {
        self.error = Some(cut(error)).filter(|kept| !kept.is_empty()).map(Box::from);
    }
}

/// The longest beginning that is kept, ending between characters.
pub(crate) fn cut(text: &str) -> &str {
    let end = text.floor_char_boundary(ERROR_BYTES_MAX);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_errors_end_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"x".repeat(513)).len(), 512);
        assert_eq!(cut(&"\u{20ac}".repeat(200)).len(), 510);
    }
}
