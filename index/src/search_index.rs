//! The search index as its users see it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dateline_engine::{Error, FollowerHandle, Result, Seq, Store, follow};

use crate::follower::Feeder;
use crate::generation;
use crate::mapping::Mapping;
use crate::query::{self, DefaultOperator};
use crate::reader::{self, SearchAnswer, SearchRequest};
use crate::searched::Searched;
use crate::shared::{Opening, Shared};
use crate::{fault, rebuild, verify};

/// How an index is opened.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// Name of the index; its durable cursor in the store is `index/<name>`.
    pub name: String,
    /// Collections that are searched whatever their definition says, and how.
    pub collections: Vec<(String, Mapping)>,
    /// Memory for documents on their way into the index, in bytes, at least 15 MB. A rebuild takes up to four
    /// times as much.
    pub memory_bytes: usize,
}

impl SearchOptions {
    /// The index `main` of these collections, with 64 MiB of memory.
    #[must_use]
    pub fn new(collections: Vec<(String, Mapping)>) -> Self {
        Self { name: "main".to_owned(), collections, memory_bytes: 64 << 20 }
    }
}

/// Full-text search of a store. Dropping it stops its threads after a last commit.
pub struct SearchIndex {
    shared: Arc<Shared>,
    handle: Mutex<Option<FollowerHandle>>,
}

impl fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SearchIndex({}, visible {})", self.shared.root.display(), self.visible())
    }
}

impl SearchIndex {
    /// Opens the index in `dir` and starts its follower. An index that does not fit the store, or cannot be
    /// read, is built anew behind this call; until it serves, searches wait or answer `Busy`.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be used, or another index has it open.
    pub fn open(store: &Store, dir: &Path, options: SearchOptions) -> Result<Self> {
        fs::create_dir_all(dir).map_err(fault::file(dir))?;
        let searched = Searched::new(store.clone(), options.collections);
        let (name, memory_bytes) = (options.name, options.memory_bytes);
        let shared = Shared::new(store.clone(), dir.to_owned(), &name, memory_bytes, searched);
        let shared = Arc::new(shared);
        generation::sweep(dir, generation::current(dir)?);
        let opening = shared.reopen()?;
        let mut duty = shared.duty();
        match opening {
            Opening::Resumed(writer) => shared.resume(&mut duty, *writer),
            Opening::Rebuild(reason) => drop(rebuild::start(&shared, &mut duty, &reason)?),
        }
        drop(duty);
        let handle = follow(store, Box::new(Feeder::new(Arc::clone(&shared))))?;
        Ok(Self { shared, handle: Mutex::new(Some(handle)) })
    }

    /// Searches one collection. A caller that must tell a `min_seq` not reached from an index not ready asks
    /// `wait_visible` first.
    ///
    /// # Errors
    /// `NotFound` when the collection is not searched; `Invalid` when the query or the window is wrong, with
    /// the position of the fault; `Busy` when `min_seq` was not reached before the deadline, or the index is
    /// still being built; `Corrupt` when its files are damaged.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchAnswer> {
        reader::search(&self.shared, request)
    }

    /// Checks a query without running it.
    ///
    /// # Errors
    /// `Invalid`, with the position of the fault.
    pub fn check(q: &str) -> Result<()> {
        query::parse(q, DefaultOperator::And).map(drop)
    }

    /// Waits until searches see this record of the log, and has the follower commit for it. May pass the
    /// timeout by the length of one commit. `false` when it was not reached.
    #[must_use]
    pub fn wait_visible(&self, seq: Seq, timeout: Duration) -> bool {
        self.shared.visible.wait(seq, Instant::now() + timeout, || self.shared.commit_for(seq))
    }

    /// The record of the log up to which searches are exact; zero while none is possible.
    #[must_use]
    pub fn visible(&self) -> Seq {
        self.shared.visible.at().unwrap_or(Seq::ZERO)
    }

    /// Whether searches are possible.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.visible.at().is_some()
    }

    /// Builds a new generation while the old one serves, and waits until it serves itself.
    ///
    /// # Errors
    /// `Busy` when one is being built already; otherwise why it could not be built.
    pub fn rebuild(&self) -> Result<()> {
        let outcome = rebuild::start(&self.shared, &mut self.shared.duty(), "asked for")?;
        outcome.recv().map_err(|_| Error::internal("the rebuild ended by a panic"))?
    }

    /// Compares the index with the store as of what is visible, and checks its files. Names the first
    /// differences; none means equal. Reads everything.
    ///
    /// # Errors
    /// `Busy` while no index serves; `Corrupt` or `Unavailable` when either cannot be read.
    pub fn verify(&self) -> Result<Vec<String>> {
        let view = self.shared.view.load_full();
        let view = view.ok_or_else(|| Error::busy("the search index is being built; try again"))?;
        verify::verify(&self.shared.store, &self.shared.searched, &view)
    }

    /// Why the follower has stopped by itself, if it has.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.failed()
    }

    /// Figures by name: counts, records of the log, times in microseconds.
    #[must_use]
    pub fn figures(&self) -> Vec<(String, u64)> {
        let mut figures = self.shared.counters.totals();
        let mut add = |name: &str, value: u64| figures.push((name.to_owned(), value));
        let visible = self.visible();
        add("visible_seq", visible.get());
        add("lag", self.shared.store.feed().head().get().saturating_sub(visible.get()));
        if let Some(view) = self.shared.view.load_full() {
            let segments = view.searcher.segment_readers();
            add("documents", view.searcher.num_docs());
            add("segments", u64::try_from(segments.len()).unwrap_or(u64::MAX));
            add("deleted", segments.iter().map(|segment| u64::from(segment.num_deleted_docs())).sum());
            add("generation", view.generation.number);
        }
        let duty = self.shared.duty();
        add("rebuilding", u64::from(duty.rebuilding));
        add("committed_seq", duty.writer.as_ref().map_or(0, |writer| writer.committed().get()));
        figures
    }

    /// Commits and stops. Searches go on to answer as of the last commit; waits for more end.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Ends when the follower's `stop` has committed.
        drop(handle);
        let builder = self.shared.builder.lock().unwrap_or_else(PoisonError::into_inner).take();
        if builder.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the rebuild thread ended by a panic");
        }
        self.shared.visible.close();
    }

    /// Ends as a killed process does: without a last commit.
    #[cfg(test)]
    pub(crate) fn abandon(self) {
        self.shared.abandoned.store(true, Ordering::Release);
    }
}

impl Drop for SearchIndex {
    fn drop(&mut self) {
        self.stop();
    }
}
