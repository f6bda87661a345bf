//! Numbers that items and rows get: one after the other, from memory.
//!
//! The last ones are found in the store at the start. A number that was given to a write that failed is not given again,
//! so there may be gaps.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use dateline_engine::{CollectionId, Result, Store};
use serde_json::Value;

use crate::publishing::items;

/// The counters of a store.
pub(crate) struct Counters {
    published: AtomicU64,
    unique: AtomicU64,
}

impl Counters {
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn open(store: &Store, published: CollectionId, archive: CollectionId) -> Result<Self> {
        Ok(Self {
            published: AtomicU64::new(greatest(store, published, "publish_sequence_no")?),
            unique: AtomicU64::new(greatest(store, archive, "unique_id")?),
        })
    }

    /// The `publish_sequence_no` of the next row.
    pub(crate) fn published(&self) -> u64 {
        self.published.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The `unique_id` of the next item.
    pub(crate) fn unique(&self) -> u64 {
        self.unique.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The greatest number in a field, by its index.
fn greatest(store: &Store, collection: CollectionId, field: &str) -> Result<u64> {
    let snapshot = store.snapshot()?;
    let index = snapshot.catalog().by_id(collection).and_then(|known| known.readable(&field.into()));
    let Some(index) = index else { return Ok(0) };
    let mut last = None;
    let numbers = dateline_engine::Spans::from(&Value::from(0));
    snapshot.entries(index, &index.reading(&[numbers]), true, |entry| {
        last = Some(entry.id.clone());
        ControlFlow::Break(())
    })?;
    let Some(last) = last else { return Ok(0) };
    let found = items::find(store, collection, last.as_str())?;
    Ok(found.and_then(|found| found.get(field)?.as_u64()).unwrap_or(0))
}
