//! Reads the statistics of RocksDB.

use rocksdb::properties as property;
use rocksdb::statistics::{Histogram, Ticker};

use crate::error::Result;
use crate::kv::families::Family;
use crate::kv::rocks::{RocksKv, read_error};
use crate::statistics::{
    CacheStatistics, Compaction, FamilyStatistics, Filters, Level, Memory, Space, Stalls, Statistics, Syncs,
    Written,
};

/// RocksDB has names for these, and the binding has not.
const BLOB_BYTES: &str = "rocksdb.live-blob-file-size";
const BLOB_GARBAGE_BYTES: &str = "rocksdb.live-blob-file-garbage-size";

impl RocksKv {
    /// One reading. Takes locks of the storage, and walks the list of files once.
    pub(crate) fn measure(&self) -> Result<Statistics> {
        let families = self.families()?;
        let (space, memory) = (self.space(&families)?, self.memory(&families)?);
        let debt_bytes = families.iter().map(|family| family.debt_bytes).sum();
        let (ticker, count) = (|name| self.options.get_ticker_count(name), |name| self.histogram_count(name));
        Ok(Statistics {
            families,
            space,
            memory,
            written: Written {
                batch_bytes: ticker(Ticker::BytesWritten),
                wal_bytes: ticker(Ticker::WalFileBytes),
                flush_bytes: ticker(Ticker::FlushWriteBytes),
                compaction_bytes: ticker(Ticker::CompactWriteBytes),
            },
            syncs: Syncs {
                wal: ticker(Ticker::WalFileSynced),
                manifest: count(Histogram::ManifestFileSyncMicros),
                tables: count(Histogram::TableSyncMicros) + count(Histogram::CompactionOutfileSyncMicros),
                blobs: ticker(Ticker::BlobDbBlobFileSynced),
                // The writer keeps that.
                durable: Default::default(),
            },
            compaction: Compaction {
                debt_bytes,
                // These two are of the database, whichever family is asked.
                running: self.number(Family::Meta, property::NUM_RUNNING_COMPACTIONS.as_str())?,
                flushing: self.number(Family::Meta, property::NUM_RUNNING_FLUSHES.as_str())?,
                read_bytes: ticker(Ticker::CompactReadBytes),
            },
            stalls: Stalls {
                us: ticker(Ticker::StallMicros),
                stopped: self.number(Family::Meta, property::IS_WRITE_STOPPED.as_str())? > 0,
                delayed_bytes_per_s: self
                    .number(Family::Meta, property::ACTUAL_DELAYED_WRITE_RATE.as_str())?,
            },
            cache: CacheStatistics {
                capacity_bytes: self.number(Family::Meta, property::BLOCK_CACHE_CAPACITY.as_str())?,
                data_hits: ticker(Ticker::BlockCacheDataHit),
                data_misses: ticker(Ticker::BlockCacheDataMiss),
                index_hits: ticker(Ticker::BlockCacheIndexHit) + ticker(Ticker::BlockCacheFilterHit),
                index_misses: ticker(Ticker::BlockCacheIndexMiss) + ticker(Ticker::BlockCacheFilterMiss),
                memtable_hits: ticker(Ticker::MemtableHit),
                memtable_misses: ticker(Ticker::MemtableMiss),
            },
            filters: Filters {
                useful: ticker(Ticker::BloomFilterUseful),
                positive: ticker(Ticker::BloomFilterFullPositive),
                true_positive: ticker(Ticker::BloomFilterFullTruePositive),
            },
        })
    }

    fn histogram_count(&self, histogram: Histogram) -> u64 {
        self.options.get_histogram_data(histogram).count()
    }

    fn number(&self, family: Family, name: &str) -> Result<u64> {
        let value = self.db.property_int_value_cf(self.family(family)?, name);
        Ok(value.map_err(|e| read_error(&e))?.unwrap_or(0))
    }

    fn families(&self) -> Result<Vec<FamilyStatistics>> {
        let files = self.db.live_files().map_err(|e| read_error(&e))?;
        let of_family = |family: Family| {
            let mut levels: Vec<Level> = Vec::new();
            for file in files.iter().filter(|file| file.column_family_name == family.name()) {
                let level = u32::try_from(file.level).unwrap_or(0);
                let bytes = u64::try_from(file.size).unwrap_or(u64::MAX);
                match levels.iter_mut().find(|known| known.level == level) {
                    Some(known) => (known.files, known.bytes) = (known.files + 1, known.bytes + bytes),
                    None => levels.push(Level { level, files: 1, bytes }),
                }
            }
            levels.sort_by_key(|level| level.level);
            Ok(FamilyStatistics {
                name: family.name(),
                keys: self.number(family, property::ESTIMATE_NUM_KEYS.as_str())?,
                levels,
                blob_bytes: self.number(family, BLOB_BYTES)?,
                memtable_bytes: self.number(family, property::SIZE_ALL_MEM_TABLES.as_str())?,
                debt_bytes: self.number(family, property::ESTIMATE_PENDING_COMPACTION_BYTES.as_str())?,
            })
        };
        Family::ALL.into_iter().map(of_family).collect()
    }

    fn space(&self, families: &[FamilyStatistics]) -> Result<Space> {
        let mut space = Space {
            table_bytes: families.iter().flat_map(|family| &family.levels).map(|level| level.bytes).sum(),
            blob_bytes: families.iter().map(|family| family.blob_bytes).sum(),
            live_bytes: 0,
        };
        for family in Family::ALL {
            let blobs = self.number(family, BLOB_BYTES)?;
            let garbage = self.number(family, BLOB_GARBAGE_BYTES)?;
            space.live_bytes += blobs.saturating_sub(garbage);
            space.live_bytes += self.number(family, property::ESTIMATE_LIVE_DATA_SIZE.as_str())?;
        }
        Ok(space)
    }

    fn memory(&self, families: &[FamilyStatistics]) -> Result<Memory> {
        let mut memory = Memory {
            memtables: families.iter().map(|family| family.memtable_bytes).sum(),
            // All families share one cache.
            cache: self.number(Family::Meta, property::BLOCK_CACHE_USAGE.as_str())?,
            pinned: self.number(Family::Meta, property::BLOCK_CACHE_PINNED_USAGE.as_str())?,
            table_readers: 0,
        };
        for family in Family::ALL {
            memory.table_readers += self.number(family, property::ESTIMATE_TABLE_READERS_MEM.as_str())?;
        }
        Ok(memory)
    }
}
