//! The records in RocksDB's logs and manifests, as far as it must be known that RocksDB can read them to an end.
//!
//! A record may call itself one of a recycled log. After others that do not, RocksDB 11.8 takes it for a bad one and
//! then looks at the same record again, for ever (facebook/rocksdb#13333): one changed bit, or what a power cut leaves at
//! the end of a log, and the start would never return. No log of ours is recycled.
//!
//! ```text
//! file    *( block )                      32 KiB each, the last one shorter
//! block   *( record ), then less than 7 bytes of nothing
//! record  crc u32, length u16, kind u8, payload
//! ```
//! Integers little-endian.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
/// Kinds of recycled logs: the four of data, the width of timestamps, the log before.
const RECYCLED: [u8; 6] = [5, 6, 7, 8, 11, 131];

/// Refuses a manifest that RocksDB would read for ever.
pub(crate) fn check_manifest(path: &Path) -> Result<()> {
    match endless(path)? {
        None => Ok(()),
        Some(at) => Err(Error::corrupt(format!(
            "{}: the record at {at} is damaged; restore a backup",
            path.display()
        ))),
    }
}

/// Ends the newest log of a directory before a record at which RocksDB would stay: it ends a log before any other bad
/// record in the same way. An older log is refused, because what was written after it would be lost with its end.
pub(crate) fn end_log(dir: &Path) -> Result<()> {
    let logs = logs(dir)?;
    let newest = logs.last().cloned();
    for path in logs {
        let Some(at) = endless(&path)? else { continue };
        if Some(&path) != newest.as_ref() {
            let place = path.display();
            return Err(Error::corrupt(format!("{place}: the record at {at} is damaged; restore a backup")));
        }
        tracing::warn!(log = %path.display(), at, "the log ends here: what follows is damaged");
        let cut = OpenOptions::new().write(true).open(&path).and_then(|file| {
            file.set_len(at)?;
            file.sync_all()
        });
        cut.map_err(|error| unreadable(&path, &error))?;
    }
    Ok(())
}

/// Logs by number; names have leading zeroes up to six digits.
fn logs(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| unreadable(dir, &error))?,
    };
    let paths = entries.filter_map(std::result::Result::ok).map(|entry| entry.path());
    let mut logs: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort_by_cached_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(logs)
}

/// Where the first record is that RocksDB would read for ever.
///
/// What follows a bad record in its block is looked at too, though RocksDB skips it. That may name a place that it
/// would not come to, but only in a file that it does not read to its end.
fn endless(path: &Path) -> Result<Option<u64>> {
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let (mut block, mut start, mut first) = (Vec::with_capacity(BLOCK), 0_u64, true);
    loop {
        block.clear();
        let limit = u64::try_from(BLOCK).unwrap_or(u64::MAX);
        let read = file.by_ref().take(limit).read_to_end(&mut block);
        if read.map_err(|error| unreadable(path, &error))? == 0 {
            return Ok(None);
        }
        for (at, kind) in headers(&block) {
            if RECYCLED.contains(&kind) {
                // A log that begins so is a recycled one, and is read as such.
                return Ok((!first).then(|| start.saturating_add(u64::try_from(at).unwrap_or(u64::MAX))));
            }
            first = false;
        }
        start = start.saturating_add(limit);
    }
}

