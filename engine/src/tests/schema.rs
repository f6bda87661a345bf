//! Schemas that are upgraded while documents are written: every reading shows the newest shape, every index is of it, and
//! what is stored stays as it was written.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::backup::rewind::rewind;
use crate::codec::{envelope, key};
use crate::kv::Kv;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::tests::faults::seed;
use crate::{read, schema, *};

fn still(kv: Arc<dyn Kv>) -> Store {
    let clock = Arc::new(ManualClock::new(Millis::new(1_700_000_000_000)));
    Store::start_still(kv, clock).unwrap()
}

fn id(text: impl AsRef<str>) -> DocId {
    DocId::new(text).unwrap()
}

fn upgrade(to: u32, step: Json) -> Upgrade {
    let mut step = step;
    step["to"] = to.into();
    serde_json::from_value(step).unwrap()
}

fn options(upgrades: &[Upgrade], indexes: &[&str], unique: &[&str]) -> CollectionOptions {
    let specs = |fields: &[&str]| fields.iter().map(|field| IndexSpec::from(*field)).collect();
    CollectionOptions {
        upgrades: upgrades.to_vec(),
        indexes: specs(indexes),
        unique: specs(unique),
        ..CollectionOptions::default()
    }
}

fn write(cars: CollectionId, name: &str, body: &Json) -> Transaction {
    Transaction::new(Durability::Buffered).put(cars, id(name), Condition::Always, body.to_string())
}

fn body(document: &Document) -> Json {
    serde_json::from_slice(&document.body).unwrap()
}

fn sound(store: &Store, case: &str) {
    assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new(), "{case}");
}

/// What upgrades do, told over the paths of a body instead of its tree: `None` stands for an object.
mod paths {
    use super::*;

    type Flat = BTreeMap<String, Option<Json>>;

    fn flatten(prefix: &str, body: &Json, flat: &mut Flat) {
        for (name, value) in body.as_object().unwrap() {
            let path = format!("{prefix}{name}");
            if value.is_object() {
                flatten(&format!("{path}."), value, flat);
                flat.insert(path, None);
            } else {
                flat.insert(path, Some(value.clone()));
            }
        }
    }

    fn unflatten(flat: &Flat) -> Json {
        let mut body = json!({});
        for (path, value) in flat {
            let mut place = &mut body;
            for name in path.split('.') {
                place = place.as_object_mut().unwrap().entry(name).or_insert_with(|| json!({}));
            }
            if let Some(value) = value {
                *place = value.clone();
            }
        }
        body
    }

    fn take(flat: &mut Flat, path: &str) -> Vec<(String, Option<Json>)> {
        let within = |found: &str| found == path || found.starts_with(&format!("{path}."));
        let names: Vec<String> = flat.keys().filter(|found| within(found)).cloned().collect();
        names
            .into_iter()
            .map(|name| {
                let value = flat.remove(&name).unwrap();
                (name[path.len()..].to_owned(), value)
            })
            .collect()
    }

    fn put(flat: &mut Flat, path: &str, values: &[(String, Option<Json>)]) -> bool {
        let outer: Vec<String> = path.match_indices('.').map(|(at, _)| path[..at].to_owned()).collect();
        let blocked = outer.iter().any(|outer| matches!(flat.get(outer), Some(Some(_))));
        if blocked || flat.contains_key(path) {
            return false;
        }
        flat.extend(outer.into_iter().map(|outer| (outer, None)));
        flat.extend(values.iter().map(|(rest, value)| (format!("{path}{rest}"), value.clone())));
        true
    }

    pub(super) fn raised(upgrades: &[Upgrade], body: &Json) -> Json {
        let mut flat = Flat::new();
        flatten("", body, &mut flat);
        for upgrade in upgrades {
            for (from, to) in &upgrade.rename {
                let values = take(&mut flat, from);
                if !values.is_empty() && !put(&mut flat, to, &values) {
                    assert!(put(&mut flat, from, &values));
                }
            }
            for path in &upgrade.remove {
                take(&mut flat, path);
            }
            for (path, conversion) in &upgrade.convert {
                let Some(Some(value)) = flat.get_mut(path) else { continue };
                assert_eq!(*conversion, Conversion::Number);
                if let Some(number) = value.as_str().and_then(|text| text.parse::<i64>().ok()) {
                    *value = number.into();
                }
            }
            for (path, value) in &upgrade.default {
                let Json::Object(_) = value else {
                    put(&mut flat, path, &[(String::new(), Some(value.clone()))]);
                    continue;
                };
                put(&mut flat, path, &[(String::new(), None)]);
            }
        }
        unflatten(&flat)
    }
}

