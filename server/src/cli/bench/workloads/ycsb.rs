//! YCSB A to F (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", 2010).
//!
//! A record is one document; an update writes the whole of it (`writeallfields`). A scan reads 1 to 100 documents from
//! a record on, each length as likely.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use dateline_engine::{CollectionId, Condition, DocId, Durability, Error, Store, Transaction};

use super::Workload;
use crate::cli::bench::chooser::{Chooser, Zipfian, id};
use crate::cli::bench::client::Client;
use crate::cli::bench::ground::Ground;
use crate::cli::bench::parameters::Parameters;
use crate::cli::bench::recorder::Kind;
use crate::cli::bench::words::Words;

const READ: usize = 0;
const UPDATE: usize = 1;
const INSERT: usize = 2;
const SCAN: usize = 3;
const MODIFY: usize = 4;
const KINDS: &[Kind] = &[
    Kind::counted("read"),
    Kind::counted("update"),
    Kind::counted("insert"),
    Kind::counted("scan"),
    Kind::counted("read-modify-write"),
];
/// Documents of the longest scan.
const SCAN_MAX: u64 = 100;

/// Of a hundred operations so many are of each kind, in the order of `KINDS`.
type Mix = [u8; 5];

struct Ycsb {
    store: Store,
    collection: CollectionId,
    mix: Mix,
    chooser: Chooser,
    words: Words,
    durability: Durability,
    value_bytes: usize,
    loaded: u64,
    /// Records 0 up to here exist.
    count: AtomicU64,
    /// The next one to be made.
    next: AtomicU64,
}

fn make(
    mix: Mix,
    chooser: fn(Zipfian) -> Chooser,
    parameters: &Parameters,
    ground: &Ground,
) -> Result<Box<dyn Workload>, Error> {
    Ok(Box::new(Ycsb {
        store: ground.store.clone(),
        collection: ground.collection("bench_ycsb", &[], false)?,
        mix,
        chooser: chooser(Zipfian::new(parameters.records)),
        words: Words::new(),
        durability: parameters.durability.into(),
        value_bytes: parameters.value_bytes,
        loaded: parameters.records,
        count: AtomicU64::new(parameters.records),
        next: AtomicU64::new(parameters.records),
    }))
}

pub(super) fn a(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    make([50, 50, 0, 0, 0], Chooser::Scrambled, parameters, ground)
}

pub(super) fn b(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    make([95, 5, 0, 0, 0], Chooser::Scrambled, parameters, ground)
}

pub(super) fn c(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    make([100, 0, 0, 0, 0], Chooser::Scrambled, parameters, ground)
}

pub(super) fn d(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    make([95, 0, 5, 0, 0], Chooser::Latest, parameters, ground)
}

pub(super) fn e(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    make([0, 0, 5, 95, 0], Chooser::Scrambled, parameters, ground)
}

pub(super) fn f(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    make([50, 0, 0, 0, 50], Chooser::Scrambled, parameters, ground)
}

impl Ycsb {
    fn put(&self, number: u64, condition: Condition, client: &mut Client) -> Result<Transaction, Error> {
        let body = self.body(number, &mut client.random);
        client.wrote(body.len());
        let id = DocId::new(id(number))?;
        Ok(Transaction::new(self.durability).put(self.collection, id, condition, body))
    }

    fn body(&self, number: u64, random: &mut fastrand::Rng) -> Vec<u8> {
        self.words.body(random, &format!(r#""n":{number},"#), self.value_bytes)
    }

    fn insert(&self, client: &mut Client) -> Result<(), Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let transaction = self.put(number, Condition::Absent, client)?;
        client.timed(INSERT, || self.store.commit(transaction))?;
        // Inserts that overtake each other leave a record unknown for a moment: reads of it find nothing.
        self.count.fetch_max(number + 1, Ordering::Relaxed);
        Ok(())
    }

    fn scan(&self, number: u64, client: &mut Client) -> Result<(), Error> {
        let (from, mut left) = (id(number), client.random.u64(1..=SCAN_MAX));
        client.timed(SCAN, || {
            self.store.snapshot()?.scan(self.collection, Some(&from), false, |document| {
                std::hint::black_box(document);
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        })?;
        Ok(())
    }

    fn modify(&self, number: u64, client: &mut Client) -> Result<(), Error> {
        let body = self.body(number, &mut client.random);
        client.wrote(body.len());
        client.timed(MODIFY, || {
            let found = self.store.get(self.collection, &id(number))?;
            let condition = found.map_or(Condition::Absent, |found| Condition::Revision(found.revision()));
            let id = DocId::new(id(number))?;
            let transaction = Transaction::new(self.durability).put(self.collection, id, condition, body);
            self.store.commit(transaction)
        })?;
        Ok(())
    }
}

impl Workload for Ycsb {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn records(&self) -> u64 {
        self.loaded
    }

    fn record(&self, number: u64, transaction: Transaction) -> Result<Transaction, Error> {
        let body = self.body(number, &mut fastrand::Rng::with_seed(number));
        Ok(transaction.put(self.collection, DocId::new(id(number))?, Condition::Always, body))
    }

    fn step(&self, client: &mut Client) -> Result<(), Error> {
        let mut draw = client.random.u8(0..100);
        let kind = self.mix.iter().position(|&share| match draw.checked_sub(share) {
            Some(rest) => {
                draw = rest;
                false
            }
            None => true,
        });
        let number = self.chooser.choose(&mut client.random, self.count.load(Ordering::Relaxed));
        match kind.unwrap_or(READ) {
            UPDATE => {
                let transaction = self.put(number, Condition::Always, client)?;
                client.timed(UPDATE, || self.store.commit(transaction)).map(drop)
            }
            INSERT => self.insert(client),
            SCAN => self.scan(number, client),
            MODIFY => self.modify(number, client),
            _ => client.timed(READ, || self.store.get(self.collection, &id(number))).map(drop),
        }
    }
}
