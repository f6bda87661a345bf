//! The way of every durable change: prepare (caller's thread) -> intake -> writer -> store.
//!
//! One writer thread takes whatever waits, plans it in order, writes one batch with one sync, moves the
//! watermark, answers. There is no artificial wait: the sync before was the wait. Because one thread
//! gives sequence numbers and commits in that order, sequence order is visibility order is log order.

pub(crate) mod decide;
pub(crate) mod group;
pub(crate) mod op;
pub(crate) mod poison;
pub(crate) mod prepare;
pub(crate) mod shared;
pub(crate) mod watermark;
pub(crate) mod writer;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, TrySendError, bounded};

use crate::commit::op::Receipt;
use crate::commit::prepare::Prepared;
use crate::error::{Error, Result};
use crate::limits::{INTAKE_BYTES_MAX, INTAKE_TRANSACTIONS_MAX};
use crate::queue::Step;

/// Called once with the outcome, on the writer's thread unless the intake was full.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// What the writer is asked for.
pub(crate) enum Request {
    Transaction(Box<Prepared>, Done<Receipt>),
    Queue(Box<dyn Step>),
    Stop,
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Self::Transaction(prepared, _) => prepared.bytes,
            Self::Queue(_) | Self::Stop => 0,
        }
    }

    fn refuse(self, error: Error) {
        match self {
            Self::Transaction(_, done) => done(Err(error)),
            Self::Queue(step) => step.refuse(error),
            Self::Stop => {}
        }
    }
}

/// The bounded door to the writer.
pub(crate) struct Committer {
    intake: Sender<Request>,
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
        if let Err(refused) = self.intake.try_send(request) {
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
        self.intake.len()
    }

    /// Answers everything that waits, then ends the writer thread.
    pub(crate) fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // The writer always drains, so a full intake only delays this send.
        if self.intake.send(Request::Stop).is_ok() && thread.join().is_err() {
            tracing::error!("the writer thread ended by a panic");
        }
    }
}
