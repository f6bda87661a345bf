//! Reading entries.

use crate::codec::{key, order, unique};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::types::DocId;

/// The document of an entry.
pub(crate) fn id_of_entry(index: &Index, place: &[u8], value: &[u8]) -> Result<DocId> {
    if index.unique {
        return unique::decode(value);
    }
    let values = place.get(key::index_of(index.id).len()..);
    let skip = |rest: Option<_>, _| rest.and_then(|rest| order::skip(rest).map(|(_, rest)| rest));
    let id = index.spec.fields.iter().fold(values, skip);
    let id = id.and_then(|id| std::str::from_utf8(id).ok());
    let unreadable = || Error::corrupt(format!("index {}: unreadable key {place:02x?}", index.spec.name()));
    DocId::new(id.ok_or_else(unreadable)?)
}
