//! RocksDB behind the `Kv` seam.
//!
//! One process opens a directory at a time: RocksDB's `LOCK` file refuses the second. Background
//! errors and failed syncs surface as write errors; the committer then stops for good.

use std::ops::ControlFlow;
use std::path::Path;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DBCompressionType,
    DBRawIteratorWithThreadMode, DBRecoveryMode, DBWithThreadMode, DataBlockIndexType, InfoLogger, LogLevel,
    Options, ReadOptions, SingleThreaded, SnapshotWithThreadMode, WriteBatch, WriteBufferManager,
    WriteOptions,
};

use crate::codec::key;
use crate::error::{Error, ErrorKind, Result};
use crate::kv::batch::{Action, Batch};
use crate::kv::families::Family;
use crate::kv::quarantine::Quarantine;
use crate::kv::tuning::{Compression, Filter, Tuning};
use crate::kv::{BadValue, Direction, KeyRange, Kv, KvRead, Visit, blob_file, manifest, records};
use crate::statistics::Statistics;

type Db = DBWithThreadMode<SingleThreaded>;

/// Memory RocksDB may use, and how it keeps its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RocksOptions {
    /// Block cache shared by all families; memtables are charged to it.
    pub(crate) cache_bytes: usize,
    /// Upper bound of all memtables together.
    pub(crate) memtable_bytes: usize,
    pub(crate) tuning: Tuning,
}

pub(crate) struct RocksKv {
    pub(crate) db: Db,
    /// Kept because the counts are reached through them.
    pub(crate) options: Options,
    quarantine: Quarantine,
}

impl RocksKv {
    pub(crate) fn open(dir: &Path, options: RocksOptions) -> Result<Self> {
        manifest::check(dir)?;
        records::end_log(dir)?;
        let quarantine = Quarantine::load(dir)?;
        let cache = Cache::new_hyper_clock_cache(options.cache_bytes, 0);
        let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(
            options.memtable_bytes,
            false,
            cache.clone(),
        );
        let families = Family::ALL.map(|family| {
            let mut tuned = tune(family, &options.tuning, &cache);
            tuned.set_disable_auto_compactions(quarantine.holds(family));
            ColumnFamilyDescriptor::new(family.name(), tuned)
        });
        let mut database = database_options(&memtables);
        if options.tuning.counted {
            // Everything but the time spent inside mutexes and on compression.
            database.enable_statistics();
        }
        let db = Db::open_cf_descriptors(&database, dir, families).map_err(|e| open_error(dir, &e))?;
        manifest::mark(dir)?;
        Ok(Self { db, options: database, quarantine })
    }

    /// The format of a store in which families of this program are missing, so of an older one, or one whose
    /// creation was cut short. `None` when none is missing, or there is no store. Changes nothing but the end of a
    /// log that cannot be read.
    pub(crate) fn older_format(dir: &Path) -> Result<Option<Vec<u8>>> {
        if !dir.join("CURRENT").exists() {
            return Ok(None);
        }
        manifest::check(dir)?;
        let known = Db::list_cf(&Options::default(), dir).map_err(|e| open_error(dir, &e))?;
        let has = |family: Family| known.iter().any(|name| name == family.name());
        if Family::ALL.into_iter().all(has) || !has(Family::Meta) {
            return Ok(None);
        }
        records::end_log(dir)?;
        let mut options = Options::default();
        // As it was written: otherwise RocksDB 11.8.1 wants to drop what the manifest says about logs, and crashes.
        options.set_track_and_verify_wals_in_manifest(true);
        let db = Db::open_cf_for_read_only(&options, dir, &known, false);
        let db = db.map_err(|e| open_error(dir, &e))?;
        let Some(family) = db.cf_handle(Family::Meta.name()) else { return Ok(None) };
        db.get_cf(family, key::META_FORMAT).map_err(|e| read_error(&e))
    }

