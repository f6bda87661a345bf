//! A mix of documents with two declared indexes: 40 % gets, 20 % creates, 25 % patches, 10 % look-ups by an index
//! with the first twenty documents, 5 % deletes.

use std::sync::atomic::{AtomicU64, Ordering};

use dateline_engine::{CollectionId, Condition, DocId, Durability, Error, Store, Transaction};
use fastrand::Rng;
use serde_json::json;

use super::Workload;
use crate::cli::bench::chooser::{Chooser, id};
use crate::cli::bench::client::Client;
use crate::cli::bench::ground::Ground;
use crate::cli::bench::parameters::Parameters;
use crate::cli::bench::recorder::Kind;
use crate::cli::bench::words::Words;

const GET: usize = 0;
const CREATE: usize = 1;
const PATCH: usize = 2;
const LIST: usize = 3;
const DELETE: usize = 4;
const KINDS: &[Kind] = &[
    Kind::counted("get"),
    Kind::counted("create"),
    Kind::counted("patch"),
    Kind::counted("list"),
    Kind::counted("delete"),
];
/// Documents of one page.
const PAGE: usize = 20;
/// Loaded documents of one brand.
const OF_BRAND: u64 = 50;

struct Documents {
    store: Store,
    collection: CollectionId,
    words: Words,
    durability: Durability,
    value_bytes: usize,
    loaded: u64,
    next: AtomicU64,
}

pub(super) fn make(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    Ok(Box::new(Documents {
        store: ground.store.clone(),
        collection: ground.collection("bench_documents", &["brand", "price"], false)?,
        words: Words::new(),
        durability: parameters.durability.into(),
        value_bytes: parameters.value_bytes,
        loaded: parameters.records,
        next: AtomicU64::new(parameters.records),
    }))
}

impl Documents {
    fn brands(&self) -> u64 {
        self.loaded.div_ceil(OF_BRAND)
    }

    fn body(&self, random: &mut Rng) -> Vec<u8> {
        let (brand, price) = (random.u64(0..self.brands()), random.u32(100..100_000));
        self.words.body(random, &format!(r#""brand":"b{brand}","price":{price},"#), self.value_bytes)
    }

    fn put(&self, number: u64, condition: Condition, client: &mut Client) -> Result<Transaction, Error> {
        let body = self.body(&mut client.random);
        client.wrote(body.len());
        Ok(Transaction::new(self.durability).put(self.collection, DocId::new(id(number))?, condition, body))
    }

    /// Another price and text for the version that is there; of a deleted document there is nothing to patch.
    fn patch(&self, number: u64, client: &mut Client) -> Result<(), Error> {
        let body = self.body(&mut client.random);
        client.wrote(body.len());
        client.timed(PATCH, || {
            let Some(found) = self.store.get(self.collection, &id(number))? else { return Ok(()) };
            let condition = Condition::Revision(found.revision());
            let transaction = Transaction::new(self.durability);
            let transaction = transaction.put(self.collection, DocId::new(id(number))?, condition, body);
            self.store.commit(transaction).map(drop)
        })?;
        Ok(())
    }

    fn list(&self, client: &mut Client) -> Result<(), Error> {
        let brand = json!(format!("b{}", client.random.u64(0..self.brands())));
        client.timed(LIST, || {
            let found = self.store.lookup(self.collection, "brand", &[brand])?;
            for id in found.iter().take(PAGE) {
                std::hint::black_box(self.store.get(self.collection, id.as_str())?);
            }
            Ok(())
        })?;
        Ok(())
    }
}

impl Workload for Documents {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn records(&self) -> u64 {
        self.loaded
    }

    fn record(&self, number: u64, transaction: Transaction) -> Result<Transaction, Error> {
        let body = self.body(&mut Rng::with_seed(number));
        Ok(transaction.put(self.collection, DocId::new(id(number))?, Condition::Always, body))
    }

    fn step(&self, client: &mut Client) -> Result<(), Error> {
        let count = self.next.load(Ordering::Relaxed);
        let number = Chooser::Uniform.choose(&mut client.random, count);
        match client.random.u8(0..100) {
            0..40 => client.timed(GET, || self.store.get(self.collection, &id(number))).map(drop),
            40..60 => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let transaction = self.put(number, Condition::Absent, client)?;
                client.timed(CREATE, || self.store.commit(transaction)).map(drop)
            }
            60..85 => self.patch(number, client),
            85..95 => self.list(client),
            _ => {
                let transaction = Transaction::new(self.durability);
                // Whether it is there or was deleted before.
                let transaction =
                    transaction.delete(self.collection, DocId::new(id(number))?, Condition::Always);
                client.timed(DELETE, || self.store.commit(transaction)).map(drop)
            }
        }
    }
}
