//! Indexes that come and go while documents are written: built step by step, cut short, in the way of each other.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::codec::key;
use crate::commit::op::Upkeep;
use crate::index::{Fill, builder};
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::*;

fn still(kv: &MemoryKv) -> Store {
    let clock = Arc::new(ManualClock::new(Millis::new(1_700_000_000_000)));
    Store::start_still(Arc::new(kv.clone()), clock).unwrap()
}

fn id(text: impl AsRef<str>) -> DocId {
    DocId::new(text).unwrap()
}

fn options(unique: &[IndexSpec], indexes: &[IndexSpec]) -> CollectionOptions {
    CollectionOptions { unique: unique.to_vec(), indexes: indexes.to_vec(), ..CollectionOptions::default() }
}

fn put(store: &Store, cars: CollectionId, name: &str, body: Json) -> Result<Receipt> {
    store.commit(Transaction::new(Durability::Buffered).put(
        cars,
        id(name),
        Condition::Always,
        body.to_string(),
    ))
}

fn sound(store: &Store, case: &str) {
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new(), "{case}");
}

fn state(store: &Store, cars: CollectionId, place: usize) -> IndexState {
    store.catalog().by_id(cars).unwrap().indexes()[place].state.clone()
}

/// Random writes between random steps of building, with reopening: at every moment the store is sound, and in the end
/// the index finds what a look through all documents finds.
#[test]
fn an_index_is_built_under_writes_and_through_restarts() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    for round in 0..60 {
        let kv = MemoryKv::default();
        let mut store = still(&kv);
        let cars = store.ensure_collection("cars", options(&[], &["old".into()])).unwrap();
        let body = |dice: &mut fastrand::Rng| match dice.u8(..4) {
            0 => json!({"old": 1}),
            1 => json!({"brand": [dice.u8(..6), dice.u8(..6)], "price": dice.u8(..9)}),
            _ => json!({"brand": dice.u8(..6), "price": dice.u8(..9)}),
        };
        // More than two steps' worth.
        for n in 0..dice.u32(1..700) {
            put(&store, cars, &format!("d{n:03}"), body(&mut dice)).unwrap();
        }
        let specs = ["old".into(), IndexSpec::from("brand,price"), IndexSpec::from("price")];
        store.alter(cars, options(&[], &specs)).unwrap();
        assert!(store.lookup(cars, "price", &[json!(1)]).is_err(), "nobody reads what is not whole");
        loop {
            for _ in 0..dice.u8(..20) {
                let name = format!("d{:03}", dice.u32(..720));
                if dice.u8(..4) == 0 {
                    let delete = Transaction::new(Durability::Buffered);
                    let _ = store.commit(delete.delete(cars, id(name), Condition::Present));
                } else {
                    put(&store, cars, &name, body(&mut dice)).unwrap();
                }
            }
            if dice.u8(..3) == 0 {
                store.close();
                store = still(&kv);
            }
            sound(&store, &format!("seed {seed} round {round}, on the way"));
            if !store.inner_builder().step_once().unwrap() {
                break;
            }
        }
        assert!(store.build_indexes().unwrap());
        for value in 0..9 {
            let mut wanted = Vec::new();
            let look = |document: Document| {
                let body: Json = serde_json::from_slice(&document.body).unwrap();
                if body["price"] == value {
                    wanted.push(document.id);
                }
                ControlFlow::Continue(())
            };
            store.snapshot().unwrap().scan(cars, None, false, look).unwrap();
            assert_eq!(store.lookup(cars, "price", &[json!(value)]).unwrap(), wanted, "seed {seed}");
        }
        sound(&store, &format!("seed {seed} round {round}, in the end"));
        store.alter(cars, options(&[], &["price".into()])).unwrap();
        assert!(store.lookup(cars, "old", &[json!(1)]).is_err());
        put(&store, cars, "d000", json!({"price": 3})).unwrap();
        sound(&store, &format!("seed {seed} round {round}, dropped"));
    }
}

