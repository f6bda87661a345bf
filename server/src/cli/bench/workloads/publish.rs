//! From end to end: each step commits a document together with a job. Beside it is timed, from the moment at which the
//! step should have begun, until a reader of the log has it (`feed`), until searches see it (`search`), and until a
//! worker has completed its job (`job`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dateline_engine::{
    Ack, CollectionId, Condition, DocId, Durability, Error, Holder, LeaseRequest, LeaseTerm, NewJob, Seq,
    Tail, Transaction,
};

use super::stamps::Stamps;
use super::{End, Workload};
use crate::app::App;
use crate::cli::bench::client::Client;
use crate::cli::bench::ground::Ground;
use crate::cli::bench::parameters::Parameters;
use crate::cli::bench::recorder::Kind;
use crate::cli::bench::words::Words;

const COMMIT: usize = 0;
const FEED: usize = 1;
const SEARCH: usize = 2;
const JOB: usize = 3;
const KINDS: &[Kind] =
    &[Kind::counted("commit"), Kind::beside("feed"), Kind::beside("search"), Kind::beside("job")];
const LANE: &str = "bench";
/// Jobs of one lease.
const TOGETHER: usize = 50;
/// Commits that may wait to be found; more than that are not watched.
const WATCHED_MAX: usize = 4_096;

struct Publish {
    app: App,
    collection: CollectionId,
    words: Words,
    durability: Durability,
    value_bytes: usize,
    next: AtomicU64,
    stamps: Stamps,
    request: LeaseRequest,
    stored: crossbeam::channel::Sender<(Seq, Instant)>,
    watched: crossbeam::channel::Receiver<(Seq, Instant)>,
}

pub(super) fn make(parameters: &Parameters, ground: &Ground) -> Result<Box<dyn Workload>, Error> {
    let collection = ground.collection("bench_publish", &[], true)?;
    let (stored, watched) = crossbeam::channel::bounded(WATCHED_MAX);
    let request = LeaseRequest {
        lane: LANE.to_owned(),
        max: TOGETHER,
        term: LeaseTerm::new(Duration::from_secs(600))?,
        holder: Holder::Process,
        wait: Duration::from_millis(50),
    };
    Ok(Box::new(Publish {
        app: ground.app()?.clone(),
        collection,
        words: Words::new(),
        durability: parameters.durability.into(),
        value_bytes: parameters.value_bytes,
        next: AtomicU64::new(0),
        stamps: Stamps::new(),
        request,
        stored,
        watched,
    }))
}

impl Publish {
    /// As an event stream follows the log.
    fn read(&self, client: &mut Client, end: &End) -> Result<(), Error> {
        let store = self.app.store();
        let mut at = store.feed().head();
        loop {
            let last = end.has_come();
            let changes = store.feed().changes(at, 1_000)?;
            for change in changes.iter().filter(|change| change.collection == self.collection) {
                let began = change.id.as_str().parse().ok().and_then(|number| self.stamps.get(number));
                if let Some(began) = began {
                    client.seen(FEED, began);
                }
            }
            match changes.last() {
                Some(change) => at = change.seq,
                None if last && at >= store.watermark().applied().seq => return Ok(()),
                None => {
                    let seen = Tail { seq: at, ..store.watermark().durable() };
                    store.watermark().wait_past(seen, Duration::from_millis(50));
                }
            }
        }
    }

    fn find(&self, client: &mut Client, end: &End) -> Result<(), Error> {
        loop {
            match self.watched.recv_timeout(Duration::from_millis(50)) {
                Ok((seq, intended)) => {
                    if self.app.search().wait_visible(seq, Duration::from_secs(30)) {
                        client.seen(SEARCH, intended);
                    } else if let Some(reason) = self.app.search().failed() {
                        return Err(Error::internal(format!("search has stopped: {reason}")));
                    }
                }
                Err(_) if end.has_come() => return Ok(()),
                Err(_) => {}
            }
        }
    }

    fn work(&self, client: &mut Client, end: &End) -> Result<(), Error> {
        let queue = self.app.store().queue();
        loop {
            let last = end.has_come();
            let jobs = queue.lease(&self.request)?;
            if jobs.is_empty() && last {
                return Ok(());
            }
            let numbers: Vec<Option<u64>> = jobs
                .iter()
                .map(|job| std::str::from_utf8(&job.payload).ok().and_then(|text| text.parse().ok()))
                .collect();
            let mut transaction = Transaction::new(self.durability);
            for job in jobs {
                transaction = transaction.complete(Ack { lease: job.lease, result: None });
            }
            if numbers.is_empty() {
                continue;
            }
            self.app.store().commit(transaction)?;
            for began in numbers.into_iter().flatten().filter_map(|number| self.stamps.get(number)) {
                client.seen(JOB, began);
            }
        }
    }
}

impl Workload for Publish {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn step(&self, client: &mut Client) -> Result<(), Error> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let body = self.words.body(&mut client.random, "", self.value_bytes);
        client.wrote(body.len());
        let intended = client.intended();
        self.stamps.set(number, intended);
        let transaction = Transaction::new(self.durability)
            .put(self.collection, DocId::new(format!("{number}"))?, Condition::Always, body)
            .enqueue(NewJob::new(LANE, number.to_string()));
        if let Some(receipt) = client.timed(COMMIT, || self.app.store().commit(transaction))? {
            // One that is not watched is only missing among the found.
            let _ = self.stored.try_send((receipt.tail.seq, intended));
        }
        Ok(())
    }

    fn sides(&self) -> usize {
        3
    }

    fn side(&self, client: &mut Client, end: &End) -> Result<(), Error> {
        match client.number {
            0 => self.read(client, end),
            1 => self.find(client, end),
            _ => self.work(client, end),
        }
    }
}
