//! What one writer sent and what became of it, for a program that may die at any moment.
//!
//! Every write is noted as pending before it is sent. An answer settles it; without one the old and the new state are
//! both right, and the next look decides. Invariant: at most one write of a ledger is pending, so its documents are
//! always either exactly known or one of two.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::client::{Client, Lost, Reply};
use crate::tracks::{millis, time_text};

/// Collection and id.
pub(crate) type Key = (&'static str, String);

/// A document that was acknowledged.
#[derive(Clone, Debug, PartialEq)]
struct Live {
    n: u64,
    plate: String,
    etag: String,
}

/// A write under way: what each document will be if it is done.
#[derive(Clone, Debug)]
enum Pending {
    /// Number and plate.
    Put(Vec<(Key, u64, String)>),
    Delete(Key),
}

/// Writes that are in the log for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) puts: u64,
    pub(crate) deletes: u64,
    pub(crate) ads: u64,
    pub(crate) arrays: u64,
    pub(crate) refused: u64,
    /// Writes without an answer that turned out to be done, and not done.
    pub(crate) found_done: u64,
    pub(crate) found_undone: u64,
}

/// One writer's book.
pub(crate) struct Ledger {
    writer: usize,
    rng: Rng,
    documents: BTreeMap<Key, Live>,
    /// Ids that were used and must not be there.
    absent: Vec<Key>,
    pending: Option<Pending>,
    touched: Vec<Key>,
    /// Sequences of acknowledged writes.
    pub(crate) acknowledged: BTreeMap<u64, Key>,
    pub(crate) done: Done,
    count: u64,
    fix_known_ms: Option<i64>,
    fix_sent_ms: i64,
}

const CARS: &str = "cars";
const ADS: &str = "ads";
const BEGAN_MS: i64 = 1_767_225_600_000;

impl Ledger {
    pub(crate) fn new(writer: usize, seed: u64) -> Self {
        Self {
            writer,
            rng: Rng::with_seed(seed ^ (writer as u64) << 32),
            documents: BTreeMap::new(),
            absent: Vec::new(),
            pending: None,
            touched: Vec::new(),
            acknowledged: BTreeMap::new(),
            done: Done::default(),
            count: 0,
            fix_known_ms: None,
            fix_sent_ms: BEGAN_MS,
        }
    }

    /// How many live documents of a collection this writer knows.
    pub(crate) fn live(&self, collection: &str) -> u64 {
        self.documents.keys().filter(|key| key.0 == collection).count() as u64
    }

