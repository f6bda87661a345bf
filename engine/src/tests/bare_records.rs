//! Records that have no checksum of their own: the storage's block checksums guard them.
//!
//! Where changed bytes get through all the same, a decoder refuses them or reads exactly the record that would be
//! written with these bytes; it never panics, and never takes bytes for what they do not say. Records with a checksum
//! are held to more beside their codecs: every cut and every changed bit is refused.

use crate::codec::idem::Remembered;
use crate::codec::{blob, change, idem, meta, unique};
use crate::*;

/// `again` reads bytes and writes them anew; `None` when they are refused.
fn check(what: &str, bytes: &[u8], again: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    assert_eq!(again(bytes).as_deref(), Some(bytes), "{what}");
    let mut refused = 0;
    let mut judge = |bad: &[u8], how: &str| {
        let Some(read) = again(bad) else {
            refused += 1;
            return;
        };
        // The second: a byte that this version does not read.
        assert!(read == bad || read == bytes, "{what} {how}: {bad:02x?} is read as {read:02x?}");
    };
    for len in 0..bytes.len() {
        judge(&bytes[..len], &format!("cut to {len}"));
    }
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        judge(&bad, &format!("with bit {bit} changed"));
    }
    for byte in 0..=u8::MAX {
        judge(&[bytes, &[byte]].concat(), &format!("with {byte:02x} added"));
    }
    assert!(refused > bytes.len() / 2, "{what}: only {refused} were refused");
}

#[test]
fn bytes_are_read_as_what_they_are_or_refused() {
    let id = DocId::new("ab").unwrap();
    let record = Change {
        seq: Seq::new(42),
        group_last: Seq::new(44),
        prev_seq: Seq::new(17),
        at: Millis::new(1_700_000_000_500),
        epoch: Epoch::new(3),
        collection: CollectionId::new(7),
        id: id.clone(),
        op: ChangeOp::Put,
    };
    let encoded = |record: &Change| {
        let mut bytes = Vec::new();
        change::encode(record, &mut bytes).unwrap();
        bytes
    };
    check("a log record", &encoded(&record), |bytes| Some(encoded(&change::decode(record.seq, bytes).ok()?)));

    let cursor = Cursor {
        at: Tail { seq: Seq::new(42), positions: PositionSeq::new(7) },
        epoch: Epoch::new(3),
        seen: Millis::new(256),
        holds: true,
    };
    check("a cursor", &meta::encode_cursor(&cursor).unwrap(), |bytes| {
        meta::encode_cursor(&meta::decode_cursor("x", bytes).ok()?).ok()
    });

    check("a number", &meta::number(0x0102_0304_0506_0708), |bytes| {
        Some(meta::number(meta::parse_number("x", bytes).ok()?).to_vec())
    });

    let remembered = Remembered { seq: Seq::new(42), created: Millis::new(256), fingerprint: *b"abcdefgh" };
    check("an answer that is remembered", &idem::encode(&remembered), |bytes| {
        Some(idem::encode(&idem::decode(&[0; 16], bytes).ok()?).to_vec())
    });

    check("a holder of a unique key", &unique::encode(Seq::new(42), &id), |bytes| {
        let holder = unique::decode(bytes).ok()?;
        Some([&bytes[..8], holder.as_str().as_bytes()].concat())
    });

    let hash = ChunkHash::of(b"chunk");
    check("the time of a chunk", &blob::encode_stored(Millis::new(256)), |bytes| {
        Some(blob::encode_stored(blob::decode_stored(&hash, bytes).ok()?))
    });
}

/// JSON says one thing in many ways, so what is accepted need only be a collection again.
#[test]
fn a_changed_definition_is_a_definition_or_refused() {
    let stored =
        br#"{"name":"cars","definition":"{}","unique":[["plate"]],"indexes":[["brand"]],"first_index":4,"defined_at":9}"#;
    let bytes = [&[1], &stored[..]].concat();
    let id = CollectionId::new(7);
    assert!(meta::decode_collection(id, &bytes).is_ok());
    let mut refused = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match meta::decode_collection(id, &bad) {
            Ok(read) => {
                let again = meta::encode_collection(&read).unwrap();
                assert_eq!(meta::decode_collection(id, &again).unwrap(), read, "bit {bit}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit}");
                refused += 1;
            }
        }
    }
    assert!(refused > bytes.len(), "only {refused} are refused");
    for len in 0..bytes.len() {
        assert!(meta::decode_collection(id, &bytes[..len]).is_err(), "cut to {len}");
    }
}
