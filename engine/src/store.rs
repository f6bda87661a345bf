//! The store: opening, recovering, and the doors to its parts.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use bytes::Bytes;
use serde_json::Value as Json;

use crate::backup::{Checkpoint, Watch};
use crate::blob::{self, ChunkHash};
use crate::catalog::{Catalog, CollectionOptions};
use crate::clock::{Clock, SystemClock};
use crate::codec::idem::{Idempotency, Remembered};
use crate::codec::{change, idem, key, meta, positions};
use crate::commit::group::Ledger;
use crate::commit::op::{Durability, Receipt, Transaction};
use crate::commit::poison::Poison;
use crate::commit::prepare::prepare;
use crate::commit::shared::Shared;
use crate::commit::watermark::Watermark;
use crate::commit::writer::Writer;
use crate::commit::{Committer, Done, Request, wait};
use crate::document::Document;
use crate::error::{Conflict, Error, Result};
use crate::feed::Feed;
use crate::feed::cursor::Cursor;
use crate::feed::ring::Ring;
use crate::feed::trim::{self, Floor, TrimPolicy, Trimmed};
use crate::figures::{CommitFigures, CommitTotals, FeedTotals, KeepFigures, KeepTotals};
use crate::format;
use crate::index::IndexSpec;
use crate::index::builder::Builder;
use crate::keep::Housekeeper;
use crate::keep::alarm::Alarm;
use crate::keep::scrub::{self, ScrubPlace, Scrubbed};
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::rocks::{RocksKv, RocksOptions};
use crate::kv::tuning::Tuning;
use crate::kv::{Direction, KeyRange, Kv, KvRead};
use crate::limits::COLLECTION_IDS_MAX;
use crate::queue::{Listeners, Queue};
use crate::read::{self, Snapshot};
use crate::schema;
use crate::space::{Room, Space};
use crate::statistics::Statistics;
use crate::types::{CollectionId, DocId, Epoch, IndexId, Millis, Revision, Seq, StoreId, Tail};
use crate::witness::{self, Witness};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Block cache in bytes; memtables are charged to it.
    pub cache_bytes: usize,
    /// Upper bound of all memtables in bytes.
    pub memtable_bytes: usize,
    /// Raise a store of an older format, which older programs cannot read afterwards. Without it such a store is
    /// refused and left as it is.
    pub upgrade: bool,
    /// With less free room than this on its disk the store does not grow, in bytes; never more than a twentieth of
    /// the disk, and 0 lets it grow until the disk is full.
    pub disk_reserve_bytes: u64,
    /// How it keeps its bytes.
    pub tuning: Tuning,
    /// What others have seen of this store. One that has seen more than there is has it refused.
    pub witnesses: Vec<Witness>,
    /// Go on although acknowledged data is gone.
    pub accept_loss: bool,
}

impl Options {
    /// The machine's clock, 256 MiB of cache, 256 MiB of memtables, 2 GiB of the disk in reserve.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            cache_bytes: 256 << 20,
            memtable_bytes: 256 << 20,
            upgrade: false,
            disk_reserve_bytes: 2 << 30,
            tuning: Tuning::SHIPPED,
            witnesses: Vec::new(),
            accept_loss: false,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a store takes writes, and how much waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why the engine has stopped accepting writes, if it has.
    pub poisoned: Option<String>,
    /// Requests waiting for the writer.
    pub waiting: usize,
    /// What the committer has done since the store was opened.
    pub commits: CommitTotals,
    /// Column families in which damaged bytes have been met; they are merged no more.
    pub damaged: Vec<&'static str>,
    /// Room on the disk; `None` for a store in memory.
    pub room: Option<Room>,
}

/// A store. Clones share it; the last one to go stops the writer.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    committer: Arc<Committer>,
    keeper: Arc<Housekeeper>,
    builder: Arc<Builder>,
    /// The threads of housekeeping and of the builder.
    threads: Mutex<Vec<JoinHandle<()>>>,
    epoch: Epoch,
    id: StoreId,
    /// `None`: it lives in memory.
    disk: Option<Disk>,
}

