//! What the follower, a rebuild and the searchers share, and the moves between them.
//!
//! One lock, `duty`, guards the writer. It is taken by the follower for each step, by a rebuild to hand over its
//! writer, and by a reader who waits for a record that is taken in but not committed. Under it only the short
//! lock of `Visible` is taken. Searching takes none: it loads the view.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use dateline_engine::{Durability, Error, Result, Seq, Store, Tail, Transaction};
use tantivy::Searcher;

use crate::checkpoint::{Expected, Verdict, judge};
use crate::figures::Counters;
use crate::generation::{self, Generation};
use crate::limits::{CHECKPOINT_EVERY, CHECKPOINT_RECORDS_MAX, COMMIT_EVERY, COMMIT_OPS_MAX, RETRY_AFTER};
use crate::searched::Searched;
use crate::visible::Visible;
use crate::writer::{Source, Writer};

/// What searchers see: segments, and the record up to which they are exact.
pub(crate) struct View {
    pub(crate) generation: Arc<Generation>,
    pub(crate) searcher: Searcher,
    pub(crate) seq: Seq,
}

/// Who writes, if anyone does.
#[derive(Default)]
pub(crate) struct Duty {
    /// `None` while the first generation is built, and after a failure.
    pub(crate) writer: Option<Writer>,
    /// From the start of a rebuild until its generation serves.
    pub(crate) rebuilding: bool,
    /// The log must be kept from here for the rebuild.
    pub(crate) hold: Option<Seq>,
    /// When a failed writer or rebuild is tried again.
    pub(crate) retry_at: Option<Instant>,
}

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) root: PathBuf,
    /// Name of the durable cursor in the store that mirrors the checkpoint.
    pub(crate) cursor: String,
    pub(crate) memory_bytes: usize,
    pub(crate) searched: Searched,
    pub(crate) counters: Counters,
    pub(crate) visible: Visible,
    pub(crate) stopping: AtomicBool,
    /// Set by tests: stop as a killed process does, without a last commit.
    pub(crate) abandoned: AtomicBool,
    pub(crate) view: ArcSwapOption<View>,
    duty: Mutex<Duty>,
    /// The thread of the last rebuild.
    pub(crate) builder: Mutex<Option<JoinHandle<()>>>,
}

/// What became of the generation that served last.
pub(crate) enum Opening {
    Resumed(Box<Writer>),
    Rebuild(String),
}

impl Shared {
    pub(crate) fn new(
        store: Store,
        root: PathBuf,
        name: &str,
        memory_bytes: usize,
        searched: Searched,
    ) -> Self {
        Self {
            store,
            root,
            cursor: format!("index/{name}"),
            memory_bytes,
            searched,
            counters: Counters::default(),
            visible: Visible::default(),
            stopping: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            view: ArcSwapOption::empty(),
            duty: Mutex::default(),
            builder: Mutex::default(),
        }
    }

    pub(crate) fn duty(&self) -> MutexGuard<'_, Duty> {
        self.duty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source { store: &self.store, searched: &self.searched, counters: &self.counters }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Number of the generation that serves.
    pub(crate) fn serving(&self) -> Option<u64> {
        self.view.load().as_ref().map(|view| view.generation.number)
    }