/// Where the records of a block are, and of what kind.
pub(crate) fn headers(block: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at: usize = next;
        let [_, _, _, _, low, high, kind] = block.get(at..)?.first_chunk::<HEADER>()?;
        next = at + HEADER + usize::from(u16::from_le_bytes([*low, *high]));
        Some((at, *kind))
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::unavailable(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    /// A record of a kind with so many bytes; nobody here looks at the checksum.
    fn record(kind: u8, len: u16) -> Vec<u8> {
        let [low, high] = len.to_le_bytes();
        [&[9, 9, 9, 9, low, high, kind][..], &vec![b'x'; usize::from(len)]].concat()
    }

    #[test]
    fn only_a_recycled_record_after_others_is_endless() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000001.log");
        let check = |bytes: &[u8], expected: Option<u64>| {
            fs::write(&path, bytes).unwrap();
            assert_eq!(endless(&path).unwrap(), expected);
        };
        check(&[], None);
        check(&[record(1, 10), record(130, 5), record(9, 0), vec![0; 40_000]].concat(), None);
        check(&[record(6, 10), record(8, 10)].concat(), None);
        for kind in RECYCLED {
            check(&[record(1, 10), record(kind, 10), record(1, 10)].concat(), Some(17));
        }
        // Over the end of a block: 32 KiB less 6 bytes, which hold nothing.
        let first = record(2, 32_755);
        check(&[&first[..], &[0; 6], &record(4, 3), &record(5, 1)].concat(), Some(32_768 + 10));
        // Cut inside of a header.
        check(&[&record(1, 10)[..], &record(5, 10)[..6]].concat(), None);
    }

    #[test]
    fn the_newest_log_is_the_one_of_the_largest_number() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["999999.log", "000007.log", "1000000.log", "000008.sst"];
        names.iter().for_each(|name| fs::write(dir.path().join(name), record(1, 10)).unwrap());
        let found: Vec<PathBuf> = logs(dir.path()).unwrap();
        assert_eq!(found, ["000007.log", "999999.log", "1000000.log"].map(|name| dir.path().join(name)));
        let endless = [record(1, 10), record(5, 10)].concat();
        fs::write(dir.path().join("1000000.log"), &endless).unwrap();
        end_log(dir.path()).unwrap();
        assert_eq!(fs::metadata(dir.path().join("1000000.log")).unwrap().len(), 17);
        fs::write(dir.path().join("999999.log"), &endless).unwrap();
        assert!(end_log(dir.path()).unwrap_err().to_string().contains("999999.log: the record at 17"));
    }

    /// The hang itself: RocksDB must never see these.
    #[test]
    fn a_start_comes_to_an_end() {
        let dir = tempfile::tempdir().unwrap();
        // With less memory a flush may begin another log in between.
        let options = || Options { memtable_bytes: 256 << 20, disk_reserve_bytes: 0, ..Options::new() };
        let store = Store::open(dir.path(), options()).unwrap();
        let notes = store.ensure_collection("notes", CollectionOptions::default()).unwrap();
        for n in 0..20 {
            let put = Transaction::new(Durability::Sync).put(
                notes,
                DocId::new(format!("n{n}")).unwrap(),
                Condition::Always,
                "{}",
            );
            store.commit(put).unwrap();
        }
        drop(store);

        let log = logs(dir.path()).unwrap().pop().unwrap();
        let mut bytes = fs::read(&log).unwrap();
        let at = headers(&bytes).map(|(at, _)| at).nth(12).unwrap();
        bytes[at + 6] ^= 4;
        fs::write(&log, &bytes).unwrap();
        let store = Store::open(dir.path(), options()).unwrap();
        assert!(store.get(notes, "n3").unwrap().is_some(), "what was before the damage is there");
        assert!(store.get(notes, "n19").unwrap().is_none(), "what was after it is not");
        assert_eq!(store.verify(&mut |_| ()).unwrap(), Vec::<String>::new());
        drop(store);

        let name = fs::read_to_string(dir.path().join("CURRENT")).unwrap();
        let manifest = dir.path().join(name.trim_end());
        let mut bytes = fs::read(&manifest).unwrap();
        let at = headers(&bytes).map(|(at, _)| at).nth(3).unwrap();
        bytes[at + 6] ^= 4;
        fs::write(&manifest, &bytes).unwrap();
        let refused = Store::open(dir.path(), options()).map(drop).unwrap_err();
        assert_eq!(refused.kind(), crate::ErrorKind::Corrupt);
        assert!(refused.to_string().contains(name.trim_end()), "{refused}");
    }
}
