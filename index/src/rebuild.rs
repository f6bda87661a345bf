//! Builds a new generation from the documents while the old one serves, and hands its writer over.
//!
//! All documents as of one moment of the log go in without deletes, then the log from there. When little is
//! left, the writer takes over the duty; the generation serves once it is no older than what searchers have
//! seen. A rebuild that does not come to its end leaves a directory that nothing names.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use dateline_engine::{Error, Result, Seq, Tail};
use tantivy::IndexWriter;

use crate::checkpoint::{Checkpoint, Mark};
use crate::document::Composer;
use crate::fault;
use crate::generation::{self, Generation};
use crate::limits::{COMMIT_OPS_MAX, REBUILD_THREADS_MAX, RETRY_AFTER, TAIL_RECORDS_MAX};
use crate::shared::{Duty, Shared};
use crate::writer::{self, Writer};

/// How long between two looks at whether the new generation serves.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Starts a rebuild on its own thread; its outcome comes through the channel.
pub(crate) fn start(shared: &Arc<Shared>, duty: &mut Duty, reason: &str) -> Result<Receiver<Result<()>>> {
    if duty.rebuilding {
        return Err(Error::busy("the search index is being rebuilt already"));
    }
    let (answer, outcome) = sync_channel(1);
    let (builder, shared, reason) = (shared, Arc::clone(shared), reason.to_owned());
    let thread = std::thread::Builder::new().name("dateline-rebuild".to_owned()).spawn(move || {
        tracing::info!(reason, "search index rebuild starts");
        let result = catch_unwind(AssertUnwindSafe(|| rebuild(&shared)));
        let result = result.unwrap_or_else(|_| Err(Error::internal("the rebuild panicked")));
        match &result {
            Ok(()) => shared.counters.rebuilt(),
            Err(_) if shared.is_stopping() => {}
            Err(error) => {
                tracing::error!(%error, "search index rebuild failed");
                let mut duty = shared.duty();
                duty.rebuilding = false;
                duty.hold = None;
                duty.retry_at = Some(Instant::now() + RETRY_AFTER);
            }
        }
        // Nobody listens when the rebuild was not asked for by a caller.
        let _ = answer.try_send(result);
    });
    let thread =
        thread.map_err(|error| Error::unavailable(format!("cannot start the rebuild thread: {error}")))?;
    *builder.builder.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    duty.rebuilding = true;
    Ok(outcome)
}

fn rebuild(shared: &Shared) -> Result<()> {
    let number = generation::next_number(&shared.root)?;
    // Before the snapshot is taken: the log is kept from a moment not after it.
    shared.duty().hold = Some(shared.store.watermark().durable().seq);
    let generation = Arc::new(Generation::create(&shared.root, number)?);
    let mark = fill(shared, &generation)?;
    let mut writer = Writer::open(generation, mark, shared.memory_bytes)?;
    follow_up(shared, &mut writer)?;
    hand_over(shared, writer)?;
    while shared.serving() != Some(number) {
        check_stop(shared)?;
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Indexes every document as of one moment; the record of that moment.
fn fill(shared: &Shared, generation: &Generation) -> Result<Mark> {
    let snapshot = shared.store.snapshot()?;
    let upto = snapshot.tail().seq;
    wait_durable(shared, upto)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(REBUILD_THREADS_MAX);
    let mut index: IndexWriter = generation
        .index
        .writer_with_num_threads(threads, shared.memory_bytes * threads)
        .map_err(fault::tantivy("open the writer"))?;
    for (collection, mapping) in shared.searched.all() {
        let composer = Composer { fields: generation.fields, mapping: &mapping };
        let mut outcome = Ok(());
        snapshot.scan_as_of(collection, None, upto, |document| {
            let (composed, left_out) = composer.compose(&document);
            outcome = check_stop(shared)
                .and_then(|()| index.add_document(composed).map_err(fault::tantivy("add a document")))
                .map(|_| shared.counters.operated(left_out));
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome?;
    }
    drop(snapshot);
    // At the floor the record itself is trimmed; then only its number is known.
    let mark = Mark::read(&shared.store, upto)?.unwrap_or(Mark { seq: upto, ..Mark::default() });
    let checkpoint = Checkpoint::new(&shared.store, &shared.searched, generation.number, mark);
    writer::commit(&mut index, generation, &checkpoint)?;
    Ok(mark)
}

/// A snapshot may be ahead of what survives power loss; a checkpoint never is.
fn wait_durable(shared: &Shared, seq: Seq) -> Result<()> {
    loop {
        let durable = shared.store.watermark().durable();
        if durable.seq >= seq {
            return Ok(());
        }
        check_stop(shared)?;
        let seen = Tail { seq: durable.seq, positions: durable.positions };
        shared.store.watermark().wait_past(seen, LOOK_EVERY);
    }
}

/// Takes in the log until little of it is left.
fn follow_up(shared: &Shared, writer: &mut Writer) -> Result<()> {
    loop {
        check_stop(shared)?;
        let changes = shared.store.feed().changes(writer.position(), TAIL_RECORDS_MAX)?;
        writer.take(shared.source(), &changes)?;
        while writer.refill(shared.source())? {
            check_stop(shared)?;
        }
        if changes.len() < TAIL_RECORDS_MAX {
            return Ok(());
        }
        if writer.pending() >= COMMIT_OPS_MAX {
            writer.commit(shared.source())?;
        }
    }
}

fn hand_over(shared: &Shared, writer: Writer) -> Result<()> {
    let mut duty = shared.duty();
    let old = duty.writer.replace(writer);
    duty.hold = None;
    let outcome = shared.commit(&mut duty);
    let outcome = outcome.map_err(|error| shared.failed(&mut duty, error));
    drop(duty);
    // Ends the threads of the old one, outside of the lock.
    drop(old);
    outcome
}

fn check_stop(shared: &Shared) -> Result<()> {
    if shared.is_stopping() { Err(Error::unavailable("the search index is stopping")) } else { Ok(()) }
}
