//! Finds the value that has rotted in a blob file. RocksDB says that a checksum is wrong, but not in which file.
//!
//! ```text
//! file   := magic u32 = 00248f37, version u32 = 1, family u32, flags u8, compression u8, 16 B    30 bytes
//!           *record [32 bytes of footer]
//! record := key length u64, value length u64, expiration u64, crc u32, crc u32, key, value
//! ```
//! Little-endian; the first checksum is of the three numbers, the second of key and value, both CRC-32C, masked
//! (RocksDB 11, `db/blob/blob_log_format.h`).

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::kv::{BadValue, KeyRange};

const HEADER_BYTES: u64 = 30;
const FOOTER_BYTES: u64 = 32;
const RECORD_BYTES: usize = 32;
/// Keys are far shorter; a longer one is damage.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// The first damaged value by key, of all that lie in the range. A record whose lengths cannot be trusted has no key
/// that could be asked for; it is told with that of the range.
pub(crate) fn first_bad(dir: &Path, range: &KeyRange) -> io::Result<Option<BadValue>> {
    let mut first: Option<BadValue> = None;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "blob") {
            continue;
        }
        let found = match File::open(&path) {
            // Another thread had it removed: nothing in it is asked for any more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => bad_in(file?, &path, range)?,
        };
        first = [first, found].into_iter().flatten().min_by(|a, b| a.key.cmp(&b.key));
    }
    Ok(first)
}

fn bad_in(file: File, path: &Path, range: &KeyRange) -> io::Result<Option<BadValue>> {
    let end = file.metadata()?.len();
    let mut from = BufReader::with_capacity(256 << 10, file);
    let mut at = HEADER_BYTES;
    let mut first: Option<BadValue> = None;
    let bad = |key: Vec<u8>, at: u64| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Some(BadValue { key, place: format!("{name} offset {at}") })
    };
    from.seek_relative(i64::try_from(HEADER_BYTES).unwrap_or(i64::MAX))?;
    // What is left is the footer, or nothing in a file that is being written.
    while end.saturating_sub(at) > FOOTER_BYTES {
        let mut header = [0; RECORD_BYTES];
        if !filled(&mut from, &mut header)? {
            break;
        }
        let Some((key_length, value_length, crc)) = lengths(&header) else {
            return Ok(first.or_else(|| bad(range.lower.clone(), at)));
        };
        let next = at.saturating_add(RECORD_BYTES as u64 + key_length).saturating_add(value_length);
        let mut key = vec![0; usize::try_from(key_length).unwrap_or(usize::MAX)];
        if !filled(&mut from, &mut key)? {
            break;
        }
        if range.contains(&key) && first.as_ref().is_none_or(|first| key < first.key) {
            if next > end || masked(checksum(&mut from, &key, value_length)?) != crc {
                first = bad(key, at);
            }
        } else {
            from.seek_relative(i64::try_from(value_length).unwrap_or(i64::MAX))?;
        }
        at = next;
    }
    Ok(first)
}

/// Whether there was as much to read.
fn filled(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        outcome => outcome.map(|()| true),
    }
}

/// Lengths of key and value, and the checksum of both; `None` when they are not what was written.
fn lengths(header: &[u8; RECORD_BYTES]) -> Option<(u64, u64, u32)> {
    let [key, value, expiration, crcs] = header.as_chunks::<8>().0 else { return None };
    let [own, of_value] = crcs.as_chunks::<4>().0 else { return None };
    let found = masked(crc32c::crc32c(&[*key, *value, *expiration].concat()));
    let (key, value) = (u64::from_le_bytes(*key), u64::from_le_bytes(*value));
    let is_whole = found == u32::from_le_bytes(*own) && key <= KEY_BYTES_MAX;
    is_whole.then_some((key, value, u32::from_le_bytes(*of_value)))
}

fn checksum(from: &mut impl Read, key: &[u8], value_length: u64) -> io::Result<u32> {
    let mut crc = crc32c::crc32c(key);
    let mut left = value_length;
    let mut buffer = [0; 16 << 10];
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..part) else { break };
        from.read_exact(part)?;
        crc = crc32c::crc32c_append(crc, part);
        left -= part.len() as u64;
    }
    Ok(crc)
}

/// So that the checksum of bytes that hold checksums is not trivial (RocksDB, `util/crc32c.h`).
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
        let numbers = [key.len() as u64, value.len() as u64, 0].map(u64::to_le_bytes).concat();
        let own = masked(crc32c::crc32c(&numbers)).to_le_bytes();
        let of_value = masked(crc32c::crc32c(&[key, value].concat())).to_le_bytes();
        [&numbers[..], &own, &of_value, key, value].concat()
    }

    #[test]
    fn every_changed_byte_of_a_record_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000007.blob");
        let whole =
            [vec![7; 30], record(b"a", b"one"), record(b"b", b"two"), record(b"c", b"three")].concat();
        let footed = [&whole[..], &[9; 32]].concat();
        let all = KeyRange::new([], [u8::MAX; 8]);
        let (from, to) = (30 + 32 + 1 + 3, 30 + 2 * (32 + 1 + 3));
        for bytes in [&whole, &footed] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(first_bad(dir.path(), &all).unwrap(), None);
        }
        fs::write(&path, &whole[..whole.len() - 2]).unwrap();
        assert_eq!(first_bad(dir.path(), &all).unwrap().unwrap().key, b"c", "cut short");
        for at in from..to {
            let mut bytes = footed.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            let found = first_bad(dir.path(), &all).unwrap().unwrap_or_else(|| panic!("byte {at}"));
            assert_eq!(found.place, format!("000007.blob offset {from}"), "byte {at}");
            // With the lengths the way to what is behind is lost, so that is told of every range.
            let after = KeyRange::new([u8::MAX], [u8::MAX; 8]);
            let told = first_bad(dir.path(), &after).unwrap().is_some();
            assert_eq!(told, at < from + 28, "byte {at}");
        }
    }
}
