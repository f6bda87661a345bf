use dateline_engine::{DocId, Durability, Millis, Options, Transaction};

use super::*;
use crate::packed;
use crate::point::Point;

fn fixes() -> Vec<Fix> {
    let fix = |name: &str, lon| Fix {
        device: DocId::new(name).unwrap(),
        point: Point::new(lon, 1.0).unwrap(),
        at: Millis::new(77),
        speed: Some(1.5),
        heading: None,
        accuracy: None,
        fields: Some("{\"a\":1}".into()),
    };
    vec![fix("d1", 1.0), fix("d2", -180.0)]
}

fn store_with_batches(count: usize) -> (Store, Tail) {
    let store = Store::memory(Options::new()).unwrap();
    let mut tail = Tail::default();
    for _ in 0..count {
        tail = store
            .commit(Transaction::new(Durability::Sync).positions(packed::encode(&fixes())))
            .unwrap()
            .tail;
    }
    (store, tail)
}

fn file(store: &Store, dir: &Path) -> SnapshotFile {
    SnapshotFile::new(store.clone(), dir, ShardPlace { number: 0, count: 1 }, Duration::ZERO)
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let (store, tail) = store_with_batches(2);
    let file = file(&store, dir.path());
    assert_eq!(file.load(tail).unwrap(), None);
    file.save(tail, fixes().iter(), 2).unwrap();
    assert_eq!(file.load(tail).unwrap(), Some((tail, fixes())));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_does_not_fit_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let (store, tail) = store_with_batches(2);
    let saved = file(&store, dir.path());
    saved.save(tail, fixes().iter(), 2).unwrap();
    let behind = Tail { positions: PositionSeq::new(tail.positions.get() - 1), ..tail };
    assert_eq!(saved.load(behind).unwrap(), None);
    let (other, _) = store_with_batches(2);
    assert_eq!(file(&other, dir.path()).load(tail).unwrap(), None);
    let two = ShardPlace { number: 0, count: 2 };
    assert_eq!(SnapshotFile::new(store.clone(), dir.path(), two, Duration::ZERO).load(tail).unwrap(), None);
    let path = dir.path().join("devices-0.snapshot");
    let good = std::fs::read(&path).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bad).unwrap();
        assert_eq!(saved.load(tail).unwrap(), None, "bit {bit}");
    }
    for length in 0..good.len() {
        std::fs::write(&path, &good[..length]).unwrap();
        assert_eq!(saved.load(tail).unwrap(), None, "{length} bytes");
    }
}

#[test]
fn bytes_are_golden() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = store_with_batches(0);
    file(&store, dir.path()).save(Tail::default(), fixes().iter(), 2).unwrap();
    let bytes = std::fs::read(dir.path().join("devices-0.snapshot")).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&bytes[..8]), "444c533196000000");
    assert_eq!(bytes[8..24], store.id().0);
    let records = hex(&bytes[24..bytes.len() - 4]);
    assert_eq!(records, GOLDEN);
}

/// After the store's name: no marks, shard 0 of 1, tail 0/0, two records.
const GOLDEN: &str = concat!(
    "0000000000000000000000000000000000000000010000000000000000000000000000000000000002000000000000",
    "000264314d00000000000000809698008096980009000000000000f83f07007b2261223a317d",
    "0264324d00000000000000002eb6948096980009000000000000f83f07007b2261223a317d",
);
