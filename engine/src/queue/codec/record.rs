//! Values of the queue's families.

#![expect(clippy::mem_forget, reason = "wincode's derive forgets its own guard, which owns nothing")]

use bytes::Bytes;
use wincode::config::DefaultConfig;
use wincode::{SchemaRead, SchemaReadOwned, SchemaWrite};

use crate::error::{Error, Result};
use crate::queue::entry::{Entry, Phase};
use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::job::{FinishedJob, JobState, NewJob};
use crate::queue::lane::{LaneId, LaneSettings, check_lane_name};
use crate::queue::lease::Holder;
use crate::queue::limits::PRIORITY_MAX;
use crate::types::{Epoch, JobId, Millis};

const FORMAT: u8 = 1;
const CRC_LEN: usize = 4;
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

/// Fixed part of a lane in `meta`; tail: name.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct LaneFields {
    paused: u8,
    attempts_max: u32,
    backoff_ms_base: u64,
    backoff_ms_max: u64,
    done_ms_keep: u64,
    dead_ms_keep: u64,
    jobs_max: u32,
    leased_max: u32,
    name_len: u16,
}

/// What of a job never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) group: Option<String>,
    pub(crate) unique: Option<String>,
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
    seal(&fields, &[group.as_bytes(), unique.as_bytes(), &job.payload])
}

pub(crate) fn decode_envelope(value: Vec<u8>) -> Result<Envelope> {
    let value = Bytes::from(value);
    let (fields, tail) = unseal::<EnvelopeFields>(&value)?;
    let mut parts = Parts(tail);
    let group = parts.text(fields.group_len.into())?;
    let unique = parts.text(fields.unique_len.into())?;
    let payload = value.slice_ref(parts.bytes(wide(fields.payload_len))?);
    parts.finish()?;
    let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Envelope { group: name(group), unique: name(unique), payload })
}