/// What only a store on a disk has.
struct Disk {
    space: Space,
    has_lost: bool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Inner {
    /// Ends the writer, housekeeping and the builder. Where the writer cannot be waited for, the others cannot either:
    /// they may be waiting for the writer.
    fn stop(&self) {
        self.shared.alarm.stop();
        self.shared.building.stop();
        let ended = self.committer.stop();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads.into_iter().filter(|_| ended) {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(thread = name, "a thread of the store ended by a panic");
            }
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({}, epoch {})", self.inner.id, self.inner.epoch)
    }
}

impl Store {
    /// Opens the store in `dir`, creating it if there is none, and recovers what was acknowledged.
    ///
    /// # Errors
    /// `Unavailable` when another process holds the directory or it cannot be read; `Invalid` when it
    /// was written by a newer version, or by an older one and `upgrade` is not asked for; `Corrupt` when the log
    /// and its counters disagree, or a witness or consumer has seen more than there is and `accept_loss` is not
    /// given.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        options.tuning.check()?;
        let Options { cache_bytes, memtable_bytes, tuning, .. } = options;
        let rocks = RocksOptions { cache_bytes, memtable_bytes, tuning };
        // Opening adds the families that are missing, and the program that wrote the rest would not know them.
        if !options.upgrade
            && let Some(format) = RocksKv::older_format(dir)?
        {
            format::check_number(&format)?;
        }
        let kv = RocksKv::open(dir, rocks)?;
        if options.upgrade {
            format::upgrade(&kv)?;
        }
        let id = format::check(&kv)?;
        let has_lost = witness::check(&kv, id, read::tail(&kv)?, &options.witnesses, options.accept_loss)?;
        let disk = Disk { space: Space::new(dir, options.disk_reserve_bytes), has_lost };
        Self::run(Arc::new(kv), options.clock, Some(disk), tuning)
    }

    /// A store that lives in memory, for tests and throw-away use.
    ///
    /// # Errors
    /// As `open`.
    pub fn memory(options: Options) -> Result<Self> {
        Self::start(Arc::new(MemoryKv::default()), options.clock)
    }

    pub(crate) fn start(kv: Arc<dyn Kv>, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::run(kv, clock, None, Tuning::SHIPPED)
    }

    fn run(kv: Arc<dyn Kv>, clock: Arc<dyn Clock>, disk: Option<Disk>, tuning: Tuning) -> Result<Self> {
        let store = Self::build(kv, clock, disk, tuning)?;
        let started = [store.inner.keeper.start()?, store.inner.builder.start()?];
        store.inner.threads.lock().unwrap_or_else(PoisonError::into_inner).extend(started);
        Ok(store)
    }

    /// Opens without the threads of housekeeping and of the builder.
    pub(crate) fn start_still(kv: Arc<dyn Kv>, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::build(kv, clock, None, Tuning::SHIPPED)
    }

    fn build(kv: Arc<dyn Kv>, clock: Arc<dyn Clock>, disk: Option<Disk>, tuning: Tuning) -> Result<Self> {
        let id = format::check(&*kv)?;
        let tail = read::tail(&*kv)?;
        check_log(&*kv, tail.seq)?;
        let epoch = format::next_epoch(&*kv, tail.seq)?;
        let catalog = Arc::new(load_catalog(&*kv)?);
        let newest = newest_time(&*kv, tail)?;
        let shared = Arc::new(Shared {
            watermark: Watermark::new(tail),
            poison: Poison::default(),
            catalog: ArcSwap::new(Arc::clone(&catalog)),
            defining: RwLock::new(()),
            figures: CommitFigures::default(),
            wakes: Arc::default(),
            listeners: Listeners::default(),
            alarm: Alarm::new(),
            building: Alarm::new(),
            kept: KeepFigures::default(),
            changed: (0..=COLLECTION_IDS_MAX).map(|_| AtomicU64::new(tail.seq.get())).collect(),
            ring: Ring::default(),
            floor: Floor::load(&*kv)?,
            trimmed_bytes: AtomicU64::new(0),
            kv,
            clock,
        });
        let at = shared.clock.now().max(newest);
        let queue = crate::queue::load(&*shared.kv, epoch, at)?;
        let ledger = Ledger {
            tail,
            epoch,
            catalog,
            queue,
            at,
            touched: HashMap::new(),
            recorded: Vec::new(),
            due: None,
            kept: KeepTotals::default(),
            history_floors: HashMap::new(),
            build: false,
            builds: HashMap::new(),
        };
        let writer = Writer::new(Arc::clone(&shared), ledger, tuning);
        let committer = Arc::new(Committer::start(move |intake| writer.run(&intake))?);
        let keeper = Arc::new(Housekeeper::new(Arc::clone(&shared), Arc::clone(&committer)));
        let builder = Arc::new(Builder::new(Arc::clone(&shared), Arc::clone(&committer)));
        let threads = Mutex::default();
        Ok(Self { inner: Arc::new(Inner { shared, committer, keeper, builder, threads, epoch, id, disk }) })
    }

