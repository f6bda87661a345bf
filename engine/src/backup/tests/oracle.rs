//! A random history; its state is copied after every transaction, and a step back to any of them must give the copy.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::backup::rewind::rewind;
use crate::codec::idem::Idempotency;
use crate::kv::memory::MemoryKv;

#[derive(Clone, Debug)]
enum Step {
    /// Writes of one transaction: document, brand, whether it is a deletion.
    Write(Vec<(u8, u8, bool)>),
    /// A document that ends by itself soon.
    Short(u8),
    Enqueue(u8),
    /// Leases and finishes, or lets a lease run.
    Work(bool),
    Positions(u8),
    Define,
    Cursor,
    Answer(u8),
    Wait(u16),
    /// Housekeeping: ends documents that are past their end.
    Tidy,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => proptest::collection::vec((0u8..7, 0u8..4, any::<bool>()), 1..4).prop_map(Step::Write),
        2 => (0u8..7).prop_map(Step::Short),
        2 => any::<u8>().prop_map(Step::Enqueue),
        1 => any::<bool>().prop_map(Step::Work),
        1 => any::<u8>().prop_map(Step::Positions),
        1 => Just(Step::Define),
        1 => Just(Step::Cursor),
        1 => (0u8..3).prop_map(Step::Answer),
        2 => (1u16..400).prop_map(Step::Wait),
        1 => Just(Step::Tidy),
        1 => Just(Step::Reopen),
    ]
}

/// Everything a reader can see at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// Every version of every document, by collection and id.
    documents: BTreeMap<(String, String), Vec<Document>>,
    log: Vec<(u64, u64, String, ChangeOp)>,
    /// With the record after which they came.
    positions: Vec<(u64, u8)>,
    brands: BTreeMap<u8, Vec<DocId>>,
    plates: BTreeMap<u8, Vec<DocId>>,
}

