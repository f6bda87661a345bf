//! Who may finish a job, and until when.
//!
//! A token is (boot epoch, job, attempt). The attempt is written with the lease but not waited for, so
//! a power cut may forget it; the epoch then tells the old holder from the new one. A lease written
//! down survives a restart: a worker elsewhere keeps it, one inside the process is gone with it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::queue::entry::Progress;
use crate::queue::job::JobState;
use crate::queue::lane::LaneId;
use crate::queue::limits::{LEASE_MS_MAX, RESULT_BYTES_MAX};
use crate::types::{Epoch, JobId, Millis};

/// Proof of one lease, passed through unchanged by workers.
///
/// Text form: `<epoch>-<job>-<attempt>`, decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseToken {
    pub(crate) epoch: Epoch,
    pub(crate) id: JobId,
    pub(crate) attempt: u32,
}

impl LeaseToken {
    /// The job it is about.
    #[must_use]
    pub const fn id(self) -> JobId {
        self.id
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.epoch, self.id, self.attempt)
    }
}

impl FromStr for LeaseToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('-');
        let parsed = (|| {
            let epoch = Epoch::new(parts.next()?.parse().ok()?);
            let id = JobId::new(parts.next()?.parse().ok()?);
            let attempt = parts.next()?.parse().ok()?;
            Some(Self { epoch, id, attempt })
        })();
        // Comparing with the text refuses other spellings of the same numbers.
        parsed
            .filter(|token| token.to_string() == text)
            .ok_or_else(|| Error::invalid("not a lease of this store"))
    }
}

/// Where the holder of a lease lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Elsewhere: the lease outlives a restart of the server.
    Worker,
    /// A thread of this process: the lease ends with it.
    Process,
}

/// How long a lease lasts without a heartbeat: 1 ms to 1 day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTerm {
    pub(crate) ms: u64,
}

impl LeaseTerm {
    /// Checks and wraps a length of time.
    ///
    /// # Errors
    /// `Invalid` when it is zero or longer than a day.
    pub fn new(term: Duration) -> Result<Self> {
        let ms = millis_up(term);
        if ms == 0 || ms > LEASE_MS_MAX {
            return Err(Error::invalid(format!("a lease of {term:?} is not within 1 ms to 1 day")));
        }
        Ok(Self { ms })
    }
}

/// Whole milliseconds, rounded up.
pub(crate) fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A lease just given; the payload is still in family `job`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) lane: LaneId,
    pub(crate) id: JobId,
    pub(crate) lease: LeaseToken,
    pub(crate) until: Millis,
}

/// A worker has completed a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// From the lease.
    pub lease: LeaseToken,
    /// What to keep beside the finished job, at most 64 KiB.
    pub result: Option<Bytes>,
}

impl Ack {
    pub(crate) fn check(&self) -> Result<()> {
        let result_bytes = self.result.as_ref().map_or(0, Bytes::len);
        if result_bytes <= RESULT_BYTES_MAX {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the result is {result_bytes} bytes long, at most {RESULT_BYTES_MAX} are allowed"
        )))
    }
}

/// A worker could not complete a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    /// From the lease.
    pub lease: LeaseToken,
    /// What went wrong; the first 512 bytes are kept.
    pub error: String,
    /// Wait before the next attempt; without it the lane's backoff decides.
    pub retry_in: Option<Duration>,
}

/// A worker is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// From the lease.
    pub lease: LeaseToken,
    /// How long the lease lasts from now.
    pub term: LeaseTerm,
    /// How far it has come; `None` leaves what was told before.
    pub progress: Option<Progress>,
}

impl Heartbeat {
    pub(crate) fn check(&self) -> Result<()> {
        self.progress.as_ref().map_or(Ok(()), Progress::check)
    }
}

/// What a worker is told that is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Go on; the lease ends then.
    Until(Millis),
    /// The job was cancelled: stop. The lease is over.
    Cancel,
}

/// What became of a job that was not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nacked {
    /// `Retrying` or `Dead`.
    pub state: JobState,
    /// When the next attempt may begin.
    pub due: Option<Millis>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_text_is_canonical() {
        let token = LeaseToken { epoch: Epoch::new(3), id: JobId::new(42), attempt: 1 };
        assert_eq!(token.to_string(), "3-42-1");
        assert_eq!("3-42-1".parse::<LeaseToken>().unwrap(), token);
        let largest = "4294967295-18446744073709551615-4294967295";
        assert_eq!(largest.parse::<LeaseToken>().unwrap().to_string(), largest);
        for bad in [
            "",
            "3",
            "3-42",
            "3-42-",
            "3-42-1-",
            "3-42-1-1",
            "03-42-1",
            "+3-42-1",
            "3-42-01",
            "3-42-4294967296",
        ] {
            assert!(bad.parse::<LeaseToken>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn terms_are_bounded() {
        let check = |term, ms: Option<u64>| assert_eq!(LeaseTerm::new(term).ok().map(|term| term.ms), ms);
        check(Duration::ZERO, None);
        check(Duration::from_nanos(1), Some(1));
        check(Duration::from_secs(86_400), Some(86_400_000));
        check(Duration::from_millis(86_400_001), None);
        check(Duration::MAX, None);
    }
}
