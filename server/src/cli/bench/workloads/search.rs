//! Full text: 90 % of the steps are queries of one or two words with ten hits; 10 % write a document. `found` is the time from the
//! moment at which a write should have begun until searches see it, where somebody asks for it (`min_seq`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dateline_engine::{CollectionId, Condition, DocId, Durability, Error, Seq, Transaction};
use dateline_index::{DefaultOperator, SearchRequest};

use super::{End, Workload};
use crate::app::App;
use crate::cli::bench::chooser::id;
use crate::cli::bench::client::Client;
use crate::cli::bench::ground::Ground;
use crate::cli::bench::parameters::Parameters;
use crate::cli::bench::recorder::Kind;
use crate::cli::bench::words::Words;

const QUERY: usize = 0;
const WRITE: usize = 1;
const FOUND: usize = 2;
const KINDS: &[Kind] = &[Kind::counted("query"), Kind::counted("write"), Kind::beside("found")];
const COLLECTION: &str = "bench_search";
/// Writes that may wait to be found; more than that are not watched.
const WATCHED_MAX: usize = 4_096;

struct Search {
    app: App,
    collection: CollectionId,
    words: Words,
    durability: Durability,
    value_bytes: usize,
    loaded: u64,
    next: AtomicU64,
    stored: crossbeam::channel::Sender<(Seq, Instant)>,
    watched: crossbeam::channel::Receiver<(Seq, Instant)>,
}

pub(super) fn make(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    let (stored, watched) = crossbeam::channel::bounded(WATCHED_MAX);
    Ok(Box::new(Search {
        app: ground.app()?.clone(),
        collection: ground.collection(COLLECTION, &[], true)?,
        words: Words::new(),
        durability: parameters.durability.into(),
        value_bytes: parameters.value_bytes,
        loaded: parameters.records,
        next: AtomicU64::new(parameters.records),
        stored,
        watched,
    }))
}

impl Search {
    fn query(&self, client: &mut Client) -> Result<(), Error> {
        let mut q = self.words.word(&mut client.random).to_owned();
        if client.random.bool() {
            q.push(' ');
            q.push_str(self.words.word(&mut client.random));
        }
        let request = SearchRequest {
            collection: COLLECTION.to_owned(),
            q,
            default_operator: DefaultOperator::And,
            offset: 0,
            limit: 10,
            min_seq: None,
            deadline: Duration::from_secs(5),
        };
        client.timed(QUERY, || self.app.search().search(&request)).map(drop)
    }

    fn write(&self, client: &mut Client) -> Result<(), Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let body = self.words.body(&mut client.random, "", self.value_bytes);
        client.wrote(body.len());
        let document = DocId::new(id(number))?;
        let transaction =
            Transaction::new(self.durability).put(self.collection, document, Condition::Absent, body);
        let intended = client.intended();
        if let Some(receipt) = client.timed(WRITE, || self.app.store().commit(transaction))? {
            // One that is not watched is only missing among the found.
            let _ = self.stored.try_send((receipt.tail.seq, intended));
        }
        Ok(())
    }
}

impl Workload for Search {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn records(&self) -> u64 {
        self.loaded
    }

    fn record(&self, number: u64, transaction: Transaction) -> Result<Transaction, Error> {
        let body = self.words.body(&mut fastrand::Rng::with_seed(number), "", self.value_bytes);
        Ok(transaction.put(self.collection, DocId::new(id(number))?, Condition::Always, body))
    }

    fn loaded(&self) -> Result<(), Error> {
        let head = self.app.store().feed().head();
        while !self.app.search().wait_visible(head, Duration::from_secs(10)) {
            if let Some(reason) = self.app.search().failed() {
                return Err(Error::internal(format!("search has stopped: {reason}")));
            }
        }
        Ok(())
    }

    fn step(&self, client: &mut Client) -> Result<(), Error> {
        if client.random.u8(0..10) > 0 { self.query(client) } else { self.write(client) }
    }

    fn sides(&self) -> usize {
        1
    }

    fn side(&self, client: &mut Client, end: &End) -> Result<(), Error> {
        loop {
            match self.watched.recv_timeout(Duration::from_millis(50)) {
                Ok((seq, intended)) => {
                    if self.app.search().wait_visible(seq, Duration::from_secs(30)) {
                        client.seen(FOUND, intended);
                    } else if let Some(reason) = self.app.search().failed() {
                        return Err(Error::internal(format!("search has stopped: {reason}")));
                    }
                }
                Err(_) if end.has_come() => return Ok(()),
                Err(_) => {}
            }
        }
    }
}
