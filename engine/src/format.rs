//! The store's format number, identity and epoch.
//!
//! The number only ever rises, one step per change of layout; a store of a newer number is refused, and one of
//! an older number is raised only when its operator has asked for it, because there is no way back.
//!
//! ```text
//! 1  documents, history, log, indexes, positions, queue
//! 2  `expiry` has a row for each head that has an end; families `surplus` and later ones may exist
//! 3  index entries are in the order of lists, each document in each index; collections name their indexes' ids;
//!    `done` has a row by id for each finished job
//! ```

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::codec::{envelope, key, meta, unique};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::index;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv, KvRead};
use crate::queue;
use crate::read;
use crate::store::load_catalog;
use crate::types::{Epoch, Seq, StoreId};

/// What this version reads and writes. DO NOT LOWER.
pub(crate) const STORE_FORMAT: u64 = 3;
/// Rows one write of an upgrade looks at.
const STEP_ROWS: usize = 1_000;

/// Checks the format of an existing store, or marks a new one.
pub(crate) fn check(kv: &dyn Kv) -> Result<StoreId> {
    let Some(value) = kv.get(Family::Meta, key::META_FORMAT)? else { return create(kv) };
    check_number(&value)?;
    identity(kv)
}

/// Refuses every format but this program's own.
pub(crate) fn check_number(value: &[u8]) -> Result<()> {
    match meta::parse_number("format", value)? {
        STORE_FORMAT => Ok(()),
        newer if newer > STORE_FORMAT => Err(Error::invalid(format!(
            "the store has format {newer}, this program reads up to {STORE_FORMAT}; use a newer version"
        ))),
        0 => Err(Error::corrupt("meta/format: 0 was never written")),
        older => Err(Error::invalid(format!(
            "the store has format {older}, this program works with format {STORE_FORMAT}: make a backup, then start \
             once with --upgrade; an older program cannot read it afterwards"
        ))),
    }
}

/// Raises an older store to this program's format, a step at a time. A step may be begun again: it adds what is
/// missing, and the number moves in a write of its own when everything else is on disk.
pub(crate) fn upgrade(kv: &dyn Kv) -> Result<()> {
    let Some(value) = kv.get(Family::Meta, key::META_FORMAT)? else { return Ok(()) };
    if meta::parse_number("format", &value)? == 1 {
        let filed = file_ends(kv)?;
        raise(kv, 2)?;
        tracing::info!(from = 1, to = 2, filed, "store upgraded");
    }
    let value = kv.get(Family::Meta, key::META_FORMAT)?.unwrap_or_default();
    if meta::parse_number("format", &value)? == 2 {
        let entries = index_again(kv)?;
        let jobs = file_finished(kv)?;
        raise(kv, 3)?;
        tracing::info!(from = 2, to = 3, entries, jobs, "store upgraded");
    }
    Ok(())
}

fn raise(kv: &dyn Kv, format: u64) -> Result<()> {
    // In order: what the step has written is on disk before the number says so.
    kv.sync()?;
    let mut batch = Batch::default();
    batch.put(Family::Meta, key::META_FORMAT, &meta::number(format));
    kv.write(&batch, true)
}

/// Writes all index entries and collections anew; answers how many entries there are.
fn index_again(kv: &dyn Kv) -> Result<u64> {
    let catalog = load_catalog(kv)?;
    let mut batch = Batch::default();
    batch.delete_range(Family::Index, &[], &[u8::MAX; 5]);
    for collection in catalog.iter() {
        let value = meta::encode_collection(collection)?;
        batch.put(Family::Meta, &key::meta_collection(collection.id), &value);
    }
    batch.put(Family::Meta, key::META_NEXT_INDEX, &meta::number(u64::from(catalog.next_index().get())));
    kv.write(&batch, true)?;
    let mut entries = 0;
    each_head(kv, &mut |head, batch| {
        for (entry, _) in index::entries(&catalog, head)? {
            let holder = if entry.unique { unique::encode(head.seq, &head.id) } else { Vec::new() };
            batch.put(Family::Index, &entry.key, &holder);
            entries += 1;
        }
        Ok(())
    })?;
    Ok(entries)
}

