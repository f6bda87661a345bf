//! The value of a lane: its name, pause flag and settings.

#![expect(clippy::mem_forget, reason = "wincode's derive forgets its own guard, which owns nothing")]

use wincode::{SchemaRead, SchemaWrite};

use super::retry::{decode_retry, encode_retry};
use super::seal::{Parts, nothing_more, seal_both, short, tiny, unseal_both};
use crate::error::{Error, Result};
use crate::queue::lane::{GroupOnFail, LaneSettings, check_lane_name};
use crate::queue::rate::Rate;
use crate::queue::retry::{Backoff, Retry};

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

/// What few lanes have; after the name in the tail: retry, unless it is exponential.
#[derive(Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub(super) struct LaneMore {
    group_on_fail: u8,
    draining: u8,
    key_leased_max: u32,
    age_ms_max: u64,
    rate_jobs: u32,
    rate_ms: u64,
    rate_burst: u32,
    key_rate_jobs: u32,
    key_rate_ms: u64,
    key_rate_burst: u32,
    retry_len: u8,
}

pub(crate) fn encode_lane(name: &str, paused: bool, settings: &LaneSettings) -> Vec<u8> {
    let fields = LaneFields {
        paused: u8::from(paused),
        attempts_max: settings.attempts_max,
        backoff_ms_base: settings.retry.ms_base,
        backoff_ms_max: settings.retry.ms_max,
        done_ms_keep: settings.done_ms_keep,
        dead_ms_keep: settings.dead_ms_keep,
        jobs_max: settings.jobs_max,
        leased_max: settings.leased_max,
        name_len: short(name.len()),
    };
    // Base and maximum are in the first header already, where a list makes no use of them.
    let retry = match settings.retry.backoff {
        Backoff::Exponential => Vec::new(),
        _ => encode_retry(&settings.retry),
    };
    let (rate, key_rate) = (rate_parts(settings.rate), rate_parts(settings.key_rate));
    let more = LaneMore {
        group_on_fail: settings.group_on_fail as u8,
        draining: u8::from(settings.draining),
        key_leased_max: settings.key_leased_max,
        age_ms_max: settings.age_ms_max,
        rate_jobs: rate.0,
        rate_ms: rate.1,
        rate_burst: rate.2,
        key_rate_jobs: key_rate.0,
        key_rate_ms: key_rate.1,
        key_rate_burst: key_rate.2,
        retry_len: tiny(retry.len()),
    };
    let says_more = more != LaneMore::NOTHING;
    seal_both(&fields, says_more.then_some(&more), &[name.as_bytes(), &retry])
}

impl LaneMore {
    /// What a lane has without a second header.
    const NOTHING: Self = Self {
        group_on_fail: GroupOnFail::Block as u8,
        draining: 0,
        key_leased_max: 0,
        age_ms_max: 0,
        rate_jobs: 0,
        rate_ms: 0,
        rate_burst: 0,
        key_rate_jobs: 0,
        key_rate_ms: 0,
        key_rate_burst: 0,
        retry_len: 0,
    };
}

/// Zeros for no rate: a rate has none.
fn rate_parts(rate: Option<Rate>) -> (u32, u64, u32) {
    rate.map_or((0, 0, 0), |rate| (rate.jobs, rate.per_ms, rate.burst))
}

fn rate_of(jobs: u32, per_ms: u64, burst: u32) -> Option<Rate> {
    ((jobs, per_ms, burst) != (0, 0, 0)).then_some(Rate { jobs, per_ms, burst })
}

pub(crate) fn decode_lane(value: &[u8]) -> Result<(String, bool, LaneSettings)> {
    let (fields, more, tail) = unseal_both::<LaneFields, LaneMore>(value)?;
    if more == Some(LaneMore::NOTHING) {
        return Err(nothing_more());
    }
    let more = more.unwrap_or(LaneMore::NOTHING);
    let mut parts = Parts(tail);
    let name = parts.text(fields.name_len.into())?.to_owned();
    let backoff = match decode_retry(parts.bytes(more.retry_len.into())?)? {
        Some(Retry { backoff: Backoff::Exponential, .. }) => return Err(nothing_more()),
        other => other.map_or(Backoff::Exponential, |retry| retry.backoff),
    };
    parts.finish()?;
    let policy = GroupOnFail::from_raw(more.group_on_fail);
    let group_on_fail =
        policy.ok_or_else(|| Error::corrupt(format!("group policy {}", more.group_on_fail)))?;
    let settings = LaneSettings {
        attempts_max: fields.attempts_max,
        retry: Retry { backoff, ms_base: fields.backoff_ms_base, ms_max: fields.backoff_ms_max },
        done_ms_keep: fields.done_ms_keep,
        dead_ms_keep: fields.dead_ms_keep,
        jobs_max: fields.jobs_max,
        leased_max: fields.leased_max,
        key_leased_max: more.key_leased_max,
        rate: rate_of(more.rate_jobs, more.rate_ms, more.rate_burst),
        key_rate: rate_of(more.key_rate_jobs, more.key_rate_ms, more.key_rate_burst),
        group_on_fail,
        age_ms_max: more.age_ms_max,
        draining: more.draining != 0,
    };
    let damaged = |error: Error| Error::corrupt(error.to_string());
    check_lane_name(&name).and_then(|()| settings.check()).map_err(damaged)?;
    if fields.paused.max(more.draining) > 1 {
        return Err(Error::corrupt(format!("flags {} and {}", fields.paused, more.draining)));
    }
    Ok((name, fields.paused == 1, settings))
}