    /// Family `meta` of a directory that nobody writes to, read without changing it.
    pub(crate) fn open_meta(dir: &Path) -> Result<Self> {
        let (tuning, cache) = (Tuning::SHIPPED, Cache::new_lru_cache(1 << 20));
        let memtables = WriteBufferManager::new_write_buffer_manager(1 << 20, false);
        let families = [Family::Meta]
            .map(|family| ColumnFamilyDescriptor::new(family.name(), tune(family, &tuning, &cache)));
        let options = database_options(&memtables);
        let db = Db::open_cf_descriptors_read_only(&options, dir, families, false)
            .map_err(|e| open_error(dir, &e))?;
        Ok(Self { db, options, quarantine: Quarantine::load(dir)? })
    }

    /// Leaves the files as they are: nothing is merged any more.
    pub(crate) fn hold_still(&self) -> Result<()> {
        Family::ALL.into_iter().try_for_each(|family| self.merge_no_more(family))
    }

    fn merge_no_more(&self, family: Family) -> Result<()> {
        let family = self.family(family)?;
        self.db.set_options_cf(family, &[("disable_auto_compactions", "true")]).map_err(|e| read_error(&e))
    }

    /// What a failed read is told as. See `quarantine` for what becomes of the family.
    fn read_failed(&self, family: Family, error: &rocksdb::Error) -> Error {
        let error = read_error(error);
        if error.kind() == ErrorKind::Corrupt
            && self.quarantine.add(family, &error)
            && let Err(refused) = self.merge_no_more(family)
        {
            tracing::warn!(%refused, "the family is merged until the next start");
        }
        error
    }

    /// As above, for a read of one key.
    fn get_failed(&self, family: Family, key: &[u8], error: &rocksdb::Error) -> Error {
        self.read_failed(family, error).at(format_args!("{}/{}", family.name(), key.escape_ascii()))
    }

    /// A write that fails for damage is the echo of a merge, which names the file but not the family.
    fn write_failed(&self, error: &rocksdb::Error) -> Error {
        let error = read_error(error);
        if error.kind() == ErrorKind::Corrupt {
            let text = error.to_string();
            let files = self.db.live_files().unwrap_or_default();
            let named = files.iter().find(|file| text.contains(file.name.trim_start_matches('/')));
            let is_named =
                |family: &Family| named.is_none_or(|file| file.column_family_name == family.name());
            for family in Family::ALL.into_iter().filter(is_named) {
                self.quarantine.add(family, &error);
            }
        }
        error
    }

    pub(crate) fn family(&self, family: Family) -> Result<&ColumnFamily> {
        self.db
            .cf_handle(family.name())
            .ok_or_else(|| Error::corrupt(format!("column family {} is missing", family.name())))
    }
}

fn database_options(memtables: &WriteBufferManager) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_write_buffer_manager(memtables);
    options.set_max_background_jobs(4);
    options.set_max_total_wal_size(1 << 30);
    // A torn tail after power loss is cut; anything else that is lost is found by the chain checks.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_recycle_log_file_num(0);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_bytes_per_sync(1 << 20);
    options.set_keep_log_file_num(3);
    options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Warn, |level, line| match level {
        LogLevel::Error | LogLevel::Fatal => tracing::error!(target: "rocksdb", "{line}"),
        _ => tracing::debug!(target: "rocksdb", "{line}"),
    }));
    options
}