#[test]
fn a_unique_index_waits_until_its_violations_are_gone() {
    let kv = MemoryKv::default();
    let mut store = still(&kv);
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    for (name, plate) in [("a", "X1"), ("b", "X1"), ("c", "X2"), ("d", "X1"), ("e", "E")] {
        put(&store, cars, name, json!({"plate": plate})).unwrap();
    }
    put(&store, cars, "f", json!({"plate": {"not": "a value"}})).unwrap();
    store.alter(cars, options(&["plate".into()], &[])).unwrap();
    assert!(!store.build_indexes().unwrap());
    let IndexState::Pending { violations, more: 0, .. } = state(&store, cars, 0) else {
        panic!("{:?}", state(&store, cars, 0))
    };
    let named: Vec<_> = violations.iter().map(|found| (found.ids.join(" "), found.values.clone())).collect();
    let x1 = || vec![json!("X1")];
    assert_eq!(named, [("b a".into(), x1()), ("d a".into(), x1()), ("f".into(), vec![])]);
    sound(&store, "pending");
    // What is in the way may be changed, and nothing new may get in the way.
    put(&store, cars, "b", json!({"plate": "X1", "n": 1})).unwrap();
    let taken = put(&store, cars, "g", json!({"plate": "X2"})).unwrap_err();
    assert_eq!(taken.conflict(), Some(&Conflict::Unique { index: "plate".into(), id: id("c") }));
    assert!(put(&store, cars, "e", json!({"plate": "X1"})).is_err());
    // The holder goes: one of the others takes its place.
    store.commit(Transaction::new(Durability::Sync).delete(cars, id("a"), Condition::Present)).unwrap();
    sound(&store, "the holder is gone");
    put(&store, cars, "f", json!({"plate": "F"})).unwrap();
    store.close();
    store = still(&kv);
    assert!(!store.build_indexes().unwrap(), "b and d still share a value");
    sound(&store, "after another pass");
    put(&store, cars, "d", json!({"plate": "X4"})).unwrap();
    assert!(store.build_indexes().unwrap());
    assert_eq!(state(&store, cars, 0), IndexState::Ready);
    assert_eq!(store.lookup(cars, "plate", &[json!("X1")]).unwrap(), [id("b")]);
    assert!(put(&store, cars, "h", json!({"plate": "X1"})).is_err());
    sound(&store, "ready");
}

#[test]
fn a_kind_that_documents_do_not_have_keeps_an_index_waiting() {
    let store = still(&MemoryKv::default());
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    for n in 0..30 {
        let price = if n % 10 == 0 { json!("cheap") } else { json!(n) };
        put(&store, cars, &format!("d{n:02}"), json!({"price": price})).unwrap();
    }
    let price = IndexField { kind: FieldKind::Number, ..IndexField::new("price") };
    store.alter(cars, options(&[], &[price.into()])).unwrap();
    assert!(!store.build_indexes().unwrap());
    let IndexState::Pending { violations, .. } = state(&store, cars, 0) else { panic!("not pending") };
    assert_eq!(violations[0].why, "price: must be a number, as its index is declared");
    assert_eq!(violations.len(), 3);
    let refused = put(&store, cars, "d00", json!({"price": "dear"})).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    for name in ["d00", "d10", "d20"] {
        sound(&store, name);
        put(&store, cars, name, json!({"price": 5})).unwrap();
    }
    assert!(store.build_indexes().unwrap());
    assert_eq!(store.lookup(cars, "price", &[json!(5)]).unwrap().len(), 4);
    sound(&store, "ready");
}

#[test]
fn unique_without_regard_to_case() {
    let store = still(&MemoryKv::default());
    let mail = IndexSpec::from(IndexField::new("mail").ignoring_case());
    let people = store.ensure_collection("people", options(std::slice::from_ref(&mail), &[])).unwrap();
    put(&store, people, "a", json!({"mail": "Straße@x.org"})).unwrap();
    let taken = put(&store, people, "b", json!({"mail": " STRASSE@X.ORG "})).unwrap_err();
    assert_eq!(taken.conflict(), Some(&Conflict::Unique { index: "mail".into(), id: id("a") }));
    put(&store, people, "b", json!({"mail": ["other", "third"]})).unwrap();
    assert!(put(&store, people, "c", json!({"mail": "Third"})).is_err());
    assert_eq!(store.lookup(people, &mail, &[json!("OTHER")]).unwrap(), [id("b")]);
    // Without the field there is nothing to be unique.
    put(&store, people, "d", json!({})).unwrap();
    put(&store, people, "e", json!({"mail": []})).unwrap();
    sound(&store, "people");
}

