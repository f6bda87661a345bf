//! Whether RocksDB's list of files is still the one that the store was last opened with.
//!
//! RocksDB takes a manifest that ends early for one whose last edit was torn by a crash, and goes on with the files it
//! knows; it then removes the others. At an opening each family turns its part of the log into a table with an edit of
//! its own, so a manifest that is cut there loses some families' newest data and keeps that of the others. Every
//! opening therefore leaves a mark of how long the manifest was, and the next one does not start below it.
//!
//! ```text
//! mark := name " " length " " crc LF     length in bytes, decimal; crc: CRC-32C of what is before its space, decimal
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::kv::records;

const MARK: &str = "manifest.mark";

/// Refuses a directory whose list of files is gone, has been cut or would be read for ever.
pub(crate) fn check(dir: &Path) -> Result<()> {
    let Some(name) = current(dir)? else { return check_empty(dir) };
    if dir.join(&name).is_file() {
        records::check_manifest(&dir.join(&name))?;
    }
    // A mark that cannot be read says nothing: no store is refused because of it.
    let mark = fs::read_to_string(dir.join(MARK)).ok();
    let Some((marked, length)) = mark.as_deref().and_then(parse) else { return Ok(()) };
    // RocksDB begins a new manifest now and then, and removes the old one when `CURRENT` names the new.
    if marked != name {
        return Ok(());
    }
    match fs::metadata(dir.join(&name)) {
        Ok(found) if found.len() >= length => Ok(()),
        Ok(found) => Err(Error::corrupt(format!(
            "{}: {} bytes, but {length} were written; restore a backup",
            dir.join(&name).display(),
            found.len()
        ))),
        Err(error) => Err(Error::corrupt(format!("{}: {error}", dir.join(&name).display()))),
    }
}

/// Marks the manifest of an open store.
pub(crate) fn mark(dir: &Path) -> Result<()> {
    let write = |name: &str| {
        let manifest = File::open(dir.join(name))?;
        let length = manifest.metadata()?.len();
        // An edit of this moment may not be on disk yet, and the mark must not be ahead of it.
        manifest.sync_all()?;
        let draft = dir.join(format!("{MARK}.new"));
        let mut file = File::create(&draft)?;
        file.write_all(render(name, length).as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, dir.join(MARK))?;
        File::open(dir)?.sync_all()
    };
    let name = current(dir)?.ok_or_else(|| Error::internal("an open store without CURRENT"))?;
    write(&name).map_err(|error| Error::unavailable(format!("{}: {error}", dir.join(MARK).display())))
}

fn render(name: &str, length: u64) -> String {
    let text = format!("{name} {length}");
    format!("{text} {}\n", crc32c::crc32c(text.as_bytes()))
}

fn parse(mark: &str) -> Option<(&str, u64)> {
    let (text, crc) = mark.strip_suffix('\n')?.rsplit_once(' ')?;
    if crc.parse() != Ok(crc32c::crc32c(text.as_bytes())) {
        return None;
    }
    let (name, length) = text.split_once(' ')?;
    Some((name, length.parse().ok()?))
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
        let text = "MANIFEST-000029 2706 1718192857\n";
        assert_eq!(render("MANIFEST-000029", 2_706), text);
        assert_eq!(parse(text), Some(("MANIFEST-000029", 2_706)));
        for bit in 0..text.len() * 8 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = String::from_utf8_lossy(&bytes);
            assert_eq!(parse(&changed), None, "{changed:?}");
        }
        for length in 0..text.len() {
            assert_eq!(parse(&text[..length]), None, "cut at {length}");
        }
    }

    #[test]
    fn only_a_shorter_manifest_of_this_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        check(dir.path()).unwrap();
        put("000004.log", b"");
        assert!(check(dir.path()).unwrap_err().to_string().contains("CURRENT is missing"));
        put("CURRENT", b"MANIFEST-000005\n");
        put("MANIFEST-000005", b"12345");
        check(dir.path()).unwrap();
        mark(dir.path()).unwrap();
        for (bytes, verdict) in [(&b"12345"[..], true), (b"123456", true), (b"1234", false), (b"", false)] {
            put("MANIFEST-000005", bytes);
            assert_eq!(check(dir.path()).is_ok(), verdict, "{bytes:?}");
        }
        put("CURRENT", b"MANIFEST-000006\n");
        check(dir.path()).unwrap();
    }
}
