//! One stored version of a document.
//!
//! ```text
//! [format u8 = 01][flags u8][header_len u16][header][body]
//! flags   01 deleted | 02 body zstd | 04 body is a blob manifest | 08 body sealed
//! header  seq u64, prev_seq u64, created_ms u64, updated_ms u64, expires_ms u64 (0 never),
//!         epoch u32, schema u32, body_len u32, crc u32
//! crc     CRC32C of every byte of the value except the crc itself
//! body    JSON bytes as accepted; empty when deleted
//! ```
//! Integers little-endian.

use bytes::Bytes;
use wincode::{SchemaRead, SchemaWrite};

use crate::codec::{FORMAT, split_frame};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::types::{CollectionId, DocId, Epoch, Millis, Seq};

pub(crate) const FLAG_DELETED: u8 = 0x01;
const FLAGS_READABLE: u8 = FLAG_DELETED;

/// Length of the header this version writes.
pub(crate) const HEADER_LEN: usize = 56;
const FRAME_LEN: usize = 4;
const CRC_OFFSET: usize = FRAME_LEN + HEADER_LEN - 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
struct Header {
    seq: u64,
    prev_seq: u64,
    created_ms: u64,
    updated_ms: u64,
    expires_ms: u64,
    epoch: u32,
    schema: u32,
    body_len: u32,
    crc: u32,
}