    /// Commits and waits for the answer.
    ///
    /// # Errors
    /// `Conflict` when a precondition fails; `Invalid` when the transaction itself is wrong; `Busy` when
    /// too much waits; `Full` when the disk has little room and the transaction needs some; `Unavailable` when the engine has stopped, in which case the outcome is unknown.
    pub fn commit(&self, transaction: Transaction) -> Result<Receipt> {
        wait(|done| self.submit_done(transaction, done))
    }

    /// Commits without waiting: `done` is called once, usually on the writer's thread, and must be quick.
    pub fn submit(&self, transaction: Transaction, done: impl FnOnce(Result<Receipt>) + Send + 'static) {
        self.submit_done(transaction, Done::new(done));
    }

    fn submit_done(&self, transaction: Transaction, done: Done<Receipt>) {
        if transaction.grows()
            && let Some(Err(error)) = self.inner.disk.as_ref().map(|disk| disk.space.check())
        {
            return done.tell(Err(error));
        }
        let catalog = self.inner.shared.catalog.load();
        match prepare(&catalog, transaction) {
            Ok(prepared) => self.inner.committer.submit(Request::Transaction(Box::new(prepared), done)),
            Err(error) => done.tell(Err(error)),
        }
    }

    /// Creates a collection if it does not exist; an existing one keeps its options.
    ///
    /// # Errors
    /// As `commit`.
    pub fn ensure_collection(&self, name: &str, options: CollectionOptions) -> Result<CollectionId> {
        if let Some(collection) = self.catalog().by_name(name) {
            return Ok(collection.id);
        }
        match self.commit(Transaction::new(Durability::Sync).define(name, options)) {
            Ok(receipt) => receipt.defined.ok_or_else(|| Error::internal("a definition without its id")),
            // Somebody else may have been first.
            Err(error) => self.catalog().by_name(name).map(|collection| collection.id).ok_or(error),
        }
    }

    /// The live document of this name.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes are damaged; `Invalid` when `id` cannot be a name.
    pub fn get(&self, collection: CollectionId, id: &str) -> Result<Option<Document>> {
        let now = self.inner.shared.clock.now();
        Ok(self.head(collection, id)?.filter(|head| head.is_live(now)))
    }

    /// The newest version, tombstones included.
    ///
    /// # Errors
    /// As `get`.
    pub fn head(&self, collection: CollectionId, id: &str) -> Result<Option<Document>> {
        self.present(|kv| read::head(kv, collection, id))
    }

    /// No document of the collection has changed after this sequence: what was read later still holds.
    ///
    /// Costs one load. To keep something derived from a collection, ask before reading it.
    #[must_use]
    pub fn changed(&self, collection: CollectionId) -> Seq {
        let place = usize::try_from(collection.get()).ok();
        let changed = place.and_then(|place| self.inner.shared.changed.get(place));
        Seq::new(changed.map_or(u64::MAX, |changed| changed.load(Ordering::Acquire)))
    }

    /// Exactly the version written at `seq`, tombstones included.
    ///
    /// # Errors
    /// As `get`.
    pub fn version(&self, collection: CollectionId, id: &str, seq: Seq) -> Result<Option<Document>> {
        self.present(|kv| read::version(kv, collection, id, seq))
    }

    /// Versions, newest first, tombstones included.
    ///
    /// # Errors
    /// As `get`.
    pub fn versions(&self, collection: CollectionId, id: &str, limit: usize) -> Result<Vec<Document>> {
        let (kv, catalog) = (&*self.inner.shared.kv, self.inner.shared.catalog.load());
        let versions = read::versions(kv, collection, id, limit)?.into_iter();
        versions.map(|version| schema::present(kv, &catalog, version)).collect()
    }

    /// What is read, with its body of the newest schema.
    fn present(
        &self,
        read: impl FnOnce(&dyn KvRead) -> Result<Option<Document>>,
    ) -> Result<Option<Document>> {
        let (kv, catalog) = (&*self.inner.shared.kv, self.inner.shared.catalog.load());
        read(kv)?.map(|document| schema::present(kv, &catalog, document)).transpose()
    }

