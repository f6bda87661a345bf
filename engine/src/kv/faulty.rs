//! A store of bytes whose disk fails on command and whose power can be cut.
//!
//! It keeps what a program sees apart from what a disk would have: a write without a sync is only in the tail, and a
//! cut leaves what was synced and any first part of the tail. Every operation is counted, so that a test can make
//! the first one fail, then the second, until a run needs no failure (SQLite's I/O error loop).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::memory::MemoryKv;
use crate::kv::{Direction, KeyRange, Kv, KvRead, Visit};
use crate::statistics::Statistics;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Once; nothing of it happens.
    Once,
    /// Once, for a write: the error comes although its bytes have reached the log, and may be found after a restart.
    OnceLate,
    /// From then on everything that writes fails, as on a full disk.
    WritesForGood,
    /// From then on everything fails, as of a disk that is gone.
    ForGood,
}

#[derive(Debug, Default)]
struct Disk {
    synced: MemoryKv,
    /// Written and not synced, in order.
    tail: Vec<Batch>,
}

#[derive(Debug)]
struct Inner {
    live: MemoryKv,
    disk: Mutex<Disk>,
    /// Operations left before the fault.
    left: AtomicU64,
    fault: Fault,
    /// The fault has come.
    hit: AtomicBool,
}

/// Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct FaultyKv {
    inner: Arc<Inner>,
}

impl FaultyKv {
    /// On a disk that holds `disk`: the operation after `nth` others fails.
    pub(crate) fn new(disk: &MemoryKv, nth: u64, fault: Fault) -> Self {
        let disk = Mutex::new(Disk { synced: disk.copy(), tail: Vec::new() });
        let live = disk.lock().unwrap_or_else(PoisonError::into_inner).synced.copy();
        let (left, hit) = (AtomicU64::new(nth), AtomicBool::new(false));
        Self { inner: Arc::new(Inner { live, disk, left, fault, hit }) }
    }

    /// Whether the fault has come.
    pub(crate) fn hit(&self) -> bool {
        self.inner.hit.load(Ordering::Acquire)
    }

    /// What the disk holds after a power cut; `keep` chooses how many of so many unsynced writes.
    pub(crate) fn cut(&self, keep: impl FnOnce(usize) -> usize) -> MemoryKv {
        let disk = self.disk();
        let found = disk.synced.copy();
        for batch in disk.tail.iter().take(keep(disk.tail.len())) {
            found.write(batch, true).unwrap();
        }
        found
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.inner.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one operation; whether it fails.
    fn fails(&self, writes: bool) -> bool {
        let inner = &self.inner;
        if inner.hit.load(Ordering::Acquire) {
            return inner.fault == Fault::ForGood || (inner.fault == Fault::WritesForGood && writes);
        }
        let before = inner.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        if before.is_err() {
            inner.hit.store(true, Ordering::Release);
            return inner.fault != Fault::WritesForGood || writes;
        }
        false
    }

    fn read(&self) -> Result<()> {
        if self.fails(false) { Err(failed("read")) } else { Ok(()) }
    }
}

fn failed(what: &str) -> Error {
    Error::unavailable(format!("IO error: the {what} was made to fail"))
}

impl KvRead for FaultyKv {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read()?;
        self.inner.live.get(family, key)
    }

    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.read()?;
        self.inner.live.multi_get(family, keys)
    }

    fn scan(
        &self,
        family: Family,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        self.read()?;
        self.inner.live.scan(family, range, direction, visit)
    }
}

impl Kv for FaultyKv {
    fn write(&self, batch: &Batch, sync: bool) -> Result<()> {
        let fails = self.fails(true);
        if fails && self.inner.fault != Fault::OnceLate {
            return Err(failed("write"));
        }
        let mut disk = self.disk();
        disk.tail.push(batch.clone());
        if fails {
            return Err(failed("sync"));
        }
        self.inner.live.write(batch, sync)?;
        if sync {
            flush(&mut disk)?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        if self.fails(true) { Err(failed("sync")) } else { flush(&mut self.disk()) }
    }

    fn size(&self, family: Family, range: &KeyRange) -> Result<u64> {
        self.read()?;
        self.inner.live.size(family, range)
    }

    fn drop_files(&self, family: Family, range: &KeyRange) -> Result<()> {
        if self.fails(true) { Err(failed("removal")) } else { self.inner.live.drop_files(family, range) }
    }

    fn snapshot(&self) -> Box<dyn KvRead + Send + '_> {
        Box::new(FaultySnapshot { kv: self, view: self.inner.live.snapshot() })
    }

    fn statistics(&self) -> Result<Statistics> {
        self.inner.live.statistics()
    }
}

fn flush(disk: &mut Disk) -> Result<()> {
    let tail = std::mem::take(&mut disk.tail);
    tail.iter().try_for_each(|batch| disk.synced.write(batch, true))
}

struct FaultySnapshot<'a> {
    kv: &'a FaultyKv,
    view: Box<dyn KvRead + Send + 'a>,
}

impl KvRead for FaultySnapshot<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.kv.read()?;
        self.view.get(family, key)
    }

    fn multi_get(&self, family: Family, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        self.kv.read()?;
        self.view.multi_get(family, keys)
    }

    fn scan(
        &self,
        family: Family,
        range: &KeyRange,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        self.kv.read()?;
        self.view.scan(family, range, direction, visit)
    }
}
