//! The files of a backup, each under a name that says what must be in it.
//!
//! Invariant: a file has such a name only when all its bytes have been written, summed and synced.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::backup::{FileFacts, Generation, names};
use crate::error::{Error, Result};

/// Bytes moved at a time.
const STEP_BYTES: usize = 256 << 10;
const DRAFT: &str = ".new";

/// Copies and sums.
pub(super) fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(u64, u32)> {
    let (mut size, mut sum) = (0, 0);
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok((size, sum)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        sum = crc32c::crc32c_append(sum, bytes);
        size += u64::try_from(read).unwrap_or(u64::MAX);
        to.write_all(bytes)?;
    }
}

/// Whether a file is what the facts say; the difference in words if not.
pub(super) fn differs(path: &Path, facts: &FileFacts) -> Result<Option<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some("it is missing".to_owned())),
        Err(error) => return Err(super::io(path, &error)),
    };
    match copy(&mut file, &mut io::sink()) {
        Ok(found) => Ok(difference(facts, found)),
        // A disk that cannot read a file has not kept it.
        Err(error) => Ok(Some(error.to_string())),
    }
}

pub(super) fn difference(facts: &FileFacts, (size, sum): (u64, u32)) -> Option<String> {
    if size != facts.size {
        return Some(format!("{size} bytes, {} expected", facts.size));
    }
    (sum != facts.crc32c).then(|| format!("checksum {sum:08x}, {:08x} expected", facts.crc32c))
}

pub(super) fn add(pool: &Path, facts: &FileFacts, from: &mut dyn Read) -> Result<()> {
    let name = facts.pool_name();
    let (draft, path) = (pool.join(format!("{name}{DRAFT}")), pool.join(&name));
    let copied = File::create(&draft).and_then(|mut file| {
        let found = copy(from, &mut file)?;
        file.sync_all()?;
        Ok(found)
    });
    let outcome = match copied.map(|found| difference(facts, found)) {
        Ok(None) => fs::rename(&draft, &path).map_err(|error| super::io(&path, &error)),
        Ok(Some(difference)) => Err(Error::corrupt(format!("{name}: {difference}"))),
        Err(error) => Err(super::io(&path, &error)),
    };
    if outcome.is_err() {
        // The draft is ours, and useless; if it stays, the next writer removes it.
        let _ = fs::remove_file(&draft);
    }
    outcome
}

/// Removes what a writer left that did not come to its end.
pub(super) fn remove_drafts(pool: &Path) -> Result<()> {
    for name in names(pool)?.iter().filter(|name| name.ends_with(DRAFT)) {
        let path = pool.join(name);
        fs::remove_file(&path).map_err(|error| super::io(&path, &error))?;
    }
    Ok(())
}

/// Removes files that none of the manifests names; their number and bytes.
pub(super) fn sweep(pool: &Path, manifests: &[Generation]) -> Result<(u64, u64)> {
    let named: HashSet<String> =
        manifests.iter().flat_map(|manifest| &manifest.files).map(FileFacts::pool_name).collect();
    let (mut files, mut bytes) = (0, 0);
    for name in names(pool)?.iter().filter(|name| !named.contains(*name)) {
        // What does not look like ours was put there by somebody else.
        let Some(facts) = FileFacts::parse(name) else { continue };
        let path = pool.join(name);
        fs::remove_file(&path).map_err(|error| super::io(&path, &error))?;
        files += 1;
        bytes += facts.size;
    }
    Ok((files, bytes))
}
