//! Readings of the engine and the process, and what lies between two of them.

use std::time::{Duration, Instant};

use dateline_engine::{CommitTotals, Error, Memory, Statistics, Store};

use super::process;
use super::report::{DurableResult, EngineResult, LevelResult, MemoryResult, Sample};

/// All that is read at the beginning and at the end of the measured time.
pub(crate) struct Reading {
    pub(crate) cpu: Duration,
    statistics: Statistics,
    commits: CommitTotals,
}

impl Reading {
    pub(crate) fn take(store: &Store) -> Result<Self, Error> {
        let (statistics, commits) = (store.statistics()?, store.health().commits);
        Ok(Self { cpu: process::cpu(), statistics, commits })
    }

    /// A look in between; `self` is the reading at the beginning.
    pub(crate) fn sample(&self, store: &Store, start: Instant) -> Result<Sample, Error> {
        let now = store.statistics()?;
        let mut levels = Vec::new();
        for level in levels_of(&now) {
            let place = usize::try_from(level.level).unwrap_or(0);
            levels.resize(levels.len().max(place + 1), 0);
            if let Some(bytes) = levels.get_mut(place) {
                *bytes = level.bytes;
            }
        }
        Ok(Sample {
            at_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            levels,
            blob_bytes: now.space.blob_bytes,
            debt_bytes: now.compaction.debt_bytes,
            stall_us: now.stalls.us.saturating_sub(self.statistics.stalls.us),
            memory: memory(&now.memory),
            rss_bytes: process::rss().0,
        })
    }

    /// What the engine did between `self` and `after`, and holds then.
    pub(crate) fn until(&self, after: &Self, user_bytes: u64) -> EngineResult {
        let (old, new) = (&self.statistics, &after.statistics);
        let written = new.written.since(&old.written);
        let durable = new.syncs.durable.since(&old.syncs.durable);
        let cache = new.cache.since(&old.cache);
        let groups = after.commits.groups - self.commits.groups;
        let changes = after.commits.changes - self.commits.changes;
        EngineResult {
            user_bytes,
            batch_bytes: written.batch_bytes,
            wal_bytes: written.wal_bytes,
            flush_bytes: written.flush_bytes,
            compaction_bytes: written.compaction_bytes,
            write_amplification: written.amplification(),
            total_write_amplification: ratio(written.disk_bytes(), user_bytes),
            space_amplification: new.space.amplification(),
            table_bytes: new.space.table_bytes,
            blob_bytes: new.space.blob_bytes,
            live_bytes: new.space.live_bytes,
            levels: levels_of(new),
            debt_bytes: new.compaction.debt_bytes,
            stall_us: new.stalls.us - old.stalls.us,
            groups,
            changes_per_group: ratio(changes, groups),
            fsyncs: new.syncs.total() - old.syncs.total(),
            wal_fsyncs: new.syncs.wal - old.syncs.wal,
            durable: DurableResult {
                count: durable.count(),
                mean_us: durable.mean_us(),
                p50_us: durable.quantile_us(500),
                p99_us: durable.quantile_us(990),
                max_us: durable.quantile_us(1_000),
            },
            cache_hit_ratio: cache.hit_ratio(),
            cache_hits: cache.data_hits,
            cache_misses: cache.data_misses,
            memtable_hits: cache.memtable_hits,
            filter_useful: new.filters.useful - old.filters.useful,
            memory: memory(&new.memory),
        }
    }
}

/// The levels of all families together, the uppermost first.
fn levels_of(statistics: &Statistics) -> Vec<LevelResult> {
    let mut levels: Vec<LevelResult> = Vec::new();
    for level in statistics.families.iter().flat_map(|family| &family.levels) {
        match levels.iter_mut().find(|known| known.level == level.level) {
            Some(known) => {
                known.files += level.files;
                known.bytes += level.bytes;
            }
            None => levels.push(LevelResult { level: level.level, files: level.files, bytes: level.bytes }),
        }
    }
    levels.sort_by_key(|level| level.level);
    levels
}

fn memory(memory: &Memory) -> MemoryResult {
    MemoryResult {
        memtables: memory.memtables,
        cache: memory.cache,
        pinned: memory.pinned,
        table_readers: memory.table_readers,
    }
}

/// `None` for a denominator of 0.
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "bytes and counts of a run are far below 2^53")]
    (whole > 0).then(|| part as f64 / whole as f64)
}
