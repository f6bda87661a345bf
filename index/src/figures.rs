//! What the search index has done since it was opened, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Running totals.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    operations: AtomicU64,
    left_out: AtomicU64,
    commits: AtomicU64,
    commit_us: AtomicU64,
    searches: AtomicU64,
    search_us: AtomicU64,
    rebuilds: AtomicU64,
}

impl Counters {
    /// One document written or deleted; `left_out` of its values were not indexed.
    pub(crate) fn operated(&self, left_out: u64) {
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.left_out.fetch_add(left_out, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, started: Instant) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_us.fetch_add(elapsed_us(started), Ordering::Relaxed);
    }

    pub(crate) fn searched(&self, started: Instant) {
        self.searches.fetch_add(1, Ordering::Relaxed);
        self.search_us.fetch_add(elapsed_us(started), Ordering::Relaxed);
    }

    pub(crate) fn rebuilt(&self) {
        self.rebuilds.fetch_add(1, Ordering::Relaxed);
    }

    /// Totals by name; times in microseconds.
    pub(crate) fn totals(&self) -> Vec<(String, u64)> {
        let total = |name: &str, counter: &AtomicU64| (name.to_owned(), counter.load(Ordering::Relaxed));
        vec![
            total("operations", &self.operations),
            total("values_left_out", &self.left_out),
            total("commits", &self.commits),
            total("commit_us", &self.commit_us),
            total("searches", &self.searches),
            total("search_us", &self.search_us),
            total("rebuilds", &self.rebuilds),
        ]
    }
}

fn elapsed_us(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}