    /// Writes until the program dies.
    pub(crate) async fn write(&mut self, client: &Client) -> Lost {
        loop {
            let outcome = match self.rng.u8(0..20) {
                0..=3 => self.create(client, CARS).await,
                4 => self.create(client, ADS).await,
                5..=8 => self.patch(client).await,
                9..=10 => self.replace(client).await,
                11..=12 => self.delete(client).await,
                13..=14 => self.array(client).await,
                15 => self.broken_array(client).await,
                16 => self.stale(client).await,
                17 => self.taken_plate(client).await,
                _ => self.fixes(client).await,
            };
            if let Err(lost) = outcome {
                return lost;
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn key(&mut self, collection: &'static str) -> Key {
        let number = self.number();
        (collection, format!("w{}-{number}", self.writer))
    }

    fn body(&self, collection: &str, n: u64, plate: &str) -> Value {
        match collection {
            CARS => {
                json!({"n": n, "plate": plate, "brand": format!("brand {}", n % 7), "filler": "x".repeat(n as usize % 700)})
            }
            _ => json!({"n": n, "title": plate, "coords": [n % 80, n % 170], "price": n}),
        }
    }

    fn pick(&mut self, collection: &str) -> Option<(Key, Live)> {
        let keys: Vec<&Key> = self.documents.keys().filter(|key| key.0 == collection).collect();
        if keys.is_empty() {
            return None;
        }
        let key = keys[self.rng.usize(..keys.len())].clone();
        let live = self.documents[&key].clone();
        Some((key, live))
    }

    async fn create(&mut self, client: &Client, collection: &'static str) -> Result<(), Lost> {
        let (key, n) = (self.key(collection), self.number());
        let plate = format!("P-{}-{n}", self.writer);
        let body = self.body(collection, n, &plate);
        self.pending = Some(Pending::Put(vec![(key.clone(), n, plate)]));
        let reply = client.put_new(&path(&key), &body).attempt().await?;
        self.settle_put(&reply, 201);
        Ok(())
    }

    async fn patch(&mut self, client: &Client) -> Result<(), Lost> {
        let collection = if self.rng.u8(0..4) == 0 { ADS } else { CARS };
        let Some((key, live)) = self.pick(collection) else { return Ok(()) };
        let n = self.number();
        let moves_plate = collection == CARS && self.rng.bool();
        let plate = if moves_plate { format!("P-{}-{n}", self.writer) } else { live.plate };
        let changes = if moves_plate { json!({"n": n, "plate": plate}) } else { json!({"n": n}) };
        self.pending = Some(Pending::Put(vec![(key.clone(), n, plate)]));
        let reply = client.patch(&path(&key), &live.etag, &changes).attempt().await?;
        self.settle_put(&reply, 200);
        Ok(())
    }

    async fn replace(&mut self, client: &Client) -> Result<(), Lost> {
        let Some((key, live)) = self.pick(CARS) else { return Ok(()) };
        let n = self.number();
        let body = self.body(CARS, n, &live.plate);
        self.pending = Some(Pending::Put(vec![(key.clone(), n, live.plate)]));
        let reply = client.call("PUT", &path(&key)).json(&body).if_match(&live.etag).attempt().await?;
        self.settle_put(&reply, 200);
        Ok(())
    }

    async fn delete(&mut self, client: &Client) -> Result<(), Lost> {
        let Some((key, live)) = self.pick(CARS) else { return Ok(()) };
        self.pending = Some(Pending::Delete(key.clone()));
        let reply = client.delete(&path(&key), &live.etag).attempt().await?;
        if is_busy(&reply) {
            self.pending = None;
            return Ok(());
        }
        reply.expect(204);
        self.pending = None;
        self.removed(&key);
        Ok(())
    }

    /// Several at once, of which all are stored or none.
    async fn array(&mut self, client: &Client) -> Result<(), Lost> {
        let size = self.rng.usize(2..=8);
        let mut puts = Vec::with_capacity(size);
        for _ in 0..size {
            let (key, n) = (self.key(CARS), self.number());
            puts.push((key, n, format!("P-{}-{n}", self.writer)));
        }
        let body = self.array_body(&puts);
        self.pending = Some(Pending::Put(puts));
        let reply = client.post("/api/cars", &body).attempt().await?;
        if self.settle_put(&reply, 201) {
            self.done.arrays += 1;
        }
        Ok(())
    }

    /// The last one has a plate that is taken: none may be stored.
    async fn broken_array(&mut self, client: &Client) -> Result<(), Lost> {
        let Some((_, taken)) = self.pick(CARS) else { return Ok(()) };
        let mut puts = Vec::new();
        for _ in 0..4 {
            let (key, n) = (self.key(CARS), self.number());
            puts.push((key, n, format!("P-{}-{n}", self.writer)));
        }
        if let Some(last) = puts.last_mut() {
            last.2 = taken.plate;
        }
        let body = self.array_body(&puts);
        let keys: Vec<Key> = puts.into_iter().map(|put| put.0).collect();
        self.touched.extend(keys.iter().cloned());
        self.absent.extend(keys);
        let reply = client.post("/api/cars", &body).attempt().await?;
        self.refused(reply, 409);
        Ok(())
    }

    fn array_body(&self, puts: &[(Key, u64, String)]) -> Value {
        let one = |(key, n, plate): &(Key, u64, String)| {
            let mut body = self.body(CARS, *n, plate);
            body["_id"] = json!(key.1);
            body
        };
        puts.iter().map(one).collect()
    }

    async fn stale(&mut self, client: &Client) -> Result<(), Lost> {
        let Some((key, _)) = self.pick(CARS) else { return Ok(()) };
        self.touched.push(key.clone());
        let reply = client.patch(&path(&key), "1.0", &json!({"n": 0})).attempt().await?;
        self.refused(reply, 412);
        Ok(())
    }

    async fn taken_plate(&mut self, client: &Client) -> Result<(), Lost> {
        let Some((_, taken)) = self.pick(CARS) else { return Ok(()) };
        let key = self.key(CARS);
        let body = self.body(CARS, 0, &taken.plate);
        self.touched.push(key.clone());
        self.absent.push(key.clone());
        let reply = client.put_new(&path(&key), &body).attempt().await?;
        self.refused(reply, 409);
        Ok(())
    }

    fn refused(&mut self, reply: Reply, status: u16) {
        if !is_busy(&reply) {
            reply.expect(status);
            self.done.refused += 1;
        }
    }

    async fn fixes(&mut self, client: &Client) -> Result<(), Lost> {
        let first_ms = self.fix_sent_ms + 1000;
        let last_ms = first_ms + 9_000;
        let fix = |at_ms: i64| json!({"device": self.device(), "lon": 13.0 + (at_ms - BEGAN_MS) as f64 / 1e8, "lat": 52.0, "at": time_text(at_ms)});
        let body: Value = (first_ms..=last_ms).step_by(1000).map(fix).collect();
        self.fix_sent_ms = last_ms;
        let reply = client.post("/api/positions", &body).attempt().await?;
        if !is_busy(&reply) {
            let taken = reply.expect(202).json();
            assert_eq!(taken["accepted"], 10, "{taken}");
            self.fix_known_ms = Some(last_ms);
        }
        Ok(())
    }

    fn device(&self) -> String {
        format!("device-{}", self.writer)
    }

    /// Takes the answer to the pending put; false when nothing was done.
    fn settle_put(&mut self, reply: &Reply, status: u16) -> bool {
        let Some(Pending::Put(puts)) = self.pending.take() else { panic!("a put is pending") };
        if is_busy(reply) {
            self.absent
                .extend(puts.into_iter().map(|put| put.0).filter(|key| !self.documents.contains_key(key)));
            return false;
        }
        let answer = reply.clone().expect(status).json();
        let items = match answer.get("_items") {
            Some(items) => items.as_array().cloned().unwrap_or_default(),
            None => vec![answer],
        };
        assert_eq!(items.len(), puts.len(), "an answer for each document");
        for ((key, n, plate), item) in puts.into_iter().zip(&items) {
            assert_eq!(item["_id"], json!(key.1), "{item}");
            let etag = item["_etag"].as_str().unwrap_or_else(|| panic!("no _etag in {item}")).to_owned();
            let seq = item["_seq"].as_u64().unwrap_or_else(|| panic!("no _seq in {item}"));
            let before = self.acknowledged.insert(seq, key.clone());
            assert_eq!(before, None, "sequence {seq} was given twice");
            self.stored(key, Live { n, plate, etag });
        }
        true
    }

    fn stored(&mut self, key: Key, live: Live) {
        self.done.puts += 1;
        self.touched.push(key.clone());
        if self.documents.insert(key.clone(), live).is_none() && key.0 == ADS {
            self.done.ads += 1;
        }
    }

    fn removed(&mut self, key: &Key) {
        self.done.deletes += 1;
        self.documents.remove(key);
        self.absent.push(key.clone());
        self.touched.push(key.clone());
    }

    /// After a restart: decides what was pending, and checks every document this writer touched since the last look.
    pub(crate) async fn look(&mut self, client: &Client) {
        match self.pending.take() {
            Some(Pending::Put(puts)) => self.decide_put(client, puts).await,
            Some(Pending::Delete(key)) => match client.get(&path(&key)).reply().await.status {
                404 => {
                    self.removed(&key);
                    self.done.found_done += 1;
                }
                _ => self.done.found_undone += 1,
            },
            None => {}
        }
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort();
        touched.dedup();
        for key in &touched {
            self.check(client, key).await;
        }
        if let Some(known_ms) = self.fix_known_ms {
            let last = client.read(&format!("/api/positions/{}", self.device())).await;
            let at_ms = millis(last["at"].as_str().unwrap_or_default());
            assert!(
                (known_ms..=self.fix_sent_ms).contains(&at_ms),
                "{last}: acknowledged up to {}",
                time_text(known_ms)
            );
        }
    }

    async fn decide_put(&mut self, client: &Client, puts: Vec<(Key, u64, String)>) {
        let mut found = Vec::with_capacity(puts.len());
        for (key, n, plate) in puts {
            let reply = client.get(&path(&key)).reply().await;
            let new =
                (reply.status == 200).then(|| reply.json()).filter(|document| document["n"] == json!(n));
            found.push((key, n, plate, new));
        }
        let done = found.iter().filter(|found| found.3.is_some()).count();
        assert!(done == 0 || done == found.len(), "an array was stored in part: {found:?}");
        if done > 0 {
            self.done.found_done += 1
        } else {
            self.done.found_undone += 1
        }
        for (key, n, plate, new) in found {
            match new {
                Some(document) => {
                    let etag = document["_etag"].as_str().expect("_etag").to_owned();
                    let seq = document["_seq"].as_u64().expect("_seq");
                    self.acknowledged.insert(seq, key.clone());
                    self.stored(key, Live { n, plate, etag });
                }
                None if self.documents.contains_key(&key) => self.touched.push(key),
                None => {
                    self.touched.push(key.clone());
                    self.absent.push(key);
                }
            }
        }
    }

    async fn check(&self, client: &Client, key: &Key) {
        let reply = client.get(&path(key)).reply().await;
        match self.documents.get(key) {
            Some(live) => {
                let document = reply.expect(200).json();
                let title = if key.0 == CARS { "plate" } else { "title" };
                let got = (&document["n"], &document[title], &document["_etag"]);
                assert_eq!(
                    got,
                    (&json!(live.n), &json!(live.plate), &json!(live.etag)),
                    "{key:?}: {document}"
                );
            }
            None => assert_eq!(reply.status, 404, "{key:?} was removed or never stored: {}", reply.text()),
        }
    }

    /// Everything this writer ever stored or removed.
    pub(crate) async fn look_at_all(&mut self, client: &Client) {
        self.touched.extend(self.documents.keys().cloned());
        self.touched.extend(self.absent.iter().cloned());
        self.look(client).await;
    }
}

fn path(key: &Key) -> String {
    format!("/api/{}/{}", key.0, key.1)
}

/// Nothing was done: too much at once, or the program is about to end.
fn is_busy(reply: &Reply) -> bool {
    matches!(reply.status, 429 | 503)
}
