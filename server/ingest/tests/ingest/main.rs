//! Parsers against samples of our own, against everything that `dateline-formats` writes, and against bytes of chance.

#![expect(clippy::unwrap_used, reason = "in a test a failed assumption is a failed test")]

mod back;
mod random;
mod samples;

use dateline_formats::{Fields, Site};
use dateline_ingest::{IngestError, Parsers, Reading};
use std::path::Path;

/// What every test reads with.
fn read(key: Option<&str>, bytes: &[u8]) -> Result<Vec<Fields>, IngestError> {
    let site = Site::default();
    let now = "2026-02-01T00:00:00Z".parse().unwrap();
    Parsers::standard().read(key, bytes, &Reading { now, site: &site, aliases: &[] })
}

/// Files of a folder of `server/formats/tests`, by name.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests").join(folder);
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}
