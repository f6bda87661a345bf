//! One thread of a workload, with its own random numbers and records.

use std::time::Instant;

use dateline_engine::{Error, ErrorKind};
use fastrand::Rng;

use super::recorder::Recorder;

/// One thread of a workload.
pub(crate) struct Client {
    /// From 0 on; clients and readers are counted apart.
    pub(crate) number: usize,
    pub(crate) random: Rng,
    pub(crate) recorder: Recorder,
    /// When the step in hand should have begun, until its first operation has taken it.
    intended: Option<Instant>,
}

impl Client {
    /// The same seed and number make the same choices.
    pub(crate) fn new(number: usize, seed: u64, recorder: Recorder) -> Self {
        let number_64 = u64::try_from(number).unwrap_or(u64::MAX);
        let random = Rng::with_seed(super::chooser::mix(seed ^ super::chooser::mix(number_64)));
        Self { number, random, recorder, intended: None }
    }

    /// A step begins, or should have.
    pub(crate) fn begin(&mut self, intended: Instant) {
        self.intended = Some(intended);
    }

    /// When the step in hand should have begun.
    pub(crate) fn intended(&self) -> Instant {
        self.intended.unwrap_or_else(Instant::now)
    }

    /// Does and times one operation. The first one of a step is late from when the step should have begun. `None`
    /// when it was refused in a way that belongs to the work: by a conflict, or because too much waits.
    ///
    /// # Errors
    /// Any other error, which ends the run.
    pub(crate) fn timed<T>(
        &mut self,
        kind: usize,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let began = Instant::now();
        let intended = self.intended.take().unwrap_or(began);
        match work() {
            Ok(done) => {
                self.recorder.done(kind, intended, began);
                Ok(Some(done))
            }
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Busy) => {
                self.recorder.failed(kind, intended, error.kind());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Times several operations as one, beside each of them.
    ///
    /// # Errors
    /// As the operations.
    pub(crate) fn cycle(
        &mut self,
        kind: usize,
        work: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let began = Instant::now();
        let intended = self.intended.unwrap_or(began);
        work(self)?;
        self.recorder.done(kind, intended, began);
        Ok(())
    }

    /// Something that began elsewhere, at `since`, is done now.
    pub(crate) fn seen(&mut self, kind: usize, since: Instant) {
        self.recorder.done(kind, since, since);
    }

    /// Bytes that a user has written.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.recorder.wrote(bytes);
    }
}
