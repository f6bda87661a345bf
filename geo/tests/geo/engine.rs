//! A store with its matcher, and short ways to write to it and to read what was told.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use dateline_engine::{
    CollectionId, CollectionOptions, Condition, DocId, Durability, ManualClock, Millis, Options, Store, Tail,
    Transaction,
};
use dateline_geo::{Fix, Geo, GeoOptions, Point};
use serde_json::{Value, json};

use super::oracle::Place;
use super::story::{FixMore, TIME_START_MS};

pub(crate) const NOW: Millis = Millis::new(1_900_000_000_000);

pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Option<Store>,
    pub(crate) geo: Option<Geo>,
    shards: usize,
    /// Of the store: it stands still unless it is moved.
    pub(crate) clock: Arc<ManualClock>,
}

/// Conditions of equality.
pub(crate) fn equal(value: &Value) -> Result<dateline_geo::Condition, String> {
    let wanted = value.as_object().cloned().ok_or("no object")?;
    let test = move |device: &Value| wanted.iter().all(|(name, value)| device.get(name) == Some(value));
    Ok(dateline_geo::Condition::new(test))
}

impl House {
    pub(crate) fn new(shards: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Millis::new(TIME_START_MS)));
        let mut house = Self { dir, store: None, geo: None, shards, clock };
        house.open();
        house
    }

    pub(crate) fn open(&mut self) {
        let mut options = Options::new();
        (options.cache_bytes, options.memtable_bytes) = (8 << 20, 8 << 20);
        options.clock = Arc::clone(&self.clock) as Arc<dyn dateline_engine::Clock>;
        let store = Store::open(&self.dir.path().join("store"), options).unwrap();
        for name in ["ads", "adlists", "fences", "devices", "matches", "fence_events"] {
            store.ensure_collection(name, CollectionOptions::default()).unwrap();
        }
        self.store = Some(store);
        self.geo = Some(self.start_geo());
    }

    fn start_geo(&self) -> Geo {
        let options = GeoOptions {
            shards: NonZeroUsize::new(self.shards).unwrap(),
            events: Durability::Sync,
            snapshot_every: Duration::from_millis(1),
            conditions: equal,
        };
        Geo::start(self.store(), &self.geo_dir(), options).unwrap()
    }

    pub(crate) fn geo_dir(&self) -> PathBuf {
        self.dir.path().join("geo")
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn geo(&self) -> &Geo {
        self.geo.as_ref().unwrap()
    }

    /// Ends everything in good order, or as if killed; then starts again.
    pub(crate) fn restart(&mut self, in_order: bool) {
        let geo = self.geo.take().unwrap();
        if in_order {
            geo.stop();
        }
        drop(geo);
        let store = self.store.take().unwrap();
        store.close();
        drop(store);
        self.open();
    }

    /// Only the matcher goes and comes back; what is written in between waits in the log.
    pub(crate) fn restart_geo(&mut self, between: impl FnOnce(&Self)) {
        drop(self.geo.take());
        between(self);
        self.geo = Some(self.start_geo());
    }

    pub(crate) fn collection(&self, name: &str) -> CollectionId {
        self.store().catalog().by_name(name).unwrap().id
    }

    pub(crate) fn put(&self, collection: &str, id: &str, body: &Value) -> Tail {
        let transaction = Transaction::new(Durability::Sync);
        let id = DocId::new(id).unwrap();
        self.store()
            .commit(transaction.put(self.collection(collection), id, Condition::Always, body.to_string()))
            .unwrap()
            .tail
    }

    /// Deletes; a device gets its document first, because a position alone makes none.
    pub(crate) fn delete(&self, collection: &str, id: &str) -> Tail {
        let (number, name) = (self.collection(collection), DocId::new(id).unwrap());
        if collection == "devices" && self.store().get(number, id).unwrap().is_none() {
            self.put(collection, id, &json!({}));
        }
        self.store()
            .commit(Transaction::new(Durability::Sync).delete(number, name, Condition::Present))
            .unwrap()
            .tail
    }

    pub(crate) fn fixes(&self, fixes: &[Fix]) -> Tail {
        let (sender, receiver) = mpsc::channel();
        self.geo().submit(fixes, Durability::Sync, move |receipt| sender.send(receipt).unwrap());
        receiver.recv().unwrap().unwrap().tail
    }

    /// Lets time go by and the log note it.
    pub(crate) fn tick(&self, wait_ms: u64) {
        self.clock.advance_ms(wait_ms);
        self.geo().tick().unwrap();
    }

    pub(crate) fn fix(&self, device: &str, lon: f64, lat: f64, at: &str) -> Tail {
        let fix = Fix::parse(&json!({"device": device, "lon": lon, "lat": lat, "at": at}), NOW).unwrap();
        self.fixes(&[fix])
    }

    pub(crate) fn settle(&self) {
        // A tick need not be durable yet.
        let tail = self.store().watermark().applied();
        assert!(
            self.geo().wait_for(tail, Duration::from_secs(20)),
            "{:?}, visible {:?}",
            self.geo().failed(),
            self.geo().visible()
        );
    }

    /// What was told, in the order of the log.
    pub(crate) fn told(&self, collection: &str) -> Vec<Value> {
        let mut found = Vec::new();
        self.store()
            .snapshot()
            .unwrap()
            .scan(self.collection(collection), None, false, |document| {
                let mut body: Value = serde_json::from_slice(&document.body).unwrap();
                body["_id"] = document.id.as_str().into();
                found.push((document.seq, body));
                ControlFlow::Continue(())
            })
            .unwrap();
        found.sort_by_key(|(seq, _)| *seq);
        found.into_iter().map(|(_, body)| body).collect()
    }

    pub(crate) fn check_verify(&self) {
        let verdict = self.geo().verify().unwrap();
        assert_eq!(verdict.differences, 0, "{:?}", verdict.first);
    }
}

pub(crate) fn fix_at(device: &str, place: Place, at: u64) -> Fix {
    fix_with(device, place, at, &FixMore::default())
}

pub(crate) fn fix_with(device: &str, place: Place, at: u64, more: &FixMore) -> Fix {
    let point = Point::new(place.0 as f64 / 1e7, place.1 as f64 / 1e7).unwrap();
    Fix {
        device: DocId::new(device).unwrap(),
        point,
        at: Millis::new(at),
        speed: None,
        heading: None,
        accuracy: more.accuracy.map(f64::from),
        altitude: more.altitude.map(f64::from),
        ttl_s: more.ttl_s.map(u32::from),
        fields: more.kind.map(|kind| json!({"kind": format!("k{kind}")}).to_string().into()),
    }
}