const PATHS: [&str; 7] = ["a", "b", "c", "n", "n.a", "n.b", "m.a"];

fn some_body(dice: &mut fastrand::Rng) -> Json {
    let value = |dice: &mut fastrand::Rng| match dice.u8(..4) {
        0 => json!(dice.u8(..5)),
        1 => json!(dice.u8(..5).to_string()),
        2 => json!("x"),
        _ => json!(null),
    };
    let mut body = Map::new();
    for name in ["a", "b", "c"] {
        if dice.bool() {
            body.insert(name.to_owned(), value(dice));
        }
    }
    match dice.u8(..4) {
        0 => drop(body.insert("n".to_owned(), value(dice))),
        1 => drop(body.insert("n".to_owned(), json!({"a": value(dice), "b": value(dice)}))),
        2 => drop(body.insert("n".to_owned(), json!({"b": value(dice)}))),
        _ => {}
    }
    Json::Object(body)
}

fn some_upgrade(to: u32, dice: &mut fastrand::Rng) -> Upgrade {
    loop {
        let mut upgrade = Upgrade { to, ..Upgrade::default() };
        let path = |dice: &mut fastrand::Rng| PATHS[dice.usize(..PATHS.len())].to_owned();
        for _ in 0..dice.u8(1..3) {
            match dice.u8(..5) {
                0 | 1 => upgrade.rename.push((path(dice), path(dice))),
                2 => upgrade.remove.push(path(dice)),
                3 => upgrade.convert.push((path(dice), Conversion::Number)),
                _ => upgrade.default.push((path(dice), if dice.bool() { json!(7) } else { json!({}) })),
            }
        }
        let mut all: Vec<Upgrade> = (2..to).map(|to| self::upgrade(to, json!({"remove": ["x"]}))).collect();
        all.push(upgrade.clone());
        if Upgrade::check_all(&all).is_ok() {
            return upgrade;
        }
    }
}

/// Every version there was: by document the sequence, the version of the schema and the body as written.
type Written = BTreeMap<String, Vec<(Seq, u32, Option<Json>)>>;

struct World {
    kv: Arc<dyn Kv>,
    store: Store,
    cars: CollectionId,
    upgrades: Vec<Upgrade>,
    written: Written,
    case: String,
}

const INDEXES: [&str; 4] = ["a", "b", "n.a", "c,n"];

impl World {
    fn new(kv: Arc<dyn Kv>, case: String) -> Self {
        let store = still(Arc::clone(&kv));
        let cars = store.ensure_collection("cars", options(&[], &INDEXES, &[])).unwrap();
        Self { kv, store, cars, upgrades: Vec::new(), written: Written::new(), case }
    }

    fn newest(&self) -> u32 {
        self.upgrades.len() as u32 + 1
    }

    fn write(&mut self, name: &str, dice: &mut fastrand::Rng) {
        let versions = self.written.entry(name.to_owned()).or_default();
        let lives = versions.last().is_some_and(|(_, _, body)| body.is_some());
        if lives && dice.u8(..5) == 0 {
            let delete = Transaction::new(Durability::Buffered);
            let receipt = self.store.commit(delete.delete(self.cars, id(name), Condition::Always)).unwrap();
            versions.push((receipt.seqs[0], 1, None));
            return;
        }
        // Now and then somebody writes what was made before the last upgrades.
        let newest = self.upgrades.len() as u32 + 1;
        let schema = if dice.u8(..4) == 0 { dice.u32(1..=newest) } else { newest };
        let body = some_body(dice);
        let put = write(self.cars, name, &body);
        let put = if schema < newest { put.of_schema(schema) } else { put };
        let receipt = self.store.commit(put).unwrap();
        versions.push((receipt.seqs[0], schema, Some(body)));
    }

    fn upgrade(&mut self, dice: &mut fastrand::Rng) {
        self.upgrades.push(some_upgrade(self.newest() + 1, dice));
        self.store.alter(self.cars, options(&self.upgrades, &INDEXES, &[])).unwrap();
    }