/// The index is declared between the moment a write is prepared and the moment it is planned.
#[test]
fn a_write_that_overtakes_an_alteration_is_in_the_index() {
    let store = Store::memory(Options::new()).unwrap();
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..400 {
                    put(&store, cars, &format!("d{writer}-{}", n % 50), json!({"n": n})).unwrap();
                }
            })
        })
        .collect();
    for round in 0..8 {
        let indexes: &[IndexSpec] = if round % 2 == 0 { &["n".into()] } else { &[] };
        store.alter(cars, options(&[], indexes)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    store.alter(cars, options(&[], &["n".into()])).unwrap();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    while !store.build_indexes().unwrap() {
        std::thread::yield_now();
    }
    assert_eq!(store.lookup(cars, "n", &[json!(399)]).unwrap().len(), 4);
    sound(&store, "in the end");
}

#[test]
fn alterations_are_checked() {
    let store = still(&MemoryKv::default());
    let cars = store.ensure_collection("cars", options(&[], &["a".into()])).unwrap();
    let nowhere = store.alter(CollectionId::new(99), CollectionOptions::default()).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NotFound);
    let bad = store.alter(cars, options(&[], &["a".into(), "a".into()])).unwrap_err();
    assert_eq!(bad.kind(), ErrorKind::Invalid);
    let before = store.watermark().applied().seq;
    store.alter(cars, CollectionOptions { definition: "{}".into(), ..options(&[], &["a".into()]) }).unwrap();
    let entries = store.feed().entries(Tail { seq: before, ..Tail::default() }, 10).unwrap();
    let [Entry::Change(change)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((change.op, change.collection, change.id.as_str()), (ChangeOp::Catalog, cars, "cars"));
    assert_eq!(state(&store, cars, 0), IndexState::Ready);
    assert_eq!(store.catalog().by_id(cars).unwrap().options.definition, "{}");
}

/// Definitions that change, and a collection that goes, in the middle of building: what was begun leaves nothing behind.
#[test]
fn building_is_cut_short_by_alterations_and_drops() {
    let kv = MemoryKv::default();
    let mut store = still(&kv);
    let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
    for n in 0..900 {
        put(&store, cars, &format!("d{n:03}"), json!({"n": n, "brand": n % 7})).unwrap();
    }
    let builds = || {
        let mut found = 0;
        let range = KeyRange::prefix(key::META_BUILDS);
        kv.scan(Family::Meta, &range, Direction::Forward, &mut |_, _| {
            found += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        found
    };
    store.alter(cars, options(&[], &["n".into(), "brand".into()])).unwrap();
    assert!(store.inner_builder().step_once().unwrap());
    assert_eq!(builds(), 1, "one after the other");
    // A step that was planned before an alteration comes after it.
    let (catalog, kv_now) = (store.catalog(), &kv);
    let collection = catalog.by_id(cars).unwrap();
    let index = &collection.indexes()[0];
    let at = builder::progress(kv_now, index.id).unwrap();
    let late = Fill::plan(kv_now, collection, index, &at).unwrap();
    store.alter(cars, options(&[], &["brand".into()])).unwrap();
    assert_eq!(builds(), 0, "the index is gone, and so is where it stood");
    let late = Transaction::new(Durability::Buffered).upkeep(Upkeep::Fill(Box::new(late)));
    store.commit(late).unwrap();
    sound(&store, "a late step");
    // Declared anew it begins anew, under another number.
    store.alter(cars, options(&["n".into()], &["brand".into()])).unwrap();
    let ids: Vec<_> = store.catalog().by_id(cars).unwrap().indexes().iter().map(|index| index.id).collect();
    assert!(ids[0] > index.id && ids[1] > index.id, "{ids:?} after {}", index.id);
    assert!(store.inner_builder().step_once().unwrap());
    store.close();
    store = still(&kv);
    sound(&store, "reopened on the way");
    assert!(store.build_indexes().unwrap());
    assert_eq!(store.lookup(cars, "brand", &[json!(3)]).unwrap().len(), 129);
    assert_eq!(store.lookup(cars, "n", &[json!(899)]).unwrap(), [id("d899")]);
    sound(&store, "ready");
    store.alter(cars, options(&["n".into()], &["brand".into(), "x".into()])).unwrap();
    assert!(store.inner_builder().step_once().unwrap());
    store.commit(Transaction::new(Durability::Sync).drop(cars)).unwrap();
    assert!(!store.inner_builder().step_once().unwrap(), "nothing is left to be built");
    assert_eq!(builds(), 0);
    sound(&store, "dropped");
}

/// Whoever looks while an index comes and goes finds it whole or not at all.
#[test]
fn a_view_knows_only_indexes_that_are_whole_in_it() {
    const CARS: usize = 40;
    let store = still(&MemoryKv::default());
    let cars = store.ensure_collection("cars", options(&[], &[])).unwrap();
    for n in 0..CARS {
        put(&store, cars, &format!("d{n:03}"), json!({"price": 1})).unwrap();
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let lookers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let snapshot = store.snapshot().unwrap();
                        let known = snapshot.catalog().by_id(cars).unwrap();
                        for index in known.indexes().iter().filter(|index| index.is_readable()) {
                            assert_eq!(snapshot.index_ids(index, &index.prefix(&[])).unwrap().len(), CARS);
                            seen += 1;
                        }
                    }
                    seen
                })
            })
            .collect();
        for _ in 0..300 {
            store.alter(cars, options(&[], &["price".into()])).unwrap();
            assert!(store.build_indexes().unwrap());
            store.alter(cars, options(&[], &[])).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let seen: usize = lookers.into_iter().map(|looker| looker.join().unwrap()).sum();
        assert!(seen > 0, "nobody came while there was an index");
    });
}
