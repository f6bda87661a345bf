//! Backups taken under writing, damaged, restored; and steps back held against a copy of the state.

mod damage;
mod oracle;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::kv::tuning::Tuning;
use crate::*;

const SMALL: RocksOptions =
    RocksOptions { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, tuning: Tuning::SHIPPED };

/// A store in a directory, and a directory of backups beside it.
struct World {
    place: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: Store,
    cars: CollectionId,
}

impl World {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
        let kv = RocksKv::open(&place.path().join("store"), SMALL).unwrap();
        let store = Store::start_still(Arc::new(kv), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let options = CollectionOptions {
            unique: vec!["plate".into()],
            indexes: vec!["brand".into()],
            ..CollectionOptions::default()
        };
        let cars = store.ensure_collection("cars", options).unwrap();
        Self { place, clock, store, cars }
    }

    fn writer(&self) -> BackupWriter {
        BackupWriter::take(&self.place.path().join("backup")).unwrap()
    }

    fn dir(&self) -> BackupDir {
        BackupDir::open(&self.place.path().join("backup")).unwrap()
    }

    fn take(&self) -> Taken {
        let checkpoint =
            self.store.checkpoint(&self.place.path().join("staging"), &mut |_, _, _| ()).unwrap();
        self.writer().add(&checkpoint, &mut |_, _, _| ()).unwrap()
    }

    fn put(&self, id: &str, body: String) -> Seq {
        let put = Transaction::new(Durability::Sync).put(self.cars, name(id), Condition::Always, body);
        self.store.commit(put).unwrap().seqs[0]
    }

    fn verify(&self) -> Checked {
        let scratch = tempfile::tempdir().unwrap();
        self.dir().verify(None, scratch.path(), &mut |_, _, _| ()).unwrap()
    }

