use dateline_engine::{DocId, Durability, Millis, Options, Transaction};

use super::*;
use crate::fix::Fix;
use crate::packed::{self, encode_record};
use crate::point::Point;
use crate::state::{Known as Device, Level};
use crate::stay::{Phase, Stay};

fn fixes() -> Vec<Fix> {
    let fix = |name: &str, lon| Fix {
        device: DocId::new(name).unwrap(),
        point: Point::new(lon, 1.0).unwrap(),
        at: Millis::new(77),
        speed: Some(1.5),
        heading: None,
        accuracy: None,
        altitude: None,
        ttl_s: None,
        fields: Some("{\"a\":1}".into()),
    };
    vec![fix("d1", 1.0), fix("d2", -180.0)]
}

/// What the golden bytes say.
fn state() -> State {
    let id = |name: &str| DocId::new(name).unwrap();
    let stay = |phase, dwelled| Stay { since: Millis::new(5), phase, dwelled };
    let [first, second] = fixes().try_into().unwrap();
    let first = Device {
        fix: first,
        arrived: Millis::new(80),
        log_seq: 3,
        overruled: vec!["a".into()],
        stays: vec![
            (id("f"), stay(Phase::Inside, true)),
            (id("g"), stay(Phase::Leaving { since: Millis::new(6) }, false)),
        ],
        levels: vec![Level { fence: id("f"), fence_seq: 2, interval_ms: 60_000, interval: 9, told: 2 }],
    };
    let second = Device {
        fix: second,
        arrived: Millis::new(81),
        log_seq: 3,
        overruled: Vec::new(),
        stays: Vec::new(),
        levels: Vec::new(),
    };
    State { devices: vec![first, second], pairs: vec![(id("r"), id("d1"), id("d2"))], is_bare: false }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
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
    file.save(tail, &bytes_of(STATE)).unwrap();
    assert_eq!(file.load(tail).unwrap(), Some((tail, state())));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_does_not_fit_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let (store, tail) = store_with_batches(2);
    let saved = file(&store, dir.path());
    saved.save(tail, &bytes_of(STATE)).unwrap();
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
    file(&store, dir.path()).save(Tail::default(), &bytes_of(STATE)).unwrap();
    let bytes = std::fs::read(dir.path().join("devices-0.snapshot")).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&bytes[..4]), "444c5332");
    assert_eq!(bytes[8..24], store.id().0);
    assert_eq!(hex(&bytes[24..bytes.len() - 4]), [HEAD, STATE].concat());
}

/// A snapshot of the first format says where devices are.
#[test]
fn the_first_format_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (store, tail) = store_with_batches(2);
    let file = file(&store, dir.path());
    let mut out = b"DLS1\0\0\0\0".to_vec();
    out.extend_from_slice(&file.head(tail).unwrap());
    out.extend_from_slice(&2_u64.to_le_bytes());
    fixes().iter().for_each(|fix| encode_record(fix, &mut out));
    let length = u32::try_from(out.len() + 4).unwrap();
    overwrite(&mut out, 4, &length.to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    std::fs::write(dir.path().join("devices-0.snapshot"), &out).unwrap();
    let (at, known) = file.load(tail).unwrap().unwrap();
    let read: Vec<Fix> = known.devices.into_iter().map(|device| device.fix).collect();
    assert_eq!((at, read, known.is_bare), (tail, fixes(), true));
    assert_eq!(witnesses(dir.path()).len(), 1);
}

/// After the store's name: no marks, shard 0 of 1, tail 0/0.
const HEAD: &str =
    concat!("000000000000000000000000000000000000000001000000", "00000000000000000000000000000000",);
/// Two devices, the first with an overruled attribute, two stays and a level; one fence around devices with one pair.
const STATE: &str = concat!(
    "0200000000000000",
    "0264314d00000000000000809698008096980009000000000000f83f07007b2261223a317d",
    "500000000000000003000000000000000100010061",
    "02000000",
    "010066050000000000000012",
    "0100670500000000000000030600000000000000",
    "01000000",
    "010066020000000000000060ea000000000000090000000000000002",
    "0264324d00000000000000002eb6948096980009000000000000f83f07007b2261223a317d",
    "51000000000000000300000000000000000000000000",
    "00000000",
    "01000000",
    "0100720100000002006431",
    "02006432",
);