    fn reopen(&mut self) {
        self.store.close();
        self.store = still(Arc::clone(&self.kv));
    }

    fn shown(&self, schema: u32, body: &Json) -> Json {
        paths::raised(&self.upgrades[schema as usize - 1..], body)
    }

    /// What was to be seen of a document after a record.
    fn seen(&self, name: &str, seq: Seq) -> Option<Json> {
        let versions = self.written[name].iter();
        let (_, schema, body) = versions.rev().find(|(written, ..)| *written <= seq)?;
        body.as_ref().map(|body| self.shown(*schema, body))
    }

    fn compare(&self) {
        let (store, cars, case) = (&self.store, self.cars, &self.case);
        let snapshot = store.snapshot().unwrap();
        for (name, versions) in &self.written {
            let now = self.seen(name, snapshot.tail().seq);
            let found = store.get(cars, name).unwrap();
            assert_eq!(found.as_ref().map(body), now, "{case}: {name}");
            assert!(found.is_none_or(|found| found.schema_version() == self.newest()));
            assert_eq!(snapshot.get(cars, name).unwrap().as_ref().map(body), now, "{case}: {name}");
            let all = store.versions(cars, name, 1_000).unwrap();
            assert_eq!(all.len(), versions.len(), "{case}: {name}");
            for (found, (seq, schema, written)) in all.iter().rev().zip(versions) {
                let shown = written.as_ref().map(|written| self.shown(*schema, written));
                assert_eq!((!found.deleted).then(|| body(found)), shown, "{case}: {name} {seq}");
                assert_eq!(found.upgraded, shown.is_some() && *schema < self.newest());
                assert_eq!(store.version(cars, name, *seq).unwrap().as_ref(), Some(found));
                // What is stored is what was written.
                let stored = read::version(&*self.kv, cars, name, *seq).unwrap().unwrap();
                let text = written.as_ref().map(Json::to_string).unwrap_or_default();
                assert_eq!((&stored.body[..], stored.upgraded), (text.as_bytes(), false));
            }
        }
        let mut listed = BTreeMap::new();
        let list = |document: Document| {
            listed.insert(document.id.to_string(), body(&document));
            ControlFlow::Continue(())
        };
        snapshot.scan(cars, None, false, list).unwrap();
        let seen = |seq| {
            let names = self.written.keys();
            names.filter_map(move |name| Some((name.clone(), self.seen(name, seq)?)))
        };
        assert_eq!(listed, seen(snapshot.tail().seq).collect(), "{case}: list");
        let seqs: BTreeSet<Seq> = self.written.values().flatten().map(|(seq, ..)| *seq).collect();
        for seq in seqs.iter().rev().take(5) {
            let moment = snapshot.moment(*seq).unwrap();
            let mut past = BTreeMap::new();
            let list = |document: Document| {
                past.insert(document.id.to_string(), body(&document));
                ControlFlow::Continue(())
            };
            snapshot.scan_at(cars, moment, list).unwrap();
            assert_eq!(past, seen(*seq).collect(), "{case}: as of {seq}");
        }
    }

    /// Every index is whole, and finds what a look through all documents finds.
    fn compare_indexes(&self) {
        assert!(self.store.build_indexes().unwrap(), "{}", self.case);
        sound(&self.store, &self.case);
        let snapshot = self.store.snapshot().unwrap();
        for path in ["a", "b", "n.a"] {
            for value in [json!(0), json!(3), json!("3"), json!("x"), json!(7)] {
                let mut wanted = Vec::new();
                let look = |document: Document| {
                    let body = body(&document);
                    let found = path.split('.').try_fold(&body, |value, name| value.get(name));
                    if found == Some(&value) {
                        wanted.push(document.id);
                    }
                    ControlFlow::Continue(())
                };
                snapshot.scan(self.cars, None, false, look).unwrap();
                let found = self.store.lookup(self.cars, path, std::slice::from_ref(&value)).unwrap();
                assert_eq!(found, wanted, "{}: {path} = {value}", self.case);
            }
        }
    }
}

