//! Every I/O operation of a workload fails once, and once for good; then the power is cut.
//!
//! Whatever fails: a write whose outcome is unknown stops the engine, a failed read refuses what needed it. After the
//! restart the log is exactly what was committed, in order: all that was acknowledged as durable, of the rest a
//! first part, each transaction whole, and nothing that nobody sent. `SEED` replays a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::kv::faulty::{Fault, FaultyKv};
use crate::kv::memory::MemoryKv;
use crate::*;

const STEPS: u64 = 36;
const NOW: Millis = Millis::new(1_700_000_000_000);

/// What one sent transaction was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Durable,
    Buffered,
    Unknown,
}

/// What a client knows at the end.
#[derive(Debug, Default)]
struct Book {
    /// Number and answer of every transaction that was not refused, in the order in which they were sent.
    sent: Vec<(u64, Answer)>,
    /// Durably acknowledged jobs by id, and those whose completion was acknowledged.
    jobs: BTreeMap<JobId, u64>,
    done: BTreeSet<JobId>,
    asked_done: BTreeSet<JobId>,
}

/// The seed of a run, printed so that it can be replayed.
pub(super) fn seed(name: &str) -> u64 {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..1 << 32), |text| text.parse().unwrap());
    eprintln!("{name}: SEED={seed}");
    seed
}

fn cars(store: &Store) -> Result<CollectionId> {
    let declared = CollectionOptions {
        definition: "{}".to_owned(),
        unique: vec!["plate".into()],
        indexes: vec!["brand".into()],
        ..CollectionOptions::default()
    };
    store.ensure_collection("cars", declared)
}

fn open(kv: Arc<dyn crate::kv::Kv>) -> Result<Store> {
    Store::start_still(kv, Arc::new(ManualClock::new(NOW)))
}

/// One to three documents that name the transaction, and now and then more.
fn transaction(cars: CollectionId, dice: &mut Rng, number: u64) -> (Transaction, Durability) {
    let durability = if dice.u64(..3) == 0 { Durability::Buffered } else { Durability::Sync };
    let mut tx = Transaction::new(durability);
    for part in 0..=dice.u64(..3) {
        // Different parts are different documents.
        let id = DocId::new(format!("d{}", dice.u64(..4) * 3 + part)).unwrap();
        let body = json!({"tx": number, "plate": format!("{number}/{part}"), "brand": number % 3});
        tx = match dice.u64(..8) {
            0 => tx.put_until(cars, id, Condition::Always, body.to_string(), Millis::new(NOW.get() + 60_000)),
            _ => tx.put(cars, id, Condition::Always, body.to_string()),
        };
    }
    if dice.u64(..3) == 0 {
        let group = (dice.u64(..2) == 0).then(|| "g".to_owned());
        tx = tx.enqueue(NewJob { group, ..NewJob::new("lane", number.to_string()) });
    }
    if dice.u64(..4) == 0 {
        tx = tx.positions(number.to_le_bytes().to_vec().into());
    }
    if dice.u64(..6) == 0 {
        tx = tx.cursor("reader", Tail { seq: Seq::new(1), ..Tail::default() });
    }
    (tx, durability)
}

