//! Backups: a directory that holds any number of generations of one store, and what can be done with it.
//!
//! ```text
//! OUT/dateline-backup.json        {"format":1}: marks the directory, and is locked by whoever writes to it
//! OUT/files/NAME-SIZE-CRC32C      the pool: files of the storage below, each stored once, written once
//! OUT/generations/000001.json     one generation: the state of the store at one moment, by the files it consists of
//! ```
//! A generation exists once its manifest has its name. Everything it names has been synced before, so a backup that
//! was cut short is never taken for one: what it leaves is files that no manifest names, and the next one uses or
//! removes them. Later generations share the files that have not changed, so each is whole and small.
//!
//! What is derived (full text, device snapshots) is not in a backup; it is built again after a restore.

mod check;
mod checkpoint;
mod manifest;
mod pool;
mod restore;
pub(crate) mod rewind;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

pub use check::Checked;
pub use checkpoint::Checkpoint;
pub use manifest::{FileFacts, Generation};
pub use restore::{Choice, Restored, Until};
pub use rewind::Rewound;

use crate::error::{Error, ErrorKind, Result};

/// Hears how far long work has come: which part, what is done of it, and of how much. The unit is bytes, or keys
/// where the total is 0.
pub type Watch<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// Number of the layout; raised when an older program could not read it.
const FORMAT: u64 = 1;
const MARK: &str = "dateline-backup.json";
const FILES: &str = "files";
const GENERATIONS: &str = "generations";

/// A directory of backups.
#[derive(Debug)]
pub struct BackupDir {
    root: PathBuf,
}

/// The right to write to a directory of backups; the lock goes with the process that holds it.
#[derive(Debug)]
pub struct BackupWriter {
    dir: BackupDir,
    // Only held: closing the file releases the lock.
    _mark: File,
}

/// What a new generation has cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The generation.
    pub manifest: Generation,
    /// Files that were not there before.
    pub files_new: u64,
    /// Their bytes.
    pub bytes_new: u64,
}

/// What a removal has given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Generations that are gone.
    pub generations: Vec<u32>,
    /// Files that no generation named any more.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl BackupDir {
    /// Opens an existing directory of backups for reading.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Invalid` when it is something else or was written by a newer version.
    pub fn open(root: &Path) -> Result<Self> {
        let mark = root.join(MARK);
        let text = match fs::read_to_string(&mark) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::not_found(format!("{}: there is no backup in it", root.display())));
            }
            Err(error) => return Err(io(&mark, &error)),
        };
        let format = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|mark| mark.get("format")?.as_u64())
            .ok_or_else(|| Error::corrupt(format!("{}: no format number in it", mark.display())))?;
        match format {
            FORMAT => Ok(Self { root: root.to_owned() }),
            newer if newer > FORMAT => Err(Error::invalid(format!(
                "{}: backup format {newer}, this program reads {FORMAT}; use a newer version",
                root.display()
            ))),
            other => Err(Error::corrupt(format!("{}: format {other} was never written", mark.display()))),
        }
    }

    /// The generations, oldest first. One whose manifest cannot be read is told with the reason.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read.
    pub fn generations(&self) -> Result<Vec<(u32, Result<Generation>)>> {
        let mut found = Vec::new();
        for name in names(&self.root.join(GENERATIONS))? {
            if let Some(number) = manifest::parse_name(&name) {
                found.push((number, manifest::read(&self.root.join(GENERATIONS), number)));
            }
        }
        found.sort_by_key(|(number, _)| *number);
        Ok(found)
    }

    /// The generation of this number.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Corrupt` when it cannot be read.
    pub fn generation(&self, number: u32) -> Result<Generation> {
        manifest::read(&self.root.join(GENERATIONS), number)
    }

    fn pool(&self) -> PathBuf {
        self.root.join(FILES)
    }
}

