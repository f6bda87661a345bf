//! A block that has rotted on disk: what lies in it is refused by name, everything else goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::kv::families::Family;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::*;

const SMALL: RocksOptions =
    RocksOptions { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, tuning: Tuning::SHIPPED };
const DOCUMENTS: usize = 60;

fn open(dir: &Path) -> (Store, CollectionId) {
    let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
    let store = Store::start_still(Arc::new(RocksKv::open(dir, SMALL).unwrap()), clock).unwrap();
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    (store, cars)
}

fn name(n: usize) -> String {
    format!("car-{n:03}")
}

fn put(store: &Store, cars: CollectionId, n: usize, round: usize) -> Result<Receipt> {
    let body = format!(r#"{{"mark":"round {round} of {n:03}","filler":"{}"}}"#, "x".repeat(3_000));
    let id = DocId::new(name(n)).unwrap();
    store.commit(Transaction::new(Durability::Sync).put(cars, id, Condition::Always, body))
}

/// Changes a byte of what is stored under this mark, in the table or blob file that holds it.
fn damage(dir: &Path, mark: &str) -> PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    for table in files.filter(|path| path.extension().is_some_and(|end| end == "sst" || end == "blob")) {
        let mut bytes = fs::read(&table).unwrap();
        if let Some(at) = bytes.windows(mark.len()).position(|window| window == mark.as_bytes()) {
            bytes[at] ^= 0x20;
            // The file itself, not another in its place.
            fs::write(&table, bytes).unwrap();
            return table;
        }
    }
    panic!("'{mark}' is in no table of {}", dir.display());
}

fn everything(store: &Store, step_bytes: u64) -> Scrubbed {
    let mut all = Scrubbed { next: Some(ScrubPlace::default()), ..Scrubbed::default() };
    while let Some(place) = all.next.take() {
        // As a program does that ends in between.
        let place: ScrubPlace = place.to_string().parse().unwrap();
        let step = store.scrub(&place, step_bytes).unwrap();
        all.keys += step.keys;
        all.bytes += step.bytes;
        all.damage.extend(step.damage);
        all.next = step.next;
    }
    all
}

#[test]
fn a_damaged_block_is_named_and_costs_nobody_else() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("store");
    let (store, cars) = open(&dir);
    for n in 0..DOCUMENTS {
        put(&store, cars, n, 1).unwrap();
    }
    let whole = everything(&store, 10_000);
    assert_eq!((&whole.damage, store.health().damaged), (&vec![], vec![]));
    assert!(whole.bytes > 180_000, "{whole:?}");
    assert_eq!(everything(&store, u64::MAX).keys, whole.keys, "the steps neither miss nor repeat a key");
    // A checkpoint brings everything into tables.
    drop(store.checkpoint(&place.path().join("checkpoint"), &mut |_, _, _| ()).unwrap());
    drop(store);
    let table = damage(&dir, "round 1 of 030");
    let (store, cars) = open(&dir);

    let error = store.get(cars, &name(30)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let text = error.to_string();
    let file = table.file_name().unwrap().to_str().unwrap();
    assert!(text.contains("heads/") && text.contains(&name(30)), "the key: {text}");
    assert!(text.contains(file) && text.contains("offset"), "the file and offset: {text}");

    let lost: Vec<usize> = (0..DOCUMENTS).filter(|n| store.get(cars, &name(*n)).is_err()).collect();
    assert!(lost.contains(&30) && lost.len() < 10, "{lost:?} are lost with one block");

    let found = everything(&store, 10_000);
    let named = |damage: &Damage| damage.family == "heads" && damage.error.contains(file);
    assert!(!found.damage.is_empty() && found.damage.iter().all(named), "{:?}", found.damage);
    // The walk goes on after the block: at the most a few neighbours are missed.
    assert!(found.keys + 20 > whole.keys, "{} of {} keys", found.keys, whole.keys);
    let verified = store.verify(&mut |_| ()).unwrap();
    assert!(verified.iter().any(|difference| difference.contains(file)), "{verified:?}");

    // In one group with others, only the damaged one is refused.
    std::thread::scope(|scope| {
        for n in 0..DOCUMENTS {
            let (store, lost) = (&store, &lost);
            scope.spawn(move || {
                let written = put(store, cars, n, 2).map(drop);
                let kind = written.as_ref().map_err(|error| error.kind());
                let expected = if lost.contains(&n) { Err(ErrorKind::Corrupt) } else { Ok(&()) };
                assert_eq!(kind, expected, "document {n}: {written:?}");
            });
        }
    });
    let health = store.health();
    assert_eq!((health.poisoned, health.damaged), (None, vec!["heads"]));
}

