//! What becomes of a collection that is dropped.

use std::ops::ControlFlow;
use std::sync::Arc;

use crossbeam::channel::unbounded;

use crate::codec::key;
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::*;

struct World {
    kv: MemoryKv,
    clock: Arc<ManualClock>,
    store: Store,
}

impl World {
    fn new() -> Self {
        let (kv, clock) = (MemoryKv::default(), Arc::new(ManualClock::new(Millis::new(1_000))));
        let store = Store::start_still(Arc::new(kv.clone()), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        Self { kv, clock, store }
    }

    fn reopen(self) -> Self {
        let Self { kv, clock, store } = self;
        drop(store);
        let store = Store::start_still(Arc::new(kv.clone()), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        Self { kv, clock, store }
    }

    /// Keeps two versions, ends documents after a while, and files them under their plate and brand.
    fn define(&self, name: &str) -> CollectionId {
        let keep = Keep { versions_max: Some(2), expire_after_ms: Some(60_000), ..Keep::default() };
        let (unique, indexes) = (vec!["plate".into()], vec!["brand".into()]);
        let options = CollectionOptions {
            definition: "{}".to_owned(),
            unique,
            indexes,
            keep,
            ..CollectionOptions::default()
        };
        self.store.ensure_collection(name, options).unwrap()
    }

    fn commit(&self, make: impl FnOnce(Transaction) -> Transaction) -> Result<Receipt> {
        self.store.commit(make(Transaction::new(Durability::Sync)))
    }

    fn put(&self, collection: CollectionId, id: &str, brand: &str) -> Result<Receipt> {
        let body = format!(r#"{{"plate":"{id}","brand":"{brand}"}}"#);
        self.commit(|tx| tx.put(collection, name(id), Condition::Always, body))
    }

    fn state(&self, collection: CollectionId) -> CollectionState {
        self.store.catalog().ever(collection).unwrap().state
    }

    /// Keys of a family, of one collection where they begin with its number.
    fn rows(&self, family: Family) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        let all = KeyRange::new([], [u8::MAX; 256]);
        let mut visit = |place: &[u8], _: &[u8]| {
            rows.push(place.to_vec());
            Ok(ControlFlow::Continue(()))
        };
        self.kv.scan(family, &all, Direction::Forward, &mut visit).unwrap();
        rows
    }

    /// No row of any family belongs to the collection.
    fn is_gone(&self, collection: CollectionId) -> bool {
        let by_collection =
            |family| self.rows(family).iter().any(|place| place.starts_with(&key::heads_of(collection)));
        let by_time = |family| {
            self.rows(family)
                .iter()
                .any(|place| key::parse_due(place).is_some_and(|(_, of, _)| of == collection))
        };
        ![Family::Heads, Family::History].into_iter().any(by_collection)
            && ![Family::Expiry, Family::Surplus].into_iter().any(by_time)
    }

    fn check(&self) {
        assert_eq!(self.store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    }
}

fn name(id: &str) -> DocId {
    DocId::new(id).unwrap()
}

#[test]
fn it_is_gone_at_once_and_its_name_is_free() {
    let world = World::new();
    let (cars, boats) = (world.define("cars"), world.define("boats"));
    for (id, brand) in [("a", "saab"), ("b", "volvo"), ("a", "volvo"), ("a", "fiat")] {
        world.put(cars, id, brand).unwrap();
        world.put(boats, id, brand).unwrap();
    }
    let index_rows = world.rows(Family::Index).len();
    let before = world.store.snapshot().unwrap();
    let receipt = world.commit(|tx| tx.drop(cars)).unwrap();
    assert_eq!(receipt.defined, Some(cars));
    assert_eq!(world.state(cars), CollectionState::Dropping(receipt.tail.seq));
    assert!(world.store.changed(cars) == receipt.tail.seq);

    let catalog = world.store.catalog();
    assert!(catalog.by_name("cars").is_none() && catalog.by_id(cars).is_none());
    assert_eq!(catalog.iter().map(|collection| collection.id).collect::<Vec<_>>(), [boats]);
    assert_eq!(world.store.head(cars, "a").unwrap(), None);
    assert!(world.store.versions(cars, "a", 9).unwrap().is_empty());
    assert_eq!(world.store.lookup(cars, "brand", &["fiat".into()]).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(world.rows(Family::Index).len() * 2, index_rows);
    // What was opened before goes on seeing it.
    assert!(before.get(cars, "a").unwrap().is_some());
    for refused in [
        world.put(cars, "c", "saab"),
        world.commit(|tx| tx.delete(cars, name("a"), Condition::Always)),
        world.commit(|tx| tx.drop(cars)),
        world.commit(|tx| tx.drop(CollectionId::new(99))),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    let last = world.store.feed().changes(Seq::new(receipt.tail.seq.get() - 1), 1).unwrap();
    assert_eq!((last[0].op, last[0].collection, last[0].id.as_str()), (ChangeOp::Drop, cars, "cars"));

    // The name stands for something else now, also while what is left of the first is being removed.
    let again = world.define("cars");
    assert_ne!(again, cars);
    world.put(again, "a", "saab").unwrap();
    assert_eq!(world.store.lookup(again, "plate", &["a".into()]).unwrap(), [name("a")]);
    let past = world.store.snapshot().unwrap().history_floor(again).unwrap();
    assert!(past > receipt.tail.seq, "of the time before nothing is known");

    assert!(!world.is_gone(cars), "rows by time are still there");
    world.check();
    world.store.tidy().unwrap();
    assert!(world.is_gone(cars));
    assert_eq!(world.state(cars), CollectionState::Dropped(receipt.tail.seq));
    assert_eq!(world.store.versions(boats, "a", 9).unwrap().len(), 3, "the neighbour lost nothing");
    world.clock.advance_ms(60_000);
    world.store.tidy().unwrap();
    assert_eq!(world.store.kept().expired, 3);
    world.check();
}

#[test]
fn a_drop_goes_on_after_a_crash_and_numbers_stay_taken() {
    let world = World::new();
    let cars = world.define("cars");
    world.put(cars, "a", "saab").unwrap();
    world.commit(|tx| tx.drop(cars)).unwrap();
    let world = world.reopen();
    assert!(matches!(world.state(cars), CollectionState::Dropping(_)));
    world.store.tidy().unwrap();
    assert!(world.is_gone(cars) && matches!(world.state(cars), CollectionState::Dropped(_)));
    let world = world.reopen();
    assert!(matches!(world.state(cars), CollectionState::Dropped(_)));
    let again = world.define("cars");
    assert!(again > cars);
    world.put(again, "a", "saab").unwrap();
    // Index entries of the second are not those of the first.
    let of =
        |index| world.rows(Family::Index).iter().filter(|place| place.starts_with(&[0, 0, 0, index])).count();
    assert_eq!([1, 2, 3, 4].map(of), [0, 0, 1, 1]);
    world.check();
}

#[test]
fn many_rows_go_in_steps() {
    let world = World::new();
    let (cars, boats) = (world.define("cars"), world.define("boats"));
    for part in 0..5 {
        let tx = (0..2_500).fold(Transaction::new(Durability::Buffered), |tx, n| {
            let id = DocId::new(format!("d{part}-{n}")).unwrap();
            let tx = tx.put(cars, id.clone(), Condition::Always, "{}");
            tx.put(boats, id, Condition::Always, "{}")
        });
        world.store.commit(tx).unwrap();
    }
    assert!(world.rows(Family::Expiry).len() > 2 * limits::DROP_STEP_ROWS_MAX);
    world.commit(|tx| tx.drop(cars)).unwrap();
    world.store.tidy().unwrap();
    assert!(world.is_gone(cars));
    assert_eq!(world.rows(Family::Expiry).len(), 12_500);
    world.check();
}

/// A write that was prepared while the collection was there comes before the drop or not at all.
#[test]
fn writes_that_race_with_a_drop_leave_nothing() {
    let world = World::new();
    for turn in 0..50 {
        let cars = world.define("cars");
        let (tell, told) = unbounded();
        let put = |n: u64| {
            let id = DocId::new(format!("d{n}")).unwrap();
            Transaction::new(Durability::Buffered).put(cars, id, Condition::Always, "{}")
        };
        for n in 0..20 {
            let tell = tell.clone();
            let transaction = if n == 7 { put(n).drop(cars) } else { put(n) };
            world.store.submit(transaction, move |outcome| tell.send((n, outcome.map(drop))).unwrap());
        }
        drop(tell);
        for (n, outcome) in told {
            match outcome {
                Ok(()) => assert!(n <= 7, "turn {turn}: {n} came after the drop"),
                Err(error) => {
                    assert!(n > 7 && error.kind() == ErrorKind::NotFound, "turn {turn}: {n} {error}")
                }
            }
        }
        world.store.tidy().unwrap();
        assert!(world.is_gone(cars), "turn {turn}");
    }
    world.check();
}
