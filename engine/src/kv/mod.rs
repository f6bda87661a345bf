//! The seam between the engine and what keeps its bytes.
//!
//! Two implementations: RocksDB, and an ordered map for model tests. A write is atomic over all
//! families; with `sync` it survives power loss once it returns.

pub(crate) mod batch;
mod blob_file;
pub(crate) mod families;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod manifest;
pub(crate) mod measure;
pub(crate) mod memory;
mod quarantine;
pub(crate) mod records;
pub(crate) mod rocks;
pub(crate) mod tuning;

use std::ops::ControlFlow;
use std::path::Path;

use crate::error::{Error, Result};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::statistics::Statistics;

/// Bounds of a scan. Both ends are always given: no scan ever leaves its prefix.
#[derive(Clone, Debug)]
pub(crate) struct KeyRange {
    pub(crate) lower: Vec<u8>,
    /// Exclusive.
    pub(crate) upper: Vec<u8>,
}

impl KeyRange {
    pub(crate) fn new(lower: impl Into<Vec<u8>>, upper: impl Into<Vec<u8>>) -> Self {
        Self { lower: lower.into(), upper: upper.into() }
    }

    /// All keys that begin with `prefix`.
    pub(crate) fn prefix(prefix: &[u8]) -> Self {
        Self::new(prefix, successor(prefix))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lower >= self.upper
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        *self.lower <= *key && *key < *self.upper
    }
}

/// The smallest key above every key with this prefix; 0xff bytes at its end carry over.
fn successor(prefix: &[u8]) -> Vec<u8> {
    let mut upper = prefix.to_vec();
    while let Some(last) = upper.pop() {
        if last < u8::MAX {
            upper.push(last + 1);
            return upper;
        }
    }
    vec![u8::MAX; 256]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// A value that lies by itself on disk and is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadValue {
    pub(crate) key: Vec<u8>,
    /// File and offset.
    pub(crate) place: String,
}

/// What a scan calls for each key and value.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + 'a;

/// Reading, either of the live state or of a snapshot.
pub(crate) trait KvRead {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Values in the order of `keys`.
    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>>;

    fn scan(
        &self,
        family: Family,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()>;
}

/// A store of ordered bytes.
pub(crate) trait Kv: KvRead + Send + Sync {
    /// Applies all records or none. `sync`: durable when it returns.
    fn write(&self, batch: &Batch, sync: bool) -> Result<()>;

    /// Makes every earlier write durable.
    fn sync(&self) -> Result<()>;

    /// About the bytes that the keys of a range take up in files.
    fn size(&self, family: Family, range: &KeyRange) -> Result<u64>;

    /// Gives back files that hold keys of this range only, whatever snapshots see: for keys that were removed
    /// durably before. The keys of the family are all as long as the bounds.
    fn drop_files(&self, family: Family, range: &KeyRange) -> Result<()>;

    /// As a forward scan of the live state, for reading everything once: the cache stays as it is.
    fn walk(&self, family: Family, range: &KeyRange, visit: &mut Visit<'_>) -> Result<()> {
        self.scan(family, range, Direction::Forward, visit)
    }

    /// Families in which damaged bytes have been met.
    fn damaged(&self) -> Vec<Family> {
        Vec::new()
    }

    /// The first damaged value in a range of those that are kept apart from their keys; every byte of them is read.
    fn bad_value(&self, _family: Family, _range: &KeyRange) -> Result<Option<BadValue>> {
        Ok(None)
    }

    /// One consistent state as files in a new directory.
    fn checkpoint(&self, _dir: &Path) -> Result<()> {
        Err(Error::invalid("a store in memory has no files to back up"))
    }

    /// A consistent view of this moment.
    fn snapshot(&self) -> Box<dyn KvRead + Send + '_>;

    /// What it has done and holds.
    fn statistics(&self) -> Result<Statistics>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_ranges_cover_exactly_the_prefix() {
        let check = |prefix: &[u8], inside: &[&[u8]], outside: &[&[u8]]| {
            let range = KeyRange::prefix(prefix);
            let holds = |key: &[u8]| key >= &range.lower[..] && key < &range.upper[..];
            for key in inside {
                assert!(holds(key), "{key:?} should be inside {prefix:?}");
            }
            for key in outside {
                assert!(!holds(key), "{key:?} should be outside {prefix:?}");
            }
        };
        check(b"a", &[b"a", b"a\xff\xff\xff", b"ab"], &[b"b", b"A", b""]);
        check(b"a\xff", &[b"a\xff", b"a\xff\x00"], &[b"b", b"a\xfe"]);
        check(b"\xff\xff", &[b"\xff\xff", b"\xff\xff\x01"], &[b"\xff\xfe", b"\xff"]);
    }
}
