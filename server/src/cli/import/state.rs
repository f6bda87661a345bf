//! How far an import has come, in a small file beside the imported one.
//!
//! Rewritten after every acknowledged batch by writing a draft, syncing it and renaming it, so a crash leaves the
//! old state or the new one. What was sent after the last state is recognised by its id when it is sent again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::row::Mark;
use crate::cli::outcome::{Exit, Failure};

/// The state of one import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Where the rows go.
    pub(crate) target: String,
    /// What is made of them.
    pub(crate) mapping: String,
    /// Size of the imported file.
    pub(crate) file_bytes: u64,
    /// Everything before is done.
    pub(crate) mark: Mark,
    pub(crate) imported: u64,
    pub(crate) rejected: u64,
    /// Length of the rejects file at this state; what follows it belongs to a batch that was not acknowledged.
    pub(crate) rejects_bytes: u64,
}

/// Where the state of an import of this file is kept.
pub(crate) fn path(file: &Path) -> PathBuf {
    beside(file, ".import-state")
}

/// A file beside another one.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl State {
    /// The state at the beginning.
    pub(crate) fn begin(target: String, mapping: String, file_bytes: u64) -> Self {
        let (mark, rejects_bytes) = (Mark::default(), 0);
        Self { target, mapping, file_bytes, mark, imported: 0, rejected: 0, rejects_bytes }
    }

    /// The stored state; `None` when there is none.
    ///
    /// # Errors
    /// 1 when it cannot be read.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(path, &error)),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| unusable(path, &error))
    }

    /// # Errors
    /// 4 when it is the state of another import.
    pub(crate) fn check_same_import(&self, fresh: &Self, path: &Path) -> Result<(), Failure> {
        let differs = if self.target != fresh.target {
            format!("went into {}, not {}", self.target, fresh.target)
        } else if self.mapping != fresh.mapping {
            "had other columns mapped".to_owned()
        } else if self.file_bytes > fresh.file_bytes {
            "was of a longer file".to_owned()
        } else {
            return Ok(());
        };
        let path = path.display();
        Err(Failure::new(
            Exit::Conflict,
            format!("the interrupted import {differs}; remove {path} to begin anew"),
        ))
    }

    /// Stores it durably.
    ///
    /// # Errors
    /// 1 when it cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let draft = beside(path, ".new");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&draft)?;
            serde_json::to_writer(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&draft, path)?;
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(dir)?.sync_all()
        };
        write().map_err(|error| unusable(path, &error))
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::error(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(&dir.path().join("cities.csv"));
        assert!(path.ends_with("cities.csv.import-state"));
        assert_eq!(State::load(&path).unwrap(), None);
        let mut state = State::begin("http://h/ads".into(), "m1".into(), 100);
        for rows in [1, 2, 300] {
            state.mark = Mark { rows, bytes: rows * 10, lines: rows };
            state.save(&path).unwrap();
            assert_eq!(State::load(&path).unwrap().as_ref(), Some(&state));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(&path, "{}").unwrap();
        assert!(State::load(&path).is_err());
    }

    #[test]
    fn another_import_does_not_go_on_from_it() {
        let state = State::begin("http://h/ads".into(), "m1".into(), 100);
        let check = |fresh: State, part: Option<&str>| {
            let outcome = state.check_same_import(&fresh, Path::new("f"));
            match part {
                None => assert!(outcome.is_ok()),
                Some(part) => {
                    let failure = outcome.unwrap_err();
                    assert!(failure.exit == Exit::Conflict && failure.message.contains(part), "{failure}");
                }
            }
        };
        check(state.clone(), None);
        check(State { file_bytes: 101, ..state.clone() }, None);
        check(State { file_bytes: 99, ..state.clone() }, Some("longer file"));
        check(State { mapping: "m2".into(), ..state.clone() }, Some("columns"));
        check(State { target: "http://h/cars".into(), ..state.clone() }, Some("not http://h/cars"));
    }
}