    /// Opens the generation that served last, if the store agrees with its checkpoint.
    pub(crate) fn reopen(&self) -> Result<Opening> {
        let Some(number) = generation::current(&self.root)? else {
            return Ok(Opening::Rebuild("there is none yet".to_owned()));
        };
        // Tantivy asserts some things of its files that a damaged one does not hold.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let generation = Generation::open(&self.root, number)?;
            let checkpoint = generation.checkpoint()?;
            Ok((generation, checkpoint))
        }));
        let opened = opened.unwrap_or_else(|_| Err(Error::corrupt("opening its files panicked")));
        let (generation, checkpoint) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == dateline_engine::ErrorKind::Unavailable => return Err(error),
            Err(error) => return Ok(Opening::Rebuild(error.to_string())),
        };
        let expected = Expected::of(&checkpoint, &self.store, &self.searched, number)?;
        match judge(&checkpoint, &expected) {
            Verdict::Resume => {}
            Verdict::Rebuild(reason) => return Ok(Opening::Rebuild(reason)),
            Verdict::Future(reason) => {
                tracing::error!(reason, "the store has lost records that the search index has seen");
                return Ok(Opening::Rebuild(reason));
            }
        }
        let writer = Writer::open(Arc::new(generation), checkpoint.mark, self.memory_bytes)?;
        Ok(Opening::Resumed(Box::new(writer)))
    }

    /// Puts a writer on duty and lets its generation serve as it is.
    pub(crate) fn resume(&self, duty: &mut Duty, writer: Writer) {
        let searcher = writer.generation.reader.searcher();
        self.publish(&writer, searcher);
        duty.writer = Some(writer);
    }

    /// Commits if it is time, or lets searchers know that nothing of what passed concerned them.
    pub(crate) fn settle(&self, duty: &mut Duty, caught_up: bool) -> Result<()> {
        let Some(writer) = &duty.writer else { return Ok(()) };
        let records = writer.position().get().saturating_sub(writer.committed().get());
        let serves = self.serving() == Some(writer.generation.number);
        let commit = writer.pending() >= COMMIT_OPS_MAX
            || writer.waited() >= COMMIT_EVERY
            || writer.pending() > 0 && self.visible.wanted(writer.position())
            || records >= CHECKPOINT_RECORDS_MAX
            || records > 0 && writer.since_commit() >= CHECKPOINT_EVERY
            || caught_up && !serves;
        if commit {
            return self.commit(duty);
        }
        if serves
            && writer.pending() == 0
            && let Some(view) = self.view.load_full()
        {
            self.publish(writer, view.searcher.clone());
        }
        Ok(())
    }

    /// Commits, and lets the generation serve if it has caught up with the one that does.
    pub(crate) fn commit(&self, duty: &mut Duty) -> Result<()> {
        let Some(writer) = duty.writer.as_mut().filter(|writer| !writer.is_refilling()) else {
            return Ok(());
        };
        let searcher = writer.commit(self.source())?;
        let number = writer.generation.number;
        if self.serving() != Some(number) {
            if self.visible.at() > Some(writer.position()) || !writer.exact() {
                return Ok(());
            }
            generation::switch(&self.root, number)?;
            generation::sweep(&self.root, Some(number));
            duty.rebuilding = false;
            tracing::info!(generation = number, seq = writer.position().get(), "search index serves");
        }
        self.publish(writer, searcher);
        self.move_cursor(duty);
        Ok(())
    }

    fn publish(&self, writer: &Writer, searcher: Searcher) {
        let seq = writer.position();
        if !writer.exact()
            || self.serving() == Some(writer.generation.number) && self.visible.at() > Some(seq)
        {
            return;
        }
        let generation = Arc::clone(&writer.generation);
        self.view.store(Some(Arc::new(View { generation, searcher, seq })));
        self.visible.advance(seq);
    }

    /// Mirrors the checkpoint into the store, where it keeps the log from being trimmed past it.
    fn move_cursor(&self, duty: &Duty) {
        let Some(committed) = duty.writer.as_ref().map(Writer::committed) else { return };
        let seq = duty.hold.map_or(committed, |hold| hold.min(committed));
        // The positions lane means nothing to a search; it must not be kept for it.
        let positions = self.store.watermark().durable().positions;
        let cursor = Transaction::new(Durability::Buffered).cursor(&self.cursor, Tail { seq, positions });
        self.store.submit(cursor, |outcome| {
            if let Err(error) = outcome {
                // The next commit moves it; until then only more of the log is kept.
                tracing::debug!(%error, "search cursor not moved");
            }
        });
    }

    /// Commits now what someone waits for, if it has been taken in.
    pub(crate) fn commit_for(&self, seq: Seq) {
        let mut duty = self.duty();
        let waits =
            duty.writer.as_ref().is_some_and(|writer| writer.position() >= seq && writer.pending() > 0);
        if waits
            && self.visible.at() < Some(seq)
            && let Err(error) = self.commit(&mut duty)
        {
            self.failed(&mut duty, error);
        }
    }

    /// After an error: gives up a writer that cannot go on. What may pass has the follower open the generation
    /// anew; a damaged store stops it.
    pub(crate) fn failed(&self, duty: &mut Duty, error: Error) -> Error {
        if duty.writer.as_ref().is_some_and(Writer::is_broken) {
            tracing::warn!(%error, "search index writer failed, it is opened anew");
            duty.writer = None;
            duty.retry_at = Some(Instant::now() + RETRY_AFTER);
        }
        error
    }
}