/// Block sizes, filters and compression by what a family holds and how it is read.
fn tune(family: Family, tuning: &Tuning, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(6);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_write_buffer_size(write_buffer_bytes(family));
    options.set_max_write_buffer_number(3);
    options.set_compression_per_level(&compression(tuning.compression));
    match family {
        Family::Heads | Family::Idem => {
            table.set_block_size(tuning.block_bytes);
            match tuning.filter {
                Filter::Ribbon => table.set_hybrid_ribbon_filter(f64::from(tuning.filter_bits), 1),
                Filter::Bloom => table.set_bloom_filter(f64::from(tuning.filter_bits), false),
                Filter::None => {}
            }
            table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
            table.set_data_block_hash_ratio(0.75);
            options.set_memtable_whole_key_filtering(true);
            options.set_memtable_prefix_bloom_ratio(0.05);
        }
        family if has_blob_files(family) => {
            table.set_block_size(tuning.block_bytes);
            options.set_enable_blob_files(true);
            let is_history = family == Family::History;
            let versions = u64::try_from(tuning.version_blob_bytes).unwrap_or(u64::MAX);
            options.set_min_blob_size(if is_history { versions } else { 32 << 10 });
            // Attachments are compressed in themselves; bodies are not.
            let compression = if is_history { DBCompressionType::Zstd } else { DBCompressionType::None };
            options.set_blob_compression_type(compression);
            options.set_enable_blob_gc(true);
        }
        Family::Log | Family::Positions => table.set_block_size(tuning.lane_block_bytes),
        Family::Job
        | Family::Jst
        | Family::Ready
        | Family::Timer
        | Family::Expiry
        | Family::Surplus
        | Family::Done => {
            options.add_compact_on_deletion_collector_factory(128 << 10, 64 << 10, 0.5);
        }
        _ => {}
    }
    options.set_block_based_table_factory(&table);
    options
}

/// Whether large values lie in files of their own, which merges pass by.
fn has_blob_files(family: Family) -> bool {
    matches!(family, Family::History | Family::Blobs)
}

/// For each of the seven levels.
fn compression(compression: Compression) -> [DBCompressionType; 7] {
    use DBCompressionType::{Lz4, None, Zstd};
    match compression {
        Compression::Layered => [None, None, Lz4, Lz4, Lz4, Lz4, Zstd],
        Compression::None => [None; 7],
        Compression::Lz4 => [Lz4; 7],
        Compression::Zstd => [Zstd; 7],
    }
}

/// Queue families stay small so that short-lived jobs die in their memtable.
fn write_buffer_bytes(family: Family) -> usize {
    match family {
        Family::Heads | Family::History | Family::Blobs | Family::Positions => 64 << 20,
        Family::Log | Family::Index => 32 << 20,
        _ => 16 << 20,
    }
}

fn open_error(dir: &Path, error: &rocksdb::Error) -> Error {
    let text = error.to_string();
    let place = dir.display();
    if text.contains("lock") || text.contains("LOCK") {
        return Error::unavailable(format!("{place} is in use by another process ({text})"));
    }
    read_error(error).at(format_args!("cannot open {place}"))
}

pub(crate) fn read_error(error: &rocksdb::Error) -> Error {
    let text = error.to_string();
    // RocksDB takes a file that is gone for a passing fault of the system.
    let is_gone = text.contains("No such file or directory: While open a file");
    let kind = match error.kind() {
        rocksdb::ErrorKind::Corruption => ErrorKind::Corrupt,
        _ if is_gone => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, text)
}

impl KvRead for RocksKv {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db.get_cf(self.family(family)?, key).map_err(|e| self.get_failed(family, key, &e))
    }

    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.db
            .batched_multi_get_cf(self.family(family)?, keys, false)
            .into_iter()
            .zip(keys)
            .map(|(found, key)| {
                found.map(|value| value.map(|v| v.to_vec())).map_err(|e| self.get_failed(family, key, &e))
            })
            .collect()
    }

    fn scan(
        &self,
        family: Family,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let options = bounded(range);
        walk(
            self,
            self.db.raw_iterator_cf_opt(self.family(family)?, options),
            family,
            range,
            direction,
            visit,
        )
    }
}

fn bounded(range: &KeyRange) -> ReadOptions {
    let (lower, upper) = (range.lower.clone(), range.upper.clone());
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(lower);
    options.set_iterate_upper_bound(upper);
    options
}

fn walk<D: rocksdb::DBAccess>(
    kv: &RocksKv,
    mut entries: DBRawIteratorWithThreadMode<'_, D>,
    family: Family,
    range: &KeyRange,
    direction: Direction,
    visit: &mut Visit<'_>,
) -> Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    match direction {
        Direction::Forward => entries.seek_to_first(),
        Direction::Backward => entries.seek_to_last(),
    }
    while let Some((key, value)) = entries.item() {
        if visit(key, value)? == ControlFlow::Break(()) {
            return Ok(());
        }
        match direction {
            Direction::Forward => entries.next(),
            Direction::Backward => entries.prev(),
        }
    }
    let within = |e: rocksdb::Error| {
        kv.read_failed(family, &e).at(format_args!("{} from {}", family.name(), range.lower.escape_ascii()))
    };
    entries.status().map_err(within)
}