impl BackupWriter {
    /// Takes a directory of backups to write to, and creates it where there is nothing.
    ///
    /// # Errors
    /// `Invalid` when the directory holds something else, `Unavailable` when another process writes to it or it cannot
    /// be written.
    pub fn take(root: &Path) -> Result<Self> {
        let path = root.join(MARK);
        if !path.exists() {
            create(root)?;
        }
        let mark =
            OpenOptions::new().read(true).write(true).open(&path).map_err(|error| io(&path, &error))?;
        match mark.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let place = root.display();
                return Err(Error::unavailable(format!("{place}: another process writes a backup there")));
            }
            Err(TryLockError::Error(error)) => return Err(io(&path, &error)),
        }
        let dir = BackupDir::open(root)?;
        pool::remove_drafts(&dir.pool())?;
        Ok(Self { dir, _mark: mark })
    }

    /// The directory, for reading.
    #[must_use]
    pub fn dir(&self) -> &BackupDir {
        &self.dir
    }

    /// Adds the state of a checkpoint as the newest generation.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be read or written; then no generation has been added.
    pub fn add(&self, checkpoint: &Checkpoint, watch: Watch<'_>) -> Result<Taken> {
        let (mut done, total) = (0, checkpoint.manifest().bytes());
        let (mut files_new, mut bytes_new) = (0, 0);
        for facts in &checkpoint.manifest().files {
            if self.lacks(facts) {
                self.receive(facts, &mut checkpoint.open(facts)?)?;
                files_new += 1;
                bytes_new += facts.size;
            }
            done += facts.size;
            watch("copy", done, total);
        }
        let manifest = self.publish(checkpoint.manifest())?;
        Ok(Taken { manifest, files_new, bytes_new })
    }

    /// Whether the pool has no file of these facts. Its content is not read: `verify` does.
    #[must_use]
    pub fn lacks(&self, facts: &FileFacts) -> bool {
        let found = fs::metadata(self.dir.pool().join(facts.pool_name()));
        found.map_or(true, |found| found.len() != facts.size)
    }

    /// The files of the pool, by the names it gives them.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read.
    pub fn holdings(&self) -> Result<Vec<String>> {
        names(&self.dir.pool())
    }

    /// Puts a file into the pool. It gets its name once all of it is there, is what was promised and has been synced.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not those of the facts, `Unavailable` when they cannot be read or written.
    pub fn receive(&self, facts: &FileFacts, from: &mut dyn std::io::Read) -> Result<()> {
        pool::add(&self.dir.pool(), facts, from)
    }

    /// Makes the next generation of this manifest, whose files must all be there; then removes what no generation names.
    ///
    /// # Errors
    /// `Corrupt` when a file is missing, `Unavailable` when something cannot be written.
    pub fn publish(&self, manifest: &Generation) -> Result<Generation> {
        if let Some(missing) = manifest.files.iter().find(|facts| self.lacks(facts)) {
            let name = missing.pool_name();
            return Err(Error::corrupt(format!("{FILES}/{name} did not arrive; no backup was added")));
        }
        sync_dir(&self.dir.pool())?;
        let known = self.dir.generations()?;
        let number = known.last().map_or(1, |(number, _)| number + 1);
        let manifest = Generation { number, ..manifest.clone() };
        manifest::write(&self.dir.root.join(GENERATIONS), &manifest)?;
        self.sweep()?;
        Ok(manifest)
    }

    /// Keeps the newest `keep` generations.
    ///
    /// # Errors
    /// `Invalid` for 0; `Corrupt` when a manifest that stays cannot be read: nobody knows which files it names.
    pub fn prune(&self, keep: usize) -> Result<Pruned> {
        if keep == 0 {
            return Err(Error::invalid("at least one generation is kept"));
        }
        let known = self.dir.generations()?;
        let gone = known.len().saturating_sub(keep);
        let (gone, stay) = known.split_at_checked(gone).unwrap_or_default();
        if let Some((_, Err(error))) = stay.iter().find(|(_, manifest)| manifest.is_err()) {
            return Err(error.clone());
        }
        let mut pruned = Pruned::default();
        for (number, _) in gone {
            let path = self.dir.root.join(GENERATIONS).join(manifest::name(*number));
            fs::remove_file(&path).map_err(|error| io(&path, &error))?;
            pruned.generations.push(*number);
        }
        // The manifests are gone for good before the files they name are.
        sync_dir(&self.dir.root.join(GENERATIONS))?;
        (pruned.files, pruned.bytes) = self.sweep()?;
        Ok(pruned)
    }

    /// Removes pool files that no generation names; their number and bytes. While a manifest cannot be read nothing
    /// is removed.
    fn sweep(&self) -> Result<(u64, u64)> {
        let manifests = self.dir.generations()?.into_iter().map(|(_, manifest)| manifest);
        match manifests.collect::<Result<Vec<_>>>() {
            Ok(manifests) => pool::sweep(&self.dir.pool(), &manifests),
            Err(error) => {
                tracing::warn!(%error, "old files of the backup are kept, because a generation cannot be read");
                Ok((0, 0))
            }
        }
    }
}

fn create(root: &Path) -> Result<()> {
    fs::create_dir_all(root).map_err(|error| io(root, &error))?;
    let draft = format!("{MARK}.new");
    if let Some(stranger) =
        names(root)?.into_iter().find(|name| *name != draft && *name != FILES && *name != GENERATIONS)
    {
        let place = root.display();
        return Err(Error::invalid(format!("{place}: not empty (holds {stranger}) and not a backup")));
    }
    for part in [FILES, GENERATIONS] {
        let part = root.join(part);
        fs::create_dir_all(&part).map_err(|error| io(&part, &error))?;
    }
    write_whole(root, MARK, format!("{{\"format\":{FORMAT}}}\n").as_bytes())
}

/// Writes a small file under a draft's name, syncs it and gives it its own.
fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let (draft, path) = (dir.join(format!("{name}.new")), dir.join(name));
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    };
    write().map_err(|error| {
        // The draft is ours, and useless.
        let _ = fs::remove_file(&draft);
        io(&path, &error)
    })?;
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| io(dir, &error))
}

/// Names of what is in a directory; a name that is no text is none of ours.
fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).map_err(|error| io(dir, &error))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| io(dir, &error))?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

fn io(path: &Path, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{}: {error}", path.display()))
}
