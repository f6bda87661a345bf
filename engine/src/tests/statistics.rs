//! The statistics tell of what was done to a store on disk.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::*;

fn open(dir: &Path, tuning: Tuning) -> (Store, CollectionId) {
    let options = Options { cache_bytes: 8 << 20, memtable_bytes: 1 << 20, tuning, ..Options::new() };
    let store = Store::open(dir, options).unwrap();
    let collection = store.ensure_collection("documents", CollectionOptions::default()).unwrap();
    (store, collection)
}

/// Bodies that do not compress, from a fixed seed.
fn write(store: &Store, collection: CollectionId, documents: u32, durability: Durability) {
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..documents {
        let text: String = (0..4_000).map(|_| random.alphanumeric()).collect();
        let id = DocId::new(format!("d{number}")).unwrap();
        let body = format!(r#"{{"text":"{text}"}}"#);
        let transaction = Transaction::new(durability).put(collection, id, Condition::Always, body);
        store.commit(transaction).unwrap();
    }
}

#[test]
fn bytes_files_and_syncs_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (store, collection) = open(dir.path(), Tuning::SHIPPED);
    let before = store.statistics().unwrap();
    let commits = store.health().commits;
    write(&store, collection, 20, Durability::Sync);
    write(&store, collection, 2_000, Durability::Buffered);
    store.get(collection, "d7").unwrap().unwrap();
    let tables = |now: &Statistics| -> u64 {
        now.families.iter().flat_map(|family| &family.levels).map(|level| level.bytes).sum()
    };
    // Memtables are flushed and files compacted beside this thread; what is asked is how it is when they are done.
    let deadline = Instant::now() + Duration::from_secs(30);
    let after = loop {
        let now = store.statistics().unwrap();
        let is_still = now.space.table_bytes == tables(&now) && tables(&now) > 1_000_000;
        if is_still || Instant::now() > deadline {
            break now;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let committed = store.health().commits;

    let written = after.written.since(&before.written);
    assert!(written.batch_bytes >= committed.bytes - commits.bytes, "{written:?}");
    assert!(written.wal_bytes >= written.batch_bytes, "{written:?}");
    assert!(written.flush_bytes > 1_000_000, "eight memtables of 1 MiB and no flush: {written:?}");
    assert!(after.written.amplification().unwrap() > 0.5, "{:?}", after.written);
    let syncs = after.syncs.wal - before.syncs.wal;
    assert!(syncs >= 20, "{:?}", after.syncs);
    assert_eq!(after.syncs.durable.count(), committed.syncs);
    assert!(after.syncs.durable.quantile_us(500) > 0 && after.syncs.tables > 0, "{:?}", after.syncs);

    let heads = after.families.iter().find(|family| family.name == "heads").unwrap();
    assert!(heads.levels.iter().map(|level| level.bytes).sum::<u64>() > 1_000_000, "{heads:?}");
    assert!(heads.keys >= 1_000, "{heads:?}");
    assert_eq!(after.space.table_bytes, tables(&after));
    assert!(after.space.amplification().is_some_and(|ratio| ratio >= 0.5), "{:?}", after.space);
    assert_eq!(after.cache.capacity_bytes, 8 << 20);
    assert!(after.memory.memtables > 0 && after.memory.cache > 0, "{:?}", after.memory);
}

#[test]
fn a_store_opens_with_any_tuning() {
    let dir = tempfile::tempdir().unwrap();
    let (store, collection) = open(dir.path(), Tuning::SHIPPED);
    write(&store, collection, 300, Durability::Buffered);
    drop(store);
    let tunings = [
        Tuning { compression: Compression::Zstd, filter: Filter::Bloom, ..Tuning::SHIPPED },
        Tuning {
            compression: Compression::None,
            filter: Filter::None,
            block_bytes: 1 << 10,
            ..Tuning::SHIPPED
        },
        Tuning { group_transactions: 1, version_blob_bytes: 100, counted: false, ..Tuning::SHIPPED },
        Tuning::SHIPPED,
    ];
    for tuning in tunings {
        let (store, collection) = open(dir.path(), tuning);
        write(&store, collection, 300, Durability::Buffered);
        assert_eq!(store.verify(&mut |_| {}).unwrap(), Vec::<String>::new(), "{tuning:?}");
        let counted = store.statistics().unwrap().written.batch_bytes > 0;
        assert_eq!(counted, tuning.counted);
    }
    let refused = Tuning { block_bytes: 1, ..Tuning::SHIPPED };
    let options = Options { tuning: refused, ..Options::new() };
    let error = Store::open(dir.path(), options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("block_bytes"), "{error}");
}

#[test]
fn a_group_is_no_larger_than_told() {
    let dir = tempfile::tempdir().unwrap();
    let (store, collection) = open(dir.path(), Tuning { group_transactions: 1, ..Tuning::SHIPPED });
    let before = store.health().commits;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| write(&store, collection, 5, Durability::Sync));
        }
    });
    let after = store.health().commits;
    assert_eq!(after.groups - before.groups, 40);
}
