//! One consistent state of a running store, as files of their own beside it.
//!
//! The storage below links its files into another directory, which costs no space, and goes on writing new ones.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::backup::{FileFacts, Generation, Watch, names, pool};
use crate::codec::key;
use crate::error::{Error, Result};
use crate::format;
use crate::kv::Kv;
use crate::kv::rocks::RocksKv;
use crate::read;
use crate::types::{Epoch, Millis, Seq};

/// The state of a store at one moment. Dropping it removes the files that were made for it.
#[derive(Debug)]
pub struct Checkpoint {
    dir: PathBuf,
    /// The directory is our own.
    owned: bool,
    manifest: Generation,
}

impl Checkpoint {
    /// Takes a checkpoint in `dir`, which must be on the file system of the store and is removed first if it exists:
    /// a process that died may have left it.
    pub(crate) fn take(kv: &dyn Kv, dir: &Path, now: Millis, watch: Watch<'_>) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(dir).map_err(|error| super::io(dir, &error))?;
        }
        // From here on the directory is ours to remove.
        let mut checkpoint = Self { dir: dir.to_owned(), owned: true, manifest: unknown(now) };
        kv.checkpoint(dir)?;
        checkpoint.look()?;
        checkpoint.sum(watch)?;
        Ok(checkpoint)
    }

    /// The store in `dir` as it is, while no process works there: the files themselves, whatever format they have.
    /// Nothing is written.
    ///
    /// # Errors
    /// `NotFound` when there is no store, `Unavailable` when a file cannot be read.
    pub fn still(dir: &Path, now: Millis, watch: Watch<'_>) -> Result<Self> {
        if !dir.join("CURRENT").exists() {
            return Err(Error::not_found(format!("{}: there is no store", dir.display())));
        }
        let mut checkpoint = Self { dir: dir.to_owned(), owned: false, manifest: unknown(now) };
        checkpoint.look()?;
        checkpoint.sum(watch)?;
        Ok(checkpoint)
    }

    /// What it is of, and its files. It has no generation yet.
    #[must_use]
    pub fn manifest(&self) -> &Generation {
        &self.manifest
    }

    /// Opens one of its files.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be opened.
    pub fn open(&self, facts: &FileFacts) -> Result<File> {
        let path = self.dir.join(&facts.name);
        File::open(&path).map_err(|error| super::io(&path, &error))
    }

    /// What the files say about themselves, which is not quite what the store says now.
    fn look(&mut self) -> Result<()> {
        let kv = RocksKv::open_meta(&self.dir)?;
        let tail = read::tail(&kv)?;
        let epoch = u32::try_from(read::number(&kv, key::META_EPOCH)?).unwrap_or(u32::MAX);
        self.manifest.store = format::identity(&kv)?;
        self.manifest.store_format = read::number(&kv, key::META_FORMAT)?;
        self.manifest.epoch = Epoch::new(epoch);
        self.manifest.last_seq = tail.seq;
        self.manifest.positions_last = tail.positions;
        self.manifest.log_floor = Seq::new(read::number(&kv, key::META_LOG_FLOOR)?);
        Ok(())
    }

    fn sum(&mut self, watch: Watch<'_>) -> Result<()> {
        let mut found = names(&self.dir)?;
        found.retain(|name| is_part(name));
        found.sort_unstable();
        let sizes = found.into_iter().map(|name| {
            let path = self.dir.join(&name);
            let size = fs::metadata(&path).map_err(|error| super::io(&path, &error))?.len();
            Ok((name, size))
        });
        let sizes = sizes.collect::<Result<Vec<_>>>()?;
        let (mut done, total) = (0, sizes.iter().map(|(_, size)| size).sum());
        for (name, size) in sizes {
            let path = self.dir.join(&name);
            let summed = File::open(&path).and_then(|mut file| pool::copy(&mut file, &mut io::sink()));
            let (size_read, crc32c) = summed.map_err(|error| super::io(&path, &error))?;
            self.manifest.files.push(FileFacts { name, size: size_read, crc32c });
            done += size;
            watch("read", done, total);
        }
        Ok(())
    }
}

/// The lock and the storage's own talk are no part of the state.
fn is_part(name: &str) -> bool {
    name != "LOCK" && !name.starts_with("LOG") && !name.ends_with(".dbtmp")
}

fn unknown(created: Millis) -> Generation {
    Generation {
        number: 0,
        created,
        store: crate::types::StoreId([0; 16]),
        store_format: 0,
        epoch: Epoch::ZERO,
        last_seq: Seq::ZERO,
        positions_last: crate::types::PositionSeq::ZERO,
        log_floor: Seq::ZERO,
        files: Vec::new(),
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        // Links only; what is left is removed by the next checkpoint.
        if let Err(error) = fs::remove_dir_all(&self.dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, dir = %self.dir.display(), "a checkpoint cannot be removed");
        }
    }
}