pub(crate) fn encode_state(entry: &Entry) -> Vec<u8> {
    let error = entry.error.as_deref().unwrap_or_default();
    let is_process = entry.phase == Phase::Leased(Holder::Process);
    let fields = StateFields {
        state: entry.phase.state() as u8,
        priority: entry.priority,
        flags: if is_process { FLAG_PROCESS } else { 0 },
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
    seal(&fields, &[error.as_bytes()])
}

/// Reads a state back. The lane is in the key, the turn in `ready` or `grp`: until one of them is
/// found a ready job counts as waiting, at turn 0.
pub(crate) fn decode_state(value: &[u8]) -> Result<Entry> {
    let (fields, tail) = unseal::<StateFields>(value)?;
    let mut parts = Parts(tail);
    let error = parts.text(fields.error_len.into())?;
    parts.finish()?;
    let phase = match (JobState::from_raw(fields.state), fields.flags) {
        (Some(JobState::Scheduled), 0) => Phase::Scheduled,
        (Some(JobState::Ready), 0) => Phase::Waiting,
        (Some(JobState::Leased), 0) => Phase::Leased(Holder::Worker),
        (Some(JobState::Leased), FLAG_PROCESS) => Phase::Leased(Holder::Process),
        (Some(JobState::Retrying), 0) => Phase::Retrying,
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
        group: GroupHash::from_raw(fields.group),
        unique: UniqueHash::from_raw(fields.unique),
        error: (!error.is_empty()).then(|| error.into()),
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

pub(crate) fn encode_lane(name: &str, paused: bool, settings: &LaneSettings) -> Vec<u8> {
    let fields = LaneFields {
        paused: u8::from(paused),
        attempts_max: settings.attempts_max,
        backoff_ms_base: settings.backoff_ms_base,
        backoff_ms_max: settings.backoff_ms_max,
        done_ms_keep: settings.done_ms_keep,
        dead_ms_keep: settings.dead_ms_keep,
        jobs_max: settings.jobs_max,
        leased_max: settings.leased_max,
        name_len: short(name.len()),
    };
    seal(&fields, &[name.as_bytes()])
}

pub(crate) fn decode_lane(value: &[u8]) -> Result<(String, bool, LaneSettings)> {
    let (fields, tail) = unseal::<LaneFields>(value)?;
    let mut parts = Parts(tail);
    let name = parts.text(fields.name_len.into())?.to_owned();
    parts.finish()?;
    let settings = LaneSettings {
        attempts_max: fields.attempts_max,
        backoff_ms_base: fields.backoff_ms_base,
        backoff_ms_max: fields.backoff_ms_max,
        done_ms_keep: fields.done_ms_keep,
        dead_ms_keep: fields.dead_ms_keep,
        jobs_max: fields.jobs_max,
        leased_max: fields.leased_max,
    };
    let damaged = |error: Error| Error::corrupt(error.to_string());
    check_lane_name(&name).and_then(|()| settings.check()).map_err(damaged)?;
    if fields.paused > 1 {
        return Err(Error::corrupt(format!("pause flag {}", fields.paused)));
    }
    Ok((name, fields.paused == 1, settings))
}

fn seal<T: SchemaWrite<DefaultConfig, Src = T>>(fields: &T, tail: &[&[u8]]) -> Vec<u8> {
    let tail_len: usize = tail.iter().map(|part| part.len()).sum();
    let mut value = Vec::with_capacity(1 + size_of::<T>() + tail_len + CRC_LEN);
    value.push(FORMAT);
    write(&mut value, fields);
    for part in tail {
        value.extend_from_slice(part);
    }
    let crc = crc32c::crc32c(&value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

fn unseal<T: SchemaReadOwned<DefaultConfig, Dst = T>>(value: &[u8]) -> Result<(T, &[u8])> {
    let short = || Error::corrupt(format!("{} bytes are too short", value.len()));
    let (covered, crc) = value.split_last_chunk::<CRC_LEN>().ok_or_else(short)?;
    let (format, mut body) = covered.split_first().ok_or_else(short)?;
    let (found, stored) = (crc32c::crc32c(covered), u32::from_le_bytes(*crc));
    if found != stored {
        return Err(Error::corrupt(format!("checksum {found:08x}, {stored:08x} stored")));
    }
    if *format != FORMAT {
        return Err(Error::corrupt(format!("unknown format {format}")));
    }
    let fields = wincode::deserialize_from(&mut body).map_err(|e| Error::corrupt(e.to_string()))?;
    Ok((fields, body))
}

fn plain<T: SchemaWrite<DefaultConfig, Src = T>>(fields: &T) -> Vec<u8> {
    let mut value = Vec::with_capacity(size_of::<T>());
    write(&mut value, fields);
    value
}

fn parse<T: SchemaReadOwned<DefaultConfig, Dst = T>>(value: &[u8]) -> Result<T> {
    wincode::deserialize_exact(value).map_err(|e| Error::corrupt(e.to_string()))
}

#[expect(clippy::expect_used, reason = "fixed integers always fit a vector, which grows")]
fn write<T: SchemaWrite<DefaultConfig, Src = T>>(value: &mut Vec<u8>, fields: &T) {
    wincode::serialize_into(value, fields).expect("fixed integers are writable");
}

/// Lengths were checked against limits that fit; a longer part would fail its own decoding.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

fn long(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn wide(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Cuts the tail of a sealed value into its parts.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let short = || Error::corrupt(format!("{} bytes left, {len} expected", self.0.len()));
        let (part, rest) = self.0.split_at_checked(len).ok_or_else(short)?;
        self.0 = rest;
        Ok(part)
    }

    fn text(&mut self, len: usize) -> Result<&'a str> {
        std::str::from_utf8(self.bytes(len)?).map_err(|e| Error::corrupt(e.to_string()))
    }

    fn finish(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::corrupt(format!("{} bytes too many", self.0.len())))
    }
}
