//! Values of the queue's families.

#![expect(clippy::mem_forget, reason = "wincode's derive forgets its own guard, which owns nothing")]

use bytes::Bytes;
use wincode::{SchemaRead, SchemaWrite};

use super::retry::{decode_retry, encode_retry};
use super::seal::{
    Parts, long, nothing_more, parse, plain, seal, seal_both, short, tiny, unseal, unseal_both, wide,
};
use crate::error::{Error, Result};
use crate::queue::entry::{Entry, More, Phase, Progress};
use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::job::{FinishedJob, JobState, NewJob};
use crate::queue::lane::LaneId;
use crate::queue::lease::Holder;
use crate::queue::limits::PRIORITY_MAX;
use crate::queue::rate::Meter;
use crate::types::{Epoch, JobId, Millis};

/// A percentage that was not told.
const PERCENT_NONE: u8 = u8::MAX;
/// The group goes on without the job.
const FLAG_SKIPPED: u8 = 0x02;
/// The lease belongs to a thread of the process.
const FLAG_PROCESS: u8 = 0x01;
/// A result is present, though it may be empty.
const FLAG_RESULT: u8 = 0x01;

/// Fixed part of `job`; tail: group, unique key, payload. A length of 0 means no name.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct EnvelopeFields {
    group_len: u16,
    unique_len: u16,
    payload_len: u32,
}

/// What few of `job` have; first in the tail: key.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct EnvelopeMore {
    key_len: u16,
}

/// Fixed part of `jst`; tail: last error.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct StateFields {
    state: u8,
    priority: u8,
    flags: u8,
    attempt: u32,
    attempts_max: u32,
    attempts_base: u32,
    lease_epoch: u32,
    enqueued_ms: u64,
    started_ms: u64,
    at_ms: u64,
    group: u64,
    unique: [u8; 16],
    error_len: u16,
}

/// What few of `jst` have; after the error in the tail: progress message, retry.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct StateMore {
    key: u64,
    deadline_ms: u64,
    percent: u8,
    message_len: u16,
    retry_len: u8,
}

/// Fixed part of `dead`; tail: reason.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct DeadFields {
    attempt: u32,
    enqueued_ms: u64,
    reason_len: u16,
}

/// Fixed part of `done`; tail: result.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct DoneFields {
    state: u8,
    flags: u8,
    attempt: u32,
    enqueued_ms: u64,
    started_ms: u64,
    result_len: u32,
}

/// What of a job never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) group: Option<String>,
    pub(crate) unique: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) payload: Bytes,
}

pub(crate) fn encode_envelope(job: &NewJob) -> Vec<u8> {
    let group = job.group.as_deref().unwrap_or_default();
    let unique = job.unique.as_deref().unwrap_or_default();
    let fields = EnvelopeFields {
        group_len: short(group.len()),
        unique_len: short(unique.len()),
        payload_len: long(job.payload.len()),
    };
    let key = job.key.as_deref().unwrap_or_default();
    let more = (!key.is_empty()).then(|| EnvelopeMore { key_len: short(key.len()) });
    seal_both(&fields, more.as_ref(), &[key.as_bytes(), group.as_bytes(), unique.as_bytes(), &job.payload])
}

pub(crate) fn decode_envelope(value: Vec<u8>) -> Result<Envelope> {
    let value = Bytes::from(value);
    let (fields, more, tail) = unseal_both::<EnvelopeFields, EnvelopeMore>(&value)?;
    let mut parts = Parts(tail);
    let key = parts.text(more.as_ref().map_or(0, |more| more.key_len.into()))?;
    if more.is_some() && key.is_empty() {
        return Err(nothing_more());
    }
    let group = parts.text(fields.group_len.into())?;
    let unique = parts.text(fields.unique_len.into())?;
    let payload = value.slice_ref(parts.bytes(wide(fields.payload_len))?);
    parts.finish()?;
    let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Envelope { group: name(group), unique: name(unique), key: name(key), payload })
}

