//! A store made of a backup, as it was then or as it was at an earlier moment.
//!
//! The epoch is raised by a random step, so that it is none that the store of the backup came to have after it was
//! taken: entity tags and stream positions of the time that is lost are recognised, and not taken for those of what is
//! written now.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use crate::backup::check::MEMORY;
use crate::backup::rewind::{self, Rewound};
use crate::backup::{BackupDir, FileFacts, Generation, Watch, pool, sync_dir};
use crate::clock::SystemClock;
use crate::codec::{key, meta};
use crate::error::{Error, Result};
use crate::format;
use crate::kv::Kv;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::rocks::RocksKv;
use crate::limits::{RESTORE_EPOCHS_MIN, RESTORE_EPOCHS_SPAN};
use crate::read;
use crate::store::Store;
use crate::types::{Epoch, Millis, Seq, StoreId, Tail};

/// A moment to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The last whole transaction up to this record.
    Seq(Seq),
    /// What was committed at or before this time.
    Time(Millis),
}

/// What is to be restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Of this generation; otherwise of the newest, or of the oldest that reaches the moment.
    pub generation: Option<u32>,
    /// Back to this moment; otherwise all that was backed up.
    pub until: Option<Until>,
    /// Raise a store of an older format, which older programs cannot read afterwards.
    pub upgrade: bool,
}

/// What has been restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The generation.
    pub generation: u32,
    /// Which store it is.
    pub store: StoreId,
    /// The first epoch of the restored store.
    pub epoch: Epoch,
    /// Where both lanes end.
    pub tail: Tail,
    /// Bytes copied.
    pub bytes: u64,
    /// What was taken back after the generation, where a moment was given.
    pub rewound: Option<Rewound>,
}

impl BackupDir {
    /// Makes a store in `into`, which must not exist, and verifies it. On an error nothing is left there.
    ///
    /// # Errors
    /// `Invalid` when `into` exists, the moment lies ahead of every backup, or the format is not this program's; `Gone` when the moment
    /// lies before what the backup can tell; `NotFound` when there is no such generation; `Corrupt` when the backup is
    /// damaged.
    pub fn restore(&self, choice: Choice, into: &Path, watch: Watch<'_>) -> Result<Restored> {
        if into.exists() {
            return Err(Error::invalid(format!("{}: it exists already", into.display())));
        }
        let manifest = self.choose(choice)?;
        if !choice.upgrade {
            format::check_number(&meta::number(manifest.store_format))?;
        }
        let outcome = self.restore_into(&manifest, choice.until, into, watch);
        if outcome.is_err() {
            // Made by us, and of no use to anybody.
            let _ = fs::remove_dir_all(into);
        }
        outcome
    }

    fn restore_into(
        &self,
        manifest: &Generation,
        until: Option<Until>,
        into: &Path,
        watch: Watch<'_>,
    ) -> Result<Restored> {
        self.copy_out(manifest, into, watch)?;
        let kv = RocksKv::open(into, MEMORY)?;
        format::upgrade(&kv)?;
        raise_epoch(&kv)?;
        let rewound = until.map(|until| rewind::rewind(&kv, until, watch)).transpose()?;
        drop(kv);
        let kv = RocksKv::open(into, MEMORY)?;
        let store = Store::start_still(Arc::new(kv), Arc::new(SystemClock))?;
        let found = store.verify(&mut |keys| watch("verify", keys, 0))?;
        let (epoch, tail, store_id) = (store.epoch(), store.watermark().applied(), store.id());
        store.close();
        if !found.is_empty() {
            return Err(Error::corrupt(format!("the restored store does not verify: {}", found.join("; "))));
        }
        let generation = manifest.number;
        Ok(Restored { generation, store: store_id, epoch, tail, bytes: manifest.bytes(), rewound })
    }

    fn copy_out(&self, manifest: &Generation, into: &Path, watch: Watch<'_>) -> Result<()> {
        fs::create_dir_all(into).map_err(|error| super::io(into, &error))?;
        let (mut done, total) = (0, manifest.bytes());
        for facts in &manifest.files {
            self.copy_file(facts, into)?;
            done += facts.size;
            watch("copy", done, total);
        }
        sync_dir(into)?;
        into.parent().map_or(Ok(()), sync_dir)
    }

    fn copy_file(&self, facts: &FileFacts, into: &Path) -> Result<()> {
        let name = facts.pool_name();
        let (from, to) = (self.pool().join(&name), into.join(&facts.name));
        let mut source = File::open(&from).map_err(|error| super::io(&from, &error))?;
        let copied = File::create(&to).and_then(|mut file| {
            let found = pool::copy(&mut source, &mut file)?;
            file.sync_all()?;
            Ok(found)
        });
        match pool::difference(facts, copied.map_err(|error| super::io(&to, &error))?) {
            None => Ok(()),
            Some(difference) => Err(Error::corrupt(format!("{}: {difference}", from.display()))),
        }
    }

    fn choose(&self, choice: Choice) -> Result<Generation> {
        if let Some(number) = choice.generation {
            return self.generation(number);
        }
        let mut known = self.generations()?;
        let Some((_, newest)) = known.pop() else {
            return Err(Error::not_found(format!("{}: there is no generation in it", self.root.display())));
        };
        let newest = newest?;
        let Some(until) = choice.until else { return Ok(newest) };
        let reaches = |manifest: &Generation| match until {
            Until::Seq(seq) => manifest.last_seq >= seq,
            Until::Time(time) => manifest.created >= time,
        };
        if !reaches(&newest) {
            let (seq, created) = (newest.last_seq, newest.created);
            return Err(Error::invalid(format!("the newest backup ends at {seq}, taken at {created} ms")));
        }
        // The oldest that reaches it has the most history; but only where no restore lies between.
        let mut chosen = newest;
        while let Some((_, Ok(older))) = known.pop() {
            if !reaches(&older) || !precedes(&older, &chosen) {
                break;
            }
            chosen = older;
        }
        Ok(chosen)
    }
}

/// Whether one history led from one to the other.
fn precedes(older: &Generation, newer: &Generation) -> bool {
    let steps = newer.epoch.get().checked_sub(older.epoch.get());
    older.store == newer.store
        && older.last_seq <= newer.last_seq
        && steps.is_some_and(|steps| steps < RESTORE_EPOCHS_MIN)
}

/// Leaves room between the epoch of the backup and the next: whatever the store of the backup did after it was taken,
/// it hardly came to the same one, and neither did another restore.
fn raise_epoch(kv: &dyn Kv) -> Result<()> {
    let before = read::number(kv, key::META_EPOCH)?;
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|e| Error::unavailable(format!("no randomness: {e}")))?;
    let step = RESTORE_EPOCHS_MIN + u32::from_le_bytes(random) % RESTORE_EPOCHS_SPAN;
    let after = u32::try_from(before).ok().and_then(|before| before.checked_add(step));
    let after = after.ok_or_else(|| Error::corrupt(format!("meta/epoch: {before}")))?;
    let ended = u32::try_from(before).map(|before| Epoch::new(before).next()).unwrap_or_default();
    let last = read::tail(kv)?.seq;
    let mut batch = Batch::default();
    batch.put(Family::Meta, key::META_EPOCH, &meta::number(u64::from(after)));
    // The epoch of the backup ended where the backup does.
    batch.put(Family::Meta, &key::meta_epoch(ended), &meta::number(last.next().get()));
    kv.write(&batch, true)
}