/// Files every head that has an end under it; answers how many there are.
fn file_ends(kv: &dyn Kv) -> Result<u64> {
    let mut filed = 0;
    each_head(kv, &mut |head, batch| {
        if let Some(end) = head.expires {
            let due = key::due(end, head.collection, head.id.as_str());
            batch.put(Family::Expiry, &due, &meta::number(head.seq.get()));
            filed += 1;
        }
        Ok(())
    })?;
    Ok(filed)
}

/// Files every finished job under its id; answers how many there are.
fn file_finished(kv: &dyn Kv) -> Result<u64> {
    let mut filed = 0;
    each_row(kv, Family::Done, &mut |place, _, batch| {
        if let Some((lane, at, id)) = queue::key::parse_filed(place) {
            let found = queue::record::encode_finished(lane, at);
            batch.put(Family::Done, &queue::key::finished(id), &found);
            filed += 1;
        }
        Ok(())
    })?;
    Ok(filed)
}

/// Shows every head, and writes what is put into the batch, some heads at a time.
fn each_head(kv: &dyn Kv, look: &mut dyn FnMut(&Document, &mut Batch) -> Result<()>) -> Result<()> {
    each_row(kv, Family::Heads, &mut |place, value, batch| {
        let (collection, id) = key::parse_head(place)
            .ok_or_else(|| Error::corrupt(format!("heads: unreadable key {place:02x?}")))?;
        look(&envelope::decode(collection, id, Bytes::copy_from_slice(value))?, batch)
    })
}

/// What is done with a row, and the batch for what is written because of it.
type Look<'a> = &'a mut dyn FnMut(&[u8], &[u8], &mut Batch) -> Result<()>;

/// The same for every row of a family.
fn each_row(kv: &dyn Kv, family: Family, look: Look<'_>) -> Result<()> {
    let mut range = KeyRange::new([], [u8::MAX; 256]);
    loop {
        let (mut batch, mut seen) = (Batch::default(), 0);
        kv.scan(family, &range.clone(), Direction::Forward, &mut |place, value| {
            look(place, value, &mut batch)?;
            seen += 1;
            range.lower = [place, &[0]].concat();
            Ok(if seen < STEP_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if !batch.is_empty() {
            kv.write(&batch, false)?;
        }
        if seen < STEP_ROWS {
            return Ok(());
        }
    }
}

fn create(kv: &dyn Kv) -> Result<StoreId> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|e| Error::unavailable(format!("no randomness: {e}")))?;
    let mut batch = Batch::default();
    batch.put(Family::Meta, key::META_FORMAT, &meta::number(STORE_FORMAT));
    batch.put(Family::Meta, key::META_STORE, &id);
    kv.write(&batch, true)?;
    Ok(StoreId(id))
}

pub(crate) fn identity(kv: &dyn KvRead) -> Result<StoreId> {
    let value = kv.get(Family::Meta, key::META_STORE)?.unwrap_or_default();
    let id = value.try_into().map_err(|_| Error::corrupt("meta/store: no identity"))?;
    Ok(StoreId(id))
}

/// Raises the epoch durably before anything else is written in it.
pub(crate) fn next_epoch(kv: &dyn Kv, last: Seq) -> Result<Epoch> {
    let before = read::number(kv, key::META_EPOCH)?;
    let epoch = u32::try_from(before + 1).map(Epoch::new);
    let epoch = epoch.map_err(|_| Error::corrupt(format!("meta/epoch: {before}")))?;
    let mut batch = Batch::default();
    batch.put(Family::Meta, key::META_EPOCH, &meta::number(u64::from(epoch.get())));
    batch.put(Family::Meta, &key::meta_epoch(epoch), &meta::number(last.next().get()));
    kv.write(&batch, true)?;
    Ok(epoch)
}