/// The frame and header of a version; the body follows it on disk unchanged.
pub(crate) fn encode_head(document: &Document) -> Result<[u8; FRAME_LEN + HEADER_LEN]> {
    let body_len = u32::try_from(document.body.len())
        .map_err(|_| Error::invalid("the document body is longer than 4 GiB"))?;
    let header = Header {
        seq: document.seq.get(),
        prev_seq: document.prev_seq.get(),
        created_ms: document.created.get(),
        updated_ms: document.updated.get(),
        expires_ms: document.expires.map_or(0, Millis::get),
        epoch: document.epoch.get(),
        schema: document.schema,
        body_len,
        crc: 0,
    };
    let mut bytes = [0; FRAME_LEN + HEADER_LEN];
    let (frame, rest) = bytes.split_at_mut(FRAME_LEN);
    let header_len = u16::try_from(HEADER_LEN).unwrap_or(u16::MAX).to_le_bytes();
    let flags = if document.deleted { FLAG_DELETED } else { 0 };
    frame.copy_from_slice(&[FORMAT, flags, header_len[0], header_len[1]]);
    wincode::serialize_into(rest, &header).map_err(|e| Error::internal(e.to_string()))?;
    let (covered, crc) = bytes.split_at_mut(CRC_OFFSET);
    let sum = crc32c::crc32c_append(crc32c::crc32c(covered), &document.body);
    crc.copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// Reads a version back and checks it whole.
pub(crate) fn decode(collection: CollectionId, id: DocId, value: Bytes) -> Result<Document> {
    let fail = |error: Error| error.at(format_args!("document {collection}/{id}"));
    let (flags, header, body) = split_frame("envelope", &value, HEADER_LEN).map_err(fail)?;
    if flags & !FLAGS_READABLE != 0 {
        return Err(fail(Error::corrupt(format!("unknown flags {flags:#04x}"))));
    }
    let known = header.get(..HEADER_LEN).unwrap_or_default();
    let fields: Header = wincode::deserialize_exact(known)
        .map_err(|e| fail(Error::corrupt(format!("header: {e}"))))?;
    if usize::try_from(fields.body_len) != Ok(body.len()) {
        let found = body.len();
        let wanted = fields.body_len;
        return Err(fail(Error::corrupt(format!("body of {found} bytes, {wanted} expected"))));
    }
    let sum = checksum(&value).ok_or_else(|| fail(Error::corrupt("too short")))?;
    if sum != fields.crc {
        return Err(fail(Error::corrupt(format!("checksum {sum:08x}, {:08x} stored", fields.crc))));
    }
    let body_start = value.len() - body.len();
    Ok(Document {
        collection,
        id,
        seq: Seq::new(fields.seq),
        prev_seq: Seq::new(fields.prev_seq),
        epoch: Epoch::new(fields.epoch),
        created: Millis::new(fields.created_ms),
        updated: Millis::new(fields.updated_ms),
        expires: (fields.expires_ms != 0).then(|| Millis::new(fields.expires_ms)),
        schema: fields.schema,
        deleted: flags & FLAG_DELETED != 0,
        body: value.slice(body_start..),
    })
}

/// CRC32C of a stored value without its crc field; `None` when it is too short to have one.
fn checksum(value: &[u8]) -> Option<u32> {
    let (before, rest) = value.split_at_checked(CRC_OFFSET)?;
    let (_, after) = rest.split_at_checked(4)?;
    Some(crc32c::crc32c_append(crc32c::crc32c(before), after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(body: &[u8]) -> Document {
        Document {
            collection: CollectionId::new(7),
            id: DocId::new("ab").unwrap(),
            seq: Seq::new(42),
            prev_seq: Seq::new(17),
            epoch: Epoch::new(3),
            created: Millis::new(1_700_000_000_000),
            updated: Millis::new(1_700_000_000_500),
            expires: None,
            schema: 1,
            deleted: false,
            body: Bytes::copy_from_slice(body),
        }
    }

    fn value_of(document: &Document) -> Vec<u8> {
        let head = encode_head(document).unwrap();
        [&head[..], &document.body].concat()
    }

    fn read(value: &[u8]) -> Result<Document> {
        decode(CollectionId::new(7), DocId::new("ab").unwrap(), Bytes::copy_from_slice(value))
    }

    #[test]
    fn golden_bytes() {
        let golden = "01003800\
            2a00000000000000110000000000000000 68e5cf8b010000f469e5cf8b010000\
            0000000000000000 03000000 01000000 07000000 d98e6826 7b2261223a317d"
            .replace(' ', "");
        let value = value_of(&document(br#"{"a":1}"#));
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden);
        assert_eq!(value.len(), 67);
        assert_eq!(read(&value).unwrap(), document(br#"{"a":1}"#));
    }

    #[test]
    fn every_truncation_and_bit_flip_is_refused() {
        let value = value_of(&document(br#"{"a":1}"#));
        for len in 0..value.len() {
            assert!(read(&value[..len]).is_err(), "truncated to {len}");
        }
        for bit in 0..value.len() * 8 {
            let mut bad = value.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bad).is_err(), "bit {bit} flipped");
        }
        let mut long = value;
        long.push(0);
        assert!(read(&long).is_err());
    }

    #[test]
    fn a_longer_header_is_read_by_its_known_part() {
        let document = document(b"{}");
        let mut value = value_of(&document);
        value[2] = 64;
        value.splice(60..60, [9; 8]);
        let crc = checksum(&value).unwrap();
        value[CRC_OFFSET..CRC_OFFSET + 4].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(read(&value).unwrap(), document);
    }

    proptest! {
        #[test]
        fn round_trip_and_bincode_agree(
            seq: u64, prev_seq: u64, times: [u64; 3], epoch: u32, schema: u32, deleted: bool,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let document = Document {
                seq: Seq::new(seq), prev_seq: Seq::new(prev_seq), epoch: Epoch::new(epoch), schema, deleted,
                created: Millis::new(times[0]), updated: Millis::new(times[1]),
                expires: (times[2] != 0).then(|| Millis::new(times[2])),
                ..document(&body)
            };
            let value = value_of(&document);
            prop_assert_eq!(read(&value).unwrap(), document);
            let header: Header = bincode::deserialize(&value[FRAME_LEN..FRAME_LEN + HEADER_LEN]).unwrap();
            prop_assert_eq!(bincode::serialize(&header).unwrap(), &value[FRAME_LEN..FRAME_LEN + HEADER_LEN]);
            prop_assert_eq!(header.seq, seq);
        }

        #[test]
        fn decoding_never_panics(value in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = read(&value);
        }
    }
}
