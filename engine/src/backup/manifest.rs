//! What one generation consists of.
//!
//! ```text
//! {"crc32c":"8 hex digits","manifest":{"format":1,"generation":N,"created_ms":N,"store":"32 hex digits","store_format":N,
//!  "epoch":N,
//!  "last_seq":N,"positions_last":N,"log_floor":N,"files":[{"name":"000012.sst","size":N,"crc32c":"8 hex digits"},..]}}
//! ```
//! One line of JSON. The outer checksum is CRC32C over the bytes of the value of `manifest`, that of a file over its
//! bytes; both eight lower-case hexadecimal digits. `generation` is also the name of the file.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::backup::{FORMAT, write_whole};
use crate::error::{Error, Result};
use crate::types::{Epoch, Millis, PositionSeq, Seq, StoreId};

/// Longest name of a file of the storage below.
const NAME_BYTES_MAX: usize = 64;

/// One generation: the state of a store at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number; 0 while it is not in a backup yet.
    pub number: u32,
    /// When it was taken.
    pub created: Millis,
    /// Which store it is of.
    pub store: StoreId,
    /// The format of its keys and values.
    pub store_format: u64,
    /// The opening of the store in which it was taken.
    pub epoch: Epoch,
    /// The last record of the log.
    pub last_seq: Seq,
    /// The last batch of the positions lane.
    pub positions_last: PositionSeq,
    /// The last record of the log that had been trimmed: a restore reaches back to the one after it at the most.
    pub log_floor: Seq,
    /// The files of the storage below.
    pub files: Vec<FileFacts>,
}

/// One file of the storage below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its name in the store, such as `000012.sst`.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// CRC32C over its bytes.
    pub crc32c: u32,
}

impl FileFacts {
    /// Its name in the pool. The same name in the store may come to mean other bytes after a restore.
    #[must_use]
    pub fn pool_name(&self) -> String {
        format!("{}-{}-{:08x}", self.name, self.size, self.crc32c)
    }

    /// The facts a pool name tells; `None` when it is not one.
    #[must_use]
    pub fn parse(pool_name: &str) -> Option<Self> {
        let (rest, crc32c) = pool_name.rsplit_once('-')?;
        let (name, size) = rest.rsplit_once('-')?;
        let facts = Self {
            name: name.to_owned(),
            size: size.parse().ok()?,
            crc32c: u32::from_str_radix(crc32c, 16).ok()?,
        };
        (is_plain(name) && facts.pool_name() == pool_name).then_some(facts)
    }
}

/// A name that stays in its directory, whoever wrote the manifest.
fn is_plain(name: &str) -> bool {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.');
    fits && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

impl Generation {
    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|facts| facts.size).sum()
    }

    /// The manifest as it is stored and sent.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<String> {
        let stored = Stored {
            format: FORMAT,
            generation: self.number,
            created_ms: self.created.get(),
            store: self.store.to_string(),
            store_format: self.store_format,
            epoch: self.epoch.get(),
            last_seq: self.last_seq.get(),
            positions_last: self.positions_last.get(),
            log_floor: self.log_floor.get(),
            files: self
                .files
                .iter()
                .map(|f| StoredFile { name: f.name.clone(), size: f.size, crc32c: hex(f.crc32c) })
                .collect(),
        };
        let failed = |error: serde_json::Error| Error::internal(error.to_string());
        let manifest = serde_json::to_string(&stored).map_err(failed)?;
        Ok(format!(
            "{{\"crc32c\":\"{}\",\"manifest\":{manifest}}}\n",
            hex(crc32c::crc32c(manifest.as_bytes()))
        ))
    }

    /// Reads a manifest back and holds it against its checksum.
    ///
    /// # Errors
    /// `Corrupt` when it is damaged, `Invalid` when a newer version wrote it.
    pub fn decode(text: &str) -> Result<Self> {
        let damaged = |why: String| Error::corrupt(why);
        let sealed: Sealed<'_> = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        let found = hex(crc32c::crc32c(sealed.manifest.get().as_bytes()));
        if found != sealed.crc32c {
            return Err(damaged(format!("checksum {found}, {} stored", sealed.crc32c)));
        }
        let stored: Stored =
            serde_json::from_str(sealed.manifest.get()).map_err(|error| damaged(error.to_string()))?;
        if stored.format > FORMAT {
            return Err(Error::invalid(format!("format {}, this program reads {FORMAT}", stored.format)));
        }
        let files = stored.files.into_iter().map(|file| {
            let crc32c = u32::from_str_radix(&file.crc32c, 16).ok().filter(|_| is_plain(&file.name));
            let crc32c = crc32c.ok_or_else(|| damaged(format!("a file of the name '{}'", file.name)))?;
            Ok(FileFacts { name: file.name, size: file.size, crc32c })
        });
        Ok(Self {
            number: stored.generation,
            created: Millis::new(stored.created_ms),
            store: parse_store(&stored.store).ok_or_else(|| damaged("no store id".to_owned()))?,
            store_format: stored.store_format,
            epoch: Epoch::new(stored.epoch),
            last_seq: Seq::new(stored.last_seq),
            positions_last: PositionSeq::new(stored.positions_last),
            log_floor: Seq::new(stored.log_floor),
            files: files.collect::<Result<_>>()?,
        })
    }
}

