use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::codec::blob::encode_stored;
use crate::{Durability, ManualClock, Options, Store, Transaction};

fn store(clock: &Arc<ManualClock>) -> Store {
    Store::memory(Options { clock: Arc::clone(clock) as _, ..Options::new() }).unwrap()
}

fn put(store: &Store, bytes: &'static [u8]) -> ChunkHash {
    let chunk = Chunk::new(bytes).unwrap();
    let hash = chunk.hash();
    store.commit(Transaction::new(Durability::Sync).chunk(chunk)).unwrap();
    hash
}

#[test]
fn golden_bytes() {
    let hash = ChunkHash::of(b"abc");
    let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash.to_string(), text);
    assert_eq!(text.parse::<ChunkHash>().unwrap(), hash);
    assert!(text.to_uppercase().parse::<ChunkHash>().is_err() && text[1..].parse::<ChunkHash>().is_err());
    assert_eq!((key_bytes(&hash)[0], key_bytes(&hash).len(), key_stored(&hash)[0]), (1, 33, 2));
    assert_eq!(encode_stored(Millis::new(256)), [1, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(parse(&key_stored(&hash)), Some(hash));
    for len in 0..9 {
        assert!(decode_stored(&hash, &encode_stored(Millis::new(256))[..len]).is_err());
    }
    assert!(parse(&[3; 33]).is_none() && parse(&[1; 32]).is_none());
}

#[test]
fn a_chunk_is_read_as_it_was_stored() {
    let store = store(&Arc::new(ManualClock::new(Millis::new(1))));
    let hash = put(&store, b"some bytes");
    assert_eq!(store.chunk(&hash).unwrap().as_deref(), Some(&b"some bytes"[..]));
    assert_eq!(store.chunk(&ChunkHash::of(b"others")).unwrap(), None);
    assert!(Chunk::new(Bytes::new()).is_err() && Chunk::new(vec![0; CHUNK_BYTES_MAX + 1]).is_err());
    assert!(store.verify(&mut |_| {}).unwrap().is_empty());
}

#[test]
fn orphans_are_old_and_unused_and_storing_again_saves_one() {
    let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
    let store = store(&clock);
    let (old, used, again) = (put(&store, b"old"), put(&store, b"used"), put(&store, b"again"));
    clock.advance_ms(1_000);
    let young = put(&store, b"young");
    let before = Millis::new(2_000);
    let in_use = HashSet::from([used]);
    let is_used = |hash: &ChunkHash| in_use.contains(hash);
    let mut expected = vec![old, again];
    expected.sort_unstable();
    assert_eq!(store.orphan_chunks(before, None, 10, &is_used).unwrap(), (expected.clone(), None));
    let (first, more) = store.orphan_chunks(before, None, 1, &is_used).unwrap();
    let (second, _) = store.orphan_chunks(before, more, 1, &is_used).unwrap();
    assert_eq!([first, second].concat(), expected);
    // Between the look and the removal somebody stores one of them again.
    put(&store, b"again");
    store.commit(Transaction::new(Durability::Sync).forget_chunks(expected, before)).unwrap();
    let is_there = |hash| store.chunk(&hash).unwrap().is_some();
    assert_eq!([old, used, again, young].map(is_there), [false, true, true, true]);
    assert!(store.verify(&mut |_| {}).unwrap().is_empty());
}

proptest! {
    #[test]
    fn parts_are_the_bytes_asked_for(length in 0_u64..2_000_000, from in 0_u64..2_100_000, len in 0_u64..900_000) {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut manifest = Manifest::default();
        let mut stored = std::collections::HashMap::new();
        for piece in bytes.chunks(CHUNK_BYTES_MAX) {
            let chunk = Chunk::new(piece.to_vec()).unwrap();
            manifest.push(&chunk).unwrap();
            stored.insert(chunk.hash, chunk.bytes);
        }
        let manifest = Manifest::new(manifest.length(), &manifest.hashes()).unwrap();
        let parts = manifest.parts(from..from + len);
        let found: Vec<u8> = parts.flat_map(|part| stored[&part.chunk][part.range].to_vec()).collect();
        let end = (from + len).min(length).max(from.min(length)) as usize;
        prop_assert_eq!(&found[..], &bytes[(from.min(length) as usize)..end]);
    }

    #[test]
    fn manifests_that_cannot_be_are_refused(length: u64, hashes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let fits = length.div_ceil(CHUNK_BYTES_MAX as u64) * 32 == hashes.len() as u64;
        prop_assert_eq!(Manifest::new(length, &hashes).is_ok(), fits);
    }
}
