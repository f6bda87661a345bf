//! Small values of the `meta` family.
//!
//! ```text
//! number     u64 LE                                 format, epoch, last_seq, floors, epochs/<n>
//! cursor     [01][seq u64, positions u64, seen_ms u64, epoch u32]
//! collection [01][JSON: name, definition, unique, indexes, first_index, defined_at]
//! ```

use serde::{Deserialize, Serialize};
use wincode::{SchemaRead, SchemaWrite};

use crate::catalog::{Collection, CollectionOptions};
use crate::codec::FORMAT;
use crate::error::{Error, Result};
use crate::feed::cursor::Cursor;
use crate::types::{CollectionId, Epoch, IndexId, Millis, PositionSeq, Seq, Tail};

pub(crate) fn number(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

pub(crate) fn parse_number(what: &str, value: &[u8]) -> Result<u64> {
    let bytes = value
        .try_into()
        .map_err(|_| Error::corrupt(format!("meta/{what}: {} bytes, 8 expected", value.len())))?;
    Ok(u64::from_le_bytes(bytes))
}

#[derive(SchemaWrite, SchemaRead)]
struct CursorFields {
    seq: u64,
    positions: u64,
    seen_ms: u64,
    epoch: u32,
}

pub(crate) fn encode_cursor(cursor: &Cursor) -> Result<Vec<u8>> {
    let fields = CursorFields {
        seq: cursor.at.seq.get(),
        positions: cursor.at.positions.get(),
        seen_ms: cursor.seen.get(),
        epoch: cursor.epoch.get(),
    };
    let mut value = vec![FORMAT];
    wincode::serialize_into(&mut value, &fields).map_err(|e| Error::internal(e.to_string()))?;
    Ok(value)
}

pub(crate) fn decode_cursor(name: &str, value: &[u8]) -> Result<Cursor> {
    let fail = |why: String| Error::corrupt(format!("meta/cursor/{name}: {why}"));
    let Some((&FORMAT, rest)) = value.split_first() else {
        return Err(fail("unknown format".to_owned()));
    };
    let fields: CursorFields = wincode::deserialize_exact(rest).map_err(|e| fail(e.to_string()))?;
    Ok(Cursor {
        at: Tail { seq: Seq::new(fields.seq), positions: PositionSeq::new(fields.positions) },
        epoch: Epoch::new(fields.epoch),
        seen: Millis::new(fields.seen_ms),
    })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCollection {
    name: String,
    definition: String,
    unique: Vec<Vec<String>>,
    indexes: Vec<Vec<String>>,
    first_index: u32,
    defined_at: u64,
}

pub(crate) fn encode_collection(collection: &Collection) -> Result<Vec<u8>> {
    let stored = StoredCollection {
        name: collection.name.clone(),
        definition: collection.options.definition.clone(),
        unique: collection.options.unique.clone(),
        indexes: collection.options.indexes.clone(),
        first_index: collection.first_index.get(),
        defined_at: collection.defined_at.get(),
    };
    let json = serde_json::to_vec(&stored).map_err(|e| Error::internal(e.to_string()))?;
    Ok([&[FORMAT], &json[..]].concat())
}

pub(crate) fn decode_collection(id: CollectionId, value: &[u8]) -> Result<Collection> {
    let fail = |why: String| Error::corrupt(format!("meta/cat/coll/{id}: {why}"));
    let Some((&FORMAT, json)) = value.split_first() else {
        return Err(fail("unknown format".to_owned()));
    };
    let stored: StoredCollection = serde_json::from_slice(json).map_err(|e| fail(e.to_string()))?;
    let options = CollectionOptions {
        definition: stored.definition,
        unique: stored.unique,
        indexes: stored.indexes,
    };
    Ok(Collection::new(
        id,
        stored.name,
        options,
        IndexId::new(stored.first_index),
        Seq::new(stored.defined_at),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_golden_bytes() {
        let cursor = Cursor {
            at: Tail { seq: Seq::new(42), positions: PositionSeq::new(7) },
            epoch: Epoch::new(3),
            seen: Millis::new(256),
        };
        let value = encode_cursor(&cursor).unwrap();
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "012a000000000000000700000000000000000100000000000003000000");
        assert_eq!(decode_cursor("x", &value).unwrap(), cursor);
        for len in 0..value.len() {
            assert!(decode_cursor("x", &value[..len]).is_err());
        }
    }
}
