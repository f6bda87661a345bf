//! The data directory: its layout, its format number, and the lock that names its holder.
//!
//! ```text
//! DIR/LOCK            held by flock while a process works here: {"pid", "started"}
//! DIR/dateline.json   {"format": N}: a one-way number, a newer one is refused
//! DIR/store           documents and log
//! DIR/index           full text
//! DIR/geo             snapshots of the spatial state, and the index of tracks
//! DIR/scrub.json      how far the search for damage has come
//! DIR/checkpoint      links to the files of a backup in the making; removed with it, or when the directory is taken
//! ```
//!
//! The lock goes with the process that took it, so a crash never leaves a directory locked.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use dateline_engine::{Clock, SystemClock};
use serde_json::{Value, json};

/// Number of the directory layout; raised by one for each layout an older program cannot read.
pub const FORMAT: u64 = 1;

/// The file with the format number.
const MARK: &str = "dateline.json";

/// Why a data directory cannot be used.
#[derive(Debug)]
pub enum DataError {
    /// Another process works in it.
    Held {
        /// The directory.
        dir: PathBuf,
        /// What that process wrote about itself, such as `pid 4711`.
        holder: String,
    },
    /// It was written by a newer program.
    Newer {
        /// The directory.
        dir: PathBuf,
        /// The number found there.
        format: u64,
    },
    /// It should be empty and is not.
    Occupied {
        /// The directory.
        dir: PathBuf,
        /// Something that is in it.
        name: String,
    },
    /// It cannot be read or written, or holds something else.
    Unusable {
        /// The file in question.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { dir, holder } => write!(f, "{} is in use by {holder}", dir.display()),
            Self::Newer { dir, format } => write!(
                f,
                "{} has format {format}, this program reads up to {FORMAT}: use a newer dateline",
                dir.display()
            ),
            Self::Occupied { dir, name } => {
                write!(f, "{} is not empty (holds {name}); name a new directory", dir.display())
            }
            Self::Unusable { path, reason } => write!(f, "{}: {reason}", path.display()),
        }
    }
}

impl std::error::Error for DataError {}

/// A data directory held by this process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Only held: closing the file releases the lock.
    _lock: File,
}

impl DataDir {
    /// Takes the directory, creating it if there is none.
    ///
    /// # Errors
    /// `Held` while another process has it, `Newer` when a newer program wrote it, else `Unusable`.
    pub fn take(path: &Path) -> Result<Self, DataError> {
        fs::create_dir_all(path).map_err(|error| unusable(path, error))?;
        let lock = lock(path)?;
        check_format(path)?;
        let data = Self { path: path.to_owned(), _lock: lock };
        // A process that died during a backup leaves links, which keep the space of files that are gone.
        remove(&data.checkpoint())?;
        Ok(data)
    }

    /// The data directory that a directory is or lies in.
    #[must_use]
    pub fn around(path: &Path) -> Option<&Path> {
        path.ancestors().find(|dir| dir.join(MARK).exists())
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the engine lives.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Where a backup in the making is.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// Where the full-text index lives.
    #[must_use]
    pub fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    /// Where the spatial snapshots live.
    #[must_use]
    pub fn geo(&self) -> PathBuf {
        self.path.join("geo")
    }

    /// Where the index of tracks lives.
    #[must_use]
    pub fn tracks(&self) -> PathBuf {
        self.path.join("geo").join("tracks")
    }
}

/// A directory that is to become a data directory: nothing else is in it, and it is no data directory until it is
/// finished, so that one that was cut short is not served.
#[derive(Debug)]
pub struct EmptyDir {
    path: PathBuf,
    lock: File,
}

/// The store of a directory that is not finished.
const DRAFT: &str = "store.restoring";

impl EmptyDir {
    /// Takes an empty directory, creating it if there is none. What an earlier attempt left is removed.
    ///
    /// # Errors
    /// `Held` while another process has it, `Occupied` when something is in it, else `Unusable`.
    pub fn take(path: &Path) -> Result<Self, DataError> {
        if let Some(name) = stranger(path, &["LOCK", "lost+found", DRAFT])? {
            return Err(DataError::Occupied { dir: path.to_owned(), name });
        }
        fs::create_dir_all(path).map_err(|error| unusable(path, error))?;
        let dir = Self { path: path.to_owned(), lock: lock(path)? };
        remove(&dir.draft())?;
        Ok(dir)
    }

