//! Directories of the index: one per generation, and a small file that names the current one.
//!
//! ```text
//! <dir>/current   decimal number of the generation that serves, and a newline
//! <dir>/<number>/ a tantivy index
//! ```
//! `current` is replaced by rename, after everything of the generation it names is durable. Whatever else is
//! in the directory is a rebuild that was not finished, or an old generation, and is removed.

use std::fs;
use std::path::{Path, PathBuf};

use dateline_engine::{Error, Result, Tail, Witness};
use tantivy::directory::Directory;
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexReader, ReloadPolicy};

use crate::address::AddressTokenizer;
use crate::checkpoint::Checkpoint;
use crate::fault;
use crate::schema::{ADDRESS, Fields, schema};

const CURRENT: &str = "current";

/// One tantivy index.
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) dir: PathBuf,
    pub(crate) index: Index,
    pub(crate) fields: Fields,
    pub(crate) reader: IndexReader,
}

impl Generation {
    /// Makes an empty one.
    pub(crate) fn create(root: &Path, number: u64) -> Result<Self> {
        let dir = root.join(number.to_string());
        remove_dir(&dir)?;
        fs::create_dir_all(&dir).map_err(fault::file(&dir))?;
        fault::sync_dir(root)?;
        let index = Index::create_in_dir(&dir, schema().0).map_err(fault::tantivy("create"))?;
        Self::of_index(number, dir, index)
    }

    /// Opens one that was made before.
    pub(crate) fn open(root: &Path, number: u64) -> Result<Self> {
        let dir = root.join(number.to_string());
        let index = Index::open_in_dir(&dir).map_err(fault::tantivy("open"))?;
        if index.schema() != schema().0 {
            return Err(Error::corrupt(format!("search index: {} has another schema", dir.display())));
        }
        check_files(&index)?;
        Self::of_index(number, dir, index)
    }

    fn of_index(number: u64, dir: PathBuf, index: Index) -> Result<Self> {
        index.tokenizers().register(ADDRESS, TextAnalyzer::from(AddressTokenizer::new()));
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(fault::tantivy("read segments"))?;
        Ok(Self { number, dir, index, fields: schema().1, reader })
    }

    /// What its last commit says.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint> {
        let meta = self.index.load_metas().map_err(fault::tantivy("read meta.json"))?;
        let payload = meta.payload.ok_or_else(|| Error::corrupt("search index: no checkpoint"))?;
        Checkpoint::decode(&payload)
    }
}

/// Tantivy opens some files only when a query needs them and takes a missing one for an empty one.
fn check_files(index: &Index) -> Result<()> {
    let written = index.directory().list_managed_files();
    let meta = index.load_metas().map_err(fault::tantivy("read meta.json"))?;
    for file in meta.list_segment_files().intersection(&written) {
        let exists = index.directory().exists(file);
        if !exists.map_err(|error| fault::tantivy("look for files")(error.into()))? {
            return Err(Error::corrupt(format!("search index: {} is missing", file.display())));
        }
    }
    // Without this list no obsolete file would ever be removed.
    if written.is_empty() {
        return Err(Error::corrupt("search index: the list of its files is missing"));
    }
    Ok(())
}

/// How far the generation that serves has come, read from its files as they are; `None` when they do not say.
pub fn witness(root: &Path) -> Option<Witness> {
    let number = current(root).ok()??;
    let meta = fs::read(root.join(number.to_string()).join("meta.json")).ok()?;
    let meta: serde_json::Value = serde_json::from_slice(&meta).ok()?;
    let checkpoint = Checkpoint::decode(meta.get("payload")?.as_str()?).ok()?;
    let at = Tail { seq: checkpoint.mark.seq, ..Tail::default() };
    Some(Witness { what: "the search index".to_owned(), store: checkpoint.store, at })
}

/// The generation that serves, if one was ever finished.
pub(crate) fn current(root: &Path) -> Result<Option<u64>> {
    let path = root.join(CURRENT);
    match fs::read_to_string(&path) {
        // An unreadable name is that of no generation; the index is rebuilt.
        Ok(text) => Ok(text.strip_suffix('\n').and_then(|number| number.parse().ok())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault::file(&path)(error)),
    }
}

/// Makes a generation the one that serves, durably.
pub(crate) fn switch(root: &Path, number: u64) -> Result<()> {
    let (path, temporary) = (root.join(CURRENT), root.join("current.new"));
    let written = fs::File::create(&temporary).and_then(|mut file| {
        std::io::Write::write_all(&mut file, format!("{number}\n").as_bytes())?;
        file.sync_all()
    });
    written.map_err(fault::file(&temporary))?;
    fs::rename(&temporary, &path).map_err(fault::file(&path))?;
    fault::sync_dir(root)
}

/// The number of the next generation: never one that has a directory.
pub(crate) fn next_number(root: &Path) -> Result<u64> {
    let newest = numbers(root)?.into_iter().chain(current(root)?).max();
    Ok(newest.unwrap_or(0) + 1)
}

/// Removes the directories of all generations but one. Open files of a removed one stay readable. What cannot
/// be removed now, because a merge still writes there, is removed at the next opening.
pub(crate) fn sweep(root: &Path, keep: Option<u64>) {
    let numbers = numbers(root).unwrap_or_default();
    for number in numbers.into_iter().filter(|&number| Some(number) != keep) {
        if let Err(error) = remove_dir(&root.join(number.to_string())) {
            tracing::debug!(%error, generation = number, "old search index not removed yet");
        }
    }
}

fn numbers(root: &Path) -> Result<Vec<u64>> {
    let entries = fs::read_dir(root).map_err(fault::file(root))?;
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(fault::file(root))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    Ok(numbers)
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fault::file(dir)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_generation_is_named_by_a_file() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!((current(root).unwrap(), next_number(root).unwrap()), (None, 1));
        Generation::create(root, 1).unwrap();
        assert_eq!((current(root).unwrap(), next_number(root).unwrap()), (None, 2));
        Generation::create(root, 2).unwrap();
        switch(root, 2).unwrap();
        assert_eq!((current(root).unwrap(), next_number(root).unwrap()), (Some(2), 3));
        sweep(root, Some(2));
        assert!(Generation::open(root, 1).is_err() && Generation::open(root, 2).is_ok());
        fs::write(root.join(CURRENT), "2").unwrap();
        assert_eq!(current(root).unwrap(), None, "half a name is none");
    }
}
