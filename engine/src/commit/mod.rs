//! The way of every durable change: prepare (caller's thread) -> intake -> writer -> store.
//!
//! One writer thread takes whatever waits, plans it in order, writes one batch with one sync, moves the
//! watermark, answers. There is no artificial wait: the sync before was the wait. Because one thread
//! gives sequence numbers and commits in that order, sequence order is visibility order is log order.

pub(crate) mod decide;
mod done;
mod dropping;
pub(crate) mod group;
mod indexes;
pub(crate) mod op;
pub(crate) mod poison;
pub(crate) mod prepare;
pub(crate) mod shared;
pub(crate) mod sweep;
mod waking;
pub(crate) mod watermark;
pub(crate) mod writer;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, TrySendError, bounded};

pub(crate) use crate::commit::done::{Done, wait};
use crate::commit::op::{Receipt, Transaction};
use crate::commit::prepare::Prepared;
use crate::commit::shared::Shared;
pub(crate) use crate::commit::waking::Sleeper;
use crate::error::{Error, Result};
use crate::limits::{INTAKE_BYTES_MAX, INTAKE_TRANSACTIONS_MAX};
use crate::queue::Step;
use crate::types::Tail;

/// What the writer is asked for.
pub(crate) enum Request {
    Transaction(Box<Prepared>, Done<Receipt>),
    Queue(Box<dyn Step>),
    /// Raise the floor of the lanes to here.
    Trim(Tail, Done<()>),
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Self::Transaction(prepared, _) => prepared.bytes,
            Self::Queue(step) => step.bytes(),
            Self::Trim(..) => 0,
        }
    }

    fn refuse(self, error: Error) {
        match self {
            Self::Transaction(_, done) => done.tell(Err(error)),
            Self::Queue(step) => step.refuse(error),
            Self::Trim(_, done) => done.tell(Err(error)),
        }
    }
}

/// Asks the writer for something on the engine's own behalf, and waits.
pub(crate) fn commit_prepared(
    shared: &Shared,
    committer: &Committer,
    transaction: Transaction,
) -> Result<Receipt> {
    let prepared = prepare::prepare(&shared.catalog.load(), transaction)?;
    wait(|done| committer.submit(Request::Transaction(Box::new(prepared), done)))
}

/// The bounded door to the writer. Closing it lets the writer finish what is inside, and nothing more comes in.
pub(crate) struct Committer {
    intake: RwLock<Option<Sender<Request>>>,
    waiting_bytes: Arc<AtomicUsize>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    pub(crate) fn start(writer: impl FnOnce(writer::Intake) + Send + 'static) -> Result<Self> {
        let (intake, requests) = bounded(INTAKE_TRANSACTIONS_MAX);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let taken = writer::Intake { requests, waiting_bytes: Arc::clone(&waiting_bytes) };
        let thread = std::thread::Builder::new()
            .name("dateline-writer".to_owned())
            .spawn(move || writer(taken))
            .map_err(|e| Error::unavailable(format!("cannot start the writer thread: {e}")))?;
        let intake = RwLock::new(Some(intake));
        Ok(Self { intake, waiting_bytes, thread: Mutex::new(Some(thread)) })
    }

    /// Never blocks; a full intake is answered `Busy`.
    pub(crate) fn submit(&self, request: Request) {
        let bytes = request.bytes();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        if waiting + bytes > INTAKE_BYTES_MAX {
            self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            return request.refuse(Error::busy("too many bytes wait to be written; try again"));
        }
        let intake = self.intake.read().unwrap_or_else(PoisonError::into_inner);
        let sent = match &*intake {
            Some(intake) => intake.try_send(request),
            None => Err(TrySendError::Disconnected(request)),
        };
        drop(intake);
        if let Err(refused) = sent {
            self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            match refused {
                TrySendError::Full(request) => {
                    request.refuse(Error::busy("too many writes wait; try again"));
                }
                TrySendError::Disconnected(request) => {
                    request.refuse(Error::unavailable("the store is closed"));
                }
            }
        }
    }

    /// Requests that wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.intake.read().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Sender::len)
    }

    /// Lets the writer answer everything that waits, then ends it. On the writer's own thread, where the last
    /// owner of a store may be dropped, it does not wait for that end and answers false.
    pub(crate) fn stop(&self) -> bool {
        drop(self.intake.write().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return true };
        if thread.thread().id() == std::thread::current().id() {
            return false;
        }
        if thread.join().is_err() {
            tracing::error!("the writer thread ended by a panic");
        }
        true
    }
}
