//! Random operations against a reference, over memory and RocksDB, with reopening and crashes.
//!
//! The reference is written from the contract: a map of documents with all their versions and the list
//! of changes. After every run the store is compared with it whole, and the invariants of the format are
//! checked over the raw keys.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;

use crate::kv::Kv;
use crate::kv::memory::MemoryKv;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::kv::tuning::Tuning;
use crate::*;

#[derive(Clone, Debug)]
enum Step {
    Put {
        doc: u8,
        plate: u8,
        condition: u8,
    },
    Delete {
        doc: u8,
        condition: u8,
    },
    /// Several writes at once.
    Bulk(Vec<(u8, u8, bool)>),
    Positions(u8),
    Enqueue(u8),
    /// Close and open again.
    Reopen,
    /// Read the state as of some earlier sequence.
    AsOf(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..6, 0u8..5, 0u8..4).prop_map(|(doc, plate, condition)| Step::Put { doc, plate, condition }),
        2 => (0u8..6, 0u8..4).prop_map(|(doc, condition)| Step::Delete { doc, condition }),
        2 => proptest::collection::vec((0u8..6, 0u8..5, any::<bool>()), 1..5).prop_map(Step::Bulk),
        1 => any::<u8>().prop_map(Step::Positions),
        1 => any::<u8>().prop_map(Step::Enqueue),
        1 => Just(Step::Reopen),
        1 => any::<u8>().prop_map(Step::AsOf),
    ]
}

/// All versions of each document, oldest first: `(seq, body)`, `None` for a deletion.
type Versions = BTreeMap<String, Vec<(u64, Option<String>)>>;

#[derive(Clone, Debug, Default)]
struct Reference {
    versions: Versions,
    seq: u64,
    /// `(seq, group_last, id)` of document records.
    log: Vec<(u64, u64, String)>,
    positions: Vec<(u64, u8)>,
    jobs: usize,
}

impl Reference {
    fn live(&self, id: &str) -> Option<&(u64, Option<String>)> {
        self.versions.get(id)?.last().filter(|(_, body)| body.is_some())
    }

    fn holder(&self, plate: u8) -> Option<&String> {
        let body = body_of(plate);
        self.versions.iter().find_map(|(id, versions)| {
            let (_, last) = versions.last()?;
            (plate > 0 && last.as_deref() == Some(&body)).then_some(id)
        })
    }

    /// Applies writes in order; `false` and no effect when one of them may not be.
    fn write(&mut self, writes: &[(String, Option<u8>, u8)]) -> bool {
        let mut next = self.clone();
        let first = next.log.len();
        for (id, plate, condition) in writes {
            let live = next.live(id).is_some();
            let allowed = match condition {
                0 => true,
                1 => !live,
                _ => live,
            };
            let free = plate.is_none_or(|plate| next.holder(plate).is_none_or(|holder| holder == id));
            if !allowed || !free || (plate.is_none() && !live) {
                return false;
            }
            next.seq += 1;
            let version = (next.seq, plate.map(body_of));
            next.versions.entry(id.clone()).or_default().push(version);
            next.log.push((next.seq, 0, id.clone()));
        }
        let last = next.seq;
        next.log[first..].iter_mut().for_each(|record| record.1 = last);
        *self = next;
        true
    }
}