    /// The newest version of a collection's schema, counted from 1. Costs little.
    #[must_use]
    pub fn schema_version(&self, collection: CollectionId) -> u32 {
        let catalog = self.inner.shared.catalog.load();
        catalog.by_id(collection).map_or(schema::FIRST, |collection| collection.schema_version())
    }

    /// A consistent view of this moment.
    ///
    /// # Errors
    /// As `get`.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        let shared = &self.inner.shared;
        let still = shared.defining.read().unwrap_or_else(PoisonError::into_inner);
        let (catalog, kv) = (shared.catalog.load_full(), shared.kv.snapshot());
        drop(still);
        Snapshot::new(kv, catalog, shared.clock.now())
    }

    /// Ids whose fields of a declared index hold these values; fewer values match a prefix.
    ///
    /// # Errors
    /// `NotFound` when the collection or index is not declared, or the index is still being built.
    pub fn lookup(
        &self,
        collection: CollectionId,
        index: impl Into<IndexSpec>,
        values: &[Json],
    ) -> Result<Vec<DocId>> {
        let (snapshot, spec) = (self.snapshot()?, index.into());
        let index = snapshot.catalog().by_id(collection).and_then(|collection| collection.readable(&spec));
        let index = index.ok_or_else(|| {
            Error::not_found(format!("index '{}' is not declared or not ready", spec.name()))
        })?;
        snapshot.index_ids(index, &index.prefix(values))
    }

    /// Gives a collection other options, and waits for the commit, not for new indexes to be whole.
    ///
    /// # Errors
    /// `NotFound` when there is no such collection; `Invalid` when the options are wrong; otherwise as `commit`.
    pub fn alter(&self, collection: CollectionId, options: CollectionOptions) -> Result<()> {
        self.commit(Transaction::new(Durability::Sync).alter(collection, options)).map(drop)
    }

    /// Builds at once what the thread of the builder would build by itself; true when no index is left to be built.
    ///
    /// # Errors
    /// As `commit`; what has been done stays done.
    pub fn build_indexes(&self) -> Result<bool> {
        self.inner.builder.pass().map(|again| again.is_none())
    }

    #[cfg(test)]
    pub(crate) fn inner_builder(&self) -> &Builder {
        &self.inner.builder
    }

    /// How many documents have been added to an index that is not ready.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes are damaged.
    pub fn built(&self, index: IndexId) -> Result<u64> {
        crate::index::builder::progress(&*self.inner.shared.kv, index).map(|progress| progress.added)
    }

    /// The collections as of now.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.shared.catalog.load_full()
    }

    /// A reader of the log.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed::new(Arc::clone(&self.inner.shared))
    }

    /// How far the store has come, and waiting for more.
    #[must_use]
    pub fn watermark(&self) -> &Watermark {
        &self.inner.shared.watermark
    }

    /// What was committed under an idempotency key in the last 24 hours.
    ///
    /// # Errors
    /// `Conflict` (`KeyReused`) when it was another request; `Corrupt` when the stored bytes are damaged.
    pub fn recall(&self, idempotency: &Idempotency) -> Result<Option<Remembered>> {
        let value = self.inner.shared.kv.get(Family::Idem, &idempotency.key)?;
        let found = value.map(|value| idem::decode(&idempotency.key, &value)).transpose()?;
        match found.filter(|found| found.is_fresh(self.now())) {
            Some(found) if found.fingerprint != idempotency.fingerprint => Err(Conflict::KeyReused.into()),
            found => Ok(found),
        }
    }

    /// The bytes of a chunk, proved by its name.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes are not those of the name.
    pub fn chunk(&self, hash: &ChunkHash) -> Result<Option<Bytes>> {
        blob::read(&*self.inner.shared.kv, hash)
    }

    /// At most `max` chunks after `after` that were last stored before `before` and that `is_used` does not know; and
    /// where to go on, if there may be more.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes are damaged.
    pub fn orphan_chunks(
        &self,
        before: Millis,
        after: Option<ChunkHash>,
        max: usize,
        is_used: &dyn Fn(&ChunkHash) -> bool,
    ) -> Result<(Vec<ChunkHash>, Option<ChunkHash>)> {
        blob::orphans(&*self.inner.shared.kv, before, after, max, is_used)
    }

    /// Where a named consumer stands.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes are damaged.
    pub fn cursor(&self, name: &str) -> Result<Option<Cursor>> {
        let value = self.inner.shared.kv.get(Family::Meta, &key::meta_cursor(name))?;
        value.map(|value| meta::decode_cursor(name, &value)).transpose()
    }

    /// Every durable cursor whose name begins with `prefix`, by name.
    ///
    /// # Errors
    /// As `cursor`.
    pub fn cursors(&self, prefix: &str) -> Result<Vec<(String, Cursor)>> {
        let mut found = Vec::new();
        let range = KeyRange::prefix(&key::meta_cursor(prefix));
        self.inner.shared.kv.scan(Family::Meta, &range, Direction::Forward, &mut |place, value| {
            let name = place.get(key::META_CURSORS.len()..).unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let cursor = meta::decode_cursor(&name, value)?;
            found.push((name, cursor));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Trims both lanes as far as the policy and the cursors that hold them allow. Blocks; one step at a time.
    ///
    /// # Errors
    /// `Corrupt` when a record or cursor cannot be read; `Busy` and `Unavailable` as `commit`.
    pub fn trim(&self, policy: &TrimPolicy) -> Result<Trimmed> {
        let shared = &self.inner.shared;
        let (from, durable) = (shared.floor.get(), shared.watermark.durable());
        let to = trim::plan(&*shared.kv, from, durable, policy, self.now())?;
        let records = to.seq.get() - from.seq.get() + to.positions.get() - from.positions.get();
        if records == 0 {
            return Ok(Trimmed { floor: from, records: 0, bytes: 0 });
        }
        let bytes = trim::size(&*shared.kv, to)?;
        wait(|done| self.inner.committer.submit(Request::Trim(to, done)))?;
        trim::drop_files(&*shared.kv, to)?;
        shared.trimmed_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(Trimmed { floor: to, records, bytes })
    }

    /// What the feed has done since the store was opened.
    #[must_use]
    pub fn feed_totals(&self) -> FeedTotals {
        let shared = &self.inner.shared;
        let (ring_hits, ring_misses) = shared.ring.totals();
        let trimmed_bytes = shared.trimmed_bytes.load(Ordering::Relaxed);
        FeedTotals { ring_hits, ring_misses, floor: shared.floor.get(), trimmed_bytes }
    }

    /// The durable queue.
    #[must_use]
    pub fn queue(&self) -> Queue<'_> {
        let shared = &self.inner.shared;
        Queue::new(&self.inner.committer, &*shared.kv, &shared.wakes, &shared.listeners)
    }

    /// The number of this opening.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.inner.epoch
    }

    /// Whether this store's history up to `revision.seq` is the one that was seen during `revision.epoch`.
    ///
    /// It is not after a restore or a lost tail: then a later opening began at or before that sequence.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes are damaged.
    pub fn knows(&self, revision: Revision) -> Result<bool> {
        if revision.epoch >= self.epoch() {
            // Read from the store: a version can be seen a moment before the watermark tells.
            let last = read::tail(&*self.inner.shared.kv)?.seq;
            return Ok(revision.epoch == self.epoch() && revision.seq <= last);
        }
        let next = read::number(&*self.inner.shared.kv, &key::meta_epoch(revision.epoch.next()))?;
        Ok(revision.epoch != Epoch::ZERO && revision.seq.get() < next)
    }

    /// Which store this is.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.inner.id
    }

    /// Whether this opening has given up acknowledged data: what was derived from the store before is to be removed.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.inner.disk.as_ref().is_some_and(|disk| disk.has_lost)
    }

    /// The store's time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.inner.shared.clock.now()
    }

    /// Does at once what housekeeping would do by itself soon: ends documents that are past their end, removes versions
    /// that are kept no longer, forgets tombstones. Answers when more will be due.
    ///
    /// # Errors
    /// As `commit`; what has been done stays done.
    pub fn tidy(&self) -> Result<Option<Millis>> {
        self.inner.keeper.pass()
    }

    /// What housekeeping has done since the store was opened.
    #[must_use]
    pub fn kept(&self) -> KeepTotals {
        self.inner.shared.kept.totals()
    }

    /// Documents that are due for housekeeping and not seen to yet, counted up to 10,000.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be read.
    pub fn keep_waiting(&self) -> Result<u64> {
        crate::keep::waiting(&*self.inner.shared.kv, self.now())
    }

    /// Whether it takes writes.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            poisoned: self.inner.shared.poison.reason().map(str::to_owned),
            waiting: self.inner.committer.waiting(),
            commits: self.inner.shared.figures.totals(),
            damaged: self.inner.shared.kv.damaged().into_iter().map(Family::name).collect(),
            room: self.inner.disk.as_ref().map(|disk| disk.space.room()),
        }
    }

    /// What the storage below has done and holds. Takes some of its locks: not for each request.
    ///
    /// # Errors
    /// `Unavailable` when the storage cannot tell.
    pub fn statistics(&self) -> Result<Statistics> {
        let mut statistics = self.inner.shared.kv.statistics()?;
        statistics.syncs.durable = self.inner.shared.figures.durable();
        Ok(statistics)
    }

    /// Reads every key of the store and holds it against the invariants of the format.
    ///
    /// `progress` is called with the number of keys read so far. Answers the first differences, each naming
    /// what and where; none means the store is sound. Reads one consistent moment while writes go on.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be read at all.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<String>> {
        let shared = &self.inner.shared;
        let snapshot = shared.kv.snapshot();
        crate::verify::verify(&*snapshot, &shared.floor, &load_catalog(&*snapshot)?, progress)
    }

    /// Reads on from a place through everything that is stored until about `bytes_max` bytes have been read, and says what
    /// is damaged. Begin at the default place; pace the calls.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot be read for another reason than damage.
    pub fn scrub(&self, from: &ScrubPlace, bytes_max: u64) -> Result<Scrubbed> {
        scrub::step(&*self.inner.shared.kv, from, bytes_max)
    }

    /// One consistent state as files, while writes go on. `dir` is on the file system of the store; it is removed first if
    /// it exists, and again when the checkpoint is dropped.
    ///
    /// # Errors
    /// `Invalid` for a store in memory; `Unavailable` when files cannot be written or read.
    pub fn checkpoint(&self, dir: &Path, watch: Watch<'_>) -> Result<Checkpoint> {
        let shared = &self.inner.shared;
        Checkpoint::take(&*shared.kv, dir, shared.clock.now(), watch)
    }

    /// Writes out what waits and stops the writer; later writes are refused.
    pub fn close(&self) {
        self.inner.stop();
    }
}

