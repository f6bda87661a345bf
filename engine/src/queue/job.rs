//! What a job is to those who add, run or watch it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::queue::entry::Progress;
use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::lane::check_lane_name;
use crate::queue::lease::{Grant, LeaseToken, millis_up};
use crate::queue::limits::{ATTEMPTS_MAX, DELAY_MS_MAX, JOB_NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, PRIORITY_MAX};
use crate::queue::record;
use crate::queue::retry::Retry;
use crate::types::{JobId, Millis};

/// A job to be enqueued, in the same commit as whatever causes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Which workers it is for: 1 to 64 bytes of letters, digits and `_ - . :`. Created on first use.
    pub lane: String,
    /// Opaque to the engine, at most 1 MiB.
    pub payload: Bytes,
    /// Members of one group run one at a time, in the order in which they joined; 1 to 200 bytes.
    pub group: Option<String>,
    /// 0 to 15; within a lane the higher runs first, equal ones in order of becoming ready.
    pub priority: u8,
    /// Not before this has passed, in whole milliseconds; a delayed job joins its group only then.
    pub delay: Duration,
    /// While an unfinished job of the lane has the same key, that job is answered and none is added.
    pub unique: Option<String>,
    /// After so many attempts the job is dead; 0 takes the lane's own number.
    pub attempts_max: u32,
    /// Jobs with one key share the lane's limits per key; 1 to 200 bytes. Without it the group is the key.
    pub key: Option<String>,
    /// When it is tried again after a failure; `None` takes the lane's own way.
    pub retry: Option<Retry>,
    /// From this age on no attempt begins and the job is dead; zero takes the lane's own.
    pub age_max: Duration,
}

impl NewJob {
    /// A job of lowest priority, without group, delay or unique key, with the lane's attempts.
    pub fn new(lane: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            lane: lane.into(),
            payload: payload.into(),
            group: None,
            priority: 0,
            delay: Duration::ZERO,
            unique: None,
            attempts_max: 0,
            key: None,
            retry: None,
            age_max: Duration::ZERO,
        }
    }

    /// The first member that is out of bounds, by its name, and why; such a job is refused whole.
    #[must_use]
    pub fn flaw(&self) -> Option<(&'static str, Error)> {
        let checks = [
            ("lane", check_lane_name(&self.lane)),
            ("payload", self.check_payload()),
            ("group", check_name("group", self.group.as_deref())),
            ("priority", self.check_priority()),
            ("delay", check_delay(self.delay).map(drop)),
            ("unique", check_name("unique key", self.unique.as_deref())),
            ("attempts_max", self.check_attempts()),
            ("key", check_name("key", self.key.as_deref())),
            ("retry", self.retry.map_or(Ok(()), |retry| retry.check())),
            ("age_max", check_delay(self.age_max).map(drop)),
        ];
        checks.into_iter().find_map(|(member, check)| Some((member, check.err()?)))
    }

    /// Checks every bound and does the work that needs no state, off the writer thread.
    pub(crate) fn prepare(&self) -> Result<PreparedJob> {
        if let Some((_, error)) = self.flaw() {
            return Err(error);
        }
        Ok(PreparedJob {
            lane: self.lane.clone(),
            group: self.group.as_deref().map_or(GroupHash::NONE, GroupHash::of),
            unique: self.unique.as_deref().map_or(UniqueHash::NONE, UniqueHash::of),
            priority: self.priority,
            delay_ms: check_delay(self.delay)?,
            attempts_max: self.attempts_max,
            key: self.key.as_deref().map(GroupHash::of),
            retry: self.retry.map(Retry::as_kept),
            age_ms_max: check_delay(self.age_max)?,
            envelope: record::encode_envelope(self),
        })
    }

    fn check_payload(&self) -> Result<()> {
        let payload_bytes = self.payload.len();
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the job payload is {payload_bytes} bytes long, at most {PAYLOAD_BYTES_MAX} are allowed"
            )));
        }
        Ok(())
    }

    fn check_priority(&self) -> Result<()> {
        if self.priority > PRIORITY_MAX {
            return Err(Error::invalid(format!("priority {} is above {PRIORITY_MAX}", self.priority)));
        }
        Ok(())
    }

    fn check_attempts(&self) -> Result<()> {
        if self.attempts_max > ATTEMPTS_MAX {
            return Err(Error::invalid(format!(
                "{} attempts are more than {ATTEMPTS_MAX}",
                self.attempts_max
            )));
        }
        Ok(())
    }
}

