//! Reading entries: the ranges of keys that a condition leaves, and what stands there.

use serde_json::Value as Json;

use crate::codec::order::{self, Value};
use crate::codec::{key, unique};
use crate::error::{Error, Result};
use crate::index::{Index, Spans};
use crate::kv::KeyRange;
use crate::limits::INDEX_RANGES_MAX;
use crate::types::DocId;

/// Ranges of keys of one index, in their order.
#[derive(Clone, Debug)]
pub struct Reading {
    ranges: Vec<KeyRange>,
    /// What every key in them begins with: the index and its first fields, as far as each has one value.
    beginning: Vec<u8>,
    fixed: usize,
    bounded: usize,
}

impl Reading {
    /// How many of the first fields have one value in all of it.
    #[must_use]
    pub fn fixed(&self) -> usize {
        self.fixed
    }

    /// How many of the first fields narrow it.
    #[must_use]
    pub fn bounded(&self) -> usize {
        self.bounded
    }

    /// Ranges of keys in it.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) fn key_ranges(&self, reverse: bool) -> Box<dyn Iterator<Item = &KeyRange> + '_> {
        if reverse { Box::new(self.ranges.iter().rev()) } else { Box::new(self.ranges.iter()) }
    }

    /// Where entries stand that have these values in the fields that follow the fixed ones; `None` for a missing one. What
    /// follows a value that is cut does not tell the place.
    #[must_use]
    pub fn place<'j>(&self, values: impl Iterator<Item = Option<&'j Json>>) -> Vec<u8> {
        let mut place = self.beginning.clone();
        for value in values {
            if Value::of(value).encode(&mut place) {
                break;
            }
        }
        place
    }

    /// Leaves out what stands before a place, read forwards or in reverse; the place itself stays.
    pub fn resume(&mut self, place: &[u8], reverse: bool) {
        let KeyRange { lower, upper } = KeyRange::prefix(place);
        for range in &mut self.ranges {
            if reverse {
                range.upper = std::mem::take(&mut range.upper).min(upper.clone());
            } else {
                range.lower = std::mem::take(&mut range.lower).max(lower.clone());
            }
        }
        self.ranges.retain(|range| !range.is_empty());
    }
}

/// One entry.
pub struct IndexEntry<'a> {
    /// Its document.
    pub id: DocId,
    place: &'a [u8],
}

impl<'a> IndexEntry<'a> {
    pub(crate) fn read(index: &Index, place: &'a [u8], value: &[u8]) -> Result<Self> {
        Ok(Self { id: id_of_entry(index, place, value)?, place })
    }

    /// Its key up to the first so many values, or up to one that is cut before: entries with the same beginning then need
    /// not have the same values, and stand in no order.
    #[must_use]
    pub fn beginning(&self, fields: usize) -> (&'a [u8], bool) {
        let values = self.place.get(key::INDEX_ID_BYTES..).unwrap_or_default();
        let (mut rest, mut cut) = (values, false);
        for _ in 0..fields {
            let Some((is_cut, after)) = order::skip(rest).filter(|_| !cut) else { break };
            (rest, cut) = (after, is_cut);
        }
        let len = self.place.len() - rest.len();
        (self.place.get(..len).unwrap_or_default(), cut)
    }
}

impl Index {
    /// The entries of all documents that have, for each of the first fields, a value in its set. What cannot be told in a
    /// bounded number of ranges is left out, so there may be more.
    #[must_use]
    pub fn reading(&self, wanted: &[Spans]) -> Reading {
        let mut beginnings = vec![key::index_of(self.id).to_vec()];
        let (mut fixed, mut bounded) = (0, 0);
        let longer = |beginning: &Vec<u8>, bytes: &[u8]| [beginning, bytes].concat();
        for spans in wanted.iter().take(self.spec.fields.len()) {
            let several = beginnings.len() * spans.runs().count();
            if several > INDEX_RANGES_MAX {
                break;
            }
            if let Some(values) = spans.values() {
                let of = |beginning| values.iter().map(move |value| longer(beginning, value));
                beginnings = beginnings.iter().flat_map(of).collect();
                fixed += usize::from(fixed == bounded && values.len() == 1);
                bounded += 1;
                continue;
            }
            let of = |beginning| {
                let whole = move |bytes| longer(beginning, bytes);
                spans.runs().map(move |(lower, upper)| KeyRange::new(whole(lower), whole(upper)))
            };
            let ranges = beginnings.iter().flat_map(of).collect();
            return self.told(ranges, wanted, fixed, bounded + 1);
        }
        let ranges = beginnings.iter().map(|beginning| KeyRange::prefix(beginning)).collect();
        self.told(ranges, wanted, fixed, bounded)
    }

    fn told(&self, ranges: Vec<KeyRange>, wanted: &[Spans], fixed: usize, bounded: usize) -> Reading {
        let mut beginning = key::index_of(self.id).to_vec();
        for value in wanted.iter().take(fixed).filter_map(Spans::values).flatten() {
            beginning.extend_from_slice(value);
        }
        Reading { ranges, beginning, fixed, bounded }
    }
}

/// The document of an entry.
pub(crate) fn id_of_entry(index: &Index, place: &[u8], value: &[u8]) -> Result<DocId> {
    if index.unique {
        return unique::decode(value);
    }
    let values = place.get(key::INDEX_ID_BYTES..);
    let skip = |rest: Option<_>, _| rest.and_then(|rest| order::skip(rest).map(|(_, rest)| rest));
    let id = index.spec.fields.iter().fold(values, skip);
    let id = id.and_then(|id| std::str::from_utf8(id).ok());
    let unreadable = || Error::corrupt(format!("index {}: unreadable key {place:02x?}", index.spec.name()));
    DocId::new(id.ok_or_else(unreadable)?)
}
