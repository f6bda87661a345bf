//! Readers of the feed against random commits, trims and reopenings; who holds what; many readers of one ring.

use std::sync::Arc;

use proptest::prelude::*;

use crate::kv::Kv;
use crate::kv::memory::MemoryKv;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::kv::tuning::Tuning;
use crate::*;

const NOW: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 86_400_000;

/// Keeps entries for this long and however many, holds for that long.
fn policy(keep_ms: u64, hold_ms_max: u64) -> TrimPolicy {
    let lane = Retention { keep_ms, keep_bytes: u64::MAX, hold_ms_max };
    TrimPolicy { log: lane, positions: lane }
}

fn open(kv: Arc<dyn Kv>, clock: &Arc<ManualClock>) -> (Store, CollectionId) {
    let store = Store::start(kv, Arc::clone(clock) as Arc<dyn Clock>).unwrap();
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    (store, cars)
}

/// One group of `count` records.
fn group(store: &Store, cars: CollectionId, count: usize) -> Seq {
    let transaction = (0..count).fold(Transaction::new(Durability::Sync), |transaction, n| {
        transaction.put(cars, DocId::new(format!("d{n}")).unwrap(), Condition::Always, "{}")
    });
    store.commit(transaction).unwrap().tail.seq
}

fn positions(store: &Store) -> PositionSeq {
    let transaction = Transaction::new(Durability::Sync).positions(vec![1].into());
    store.commit(transaction).unwrap().tail.positions
}

fn sound(store: &Store) {
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
}

/// A file may end with the very record the log begins with after a trim: it is not given back.
#[test]
fn the_first_record_that_stays_is_not_lost_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Millis::new(NOW)));
    let rocks = || -> Arc<dyn Kv> {
        let options = RocksOptions { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, tuning: Tuning::SHIPPED };
        Arc::new(RocksKv::open(dir.path(), options).unwrap())
    };
    for _ in 0..3 {
        let (store, cars) = open(rocks(), &clock);
        let last = group(&store, cars, 1);
        let batch = positions(&store);
        drop(store);
        // What was in memory is a file after another opening, and it ends with the newest record.
        let (store, _) = open(rocks(), &clock);
        clock.advance_ms(DAY_MS);
        let floor = store.trim(&policy(1, DAY_MS)).unwrap().floor;
        assert_eq!((floor.seq.next(), floor.positions.next()), (last, batch));
        let changes = store.feed().changes(floor.seq, 10).unwrap();
        assert_eq!(changes.iter().map(|change| change.seq).collect::<Vec<_>>(), [last]);
        sound(&store);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Group(usize),
    Positions,
    Pass(u16),
    Trim(u16),
    Hold(u8),
    Forget,
    Reopen,
    Read(u16, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..5).prop_map(Step::Group),
        2 => Just(Step::Positions),
        3 => (0u16..2_000).prop_map(Step::Pass),
        2 => (0u16..3_000).prop_map(Step::Trim),
        1 => any::<u8>().prop_map(Step::Hold),
        1 => Just(Step::Forget),
        1 => Just(Step::Reopen),
        4 => (any::<u16>(), 1usize..9).prop_map(|(back, max)| Step::Read(back, max)),
    ]
}

/// What the ring and the disk say must be one and the same, and what the reference says.
fn compare(store: &Store, groups: &[(u64, u64)], after: Seq, max: usize) {
    let (feed, head, floor) = (store.feed(), store.feed().head(), store.feed().floors().seq);
    let read = feed.changes(after, max);
    if after < floor {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Gone, "{after} below {floor}");
        return;
    }
    let read = read.unwrap();
    assert_eq!(read, feed.changes_on_disk(after, head, max).unwrap(), "ring and disk after {after}");
    let mut expected = Vec::new();
    for (seq, group_last) in groups.iter().filter(|(seq, _)| *seq > after.get()) {
        expected.push((*seq, *group_last));
        if expected.len() >= max && seq == group_last {
            break;
        }
    }
    let found: Vec<_> = read.iter().map(|change| (change.seq.get(), change.group_last.get())).collect();
    assert_eq!(found, expected, "after {after}");
}