fn check_name(what: &str, name: Option<&str>) -> Result<()> {
    match name.map(str::len) {
        Some(0) => Err(Error::invalid(format!("the {what} of the job is empty"))),
        Some(len) if len > JOB_NAME_BYTES_MAX => Err(Error::invalid(format!(
            "the {what} of the job is {len} bytes long, at most {JOB_NAME_BYTES_MAX} are allowed"
        ))),
        _ => Ok(()),
    }
}

/// A delay in milliseconds, rounded up so that it never ends early.
pub(crate) fn check_delay(delay: Duration) -> Result<u64> {
    let delay_ms = millis_up(delay);
    if delay_ms > DELAY_MS_MAX {
        return Err(Error::invalid(format!("a delay of {delay:?} is longer than ten years")));
    }
    Ok(delay_ms)
}

/// A checked job, ready for the writer.
#[derive(Clone, Debug)]
pub(crate) struct PreparedJob {
    pub(crate) lane: String,
    pub(crate) group: GroupHash,
    pub(crate) unique: UniqueHash,
    pub(crate) priority: u8,
    pub(crate) delay_ms: u64,
    pub(crate) attempts_max: u32,
    pub(crate) key: Option<GroupHash>,
    pub(crate) retry: Option<Retry>,
    pub(crate) age_ms_max: u64,
    /// The value of family `job`.
    pub(crate) envelope: Vec<u8>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum JobState {
    /// Its delay has not passed.
    Scheduled = 1,
    /// May run now, or waits only for its group.
    Ready = 2,
    /// A worker has it.
    Leased = 3,
    /// Failed, waits for its next attempt.
    Retrying = 4,
    /// Completed; kept as long as the lane says.
    Done = 5,
    /// Gave up after its last attempt; waits for somebody to requeue or cancel it.
    Dead = 6,
    /// Taken out by somebody named.
    Cancelled = 7,
}

impl JobState {
    /// Every state, in the order of its number on disk.
    pub const ALL: [Self; 7] =
        [Self::Scheduled, Self::Ready, Self::Leased, Self::Retrying, Self::Done, Self::Dead, Self::Cancelled];

    /// The word the HTTP interface uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn from_raw(raw: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == raw)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| Error::invalid(format!("'{text}' is not a job state")))
    }
}

/// An unfinished or dead job as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The log sequence of the record that enqueued it.
    pub id: JobId,
    /// Its lane.
    pub lane: String,
    /// Where it stands.
    pub state: JobState,
    /// Attempts begun so far.
    pub attempt: u32,
    /// Attempts allowed since it was enqueued or last requeued.
    pub attempts_max: u32,
    /// 0 to 15, higher first.
    pub priority: u8,
    /// Its ordered group.
    pub group: Option<String>,
    /// Its unique key.
    pub unique: Option<String>,
    /// As enqueued.
    pub payload: Bytes,
    /// When it was enqueued.
    pub enqueued: Millis,
    /// When its last attempt began.
    pub started: Option<Millis>,
    /// When its state changes by itself: end of the delay, next attempt, end of the lease.
    pub due: Option<Millis>,
    /// What the last failed attempt left.
    pub error: Option<String>,
    /// What the limits per key count it under, if it is not its group.
    pub key: Option<String>,
    /// What its last heartbeat told.
    pub progress: Option<Progress>,
    /// No attempt begins from then on.
    pub deadline: Option<Millis>,
}

impl Job {
    /// Puts together what families `jst` and `job` hold.
    pub(crate) fn decode(lane: &str, id: JobId, state: &[u8], envelope: Vec<u8>) -> Result<Self> {
        let place = || format!("jst/{lane}/{id}");
        let entry = record::decode_state(state).map_err(|error| error.at(place()))?;
        let envelope =
            record::decode_envelope(envelope).map_err(|error| error.at(format_args!("job/{lane}/{id}")))?;
        let stands = entry.phase.state();
        let is_timed = matches!(stands, JobState::Scheduled | JobState::Leased | JobState::Retrying);
        Ok(Self {
            id,
            lane: lane.to_owned(),
            state: stands,
            attempt: entry.attempt,
            attempts_max: entry.attempts_max,
            priority: entry.priority,
            group: envelope.group,
            unique: envelope.unique,
            payload: envelope.payload,
            enqueued: entry.enqueued,
            started: (entry.attempt > 0).then_some(entry.started),
            due: is_timed.then_some(entry.at),
            deadline: entry.deadline(),
            error: entry.error.map(String::from),
            key: envelope.key,
            progress: entry.more.and_then(|more| more.progress),
        })
    }
}

