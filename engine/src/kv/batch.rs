//! One atomic write, as records over a single byte arena.
//!
//! The arena is reused from group to group, so a steady writer allocates nothing per record.

use std::ops::Range;

use crate::kv::families::Family;

/// What one record does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Put,
    Delete,
    /// For keys that are put exactly once between deletes (engine format rule).
    SingleDelete,
    /// Removes every key from the record's key on and below its value.
    DeleteRange,
}

#[derive(Clone, Debug)]
struct Record {
    family: Family,
    action: Action,
    key: Range<usize>,
    value: Range<usize>,
}

/// Records in the order in which they apply.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    arena: Vec<u8>,
    records: Vec<Record>,
}

impl Batch {
    pub(crate) fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.put_parts(family, key, &[value]);
    }

    /// Puts a value given in parts, which saves joining header and body elsewhere.
    pub(crate) fn put_parts(&mut self, family: Family, key: &[u8], value: &[&[u8]]) {
        let key = self.append(key);
        let start = self.arena.len();
        for part in value {
            self.arena.extend_from_slice(part);
        }
        let value = start..self.arena.len();
        self.records.push(Record { family, action: Action::Put, key, value });
    }

    pub(crate) fn delete(&mut self, family: Family, key: &[u8]) {
        self.remove(family, Action::Delete, key);
    }

    pub(crate) fn single_delete(&mut self, family: Family, key: &[u8]) {
        self.remove(family, Action::SingleDelete, key);
    }

    /// Removes all keys from `lower` on and below `upper`.
    pub(crate) fn delete_range(&mut self, family: Family, lower: &[u8], upper: &[u8]) {
        let (key, value) = (self.append(lower), self.append(upper));
        self.records.push(Record { family, action: Action::DeleteRange, key, value });
    }

    fn remove(&mut self, family: Family, action: Action, key: &[u8]) {
        let key = self.append(key);
        let end = self.arena.len();
        self.records.push(Record { family, action, key, value: end..end });
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        start..self.arena.len()
    }

    /// Every record: family, action, key, value (empty for removals, the upper end for a range).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Family, Action, &[u8], &[u8])> {
        self.records.iter().map(|record| {
            let key = self.arena.get(record.key.clone()).unwrap_or_default();
            let value = self.arena.get(record.value.clone()).unwrap_or_default();
            (record.family, record.action, key, value)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.arena.len()
    }

    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.records.clear();
    }
}