pub(crate) fn encode_state(entry: &Entry) -> Vec<u8> {
    let error = entry.error.as_deref().unwrap_or_default();
    let fields = StateFields {
        state: entry.phase.state() as u8,
        priority: entry.priority,
        flags: match entry.phase {
            Phase::Leased(Holder::Process) => FLAG_PROCESS,
            Phase::Skipped => FLAG_SKIPPED,
            _ => 0,
        },
        attempt: entry.attempt,
        attempts_max: entry.attempts_max,
        attempts_base: entry.attempts_base,
        lease_epoch: entry.lease_epoch.get(),
        enqueued_ms: entry.enqueued.get(),
        started_ms: entry.started.get(),
        at_ms: entry.at.get(),
        group: entry.group.raw(),
        unique: entry.unique.raw(),
        error_len: short(error.len()),
    };
    if entry.key == entry.group && entry.more.is_none() {
        return seal(&fields, &[error.as_bytes()]);
    }
    let progress = entry.more.as_ref().and_then(|more| more.progress.as_ref());
    let message = progress.and_then(|progress| progress.message.as_deref()).unwrap_or_default();
    let retry =
        entry.more.as_ref().and_then(|more| more.retry.as_ref()).map(encode_retry).unwrap_or_default();
    let more = StateMore {
        key: if entry.key == entry.group { 0 } else { entry.key.raw() },
        deadline_ms: entry.deadline().map_or(0, Millis::get),
        percent: progress.and_then(|progress| progress.percent).unwrap_or(PERCENT_NONE),
        message_len: short(message.len()),
        retry_len: tiny(retry.len()),
    };
    seal_both(&fields, Some(&more), &[error.as_bytes(), message.as_bytes(), &retry])
}

/// Reads what few jobs have; what follows the error in the tail is theirs.
fn decode_more(more: &StateMore, parts: &mut Parts<'_>) -> Result<(GroupHash, Option<Box<More>>)> {
    let message = parts.text(more.message_len.into())?;
    let retry = decode_retry(parts.bytes(more.retry_len.into())?)?;
    let percent = (more.percent != PERCENT_NONE).then_some(more.percent);
    let progress = Progress { percent, message: (!message.is_empty()).then(|| message.to_owned()) };
    progress.check().map_err(|error| Error::corrupt(error.to_string()))?;
    let progress = Some(progress).filter(|progress| *progress != Progress::default());
    let few = More { deadline: Millis::new(more.deadline_ms), retry, progress };
    let few = (few != More::default()).then(|| Box::new(few));
    if few.is_none() && more.key == 0 {
        return Err(nothing_more());
    }
    Ok((GroupHash::from_raw(more.key), few))
}

/// Reads a state back. The lane is in the key, the turn in `ready` or `grp`: until one of them is
/// found a ready job counts as waiting, at turn 0.
pub(crate) fn decode_state(value: &[u8]) -> Result<Entry> {
    let (fields, more, tail) = unseal_both::<StateFields, StateMore>(value)?;
    let mut parts = Parts(tail);
    let error = parts.text(fields.error_len.into())?;
    let few = more.as_ref().map(|more| decode_more(more, &mut parts)).transpose()?;
    parts.finish()?;
    let group = GroupHash::from_raw(fields.group);
    let (key, more) = few.unwrap_or_default();
    let phase = match (JobState::from_raw(fields.state), fields.flags) {
        (Some(JobState::Scheduled), 0) => Phase::Scheduled,
        (Some(JobState::Ready), 0) => Phase::Waiting,
        (Some(JobState::Leased), 0) => Phase::Leased(Holder::Worker),
        (Some(JobState::Leased), FLAG_PROCESS) => Phase::Leased(Holder::Process),
        (Some(JobState::Retrying), 0) => Phase::Retrying,
        (Some(JobState::Retrying), FLAG_SKIPPED) => Phase::Skipped,
        (Some(JobState::Dead), 0) => Phase::Dead,
        (_, flags) => {
            return Err(Error::corrupt(format!("state {} with flags {flags:#04x}", fields.state)));
        }
    };
    if fields.priority > PRIORITY_MAX {
        return Err(Error::corrupt(format!("priority {}", fields.priority)));
    }
    Ok(Entry {
        lane: LaneId::new(0),
        phase,
        priority: fields.priority,
        attempt: fields.attempt,
        attempts_max: fields.attempts_max,
        attempts_base: fields.attempts_base,
        lease_epoch: Epoch::new(fields.lease_epoch),
        enqueued: Millis::new(fields.enqueued_ms),
        started: Millis::new(fields.started_ms),
        at: Millis::new(fields.at_ms),
        turn: 0,
        group,
        key: if key.is_some() { key } else { group },
        unique: UniqueHash::from_raw(fields.unique),
        error: (!error.is_empty()).then(|| error.into()),
        more,
    })
}

/// A member of a line, in family `ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct ReadyFields {
    id: u64,
    group: u64,
    since_ms: u64,
}