impl Kv for RocksKv {
    fn write(&self, batch: &Batch, sync: bool) -> Result<()> {
        let mut write = WriteBatch::with_capacity_bytes(batch.bytes() + batch.bytes() / 4);
        for (family, action, key, value) in batch.iter() {
            let family = self.family(family)?;
            match action {
                Action::Put => write.put_cf(family, key, value),
                Action::Delete => write.delete_cf(family, key),
                Action::SingleDelete => write.single_delete_cf(family, key),
                Action::DeleteRange => write.delete_range_cf(family, key, value),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(write, &options).map_err(|e| self.write_failed(&e))
    }

    fn sync(&self) -> Result<()> {
        self.db.flush_wal(true).map_err(|e| read_error(&e))
    }

    fn size(&self, family: Family, range: &KeyRange) -> Result<u64> {
        if range.is_empty() {
            return Ok(0);
        }
        let range = rocksdb::Range::new(&range.lower, &range.upper);
        Ok(self.db.get_approximate_sizes_cf(self.family(family)?, &[range]).into_iter().sum())
    }

    fn drop_files(&self, family: Family, range: &KeyRange) -> Result<()> {
        let family = self.family(family)?;
        // RocksDB drops a file that ends with the bound itself, and here the bound is the first key that stays.
        let last = before(&range.upper);
        self.db.delete_file_in_range_cf(family, &range.lower, &last).map_err(|e| read_error(&e))
    }

    fn walk(&self, family: Family, range: &KeyRange, visit: &mut Visit<'_>) -> Result<()> {
        let mut options = bounded(range);
        options.fill_cache(false);
        options.set_verify_checksums(true);
        let entries = self.db.raw_iterator_cf_opt(self.family(family)?, options);
        walk(self, entries, family, range, Direction::Forward, visit)
    }

    fn damaged(&self) -> Vec<Family> {
        self.quarantine.all()
    }

    fn bad_value(&self, family: Family, range: &KeyRange) -> Result<Option<BadValue>> {
        if !has_blob_files(family) {
            return Ok(None);
        }
        let dir = self.db.path();
        blob_file::first_bad(dir, range).map_err(|e| Error::unavailable(format!("{}: {e}", dir.display())))
    }

    fn checkpoint(&self, dir: &Path) -> Result<()> {
        let checkpoint = Checkpoint::new(&self.db).map_err(|e| read_error(&e))?;
        checkpoint.create_checkpoint(dir).map_err(|e| read_error(&e).at(dir.display()))
    }

    fn snapshot(&self) -> Box<dyn KvRead + Send + '_> {
        Box::new(RocksSnapshot { kv: self, snapshot: self.db.snapshot() })
    }

    fn statistics(&self) -> Result<Statistics> {
        self.measure()
    }
}

/// The last key of the same length below this one.
fn before(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    for byte in key.iter_mut().rev() {
        let borrows = *byte == 0;
        *byte = byte.wrapping_sub(1);
        if !borrows {
            break;
        }
    }
    key
}

struct RocksSnapshot<'a> {
    kv: &'a RocksKv,
    snapshot: SnapshotWithThreadMode<'a, Db>,
}

impl KvRead for RocksSnapshot<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.snapshot.get_cf(self.kv.family(family)?, key).map_err(|e| self.kv.get_failed(family, key, &e))
    }

    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        keys.iter().map(|key| self.get(family, key)).collect()
    }

    fn scan(
        &self,
        family: Family,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let entries = self.snapshot.raw_iterator_cf_opt(self.kv.family(family)?, bounded(range));
        walk(self.kv, entries, family, range, direction, visit)
    }
}