fn run(kv: Arc<dyn Kv>, dice: &mut fastrand::Rng, case: String, rounds: u32, documents: u32) {
    let mut world = World::new(kv, case);
    for _ in 0..rounds {
        for _ in 0..dice.u32(..documents) {
            world.write(&format!("d{:03}", dice.u32(..documents)), dice);
        }
        match dice.u8(..4) {
            0 => world.reopen(),
            1 => drop(world.store.inner_builder().step_once().unwrap()),
            2 => world.compare_indexes(),
            _ => world.upgrade(dice),
        }
        sound(&world.store, &world.case);
        world.compare();
    }
    world.compare_indexes();
    world.reopen();
    world.compare();
}

#[test]
fn random_upgrades_agree_with_the_reference() {
    let seed = seed("upgrades over memory");
    let mut dice = fastrand::Rng::with_seed(seed);
    for round in 0..150 {
        let kv = Arc::new(MemoryKv::default());
        run(kv, &mut dice, format!("seed {seed} round {round}"), 12, 12);
    }
}

#[test]
fn random_upgrades_agree_over_rocksdb() {
    let seed = seed("upgrades over rocksdb");
    let mut dice = fastrand::Rng::with_seed(seed);
    for round in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let kv = RocksKv::open(
            dir.path(),
            RocksOptions { cache_bytes: 8 << 20, memtable_bytes: 8 << 20, tuning: Tuning::SHIPPED },
        );
        run(Arc::new(kv.unwrap()), &mut dice, format!("seed {seed} round {round}"), 20, 400);
    }
}

/// An index that no upgrade touches stays; the others are built anew, under another number.
#[test]
fn only_indexes_that_are_touched_are_built_anew() {
    let store = still(Arc::new(MemoryKv::default()));
    let indexes = ["brand", "price,brand", "at.city"];
    let cars = store.ensure_collection("cars", options(&[], &indexes, &[])).unwrap();
    store.commit(write(cars, "a", &json!({"make": "saab", "price": "7", "at": {"city": "Oslo"}}))).unwrap();
    let ids = || -> Vec<u32> {
        let catalog = store.catalog();
        let indexes = catalog.by_id(cars).unwrap().indexes();
        indexes.iter().map(|index| index.id.get()).collect()
    };
    let before = ids();
    let mut upgrades =
        vec![upgrade(2, json!({"convert": {"price": "number"}, "default": {"at.street": ""}}))];
    store.alter(cars, options(&upgrades, &indexes, &[])).unwrap();
    let after = ids();
    assert_eq!((after[0], after[2]), (before[0], before[2]));
    assert!(after[1] > before[2]);
    upgrades.push(upgrade(3, json!({"rename": {"make": "brand", "at": "place"}})));
    store.alter(cars, options(&upgrades, &indexes, &[])).unwrap();
    assert!(ids().iter().all(|id| *id > after[1]));
    assert!(store.build_indexes().unwrap());
    assert_eq!(store.lookup(cars, "price,brand", &[json!(7), json!("saab")]).unwrap(), [id("a")]);
    assert!(store.lookup(cars, "at.city", &[json!("Oslo")]).unwrap().is_empty());
    // The same again is no change.
    let before = (ids(), store.catalog().by_id(cars).unwrap().upgraded_at());
    store.alter(cars, options(&upgrades, &indexes, &[])).unwrap();
    assert_eq!((ids(), store.catalog().by_id(cars).unwrap().upgraded_at()), before);
    for wrong in [&upgrades[..1], &[upgrade(2, json!({"remove": ["price"]})), upgrades[1].clone()]] {
        let refused = store.alter(cars, options(wrong, &indexes, &[])).unwrap_err();
        let at = if wrong.len() == 1 { "upgrades.1" } else { "upgrades.0" };
        assert_eq!(refused.field().map(|(path, _)| path), Some(at), "{refused}");
    }
    sound(&store, "in the end");
}

/// Values that were different become one: the constraint waits until they are different again.
#[test]
fn a_unique_value_that_an_upgrade_gives_to_many() {
    let store = still(Arc::new(MemoryKv::default()));
    let cars = store.ensure_collection("cars", options(&[], &[], &["plate"])).unwrap();
    for (name, plate) in [("a", json!("1")), ("b", json!(1)), ("c", json!("c"))] {
        store.commit(write(cars, name, &json!({"plate": plate}))).unwrap();
    }
    let upgrades = [upgrade(2, json!({"convert": {"plate": "text"}}))];
    store.alter(cars, options(&upgrades, &[], &["plate"])).unwrap();
    assert!(!store.build_indexes().unwrap());
    let taken = store.commit(write(cars, "d", &json!({"plate": "c"}))).unwrap_err();
    assert_eq!(taken.conflict(), Some(&Conflict::Unique { index: "plate".into(), id: id("c") }));
    sound(&store, "pending");
    store.commit(write(cars, "b", &json!({"plate": "2"}))).unwrap();
    assert!(store.build_indexes().unwrap());
    assert_eq!(store.lookup(cars, "plate", &[json!("1")]).unwrap(), [id("a")]);
    sound(&store, "ready");
}

