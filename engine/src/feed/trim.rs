//! Trimming both lanes from the left: how far, and who holds them.
//!
//! ```text
//! floor = max(min(what the policy gives up, every holding cursor), what is older than any hold)
//! ```
//! The policy gives up what is older than `keep_ms`, and the oldest of what takes up more than `keep_bytes`. A cursor
//! that holds keeps what it has not seen, but nothing that is older than `hold_ms_max`: whoever is that far behind is
//! told `Gone` and starts anew. The newest group is always kept, so that the store's time goes on from it, and a
//! floor never cuts a group.
//!
//! The floor and the removal are one synced batch: after any crash `log keys are exactly floor + 1 ..= last`. Only
//! then whole files below the floor are given back. That ignores snapshots, so readers look at the floor again
//! after they have read.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::codec::{change, key, meta, positions};
use crate::error::{Error, Result};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv, KvRead};
use crate::read;
use crate::types::{Millis, PositionSeq, Seq, Tail};

/// How long records of one lane are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Older ones may go, in milliseconds.
    pub keep_ms: u64,
    /// The oldest may go while the lane takes up more than this in files, in bytes.
    pub keep_bytes: u64,
    /// No cursor holds a record that is older than this, in milliseconds.
    pub hold_ms_max: u64,
}

/// How long both lanes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimPolicy {
    /// Of the log.
    pub log: Retention,
    /// Of the positions lane.
    pub positions: Retention,
}

/// What a trim has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// The last entry of each lane that is gone.
    pub floor: Tail,
    /// Entries given up by this trim.
    pub records: u64,
    /// About the bytes they took up in files.
    pub bytes: u64,
}

/// The last trimmed entry of each lane, as readers check it.
#[derive(Debug)]
pub(crate) struct Floor {
    seq: AtomicU64,
    positions: AtomicU64,
}

impl Floor {
    pub(crate) fn load(kv: &dyn KvRead) -> Result<Self> {
        let number = |name| read::number(kv, name).map(AtomicU64::new);
        Ok(Self { seq: number(key::META_LOG_FLOOR)?, positions: number(key::META_POSITIONS_FLOOR)? })
    }

    pub(crate) fn get(&self) -> Tail {
        Tail {
            seq: Seq::new(self.seq.load(Ordering::Acquire)),
            positions: PositionSeq::new(self.positions.load(Ordering::Acquire)),
        }
    }

    fn raise(&self, to: Tail) {
        self.seq.fetch_max(to.seq.get(), Ordering::AcqRel);
        self.positions.fetch_max(to.positions.get(), Ordering::AcqRel);
    }
}

/// Where the lanes could be trimmed to now. Reads only.
pub(crate) fn plan(
    kv: &dyn Kv,
    floor: Tail,
    durable: Tail,
    policy: &TrimPolicy,
    now: Millis,
) -> Result<Tail> {
    let held = held(kv)?;
    let log = Lane { kv, family: Family::Log, floor: floor.seq.get(), last: durable.seq.get() };
    let seq = log.cut(&policy.log, held.seq.get(), now)?;
    let lane =
        Lane { kv, family: Family::Positions, floor: floor.positions.get(), last: durable.positions.get() };
    let positions = lane.cut(&policy.positions, held.positions.get(), now)?;
    Ok(Tail { seq: Seq::new(log.group_end(seq)?), positions: PositionSeq::new(positions) })
}

/// Puts the removal of everything up to `to` into the batch and tells readers. For the writer, which must write
/// the batch with a sync.
pub(crate) fn write(floor: &Floor, to: Tail, batch: &mut Batch) {
    let from = floor.get();
    if to.seq > from.seq {
        batch.put(Family::Meta, key::META_LOG_FLOOR, &meta::number(to.seq.get()));
        batch.delete_range(Family::Log, &key::log(from.seq.next()), &key::log(to.seq.next()));
    }
    if to.positions > from.positions {
        batch.put(Family::Meta, key::META_POSITIONS_FLOOR, &meta::number(to.positions.get()));
        let (lower, upper) = (key::positions(from.positions.next()), key::positions(to.positions.next()));
        batch.delete_range(Family::Positions, &lower, &upper);
    }
    // Before the batch is written: a reader that finds less than it expects must see why.
    floor.raise(to);
}

/// About the bytes of everything up to `to`, in files.
pub(crate) fn size(kv: &dyn Kv, to: Tail) -> Result<u64> {
    let log = kv.size(Family::Log, &below(to.seq.get()))?;
    Ok(log + kv.size(Family::Positions, &below(to.positions.get()))?)
}

