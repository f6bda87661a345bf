//! What the storage below has done and holds, for operators and for the laboratory.
//!
//! Counts grow from the opening of the store on; sizes are of the moment. A store in memory has only what it counts
//! itself: everything about files is 0.

use serde::Serialize;

use crate::latency::Latency;

/// One reading.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Statistics {
    /// Each column family.
    pub families: Vec<FamilyStatistics>,
    /// Bytes on their way to the disk.
    pub written: Written,
    /// Bytes on the disk.
    pub space: Space,
    /// Calls that make bytes durable.
    pub syncs: Syncs,
    /// Merging of files.
    pub compaction: Compaction,
    /// Writes that had to wait for flushes or compactions.
    pub stalls: Stalls,
    /// The block cache.
    pub cache: CacheStatistics,
    /// Filters over keys.
    pub filters: Filters,
    /// Memory by owner.
    pub memory: Memory,
}

/// One column family.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FamilyStatistics {
    /// Its name on disk.
    pub name: &'static str,
    /// About how many keys it holds.
    pub keys: u64,
    /// Its levels that have files, the uppermost (0) first.
    pub levels: Vec<Level>,
    /// Bytes of blob files, what is no longer referred to among them.
    pub blob_bytes: u64,
    /// Bytes of memtables.
    pub memtable_bytes: u64,
    /// Bytes that compactions have yet to rewrite for the levels to have their sizes.
    pub debt_bytes: u64,
}

/// The files of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Level {
    /// 0 is the uppermost.
    pub level: u32,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Bytes written since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Keys and values that the engine asked to write: documents, versions, log, index, queue, counters.
    pub batch_bytes: u64,
    /// To write-ahead log files.
    pub wal_bytes: u64,
    /// To files by flushes of memtables, blob files included.
    pub flush_bytes: u64,
    /// To files by compactions, blob files included.
    pub compaction_bytes: u64,
}

impl Written {
    /// Bytes that flushes and compactions wrote for each byte of a batch. `None` before the first batch.
    #[must_use]
    pub fn amplification(&self) -> Option<f64> {
        ratio(self.flush_bytes + self.compaction_bytes, self.batch_bytes)
    }

    /// Everything that went to the disk: the write-ahead log and the files.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.wal_bytes + self.flush_bytes + self.compaction_bytes
    }

    /// What came after an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            batch_bytes: self.batch_bytes.saturating_sub(earlier.batch_bytes),
            wal_bytes: self.wal_bytes.saturating_sub(earlier.wal_bytes),
            flush_bytes: self.flush_bytes.saturating_sub(earlier.flush_bytes),
            compaction_bytes: self.compaction_bytes.saturating_sub(earlier.compaction_bytes),
        }
    }
}

/// Bytes on the disk now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Space {
    /// Table files of the current state.
    pub table_bytes: u64,
    /// Blob files of the current state.
    pub blob_bytes: u64,
    /// About the part of both that would be left if everything were compacted now.
    pub live_bytes: u64,
}

impl Space {
    /// Bytes on the disk for each live byte. `None` while nothing is in files.
    #[must_use]
    pub fn amplification(&self) -> Option<f64> {
        ratio(self.table_bytes + self.blob_bytes, self.live_bytes)
    }
}

/// Calls of fsync since the store was opened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Syncs {
    /// Of write-ahead log files.
    pub wal: u64,
    /// Of the manifest.
    pub manifest: u64,
    /// Of table files.
    pub tables: u64,
    /// Of blob files.
    pub blobs: u64,
    /// Time the writer took to make a group durable: writing it with its sync, or the sync of buffered groups.
    pub durable: Latency,
}

impl Syncs {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.wal + self.manifest + self.tables + self.blobs
    }
}

/// Merging of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compaction {
    /// Bytes that compactions have yet to rewrite, over all families.
    pub debt_bytes: u64,
    /// Compactions that run now.
    pub running: u64,
    /// Flushes that run now.
    pub flushing: u64,
    /// Bytes read by compactions.
    pub read_bytes: u64,
}

/// Writes that had to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stalls {
    /// Microseconds that writes were held back since the store was opened.
    pub us: u64,
    /// Whether writes are stopped now.
    pub stopped: bool,
    /// Bytes per second to which writes are slowed down now; 0 when they are not.
    pub delayed_bytes_per_s: u64,
}

/// The block cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheStatistics {
    /// Its bound in bytes.
    pub capacity_bytes: u64,
    /// Blocks of data found in it.
    pub data_hits: u64,
    /// Blocks of data read from files.
    pub data_misses: u64,
    /// Blocks of indexes and filters found in it.
    pub index_hits: u64,
    /// Blocks of indexes and filters read from files.
    pub index_misses: u64,
    /// Reads answered from a memtable.
    pub memtable_hits: u64,
    /// Reads that went on to files.
    pub memtable_misses: u64,
}

impl CacheStatistics {
    /// The share of data blocks that were in the cache. `None` when none was asked for.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        ratio(self.data_hits, self.data_hits + self.data_misses)
    }

    /// What came after an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            capacity_bytes: self.capacity_bytes,
            data_hits: self.data_hits.saturating_sub(earlier.data_hits),
            data_misses: self.data_misses.saturating_sub(earlier.data_misses),
            index_hits: self.index_hits.saturating_sub(earlier.index_hits),
            index_misses: self.index_misses.saturating_sub(earlier.index_misses),
            memtable_hits: self.memtable_hits.saturating_sub(earlier.memtable_hits),
            memtable_misses: self.memtable_misses.saturating_sub(earlier.memtable_misses),
        }
    }
}

/// Filters over keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filters {
    /// Files that were not read because the filter said no.
    pub useful: u64,
    /// Files that were read because the filter said maybe.
    pub positive: u64,
    /// Of those, files that held the key.
    pub true_positive: u64,
}

/// Memory by owner, in bytes. Memtables are charged to the cache, so `cache` counts them too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Memtables, those that wait for their flush among them.
    pub memtables: u64,
    /// The block cache with what is charged to it.
    pub cache: u64,
    /// The part of the cache that cannot be given up now.
    pub pinned: u64,
    /// Open table files outside of the cache.
    pub table_readers: u64,
}

/// `None` for a denominator of 0.
fn ratio(part: u64, whole: u64) -> Option<f64> {
    // Above 2^53 the last digits do not matter.
    #[expect(clippy::cast_precision_loss)]
    (whole > 0).then(|| part as f64 / whole as f64)
}
