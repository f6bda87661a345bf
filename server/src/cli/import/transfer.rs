//! Moves the rows: one reader, a few senders, and the count of what is done.
//!
//! Batches are acknowledged in any order and counted in the order of the file, so the stored state always says
//! "everything before this row". Fixes go one batch at a time: their order is their meaning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::batch::{Batch, Packer};
use super::delivery::{Delivery, Done};
use super::mapping::Mapping;
use super::rejects::Rejects;
use super::source::Source;
use super::state::State;
use crate::cli::outcome::Failure;
use crate::cli::output::Output;
use crate::cli::progress::{Progress, Unit};
use crate::cli::reach::Reach;

/// Requests in flight.
const SENDERS: usize = 4;
/// Batches that may wait for a sender.
const WAITING_MAX: usize = 4;

/// One import.
pub(crate) struct Transfer<'a> {
    pub(crate) reach: &'a Reach,
    pub(crate) mapping: &'a Mapping,
    pub(crate) collection: &'a str,
    pub(crate) file: &'a Path,
    pub(crate) output: &'a Output,
}

impl Transfer<'_> {
    /// Sends what follows `state`; the state at the end, and where the rejected rows are.
    ///
    /// # Errors
    /// As `Delivery::deliver`; also when the file cannot be read to its end or the state cannot be stored.
    pub(crate) fn run(
        &self,
        source: Source,
        state: State,
        place: &Path,
    ) -> Result<(State, PathBuf), Failure> {
        let rejects = Rejects::open(self.file, state.rejects_bytes)?;
        let progress = Progress::new(self.output, "import", Unit::Bytes, source.bytes());
        progress.at(state.mark.bytes);
        let senders = if self.collection == "positions" { 1 } else { SENDERS };
        let stop = AtomicBool::new(false);
        let deliveries = (0..senders).map(|_| {
            let wire = Box::new(self.reach.client()?);
            Ok(Delivery { wire, collection: self.collection, stop: &stop })
        });
        let deliveries = deliveries.collect::<Result<Vec<_>, Failure>>()?;
        let from = state.mark;
        let mut count = Count { state, rejects, place, waiting: BTreeMap::new(), next: 0, progress };
        let outcome = thread::scope(|scope| {
            let (batches, work) = bounded::<Batch>(WAITING_MAX);
            let (answers, done) = bounded::<Result<Done, Failure>>(WAITING_MAX);
            for delivery in deliveries {
                let (work, answers) = (work.clone(), answers.clone());
                scope.spawn(move || send(&delivery, &work, &answers));
            }
            // The channels end with their last holder.
            drop((work, answers));
            let stop = &stop;
            let reader = scope.spawn(move || self.read(source, from, stop, &batches));
            let counted = count.all(&done, stop);
            let read =
                reader.join().unwrap_or_else(|_| Err(Failure::error("the reader of the file panicked")));
            counted.and(read)
        });
        outcome?;
        Ok((count.state, count.rejects.path().to_owned()))
    }

    fn read(
        &self,
        source: Source,
        from: super::row::Mark,
        stop: &AtomicBool,
        batches: &Sender<Batch>,
    ) -> Result<(), Failure> {
        let file_name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut packer = Packer::new(self.mapping, &file_name, self.collection != "positions");
        let read = source.read(from, &mut |row| match packer.add(row) {
            Some(full) => !stop.load(Ordering::Relaxed) && batches.send(full).is_ok(),
            None => true,
        });
        if let Some(last) = packer.take().filter(|_| !stop.load(Ordering::Relaxed)) {
            // Nobody takes it any more after a failure, which is told elsewhere.
            let _ = batches.send(last);
        }
        read
    }
}

fn send(delivery: &Delivery<'_>, work: &Receiver<Batch>, answers: &Sender<Result<Done, Failure>>) {
    for batch in work {
        let answer = if delivery.stop.load(Ordering::Relaxed) { continue } else { delivery.deliver(batch) };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

/// Puts acknowledged batches into the order of the file and stores how far they reach.
struct Count<'a> {
    state: State,
    rejects: Rejects,
    place: &'a Path,
    waiting: BTreeMap<u64, Done>,
    next: u64,
    progress: Progress,
}

impl Count<'_> {
    /// Until the last sender has gone; the first failure, and nothing is sent after it.
    fn all(&mut self, done: &Receiver<Result<Done, Failure>>, stop: &AtomicBool) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for answer in done {
            let counted = answer.and_then(|done| self.add(done));
            if let Err(failure) = counted {
                stop.store(true, Ordering::Relaxed);
                outcome = outcome.and(Err(failure));
            }
        }
        outcome
    }

    fn add(&mut self, done: Done) -> Result<(), Failure> {
        self.waiting.insert(done.number, done);
        while let Some(done) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.rejects.add(&done.rejects)?;
            self.state.mark = done.after;
            self.state.imported += done.imported;
            self.state.rejected += done.rejects.len() as u64;
            self.state.rejects_bytes = self.rejects.bytes();
            self.state.save(self.place)?;
            self.progress.at(done.after.bytes);
            if self.state.rejected > 0 {
                self.progress.say(format!("{} rejected", self.state.rejected));
            }
        }
        Ok(())
    }
}