/// Plate 0 stands for none, which is not held to uniqueness.
fn body_of(plate: u8) -> String {
    if plate == 0 { "{}".to_owned() } else { format!(r#"{{"plate":"P{plate}"}}"#) }
}

/// Opens the same bytes again and again.
enum Bytes {
    Memory(MemoryKv),
    Rocks(tempfile::TempDir),
}

impl Bytes {
    fn kv(&self) -> Arc<dyn Kv> {
        match self {
            Self::Memory(kv) => Arc::new(kv.clone()),
            Self::Rocks(dir) => {
                let options =
                    RocksOptions { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, tuning: Tuning::SHIPPED };
                Arc::new(RocksKv::open(dir.path(), options).unwrap())
            }
        }
    }

    fn open(&self) -> (Store, CollectionId) {
        let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
        let store = Store::start(self.kv(), clock).unwrap();
        let options = CollectionOptions {
            definition: String::new(),
            unique: vec!["plate".into()],
            indexes: Vec::new(),
            keep: Keep::default(),
        };
        let cars = store.ensure_collection("cars", options).unwrap();
        (store, cars)
    }
}

fn condition(code: u8, store: &Store, cars: CollectionId, id: &str) -> Condition {
    match code {
        0 => Condition::Always,
        1 => Condition::Absent,
        2 => Condition::Present,
        _ => match store.head(cars, id).unwrap() {
            Some(head) => Condition::Revision(head.revision()),
            None => Condition::Present,
        },
    }
}

fn run(bytes: &Bytes, steps: &[Step]) {
    let (mut store, mut cars) = bytes.open();
    let mut reference = Reference { seq: store.watermark().applied().seq.get(), ..Reference::default() };
    for (place, step) in steps.iter().enumerate() {
        // Every other transaction is buffered: a process kill keeps those too.
        let durability = if place % 2 == 0 { Durability::Sync } else { Durability::Buffered };
        let transaction = Transaction::new(durability);
        match step {
            Step::Put { doc, plate, condition: code } => {
                let (id, wanted) = (format!("d{doc}"), condition(*code, &store, cars, &format!("d{doc}")));
                let put = transaction.put(cars, DocId::new(&id).unwrap(), wanted, body_of(*plate));
                let expected = reference.write(&[(id, Some(*plate), *code)]);
                assert_eq!(store.commit(put).is_ok(), expected, "{step:?}");
            }
            Step::Delete { doc, condition: code } => {
                let (id, wanted) = (format!("d{doc}"), condition(*code, &store, cars, &format!("d{doc}")));
                let delete = transaction.delete(cars, DocId::new(&id).unwrap(), wanted);
                let expected = reference.write(&[(id, None, *code)]);
                assert_eq!(store.commit(delete).is_ok(), expected, "{step:?}");
            }
            Step::Bulk(writes) => {
                let bulk = writes.iter().fold(transaction, |bulk, (doc, plate, delete)| {
                    let id = DocId::new(format!("d{doc}")).unwrap();
                    if *delete {
                        bulk.delete(cars, id, Condition::Always)
                    } else {
                        bulk.put(cars, id, Condition::Always, body_of(*plate))
                    }
                });
                let writes: Vec<_> = writes
                    .iter()
                    .map(|(doc, plate, delete)| (format!("d{doc}"), (!delete).then_some(*plate), 0))
                    .collect();
                let expected = reference.write(&writes);
                assert_eq!(store.commit(bulk).is_ok(), expected, "{step:?}");
            }
            Step::Positions(byte) => {
                store.commit(transaction.positions(vec![*byte].into())).unwrap();
                reference.positions.push((reference.seq, *byte));
            }
            Step::Enqueue(byte) => {
                let job =
                    NewJob { group: Some(format!("g{}", byte % 3)), ..NewJob::new("lane", vec![*byte]) };
                store.commit(transaction.enqueue(job)).unwrap();
                reference.seq += 1;
                reference.jobs += 1;
            }
            Step::Reopen => {
                drop(store);
                (store, cars) = bytes.open();
            }
            Step::AsOf(back) => {
                let seq = reference.seq.saturating_sub(u64::from(*back % 16));
                compare_as_of(&store, cars, &reference, seq);
            }
        }
    }
    compare(&store, cars, &reference);
    drop(store);
    let (store, cars) = bytes.open();
    compare(&store, cars, &reference);
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
}

fn compare(store: &Store, cars: CollectionId, reference: &Reference) {
    // Buffered writes enter the feed when they are durable, a moment later.
    while store.watermark().durable().seq.get() < reference.seq
        || store.watermark().durable().positions.get() < reference.positions.len() as u64
    {
        store.watermark().wait_past(store.watermark().durable(), std::time::Duration::from_secs(10));
    }
    assert_eq!(store.watermark().applied().seq.get(), reference.seq);
    compare_as_of(store, cars, reference, reference.seq);
    for (id, versions) in &reference.versions {
        let stored: Vec<_> = store
            .versions(cars, id, 1_000)
            .unwrap()
            .into_iter()
            .rev()
            .map(|v| (v.seq.get(), (!v.deleted).then(|| String::from_utf8(v.body.to_vec()).unwrap())))
            .collect();
        assert_eq!(&stored, versions, "versions of {id}");
        for plate in 1..5 {
            let holder = store.lookup(cars, "plate", &[serde_json::json!(format!("P{plate}"))]).unwrap();
            let expected: Vec<_> =
                reference.holder(plate).map(|id| DocId::new(id).unwrap()).into_iter().collect();
            assert_eq!(holder, expected, "holder of P{plate}");
        }
    }
    let (mut at, mut log, mut positions) = (Tail::default(), Vec::new(), Vec::new());
    loop {
        let entries = store.feed().entries(at, 3).unwrap();
        if entries.is_empty() {
            break;
        }
        at = at.past(&entries);
        for entry in entries {
            match entry {
                Entry::Change(change) if change.op.is_document() => {
                    log.push((change.seq.get(), change.group_last.get(), change.id.to_string()));
                }
                Entry::Change(_) => {}
                Entry::Positions { batch, after, .. } => positions.push((after.get(), batch[0])),
            }
        }
    }
    assert_eq!(log, reference.log);
    assert_eq!(positions, reference.positions);
    let lanes = store.queue().lanes().unwrap();
    assert_eq!(lanes.iter().map(|lane| lane.ready + lane.waiting).sum::<usize>(), reference.jobs);
}

fn compare_as_of(store: &Store, cars: CollectionId, reference: &Reference, seq: u64) {
    let mut stored = Vec::new();
    let snapshot = store.snapshot().unwrap();
    snapshot
        .scan_as_of(cars, Seq::new(seq), |document| {
            let body = String::from_utf8(document.body.to_vec()).unwrap();
            stored.push((document.id.to_string(), document.seq.get(), body));
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected: Vec<_> = reference
        .versions
        .iter()
        .filter_map(|(id, versions)| {
            let (at, body) = versions.iter().rev().find(|(at, _)| *at <= seq)?;
            Some((id.clone(), *at, body.clone()?))
        })
        .collect();
    assert_eq!(stored, expected, "as of {seq}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn memory_agrees_with_the_reference(steps in proptest::collection::vec(step(), 1..60)) {
        run(&Bytes::Memory(MemoryKv::default()), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn rocksdb_agrees_with_the_reference(steps in proptest::collection::vec(step(), 1..60)) {
        run(&Bytes::Rocks(tempfile::tempdir().unwrap()), &steps);
    }
}