    fn restore(&self, choice: Choice, to: &str) -> Result<(Restored, Store)> {
        let into = self.place.path().join(to);
        let restored = self.dir().restore(choice, &into, &mut |_, _, _| ())?;
        let kv = RocksKv::open(&into, SMALL).unwrap();
        let store = Store::start_still(Arc::new(kv), Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap();
        Ok((restored, store))
    }
}

fn name(id: &str) -> DocId {
    DocId::new(id).unwrap()
}

fn of(generation: u32) -> Choice {
    Choice { generation: Some(generation), ..Choice::default() }
}

/// Enough to fill files of each class: tables, blob files, and the log of writes.
fn fill(world: &World, round: usize) {
    for n in 0..40 {
        let filler: String =
            (0..6_000).map(|at| char::from(b'a' + ((at * 7 + n * round) % 26) as u8)).collect();
        world.put(&format!("d{n}"), format!(r#"{{"plate":"P{n}","round":{round},"filler":"{filler}"}}"#));
    }
}

#[test]
fn generations_share_what_has_not_changed_and_can_each_be_restored() {
    let world = World::new();
    let mut seqs = Vec::new();
    for round in 1..=3 {
        fill(&world, round);
        let taken = world.take();
        assert_eq!(taken.manifest.number, u32::try_from(round).unwrap());
        assert_eq!(taken.manifest.store, world.store.id());
        seqs.push(taken.manifest.last_seq);
        if round > 1 {
            let all = taken.manifest.files.len() as u64;
            assert!(taken.files_new < all, "{} of {all} files are new", taken.files_new);
        }
    }
    assert!(!world.place.path().join("staging").exists());
    let checked = world.verify();
    assert_eq!((checked.differences, checked.generations), (Vec::new(), vec![1, 2, 3]));
    for round in 1..=3_u32 {
        let (restored, store) = world.restore(of(round), &format!("restored-{round}")).unwrap();
        assert_eq!(restored.tail.seq, seqs[round as usize - 1]);
        let body = store.get(world.cars, "d7").unwrap().unwrap().body;
        assert!(String::from_utf8_lossy(&body).contains(&format!(r#""round":{round},"#)));
        assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    }

    let pruned = world.writer().prune(1).unwrap();
    assert_eq!(pruned.generations, [1, 2]);
    assert!(pruned.files > 0 && pruned.bytes > 0, "{pruned:?}");
    assert_eq!(world.verify().differences, Vec::<String>::new());
    assert_eq!(world.restore(of(1), "gone").unwrap_err().kind(), ErrorKind::NotFound);
    // Numbers are not used again.
    assert_eq!(world.take().manifest.number, 4);
    assert!(world.writer().prune(0).is_err());
}

#[test]
fn a_step_back_before_a_drop_is_refused() {
    let world = World::new();
    let before = world.put("a", r#"{"brand":"saab"}"#.to_owned());
    let boats = world.store.ensure_collection("boats", CollectionOptions::default()).unwrap();
    world.store.commit(Transaction::new(Durability::Sync).drop(world.cars)).unwrap();
    let dropped = world.store.watermark().applied().seq;
    let put = Transaction::new(Durability::Sync).put(boats, name("x"), Condition::Always, "{}");
    world.store.commit(put.drop(boats)).unwrap();
    world.take();
    let until = |seq| Choice { until: Some(Until::Seq(seq)), ..Choice::default() };
    let refused = world.restore(until(before), "refused").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Gone);
    assert!(refused.to_string().contains(&format!("'cars' was dropped by {dropped}")), "{refused}");
    // The second was there at this moment, and its documents are gone.
    assert_eq!(world.restore(until(dropped), "refused too").unwrap_err().kind(), ErrorKind::Gone);
    let (_, store) = world.restore(Choice::default(), "whole").unwrap();
    assert_eq!(store.catalog().iter().count(), 0);
    store.tidy().unwrap();
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    let again = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    assert!(again > boats, "numbers stay taken");
}

#[test]
fn what_was_seen_after_the_backup_is_not_known_to_the_restored_store() {
    let world = World::new();
    let kept = world.put("a", r#"{"plate":"A"}"#.to_owned());
    let epoch = world.store.epoch();
    world.take();
    let lost = world.put("a", r#"{"plate":"B"}"#.to_owned());
    let (restored, store) = world.restore(Choice::default(), "restored").unwrap();
    assert!(restored.epoch.get() >= epoch.get() + crate::limits::RESTORE_EPOCHS_MIN);
    assert!(store.knows(Revision { epoch, seq: kept }).unwrap());
    assert!(!store.knows(Revision { epoch, seq: lost }).unwrap());
    for opened_later in 1..20 {
        let epoch = Epoch::new(epoch.get() + opened_later);
        assert!(!store.knows(Revision { epoch, seq: lost }).unwrap(), "epoch {epoch}");
    }
    // The same sequence again is another version.
    let put = Transaction::new(Durability::Sync).put(world.cars, name("a"), Condition::Always, "{}");
    assert_eq!(store.commit(put).unwrap().seqs, [lost]);
    assert!(!store.knows(Revision { epoch, seq: lost }).unwrap());
    assert!(store.knows(Revision { epoch: store.epoch(), seq: lost }).unwrap());
}

/// Writers go on while three generations are taken. Each must hold everything that was acknowledged before it began,
/// and nothing that was submitted after it ended.
#[test]
fn a_backup_under_writing_is_one_moment() {
    let world = World::new();
    let stop = AtomicBool::new(false);
    let mut taken = Vec::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (world, stop) = (&world, &stop);
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    for n in 0_u64.. {
                        if stop.load(Ordering::Acquire) {
                            break;
                        }
                        // Two documents of one transaction: a backup never holds one of them.
                        let body = format!(r#"{{"n":{n}}}"#);
                        let put = Transaction::new(Durability::Sync)
                            .put(
                                world.cars,
                                name(&format!("w{writer}-{}-a", n % 50)),
                                Condition::Always,
                                body.clone(),
                            )
                            .put(
                                world.cars,
                                name(&format!("w{writer}-{}-b", n % 50)),
                                Condition::Always,
                                body,
                            )
                            .enqueue(NewJob::new("lane", n.to_string().into_bytes()));
                        let receipt = world.store.commit(put).unwrap();
                        acknowledged.push(receipt.tail.seq);
                    }
                    acknowledged
                })
            })
            .collect();
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(150));
            let before = world.store.watermark().applied().seq;
            let manifest = world.take().manifest;
            taken.push((before, manifest, world.store.watermark().applied().seq));
        }
        stop.store(true, Ordering::Release);
        let acknowledged: usize = writers.into_iter().map(|writer| writer.join().unwrap().len()).sum();
        assert!(acknowledged > 100, "only {acknowledged} writes");
    });
    assert_eq!(world.verify().differences, Vec::<String>::new());
    for (before, manifest, after) in taken {
        assert!(
            before <= manifest.last_seq && manifest.last_seq <= after,
            "{before} {} {after}",
            manifest.last_seq
        );
        let number = manifest.number;
        let (restored, store) = world.restore(of(number), &format!("restored-{number}")).unwrap();
        assert_eq!(restored.tail.seq, manifest.last_seq);
        // The same documents as the store had at that moment.
        let moment = world.store.snapshot().unwrap().moment(manifest.last_seq).unwrap();
        let mut wanted = Vec::new();
        let mut found = Vec::new();
        let of = |document: Document| (document.id, document.seq, document.body);
        world
            .store
            .snapshot()
            .unwrap()
            .scan_at(world.cars, moment, |document| {
                wanted.push(of(document));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        store
            .snapshot()
            .unwrap()
            .scan(world.cars, None, false, |document| {
                found.push(of(document));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(found, wanted);
        assert!(found.len() % 2 == 0 && !found.is_empty());
    }
}

#[test]
fn only_a_backup_is_written_to_and_only_nothing_is_restored_to() {
    let world = World::new();
    world.take();
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("thesis.tex"), "x").unwrap();
    let error = BackupWriter::take(other.path()).unwrap_err();
    assert!(error.to_string().contains("thesis.tex"), "{error}");
    assert_eq!(BackupDir::open(other.path()).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 1);

    let second = world.writer();
    let error = BackupWriter::take(&world.place.path().join("backup")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(second);

    let error = world.dir().restore(Choice::default(), other.path(), &mut |_, _, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    std::fs::write(world.place.path().join("backup/dateline-backup.json"), r#"{"format":2}"#).unwrap();
    let error = BackupDir::open(&world.place.path().join("backup")).unwrap_err();
    assert!(error.to_string().contains("newer"), "{error}");

    let memory = Store::memory(Options::new()).unwrap();
    let error = memory.checkpoint(&other.path().join("staging"), &mut |_, _, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// The advice of an upgrade can be followed: a store of an older format is backed up as it is, verified and restored.
#[test]
fn an_older_format_is_backed_up_untouched_and_raised_when_asked() {
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/store-v1/store");
    let place = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::still(&fixture, Millis::new(1_000), &mut |_, _, _| ()).unwrap();
    let root = place.path().join("backup");
    let taken = BackupWriter::take(&root).unwrap().add(&checkpoint, &mut |_, _, _| ()).unwrap();
    drop(checkpoint);
    assert_eq!(taken.manifest.store_format, 1);
    assert!(fixture.join("CURRENT").exists());
    let dir = BackupDir::open(&root).unwrap();
    let checked = dir.verify(None, &place.path().join("scratch"), &mut |_, _, _| ()).unwrap();
    assert_eq!(checked.differences, Vec::<String>::new());
    assert_eq!(dir.generation(1).unwrap(), taken.manifest, "a look changes nothing");
    let into = place.path().join("restored");
    let error = dir.restore(Choice::default(), &into, &mut |_, _, _| ()).unwrap_err();
    assert!(error.to_string().contains("--upgrade"), "{error}");
    let upgrade = Choice { upgrade: true, ..Choice::default() };
    let restored = dir.restore(upgrade, &into, &mut |_, _, _| ()).unwrap();
    assert_eq!(restored.tail.seq, taken.manifest.last_seq);
}