/// Gives back the files that hold nothing but what has been trimmed.
pub(crate) fn drop_files(kv: &dyn Kv, to: Tail) -> Result<()> {
    kv.drop_files(Family::Log, &below(to.seq.get()))?;
    kv.drop_files(Family::Positions, &below(to.positions.get()))
}

fn below(last: u64) -> KeyRange {
    KeyRange::new(key::log(Seq::ZERO), key::log(Seq::new(last).next()))
}

/// The least of what holding cursors have seen.
fn held(kv: &dyn Kv) -> Result<Tail> {
    let mut least = Tail { seq: Seq::new(u64::MAX), positions: PositionSeq::new(u64::MAX) };
    let range = KeyRange::prefix(key::META_CURSORS);
    kv.scan(Family::Meta, &range, Direction::Forward, &mut |place, value| {
        let name = String::from_utf8_lossy(place.get(key::META_CURSORS.len()..).unwrap_or_default());
        let cursor = meta::decode_cursor(&name, value)?;
        if cursor.holds {
            least.seq = least.seq.min(cursor.at.seq);
            least.positions = least.positions.min(cursor.at.positions);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(least)
}

/// One lane between its floor and its newest entry.
struct Lane<'a> {
    kv: &'a dyn Kv,
    family: Family,
    floor: u64,
    last: u64,
}

impl Lane<'_> {
    fn cut(&self, keep: &Retention, held: u64, now: Millis) -> Result<u64> {
        if self.last <= self.floor + 1 {
            return Ok(self.floor);
        }
        let old = self.older_than(now, keep.keep_ms)?;
        let large = self.beyond(keep.keep_bytes)?;
        let unheld = self.older_than(now, keep.hold_ms_max)?;
        Ok(floor(old.max(large), held, unheld).clamp(self.floor, self.last - 1))
    }

    /// The last entry that is older than `age_ms`. Time never falls along a lane.
    fn older_than(&self, now: Millis, age_ms: u64) -> Result<u64> {
        let limit = now.get().saturating_sub(age_ms);
        self.last_where(|seq| Ok(self.at(seq)?.get() < limit))
    }

    /// The last entry that lies before the newest `bytes`.
    fn beyond(&self, bytes: u64) -> Result<u64> {
        let size = |from: u64| {
            let range = KeyRange::new(key::log(Seq::new(from)), key::log(Seq::new(self.last).next()));
            self.kv.size(self.family, &range)
        };
        if size(self.floor + 1)? <= bytes {
            return Ok(self.floor);
        }
        self.last_where(|seq| Ok(size(seq)? > bytes))
    }

    /// The last entry for which `is_so` holds, when it holds for a beginning of the lane; the floor for none.
    fn last_where(&self, is_so: impl Fn(u64) -> Result<bool>) -> Result<u64> {
        let (mut low, mut high) = (self.floor, self.last);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if is_so(middle)? {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    fn at(&self, seq: u64) -> Result<Millis> {
        let value = self.kv.get(self.family, &key::log(Seq::new(seq)))?;
        let value =
            value.ok_or_else(|| Error::corrupt(format!("{}: {seq} is missing", self.family.name())))?;
        match self.family {
            Family::Log => Ok(change::decode(Seq::new(seq), &value)?.at),
            _ => Ok(positions::decode(PositionSeq::new(seq), &value)?.0.at),
        }
    }

    /// The last record up to `seq` that ends its group; the floor when there is none.
    fn group_end(&self, seq: u64) -> Result<u64> {
        let range = KeyRange::new(key::log(Seq::new(self.floor + 1)), key::log(Seq::new(seq).next()));
        let mut end = self.floor;
        self.kv.scan(self.family, &range, Direction::Backward, &mut |place, value| {
            let found = key::parse_u64(place).ok_or_else(|| Error::corrupt("log: unreadable key"))?;
            if change::decode(Seq::new(found), value)?.group_last.get() == found {
                end = found;
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(end)
    }
}

/// Pure: see the module.
fn floor(given_up: u64, held: u64, unheld: u64) -> u64 {
    given_up.min(held).max(given_up.min(unheld))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors() {
        // Nobody holds.
        assert_eq!(floor(50, u64::MAX, 0), 50);
        // A holder keeps what it has not seen.
        assert_eq!(floor(50, 20, 0), 20);
        // A holder ahead of the policy holds nothing.
        assert_eq!(floor(50, 60, 0), 50);
        // A hold ends by age, record by record.
        assert_eq!(floor(50, 20, 30), 30);
        // A policy that keeps longer than any hold lasts is what counts.
        assert_eq!(floor(50, 20, 80), 50);
        assert_eq!(floor(0, 0, 80), 0);
    }
}