/// A job that has left the queue, as kept in family `done`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedJob {
    /// The log sequence of the record that enqueued it.
    pub id: JobId,
    /// `Done` or `Cancelled`.
    pub state: JobState,
    /// Attempts begun.
    pub attempt: u32,
    /// When it was enqueued.
    pub enqueued: Millis,
    /// When its last attempt began.
    pub started: Option<Millis>,
    /// When it was completed or cancelled.
    pub finished: Millis,
    /// What the worker left; for a cancelled job, who took it out and why.
    pub result: Option<Bytes>,
}

/// A job in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedJob {
    /// The log sequence of the record that enqueued it.
    pub id: JobId,
    /// Proves the lease; every later call about the job takes it.
    pub lease: LeaseToken,
    /// When the lease ends unless a heartbeat extends it.
    pub until: Millis,
    /// Counted from 1.
    pub attempt: u32,
    /// Its ordered group.
    pub group: Option<String>,
    /// As enqueued.
    pub payload: Bytes,
}

impl LeasedJob {
    /// Completes a grant with the value of family `job` under `key::job(grant.lane, grant.id)`.
    pub(crate) fn open(grant: &Grant, envelope: Vec<u8>) -> Result<Self> {
        let envelope = record::decode_envelope(envelope)
            .map_err(|error| error.at(format_args!("job/{}/{}", grant.lane, grant.id)))?;
        Ok(Self {
            id: grant.id,
            lease: grant.lease,
            until: grant.until,
            attempt: grant.lease.attempt,
            group: envelope.group,
            payload: envelope.payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::retry::Backoff;

    fn job() -> NewJob {
        NewJob::new("publish:transmit", &b"{}"[..])
    }

    #[test]
    fn bounds() {
        let check = |is_fine: bool, job: NewJob| assert_eq!(job.prepare().is_ok(), is_fine, "{job:?}");
        let text = |len| Some("x".repeat(len));
        check(true, job());
        check(true, NewJob { payload: vec![0; PAYLOAD_BYTES_MAX].into(), ..job() });
        check(false, NewJob { payload: vec![0; PAYLOAD_BYTES_MAX + 1].into(), ..job() });
        check(true, NewJob { group: text(200), unique: text(200), priority: 15, ..job() });
        check(false, NewJob { group: text(0), ..job() });
        check(false, NewJob { group: text(201), ..job() });
        check(false, NewJob { unique: text(0), ..job() });
        check(true, NewJob { key: text(200), ..job() });
        check(false, NewJob { key: text(0), ..job() });
        check(false, NewJob { age_max: Duration::MAX, ..job() });
        let retry = Retry { backoff: Backoff::Linear, ms_base: 2, ms_max: 1 };
        check(false, NewJob { retry: Some(retry), ..job() });
        check(false, NewJob { unique: text(201), ..job() });
        check(false, NewJob { priority: 16, ..job() });
        check(true, NewJob { attempts_max: ATTEMPTS_MAX, ..job() });
        check(false, NewJob { attempts_max: ATTEMPTS_MAX + 1, ..job() });
        check(true, NewJob { delay: Duration::from_millis(DELAY_MS_MAX), ..job() });
        check(false, NewJob { delay: Duration::from_millis(DELAY_MS_MAX + 1), ..job() });
        check(false, NewJob { delay: Duration::MAX, ..job() });
        for lane in ["", "a b", "a/b", "\u{e9}", &"x".repeat(65)] {
            check(false, NewJob { lane: lane.to_owned(), ..job() });
        }
    }

    #[test]
    fn delays_round_up() {
        assert_eq!(check_delay(Duration::from_nanos(1)).unwrap(), 1);
        assert_eq!(check_delay(Duration::from_micros(2_000)).unwrap(), 2);
        assert_eq!(check_delay(Duration::ZERO).unwrap(), 0);
    }

    #[test]
    fn state_words_and_numbers_are_stable() {
        let words: Vec<&str> = JobState::ALL.iter().map(|state| state.as_str()).collect();
        let expected = ["scheduled", "ready", "leased", "retrying", "done", "dead", "cancelled"];
        assert_eq!(words, expected);
        for (raw, state) in (1..).zip(JobState::ALL) {
            assert_eq!(JobState::from_raw(raw), Some(state));
            assert_eq!(state.to_string().parse::<JobState>().unwrap(), state);
        }
        assert_eq!(JobState::from_raw(0), None);
        assert_eq!(JobState::from_raw(8), None);
        assert!("Ready".parse::<JobState>().is_err());
    }
}
