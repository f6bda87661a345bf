//! Turns due rows into transactions, a bounded number at a time.
//!
//! Read from the live store, which only the same thread's transactions take things from. A row names a document
//! and a version; what is to be done follows from the document as it is now.

use std::ops::ControlFlow;

use crate::codec::{envelope, key, meta};
use crate::commit::op::{Change, Condition, DueRow, Durability, Transaction, Upkeep};
use crate::commit::shared::Shared;
use crate::document::Document;
use crate::error::{ErrorKind, Result};
use crate::keep::versions::{self, Written};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange};
use crate::limits::{UPKEEP_ROWS_MAX, UPKEEP_VERSIONS_MAX};
use crate::read;
use crate::types::{Millis, Seq};

/// A tombstone that the log still needs is looked at again after an hour at the least.
const TOMBSTONE_AGAIN_MS: u64 = 3_600_000;

/// What some due rows call for.
pub(crate) struct Round {
    /// In this order.
    pub(crate) transactions: Vec<Transaction>,
    /// Where to go on; `None` at the end of what is due.
    pub(crate) next: Option<Vec<u8>>,
    /// Some row could not be read and has been left.
    pub(crate) damaged: bool,
}

/// Looks at the rows from `from` on that are due now.
pub(crate) fn plan(shared: &Shared, family: Family, from: Vec<u8>) -> Result<Round> {
    let now = shared.clock.now();
    let (mut rows, mut next) = (Vec::new(), None);
    let mut damaged = false;
    let range = KeyRange::new(from, key::due_until(now));
    shared.kv.scan(family, &range, Direction::Forward, &mut |place, value| {
        match (key::parse_due(place), meta::parse_number(family.name(), value)) {
            (Some((at, collection, id)), Ok(seq)) => {
                rows.push(DueRow { family, at, collection, id, seq: Seq::new(seq) });
            }
            _ => {
                damaged = true;
                tracing::error!(family = family.name(), "unreadable row {place:02x?}");
            }
        }
        if rows.len() < UPKEEP_ROWS_MAX {
            return Ok(ControlFlow::Continue(()));
        }
        next = Some([place, &[0]].concat());
        Ok(ControlFlow::Break(()))
    })?;
    let mut plan = Plan { shared, now, transactions: Vec::new(), open: empty() };
    for row in rows {
        match plan.row(row) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                damaged = true;
                tracing::error!(%error, "housekeeping leaves a document it cannot read");
            }
            outcome => outcome?,
        }
    }
    plan.close();
    Ok(Round { transactions: plan.transactions, next, damaged })
}

fn empty() -> Transaction {
    Transaction::new(Durability::Buffered)
}

struct Plan<'a> {
    shared: &'a Shared,
    now: Millis,
    transactions: Vec<Transaction>,
    open: Transaction,
}

impl Plan<'_> {
    fn close(&mut self) {
        if self.open.parts() > 0 {
            self.transactions.push(std::mem::replace(&mut self.open, empty()));
        }
    }

    fn row(&mut self, row: DueRow) -> Result<()> {
        let catalog = self.shared.catalog.load();
        let keep = catalog.by_id(row.collection).map(|collection| collection.options.keep);
        let head = read::head(&*self.shared.kv, row.collection, row.id.as_str())?;
        let seen = head.as_ref().map_or(row.seq, |head| head.seq);
        if let (Some(keep), Some(head)) = (keep, head) {
            match row.family {
                Family::Surplus => {
                    let kept = self.versions(&head, |versions| versions::kept(&keep, versions, self.now))?;
                    self.forget(&head, &kept.0, kept.1);
                }
                _ if head.seq != row.seq => {}
                _ if head.deleted => self.tombstone(&head, keep.tombstone_ms)?,
                _ => self.write(&head, Change::Expire),
            }
        }
        self.open.upkeep.push(Upkeep::Settle { row, seen });
        Ok(())
    }

    /// The document's versions, newest first, and how many of them stay.
    fn versions(
        &self,
        head: &Document,
        kept: impl FnOnce(&[Written]) -> usize,
    ) -> Result<(Vec<Written>, usize)> {
        let mut found = vec![(head.seq, head.updated)];
        let range = KeyRange::prefix(&key::history_of(head.collection, head.id.as_str()));
        self.shared.kv.scan(Family::History, &range, Direction::Forward, &mut |_, value| {
            found.push(envelope::written(value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        let kept = kept(&found);
        Ok((found, kept))
    }

    /// Removes the versions after the first `kept`, the oldest first.
    fn forget(&mut self, head: &Document, versions: &[Written], kept: usize) {
        let surplus = versions.get(kept.max(1)..).unwrap_or_default();
        let mut left = surplus.len();
        for part in surplus.rchunks(UPKEEP_VERSIONS_MAX) {
            left -= part.len();
            // The history is whole again from the version that stays behind the removed ones.
            let floor = versions.get(kept.max(1) + left - 1).map_or(head.seq, |(seq, _)| *seq);
            self.make_room(part.len());
            self.open.upkeep.push(Upkeep::Forget {
                collection: head.collection,
                id: head.id.clone(),
                versions: part.iter().map(|(seq, _)| *seq).collect(),
                floor,
            });
        }
    }

    /// Forgets a tombstone once nobody can come across it in the log any more.
    fn tombstone(&mut self, head: &Document, tombstone_ms: Option<u64>) -> Result<()> {
        let log_floor = Seq::new(read::number(&*self.shared.kv, key::META_LOG_FLOOR)?);
        if head.seq > log_floor {
            let after = (tombstone_ms.unwrap_or(0) / 4).max(TOMBSTONE_AGAIN_MS);
            let row = DueRow {
                family: Family::Expiry,
                at: Millis::new(self.now.get() + after),
                collection: head.collection,
                id: head.id.clone(),
                seq: head.seq,
            };
            self.open.upkeep.push(Upkeep::File(row));
            return Ok(());
        }
        let (versions, _) = self.versions(head, <[Written]>::len)?;
        let last = versions.len().min(UPKEEP_VERSIONS_MAX);
        self.forget(head, &versions, last);
        let versions: Vec<Seq> = versions.iter().take(last).skip(1).map(|(seq, _)| *seq).collect();
        self.make_room(versions.len());
        self.write(head, Change::Purge { versions });
        Ok(())
    }

    fn write(&mut self, head: &Document, change: Change) {
        let condition = Condition::Revision(head.revision());
        let open = std::mem::replace(&mut self.open, empty());
        self.open = open.write(head.collection, head.id.clone(), condition, change);
    }

    /// Begins another transaction when this one would remove too many versions.
    fn make_room(&mut self, versions: usize) {
        let removes = |upkeep: &Upkeep| match upkeep {
            Upkeep::Forget { versions, .. } => versions.len(),
            Upkeep::Settle { .. }
            | Upkeep::File(_)
            | Upkeep::Dropped(_)
            | Upkeep::Surveyed(..)
            | Upkeep::Fill(_) => 0,
        };
        let purges = self.open.writes.iter().map(|write| match &write.change {
            Change::Purge { versions } => versions.len(),
            _ => 0,
        });
        let open: usize = self.open.upkeep.iter().map(removes).chain(purges).sum();
        if open + versions > UPKEEP_VERSIONS_MAX {
            self.close();
        }
    }
}
