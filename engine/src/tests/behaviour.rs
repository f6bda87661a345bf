//! What the engine promises, one promise a test.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use crate::codec::{key, meta};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::{Kv, KvRead};
use crate::*;

const NOW: Millis = Millis::new(1_700_000_000_000);

fn store() -> Store {
    on(MemoryKv::default())
}

fn on(kv: MemoryKv) -> Store {
    Store::start(Arc::new(kv), Arc::new(ManualClock::new(NOW))).unwrap()
}

fn sync() -> Transaction {
    Transaction::new(Durability::Sync)
}

fn id(text: &str) -> DocId {
    DocId::new(text).unwrap()
}

fn cars(store: &Store) -> CollectionId {
    let options = CollectionOptions {
        definition: "{}".to_owned(),
        unique: vec!["plate".into()],
        indexes: vec!["brand".into()],
        ..CollectionOptions::default()
    };
    store.ensure_collection("cars", options).unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn a_document_lives_changes_and_ends() {
    let store = store();
    let cars = cars(&store);
    let created = store.commit(sync().put(cars, id("a"), Condition::Absent, r#"{"n":1}"#)).unwrap();
    let first = created.revision(0).unwrap();
    let again = store.commit(sync().put(cars, id("a"), Condition::Absent, "{}"));
    assert_eq!(again.unwrap_err().conflict(), Some(&Conflict::Exists(first)));
    let put = sync().put(cars, id("a"), Condition::Revision(first), r#"{"n":2}"#);
    let second = store.commit(put).unwrap().revision(0).unwrap();
    let stale = store.commit(sync().delete(cars, id("a"), Condition::Revision(first)));
    let found = Some(second);
    assert_eq!(stale.unwrap_err().conflict(), Some(&Conflict::Stale { expected: first, found }));
    let removed = store.commit(sync().delete(cars, id("a"), Condition::Present)).unwrap();
    assert_eq!(store.get(cars, "a").unwrap(), None);
    assert!(store.head(cars, "a").unwrap().unwrap().deleted);
    let bodies: Vec<_> = store.versions(cars, "a", 10).unwrap().iter().map(|v| v.body.clone()).collect();
    assert_eq!(bodies, ["", r#"{"n":2}"#, r#"{"n":1}"#]);
    let old = store.version(cars, "a", first.seq).unwrap().unwrap();
    assert_eq!(old.body, r#"{"n":1}"#);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get_as_of(cars, "a", second.seq).unwrap().unwrap().seq, second.seq);
    assert_eq!(snapshot.get_as_of(cars, "a", removed.seqs[0]).unwrap(), None);
    let reborn = store.commit(sync().put(cars, id("a"), Condition::Absent, "{}")).unwrap();
    let reborn = store.version(cars, "a", reborn.seqs[0]).unwrap().unwrap();
    assert_eq!(reborn.prev_seq, removed.seqs[0]);
}

#[test]
fn what_a_decision_was_made_from_must_still_hold() {
    let store = store();
    let cars = cars(&store);
    let first = store.commit(sync().put(cars, id("a"), Condition::Absent, "{}")).unwrap();
    let before = first.revision(0).unwrap();
    let decided = || {
        let seen = sync().expect(cars, id("a"), Condition::Revision(before));
        seen.expect(cars, id("none"), Condition::Absent).put(cars, id("b"), Condition::Always, "{}")
    };
    let receipt = store.commit(decided()).unwrap();
    assert_eq!(receipt.seqs.len(), 1, "only what is written has a sequence");
    assert_eq!(store.get(cars, "a").unwrap().unwrap().revision(), before);
    let now = store.commit(sync().put(cars, id("a"), Condition::Present, r#"{"n":1}"#)).unwrap().revision(0);
    let refused = store.commit(decided()).unwrap_err();
    assert_eq!(refused.conflict(), Some(&Conflict::Stale { expected: before, found: now }));
    // What the transaction itself writes does not count.
    let own =
        sync().put(cars, id("none"), Condition::Always, "{}").expect(cars, id("none"), Condition::Absent);
    store.commit(own).unwrap();
    let own = sync().put(cars, id("c"), Condition::Always, "{}").expect(cars, id("none"), Condition::Absent);
    assert!(matches!(store.commit(own).unwrap_err().conflict(), Some(Conflict::Exists(_))));
    assert_eq!(store.get(cars, "c").unwrap(), None);
}

#[test]
fn a_transaction_takes_the_holder_of_a_unique_key_out_first() {
    let store = store();
    let job = |payload: &'static str| NewJob { unique: Some("row".into()), ..NewJob::new("lane", payload) };
    let first = store.commit(sync().enqueue(job("first"))).unwrap().jobs[0];
    assert_eq!(store.commit(sync().enqueue(job("same"))).unwrap().jobs, [first]);
    store.commit(sync().cancel("elsewhere", "row", "me").cancel("lane", "other", "me")).unwrap();
    assert!(store.queue().job(first).unwrap().is_some());
    let second = store.commit(sync().cancel("lane", "row", "me").enqueue(job("second"))).unwrap().jobs[0];
    assert_ne!(second, first);
    assert_eq!(store.queue().job(first).unwrap(), None);
    let request = LeaseRequest {
        lane: "lane".into(),
        max: 10,
        term: LeaseTerm::new(Duration::from_secs(60)).unwrap(),
        holder: Holder::Process,
        wait: Duration::ZERO,
    };
    let leased = store.queue().lease(&request).unwrap();
    assert_eq!(leased.iter().map(|own| own.id).collect::<Vec<_>>(), [second]);
    store.commit(sync().cancel("lane", "row", "me")).unwrap();
    let ack = Ack { lease: leased[0].lease, result: None };
    assert_eq!(kind(store.commit(sync().complete(ack))), ErrorKind::Conflict);
}

#[test]
fn a_refused_transaction_leaves_no_trace() {
    let store = store();
    let cars = cars(&store);
    let before = store.watermark().applied();
    let transaction = sync()
        .put(cars, id("a"), Condition::Always, "{}")
        .enqueue(NewJob::new("lane", "x"))
        .put(cars, id("b"), Condition::Present, "{}");
    assert_eq!(kind(store.commit(transaction)), ErrorKind::Conflict);
    assert_eq!(store.watermark().applied(), before);
    assert_eq!(store.head(cars, "a").unwrap(), None);
    assert!(store.queue().lanes().unwrap().iter().all(|lane| lane.ready == 0));
    for body in ["", "[]", "nul", "{", "{}x", "\"a\"", "{\"a\":NaN}", "{\"a\":1,}"] {
        let put = sync().put(cars, id("a"), Condition::Always, body);
        assert_eq!(kind(store.commit(put)), ErrorKind::Invalid, "{body}");
    }
    let nowhere = sync().put(CollectionId::new(99), id("a"), Condition::Always, "{}");
    assert_eq!(kind(store.commit(nowhere)), ErrorKind::NotFound);
}

#[test]
fn unique_keys_hold_within_and_between_groups() {
    let store = store();
    let cars = cars(&store);
    let put = |name: &str, plate: &str| {
        let body = json!({"plate": plate}).to_string();
        sync().put(cars, id(name), Condition::Always, body)
    };
    store.commit(put("a", "X1")).unwrap();
    let taken = Conflict::Unique { index: "plate".to_owned(), id: id("a") };
    assert_eq!(store.commit(put("b", "X1")).unwrap_err().conflict(), Some(&taken));
    store.commit(put("a", "X1")).unwrap();
    // Moving on frees the key, also within one transaction.
    let hand_over = put("a", "X2").put(cars, id("b"), Condition::Always, r#"{"plate":"X1"}"#);
    store.commit(hand_over).unwrap();
    assert_eq!(store.lookup(cars, "plate", &[json!("X1")]).unwrap(), [id("b")]);
    let twice = put("c", "X3").put(cars, id("d"), Condition::Always, r#"{"plate":"X3"}"#);
    assert_eq!(kind(store.commit(twice)), ErrorKind::Conflict);
    store.commit(sync().delete(cars, id("b"), Condition::Present)).unwrap();
    store.commit(put("e", "X1")).unwrap();
    assert_eq!(store.lookup(cars, "plate", &[json!("X1")]).unwrap(), [id("e")]);
    // Without the field there is nothing to be unique.
    store.commit(sync().put(cars, id("f"), Condition::Always, "{}")).unwrap();
    store.commit(sync().put(cars, id("g"), Condition::Always, "{}")).unwrap();
}

#[test]
fn the_feed_gives_whole_groups_once_and_in_order() {
    let store = store();
    let cars = cars(&store);
    let start = store.feed().head();
    let three = ["a", "b", "c"]
        .iter()
        .fold(sync(), |transaction, name| transaction.put(cars, id(name), Condition::Always, "{}"));
    store.commit(three.enqueue(NewJob::new("lane", "x"))).unwrap();
    store.commit(sync().delete(cars, id("b"), Condition::Always)).unwrap();
    let feed = store.feed();
    let first = feed.changes(start, 1).unwrap();
    let ops: Vec<_> = first.iter().map(|change| change.op).collect();
    assert_eq!(ops, [ChangeOp::Put, ChangeOp::Put, ChangeOp::Put, ChangeOp::Enqueue]);
    assert!(first.iter().all(|change| change.group_last == first[3].seq));
    let rest = feed.changes(first[3].seq, 10).unwrap();
    assert_eq!((rest.len(), rest[0].op, rest[0].prev_seq), (1, ChangeOp::Delete, first[1].seq));
    assert!(feed.changes(rest[0].seq, 10).unwrap().is_empty());
    assert_eq!(kind(feed.changes(rest[0].seq.next(), 10)), ErrorKind::Gone);
}

/// Every kind of record in one transaction takes its own place in the log.
#[test]
fn a_definition_shares_a_transaction_with_writes_and_jobs() {
    let store = store();
    let cars = cars(&store);
    let start = store.feed().head();
    let transaction = sync()
        .put(cars, id("a"), Condition::Always, "{}")
        .define("boats", CollectionOptions::default())
        .put(cars, id("b"), Condition::Always, "{}")
        .enqueue(NewJob::new("lane", "x"));
    let receipt = store.commit(transaction).unwrap();
    let changes = store.feed().changes(start, 10).unwrap();
    let ops: Vec<_> = changes.iter().map(|change| change.op).collect();
    assert_eq!(ops, [ChangeOp::Put, ChangeOp::Put, ChangeOp::Catalog, ChangeOp::Enqueue]);
    assert_eq!(changes[2].id, id("boats"));
    assert_eq!(receipt.jobs[0].get(), changes[3].seq.get());
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
}

#[test]
fn both_lanes_merge_in_commit_order() {
    let store = store();
    let cars = cars(&store);
    let start = store.watermark().durable();
    let put = |name: &str| sync().put(cars, id(name), Condition::Always, "{}");
    let batch = |text: &'static str| sync().positions(bytes::Bytes::from_static(text.as_bytes()));
    for transaction in [batch("p1"), put("a"), put("b").positions("p2".into()), batch("p3"), put("c")] {
        store.commit(transaction).unwrap();
    }
    let shape = |entries: &[Entry]| -> Vec<String> {
        entries
            .iter()
            .map(|entry| match entry {
                Entry::Change(change) => change.id.to_string(),
                Entry::Positions { batch, .. } => String::from_utf8(batch.to_vec()).unwrap(),
            })
            .collect()
    };
    let all = store.feed().entries(start, 100).unwrap();
    assert_eq!(shape(&all), ["p1", "a", "b", "p2", "p3", "c"]);
    assert_eq!(start.past(&all), store.watermark().durable());
    let (mut at, mut stepwise) = (start, Vec::new());
    while at != store.watermark().durable() {
        let step = store.feed().entries(at, 1).unwrap();
        at = at.past(&step);
        stepwise.extend(step);
    }
    assert_eq!(stepwise, all);
}

#[test]
fn reopening_raises_the_epoch_and_keeps_everything() {
    let kv = MemoryKv::default();
    let store = on(kv.clone());
    let cars = cars(&store);
    let receipt = store.commit(sync().put(cars, id("a"), Condition::Always, "{}")).unwrap();
    let cursor = sync().cursor("follower", receipt.tail).enqueue(NewJob::new("lane", "x"));
    store.commit(cursor).unwrap();
    let (epoch, identity, tail) = (store.epoch(), store.id(), store.watermark().durable());
    drop(store);
    let store = on(kv);
    assert_eq!((store.epoch(), store.id()), (epoch.next(), identity));
    assert_eq!(store.watermark().durable(), tail);
    assert_eq!(store.cursor("follower").unwrap().unwrap().at, receipt.tail);
    assert_eq!(store.catalog().by_name("cars").unwrap().id, cars);
    assert_eq!(store.get(cars, "a").unwrap().unwrap().revision(), receipt.revision(0).unwrap());
    assert_eq!(store.queue().lanes().unwrap()[0].ready, 1);
    // A new revision differs even if the sequence were to repeat.
    let next = store.commit(sync().put(cars, id("a"), Condition::Always, "{}")).unwrap();
    assert_eq!(next.revision(0).unwrap().epoch, epoch.next());
}

#[test]
fn a_store_that_lost_its_tail_or_comes_from_the_future_is_refused() {
    let kv = MemoryKv::default();
    let store = on(kv.clone());
    let cars = cars(&store);
    store.commit(sync().put(cars, id("a"), Condition::Always, "{}")).unwrap();
    let last = store.watermark().durable().seq;
    drop(store);
    let reopen = |kv: &MemoryKv| Store::start(Arc::new(kv.clone()), Arc::new(ManualClock::new(NOW)));
    let record = KvRead::get(&kv, Family::Log, &key::log(last)).unwrap().unwrap();
    let mut batch = Batch::default();
    batch.delete(Family::Log, &key::log(last));
    kv.write(&batch, true).unwrap();
    assert_eq!(kind(reopen(&kv)), ErrorKind::Corrupt);
    batch.clear();
    batch.put(Family::Log, &key::log(last), &record);
    batch.put(Family::Meta, key::META_FORMAT, &meta::number(crate::format::STORE_FORMAT + 1));
    kv.write(&batch, true).unwrap();
    let refused = reopen(&kv).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("newer"), "{refused}");
}

#[test]
fn damage_is_named_and_touches_only_its_document() {
    let kv = MemoryKv::default();
    let store = on(kv.clone());
    let cars = cars(&store);
    for name in ["a", "b"] {
        store.commit(sync().put(cars, id(name), Condition::Always, r#"{"n":1}"#)).unwrap();
    }
    let place = key::head(cars, "a");
    let mut value = KvRead::get(&kv, Family::Heads, &place).unwrap().unwrap();
    *value.last_mut().unwrap() ^= 1;
    let mut batch = Batch::default();
    batch.put(Family::Heads, &place, &value);
    kv.write(&batch, true).unwrap();
    let error = store.get(cars, "a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("/a"), "{error}");
    let put = |name: &str| sync().put(cars, id(name), Condition::Always, "{}");
    assert_eq!(kind(store.commit(put("a"))), ErrorKind::Corrupt);
    store.commit(put("b")).unwrap();
    assert_eq!(store.health().poisoned, None);
}

/// A store whose writes start to fail.
#[derive(Clone, Default)]
struct FailingKv {
    inner: MemoryKv,
    failing: Arc<std::sync::atomic::AtomicBool>,
}

impl KvRead for FailingKv {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        KvRead::get(&self.inner, family, key)
    }

    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.inner.multi_get(family, keys)
    }

    fn scan(
        &self,
        family: Family,
        range: &crate::kv::KeyRange,
        direction: crate::kv::Direction,
        visit: &mut crate::kv::Visit<'_>,
    ) -> Result<()> {
        self.inner.scan(family, range, direction, visit)
    }
}

impl Kv for FailingKv {
    fn write(&self, batch: &Batch, sync: bool) -> Result<()> {
        if self.failing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "no space left on device"));
        }
        self.inner.write(batch, sync)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn size(&self, family: Family, range: &crate::kv::KeyRange) -> Result<u64> {
        self.inner.size(family, range)
    }

    fn drop_files(&self, family: Family, range: &crate::kv::KeyRange) -> Result<()> {
        self.inner.drop_files(family, range)
    }

    fn snapshot(&self) -> Box<dyn KvRead + Send + '_> {
        self.inner.snapshot()
    }

    fn statistics(&self) -> Result<crate::Statistics> {
        Ok(crate::Statistics::default())
    }
}

#[test]
fn a_failed_write_poisons_and_a_restart_recovers() {
    let kv = FailingKv::default();
    let clock = Arc::new(ManualClock::new(NOW));
    let store = Store::start(Arc::new(kv.clone()), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let cars = cars(&store);
    let put = |name: &str| sync().put(cars, id(name), Condition::Always, "{}");
    store.commit(put("a")).unwrap();
    kv.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(kind(store.commit(put("b"))), ErrorKind::Unavailable);
    kv.failing.store(false, std::sync::atomic::Ordering::SeqCst);
    let refused = store.commit(put("c")).unwrap_err();
    assert!(refused.to_string().contains("restart"), "{refused}");
    assert!(store.health().poisoned.is_some());
    assert!(store.get(cars, "a").unwrap().is_some(), "reads go on");
    assert_eq!(kind(store.queue().lanes()), ErrorKind::Unavailable);
    drop(store);
    let store = Store::start(Arc::new(kv), clock).unwrap();
    store.commit(put("c")).unwrap();
    assert!(store.get(cars, "b").unwrap().is_none());
}

#[test]
fn buffered_writes_are_seen_at_once_and_enter_the_feed_soon() {
    let store = store();
    let cars = cars(&store);
    let before = store.watermark().durable();
    let put = Transaction::new(Durability::Buffered).put(cars, id("a"), Condition::Always, "{}");
    let receipt = store.commit(put).unwrap();
    assert!(store.get(cars, "a").unwrap().is_some());
    let tail = store.watermark().wait_past(before, Duration::from_secs(5));
    assert_eq!(tail, receipt.tail);
}

#[test]
fn a_job_and_its_document_are_one_commit_both_ways() {
    let store = store();
    let cars = cars(&store);
    let put = |name: &str| sync().put(cars, id(name), Condition::Absent, "{}");
    let receipt = store.commit(put("a").enqueue(NewJob::new("lane", "a"))).unwrap();
    assert_eq!(receipt.jobs[0].get(), receipt.tail.seq.get());
    assert_eq!(kind(store.commit(put("a").enqueue(NewJob::new("lane", "b")))), ErrorKind::Conflict);
    let request = LeaseRequest {
        lane: "lane".to_owned(),
        max: 10,
        term: LeaseTerm::new(Duration::from_secs(60)).unwrap(),
        holder: Holder::Process,
        wait: Duration::ZERO,
    };
    let leased = store.queue().lease(&request).unwrap();
    assert_eq!(leased.len(), 1);
    assert_eq!((leased[0].id, &leased[0].payload[..]), (receipt.jobs[0], &b"a"[..]));
    let ack = Ack { lease: leased[0].lease, result: None };
    // The document conflicts, so the job is not completed either.
    assert_eq!(kind(store.commit(put("a").complete(ack.clone()))), ErrorKind::Conflict);
    store.commit(put("b").complete(ack.clone())).unwrap();
    let lost = store.commit(put("c").complete(ack)).unwrap_err();
    assert_eq!(lost.conflict(), Some(&Conflict::LeaseLost));
    assert_eq!(store.get(cars, "c").unwrap(), None);
    assert_eq!(store.queue().finished("lane", 10).unwrap().len(), 1);
}

#[test]
fn a_worker_waits_until_a_job_comes() {
    let store = store();
    let worker = store.clone();
    let (got, jobs) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let request = LeaseRequest {
            lane: "lane".to_owned(),
            max: 1,
            term: LeaseTerm::new(Duration::from_secs(60)).unwrap(),
            holder: Holder::Process,
            wait: Duration::from_secs(30),
        };
        got.send(worker.queue().lease(&request)).unwrap();
    });
    store.commit(sync().enqueue(NewJob::new("lane", "x"))).unwrap();
    assert_eq!(jobs.recv_timeout(Duration::from_secs(10)).unwrap().unwrap().len(), 1);
    thread.join().unwrap();
}

#[test]
fn many_writers_one_dense_log() {
    let store = store();
    let cars = cars(&store);
    let start = store.watermark().durable().seq;
    let threads: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..50 {
                    let name = DocId::new(format!("{writer}-{n}")).unwrap();
                    store.commit(sync().put(cars, name, Condition::Absent, "{}")).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let seqs: Vec<u64> =
        store.feed().changes(start, 1_000).unwrap().iter().map(|change| change.seq.get()).collect();
    assert_eq!(seqs, (start.get() + 1..=start.get() + 400).collect::<Vec<_>>());
    let mut found = 0;
    let snapshot = store.snapshot().unwrap();
    snapshot
        .scan(cars, None, false, |_| {
            found += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(found, 400);
    let (mut names, mut by_name) = (Vec::new(), Vec::new());
    snapshot
        .ids(cars, |id| {
            names.push(id.to_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
    snapshot
        .scan(cars, None, false, |document| {
            by_name.push(document.id.to_string());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(names, by_name);
}

#[test]
fn one_directory_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path(), Options::new()).unwrap();
    let second = Store::open(dir.path(), Options::new()).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Unavailable);
    assert!(second.to_string().contains("in use"), "{second}");
    drop(first);
    Store::open(dir.path(), Options::new()).unwrap();
}

#[test]
fn positions_of_another_history_are_recognised() {
    let kv = MemoryKv::default();
    let store = on(kv.clone());
    let cars = cars(&store);
    let put = |name: &str| sync().put(cars, id(name), Condition::Always, "{}");
    let first = store.commit(put("a")).unwrap().revision(0).unwrap();
    assert!(store.knows(first).unwrap());
    let ahead = Revision { seq: first.seq.next(), ..first };
    assert!(!store.knows(ahead).unwrap());
    drop(store);
    let store = on(kv);
    store.commit(put("b")).unwrap();
    assert!(store.knows(first).unwrap(), "history goes on over a restart");
    assert!(!store.knows(ahead).unwrap(), "that sequence was written in a later epoch");
    let future = Revision { epoch: store.epoch().next(), seq: first.seq };
    assert!(!store.knows(future).unwrap());
}

#[test]
fn an_idempotency_key_takes_effect_once_a_day() {
    let clock = Arc::new(ManualClock::new(NOW));
    let kv = MemoryKv::default();
    let open = |clock: &Arc<ManualClock>| {
        Store::start(Arc::new(kv.clone()), Arc::clone(clock) as Arc<dyn Clock>).unwrap()
    };
    let store = open(&clock);
    let cars = cars(&store);
    let once = |fingerprint: &[u8; 8]| Idempotency { key: [7; 16], fingerprint: *fingerprint };
    let put =
        |name: &str| sync().put(cars, id(name), Condition::Absent, "{}").enqueue(NewJob::new("lane", "x"));
    assert_eq!(store.recall(&once(b"request1")).unwrap(), None);
    let first = store.commit(put("a").once(once(b"request1"))).unwrap();
    assert_eq!(first.replayed, None);
    drop(store);
    let store = open(&clock);
    let tail = store.watermark().applied();
    let again = store.commit(put("a").once(once(b"request1"))).unwrap();
    assert_eq!((again.replayed, store.watermark().applied()), (Some(first.seqs[0]), tail));
    assert_eq!(store.recall(&once(b"request1")).unwrap().unwrap().seq, first.seqs[0]);
    let other = store.commit(put("b").once(once(b"request2"))).unwrap_err();
    assert_eq!(other.conflict(), Some(&Conflict::KeyReused));
    clock.advance_ms(24 * 3_600_000);
    assert_eq!(store.recall(&once(b"request2")).unwrap(), None);
    assert_eq!(store.commit(put("b").once(once(b"request2"))).unwrap().replayed, None);
    // A refused transaction leaves its key free.
    let refused = Idempotency { key: [8; 16], fingerprint: *b"request3" };
    assert_eq!(kind(store.commit(put("b").once(refused))), ErrorKind::Conflict);
    assert_eq!(store.recall(&refused).unwrap(), None);
}

#[test]
fn a_collection_tells_its_newest_change() {
    let store = store();
    let (cars, boats) =
        (cars(&store), store.ensure_collection("boats", CollectionOptions::default()).unwrap());
    let put = |collection| sync().put(collection, id("a"), Condition::Always, "{}");
    let before = store.changed(boats);
    let seq = store.commit(put(cars)).unwrap().seqs[0];
    assert_eq!((store.changed(cars), store.changed(boats)), (seq, before));
    let seq = store.commit(sync().delete(boats, id("a"), Condition::Always).put(
        cars,
        id("b"),
        Condition::Always,
        "{}",
    ));
    assert!(seq.is_err());
    assert_eq!(store.changed(boats), before);
    let seq = store.commit(put(boats)).unwrap().seqs[0];
    assert_eq!(store.changed(boats), seq);
}

#[test]
fn a_plain_index_is_looked_up_by_any_prefix_of_its_fields() {
    let store = store();
    let options = CollectionOptions {
        indexes: vec!["brand,year".into()],
        keep: Keep::default(),
        ..CollectionOptions::default()
    };
    let boats = store.ensure_collection("boats", options).unwrap();
    for (name, brand, year) in [("a", "alfa", 1), ("b", "alfa", 2), ("c", "beta", 1)] {
        let body = json!({"brand": brand, "year": year}).to_string();
        store.commit(sync().put(boats, id(name), Condition::Always, body)).unwrap();
    }
    let found = |values: &[serde_json::Value]| store.lookup(boats, "brand,year", values).unwrap();
    assert_eq!(found(&[json!("alfa")]), [id("a"), id("b")]);
    assert_eq!(found(&[json!("alfa"), json!(2)]), [id("b")]);
    assert_eq!(found(&[]), [id("a"), id("b"), id("c")]);
    assert_eq!(found(&[json!("gamma")]), []);
}
