//! The single writer thread.
//!
//! Invariant: an answer is sent only after the batch that holds its effect has been written, and for a
//! `Sync` transaction synced. A failed write poisons the engine: the outcome of that group is unknown, and
//! nothing further is accepted.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::commit::group::{Group, Ledger};
use crate::commit::op::{Durability, Receipt};
use crate::commit::prepare::Prepared;
use crate::commit::shared::Shared;
use crate::commit::sweep::Sweep;
use crate::commit::waking::{Roll, Sleeper};
use crate::commit::{Done, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::feed::trim;
use crate::kv::batch::Batch;
use crate::kv::tuning::Tuning;
use crate::limits::BUFFERED_SYNC_MS_MAX;
use crate::queue::{Answer, Step};
use crate::types::{Millis, Tail};

/// The writer's end of the intake.
pub(crate) struct Intake {
    pub(crate) requests: Receiver<Request>,
    pub(crate) waiting_bytes: Arc<AtomicUsize>,
}

/// An answer that waits for its group to be written.
enum Pending {
    Transaction(Done<Receipt>, Result<Receipt>),
    Queue(Answer),
    Trim(Done<()>),
}

impl Pending {
    /// Leaves the answer; whom to wake.
    fn settle(self, written: Result<()>) -> Option<Arc<Sleeper>> {
        match self {
            Self::Transaction(done, outcome) => done.leave(written.and(outcome)),
            Self::Queue(answer) => answer(written),
            Self::Trim(done) => done.leave(written),
        }
    }
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    ledger: Ledger,
    batch: Batch,
    /// When buffered writes must have reached the disk; `None`: all have.
    sync_by: Option<Instant>,
    sweep: Sweep,
    tuning: Tuning,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, ledger: Ledger, tuning: Tuning) -> Self {
        Self { shared, ledger, batch: Batch::default(), sync_by: None, sweep: Sweep::default(), tuning }
    }

    /// Runs until told to stop; a panic poisons the engine instead of leaving callers to wait.
    pub(crate) fn run(mut self, intake: &Intake) {
        let shared = Arc::clone(&self.shared);
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| self.serve(intake)));
        if ended.is_err() {
            shared.poison.set("the writer panicked".to_owned());
            while let Ok(request) = intake.requests.recv() {
                intake.waiting_bytes.fetch_sub(request.bytes(), Ordering::AcqRel);
                if let Err(error) = shared.poison.check() {
                    request.refuse(error);
                }
            }
        }
    }

    fn serve(&mut self, intake: &Intake) {
        loop {
            let first = match intake.requests.recv_timeout(self.patience()) {
                Ok(request) => Some(request),
                Err(RecvTimeoutError::Timeout) => None,
                // The door is closed and nothing is left inside.
                Err(RecvTimeoutError::Disconnected) => return self.sync_if_due(true),
            };
            self.commit(gather(intake, first, &self.tuning));
            self.sync_if_due(false);
        }
    }

    /// How long the writer may sleep: until a buffered write must be synced or a timer fires.
    fn patience(&self) -> Duration {
        const IDLE: Duration = Duration::from_secs(3600);
        if self.shared.poison.reason().is_some() {
            return IDLE;
        }
        let sync = self.sync_by.map(|by| by.saturating_duration_since(Instant::now()));
        let timer =
            self.ledger.queue.next_due().map(|due| {
                Duration::from_millis(due.get().saturating_sub(self.shared.clock.now().get()).max(1))
            });
        [sync, timer].into_iter().flatten().min().unwrap_or(IDLE).min(IDLE)
    }

    fn commit(&mut self, requests: Vec<Request>) {
        if let Err(error) = self.shared.poison.check() {
            requests.into_iter().for_each(|request| request.refuse(error.clone()));
            return;
        }
        // Time never runs backwards within a store, whatever the machine's clock does.
        self.ledger.at = self.ledger.at.max(self.shared.clock.now());
        self.batch.clear();
        self.ledger.recorded.clear();
        let (transactions, steps, trims) = split(requests);
        let mut pending = Vec::with_capacity(transactions.len() + steps.len() + trims.len());
        // Files are given back after a trim, which must not come true before it.
        let mut sync = !trims.is_empty() || steps.iter().any(|step| step.needs_sync());
        let before = self.ledger.tail;
        // A job whose delay has passed joins its group before those enqueued now.
        self.ledger.queue.tick(self.ledger.at, &mut self.batch);
        // Old keys go before new ones come, so that a key used again stays.
        let swept = self.sweep.run(&*self.shared.kv, &self.ledger.queue, self.ledger.at, &mut self.batch);
        if let Err(error) = swept {
            // Housekeeping is tried again later; nobody's write fails for it.
            tracing::error!(%error, "old keys cannot be removed");
        }
        for (to, done) in trims {
            trim::write(&self.shared.floor, to, &mut self.batch);
            pending.push(Pending::Trim(done));
        }
        let written = self.plan(transactions, &mut pending, &mut sync);
        let written = written.and_then(|()| {
            for step in steps {
                let answer = step.run(&mut self.ledger.queue, self.ledger.at, &mut self.batch);
                pending.push(Pending::Queue(answer));
            }
            self.write(before, sync)
        });
        if let Err(error) = &written {
            // The ledger may be ahead of the store now: only a restart makes them agree again.
            self.shared.poison.set(error.to_string());
        }
        Roll::wake(pending.into_iter().filter_map(|waiting| waiting.settle(written.clone())).collect());
        let (woken, events) = (self.ledger.queue.take_woken(self.ledger.at), self.ledger.queue.take_events());
        self.shared.listeners.tell(&woken, if written.is_ok() { &events } else { &[] });
        self.shared.wakes.wake(woken);
    }

    /// Plans the transactions in order into the batch. A refused transaction is an answer; an error is a
    /// defect, found when part of a transaction may already be in the batch.
    fn plan(
        &mut self,
        transactions: Transactions,
        pending: &mut Vec<Pending>,
        sync: &mut bool,
    ) -> Result<()> {
        if transactions.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let prepared = transactions.iter().map(|(prepared, _)| &**prepared);
        let mut group = match Group::begin(&*shared.kv, &mut self.ledger, &mut self.batch, prepared) {
            Ok(group) => group,
            Err(error) => {
                transactions.into_iter().for_each(|(_, done)| done.tell(Err(error.clone())));
                return Ok(());
            }
        };
        for (prepared, done) in transactions {
            let outcome = group.add(&prepared);
            let transaction = &prepared.transaction;
            // What followers make of documents hangs on their definition: it must not be lost under them.
            let is_sync = transaction.durability == Durability::Sync || transaction.define.is_some();
            *sync |= outcome.is_ok() && is_sync;
            let defect = outcome.as_ref().err().filter(|e| e.kind() == ErrorKind::Internal).cloned();
            pending.push(Pending::Transaction(done, outcome));
            if let Some(defect) = defect {
                return Err(defect);
            }
        }
        group.finish();
        Ok(())
    }

    /// Writes the batch. With `sync` everything written so far is durable afterwards, also where this group had
    /// nothing to write: a repeated request is answered only when what it repeats is safe.
    fn write(&mut self, before: Tail, sync: bool) -> Result<()> {
        if self.batch.is_empty() {
            return if sync && self.sync_by.is_some() { self.sync() } else { Ok(()) };
        }
        let started = Instant::now();
        let defines = !Arc::ptr_eq(&self.shared.catalog.load(), &self.ledger.catalog);
        // Nobody takes a view between the two: it would know indexes that are not whole in it, or gone from it.
        let defining = defines.then(|| self.shared.defining.write().unwrap_or_else(PoisonError::into_inner));
        self.shared.kv.write(&self.batch, sync).map_err(unknown)?;
        if defines {
            self.shared.catalog.store(Arc::clone(&self.ledger.catalog));
        }
        drop(defining);
        let changes = self.ledger.tail.seq.get() - before.seq.get();
        self.shared.figures.wrote(changes, self.batch.bytes(), sync, started.elapsed());
        for (collection, seq) in self.ledger.touched.drain() {
            let place = usize::try_from(collection.get()).ok().and_then(|at| self.shared.changed.get(at));
            if let Some(place) = place {
                place.store(seq.get(), Ordering::Release);
            }
        }
        // Before the mark moves: a reader finds in the ring whatever the mark allows it.
        self.shared.ring.append(self.ledger.recorded.drain(..));
        self.shared.kept.add(std::mem::take(&mut self.ledger.kept));
        if std::mem::take(&mut self.ledger.build) {
            self.shared.building.set(Millis::ZERO);
        }
        if let Some(due) = self.ledger.due.take() {
            self.shared.alarm.set(due);
        }
        self.shared.watermark.apply(self.ledger.tail);
        if sync {
            self.sync_by = None;
            self.shared.watermark.advance();
        } else if self.sync_by.is_none() {
            self.sync_by = Some(Instant::now() + Duration::from_millis(BUFFERED_SYNC_MS_MAX));
        }
        Ok(())
    }

    fn sync_if_due(&mut self, now: bool) {
        let due = self.sync_by.is_some_and(|by| now || Instant::now() >= by);
        // After a failed write nothing more may be called durable.
        if due
            && self.shared.poison.reason().is_none()
            && let Err(error) = self.sync()
        {
            self.shared.poison.set(error.to_string());
        }
    }

    fn sync(&mut self) -> Result<()> {
        self.sync_by = None;
        let started = Instant::now();
        self.shared.kv.sync().map_err(unknown)?;
        self.shared.figures.synced(started.elapsed());
        self.shared.watermark.advance();
        Ok(())
    }
}