/// RocksDB takes no more writes then, so the store stops; but the next start leaves the family alone.
#[test]
fn damage_that_a_merge_meets_first_costs_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("store");
    let (store, cars) = open(&dir);
    for n in 0..DOCUMENTS {
        put(&store, cars, n, 1).unwrap();
    }
    let in_tables = |store: &Store| {
        drop(store.checkpoint(&place.path().join("checkpoint"), &mut |_, _, _| ()).unwrap());
    };
    in_tables(&store);
    // A single table would be moved as it is.
    put(&store, cars, 0, 2).unwrap();
    put(&store, cars, 59, 2).unwrap();
    in_tables(&store);
    drop(store);
    damage(&dir, "round 1 of 030");

    let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
    let kv = Arc::new(RocksKv::open(&dir, SMALL).unwrap());
    let store = Store::start_still(Arc::clone(&kv) as _, clock).unwrap();
    kv.db.compact_range_cf(kv.family(Family::Heads).unwrap(), None::<&[u8]>, None::<&[u8]>);
    assert_eq!(put(&store, cars, 1, 2).unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(store.health().poisoned.is_some_and(|reason| reason.contains(".sst")));
    assert!(store.get(cars, &name(1)).is_ok(), "reads go on");
    drop((store, kv));
    assert!(fs::read_to_string(dir.join("DAMAGED")).unwrap().starts_with("heads "));

    // As often as one likes, and with merges due in every family.
    for round in 3..9 {
        let (store, cars) = open(&dir);
        assert_eq!(store.get(cars, &name(30)).unwrap_err().kind(), ErrorKind::Corrupt);
        put(&store, cars, 1, round).unwrap();
        in_tables(&store);
        put(&store, cars, 59, round).unwrap();
    }
}

#[test]
fn a_damaged_blob_file_is_named_with_the_key_and_costs_one_value() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("store");
    let (store, cars) = open(&dir);
    let chunk = |n: u8| [format!("chunk {n} of many").as_bytes(), &[n; 40_000][..]].concat();
    let chunks: Vec<_> = (0..20).map(chunk).collect();
    let hashes: Vec<ChunkHash> = chunks.iter().map(|chunk| ChunkHash::of(chunk)).collect();
    for bytes in chunks {
        let chunk = Chunk::new(bytes).unwrap();
        store.commit(Transaction::new(Durability::Sync).chunk(chunk)).unwrap();
    }
    for n in 0..DOCUMENTS {
        put(&store, cars, n, 1).unwrap();
    }
    drop(store.checkpoint(&place.path().join("checkpoint"), &mut |_, _, _| ()).unwrap());
    let whole = everything(&store, u64::MAX);
    assert_eq!(whole.damage, []);
    drop(store);
    let file = damage(&dir, "chunk 7 of many");
    assert!(file.extension().is_some_and(|end| end == "blob"), "{}", file.display());

    let (store, cars) = open(&dir);
    for step_bytes in [10_000, u64::MAX] {
        let found = everything(&store, step_bytes);
        let [damage] = &found.damage[..] else { panic!("{:?}", found.damage) };
        assert_eq!(damage.family, "blobs");
        let key = crate::codec::blob::key_bytes(&hashes[7]);
        assert_eq!(damage.key, key.escape_ascii().to_string());
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(damage.error.starts_with(&format!("{name} offset ")), "{}", damage.error);
        // One key is lost to sight, and the second epoch has come.
        assert_eq!(found.keys, whole.keys - 1 + 1);
    }
    let lost = |n: &usize| store.chunk(&hashes[*n]).is_err();
    assert_eq!((0..20).filter(lost).collect::<Vec<_>>(), [7]);
    put(&store, cars, 3, 2).unwrap();
}

#[test]
fn a_value_that_is_not_what_was_written_is_found_by_its_own_checksum() {
    use crate::kv::Kv;
    use crate::kv::batch::Batch;
    use crate::kv::memory::MemoryKv;

    let kv = MemoryKv::default();
    let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
    let store = Store::start_still(Arc::new(kv.clone()), clock).unwrap();
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    for round in 1..=2 {
        put(&store, cars, 7, round).unwrap();
    }
    let enqueue = Transaction::new(Durability::Sync).enqueue(NewJob::new("lane", "x"));
    store.commit(enqueue.positions(vec![1].into())).unwrap();
    assert_eq!(everything(&store, 1).damage, []);
    for family in [Family::Heads, Family::History, Family::Log, Family::Positions, Family::Job, Family::Jst] {
        let mut row = None;
        let all = crate::kv::KeyRange::new([], [u8::MAX; 64]);
        kv.walk(family, &all, &mut |key, value| {
            row = Some((key.to_vec(), value.to_vec()));
            Ok(std::ops::ControlFlow::Break(()))
        })
        .unwrap();
        let (key, value) = row.unwrap_or_else(|| panic!("{family:?} is empty"));
        let mut batch = Batch::default();
        batch.put(family, &key, &value[..value.len() - 1]);
        kv.write(&batch, true).unwrap();
        let damage = everything(&store, 1).damage;
        let named: Vec<_> = damage.iter().map(|damage| (damage.family, damage.key.clone())).collect();
        let log_is_silent = family == Family::Log;
        // A record of the log has no checksum: a shorter name is another name.
        assert!(
            log_is_silent || named == [(family.name(), key.escape_ascii().to_string())],
            "{family:?}: {named:?}"
        );
        batch.clear();
        batch.put(family, &key, &value);
        kv.write(&batch, true).unwrap();
    }
}
