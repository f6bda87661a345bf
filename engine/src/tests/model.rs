//! Random operations against a reference, over memory and RocksDB, with reopening in between.
//!
//! Writes, deletes, whole transactions, ends, housekeeping, trims, drops, upgrades of the schema, waits. After every
//! run, and after another opening, the store is compared with the reference whole: what is there now, every version that
//! is kept, the log, and the past at every record of it, which is told as it was or refused, and never told wrong. Then
//! it checks itself.
//! `SEED` replays a run; the runner prints the smallest steps that fail.

mod reference;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use self::reference::{Kind, Reference, Write, body_of};
use crate::kv::Kv;
use crate::kv::memory::MemoryKv;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::kv::tuning::Tuning;
use crate::tests::faults::seed;
use crate::*;

#[derive(Clone, Debug)]
enum Step {
    /// The last is after how many milliseconds it ends by itself.
    Put(u8, u8, u8, Option<u64>),
    Delete(u8, u8),
    /// Several writes at once.
    Bulk(Vec<(u8, u8, bool)>),
    Positions(u8),
    Enqueue(u8),
    Wait(u64),
    /// Housekeeping does what is due.
    Tidy,
    /// Of the log only the newest group stays.
    Trim,
    /// Another collection takes the name.
    Drop(u8),
    /// The collection keeps things otherwise.
    Alter(u8),
    /// The schema of the collection gets another version.
    Upgrade(bool),
    /// Close and open again.
    Reopen,
    /// Read the state as of some earlier record.
    AsOf(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![3 => 0u64..2_500, 1 => Just(5_000_000u64)];
    let end = proptest::option::weighted(0.3, 0u64..3_000);
    prop_oneof![
        12 => (0u8..6, 0u8..5, 0u8..4, end).prop_map(|(doc, plate, code, end)| Step::Put(doc, plate, code, end)),
        4 => (0u8..6, 0u8..4).prop_map(|(doc, code)| Step::Delete(doc, code)),
        4 => proptest::collection::vec((0u8..6, 0u8..5, any::<bool>()), 1..5).prop_map(Step::Bulk),
        2 => any::<u8>().prop_map(Step::Positions),
        2 => any::<u8>().prop_map(Step::Enqueue),
        4 => wait.prop_map(Step::Wait),
        5 => Just(Step::Tidy),
        2 => Just(Step::Trim),
        1 => any::<u8>().prop_map(Step::Drop),
        2 => any::<u8>().prop_map(Step::Alter),
        2 => any::<bool>().prop_map(Step::Upgrade),
        2 => Just(Step::Reopen),
        2 => any::<u8>().prop_map(Step::AsOf),
    ]
}

fn keep(code: u8) -> Keep {
    let keep = |versions_max, versions_ms, expire_after_ms, tombstone_ms| Keep {
        versions_max,
        versions_ms,
        expire_after_ms,
        tombstone_ms,
    };
    match code % 4 {
        0 => Keep::default(),
        1 => keep(Some(2), None, None, Some(400)),
        2 => keep(None, Some(1_500), Some(2_000), Some(600)),
        _ => keep(Some(1), Some(800), Some(4_000_000), None),
    }
}

/// Opens the same bytes again and again, under one clock.
struct World {
    bytes: Bytes,
    clock: Arc<ManualClock>,
    store: Option<Store>,
    cars: CollectionId,
    reference: Reference,
    /// What housekeeping has done in all openings.
    kept: KeepTotals,
}

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
}

impl World {
    fn new(bytes: Bytes, code: u8) -> Self {
        let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
        let reference = Reference::new(1_000, keep(code));
        let mut world = Self {
            bytes,
            clock,
            store: None,
            cars: CollectionId::ZERO,
            reference,
            kept: KeepTotals::default(),
        };
        world.open();
        world.reference.record();
        world
    }

    /// Without the thread of housekeeping: what it does comes with `Tidy`.
    fn open(&mut self) {
        if let Some(store) = self.store.take() {
            let KeepTotals { expired, purged, versions_removed } = store.kept();
            self.kept.expired += expired;
            self.kept.purged += purged;
            self.kept.versions_removed += versions_removed;
        }
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        self.store = Some(Store::start_still(self.bytes.kv(), clock).unwrap());
        self.define();
    }

