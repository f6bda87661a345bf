//! Each invariant of the stored bytes, broken on purpose: a check that notices nothing proves nothing.
//!
//! The numbers are those of `tests/README.md`. What is broken lies behind the back of an open store, row by row, with
//! right checksums where the invariant is not about them.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::codec::{change, envelope, key, unique};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::{Direction, KeyRange, Kv, KvRead};
use crate::*;

const NOW: Millis = Millis::new(1_700_000_000_000);

/// A store with rows in every family that the invariants speak of.
struct Ground {
    kv: MemoryKv,
    store: Store,
    cars: CollectionId,
}

fn id(text: &str) -> DocId {
    DocId::new(text).unwrap()
}

fn body(plate: &str) -> String {
    json!({"plate": plate, "brand": "saab"}).to_string()
}

impl Ground {
    fn new() -> Self {
        let kv = MemoryKv::default();
        let store = Store::start_still(Arc::new(kv.clone()), Arc::new(ManualClock::new(NOW))).unwrap();
        let declared = CollectionOptions {
            definition: "{}".to_owned(),
            unique: vec![vec!["plate".to_owned()].into()],
            indexes: vec![vec!["brand".to_owned()].into()],
            ..CollectionOptions::default()
        };
        let cars = store.ensure_collection("cars", declared).unwrap();
        let sync = || Transaction::new(Durability::Sync);
        for (name, plate) in [("a", "A1"), ("a", "A2"), ("b", "B"), ("a", "A3")] {
            store.commit(sync().put(cars, id(name), Condition::Always, body(plate))).unwrap();
        }
        let end = Millis::new(NOW.get() + 60_000);
        store.commit(sync().put_until(cars, id("c"), Condition::Always, body("C"), end)).unwrap();
        store.commit(sync().enqueue(NewJob::new("lane", "x")).positions("p".into())).unwrap();
        Self { kv, store, cars }
    }

