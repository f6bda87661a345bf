//! What the storage below has done and holds, read at each scrape.
//!
//! Labels are the names of column families and levels, which are few and fixed.

use std::fmt;

use dateline_engine::{FamilyStatistics, Latency, Level, Statistics, Store};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

use super::gauge;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FamilyLabels {
    family: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LevelLabels {
    family: &'static str,
    level: u32,
}

/// Nothing while the storage cannot tell.
pub(super) struct StorageFigures {
    pub(super) store: Store,
}

impl fmt::Debug for StorageFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageFigures")
    }
}

impl Collector for StorageFigures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Ok(statistics) = self.store.statistics() else { return Ok(()) };
        counters(&mut encoder, &statistics)?;
        gauges(&mut encoder, &statistics)?;
        families(&mut encoder, &statistics)?;
        durable(&mut encoder, &statistics.syncs.durable)
    }
}

fn counters(encoder: &mut DescriptorEncoder, statistics: &Statistics) -> fmt::Result {
    let (written, syncs, cache) = (&statistics.written, &statistics.syncs, &statistics.cache);
    let counters = [
        ("storage_batch_bytes", "Bytes of keys and values in batches", written.batch_bytes),
        ("storage_wal_bytes", "Bytes written to the write-ahead log", written.wal_bytes),
        ("storage_flush_bytes", "Bytes written by flushes", written.flush_bytes),
        ("storage_compaction_bytes", "Bytes written by compactions", written.compaction_bytes),
        ("storage_compaction_read_bytes", "Bytes read by compactions", statistics.compaction.read_bytes),
        ("storage_wal_syncs", "Syncs of the write-ahead log", syncs.wal),
        ("storage_syncs", "Syncs of all files", syncs.total()),
        ("storage_stall_microseconds", "Time for which writes were held back", statistics.stalls.us),
        ("storage_cache_hits", "Data blocks found in the cache", cache.data_hits),
        ("storage_cache_misses", "Data blocks read from files", cache.data_misses),
        ("storage_memtable_hits", "Reads answered from a memtable", cache.memtable_hits),
        ("storage_memtable_misses", "Reads that went on to files", cache.memtable_misses),
        ("storage_filter_useful", "Files not read because the filter said no", statistics.filters.useful),
    ];
    for (name, help, value) in counters {
        let metric = ConstCounter::new(value);
        metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
    }
    Ok(())
}

fn gauges(encoder: &mut DescriptorEncoder, statistics: &Statistics) -> fmt::Result {
    let (space, memory, stalls) = (&statistics.space, &statistics.memory, &statistics.stalls);
    let gauges = [
        ("storage_table_bytes", "Bytes of table files", space.table_bytes),
        ("storage_blob_bytes", "Bytes of blob files", space.blob_bytes),
        ("storage_live_bytes", "About the bytes left if all were compacted now", space.live_bytes),
        ("storage_compactions_running", "Compactions that run now", statistics.compaction.running),
        ("storage_flushes_running", "Flushes that run now", statistics.compaction.flushing),
        ("storage_writes_stopped", "1 while writes wait for compactions", u64::from(stalls.stopped)),
        ("storage_delayed_write_bytes_per_second", "Slowed-down rate, or 0", stalls.delayed_bytes_per_s),
        ("storage_memory_memtables_bytes", "Memory of memtables", memory.memtables),
        ("storage_memory_cache_bytes", "Memory of the cache, memtables included", memory.cache),
        ("storage_memory_pinned_bytes", "Memory of the cache that is in use now", memory.pinned),
        ("storage_memory_table_readers_bytes", "Memory of open files beside the cache", memory.table_readers),
    ];
    for (name, help, value) in gauges {
        let metric = gauge(value);
        metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
    }
    Ok(())
}

fn families(encoder: &mut DescriptorEncoder, statistics: &Statistics) -> fmt::Result {
    type Figure = fn(&FamilyStatistics) -> u64;
    type LevelFigure = fn(&Level) -> u64;
    let figures: [(&str, &str, Figure); 4] = [
        ("storage_keys", "About the keys of a column family", |family| family.keys),
        ("storage_memtable_bytes", "Bytes of memtables", |family| family.memtable_bytes),
        ("storage_family_blob_bytes", "Bytes of blob files", |family| family.blob_bytes),
        ("storage_compaction_debt_bytes", "Bytes yet to be compacted", |family| family.debt_bytes),
    ];
    for (name, help, figure) in figures {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for family in &statistics.families {
            let labels = FamilyLabels { family: family.name };
            gauge(figure(family)).encode(metric.encode_family(&labels)?)?;
        }
    }
    let level_figures: [(&str, &str, LevelFigure); 2] = [
        ("storage_level_files", "Table files of a level", |level| level.files),
        ("storage_level_bytes", "Bytes of the table files of a level", |level| level.bytes),
    ];
    for (name, help, figure) in level_figures {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for family in &statistics.families {
            for level in &family.levels {
                let labels = LevelLabels { family: family.name, level: level.level };
                gauge(figure(level)).encode(metric.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

/// Buckets of 64 microseconds to 8 seconds, each twice the one before.
fn durable(encoder: &mut DescriptorEncoder, latency: &Latency) -> fmt::Result {
    let bounds = latency.octaves().filter(|(us, _)| (32..10_000_000).contains(us));
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    let mut below = 0;
    for (us, count) in bounds {
        buckets.push((seconds(us + 1), count - below));
        below = count;
    }
    let total = latency.count();
    buckets.push((f64::MAX, total - below));
    let help = "Time the writer took to make a group durable";
    let mut metric =
        encoder.encode_descriptor("commit_durable", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    metric.encode_histogram::<NoLabelSet>(seconds(latency.sum_us()), total, &buckets, None)
}

#[expect(clippy::cast_precision_loss, reason = "a figure; 2^53 microseconds are 285 years")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
