//! Keys of the queue's families.

use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::lane::LaneId;
use crate::queue::timers::TimerKind;
use crate::types::{JobId, Millis};

/// What all keys of the queue in family `meta` begin with.
pub(crate) const META_PREFIX: &[u8] = b"queue/";
/// What the keys of all lanes in family `meta` begin with.
const LANE_PREFIX: &[u8] = b"queue/lane/";
/// What the keys of all buckets in family `meta` begin with; they come after the lanes.
const RATE_PREFIX: &[u8] = b"queue/rate/";
/// Lanes are counted from 1.
const NO_LANE: LaneId = LaneId::new(0);

/// Key in families `job` and `jst`.
pub(crate) fn job(lane: LaneId, id: JobId) -> [u8; 12] {
    join(&[&lane.get().to_be_bytes(), &id.get().to_be_bytes()])
}

pub(crate) fn parse_job(key: &[u8]) -> Option<(LaneId, JobId)> {
    let mut rest = key;
    let parsed = (take_lane(&mut rest)?, take_id(&mut rest)?);
    rest.is_empty().then_some(parsed)
}

pub(crate) fn ready(lane: LaneId, priority: u8, turn: u64) -> [u8; 13] {
    join(&[&lane.get().to_be_bytes(), &[!priority], &turn.to_be_bytes()])
}

pub(crate) fn parse_ready(key: &[u8]) -> Option<(LaneId, u8, u64)> {
    let mut rest = key;
    let lane = take_lane(&mut rest)?;
    let [inverted] = take(&mut rest)?;
    let turn = u64::from_be_bytes(take(&mut rest)?);
    rest.is_empty().then_some((lane, !inverted, turn))
}

pub(crate) fn timer(at: Millis, kind: TimerKind, lane: LaneId, id: JobId) -> [u8; 21] {
    let kind = [kind as u8];
    join(&[&at.get().to_be_bytes(), &kind, &lane.get().to_be_bytes(), &id.get().to_be_bytes()])
}

pub(crate) fn parse_timer(key: &[u8]) -> Option<(Millis, TimerKind, LaneId, JobId)> {
    let mut rest = key;
    let at = take_millis(&mut rest)?;
    let [kind] = take(&mut rest)?;
    let kind = TimerKind::from_raw(kind)?;
    let parsed = (at, kind, take_lane(&mut rest)?, take_id(&mut rest)?);
    rest.is_empty().then_some(parsed)
}

pub(crate) fn group(lane: LaneId, group: GroupHash, turn: u64) -> [u8; 20] {
    join(&[&lane.get().to_be_bytes(), &group.raw().to_be_bytes(), &turn.to_be_bytes()])
}

pub(crate) fn parse_group(key: &[u8]) -> Option<(LaneId, GroupHash, u64)> {
    let mut rest = key;
    let lane = take_lane(&mut rest)?;
    let group = GroupHash::from_raw(u64::from_be_bytes(take(&mut rest)?));
    let turn = u64::from_be_bytes(take(&mut rest)?);
    rest.is_empty().then_some((lane, group, turn))
}

pub(crate) fn unique(lane: LaneId, hash: UniqueHash) -> [u8; 20] {
    join(&[&lane.get().to_be_bytes(), &hash.raw()])
}

pub(crate) fn parse_unique(key: &[u8]) -> Option<(LaneId, UniqueHash)> {
    let mut rest = key;
    let parsed = (take_lane(&mut rest)?, UniqueHash::from_raw(take(&mut rest)?));
    rest.is_empty().then_some(parsed)
}

/// Key in families `dead` and `done`.
pub(crate) fn filed(lane: LaneId, at: Millis, id: JobId) -> [u8; 20] {
    join(&[&lane.get().to_be_bytes(), &at.get().to_be_bytes(), &id.get().to_be_bytes()])
}

pub(crate) fn parse_filed(key: &[u8]) -> Option<(LaneId, Millis, JobId)> {
    let mut rest = key;
    let parsed = (take_lane(&mut rest)?, take_millis(&mut rest)?, take_id(&mut rest)?);
    rest.is_empty().then_some(parsed)
}

/// Key in family `done` of where the row of a finished job is: before the rows of all lanes.
pub(crate) fn finished(id: JobId) -> [u8; 12] {
    job(NO_LANE, id)
}

pub(crate) fn parse_finished(key: &[u8]) -> Option<JobId> {
    parse_job(key).filter(|(lane, _)| *lane == NO_LANE).map(|(_, id)| id)
}

/// Key of a lane in family `meta`.
pub(crate) fn meta_lane(lane: LaneId) -> [u8; 15] {
    join(&[LANE_PREFIX, &lane.get().to_be_bytes()])
}

pub(crate) fn parse_meta_lane(key: &[u8]) -> Option<LaneId> {
    let mut rest = key.strip_prefix(LANE_PREFIX)?;
    let lane = take_lane(&mut rest)?;
    rest.is_empty().then_some(lane)
}

/// Key of a bucket in family `meta`.
pub(crate) fn meta_rate(lane: LaneId, key: GroupHash) -> [u8; 23] {
    join(&[RATE_PREFIX, &lane.get().to_be_bytes(), &key.raw().to_be_bytes()])
}

pub(crate) fn parse_meta_rate(key: &[u8]) -> Option<(LaneId, GroupHash)> {
    let mut rest = key.strip_prefix(RATE_PREFIX)?;
    let lane = take_lane(&mut rest)?;
    let key = GroupHash::from_raw(u64::from_be_bytes(take(&mut rest)?));
    rest.is_empty().then_some((lane, key))
}

/// The parts side by side. Their lengths are fixed by the caller and must add up to `N`.
fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    let mut free = key.as_mut_slice();
    for part in parts {
        let (place, rest) = free.split_at_mut(part.len());
        place.copy_from_slice(part);
        free = rest;
    }
    debug_assert!(free.is_empty(), "the parts do not fill the key");
    key
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

fn take_lane(rest: &mut &[u8]) -> Option<LaneId> {
    take(rest).map(|raw| LaneId::new(u32::from_be_bytes(raw)))
}

fn take_id(rest: &mut &[u8]) -> Option<JobId> {
    take(rest).map(|raw| JobId::new(u64::from_be_bytes(raw)))
}

fn take_millis(rest: &mut &[u8]) -> Option<Millis> {
    take(rest).map(|raw| Millis::new(u64::from_be_bytes(raw)))
}