    fn rows(&self, family: Family) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rows = Vec::new();
        let all = KeyRange::new([], [u8::MAX; 64]);
        self.kv
            .scan(family, &all, Direction::Forward, &mut |place, value| {
                rows.push((place.to_vec(), value.to_vec()));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        rows
    }

    fn put(&self, family: Family, place: &[u8], value: &[u8]) {
        let mut batch = Batch::default();
        batch.put(family, place, value);
        self.kv.write(&batch, true).unwrap();
    }

    fn remove(&self, family: Family, place: &[u8]) {
        let mut batch = Batch::default();
        batch.delete(family, place);
        self.kv.write(&batch, true).unwrap();
    }

    fn remove_nth(&self, family: Family, nth: usize) {
        self.remove(family, &self.rows(family)[nth].0);
    }

    fn head(&self, name: &str) -> Document {
        self.store.head(self.cars, name).unwrap().unwrap()
    }

    fn put_head(&self, head: &Document) {
        let value = [&envelope::encode_head(head).unwrap()[..], &head.body].concat();
        self.put(Family::Heads, &key::head(self.cars, head.id.as_str()), &value);
    }

    /// Changes one row in place.
    fn edit(&self, family: Family, nth: usize, edit: impl FnOnce(&mut Vec<u8>)) {
        let (place, mut value) = self.rows(family).swap_remove(nth);
        edit(&mut value);
        self.put(family, &place, &value);
    }

    fn index_entry(&self, is_unique: bool) -> (Vec<u8>, Vec<u8>) {
        self.rows(Family::Index).into_iter().find(|(_, value)| value.is_empty() != is_unique).unwrap()
    }

    fn last(&self) -> Seq {
        self.store.watermark().durable().seq
    }
}

/// What is broken, how `verify` words it, and how it is broken.
type Break = (&'static str, &'static str, fn(&Ground));

const BREAKS: &[Break] = &[
    ("I1 the first record is gone", "expected record 1, found 2", |g| g.remove_nth(Family::Log, 0)),
    ("I1 a record in the middle is gone", "expected record 3, found 4", |g| g.remove_nth(Family::Log, 2)),
    ("I1 the last record is gone", "it ends before", |g| g.remove(Family::Log, &key::log(g.last()))),
    ("I1 a record too many", "it ends before", |g| {
        let last = g.last();
        let record = g.store.feed().changes(Seq::new(last.get() - 1), 1).unwrap().remove(0);
        let mut value = Vec::new();
        change::encode(&Change { seq: last.next(), group_last: last.next(), ..record }, &mut value).unwrap();
        g.put(Family::Log, &key::log(last.next()), &value);
    }),
    ("I1 a batch of positions is gone", "positions: they end before", |g| g.remove_nth(Family::Positions, 0)),
    ("I2 a head without its record", "has no log record", |g| {
        g.remove(Family::Log, &key::log(g.head("b").seq));
    }),
    ("I2 a record about another document", "is not about document", |g| {
        let seq = g.head("b").seq;
        let record = g.store.feed().changes(Seq::new(seq.get() - 1), 1).unwrap().remove(0);
        let mut value = Vec::new();
        change::encode(&Change { id: id("z"), ..record }, &mut value).unwrap();
        g.put(Family::Log, &key::log(seq), &value);
    }),
    ("I3 a version after its head", "has no newer head", |g| {
        let (place, value) = g.rows(Family::History).remove(0);
        g.remove(Family::History, &place);
        g.put(Family::History, &key::history(g.cars, "a", Seq::new(999)), &value);
    }),
    ("I3 a version in another's place", "lies at", |g| {
        let rows = g.rows(Family::History);
        g.put(Family::History, &rows[0].0, &rows[1].1);
    }),
    ("I4 a version in the middle is gone", "is missing from its history", |g| {
        g.remove_nth(Family::History, 0)
    }),
    ("I4 the oldest version is gone", "is missing from its history", |g| g.remove_nth(Family::History, 1)),
    ("I4 a head is gone", "has no newer head", |g| g.remove(Family::Heads, &key::head(g.cars, "a"))),
    ("I5 a bit of a head", "checksum", |g| g.edit(Family::Heads, 0, |value| value[12] ^= 4)),
    ("I5 a bit of a body", "checksum", |g| g.edit(Family::History, 0, |value| value[64] ^= 4)),
    ("I5 a bit of positions", "checksum", |g| g.edit(Family::Positions, 0, |value| value[8] ^= 4)),
    ("I5 a flag nobody knows", "unknown flags", |g| {
        g.edit(Family::Heads, 0, |value| {
            value[1] |= 8;
            let crc = crc32c::crc32c_append(crc32c::crc32c(&value[..56]), &value[60..]);
            value[56..60].copy_from_slice(&crc.to_le_bytes());
        });
    }),
    ("I5 an operation nobody knows", "unknown operation", |g| g.edit(Family::Log, 1, |value| value[1] = 99)),
    ("I6 an entry is gone", "of a live document is missing", |g| {
        g.remove(Family::Index, &g.index_entry(false).0);
    }),
    ("I6 an entry too many", "belongs to no live document", |g| {
        let (mut place, value) = g.index_entry(false);
        place.push(b'x');
        g.put(Family::Index, &place, &value);
    }),
    ("I7 two heads of one key", "hold the same unique key", |g| {
        g.put_head(&Document { body: Bytes::from(body("A3")), ..g.head("b") });
    }),
    ("I7 a key without its entry", "of a live document is missing", |g| {
        g.remove(Family::Index, &g.index_entry(true).0);
    }),
    ("I7 a key that names another", "does not name its holder", |g| {
        g.put(Family::Index, &g.index_entry(true).0, &unique::encode(g.head("c").seq, &id("c")));
    }),
    ("I8 a job without its payload", "lacks its payload", |g| g.remove_nth(Family::Job, 0)),
    ("I8 a job without its state", "or its state", |g| g.remove_nth(Family::Jst, 0)),
    ("I9 an end that is not filed", "is not filed under its end", |g| g.remove_nth(Family::Expiry, 0)),
    ("I9 an end that is filed elsewhere", "which is not its end", |g| {
        let (place, value) = g.rows(Family::Expiry).remove(0);
        g.remove(Family::Expiry, &place);
        g.put(Family::Expiry, &key::due(Millis::new(NOW.get() + 1), g.cars, "c"), &value);
    }),
];

#[test]
fn each_break_of_an_invariant_is_told() {
    assert_eq!(Ground::new().store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
    for (what, word, break_it) in BREAKS {
        let ground = Ground::new();
        break_it(&ground);
        let found = ground.store.verify(&mut |_| ()).unwrap();
        assert!(found.iter().any(|difference| difference.contains(word)), "{what}: {found:#?}");
    }
}
