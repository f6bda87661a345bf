//! The rows that were not taken, each with its line and the reason, in a file beside the imported one.
//!
//! ```text
//! {"line": N, "reason": text, "issues": {field: ...}, "row": the row as it was read}
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::state::beside;
use crate::cli::outcome::Failure;

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reject {
    pub(crate) line: u64,
    pub(crate) reason: String,
    pub(crate) issues: Map<String, Value>,
    pub(crate) row: Value,
}

/// The file; made when the first row goes into it.
pub(crate) struct Rejects {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl Rejects {
    /// Begins after `bytes` bytes of an earlier run's file, or anew with 0.
    ///
    /// # Errors
    /// 1 when an earlier file cannot be cut or removed.
    pub(crate) fn open(imported: &Path, bytes: u64) -> Result<Self, Failure> {
        let path = beside(imported, ".rejects.ndjson");
        let told = |error: std::io::Error| Failure::error(format!("{}: {error}", path.display()));
        if bytes == 0 {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(told(error)),
                _ => return Ok(Self { path, file: None, bytes }),
            }
        }
        let file = OpenOptions::new().append(true).open(&path).map_err(told)?;
        file.set_len(bytes).map_err(told)?;
        Ok(Self { path, file: Some(file), bytes })
    }

    /// Adds rows, durably: the state that counts them is written afterwards.
    ///
    /// # Errors
    /// 1 when the file cannot be written.
    pub(crate) fn add(&mut self, rejects: &[Reject]) -> Result<(), Failure> {
        if rejects.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        for Reject { line, reason, issues, row } in rejects {
            let told = json!({"line": line, "reason": reason, "issues": issues, "row": row});
            writeln!(text, "{told}")?;
        }
        let told = |error: std::io::Error| Failure::error(format!("{}: {error}", self.path.display()));
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::create(&self.path).map_err(told)?),
        };
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(told)?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(line: u64) -> Reject {
        Reject { line, reason: "bad".into(), issues: Map::new(), row: json!({"a": line}) }
    }

    #[test]
    fn a_resumed_import_drops_what_no_state_counted() {
        let dir = tempfile::tempdir().unwrap();
        let imported = dir.path().join("f.csv");
        let lines = || {
            let text = fs::read_to_string(beside(&imported, ".rejects.ndjson")).unwrap();
            let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap();
            text.lines().map(line).collect::<Vec<_>>()
        };
        let mut rejects = Rejects::open(&imported, 0).unwrap();
        rejects.add(&[]).unwrap();
        assert!(!rejects.path().exists());
        rejects.add(&[reject(2), reject(5)]).unwrap();
        let counted = rejects.bytes();
        rejects.add(&[reject(9)]).unwrap();
        assert_eq!(lines(), [2, 5, 9]);
        let mut rejects = Rejects::open(&imported, counted).unwrap();
        rejects.add(&[reject(7)]).unwrap();
        assert_eq!(lines(), [2, 5, 7]);
        assert!(!Rejects::open(&imported, 0).unwrap().path().exists());
    }
}