/// Runs the workload as far as it goes; a refusal must leave the engine as it was.
fn work(store: &Store, dice: &mut Rng, book: &mut Book) {
    let Ok(cars) = cars(store) else { return };
    for number in 1..=STEPS {
        let (tx, durability) = transaction(cars, dice, number);
        let is_sync = durability == Durability::Sync;
        match store.commit(tx) {
            Ok(receipt) => {
                book.sent.push((number, if is_sync { Answer::Durable } else { Answer::Buffered }));
                if is_sync {
                    book.jobs.extend(receipt.jobs.iter().map(|&id| (id, number)));
                }
            }
            // A refused one is not in the log at all; else it must be the last.
            Err(_) if store.health().poisoned.is_some() => book.sent.push((number, Answer::Unknown)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        if store.health().poisoned.is_some() {
            let refused = store.commit(Transaction::new(Durability::Sync).delete(
                cars,
                DocId::new("d1").unwrap(),
                Condition::Always,
            ));
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable, "a stopped engine took a write");
            return;
        }
        look(store, cars, dice);
        if dice.u64(..3) == 0 {
            run_a_job(store, book);
        }
    }
}

/// Reads fail or tell the truth.
fn look(store: &Store, cars: CollectionId, dice: &mut Rng) {
    let id = format!("d{}", dice.u64(..12));
    if let Ok(Some(found)) = store.get(cars, &id) {
        let body: Value = serde_json::from_slice(&found.body).unwrap();
        let number = body["tx"].as_u64().unwrap();
        assert!((1..=STEPS).contains(&number), "{body}");
        if let Ok(ids) = store.lookup(cars, "plate", &[body["plate"].clone()]) {
            assert_eq!(ids, [found.id]);
        }
    }
    // Nothing is asked of what they find here; they are operations that may fail.
    let _ = store.versions(cars, &id, 3);
    let _ = store.feed().entries(Tail::default(), 100);
}

fn run_a_job(store: &Store, book: &mut Book) {
    let queue = store.queue();
    let (term, wait) = (LeaseTerm::new(Duration::from_secs(60)).unwrap(), Duration::ZERO);
    let request = LeaseRequest { lane: "lane".to_owned(), max: 1, term, holder: Holder::Process, wait };
    let Ok(leased) = queue.lease(&request) else { return };
    for job in leased {
        book.asked_done.insert(job.id);
        assert!(!book.done.contains(&job.id), "job {} was done and is given again", job.id);
        if queue.ack(Ack { lease: job.lease, result: Some("ok".into()) }).is_ok() {
            book.done.insert(job.id);
        }
    }
}

/// Holds the store that came back against what the client knows.
fn check(disk: &MemoryKv, book: &Book, case: &str) {
    let store = open(Arc::new(disk.clone())).unwrap_or_else(|error| panic!("{case}: no restart: {error}"));
    assert_eq!(store.verify(&mut |_| {}).unwrap(), Vec::<String>::new(), "{case}");
    let found = committed(&store, case);
    let sent: Vec<u64> = book.sent.iter().map(|(number, _)| *number).collect();
    assert!(sent.starts_with(&found), "{case}: sent {sent:?}, the log has {found:?}");
    let durable = book.sent.iter().rposition(|(_, answer)| *answer == Answer::Durable);
    let least = durable.map_or(0, |place| place + 1);
    assert!(found.len() >= least, "{case}: {least} were durable, the log has {}", found.len());
    for (&id, number) in &book.jobs {
        let waits = store.queue().job(id).unwrap();
        let finished = store.queue().finished_job(id).unwrap();
        match (&waits, &finished) {
            (Some(job), None) => {
                assert_eq!(job.payload, number.to_string().into_bytes(), "{case}");
                assert!(!book.done.contains(&id), "{case}: job {id} was done");
            }
            (None, Some(_)) => assert!(book.asked_done.contains(&id), "{case}: nobody did job {id}"),
            _ => panic!("{case}: job {id} is {waits:?} and {finished:?}"),
        }
    }
    // It goes on.
    let cars = cars(&store).unwrap();
    let tx = Transaction::new(Durability::Sync);
    store.commit(tx.put(cars, DocId::new("after").unwrap(), Condition::Always, "{}")).unwrap();
}

/// The numbers of the transactions in the log, in order; each must be there whole.
fn committed(store: &Store, case: &str) -> Vec<u64> {
    let changes = store.feed().changes(Seq::ZERO, 10_000).unwrap();
    let mut numbers = Vec::new();
    let mut groups: BTreeMap<Seq, BTreeSet<u64>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.op == ChangeOp::Put) {
        let version = store.version(change.collection, change.id.as_str(), change.seq).unwrap();
        let version = version.unwrap_or_else(|| panic!("{case}: {change:?} wrote nothing"));
        let body: Value = serde_json::from_slice(&version.body).unwrap();
        let number = body["tx"].as_u64().unwrap();
        groups.entry(change.group_last).or_default().insert(number);
        if numbers.last() != Some(&number) {
            numbers.push(number);
        }
    }
    assert!(groups.values().all(|numbers| numbers.len() == 1), "{case}: groups are mixed: {groups:?}");
    assert_eq!(groups.len(), numbers.len(), "{case}: a transaction is in two groups");
    numbers
}

fn run(seed: u64, nth: u64, fault: Fault, disk: &MemoryKv) -> bool {
    let case = format!("SEED={seed} operation {nth} {fault:?}");
    let kv = FaultyKv::new(disk, nth, fault);
    let (mut book, mut dice) = (Book::default(), Rng::with_seed(seed));
    match open(Arc::new(kv.clone())) {
        Ok(store) => {
            work(&store, &mut dice, &mut book);
            store.close();
        }
        Err(error) => assert!(kv.hit(), "{case}: does not open: {error}"),
    }
    let cut = kv.cut(|tail| usize::try_from(dice.u64(..=tail as u64)).unwrap());
    check(&cut, &book, &case);
    kv.hit()
}

#[test]
fn every_operation_may_fail() {
    let seed = seed("faults");
    let empty = MemoryKv::default();
    for fault in [Fault::Once, Fault::OnceLate, Fault::WritesForGood, Fault::ForGood] {
        let mut nth = 0;
        while run(seed, nth, fault, &empty) {
            nth += 1;
            assert!(nth < 100_000, "the workload never ends");
        }
        eprintln!("faults: {fault:?}: {nth} operations failed in turn");
        assert!(nth > 200, "only {nth} operations were reached");
    }
}

/// The start itself, on a disk with something on it: it fails or it holds, and the next one finds everything.
#[test]
fn a_start_may_fail_anywhere() {
    let seed = seed("faulty-start");
    let kv = FaultyKv::new(&MemoryKv::default(), u64::MAX, Fault::Once);
    let mut book = Book::default();
    let store = open(Arc::new(kv.clone())).unwrap();
    work(&store, &mut Rng::with_seed(seed), &mut book);
    store.close();
    let disk = kv.cut(|tail| tail);
    for fault in [Fault::Once, Fault::OnceLate, Fault::ForGood] {
        for nth in 0.. {
            let kv = FaultyKv::new(&disk, nth, fault);
            let opened = open(Arc::new(kv.clone()));
            assert_eq!(opened.is_err(), kv.hit(), "SEED={seed} operation {nth} {fault:?}");
            drop(opened);
            check(&kv.cut(|tail| tail), &book, &format!("SEED={seed} operation {nth} of a start, {fault:?}"));
            if !kv.hit() {
                break;
            }
        }
    }
}
