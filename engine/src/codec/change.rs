//! One record of the log.
//!
//! ```text
//! [format u8 = 01][op u8][header_len u16][header][id]
//! op      1 put, 2 delete, 3 expire, 4 purge, 5 enqueue, 6 catalog
//! header  prev_seq u64, group_last u64, at_ms u64, epoch u32, coll u32
//! ```
//! Integers little-endian; the record's own seq is its key. For `enqueue` coll is the lane and id the
//! job's public id; for `catalog` id is the collection's name.

use wincode::{SchemaRead, SchemaWrite};

use crate::codec::{FORMAT, split_frame};
use crate::error::{Error, Result};
use crate::feed::{Change, ChangeOp};
use crate::types::{CollectionId, DocId, Epoch, Millis, Seq};

const HEADER_LEN: usize = 32;

#[derive(Clone, Copy, Debug, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
struct Header {
    prev_seq: u64,
    group_last: u64,
    at_ms: u64,
    epoch: u32,
    coll: u32,
}

pub(crate) fn encode(change: &Change, into: &mut Vec<u8>) -> Result<()> {
    debug_assert!(change.group_last >= change.seq, "a group ends at or after its members");
    let header_len = u16::try_from(HEADER_LEN).unwrap_or(u16::MAX).to_le_bytes();
    into.extend_from_slice(&[FORMAT, change.op.code(), header_len[0], header_len[1]]);
    let header = Header {
        prev_seq: change.prev_seq.get(),
        group_last: change.group_last.get(),
        at_ms: change.at.get(),
        epoch: change.epoch.get(),
        coll: change.collection.get(),
    };
    wincode::serialize_into(&mut *into, &header).map_err(|e| Error::internal(e.to_string()))?;
    into.extend_from_slice(change.id.as_str().as_bytes());
    Ok(())
}

pub(crate) fn decode(seq: Seq, value: &[u8]) -> Result<Change> {
    let fail = |error: Error| error.at(format_args!("log record {seq}"));
    let (op, header, id) = split_frame("change", value, HEADER_LEN).map_err(fail)?;
    let op = ChangeOp::from_code(op)
        .ok_or_else(|| fail(Error::corrupt(format!("unknown operation {op}"))))?;
    let known = header.get(..HEADER_LEN).unwrap_or_default();
    let fields: Header = wincode::deserialize_exact(known)
        .map_err(|e| fail(Error::corrupt(format!("header: {e}"))))?;
    let id = std::str::from_utf8(id)
        .map_err(|_| Error::corrupt("the id is not UTF-8"))
        .and_then(|id| DocId::new(id).map_err(|e| Error::corrupt(e.to_string())))
        .map_err(fail)?;
    if fields.group_last < seq.get() || fields.prev_seq >= seq.get() {
        return Err(fail(Error::corrupt("group or predecessor out of order")));
    }
    Ok(Change {
        seq,
        group_last: Seq::new(fields.group_last),
        prev_seq: Seq::new(fields.prev_seq),
        at: Millis::new(fields.at_ms),
        epoch: Epoch::new(fields.epoch),
        collection: CollectionId::new(fields.coll),
        id,
        op,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change() -> Change {
        Change {
            seq: Seq::new(42),
            group_last: Seq::new(42),
            prev_seq: Seq::new(17),
            at: Millis::new(1_700_000_000_500),
            epoch: Epoch::new(3),
            collection: CollectionId::new(7),
            id: DocId::new("ab").unwrap(),
            op: ChangeOp::Put,
        }
    }

    #[test]
    fn golden_bytes() {
        let mut bytes = Vec::new();
        encode(&change(), &mut bytes).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "01012000 1100000000000000 2a00000000000000 f469e5cf8b010000 03000000 07000000 6162"
                .replace(' ', "")
        );
        assert_eq!(bytes.len(), 38);
        assert_eq!(decode(Seq::new(42), &bytes).unwrap(), change());
    }

    #[test]
    fn truncations_are_refused() {
        let mut bytes = Vec::new();
        encode(&change(), &mut bytes).unwrap();
        for len in 0..=36 {
            assert!(decode(Seq::new(42), &bytes[..len]).is_err(), "truncated to {len}");
        }
        for (place, wrong) in [(0, 2), (1, 0), (1, 7), (2, 31)] {
            let mut bad = bytes.clone();
            bad[place] = wrong;
            assert!(decode(Seq::new(42), &bad).is_err(), "byte {place} = {wrong}");
        }
    }

    proptest! {
        #[test]
        fn bincode_writes_the_same_header(prev in 0u64..41, at: u64, epoch: u32, coll: u32) {
            let change = Change {
                prev_seq: Seq::new(prev), at: Millis::new(at), epoch: Epoch::new(epoch),
                collection: CollectionId::new(coll), ..change()
            };
            let mut bytes = Vec::new();
            encode(&change, &mut bytes).unwrap();
            let header: Header = bincode::deserialize(&bytes[4..36]).unwrap();
            prop_assert_eq!(bincode::serialize(&header).unwrap(), &bytes[4..36]);
            prop_assert_eq!(decode(Seq::new(42), &bytes).unwrap(), change);
        }

        #[test]
        fn decoding_never_panics(seq: u64, value in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(Seq::new(seq), &value);
        }
    }
}