pub(crate) fn load_catalog(kv: &dyn KvRead) -> Result<Catalog> {
    let mut collections = Vec::new();
    let range = KeyRange::prefix(key::META_COLLECTIONS);
    kv.scan(Family::Meta, &range, Direction::Forward, &mut |place, value| {
        let id = place
            .get(key::META_COLLECTIONS.len()..)
            .and_then(|id| id.try_into().ok())
            .map(|id| CollectionId::new(u32::from_be_bytes(id)))
            .ok_or_else(|| Error::corrupt("meta/cat/coll: unreadable key"))?;
        collections.push(Arc::new(meta::decode_collection(id, value)?));
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    let next_index = u32::try_from(read::number(kv, key::META_NEXT_INDEX)?);
    let next_index = next_index.map_err(|_| Error::corrupt("meta/cat/next_index: too large"))?;
    Ok(Catalog::new(collections, IndexId::new(next_index.max(1))))
}

/// The counter and the log are written in one batch; if they disagree, acknowledged data is gone.
fn check_log(kv: &dyn Kv, last: Seq) -> Result<()> {
    let floor = Seq::new(read::number(kv, key::META_LOG_FLOOR)?);
    let range = KeyRange::new(key::log(Seq::ZERO), [u8::MAX; 9]);
    let mut newest = None;
    kv.scan(Family::Log, &range, Direction::Backward, &mut |place, _| {
        newest = key::parse_u64(place).map(Seq::new);
        Ok(std::ops::ControlFlow::Break(()))
    })?;
    match newest {
        Some(newest) if newest == last => Ok(()),
        None if last >= floor && (last == floor || last == Seq::ZERO) => Ok(()),
        found => Err(Error::corrupt(format!(
            "the log ends at {}, the store counted to {last}; restore a backup",
            found.map_or("nothing".to_owned(), |seq| seq.to_string())
        ))),
    }
}

/// The time of the newest record of either lane: the store's time goes on from there.
fn newest_time(kv: &dyn Kv, tail: Tail) -> Result<Millis> {
    let change = kv.get(Family::Log, &key::log(tail.seq))?;
    let change = change.map(|value| change::decode(tail.seq, &value)).transpose()?;
    let batch = kv.get(Family::Positions, &key::positions(tail.positions))?;
    let batch = batch.map(|value| positions::decode(tail.positions, &value)).transpose()?;
    let times = [change.map(|change| change.at), batch.map(|(stamp, _)| stamp.at)];
    Ok(times.into_iter().flatten().max().unwrap_or(Millis::ZERO))
}