#[derive(Deserialize)]
struct Sealed<'a> {
    crc32c: String,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u64,
    generation: u32,
    created_ms: u64,
    store: String,
    store_format: u64,
    epoch: u32,
    last_seq: u64,
    positions_last: u64,
    log_floor: u64,
    files: Vec<StoredFile>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile {
    name: String,
    size: u64,
    crc32c: String,
}

fn hex(sum: u32) -> String {
    format!("{sum:08x}")
}

fn parse_store(text: &str) -> Option<StoreId> {
    let mut id = [0; 16];
    if text.len() != 2 * id.len() || !text.is_ascii() {
        return None;
    }
    for (place, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(StoreId(id))
}

pub(super) fn name(generation: u32) -> String {
    format!("{generation:06}.json")
}

pub(super) fn parse_name(file: &str) -> Option<u32> {
    let number = file.strip_suffix(".json")?.parse().ok()?;
    (name(number) == file).then_some(number)
}

pub(super) fn write(dir: &Path, manifest: &Generation) -> Result<()> {
    write_whole(dir, &name(manifest.number), manifest.encode()?.as_bytes())
}

pub(super) fn read(dir: &Path, generation: u32) -> Result<Generation> {
    let path = dir.join(name(generation));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::not_found(format!("there is no generation {generation}")));
        }
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(Error::corrupt(format!("{}: not UTF-8", path.display())));
        }
        Err(error) => return Err(super::io(&path, &error)),
    };
    let manifest = Generation::decode(&text).map_err(|error| error.at(path.display()))?;
    if manifest.number != generation {
        let found = manifest.number;
        return Err(Error::corrupt(format!("{}: it says it is generation {found}", path.display())));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Generation {
        Generation {
            number: 3,
            created: Millis::new(1_700_000_000_000),
            store: StoreId([0xab; 16]),
            store_format: 2,
            epoch: Epoch::new(2),
            last_seq: Seq::new(42),
            positions_last: PositionSeq::new(7),
            log_floor: Seq::new(5),
            files: vec![FileFacts { name: "000012.sst".to_owned(), size: 1_000, crc32c: 0x00c0_ffee }],
        }
    }

    #[test]
    fn golden_text_and_every_changed_byte() {
        let golden = concat!(
            r#"{"crc32c":"9b754852","manifest":{"format":1,"generation":3,"created_ms":1700000000000,"#,
            r#""store":"abababababababababababababababab","store_format":2,"#,
            r#""epoch":2,"last_seq":42,"positions_last":7,"log_floor":5,"files":[{"name":"000012.sst","size":1000,"crc32c":"00c0ffee"}]}}"#,
            "\n"
        );
        assert_eq!(manifest().encode().unwrap(), golden);
        assert_eq!(Generation::decode(golden).unwrap(), manifest());
        for place in 0..golden.len() - 1 {
            for bit in 0..8 {
                let mut bytes = golden.as_bytes().to_vec();
                bytes[place] ^= 1 << bit;
                let outcome = std::str::from_utf8(&bytes).map(Generation::decode);
                assert!(outcome.is_err() || outcome.unwrap().is_err(), "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn pool_names_tell_the_facts_and_nothing_else() {
        let facts = &manifest().files[0];
        assert_eq!(facts.pool_name(), "000012.sst-1000-00c0ffee");
        assert_eq!(FileFacts::parse(&facts.pool_name()).as_ref(), Some(facts));
        let manifest_file = FileFacts { name: "MANIFEST-000004".to_owned(), size: 0, crc32c: 1 };
        assert_eq!(FileFacts::parse(&manifest_file.pool_name()), Some(manifest_file));
        for bad in [
            "",
            "a",
            "a-1",
            "a-1-",
            "a-1-00c0ffe",
            "a-1-00C0FFEE",
            "a-01-00c0ffee",
            "../a-1-00c0ffee",
            "a/b-1-00c0ffee",
            ".a-1-00c0ffee",
            "-1-00c0ffee",
            "a\0-1-00c0ffee",
        ] {
            assert_eq!(FileFacts::parse(bad), None, "{bad:?}");
        }
    }
}
