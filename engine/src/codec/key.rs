//! Keys of the column families the store itself owns (the queue's are in `queue/codec.rs`).
//!
//! ```text
//! heads      coll u32 | id
//! history    coll u32 | esc(id) | !seq u64
//! log        seq u64
//! index      index u32 | values | id              unique: index u32 | values, and the id when all are missing
//!            index u32 | ff                       some document has, or has had, several entries
//! positions  seq u64
//! expiry     at_ms u64 | coll u32 | id            -> seq u64 LE of the version that ends then
//! surplus    at_ms u64 | coll u32 | id            -> seq u64 LE of the version that superseded another
//! meta       ASCII: format store epoch epochs/<u32> last_seq log_floor positions_last
//!            positions_floor history_floor/<u32> cat/coll/<u32> cat/next_index cat/build/<index u32>
//!            cursor/<name> queue/..
//! ```
//! All integers big-endian.

use crate::codec::order::{escape, unescape};
use crate::types::{CollectionId, DocId, Epoch, IndexId, Millis, PositionSeq, Seq};

pub(crate) fn head(collection: CollectionId, id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + id.len());
    key.extend_from_slice(&collection.get().to_be_bytes());
    key.extend_from_slice(id.as_bytes());
    key
}

/// The prefix of all heads of one collection.
pub(crate) fn heads_of(collection: CollectionId) -> [u8; 4] {
    collection.get().to_be_bytes()
}

pub(crate) fn parse_head(key: &[u8]) -> Option<(CollectionId, DocId)> {
    let (collection, id) = key.split_first_chunk::<4>()?;
    let id = DocId::new(std::str::from_utf8(id).ok()?).ok()?;
    Some((CollectionId::new(u32::from_be_bytes(*collection)), id))
}

/// The prefix of all superseded versions of one document, newest first.
pub(crate) fn history_of(collection: CollectionId, id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + id.len() + 2 + 8);
    key.extend_from_slice(&collection.get().to_be_bytes());
    escape(id.as_bytes(), &mut key);
    key
}

pub(crate) fn history(collection: CollectionId, id: &str, seq: Seq) -> Vec<u8> {
    let mut key = history_of(collection, id);
    key.extend_from_slice(&(!seq.get()).to_be_bytes());
    key
}

pub(crate) fn parse_history(key: &[u8]) -> Option<(CollectionId, DocId, Seq)> {
    let (collection, rest) = key.split_first_chunk::<4>()?;
    let (id, rest) = unescape(rest)?;
    let id = DocId::new(String::from_utf8(id).ok()?).ok()?;
    let seq = Seq::new(!u64::from_be_bytes(rest.try_into().ok()?));
    Some((CollectionId::new(u32::from_be_bytes(*collection)), id, seq))
}

pub(crate) fn log(seq: Seq) -> [u8; 8] {
    seq.get().to_be_bytes()
}

pub(crate) fn positions(seq: PositionSeq) -> [u8; 8] {
    seq.get().to_be_bytes()
}

