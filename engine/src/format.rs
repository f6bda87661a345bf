//! The store's format number, identity and epoch.
//!
//! The number only ever rises, one step per change of layout; a store of a newer number is refused.

use crate::codec::{key, meta};
use crate::error::{Error, Result};
use crate::kv::Kv;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::read;
use crate::types::{Epoch, Seq, StoreId};

/// What this version reads and writes. DO NOT LOWER.
pub(crate) const STORE_FORMAT: u64 = 1;

/// Checks the format of an existing store, or marks a new one.
pub(crate) fn check(kv: &dyn Kv) -> Result<StoreId> {
    match kv.get(Family::Meta, key::META_FORMAT)? {
        None => create(kv),
        Some(value) => match meta::parse_number("format", &value)? {
            STORE_FORMAT => identity(kv),
            newer if newer > STORE_FORMAT => Err(Error::invalid(format!(
                "the store has format {newer}, this program reads up to {STORE_FORMAT}; use a newer version"
            ))),
            other => Err(Error::corrupt(format!("meta/format: {other} was never written"))),
        },
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

fn identity(kv: &dyn Kv) -> Result<StoreId> {
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
