//! Puts right what can be derived: entries of declared indexes, and the filing of documents under their ends.
//!
//! Only what differs is written, in one batch each, so an end in between leaves a store that is no worse. What is
//! damaged itself is not touched: a backup has it, or nobody.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;

use bytes::Bytes;

use crate::backup::Watch;
use crate::codec::{envelope, key, meta, unique};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{self, Progress, is_marker};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv};
use crate::store::load_catalog;
use crate::types::DocId;

/// Keys between two reports of progress.
const PROGRESS_EVERY: u64 = 1_024;

/// What has been put right, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Index entries that no live document calls for, removed.
    pub entries_removed: u64,
    /// Index entries that were missing or named another document, written.
    pub entries_written: u64,
    /// Documents filed under their end.
    pub ends_filed: u64,
    /// What nobody can derive: damaged documents, and two that hold one unique key.
    pub unresolved: Vec<String>,
}

impl Repaired {
    /// Whether anything was written.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.entries_removed + self.entries_written + self.ends_filed > 0
    }
}

/// Index entries with their values, as heads call for them.
type Wanted = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) fn derived(kv: &dyn Kv, watch: Watch<'_>) -> Result<Repaired> {
    let mut done = Repaired::default();
    let mut batch = Batch::default();
    let wanted = heads(kv, &mut batch, &mut done, watch)?;
    entries(kv, wanted, &mut batch, &mut done)?;
    builds(kv, &mut batch)?;
    if !batch.is_empty() {
        kv.write(&batch, true)?;
    }
    Ok(done)
}

/// Files documents under their ends; answers the index entries they call for.
fn heads(kv: &dyn Kv, batch: &mut Batch, done: &mut Repaired, watch: Watch<'_>) -> Result<Wanted> {
    let catalog = load_catalog(kv)?;
    let (mut wanted, mut seen) = (Wanted::new(), 0_u64);
    kv.scan(Family::Heads, &KeyRange::new([], [u8::MAX; 256]), Direction::Forward, &mut |place, value| {
        seen += 1;
        if seen.is_multiple_of(PROGRESS_EVERY) {
            watch("derive", seen, 0);
        }
        let head = key::parse_head(place)
            .ok_or_else(|| Error::corrupt(format!("heads: unreadable key {place:02x?}")))
            .and_then(|(collection, id)| envelope::decode(collection, id, Bytes::copy_from_slice(value)));
        let keys = head.and_then(|head| index::entries(&catalog, &head).map(|keys| (head, keys)));
        let (head, keys) = match keys {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                done.unresolved.push(error.to_string());
                return Ok(ControlFlow::Continue(()));
            }
            found => found?,
        };
        if let Some(end) = head.expires {
            let row = key::due(end, head.collection, head.id.as_str());
            let filed = kv.get(Family::Expiry, &row)?;
            // A tombstone that the log still needs is filed under a later time.
            if filed.is_none() && !head.deleted {
                batch.put(Family::Expiry, &row, &meta::number(head.seq.get()));
                done.ends_filed += 1;
            }
        }
        for (entry, loose) in keys {
            let value = if entry.unique { unique::encode(head.seq, &head.id) } else { Vec::new() };
            let many = loose || is_marker(&entry.key);
            match wanted.entry(entry.key) {
                Entry::Vacant(free) => drop(free.insert(value)),
                // Many call for a marker; an index that is not ready waits until one of two claims is gone.
                Entry::Occupied(_) if many => {}
                Entry::Occupied(held) => done.unresolved.push(clash(held.get(), &head.id)),
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(wanted)
}

fn clash(held: &[u8], id: &DocId) -> String {
    let other =
        unique::decode(held).map_or_else(|_| "another document".to_owned(), |other| other.to_string());
    format!("index: {other} and {id} hold the same unique key; change one of them")
}

/// Writes the difference between the entries there are and those wanted.
fn entries(kv: &dyn Kv, mut wanted: Wanted, batch: &mut Batch, done: &mut Repaired) -> Result<()> {
    kv.scan(Family::Index, &KeyRange::new([], [u8::MAX; 2_048]), Direction::Forward, &mut |place, value| {
        match wanted.remove(place) {
            // It may outlive the document that called for it.
            None if is_marker(place) => {}
            None => {
                batch.delete(Family::Index, place);
                done.entries_removed += 1;
            }
            Some(right) if !names_the_same(&right, value) => {
                batch.put(Family::Index, place, &right);
                done.entries_written += 1;
            }
            Some(_) => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for (place, value) in wanted {
        batch.put(Family::Index, &place, &value);
        done.entries_written += 1;
    }
    Ok(())
}

/// An index that is not ready has all its entries now: what is left is to look for what does not fit.
fn builds(kv: &dyn Kv, batch: &mut Batch) -> Result<()> {
    let catalog = load_catalog(kv)?;
    let building = catalog.iter().flat_map(|collection| collection.indexes());
    for index in building.filter(|index| !index.is_readable()) {
        let progress = Progress { passes: 1, ..Progress::default() };
        batch.put(Family::Meta, &key::meta_build(index.id), &meta::encode_progress(&progress)?);
    }
    Ok(())
}

/// A unique entry names its holder; from which version on is no difference.
fn names_the_same(right: &[u8], found: &[u8]) -> bool {
    let holder = |value: &[u8]| unique::decode(value).ok();
    right.is_empty() == found.is_empty() && holder(right) == holder(found)
}