pub(crate) fn parse_u64(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// A row of `expiry` or `surplus`: a document that is due at a time.
pub(crate) fn due(at: Millis, collection: CollectionId, id: &str) -> Vec<u8> {
    [&at.get().to_be_bytes()[..], &collection.get().to_be_bytes(), id.as_bytes()].concat()
}

/// The bound of all rows that are due at `now`.
pub(crate) fn due_until(now: Millis) -> [u8; 8] {
    now.get().saturating_add(1).to_be_bytes()
}

pub(crate) fn parse_due(key: &[u8]) -> Option<(Millis, CollectionId, DocId)> {
    let (at, rest) = key.split_first_chunk::<8>()?;
    let (collection, id) = parse_head(rest)?;
    Some((Millis::new(u64::from_be_bytes(*at)), collection, id))
}

/// Bytes of an index key before the values.
pub(crate) const INDEX_ID_BYTES: usize = 4;

/// The part of an index key before the values.
pub(crate) fn index_of(index: IndexId) -> [u8; INDEX_ID_BYTES] {
    index.get().to_be_bytes()
}

pub(crate) const META_FORMAT: &[u8] = b"format";
pub(crate) const META_STORE: &[u8] = b"store";
pub(crate) const META_EPOCH: &[u8] = b"epoch";
pub(crate) const META_LAST_SEQ: &[u8] = b"last_seq";
pub(crate) const META_LOG_FLOOR: &[u8] = b"log_floor";
pub(crate) const META_POSITIONS_LAST: &[u8] = b"positions_last";
pub(crate) const META_POSITIONS_FLOOR: &[u8] = b"positions_floor";
pub(crate) const META_COLLECTIONS: &[u8] = b"cat/coll/";
pub(crate) const META_NEXT_INDEX: &[u8] = b"cat/next_index";
pub(crate) const META_BUILDS: &[u8] = b"cat/build/";
pub(crate) const META_EPOCHS: &[u8] = b"epochs/";
pub(crate) const META_HISTORY_FLOORS: &[u8] = b"history_floor/";
pub(crate) const META_CURSORS: &[u8] = b"cursor/";

pub(crate) fn meta_collection(collection: CollectionId) -> Vec<u8> {
    [META_COLLECTIONS, &collection.get().to_be_bytes()].concat()
}

pub(crate) fn meta_build(index: IndexId) -> Vec<u8> {
    [META_BUILDS, &index.get().to_be_bytes()].concat()
}

pub(crate) fn meta_history_floor(collection: CollectionId) -> Vec<u8> {
    [META_HISTORY_FLOORS, &collection.get().to_be_bytes()].concat()
}

pub(crate) fn meta_epoch(epoch: Epoch) -> Vec<u8> {
    [META_EPOCHS, &epoch.get().to_be_bytes()].concat()
}

pub(crate) fn meta_cursor(name: &str) -> Vec<u8> {
    [META_CURSORS, name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_bytes() {
        let seven = CollectionId::new(7);
        assert_eq!(hex(&head(seven, "ab")), "000000076162");
        assert_eq!(hex(&history(seven, "ab", Seq::new(42))), "0000000761620001ffffffffffffffd5");
        assert_eq!(hex(&due(Millis::new(1_700_000_600_000), seven, "ab")), "0000018bcfee8fc0000000076162");
        assert_eq!(hex(&log(Seq::new(42))), "000000000000002a");
        assert_eq!(hex(&index_of(IndexId::new(9))), "00000009");
        assert_eq!(hex(&meta_epoch(Epoch::new(3))), "65706f6368732f00000003");
    }

    proptest! {
        #[test]
        fn keys_round_trip(collection: u32, id in "[^\0]{1,60}", seq: u64) {
            prop_assume!(id.len() <= 200);
            let (collection, id, seq) = (CollectionId::new(collection), DocId::new(id).unwrap(), Seq::new(seq));
            let row = due(Millis::new(seq.get()), collection, id.as_str());
            prop_assert_eq!(parse_due(&row), Some((Millis::new(seq.get()), collection, id.clone())));
            prop_assert_eq!(parse_head(&head(collection, id.as_str())), Some((collection, id.clone())));
            prop_assert_eq!(parse_history(&history(collection, id.as_str(), seq)), Some((collection, id, seq)));
        }

        #[test]
        fn history_lists_newest_first(id in "[^\0]{1,8}", a: u64, b: u64) {
            let of = |seq| history(CollectionId::new(1), &id, Seq::new(seq));
            prop_assert_eq!(a.cmp(&b), of(b).cmp(&of(a)));
            prop_assert!(of(a).starts_with(&history_of(CollectionId::new(1), &id)));
        }

        #[test]
        fn parsers_never_panic(key in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_head(&key), parse_history(&key), parse_u64(&key), parse_due(&key));
        }
    }
}
