//! What housekeeping does, and what reading makes of it: ends, retention, tombstones, moments of the past.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::kv::KvRead;
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::*;

struct World {
    kv: MemoryKv,
    clock: Arc<ManualClock>,
    store: Store,
    cars: CollectionId,
}

impl World {
    fn new(keep: Keep) -> Self {
        let (kv, clock) = (MemoryKv::default(), Arc::new(ManualClock::new(Millis::new(1_000))));
        let store = Store::start_still(Arc::new(kv.clone()), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let options =
            CollectionOptions { unique: vec!["plate".into()], keep, ..CollectionOptions::default() };
        let cars = store.ensure_collection("cars", options).unwrap();
        Self { kv, clock, store, cars }
    }

    fn reopen(self) -> Self {
        let Self { kv, clock, store, cars } = self;
        drop(store);
        let store = Store::start_still(Arc::new(kv.clone()), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        Self { kv, clock, store, cars }
    }

    fn commit(&self, make: impl FnOnce(Transaction) -> Transaction) -> Result<Receipt> {
        self.store.commit(make(Transaction::new(Durability::Sync)))
    }

    fn put(&self, id: &str, body: &str) -> Seq {
        self.commit(|tx| tx.put(self.cars, name(id), Condition::Always, body.to_owned())).unwrap().seqs[0]
    }

    fn put_until(&self, id: &str, body: &str, end: u64) -> Seq {
        let body = body.to_owned();
        let receipt =
            self.commit(|tx| tx.put_until(self.cars, name(id), Condition::Always, body, Millis::new(end)));
        receipt.unwrap().seqs[0]
    }

    fn delete(&self, id: &str) -> Seq {
        self.commit(|tx| tx.delete(self.cars, name(id), Condition::Always)).unwrap().seqs[0]
    }

    fn alter(&self, keep: Keep) {
        let options =
            CollectionOptions { unique: vec!["plate".into()], keep, ..CollectionOptions::default() };
        self.store.alter(self.cars, options).unwrap();
    }

    /// Of the log only the newest group stays.
    fn trim_log(&self) {
        let nothing = Retention { keep_ms: 0, keep_bytes: 0, hold_ms_max: 0 };
        self.store.trim(&TrimPolicy { log: nothing, positions: nothing }).unwrap();
        assert_eq!(self.store.feed().floor().unwrap().next(), self.store.feed().head());
    }

    fn ops(&self) -> Vec<(ChangeOp, String)> {
        let feed = self.store.feed();
        let seen = |change: Change| (change.op, change.id.to_string());
        feed.changes(feed.floor().unwrap(), 1_000).unwrap().into_iter().map(seen).collect()
    }

    fn seqs(&self, id: &str) -> Vec<u64> {
        self.store.versions(self.cars, id, 100).unwrap().iter().map(|version| version.seq.get()).collect()
    }

    fn check(&self) {
        assert_eq!(self.store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    }

    fn rows(&self, family: Family) -> usize {
        let mut rows = 0;
        let all = crate::kv::KeyRange::new([], [u8::MAX; 256]);
        let mut count = |_: &[u8], _: &[u8]| {
            rows += 1;
            Ok(ControlFlow::Continue(()))
        };
        self.kv.scan(family, &all, crate::kv::Direction::Forward, &mut count).unwrap();
        rows
    }
}

fn name(id: &str) -> DocId {
    DocId::new(id).unwrap()
}

fn applied_when(store: &Store, what: impl Fn(&Store) -> bool) {
    let mut left = 1_000;
    while !what(store) {
        left -= 1;
        assert!(left > 0, "it did not happen within ten seconds");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_ended_document_is_deleted_by_a_record() {
    let world = World::new(Keep { expire_after_ms: Some(500), ..Keep::default() });
    world.put("a", r#"{"plate":"A"}"#);
    world.put_until("b", "{}", 9_000);
    assert_eq!(world.store.tidy().unwrap(), Some(Millis::new(1_500)));
    world.clock.advance_ms(500);
    // Before the record a reader sees it gone already.
    assert_eq!(world.store.get(world.cars, "a").unwrap(), None);
    assert_eq!(world.store.keep_waiting().unwrap(), 1);
    assert_eq!(world.store.tidy().unwrap(), Some(Millis::new(9_000)));
    let head = world.store.head(world.cars, "a").unwrap().unwrap();
    assert!(head.deleted && head.expires.is_none());
    assert_eq!(world.store.kept(), KeepTotals { expired: 1, ..KeepTotals::default() });
    applied_when(&world.store, |store| store.feed().head() >= head.seq);
    assert_eq!(world.ops().last().unwrap(), &(ChangeOp::Expire, "a".to_owned()));
    assert_eq!(world.store.lookup(world.cars, "plate", &["A".into()]).unwrap(), []);
    assert_eq!((world.rows(Family::Expiry), world.store.keep_waiting().unwrap()), (1, 0));
    world.check();
    let world = world.reopen();
    world.check();
}

#[test]
fn a_later_write_moves_the_end() {
    let world = World::new(Keep::default());
    world.put_until("a", "{}", 1_500);
    world.put_until("a", "{}", 3_000);
    world.clock.advance_ms(1_000);
    assert_eq!(world.store.tidy().unwrap(), Some(Millis::new(3_000)));
    assert!(world.store.get(world.cars, "a").unwrap().is_some());
    world.put("a", "{}");
    assert_eq!(world.rows(Family::Expiry), 0);
    world.clock.advance_ms(9_000);
    assert_eq!(world.store.tidy().unwrap(), None);
    assert!(world.store.get(world.cars, "a").unwrap().is_some());
    world.check();
}

/// A write over a document that has ended, before housekeeping came by, creates it anew.
#[test]
fn a_write_over_an_ended_document_creates_it() {
    let world = World::new(Keep::default());
    let first = world.put_until("a", r#"{"plate":"A"}"#, 1_500);
    world.clock.advance_ms(700);
    let body = r#"{"plate":"A","n":2}"#;
    let receipt = world.commit(|tx| tx.put(world.cars, name("a"), Condition::Absent, body)).unwrap();
    let head = world.store.get(world.cars, "a").unwrap().unwrap();
    assert_eq!((head.created, head.prev_seq), (Millis::new(1_700), first));
    world.store.tidy().unwrap();
    assert_eq!(world.seqs("a"), [receipt.seqs[0].get(), first.get()]);
    world.check();
}

#[test]
fn an_ended_document_holds_no_unique_key() {
    let world = World::new(Keep::default());
    world.put_until("a", r#"{"plate":"A"}"#, 1_500);
    let take =
        |id: &str| world.commit(|tx| tx.put(world.cars, name(id), Condition::Absent, r#"{"plate":"A"}"#));
    assert!(matches!(take("b").unwrap_err().conflict(), Some(Conflict::Unique { .. })));
    world.clock.advance_ms(500);
    let receipt = take("b").unwrap();
    // The end is recorded before the key passes on.
    assert_eq!(receipt.seqs, [receipt.tail.seq]);
    let ops = world.ops();
    assert_eq!(ops[ops.len() - 2..], [(ChangeOp::Expire, "a".to_owned()), (ChangeOp::Put, "b".to_owned())]);
    assert_eq!(world.store.lookup(world.cars, "plate", &["A".into()]).unwrap(), [name("b")]);
    world.store.tidy().unwrap();
    assert_eq!(world.store.lookup(world.cars, "plate", &["A".into()]).unwrap(), [name("b")]);
    assert_eq!(world.store.kept().expired, 1);
    world.check();
}

#[test]
fn only_so_many_versions_are_kept() {
    let world = World::new(Keep { versions_max: Some(3), ..Keep::default() });
    let seqs: Vec<u64> = (0..7).map(|_| world.put("a", "{}").get()).collect();
    world.put("b", "{}");
    assert_eq!(world.rows(Family::Surplus), 1);
    world.store.tidy().unwrap();
    assert_eq!(world.seqs("a").len(), 7);
    world.clock.advance_ms(1_000);
    assert_eq!(world.store.tidy().unwrap(), None);
    assert_eq!(world.seqs("a"), [seqs[6], seqs[5], seqs[4]]);
    assert_eq!(world.store.kept().versions_removed, 4);
    let snapshot = world.store.snapshot().unwrap();
    assert_eq!(snapshot.history_floor(world.cars).unwrap().get(), seqs[4]);
    let at = |seq: u64| snapshot.moment(Seq::new(seq)).unwrap();
    assert_eq!(snapshot.get_at(world.cars, "a", at(seqs[5])).unwrap().unwrap().seq.get(), seqs[5]);
    let gone = snapshot.get_at(world.cars, "a", at(seqs[3])).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Gone);
    assert!(gone.to_string().contains(&format!("whole from {} on", seqs[4])), "{gone}");
    let list = |seq| snapshot.scan_at(world.cars, at(seq), |_| ControlFlow::Continue(()));
    assert_eq!(list(seqs[3]).unwrap_err().kind(), ErrorKind::Gone);
    list(seqs[4]).unwrap();
    drop(snapshot);
    world.check();
    world.reopen().check();
}

#[test]
fn versions_are_kept_for_a_time() {
    let world = World::new(Keep { versions_ms: Some(5_000), ..Keep::default() });
    let first = world.put("a", "{}").get();
    world.clock.advance_ms(3_000);
    let second = world.put("a", "{}").get();
    world.clock.advance_ms(3_000);
    let third = world.put("a", "{}").get();
    assert_eq!(world.store.tidy().unwrap(), Some(Millis::new(10_000)));
    world.clock.advance_ms(3_000);
    world.store.tidy().unwrap();
    assert_eq!(world.seqs("a"), [third, second]);
    world.clock.advance_ms(60_000);
    assert_eq!(world.store.tidy().unwrap(), None);
    assert_eq!(world.seqs("a"), [third]);
    assert!(world.store.version(world.cars, "a", Seq::new(first)).unwrap().is_none());
    world.check();
}

/// A rule that is changed holds for the versions that are there, whatever rule they were written under.
#[test]
fn another_rule_holds_for_what_is_there() {
    let mut world = World::new(Keep::default());
    let many = 2 * crate::limits::UPKEEP_ROWS_MAX / 3;
    let seqs: Vec<u64> = (0..many).map(|_| world.put("a", "{}").get()).collect();
    let others: Vec<u64> = (0..many).map(|_| world.put("b", "{}").get()).collect();
    world.put("c", "{}");
    assert_eq!(world.store.tidy().unwrap(), None);
    world.alter(Keep { versions_max: Some(2), ..Keep::default() });
    let snapshot = world.store.snapshot().unwrap();
    assert_eq!(snapshot.history_floor(world.cars).unwrap(), Seq::ZERO, "housekeeping has not come by");
    drop(snapshot);
    // What was to be done is in the store.
    world = world.reopen();
    world.clock.advance_ms(1_000);
    assert_eq!(world.store.tidy().unwrap(), None);
    assert_eq!(world.seqs("a"), [seqs[many - 1], seqs[many - 2]]);
    assert_eq!(world.seqs("b"), [others[many - 1], others[many - 2]]);
    let floor = world.store.snapshot().unwrap().history_floor(world.cars).unwrap();
    assert_eq!(floor.get(), others[many - 2]);
    world.check();
    // What is gone stays gone, and is said to be.
    world.alter(Keep::default());
    world.store.tidy().unwrap();
    let snapshot = world.store.snapshot().unwrap();
    let gone = snapshot.get_at(world.cars, "a", snapshot.moment(Seq::new(seqs[0])).unwrap());
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(snapshot.history_floor(world.cars).unwrap(), floor);
    drop(snapshot);
    world.reopen().check();
}

/// A version filed under a short time is filed anew under a longer one, and goes then.
#[test]
fn a_longer_time_is_kept_to() {
    let world = World::new(Keep { versions_ms: Some(1_000), ..Keep::default() });
    world.put("a", "{}");
    let second = world.put("a", "{}").get();
    world.alter(Keep { versions_ms: Some(60_000), ..Keep::default() });
    world.clock.advance_ms(5_000);
    assert_eq!(world.store.tidy().unwrap(), Some(Millis::new(62_000)));
    assert_eq!(world.seqs("a").len(), 2);
    world.clock.advance_ms(60_000);
    assert_eq!(world.store.tidy().unwrap(), None);
    assert_eq!(world.seqs("a"), [second]);
    world.check();
}

#[test]
fn an_altered_end_counts_from_the_next_write() {
    let world = World::new(Keep::default());
    world.put("a", "{}");
    world.alter(Keep { expire_after_ms: Some(500), ..Keep::default() });
    world.put("b", "{}");
    world.alter(Keep { expire_after_ms: Some(900_000), ..Keep::default() });
    world.clock.advance_ms(1_000);
    world.store.tidy().unwrap();
    assert!(world.store.get(world.cars, "a").unwrap().is_some());
    assert_eq!(world.store.get(world.cars, "b").unwrap(), None);
    world.check();
}

#[test]
fn a_tombstone_goes_when_the_log_has_let_go_of_it() {
    let world = World::new(Keep { tombstone_ms: Some(1_000), ..Keep::default() });
    let first = world.put("a", "{}");
    let deleted = world.delete("a");
    world.clock.advance_ms(1_000);
    let again = world.store.tidy().unwrap().unwrap();
    assert!(world.store.head(world.cars, "a").unwrap().unwrap().deleted, "the log still holds its record");
    world.check();
    world.put("b", "{}");
    world.clock.advance_ms(again.get());
    world.trim_log();
    assert_eq!(world.store.tidy().unwrap(), None);
    assert_eq!(world.store.head(world.cars, "a").unwrap(), None);
    assert_eq!(world.store.version(world.cars, "a", first).unwrap(), None);
    assert_eq!((world.rows(Family::History), world.rows(Family::Expiry)), (0, 0));
    assert_eq!(world.store.kept().purged, 1);
    let snapshot = world.store.snapshot().unwrap();
    assert_eq!(snapshot.history_floor(world.cars).unwrap(), deleted);
    assert_eq!(snapshot.moment(deleted).unwrap_err().kind(), ErrorKind::Gone);
    drop(snapshot);
    world.check();
    // It may come again.
    world.put("a", "{}");
    world.check();
}

#[test]
fn a_moment_is_judged_by_its_own_time() {
    let world = World::new(Keep::default());
    let before = world.put("z", "{}");
    world.clock.advance_ms(1_000);
    let written = world.put_until("a", "{}", 3_000);
    world.clock.advance_ms(500);
    let while_alive = world.put("b", "{}");
    world.clock.advance_ms(1_000);
    let after = world.put("b", "{}");
    world.store.tidy().unwrap();
    world.delete("z");
    let check = |moment: Moment, expected: &[&str]| {
        let snapshot = world.store.snapshot().unwrap();
        let mut found = Vec::new();
        let visit = |document: Document| {
            found.push(document.id.to_string());
            ControlFlow::Continue(())
        };
        snapshot.scan_at(world.cars, moment, visit).unwrap();
        assert_eq!(found, expected, "{moment:?}");
        for id in ["a", "b", "z"] {
            let got = snapshot.get_at(world.cars, id, moment).unwrap();
            assert_eq!(got.is_some(), expected.contains(&id), "{id} at {moment:?}");
        }
    };
    let snapshot = world.store.snapshot().unwrap();
    let seq = |seq| snapshot.moment(seq).unwrap();
    let time = |at| snapshot.moment_at(Millis::new(at)).unwrap();
    check(seq(Seq::ZERO), &[]);
    check(seq(before), &["z"]);
    check(seq(written), &["a", "z"]);
    check(seq(while_alive), &["a", "b", "z"]);
    check(seq(after), &["b", "z"]);
    check(time(999), &[]);
    check(time(1_000), &["z"]);
    check(time(2_999), &["a", "b", "z"]);
    check(time(3_000), &["b", "z"]);
    check(time(u64::MAX), &["b"]);
    let ahead = snapshot.moment(Seq::new(1_000)).unwrap_err();
    assert_eq!(ahead.kind(), ErrorKind::Invalid);
}

/// The thread itself, woken by the writer.
#[test]
fn housekeeping_wakes_when_something_is_due() {
    let store = Store::memory(Options::new()).unwrap();
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    let end = Millis::new(store.now().get() + 50);
    let put = Transaction::new(Durability::Sync).put_until(cars, name("a"), Condition::Always, "{}", end);
    store.commit(put).unwrap();
    applied_when(&store, |store| store.head(cars, "a").unwrap().unwrap().deleted);
    assert!(store.now() >= end);
    store.close();
}

#[test]
fn bad_keeps_are_refused() {
    let store = Store::memory(Options::new()).unwrap();
    let bad = [
        Keep { versions_max: Some(0), ..Keep::default() },
        Keep { versions_ms: Some(0), ..Keep::default() },
        Keep { expire_after_ms: Some(limits::KEEP_MS_MAX + 1), ..Keep::default() },
    ];
    for keep in bad {
        let options = CollectionOptions { keep, ..CollectionOptions::default() };
        assert_eq!(store.ensure_collection("x", options).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
