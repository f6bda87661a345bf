//! Fan-out: clients write documents, and readers follow the log as streams do. `visible` is the time from the moment at which a
//! write should have begun until a reader has it in hand, once for each reader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dateline_engine::{CollectionId, Condition, DocId, Durability, Error, Store, Transaction};

use super::stamps::Stamps;
use super::{End, Workload};
use crate::cli::bench::client::Client;
use crate::cli::bench::ground::Ground;
use crate::cli::bench::parameters::Parameters;
use crate::cli::bench::recorder::Kind;
use crate::cli::bench::words::Words;

const WRITE: usize = 0;
const VISIBLE: usize = 1;
const KINDS: &[Kind] = &[Kind::counted("write"), Kind::beside("visible")];
/// Records of one read.
const READ_MAX: usize = 1_000;

struct FanOut {
    store: Store,
    collection: CollectionId,
    words: Words,
    durability: Durability,
    value_bytes: usize,
    readers: usize,
    next: AtomicU64,
    stamps: Stamps,
}

pub(super) fn make(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    let collection = ground.collection("bench_feed", &[], false)?;
    Ok(Box::new(FanOut {
        store: ground.store.clone(),
        collection,
        words: Words::new(),
        durability: parameters.durability.into(),
        value_bytes: parameters.value_bytes,
        readers: parameters.readers,
        next: AtomicU64::new(0),
        stamps: Stamps::new(),
    }))
}

impl Workload for FanOut {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn step(&self, client: &mut Client) -> Result<(), Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let body = self.words.body(&mut client.random, "", self.value_bytes);
        client.wrote(body.len());
        self.stamps.set(number, client.intended());
        let id = DocId::new(format!("{number}"))?;
        let transaction = Transaction::new(self.durability).put(self.collection, id, Condition::Always, body);
        client.timed(WRITE, || self.store.commit(transaction)).map(drop)
    }

    fn sides(&self) -> usize {
        self.readers
    }

    fn side(&self, client: &mut Client, end: &End) -> Result<(), Error> {
        let mut at = self.store.feed().head();
        loop {
            // Asked before reading: all that was committed until then is read before it ends.
            let last = end.has_come();
            let changes = self.store.feed().changes(at, READ_MAX)?;
            for change in changes.iter().filter(|change| change.collection == self.collection) {
                let began = change.id.as_str().parse().ok().and_then(|number| self.stamps.get(number));
                if let Some(began) = began {
                    client.seen(VISIBLE, began);
                }
            }
            match changes.last() {
                Some(change) => at = change.seq,
                None if last && at >= self.store.watermark().applied().seq => return Ok(()),
                None => {
                    let seen = dateline_engine::Tail { seq: at, ..self.store.watermark().durable() };
                    self.store.watermark().wait_past(seen, Duration::from_millis(50));
                }
            }
        }
    }
}