/// Writers who know the newest schema, and some who do not yet, while the schema is upgraded and indexes are built.
#[test]
fn writes_and_upgrades_at_once() {
    let store = Store::memory(Options::new()).unwrap();
    let cars = store.ensure_collection("cars", options(&[], &["n", "m"], &[])).unwrap();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..300 {
                    let name = format!("d{writer}-{}", n % 40);
                    let old = n % 3 == 0;
                    let put =
                        write(cars, &name, &if old { json!({"n": n}) } else { json!({"n": n, "new": 1}) });
                    store.commit(if old { put.of_schema(1) } else { put }).unwrap();
                    let found = store.get(cars, &name).unwrap().unwrap();
                    let found = body(&found);
                    let value = if found["m"].is_null() { &found["n"] } else { &found["m"] };
                    assert_eq!(value.to_string().trim_matches('"'), n.to_string(), "{found}");
                }
            })
        })
        .collect();
    let mut upgrades = Vec::new();
    for (to, step) in (2..).zip([
        json!({"default": {"a": 1}}),
        json!({"rename": {"n": "m"}}),
        json!({"default": {"b": 1}}),
        json!({"convert": {"m": "text"}}),
        json!({"convert": {"m": "number"}}),
    ]) {
        std::thread::sleep(std::time::Duration::from_millis(5));
        upgrades.push(upgrade(to, step));
        store.alter(cars, options(&upgrades, &["n", "m"], &[])).unwrap();
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    while !store.build_indexes().unwrap() {
        std::thread::yield_now();
    }
    sound(&store, "in the end");
    // 297, the last of the old, went to each writer's document 17.
    let found = store.lookup(cars, "m", &[json!(297)]).unwrap();
    assert_eq!(found.len(), 4);
    for id in found {
        assert_eq!(body(&store.get(cars, id.as_str()).unwrap().unwrap()), json!({"a": 1, "m": 297, "b": 1}));
    }
}

#[test]
fn versions_that_do_not_exist() {
    let kv = MemoryKv::default();
    let store = still(Arc::new(kv.clone()));
    let upgrades = [upgrade(2, json!({"default": {"a": 1}}))];
    let cars = store.ensure_collection("cars", options(&upgrades, &["a"], &[])).unwrap();
    for version in [0, 3, u32::MAX] {
        let refused = store.commit(write(cars, "a", &json!({})).of_schema(version)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    }
    store.commit(write(cars, "a", &json!({})).of_schema(1)).unwrap();
    assert_eq!(store.lookup(cars, "a", &[json!(1)]).unwrap(), [id("a")]);
    // A body of a schema that nobody has declared is damage, and never guessed at.
    let head = read::head(&kv, cars, "a").unwrap().unwrap();
    let head = Document { schema: 3, ..head };
    let value = [&envelope::encode_head(&head).unwrap()[..], &head.body].concat();
    let mut batch = Batch::default();
    batch.put(Family::Heads, &key::head(cars, "a"), &value);
    kv.write(&batch, true).unwrap();
    for found in [store.get(cars, "a").map(drop), store.snapshot().unwrap().get(cars, "a").map(drop)] {
        let error = found.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("of schema version 3, the collection knows 2"), "{error}");
    }
    assert_eq!(store.commit(write(cars, "a", &json!({}))).unwrap_err().kind(), ErrorKind::Corrupt);
    let found = store.verify(&mut |_| ()).unwrap();
    assert!(found.iter().any(|found| found.contains("is of schema version 3")), "{found:?}");
}