fn state(store: &Store, cars: CollectionId) -> State {
    while store.watermark().durable() < store.watermark().applied() {
        store.watermark().wait_past(store.watermark().durable(), std::time::Duration::from_secs(10));
    }
    let mut documents = BTreeMap::new();
    for collection in store.catalog().iter() {
        store
            .snapshot()
            .unwrap()
            .scan_as_of(collection.id, None, store.watermark().applied().seq, |document| {
                let versions = store.versions(collection.id, document.id.as_str(), 1_000).unwrap();
                documents.insert((collection.name.clone(), document.id.to_string()), versions);
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    let (mut log, mut positions, mut at) = (Vec::new(), Vec::new(), Tail::default());
    loop {
        let entries = store.feed().entries(at, 100).unwrap();
        if entries.is_empty() {
            break;
        }
        at = at.past(&entries);
        for entry in entries {
            match entry {
                Entry::Change(c) => log.push((c.seq.get(), c.group_last.get(), c.id.to_string(), c.op)),
                Entry::Positions { batch, after, .. } => positions.push((after.get(), batch[0])),
            }
        }
    }
    let found = |index: &str, value: u8| store.lookup(cars, index, &[json!(value)]).unwrap();
    State {
        documents,
        log,
        positions,
        brands: (0..4).map(|brand| (brand, found("brand", brand))).collect(),
        plates: (0..30).map(|plate| (plate, found("plate", plate))).collect(),
    }
}

/// Opens the same bytes again and again.
trait Bytes {
    fn kv(&self) -> Arc<dyn crate::kv::Kv>;
}

impl Bytes for MemoryKv {
    fn kv(&self) -> Arc<dyn crate::kv::Kv> {
        Arc::new(self.clone())
    }
}

impl Bytes for tempfile::TempDir {
    fn kv(&self) -> Arc<dyn crate::kv::Kv> {
        Arc::new(RocksKv::open(self.path(), SMALL).unwrap())
    }
}

struct Run<'a> {
    bytes: &'a dyn Bytes,
    clock: Arc<ManualClock>,
    store: Store,
    cars: CollectionId,
    defined: usize,
    /// By the last sequence: the state, the time and the number of jobs enqueued so far.
    states: BTreeMap<u64, (State, Millis)>,
}

impl<'a> Run<'a> {
    fn new(bytes: &'a dyn Bytes) -> Self {
        let clock = Arc::new(ManualClock::new(Millis::new(1_000)));
        let store = Store::start_still(bytes.kv(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let options = CollectionOptions {
            unique: vec!["plate".into()],
            indexes: vec!["brand".into()],
            ..CollectionOptions::default()
        };
        let cars = store.ensure_collection("cars", options).unwrap();
        let mut run = Self { bytes, clock, store, cars, defined: 0, states: BTreeMap::new() };
        run.remember();
        run
    }

    fn remember(&mut self) {
        let seq = self.store.watermark().applied().seq.get();
        self.states.insert(seq, (state(&self.store, self.cars), self.store.now()));
    }

    fn step(&mut self, step: &Step) {
        let (store, cars, tx) = (&self.store, self.cars, Transaction::new(Durability::Sync));
        match step {
            Step::Write(writes) => {
                let write = writes.iter().fold(tx, |tx, (doc, brand, delete)| {
                    let id = name(&format!("d{doc}"));
                    if *delete {
                        tx.delete(cars, id, Condition::Present)
                    } else {
                        let body = format!(r#"{{"brand":{brand},"plate":{}}}"#, doc * 4 + brand);
                        tx.put(cars, id, Condition::Always, body)
                    }
                });
                let _ = store.commit(write);
            }
            Step::Short(doc) => {
                let end = Millis::new(store.now().get() + 150);
                let id = name(&format!("d{doc}"));
                let _ = store.commit(tx.put_until(cars, id, Condition::Always, r#"{"brand":3}"#, end));
            }
            Step::Enqueue(byte) => {
                let group = (byte % 3 > 0).then(|| format!("g{}", byte % 3));
                let unique = (byte % 5 == 0).then(|| "u".to_owned());
                let delay = std::time::Duration::from_millis(if byte % 4 == 0 { 300 } else { 0 });
                let job = NewJob { group, unique, delay, ..NewJob::new("lane", vec![*byte]) };
                let _ = store.commit(tx.enqueue(job));
            }
            Step::Work(finish) => {
                let leased = lease(store);
                if let Some(job) = leased.filter(|_| *finish) {
                    store.queue().ack(Ack { lease: job.lease, result: None }).unwrap();
                }
            }
            Step::Positions(byte) => drop(store.commit(tx.positions(vec![*byte].into())).unwrap()),
            Step::Define => {
                self.defined += 1;
                let named = format!("more{}", self.defined);
                let more = store.ensure_collection(&named, CollectionOptions::default()).unwrap();
                store.commit(tx.put(more, name("x"), Condition::Always, "{}")).unwrap();
            }
            Step::Cursor => {
                let at = store.watermark().applied();
                store.commit(tx.cursor("reader", at)).unwrap();
            }
            Step::Answer(key) => {
                let idempotency = Idempotency { key: [*key; 16], fingerprint: [*key; 8] };
                let put = tx.put(cars, name("answered"), Condition::Always, "{}").once(idempotency);
                store.commit(put).unwrap();
            }
            Step::Wait(ms) => self.clock.advance_ms(u64::from(*ms)),
            Step::Tidy => drop(store.tidy().unwrap()),
            Step::Reopen => self.reopen(),
        }
        self.remember();
    }

    fn reopen(&mut self) {
        // The last handle closes the store before it is opened again.
        let memory =
            Store::memory(Options { clock: Arc::clone(&self.clock) as _, ..Options::new() }).unwrap();
        drop(std::mem::replace(&mut self.store, memory));
        self.store = Store::start_still(self.bytes.kv(), Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap();
    }
}

fn lease(store: &Store) -> Option<LeasedJob> {
    let term = LeaseTerm::new(std::time::Duration::from_secs(60)).unwrap();
    let wait = std::time::Duration::ZERO;
    let request = LeaseRequest { lane: "lane".to_owned(), max: 1, term, holder: Holder::Worker, wait };
    store.queue().lease(&request).unwrap().pop()
}

fn check(bytes: &dyn Bytes, steps: &[Step], back: u16) {
    let mut run = Run::new(bytes);
    steps.iter().for_each(|step| run.step(step));
    let Run { clock, store, cars, states, .. } = run;
    let (last, epoch) = (store.watermark().applied(), store.epoch());
    drop(store);
    let first = *states.keys().next().unwrap();
    let wanted = first + u64::from(back) % (last.seq.get() - first + 1);
    let kv = bytes.kv();
    let rewound = rewind(&*kv, Until::Seq(Seq::new(wanted)), &mut |_, _, _| ()).unwrap();
    let (log, _) = states.last_key_value().map(|(_, (state, at))| (&state.log, at)).unwrap();
    let end = log.iter().filter(|(seq, end, ..)| seq == end && *seq <= wanted).map(|(seq, ..)| *seq).max();
    assert_eq!((rewound.from, rewound.to.seq.get()), (last, end.unwrap()), "back to {wanted}");
    // Within a step of several transactions no copy was made.
    let Some((seq, (expected, at))) = states.get_key_value(&end.unwrap()) else { return };
    // A second time there is nothing to do.
    let again = rewind(&*kv, Until::Seq(Seq::new(*seq)), &mut |_, _, _| ()).unwrap();
    assert_eq!((again.documents_restored, again.documents_removed, again.jobs_removed), (0, 0, 0));
    drop(kv);

    let store = Store::start_still(bytes.kv(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    let found = state(&store, cars);
    // Positions committed after the moment, but before the next record, belong to it.
    let (_, (newest, _)) = states.last_key_value().unwrap();
    let mut expected = expected.clone();
    expected.positions = newest.positions.iter().copied().filter(|(after, _)| after <= seq).collect();
    assert_eq!(found, expected);
    let jobs = store.queue().lanes().unwrap();
    assert!(jobs.iter().all(|lane| lane.ready + lane.waiting + lane.leased <= expected.log.len()));
    let reader = store.cursor("reader").unwrap();
    assert!(reader.is_none_or(|cursor| cursor.at.seq.get() <= *seq), "a cursor stays ahead");
    for key in 0..3 {
        let answered = store.recall(&Idempotency { key: [key; 16], fingerprint: [key; 8] }).unwrap();
        assert!(answered.is_none_or(|answered| answered.seq.get() <= *seq), "an answer to what is not there");
    }
    let knows = |seq: u64| store.knows(Revision { epoch, seq: Seq::new(seq) }).unwrap();
    assert!((seq + 1..=last.seq.get()).all(|seq| !knows(seq)), "a version that was taken back is known");

    // It goes on from there.
    let tx = Transaction::new(Durability::Sync);
    let put = tx
        .put(cars, name("d1"), Condition::Always, r#"{"brand":1,"plate":7}"#)
        .enqueue(NewJob::new("lane", "x"));
    let put = store.commit(put);
    assert!(put.is_ok() || put.unwrap_err().conflict().is_some());
    while let Some(job) = lease(&store) {
        store.queue().ack(Ack { lease: job.lease, result: None }).unwrap();
    }
    store.tidy().unwrap();
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    assert!(store.now() >= *at);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_step_back_gives_the_state_of_then(steps in proptest::collection::vec(step(), 1..50), back: u16) {
        check(&MemoryKv::default(), &steps, back);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn rocksdb_steps_back_too(steps in proptest::collection::vec(step(), 1..50), back: u16) {
        check(&tempfile::tempdir().unwrap(), &steps, back);
    }
}

#[test]
fn what_history_cannot_tell_is_refused() {
    let world = World::new();
    let first = world.put("a", r#"{"n":1}"#.to_owned());
    world.clock.advance_ms(1_000);
    let second = world.put("a", r#"{"n":2}"#.to_owned());
    world.clock.advance_ms(1_000);
    world.take();
    let restore = |until, to: &str| world.restore(Choice { until: Some(until), ..Choice::default() }, to);
    let kind = |until| restore(until, "refused").unwrap_err().kind();
    assert_eq!(kind(Until::Seq(second.next())), ErrorKind::Invalid);
    assert_eq!(kind(Until::Seq(Seq::ZERO)), ErrorKind::Invalid);
    assert_eq!(kind(Until::Time(Millis::new(10_000))), ErrorKind::Invalid);
    assert_eq!(kind(Until::Time(Millis::new(1))), ErrorKind::Gone);
    let (restored, store) = restore(Until::Time(Millis::new(1_999)), "by-time").unwrap();
    assert_eq!(restored.tail.seq, first);
    assert_eq!(store.get(world.cars, "a").unwrap().unwrap().seq, first);
    let (_, store) = restore(Until::Time(Millis::new(2_000)), "by-later-time").unwrap();
    assert_eq!(store.get(world.cars, "a").unwrap().unwrap().seq, second);

    // Trimmed records cannot be gone back to.
    let nothing = Retention { keep_ms: 0, keep_bytes: 0, hold_ms_max: 0 };
    world.store.trim(&TrimPolicy { log: nothing, positions: nothing }).unwrap();
    world.put("a", r#"{"n":3}"#.to_owned());
    world.take();
    let of_second = Choice { until: Some(Until::Seq(first)), ..of(2) };
    assert_eq!(world.restore(of_second, "refused").unwrap_err().kind(), ErrorKind::Gone);
    // But an older backup still tells, and is the one that is taken.
    let (restored, _) = restore(Until::Seq(first), "older").unwrap();
    assert_eq!((restored.generation, restored.tail.seq), (1, first));
}

/// Versions that their collection has let go cannot be brought back, so the step is refused as a whole.
#[test]
fn a_history_that_was_cut_is_refused() {
    let (kv, clock) = (MemoryKv::default(), Arc::new(ManualClock::new(Millis::new(1_000))));
    let store = Store::start_still(Arc::new(kv.clone()), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let keep = Keep { versions_max: Some(1), ..Keep::default() };
    let cars =
        store.ensure_collection("cars", CollectionOptions { keep, ..CollectionOptions::default() }).unwrap();
    let put = || Transaction::new(Durability::Sync).put(cars, name("a"), Condition::Always, "{}");
    let seqs: Vec<Seq> = (0..3).map(|_| store.commit(put()).unwrap().seqs[0]).collect();
    clock.advance_ms(5_000);
    store.tidy().unwrap();
    drop(store);
    let error = rewind(&kv, Until::Seq(seqs[1]), &mut |_, _, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    assert!(error.to_string().contains("cars"), "{error}");
    rewind(&kv, Until::Seq(seqs[2]), &mut |_, _, _| ()).unwrap();
}
