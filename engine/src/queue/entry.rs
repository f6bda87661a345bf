//! What the writer remembers of one job.

use crate::error::{Error, Result};
use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::job::JobState;
use crate::queue::lane::LaneId;
use crate::queue::lease::{Holder, LeaseToken};
use crate::queue::limits::{ERROR_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::queue::retry::Retry;
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
    /// `at`: next attempt; its group goes on without it. Seen from outside it is retrying.
    Skipped,
    /// `at`: time of death.
    Dead,
}

impl Phase {
    pub(crate) fn state(self) -> JobState {
        match self {
            Self::Scheduled => JobState::Scheduled,
            Self::Ready | Self::Waiting => JobState::Ready,
            Self::Leased(_) => JobState::Leased,
            Self::Retrying | Self::Skipped => JobState::Retrying,
            Self::Dead => JobState::Dead,
        }
    }

    /// Whether an attempt is yet to begin.
    pub(crate) fn awaits_attempt(self) -> bool {
        !matches!(self, Self::Leased(_) | Self::Dead)
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
    /// What the limits per key count it under: its own key, or its group.
    pub(crate) key: GroupHash,
    pub(crate) unique: UniqueHash,
    pub(crate) error: Option<Box<str>>,
    /// What few jobs have.
    pub(crate) more: Option<Box<More>>,
}

/// What few jobs have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct More {
    /// No attempt begins from then on; zero: none is too late.
    pub(crate) deadline: Millis,
    pub(crate) retry: Option<Retry>,
    pub(crate) progress: Option<Progress>,
}

/// How far an attempt has come, in the words of its worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// The first 512 bytes are kept.
    pub message: Option<String>,
}

impl Progress {
    pub(crate) fn check(&self) -> Result<()> {
        if self.percent.is_some_and(|percent| percent > 100) {
            return Err(Error::invalid("percent is above 100"));
        }
        Ok(())
    }
}

impl Entry {
    /// A job of a lane that is nowhere yet and nothing is known of.
    pub(crate) fn blank(lane: LaneId) -> Self {
        Self {
            lane,
            phase: Phase::Scheduled,
            priority: 0,
            attempt: 0,
            attempts_max: 1,
            attempts_base: 0,
            lease_epoch: Epoch::ZERO,
            enqueued: Millis::ZERO,
            started: Millis::ZERO,
            at: Millis::ZERO,
            turn: 0,
            group: GroupHash::NONE,
            key: GroupHash::NONE,
            unique: UniqueHash::NONE,
            error: None,
            more: None,
        }
    }

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

    /// No attempt begins from then on.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.more.as_ref().map(|more| more.deadline).filter(|deadline| *deadline > Millis::ZERO)
    }

    /// When age ends the wait for an attempt by itself.
    pub(crate) fn age_end(&self) -> Option<Millis> {
        self.deadline().filter(|_| self.phase.awaits_attempt())
    }

    pub(crate) fn is_too_late(&self, now: Millis) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// Changes what few jobs have.
    pub(crate) fn amend(&mut self, change: impl FnOnce(&mut More)) {
        let mut more = self.more.take().unwrap_or_default();
        change(&mut more);
        self.more = (*more != More::default()).then_some(more);
    }

    pub(crate) fn set_progress(&mut self, progress: Progress) {
        let end = |text: &str| text.floor_char_boundary(MESSAGE_BYTES_MAX);
        let message = progress.message.map(|mut text| {
            text.truncate(end(&text));
            text
        });
        let progress =
            Progress { percent: progress.percent, message: message.filter(|text| !text.is_empty()) };
        self.amend(|more| more.progress = Some(progress).filter(|kept| *kept != Progress::default()));
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