pub(crate) fn encode_ready(id: JobId, group: GroupHash, since: Millis) -> Vec<u8> {
    plain(&ReadyFields { id: id.get(), group: group.raw(), since_ms: since.get() })
}

pub(crate) fn decode_ready(value: &[u8]) -> Result<(JobId, GroupHash, Millis)> {
    let fields: ReadyFields = parse(value)?;
    Ok((JobId::new(fields.id), GroupHash::from_raw(fields.group), Millis::new(fields.since_ms)))
}

pub(crate) fn encode_waiting(id: JobId) -> [u8; 8] {
    id.get().to_le_bytes()
}

pub(crate) fn decode_waiting(value: &[u8]) -> Result<JobId> {
    parse(value).map(JobId::new)
}

/// The holder of a unique key, in family `uniq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct UniqueFields {
    id: u64,
    until_ms: u64,
}

pub(crate) fn encode_unique(id: JobId) -> Vec<u8> {
    plain(&UniqueFields { id: id.get(), until_ms: 0 })
}

pub(crate) fn decode_unique(value: &[u8]) -> Result<JobId> {
    let fields: UniqueFields = parse(value)?;
    if fields.until_ms != 0 {
        return Err(Error::corrupt("a unique key with an end"));
    }
    Ok(JobId::new(fields.id))
}

pub(crate) fn encode_dead(entry: &Entry, reason: &str) -> Vec<u8> {
    let fields = DeadFields {
        attempt: entry.attempt,
        enqueued_ms: entry.enqueued.get(),
        reason_len: short(reason.len()),
    };
    seal(&fields, &[reason.as_bytes()])
}

/// Why a job died. The rest is still in `jst`.
pub(crate) fn decode_dead(value: &[u8]) -> Result<String> {
    let (fields, tail) = unseal::<DeadFields>(value)?;
    let mut parts = Parts(tail);
    let reason = parts.text(fields.reason_len.into())?.to_owned();
    parts.finish()?;
    Ok(reason)
}

/// `state` is `Done` or `Cancelled`.
pub(crate) fn encode_done(entry: &Entry, state: JobState, result: Option<&[u8]>) -> Vec<u8> {
    let fields = DoneFields {
        state: state as u8,
        flags: if result.is_some() { FLAG_RESULT } else { 0 },
        attempt: entry.attempt,
        enqueued_ms: entry.enqueued.get(),
        started_ms: entry.started.get(),
        result_len: long(result.map_or(0, <[u8]>::len)),
    };
    seal(&fields, &[result.unwrap_or_default()])
}

/// Where the row of a finished job is, in family `done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct FinishedFields {
    lane: u32,
    at_ms: u64,
}

pub(crate) fn encode_finished(lane: LaneId, at: Millis) -> Vec<u8> {
    plain(&FinishedFields { lane: lane.get(), at_ms: at.get() })
}

pub(crate) fn decode_finished(value: &[u8]) -> Result<(LaneId, Millis)> {
    let fields: FinishedFields = parse(value)?;
    Ok((LaneId::new(fields.lane), Millis::new(fields.at_ms)))
}

pub(crate) fn decode_done(id: JobId, finished: Millis, value: Vec<u8>) -> Result<FinishedJob> {
    let value = Bytes::from(value);
    let (fields, tail) = unseal::<DoneFields>(&value)?;
    let mut parts = Parts(tail);
    let result = value.slice_ref(parts.bytes(wide(fields.result_len))?);
    parts.finish()?;
    let state = JobState::from_raw(fields.state)
        .filter(|state| matches!(state, JobState::Done | JobState::Cancelled))
        .ok_or_else(|| Error::corrupt(format!("outcome {}", fields.state)))?;
    if fields.flags & !FLAG_RESULT != 0 || (fields.flags == 0 && !result.is_empty()) {
        return Err(Error::corrupt(format!("flags {:#04x}", fields.flags)));
    }
    Ok(FinishedJob {
        id,
        state,
        attempt: fields.attempt,
        enqueued: Millis::new(fields.enqueued_ms),
        started: (fields.attempt > 0).then(|| Millis::new(fields.started_ms)),
        finished,
        result: (fields.flags != 0).then_some(result),
    })
}

/// A bucket, in family `meta`.
pub(crate) fn encode_meter(meter: Meter) -> [u8; 8] {
    meter.get().to_le_bytes()
}

pub(crate) fn decode_meter(value: &[u8]) -> Result<Meter> {
    match parse(value)? {
        0 => Err(Error::corrupt("a bucket that is full")),
        full_us => Ok(Meter::new(full_us)),
    }
}
