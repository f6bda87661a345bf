//! Removes the rows by time of dropped collections.
//!
//! Such rows lie among those of all collections, so each family is gone through once, a bounded number of rows at a
//! time. Nothing files a row for a dropped collection: when the end is reached, none is left.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::codec::{key, meta};
use crate::commit::op::{DueRow, Durability, Transaction, Upkeep};
use crate::error::Result;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::limits::DROP_STEP_ROWS_MAX;
use crate::types::{CollectionId, Millis, Seq};

/// Rows gone through in one step.
pub(crate) struct Step {
    pub(crate) removals: Transaction,
    /// Where to go on; `None` at the end of the family.
    pub(crate) next: Option<Vec<u8>>,
}

/// Looks for rows of these collections from `from` on.
pub(crate) fn plan(
    kv: &dyn KvRead,
    family: Family,
    dropped: &BTreeSet<CollectionId>,
    from: Vec<u8>,
) -> Result<Step> {
    let (mut removals, mut next, mut seen) = (Transaction::new(Durability::Buffered), None, 0);
    let rest = KeyRange::new(from, key::due_until(Millis::new(u64::MAX)));
    kv.scan(family, &rest, Direction::Forward, &mut |place, value| {
        // What cannot be read is told by the round that finds it due.
        if let Some((at, collection, id)) = key::parse_due(place).filter(|(_, of, _)| dropped.contains(of)) {
            let seq = Seq::new(meta::parse_number(family.name(), value).unwrap_or(0));
            let row = DueRow { family, at, collection, id, seq };
            removals.upkeep.push(Upkeep::Settle { row, seen: seq });
        }
        seen += 1;
        if seen < DROP_STEP_ROWS_MAX {
            return Ok(ControlFlow::Continue(()));
        }
        next = Some([place, &[0]].concat());
        Ok(ControlFlow::Break(()))
    })?;
    Ok(Step { removals, next })
}