fn run(kv: impl Fn() -> Arc<dyn Kv>, steps: &[Step]) {
    let clock = Arc::new(ManualClock::new(Millis::new(NOW)));
    let (mut store, mut cars) = open(kv(), &clock);
    let first = store.feed().head().get();
    let mut groups: Vec<(u64, u64)> = (1..=first).map(|seq| (seq, seq)).collect();
    let (mut held, mut trimmed) = (None, Tail::default());
    for step in steps {
        match step {
            Step::Group(count) => {
                let last = group(&store, cars, *count).get();
                groups.extend((last + 1 - *count as u64..=last).map(|seq| (seq, last)));
            }
            Step::Positions => drop(positions(&store)),
            Step::Pass(ms) => clock.advance_ms(u64::from(*ms)),
            Step::Trim(keep_ms) => {
                let floor = store.trim(&policy(u64::from(*keep_ms), DAY_MS)).unwrap().floor;
                assert!(floor.seq >= trimmed.seq && floor.positions >= trimmed.positions);
                if floor.seq > trimmed.seq {
                    assert!(held.is_none_or(|held| floor.seq <= held), "{floor:?} past the holder");
                    assert!(groups.iter().any(|(seq, last)| *seq == floor.seq.get() && seq == last));
                }
                assert!(floor.seq < store.feed().head());
                trimmed = floor;
                sound(&store);
            }
            Step::Hold(back) => {
                let durable = store.watermark().durable();
                let seq = durable.seq.get().saturating_sub(u64::from(back % 16)).max(trimmed.seq.get());
                let at = Tail { seq: Seq::new(seq), positions: durable.positions };
                store.commit(Transaction::new(Durability::Sync).cursor("reader", at)).unwrap();
                held = Some(at.seq);
            }
            Step::Forget => {
                store.commit(Transaction::new(Durability::Sync).forget_cursor("reader")).unwrap();
                held = None;
            }
            Step::Reopen => {
                drop(store);
                (store, cars) = open(kv(), &clock);
                assert_eq!(store.feed().floors(), trimmed);
            }
            Step::Read(back, max) => {
                let head = store.feed().head().get();
                compare(&store, &groups, Seq::new(head.saturating_sub(u64::from(back % 64))), *max);
            }
        }
    }
    (0..=store.feed().head().get()).for_each(|after| compare(&store, &groups, Seq::new(after), 3));
    sound(&store);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn readers_agree_in_memory(steps in proptest::collection::vec(step(), 1..60)) {
        let kv = MemoryKv::default();
        run(|| Arc::new(kv.clone()), &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn readers_agree_on_disk(steps in proptest::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let options = RocksOptions { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, tuning: Tuning::SHIPPED };
        run(|| Arc::new(RocksKv::open(dir.path(), options).unwrap()), &steps);
    }
}

#[test]
fn holders_hold_until_they_are_too_far_behind() {
    let clock = Arc::new(ManualClock::new(Millis::new(NOW)));
    let (store, cars) = open(Arc::new(MemoryKv::default()), &clock);
    let at = Tail { seq: group(&store, cars, 3), positions: positions(&store) };
    let hold = Transaction::new(Durability::Sync).cursor("slow", at);
    // A number that is no position holds nothing.
    store.commit(hold.note("count", Tail::default())).unwrap();
    for _ in 0..10 {
        clock.advance_ms(DAY_MS);
        group(&store, cars, 2);
        positions(&store);
    }
    let floor = store.trim(&policy(2 * DAY_MS, 30 * DAY_MS)).unwrap().floor;
    assert_eq!(floor, at, "held");
    assert_eq!(store.feed().changes(at.seq, 1).unwrap().len(), 2, "whoever holds reads on");
    let trimmed = store.trim(&policy(2 * DAY_MS, 5 * DAY_MS)).unwrap();
    assert!(trimmed.floor.seq > at.seq && trimmed.floor.positions > at.positions, "{trimmed:?}");
    assert!(trimmed.records > 0 && trimmed.bytes > 0);
    assert_eq!(store.feed().changes(at.seq, 1).unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(store.feed().entries(at, 1).unwrap_err().kind(), ErrorKind::Gone);
    store.commit(Transaction::new(Durability::Sync).forget_cursor("slow")).unwrap();
    let floor = store.trim(&policy(0, 5 * DAY_MS)).unwrap().floor;
    clock.advance_ms(1);
    let last = store.trim(&policy(0, 5 * DAY_MS)).unwrap().floor;
    assert!(last.seq >= floor.seq && last.seq < store.feed().head(), "the newest group stays");
    sound(&store);
}

#[test]
fn a_lane_is_trimmed_by_size() {
    let clock = Arc::new(ManualClock::new(Millis::new(NOW)));
    let (store, cars) = open(Arc::new(MemoryKv::default()), &clock);
    for _ in 0..100 {
        group(&store, cars, 1);
    }
    let lane = Retention { keep_ms: u64::MAX, keep_bytes: 460, hold_ms_max: u64::MAX };
    let floor = store.trim(&TrimPolicy { log: lane, positions: lane }).unwrap().floor;
    // A record of "d0" is 38 bytes and its key 8.
    assert_eq!(store.feed().head().get() - floor.seq.get(), 10);
    assert_eq!(store.feed_totals().floor, floor);
    sound(&store);
}

#[test]
fn a_thousand_readers_share_one_ring() {
    const READERS: usize = 1_000;
    const GROUPS: usize = 200;
    let clock = Arc::new(ManualClock::new(Millis::new(NOW)));
    let (store, cars) = open(Arc::new(MemoryKv::default()), &clock);
    let start = store.feed().head();
    let end = start.get() + 2 * GROUPS as u64;
    let writer = {
        let store = store.clone();
        std::thread::spawn(move || {
            for _ in 0..GROUPS {
                group(&store, cars, 2);
            }
        })
    };
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || {
                let feed = store.feed();
                let mut readers = vec![start; READERS / 8];
                while readers.iter().any(|at| at.get() < end) {
                    for at in &mut readers {
                        for change in feed.changes(*at, 50).unwrap() {
                            assert_eq!(change.seq, at.next(), "no gap, no repeat");
                            *at = change.seq;
                        }
                    }
                }
            })
        })
        .collect();
    writer.join().unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let totals = store.feed_totals();
    assert_eq!(totals.ring_misses, 0, "nobody went to disk: {totals:?}");
}

#[test]
fn a_slow_reader_falls_off_the_ring_and_reads_on_from_disk() {
    let clock = Arc::new(ManualClock::new(Millis::new(NOW)));
    let dir = tempfile::tempdir().unwrap();
    let options = RocksOptions { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, tuning: Tuning::SHIPPED };
    let (store, cars) = open(Arc::new(RocksKv::open(dir.path(), options).unwrap()), &clock);
    let mut at = store.feed().head();
    let records = limits::FEED_RING_RECORDS_MAX + 3 * limits::FEED_RING_SEGMENT_RECORDS;
    let head =
        (0..records.div_ceil(1_000)).map(|_| group(&store, cars, 1_000)).reduce(|_, later| later).unwrap();
    while at < head {
        for change in store.feed().changes(at, 5_000).unwrap() {
            assert_eq!(change.seq, at.next());
            at = change.seq;
        }
    }
    let totals = store.feed_totals();
    assert!(totals.ring_misses > 0 && totals.ring_hits > 0, "{totals:?}");
}
