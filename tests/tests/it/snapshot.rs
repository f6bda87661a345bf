//! Plants a difference: moves one device in the matcher's snapshot file, with a right checksum.
//!
//! The file as it is documented: `"DLS2" length:u32 store:16 mark:8 mark:8 shard:u32 shards:u32 seq:u64 positions:u64
//! devices:u64 device{devices} .. crc:u32`, little-endian; a device starts `name_bytes:u8 name at_ms:u64 lon:i32
//! lat:i32`.

use std::path::{Path, PathBuf};

const COUNT_AT: usize = 4 + 4 + 16 + 8 + 8 + 4 + 4 + 8 + 8;

/// Moves the first device found by about a kilometre; its name.
pub(crate) fn shift_first_device(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let files = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "snapshot")).collect();
    files.sort();
    let file = files
        .iter()
        .find(|path| count(path) > 0)
        .unwrap_or_else(|| panic!("no snapshot with devices in {}", dir.display()));
    let mut bytes = std::fs::read(file).expect("the snapshot is read");
    let record = COUNT_AT + 8;
    let name_bytes = usize::from(bytes[record]);
    let name = String::from_utf8(bytes[record + 1..record + 1 + name_bytes].to_vec()).expect("a device name");
    let lat_at = record + 1 + name_bytes + 8 + 4;
    let lat = i32::from_le_bytes(bytes[lat_at..lat_at + 4].try_into().expect("4 bytes"));
    bytes[lat_at..lat_at + 4].copy_from_slice(&(lat + 90_000).to_le_bytes());
    let crc_at = bytes.len() - 4;
    let crc = crc32c::crc32c(&bytes[..crc_at]);
    bytes[crc_at..].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(file, bytes).expect("the snapshot is written");
    name
}

fn count(file: &Path) -> u64 {
    let bytes = std::fs::read(file).expect("the snapshot is read");
    assert_eq!(&bytes[..4], b"DLS2", "{}", file.display());
    u64::from_le_bytes(bytes[COUNT_AT..COUNT_AT + 8].try_into().expect("8 bytes"))
}
