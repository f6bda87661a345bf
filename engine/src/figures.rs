//! What the committer has done, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::latency::{Latency, LatencyCounts};
use crate::types::Tail;

/// Running totals; readers take `CommitTotals`.
#[derive(Debug, Default)]
pub(crate) struct CommitFigures {
    groups: AtomicU64,
    changes: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    write_us: AtomicU64,
    durable: LatencyCounts,
}

/// Reads of the log's tail, and what has been trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedTotals {
    /// Reads answered from memory.
    pub ring_hits: u64,
    /// Reads that went to disk.
    pub ring_misses: u64,
    /// The last entry of each lane that is gone.
    pub floor: Tail,
    /// About the bytes of files that were given back since the store was opened.
    pub trimmed_bytes: u64,
}

/// Totals since the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitTotals {
    /// Groups written.
    pub groups: u64,
    /// Log records written.
    pub changes: u64,
    /// Bytes of keys and values written.
    pub bytes: u64,
    /// Syncs to disk.
    pub syncs: u64,
    /// Microseconds spent in writing and syncing groups.
    pub write_us: u64,
}

impl CommitFigures {
    pub(crate) fn wrote(&self, changes: u64, bytes: usize, sync: bool, took: Duration) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes, Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.write_us.fetch_add(took_us, Ordering::Relaxed);
        if sync {
            self.synced(took);
        }
    }

    pub(crate) fn synced(&self, took: Duration) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.durable.add(took);
    }

    /// How long it took to make groups durable.
    pub(crate) fn durable(&self) -> Latency {
        self.durable.read()
    }

    pub(crate) fn totals(&self) -> CommitTotals {
        CommitTotals {
            groups: self.groups.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
            write_us: self.write_us.load(Ordering::Relaxed),
        }
    }
}

/// What housekeeping has done; readers take `KeepTotals`.
#[derive(Debug, Default)]
pub(crate) struct KeepFigures {
    expired: AtomicU64,
    versions_removed: AtomicU64,
    purged: AtomicU64,
}

/// What housekeeping has done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepTotals {
    /// Documents that reached their end.
    pub expired: u64,
    /// Superseded versions removed.
    pub versions_removed: u64,
    /// Tombstones forgotten.
    pub purged: u64,
}

impl KeepFigures {
    pub(crate) fn add(&self, done: KeepTotals) {
        self.expired.fetch_add(done.expired, Ordering::Relaxed);
        self.versions_removed.fetch_add(done.versions_removed, Ordering::Relaxed);
        self.purged.fetch_add(done.purged, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> KeepTotals {
        KeepTotals {
            expired: self.expired.load(Ordering::Relaxed),
            versions_removed: self.versions_removed.load(Ordering::Relaxed),
            purged: self.purged.load(Ordering::Relaxed),
        }
    }
}