fn unknown(error: Error) -> Error {
    Error::unavailable(format!("the write failed and its outcome is unknown ({error})"))
}

type Transactions = Vec<(Box<Prepared>, Done<Receipt>)>;
type Trims = Vec<(Tail, Done<()>)>;

/// Transactions go first, so that a worker can lease what was enqueued in the same group.
fn split(requests: Vec<Request>) -> (Transactions, Vec<Box<dyn Step>>, Trims) {
    let (mut transactions, mut steps, mut trims) = (Vec::new(), Vec::new(), Vec::new());
    for request in requests {
        match request {
            Request::Transaction(prepared, done) => transactions.push((prepared, done)),
            Request::Queue(step) => steps.push(step),
            Request::Trim(to, done) => trims.push((to, done)),
        }
    }
    (transactions, steps, trims)
}

/// Everything that waits, up to the bounds of a group.
fn gather(intake: &Intake, first: Option<Request>, tuning: &Tuning) -> Vec<Request> {
    let mut group = Vec::new();
    let mut bytes = 0;
    let mut next = first;
    while let Some(request) = next {
        let size = request.bytes();
        intake.waiting_bytes.fetch_sub(size, Ordering::AcqRel);
        bytes += size;
        group.push(request);
        if group.len() >= tuning.group_transactions || bytes >= tuning.group_bytes {
            break;
        }
        next = intake.requests.try_recv().ok();
    }
    group
}
