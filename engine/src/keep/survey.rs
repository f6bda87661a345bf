//! Files the versions that are there already, when a collection is told to keep fewer or other ones.
//!
//! A write files the version it supersedes by the rule of its time. Under another rule the same versions are due at other
//! times, so all of them are filed anew, a bounded number at a time. A row that is filed twice is one row; what a crash
//! interrupts begins again.

use std::ops::ControlFlow;

use crate::catalog::Collection;
use crate::codec::{envelope, key};
use crate::commit::op::{DueRow, Durability, Transaction, Upkeep};
use crate::error::{Error, Result};
use crate::keep::versions::{self, Written};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::limits::UPKEEP_ROWS_MAX;
use crate::types::{DocId, Millis, Seq};

/// Where a survey stands: the key it goes on from, and the version before it with its document.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    from: Vec<u8>,
    newer: Option<(DocId, Written)>,
}

impl Place {
    pub(crate) fn first(collection: &Collection) -> Self {
        Self { from: key::heads_of(collection.id).to_vec(), newer: None }
    }
}

/// The rows for some superseded versions from a place on, and where to go on, if anywhere.
pub(crate) fn plan(
    kv: &dyn KvRead,
    collection: &Collection,
    place: Place,
    now: Millis,
) -> Result<(Transaction, Option<Place>)> {
    let (mut found, mut next) = (Vec::new(), None);
    let mut range = KeyRange::prefix(&key::heads_of(collection.id));
    range.lower = place.from;
    kv.scan(Family::History, &range, Direction::Forward, &mut |place, value| {
        let parsed = key::parse_history(place);
        let (_, id, _) =
            parsed.ok_or_else(|| Error::corrupt(format!("history: unreadable key {place:02x?}")))?;
        found.push((id, envelope::written(value)?));
        if found.len() < UPKEEP_ROWS_MAX {
            return Ok(ControlFlow::Continue(()));
        }
        next = Some([place, &[0]].concat());
        Ok(ControlFlow::Break(()))
    })?;
    let (mut rows, mut newer) = (Transaction::new(Durability::Buffered), place.newer);
    let mut last = None;
    for (id, version) in found {
        let superseded = match newer.take().filter(|(of, _)| *of == id) {
            Some((_, newer)) => Some(newer),
            // The newest of its document in the history.
            None => kv
                .get(Family::Heads, &key::head(collection.id, id.as_str()))?
                .map(|head| envelope::written(&head))
                .transpose()?,
        };
        let row = superseded.and_then(|(seq, at)| due(collection, &id, seq, at, now));
        if let Some(row) = row.filter(|row| last.as_ref() != Some(&row.key())) {
            last = Some(row.key());
            rows = rows.upkeep(Upkeep::File(row));
        }
        newer = Some((id, version));
    }
    Ok((rows, next.map(|from| Place { from, newer })))
}

/// The row of a version that was superseded by `seq` at this time. What is due already shares one.
fn due(collection: &Collection, id: &DocId, seq: Seq, superseded: Millis, now: Millis) -> Option<DueRow> {
    let at = versions::due(&collection.options.keep, superseded)?.max(now);
    Some(DueRow { family: Family::Surplus, at, collection: collection.id, id: id.clone(), seq })
}