    /// Where its store is to be made.
    #[must_use]
    pub fn draft(&self) -> PathBuf {
        self.path.join(DRAFT)
    }

    /// Gives the store its place and makes it a data directory.
    ///
    /// # Errors
    /// `Unusable` when it cannot be written.
    pub fn finish(self) -> Result<DataDir, DataError> {
        let data = DataDir { path: self.path.clone(), _lock: self.lock };
        let moved =
            fs::rename(self.path.join(DRAFT), data.store()).and_then(|()| File::open(&self.path)?.sync_all());
        moved.map_err(|error| unusable(&data.store(), error))?;
        write_format(&self.path, &self.path.join("dateline.json"), &["LOCK", "lost+found", "store"])?;
        Ok(data)
    }
}

fn remove(dir: &Path) -> Result<(), DataError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(dir, error)),
        _ => Ok(()),
    }
}

/// Something in a directory besides these names.
fn stranger(dir: &Path, known: &[&str]) -> Result<Option<String>, DataError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(|error| unusable(dir, error))?,
    };
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.into_iter().find(|name| !known.contains(&name.as_str())))
}

fn lock(dir: &Path) -> Result<File, DataError> {
    let path = dir.join("LOCK");
    // Not truncated on opening: until the lock is ours, the content is the holder's.
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unusable(&path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // A holder that has not written yet is still a holder.
            let _ = file.read_to_string(&mut text);
            return Err(DataError::Held { dir: dir.to_owned(), holder: holder(&text) });
        }
        Err(TryLockError::Error(error)) => return Err(unusable(&path, error)),
    }
    let started = crate::eve::date::format(SystemClock.now().get());
    let text = format!("{}\n", json!({"pid": std::process::id(), "started": started}));
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_data())
        .map_err(|error| unusable(&path, error))?;
    Ok(file)
}

fn holder(text: &str) -> String {
    let found: Value = serde_json::from_str(text).unwrap_or_default();
    let pid = found.get("pid").and_then(Value::as_u64);
    let started = found.get("started").and_then(Value::as_str);
    match (pid, started) {
        (Some(pid), Some(started)) => format!("pid {pid}, started {started}"),
        (Some(pid), None) => format!("pid {pid}"),
        _ => "another process".to_owned(),
    }
}

fn check_format(dir: &Path) -> Result<(), DataError> {
    let path = dir.join(MARK);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return write_format(dir, &path, &["LOCK", "lost+found"]);
        }
        Err(error) => return Err(unusable(&path, error)),
    };
    let format = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|value| value.get("format")?.as_u64())
        .filter(|format| *format > 0)
        .ok_or_else(|| unusable(&path, "no format number in it; is this a dateline directory?"))?;
    if format > FORMAT {
        return Err(DataError::Newer { dir: dir.to_owned(), format });
    }
    Ok(())
}

fn write_format(dir: &Path, path: &Path, known: &[&str]) -> Result<(), DataError> {
    // A directory full of something else is not made ours by accident.
    if let Some(name) = stranger(dir, known)? {
        let reason = format!("not empty (holds {name}) and not a dateline directory");
        return Err(unusable(dir, reason));
    }
    let draft = dir.join("dateline.json.new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&draft)?;
        writeln!(file, "{}", json!({"format": FORMAT}))?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, reason: impl fmt::Display) -> DataError {
    DataError::Unusable { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::take(dir.path()).unwrap();
        let error = DataDir::take(dir.path()).unwrap_err();
        assert!(matches!(error, DataError::Held { .. }));
        assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
        drop(first);
        DataDir::take(dir.path()).unwrap();
    }

    #[test]
    fn newer_and_foreign_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::take(dir.path()).unwrap());
        fs::write(dir.path().join("dateline.json"), r#"{"format": 2}"#).unwrap();
        let error = DataDir::take(dir.path()).unwrap_err();
        assert!(matches!(error, DataError::Newer { format: 2, .. }), "{error}");
        fs::write(dir.path().join("dateline.json"), "nonsense").unwrap();
        assert!(matches!(DataDir::take(dir.path()), Err(DataError::Unusable { .. })));

        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("thesis.tex"), "x").unwrap();
        assert!(DataDir::take(other.path()).unwrap_err().to_string().contains("thesis.tex"));
        assert!(!other.path().join("dateline.json").exists());
    }
}
