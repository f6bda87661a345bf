//! Reading the log.
//!
//! Guarantee: a reader at `after` sees every sequence in `(after, durable]` once, in order and in whole
//! groups, or is told `Gone` because the log has been trimmed past it. The newest records come from memory
//! ([`ring`]), older ones from disk; a reader cannot tell which.

pub(crate) mod cursor;
pub(crate) mod follower;
pub(crate) mod group;
pub(crate) mod merge;
pub(crate) mod ring;
pub(crate) mod trim;

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::change::Change;
use crate::codec::{change, key, positions};
use crate::commit::shared::Shared;
use crate::error::{Error, Result};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange};
use crate::limits::{FEED_READ_BYTES_MAX, FEED_READ_MAX};
use crate::types::{Millis, PositionSeq, Seq, Tail};

/// One entry of both lanes in the order of their commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A record of the log.
    Change(Change),
    /// A batch of the positions lane.
    Positions {
        /// Its place in the lane.
        seq: PositionSeq,
        /// The log stood here when it was committed: it comes after that record.
        after: Seq,
        /// The time of the commit.
        at: Millis,
        /// What the writer of the batch packed.
        batch: Bytes,
    },
}

impl Tail {
    /// Where a reader stands after these entries.
    #[must_use]
    pub fn past(mut self, entries: &[Entry]) -> Self {
        for entry in entries {
            match entry {
                Entry::Change(change) => self.seq = change.seq,
                Entry::Positions { seq, .. } => self.positions = *seq,
            }
        }
        self
    }
}

/// A reader of the log. Cheap to make.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

impl Feed {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The newest durable record.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.shared.watermark.durable().seq
    }

    /// The last record that has been trimmed; reading may start there.
    ///
    /// # Errors
    /// None today: it is known since the store was opened.
    pub fn floor(&self) -> Result<Seq> {
        Ok(self.shared.floor.get().seq)
    }

    /// The last entry of each lane that has been trimmed.
    #[must_use]
    pub fn floors(&self) -> Tail {
        self.shared.floor.get()
    }

    /// About `max` records after `after`, ending at a group's end; empty at the head.
    ///
    /// # Errors
    /// `Gone` when records after `after` have been trimmed or `after` lies in the future of this
    /// store; `Corrupt` when the log has a hole or a damaged record.
    pub fn changes(&self, after: Seq, max: usize) -> Result<Vec<Change>> {
        self.changes_up_to(after, self.head(), max)
    }

    fn changes_up_to(&self, after: Seq, upto: Seq, max: usize) -> Result<Vec<Change>> {
        self.check_floor(after)?;
        if after > upto && after <= self.shared.watermark.applied().seq {
            // Committed, but not durable yet: it will be in a moment.
            return Ok(Vec::new());
        }
        if after > upto {
            return Err(Error::gone(format!("{after} is past the head {upto} of this log")));
        }
        let max = max.clamp(1, FEED_READ_MAX);
        match self.shared.ring.read(after, upto, max) {
            Some(found) => Ok(found),
            None => self.changes_on_disk(after, upto, max),
        }
    }

    /// As `changes`, for records that may be older than the ring.
    pub(crate) fn changes_on_disk(&self, after: Seq, upto: Seq, max: usize) -> Result<Vec<Change>> {
        let range = KeyRange::new(key::log(after.next()), key::log(upto.next()));
        let mut found: Vec<Change> = Vec::new();
        let mut expected = after.next();
        let read = self.shared.kv.scan(Family::Log, &range, Direction::Forward, &mut |place, value| {
            let seq = key::parse_u64(place).map(Seq::new);
            if seq != Some(expected) {
                return Err(Error::corrupt(format!("log: {expected} is missing, {place:02x?} found")));
            }
            let change = change::decode(expected, value)?;
            expected = expected.next();
            let ends = change.seq == change.group_last;
            found.push(change);
            Ok(if ends && found.len() >= max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        // A trim that ran meanwhile has taken what is missing.
        self.check_floor(after)?;
        read?;
        match found.last() {
            Some(last) if last.seq != last.group_last => {
                Err(Error::corrupt(format!("log: group up to {} is cut at {}", last.group_last, last.seq)))
            }
            None if after < upto => Err(Error::corrupt(format!("log: {expected} is missing"))),
            _ => Ok(found),
        }
    }

    fn check_floor(&self, after: Seq) -> Result<()> {
        let floor = self.floor()?;
        if after < floor {
            return Err(Error::gone(format!("the log starts after {floor}, {after} is gone")));
        }
        Ok(())
    }

    /// About `max` entries of both lanes after `after`, in commit order and whole groups.
    ///
    /// The order is a function of what is stored: reading again gives the same.
    ///
    /// # Errors
    /// As `changes`, for either lane.
    pub fn entries(&self, after: Tail, max: usize) -> Result<Vec<Entry>> {
        let upto = self.shared.watermark.durable();
        let changes = self.changes_up_to(after.seq, upto.seq, max)?;
        let batches = self.positions_up_to(after.positions, upto.positions, max)?;
        Ok(merge::merge(changes, batches, upto))
    }

    /// Batches of the positions lane after `after`, at most `max`.
    ///
    /// # Errors
    /// As `changes`.
    pub fn positions(&self, after: PositionSeq, max: usize) -> Result<Vec<Entry>> {
        self.positions_up_to(after, self.shared.watermark.durable().positions, max)
    }

    fn positions_up_to(&self, after: PositionSeq, upto: PositionSeq, max: usize) -> Result<Vec<Entry>> {
        if after > upto && after <= self.shared.watermark.applied().positions {
            return Ok(Vec::new());
        }
        let check = || match self.shared.floor.get().positions {
            floor if after < floor || after > upto => {
                let why = format!("the positions lane holds {floor} to {upto}, {after} is outside");
                Err(Error::gone(why))
            }
            _ => Ok(()),
        };
        check()?;
        let range = KeyRange::new(key::positions(after.next()), key::positions(upto.next()));
        let (mut found, mut bytes, mut expected) = (Vec::new(), 0, after.next());
        let read = self.shared.kv.scan(Family::Positions, &range, Direction::Forward, &mut |place, value| {
            if key::parse_u64(place) != Some(expected.get()) {
                return Err(Error::corrupt(format!("positions: {expected} is missing")));
            }
            let (stamp, batch) = positions::decode(expected, value)?;
            bytes += batch.len();
            found.push(Entry::Positions { seq: expected, after: stamp.after, at: stamp.at, batch });
            expected = expected.next();
            let full = found.len() >= max.clamp(1, FEED_READ_MAX) || bytes >= FEED_READ_BYTES_MAX;
            Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        check()?;
        read?;
        if found.is_empty() && after < upto {
            return Err(Error::corrupt(format!("positions: {expected} is missing")));
        }
        Ok(found)
    }
}