/// The catalog is replaced a moment after the batch that changes it is written.
#[test]
fn a_catalog_that_is_a_moment_old() {
    let kv = MemoryKv::default();
    let store = still(Arc::new(kv.clone()));
    let cars = store.ensure_collection("cars", options(&[], &[], &[])).unwrap();
    store.commit(write(cars, "old", &json!({}))).unwrap();
    let before = store.catalog();
    let upgrades = [upgrade(2, json!({"default": {"a": 1}}))];
    store.alter(cars, options(&upgrades, &[], &[])).unwrap();
    store.commit(write(cars, "new", &json!({"b": 1}))).unwrap();
    let shown = |name: &str| {
        let head = read::head(&kv, cars, name).unwrap().unwrap();
        body(&schema::present(&kv, &before, head).unwrap())
    };
    assert_eq!((shown("old"), shown("new")), (json!({}), json!({"b": 1})));
    let head = read::head(&kv, cars, "new").unwrap().unwrap();
    store.commit(Transaction::new(Durability::Sync).drop(cars)).unwrap();
    assert_eq!(schema::present(&kv, &before, head.clone()).unwrap(), head, "of what is gone as it was");
}

/// A step back undoes writes, not definitions: what was written before an upgrade is shown by it all the same.
#[test]
fn a_step_back_over_an_upgrade() {
    let kv = MemoryKv::default();
    let store = still(Arc::new(kv.clone()));
    let cars = store.ensure_collection("cars", options(&[], &["m"], &[])).unwrap();
    let moment = store.commit(write(cars, "a", &json!({"n": 1}))).unwrap().tail.seq;
    let upgrades = [upgrade(2, json!({"rename": {"n": "m"}}))];
    store.alter(cars, options(&upgrades, &["m"], &[])).unwrap();
    store.commit(write(cars, "a", &json!({"m": 2}))).unwrap();
    store.commit(write(cars, "b", &json!({"m": 3}))).unwrap();
    assert!(store.build_indexes().unwrap());
    store.close();
    let rewound = rewind(&kv, Until::Seq(moment), &mut |_, _, _| ()).unwrap();
    assert_eq!(rewound.definitions_kept, ["cars"]);
    let store = still(Arc::new(kv));
    sound(&store, "after the step back");
    assert_eq!(body(&store.get(cars, "a").unwrap().unwrap()), json!({"m": 1}));
    assert_eq!(store.lookup(cars, "m", &[json!(1)]).unwrap(), [id("a")]);
    store.commit(write(cars, "c", &json!({"m": 1}))).unwrap();
    sound(&store, "and goes on");
}

/// Documents of older versions are told, with what could not be done to them.
#[test]
fn what_upgrades_have_left() {
    let store = still(Arc::new(MemoryKv::default()));
    let cars = store.ensure_collection("cars", options(&[], &[], &[])).unwrap();
    for (name, price) in [("a", json!("7")), ("b", json!("cheap")), ("c", json!({}))] {
        store.commit(write(cars, name, &json!({"price": price}))).unwrap();
    }
    let told = || {
        let mut told = Vec::new();
        let tell = |id: &DocId, unmet: &[Unmet]| {
            told.push(format!("{id} {}", unmet.iter().map(|unmet| &*unmet.path).collect::<String>()));
            ControlFlow::Continue(())
        };
        store.snapshot().unwrap().upgrades(cars, tell).unwrap();
        told
    };
    assert!(told().is_empty());
    let upgrades = [upgrade(2, json!({"convert": {"price": "number"}}))];
    let changed = store.changed(cars);
    store.alter(cars, options(&upgrades, &[], &[])).unwrap();
    assert!(store.changed(cars) > changed, "what was derived from the documents is not good any more");
    assert_eq!(told(), ["a ", "b price", "c price"]);
    assert_eq!(body(&store.get(cars, "b").unwrap().unwrap()), json!({"price": "cheap"}), "as it was");
    store.commit(write(cars, "b", &json!({"price": 5}))).unwrap();
    store.commit(Transaction::new(Durability::Sync).delete(cars, id("c"), Condition::Present)).unwrap();
    assert_eq!(told(), ["a "]);
}

/// A definition is durable before anybody follows it.
#[test]
fn definitions_wait_for_the_disk() {
    let store = still(Arc::new(MemoryKv::default()));
    let cars = store.ensure_collection("cars", options(&[], &[], &[])).unwrap();
    let upgrades = [upgrade(2, json!({"default": {"a": 1}}))];
    let alter = Transaction::new(Durability::Buffered).alter(cars, options(&upgrades, &[], &[]));
    let receipt = store.commit(alter).unwrap();
    assert_eq!(store.watermark().durable(), receipt.tail);
}