    fn define(&mut self) {
        self.cars = self.store().ensure_collection("cars", self.options()).unwrap();
    }

    fn options(&self) -> CollectionOptions {
        let (unique, keep) = (vec!["plate".into()], self.reference.keep);
        let upgrades = self.reference.upgrades.iter().zip(2..).map(|(renames, to)| {
            let place = to - 2;
            let before = u32::checked_sub(place, 1).filter(|_| *renames);
            let rename = before.map(|before| (format!("s{before}"), format!("r{before}")));
            let rename = rename.into_iter().collect();
            Upgrade { to, rename, default: vec![(format!("s{place}"), place.into())], ..Upgrade::default() }
        });
        let upgrades = upgrades.collect();
        CollectionOptions { unique, keep, upgrades, ..CollectionOptions::default() }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn condition(&self, code: u8, id: &str) -> Condition {
        match code {
            0 => Condition::Always,
            1 => Condition::Absent,
            2 => Condition::Present,
            _ => match self.store().head(self.cars, id).unwrap() {
                Some(head) => Condition::Revision(head.revision()),
                None => Condition::Present,
            },
        }
    }

    fn commit(&mut self, transaction: Transaction, writes: Vec<Write>) {
        let transaction = writes.iter().fold(transaction, |transaction, write| {
            let (id, condition) =
                (DocId::new(&write.id).unwrap(), self.condition(write.condition, &write.id));
            match (write.plate, write.ends) {
                (Some(plate), Some(end)) => {
                    transaction.put_until(self.cars, id, condition, body_of(plate), Millis::new(end))
                }
                (Some(plate), None) => transaction.put(self.cars, id, condition, body_of(plate)),
                (None, _) => transaction.delete(self.cars, id, condition),
            }
        });
        let expected = self.reference.write(&writes);
        let outcome = self.store().commit(transaction);
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
    }

    fn step(&mut self, step: &Step, durability: Durability) {
        let (transaction, now) = (Transaction::new(durability), self.reference.now);
        let name = |doc: &u8| format!("d{doc}");
        match step {
            Step::Put(doc, plate, condition, end) => {
                let (plate, ends) = (Some(*plate), end.map(|end| now + end));
                let write = Write { id: name(doc), plate, ends, condition: *condition };
                self.commit(transaction, vec![write]);
            }
            Step::Delete(doc, condition) => {
                let write = Write { id: name(doc), plate: None, ends: None, condition: *condition };
                self.commit(transaction, vec![write]);
            }
            Step::Bulk(writes) => {
                let write = |(doc, plate, delete): &(u8, u8, bool)| {
                    let plate = (!delete).then_some(*plate);
                    Write { id: name(doc), plate, ends: None, condition: 0 }
                };
                self.commit(transaction, writes.iter().map(write).collect());
            }
            Step::Positions(byte) => {
                self.store().commit(transaction.positions(vec![*byte].into())).unwrap();
                self.reference.positions.push((self.reference.seq, *byte));
            }
            Step::Enqueue(byte) => {
                let group = Some(format!("g{}", byte % 3));
                let job = NewJob { group, ..NewJob::new("lane", vec![*byte]) };
                self.store().commit(transaction.enqueue(job)).unwrap();
                self.reference.record();
                self.reference.jobs += 1;
            }
            Step::Wait(ms) => {
                self.clock.advance_ms(*ms);
                self.reference.now += ms;
            }
            Step::Tidy => {
                self.store().tidy().unwrap();
                self.reference.tidy();
            }
            Step::Trim => self.trim(),
            Step::Drop(code) => {
                self.store().commit(transaction.drop(self.cars)).unwrap();
                self.reference.drop_and_define(keep(*code));
                self.define();
            }
            Step::Alter(code) => {
                self.reference.alter(keep(*code));
                self.store().alter(self.cars, self.options()).unwrap();
            }
            Step::Upgrade(renames) => {
                self.reference.upgrade(*renames);
                self.store().alter(self.cars, self.options()).unwrap();
            }
            Step::Reopen => self.open(),
            Step::AsOf(back) => {
                let seq = self.reference.seq.saturating_sub(u64::from(*back % 16));
                self.compare_past(seq);
            }
        }
        assert_eq!(self.store().watermark().applied().seq.get(), self.reference.seq, "{step:?}");
    }

    fn trim(&mut self) {
        self.wait_durable();
        let nothing = Retention { keep_ms: 0, keep_bytes: 0, hold_ms_max: 0 };
        let all = Retention { keep_ms: u64::MAX, keep_bytes: u64::MAX, hold_ms_max: u64::MAX };
        let trimmed = self.store().trim(&TrimPolicy { log: nothing, positions: all }).unwrap();
        let floor = trimmed.floor.seq.get();
        self.reference.log.retain(|(seq, _, _)| *seq > floor);
        self.reference.log_floor = floor;
    }

    /// Buffered writes enter the feed when they are durable, a moment later.
    fn wait_durable(&self) {
        let (watermark, reference) = (self.store().watermark(), &self.reference);
        let is_durable = |tail: Tail| {
            tail.seq.get() >= reference.seq && tail.positions.get() >= reference.positions.len() as u64
        };
        while !is_durable(watermark.durable()) {
            watermark.wait_past(watermark.durable(), std::time::Duration::from_secs(10));
        }
    }

    fn compare(&self) {
        self.wait_durable();
        let (store, reference) = (self.store(), &self.reference);
        let snapshot = store.snapshot().unwrap();
        let mut live = BTreeMap::new();
        let visit = |document: Document| {
            live.insert(document.id.to_string(), document.seq.get());
            ControlFlow::Continue(())
        };
        snapshot.scan(self.cars, None, false, visit).unwrap();
        let expected = reference.docs.keys().filter_map(|id| Some((id.clone(), reference.live(id)?.seq)));
        assert_eq!(live, expected.collect(), "live documents");
        for (id, doc) in &reference.docs {
            let stored = store.versions(self.cars, id, 1_000).unwrap();
            let stored = stored.iter().rev().map(|version| {
                let body = String::from_utf8(version.body.to_vec()).unwrap();
                (version.seq.get(), version.deleted, body, version.expires.map(Millis::get))
            });
            let kept = doc.kept().iter().map(|version| {
                (version.seq, version.kind == Kind::Tombstone, reference.shown(version), version.ends)
            });
            assert_eq!(stored.collect::<Vec<_>>(), kept.collect::<Vec<_>>(), "versions of {id}");
        }
        for plate in 1..5 {
            let found = store.lookup(self.cars, "plate", &[serde_json::json!(format!("P{plate}"))]).unwrap();
            let holder = reference.holder(plate).map(|id| DocId::new(id).unwrap());
            assert_eq!(found, holder.into_iter().collect::<Vec<_>>(), "holder of P{plate}");
        }
        assert_eq!(snapshot.history_floor(self.cars).unwrap().get(), reference.floor);
        for seq in 1..=reference.seq {
            self.compare_past(seq);
        }
        self.compare_log();
        let lanes = store.queue().lanes().unwrap();
        assert_eq!(lanes.iter().map(|lane| lane.ready + lane.waiting).sum::<usize>(), reference.jobs);
    }

    /// The past is told as it was, or refused where something of it is gone.
    fn compare_past(&self, seq: u64) {
        let (snapshot, reference) = (self.store().snapshot().unwrap(), &self.reference);
        let moment = match snapshot.moment(Seq::new(seq)) {
            Ok(moment) => moment,
            Err(error) => {
                assert!(error.kind() == ErrorKind::Gone && seq <= reference.log_floor, "{seq}: {error}");
                return;
            }
        };
        let gone = |error: &Error| error.kind() == ErrorKind::Gone && seq < reference.floor;
        let mut expected = Vec::new();
        for doc in 0..6 {
            let id = format!("d{doc}");
            let seen = reference.seen_at(&id, seq);
            match snapshot.get_at(self.cars, &id, moment) {
                Ok(found) => {
                    let found = found.map(|found| found.seq.get());
                    assert_eq!(found, seen.map(|seen| seen.seq), "{id} as of {seq}");
                }
                Err(error) => assert!(gone(&error), "{id} as of {seq}: {error}"),
            }
            expected.extend(seen.map(|seen| (id, seen.seq, reference.shown(seen))));
        }
        let mut stored = Vec::new();
        let listed = snapshot.scan_at(self.cars, moment, |document| {
            let body = String::from_utf8(document.body.to_vec()).unwrap();
            stored.push((document.id.to_string(), document.seq.get(), body));
            ControlFlow::Continue(())
        });
        match listed {
            Ok(()) => assert_eq!(stored, expected, "as of {seq}"),
            Err(error) => assert!(gone(&error), "as of {seq}: {error}"),
        }
    }

    fn compare_log(&self) {
        let (store, reference) = (self.store(), &self.reference);
        let (floor, mut log, mut positions) = (store.feed().floor().unwrap(), Vec::new(), Vec::new());
        assert_eq!(floor.get(), reference.log_floor);
        let mut at = Tail { seq: floor, ..Tail::default() };
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
    }
}

fn run(bytes: Bytes, code: u8, steps: &[Step]) -> KeepTotals {
    let mut world = World::new(bytes, code);
    for (place, step) in steps.iter().enumerate() {
        // Every other transaction is buffered: a process kill keeps those too.
        world.step(step, if place % 2 == 0 { Durability::Sync } else { Durability::Buffered });
    }
    world.compare();
    world.open();
    world.compare();
    assert_eq!(world.store().verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    world.kept
}

/// Answers what housekeeping has done in each case.
fn agree(name: &str, cases: u32, bytes: impl Fn() -> Bytes) -> Vec<KeepTotals> {
    let rng_seed = RngSeed::Fixed(seed(name));
    let mut runner =
        TestRunner::new(Config { cases, rng_seed, failure_persistence: None, ..Config::default() });
    let strategy = (any::<u8>(), proptest::collection::vec(step(), 1..80));
    let done = RefCell::new(Vec::new());
    let outcome = runner.run(&strategy, |(code, steps)| {
        let kept = run(bytes(), code, &steps);
        done.borrow_mut().push(kept);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    done.into_inner()
}

#[test]
fn memory_agrees_with_the_reference() {
    let done = agree("model over memory", 256, || Bytes::Memory(MemoryKv::default()));
    let seen = |what: fn(&KeepTotals) -> u64| done.iter().any(|kept| what(kept) > 0);
    assert!(seen(|kept| kept.expired) && seen(|kept| kept.purged) && seen(|kept| kept.versions_removed));
}

#[test]
fn rocksdb_agrees_with_the_reference() {
    agree("model over rocksdb", 12, || Bytes::Rocks(tempfile::tempdir().unwrap()));
}

/// A reference that is wrong in one thing does not agree.
#[test]
fn each_kind_of_difference_is_found() {
    let wrong: [fn(&mut Reference); 7] = [
        |reference| reference.floor += 1,
        |reference| reference.docs.get_mut("d0").unwrap().kept_from += 1,
        |reference| reference.docs.get_mut("d0").unwrap().all[0].ends = Some(1),
        |reference| reference.docs.get_mut("d0").unwrap().all[1].body = body_of(3),
        |reference| drop(reference.log.pop()),
        |reference| reference.jobs += 1,
        |reference| reference.docs.get_mut("d0").unwrap().all[0].upgrades = 1,
    ];
    let put = |plate| Step::Put(0, plate, 0, None);
    for (place, make_wrong) in wrong.into_iter().enumerate() {
        let mut world = World::new(Bytes::Memory(MemoryKv::default()), 0);
        for step in [put(1), put(2), Step::Upgrade(false), Step::Tidy, put(1)] {
            world.step(&step, Durability::Sync);
        }
        world.compare();
        make_wrong(&mut world.reference);
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| world.compare()));
        assert!(outcome.is_err(), "the wrong reference {place} agrees");
    }
}
