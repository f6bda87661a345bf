//! The follower of the log that keeps the index up with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use dateline_engine::{Change, Entry, Error, Follower, PositionSeq, Result, Tail};

use crate::limits::RETRY_AFTER;
use crate::rebuild;
use crate::shared::{Duty, Opening, Shared};

/// Runs on the thread of `dateline_engine::follow`.
pub(crate) struct Feeder {
    shared: Arc<Shared>,
}

impl Feeder {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Takes documents in anew whose schema has changed. It takes a while, so others get the lock in between.
    fn refill(&self) -> Result<()> {
        loop {
            let mut duty = self.shared.duty();
            let Some(writer) = duty.writer.as_mut().filter(|writer| writer.is_refilling()) else {
                return Ok(());
            };
            if self.shared.is_stopping() {
                return Err(Error::unavailable("the search index is stopping"));
            }
            let outcome = writer.refill(self.shared.source());
            outcome.map_err(|error| self.shared.failed(&mut duty, error))?;
            drop(duty);
            std::thread::yield_now();
        }
    }

    /// Opens a failed generation anew, or has another one built.
    fn recover(&self, duty: &mut Duty) {
        let due = duty.retry_at.is_none_or(|at| at <= Instant::now());
        if duty.rebuilding || !due || self.shared.is_stopping() {
            return;
        }
        duty.retry_at = Some(Instant::now() + RETRY_AFTER);
        let outcome = match self.shared.reopen() {
            Ok(Opening::Resumed(writer)) => {
                self.shared.resume(duty, *writer);
                Ok(())
            }
            Ok(Opening::Rebuild(reason)) => rebuild::start(&self.shared, duty, &reason).map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "search index cannot be opened");
        }
    }
}

impl Follower for Feeder {
    fn name(&self) -> &str {
        &self.shared.cursor
    }

    /// Without a writer there is nothing to keep up: as if everything had been seen.
    fn position(&self) -> Tail {
        let duty = self.shared.duty();
        let seq = match &duty.writer {
            Some(writer) => writer.position(),
            None => self.shared.store.watermark().durable().seq,
        };
        Tail { seq, positions: PositionSeq::ZERO }
    }

    fn apply(&mut self, entries: &[Entry], _through: Tail) -> Result<()> {
        let mut duty = self.shared.duty();
        let Some(writer) = &mut duty.writer else { return Ok(()) };
        let position = writer.position();
        let changes: Vec<Change> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Change(change) if change.seq > position => Some(change.clone()),
                _ => None,
            })
            .collect();
        // A rebuild may have handed over its writer since the entries were read; then they are read again.
        if changes.first().is_none_or(|first| first.seq != position.next()) {
            return Ok(());
        }
        let outcome = writer.take(self.shared.source(), &changes);
        let outcome = outcome.and_then(|()| self.shared.settle(&mut duty, false));
        outcome.map_err(|error| self.shared.failed(&mut duty, error))?;
        drop(duty);
        self.refill()
    }

    fn idle(&mut self) -> Result<()> {
        let mut duty = self.shared.duty();
        if duty.writer.is_none() {
            self.recover(&mut duty);
            return Ok(());
        }
        let outcome = self.shared.settle(&mut duty, true);
        outcome.map_err(|error| self.shared.failed(&mut duty, error))
    }

    fn stop(&mut self) -> Result<()> {
        let mut duty = self.shared.duty();
        let outcome = match &duty.writer {
            Some(writer)
                if writer.position() > writer.committed()
                    && !writer.is_refilling()
                    && !self.shared.abandoned.load(Ordering::Acquire) =>
            {
                self.shared.commit(&mut duty)
            }
            _ => Ok(()),
        };
        duty.writer = None;
        outcome
    }
}
