//! Whether RocksDB's list of files is still the one that the store was last opened with.
//!
//! RocksDB takes a manifest that ends early, or whose last records are damaged in their lengths, for one whose last edit
//! was torn by a crash, and goes on with the files it knows; it then removes the others. At an opening each family turns
//! its part of the log into a table with an edit of its own, so a manifest that ends there loses some families' newest
//! data and keeps that of the others. Every opening therefore leaves a mark of what the manifest was, and the next one
//! does not start with anything else. Later edits need none: each belongs to a log or tables that would be missed.
//!
//! ```text
//! mark := name " " length " " sum " " crc LF     all decimal: length in bytes, sum: CRC-32C of so much of the manifest,
//!                                                crc: CRC-32C of what is before its space
//! ```

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::kv::records;

const MARK: &str = "manifest.mark";

/// Refuses a directory whose list of files is gone, is not what it was, or would be read for ever.
pub(crate) fn check(dir: &Path) -> Result<()> {
    let Some(name) = current(dir)? else { return check_empty(dir) };
    if dir.join(&name).is_file() {
        records::check_manifest(&dir.join(&name))?;
    }
    // A mark that cannot be read says nothing: no store is refused because of it.
    let mark = fs::read_to_string(dir.join(MARK)).ok();
    let Some(mark) = mark.as_deref().and_then(Mark::parse) else { return Ok(()) };
    // RocksDB begins a new manifest now and then, and removes the old one when `CURRENT` names the new.
    if mark.name != name {
        return Ok(());
    }
    let path = dir.join(&name);
    let found = File::open(&path).and_then(|file| sum(file, mark.length));
    match found {
        Ok(found) if found == (mark.length, mark.sum) => Ok(()),
        Ok((length, _)) if length < mark.length => {
            let place = path.display();
            let written = mark.length;
            Err(Error::corrupt(format!("{place}: {length} bytes, {written} were written; restore a backup")))
        }
        Ok(_) => Err(Error::corrupt(format!("{}: it is damaged; restore a backup", path.display()))),
        Err(error) => Err(Error::corrupt(format!("{}: {error}", path.display()))),
    }
}

/// Length and checksum of a file's first bytes, `length` at the most.
fn sum(file: File, length: u64) -> std::io::Result<(u64, u32)> {
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok((u64::try_from(bytes.len()).unwrap_or(u64::MAX), crc32c::crc32c(&bytes)))
}

/// Marks the manifest of an open store.
pub(crate) fn mark(dir: &Path) -> Result<()> {
    let write = |name: &str| {
        let manifest = File::open(dir.join(name))?;
        let length = manifest.metadata()?.len();
        // An edit of this moment may not be on disk yet, and the mark must not be ahead of it.
        manifest.sync_all()?;
        let (length, sum) = sum(manifest, length)?;
        let draft = dir.join(format!("{MARK}.new"));
        let mut file = File::create(&draft)?;
        file.write_all(Mark { name, length, sum }.render().as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, dir.join(MARK))?;
        File::open(dir)?.sync_all()
    };
    let name = current(dir)?.ok_or_else(|| Error::internal("an open store without CURRENT"))?;
    write(&name).map_err(|error| Error::unavailable(format!("{}: {error}", dir.join(MARK).display())))
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark<'a> {
    name: &'a str,
    length: u64,
    sum: u32,
}

impl<'a> Mark<'a> {
    fn render(&self) -> String {
        let text = format!("{} {} {}", self.name, self.length, self.sum);
        format!("{text} {}\n", crc32c::crc32c(text.as_bytes()))
    }

    fn parse(line: &'a str) -> Option<Self> {
        let (text, crc) = line.strip_suffix('\n')?.rsplit_once(' ')?;
        if crc.parse() != Ok(crc32c::crc32c(text.as_bytes())) {
            return None;
        }
        let (text, sum) = text.rsplit_once(' ')?;
        let (name, length) = text.split_once(' ')?;
        Some(Self { name, length: length.parse().ok()?, sum: sum.parse().ok()? })
    }
}

/// What `CURRENT` names; RocksDB itself says what is wrong with one that names nothing.
fn current(dir: &Path) -> Result<Option<String>> {
    match fs::read(dir.join("CURRENT")) {
        Ok(name) => Ok(Some(String::from_utf8_lossy(&name).trim_end().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::unavailable(format!("{}: {error}", dir.join("CURRENT").display()))),
    }
}

/// RocksDB takes a directory without `CURRENT` for an empty one, and removes what it finds there.
fn check_empty(dir: &Path) -> Result<()> {
    let files = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        files => files.map_err(|error| Error::unavailable(format!("{}: {error}", dir.display())))?,
    };
    let is_data =
        |path: &Path| path.extension().is_some_and(|end| end == "sst" || end == "blob" || end == "log");
    match files.filter_map(std::result::Result::ok).map(|file| file.path()).find(|path| is_data(path)) {
        None => Ok(()),
        Some(path) => Err(Error::corrupt(format!(
            "{}: file CURRENT is missing, but there is data ({}); restore a backup",
            dir.display(),
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_text_and_every_changed_byte() {
        let text = "MANIFEST-000029 2706 305419896 990481731\n";
        let mark = Mark { name: "MANIFEST-000029", length: 2_706, sum: 0x1234_5678 };
        assert_eq!(mark.render(), text);
        assert_eq!(Mark::parse(text), Some(mark));
        for bit in 0..text.len() * 8 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = String::from_utf8_lossy(&bytes);
            assert_eq!(Mark::parse(&changed), None, "{changed:?}");
        }
        for length in 0..text.len() {
            assert_eq!(Mark::parse(&text[..length]), None, "cut at {length}");
        }
    }

    #[test]
    fn only_another_beginning_of_the_manifest_of_this_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        check(dir.path()).unwrap();
        put("000004.log", b"");
        assert!(check(dir.path()).unwrap_err().to_string().contains("CURRENT is missing"));
        put("CURRENT", b"MANIFEST-000005\n");
        put("MANIFEST-000005", b"12345");
        check(dir.path()).unwrap();
        mark(dir.path()).unwrap();
        for (bytes, verdict) in
            [(&b"12345"[..], true), (b"123456", true), (b"1234", false), (b"", false), (b"12045", false)]
        {
            put("MANIFEST-000005", bytes);
            assert_eq!(check(dir.path()).is_ok(), verdict, "{bytes:?}");
        }
        put("CURRENT", b"MANIFEST-000006\n");
        check(dir.path()).unwrap();
    }
}
