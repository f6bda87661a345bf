//! One sealed stretch of the index of tracks: which batches of the positions lane name which device.
//!
//! ```text
//! file     := magic:"DLT1" store:u8{16} first:u64 last:u64 from_ms:u64 to_ms:u64 mark:u64 postings:u32
//!             table:u32{1025} crc:u32 bucket{1024}
//! bucket   := (gap:varint count:varint step:varint{count})* crc:u32        no bytes at all when it is empty
//! ```
//! Little-endian; a varint is LEB128. `first` to `last` are sequences of the lane, at most 65 536 of them; `from_ms` to
//! `to_ms` span the times of their fixes. A device has a name of 34 bits: the high ten say which bucket, and the 24
//! others go up by `gap` within it; the batches that name it are `first` plus the sums of `step`. `table` has where
//! each bucket begins after the first `crc`, and where the last ends. `mark` is the fingerprint of batch `last`. A `crc`
//! is CRC-32C of the head before it, or of the bucket before it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use dateline_engine::{Error, PositionSeq, Result, StoreId};

use crate::hash::mixed;

const MAGIC: &[u8; 4] = b"DLT1";
const BUCKETS: usize = 1_024;
const TABLE_AT: usize = 64;
const HEAD_BYTES: usize = TABLE_AT + (BUCKETS + 1) * 4 + 4;
const CRC_BYTES: usize = 4;
/// Batches of one segment, so that their numbers fit 16 bits.
pub(super) const BATCHES_MAX: u64 = 1 << 16;
const TAG_BITS: u32 = 24;

/// The 34 bits by which a device is filed.
pub(super) fn name_of(device: &str) -> u64 {
    mixed(device) >> 30
}

/// A device's name over the number of a batch in its segment.
pub(super) fn posting(name: u64, batch: u64) -> u64 {
    name << 16 | (batch & 0xffff)
}

/// What is known of a segment without reading its postings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) first: PositionSeq,
    pub(super) last: PositionSeq,
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) mark: u64,
    pub(super) postings: u32,
}

impl Facts {
    pub(super) fn spans(&self, from_ms: u64, to_ms: u64) -> bool {
        self.from_ms <= to_ms && from_ms <= self.to_ms
    }
}

/// A segment in its file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) facts: Facts,
    pub(super) bytes: u64,
}

/// The bytes of a segment; `postings` are sorted and without repeats.
pub(super) fn encode(store: StoreId, facts: &Facts, postings: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + postings.len() * 6 + BUCKETS * CRC_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&store.0);
    for number in [facts.first.get(), facts.last.get(), facts.from_ms, facts.to_ms, facts.mark] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&facts.postings.to_le_bytes());
    let mut buckets = Vec::with_capacity(postings.len() * 6);
    let mut left = postings;
    let offset = |buckets: &Vec<u8>| u32::try_from(buckets.len()).unwrap_or(u32::MAX).to_le_bytes();
    for bucket in 0..BUCKETS as u64 {
        out.extend_from_slice(&offset(&buckets));
        let (own, rest) = left.split_at(left.partition_point(|posting| posting >> (16 + TAG_BITS) <= bucket));
        encode_bucket(own, &mut buckets);
        left = rest;
    }
    out.extend_from_slice(&offset(&buckets));
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out.append(&mut buckets);
    out
}

fn encode_bucket(postings: &[u64], out: &mut Vec<u8>) {
    if postings.is_empty() {
        return;
    }
    let start = out.len();
    let mut before = 0;
    for device in postings.chunk_by(|a, b| a >> 16 == b >> 16) {
        let tag = device.first().map_or(0, |posting| posting >> 16 & ((1 << TAG_BITS) - 1));
        put(out, tag - before);
        put(out, device.len() as u64);
        let mut batch_before = 0;
        for posting in device {
            let batch = posting & 0xffff;
            put(out, batch - batch_before);
            batch_before = batch;
        }
        before = tag;
    }
    let crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_le_bytes());
}

impl Segment {
    /// Reads the head of a file and checks it.
    ///
    /// # Errors
    /// `Corrupt` when it is no whole segment of this store, `Unavailable` when it cannot be read.
    pub(super) fn open(path: &Path, store: StoreId) -> Result<Self> {
        let fault = |what: &str| Error::corrupt(format!("{}: {what}", path.display()));
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let bytes = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        let mut head = vec![0; HEAD_BYTES];
        file.read_exact_at(&mut head, 0).map_err(|_| fault("an early end"))?;
        let (covered, crc) = head.split_last_chunk::<CRC_BYTES>().ok_or_else(|| fault("no crc"))?;
        if covered.get(..4) != Some(MAGIC) || crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
            return Err(fault("a head that is not as it was written"));
        }
        if covered.get(4..20) != Some(&store.0[..]) {
            return Err(fault("the index of another store"));
        }
        let number = |at: usize| {
            let bytes = covered.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u64::from_le_bytes).ok_or_else(|| fault("an early end"))
        };
        let small = |at: usize| {
            let bytes = covered.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or_else(|| fault("an early end"))
        };
        let facts = Facts {
            first: PositionSeq::new(number(20)?),
            last: PositionSeq::new(number(28)?),
            from_ms: number(36)?,
            to_ms: number(44)?,
            mark: number(52)?,
            postings: small(60)?,
        };
        if bytes != HEAD_BYTES as u64 + u64::from(small(TABLE_AT + BUCKETS * 4)?) {
            return Err(fault("a length that is not its own"));
        }
        Ok(Self { path: path.to_owned(), facts, bytes })
    }

    /// The batches that may name a device, in order: rarely one that names another with the same 34 bits.
    ///
    /// # Errors
    /// `Corrupt` when the bucket is damaged, `Unavailable` when it cannot be read.
    pub(super) fn batches(&self, name: u64) -> Result<Vec<PositionSeq>> {
        let fault = || Error::corrupt(format!("{}: a damaged bucket", self.path.display()));
        let file = File::open(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        let bucket = name >> TAG_BITS;
        let mut ends = [0; 8];
        file.read_exact_at(&mut ends, TABLE_AT as u64 + bucket * 4).map_err(|_| fault())?;
        let [a, b, c, d, e, f, g, h] = ends;
        let (start, end) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let length = end.checked_sub(start).filter(|_| u64::from(end) <= self.bytes).ok_or_else(fault)?;
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, HEAD_BYTES as u64 + u64::from(start)).map_err(|_| fault())?;
        let (entries, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or_else(fault)?;
        if crc32c::crc32c(entries) != u32::from_le_bytes(*crc) {
            return Err(fault());
        }
        let batches = decode_bucket(entries, name & ((1 << TAG_BITS) - 1)).ok_or_else(fault)?;
        let seq = |batch: u64| PositionSeq::new(self.facts.first.get().saturating_add(batch));
        Ok(batches.into_iter().map(seq).filter(|seq| *seq <= self.facts.last).collect())
    }
}

fn decode_bucket(mut entries: &[u8], wanted: u64) -> Option<Vec<u64>> {
    let mut tag = 0_u64;
    while !entries.is_empty() {
        tag = tag.checked_add(take(&mut entries)?)?;
        let count = take(&mut entries)?;
        let mut batch = 0_u64;
        let mut found = Vec::new();
        for _ in 0..count {
            batch = batch.checked_add(take(&mut entries)?)?;
            if tag == wanted {
                found.push(batch);
            }
        }
        if tag == wanted {
            return Some(found);
        }
    }
    Some(Vec::new())
}

/// LEB128.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::unavailable(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([7; 16]);

    fn facts(postings: &[u64]) -> Facts {
        Facts {
            first: PositionSeq::new(100),
            last: PositionSeq::new(300),
            from_ms: 5,
            to_ms: 9,
            mark: 0x0102,
            postings: u32::try_from(postings.len()).unwrap(),
        }
    }

    fn write(postings: &[u64]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segment");
        std::fs::write(&path, encode(STORE, &facts(postings), postings)).unwrap();
        (dir, path)
    }

    #[test]
    fn bytes_are_golden() {
        let bytes =
            encode(STORE, &facts(&[1; 3]), &[posting(5, 3), posting(5, 200), posting(0x2_0000_0007, 0)]);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let head = "444c5431070707070707070707070707070707076400000000000000";
        assert_eq!(hex(&bytes[..28]), head);
        // Device 5 in batches 3 and 200; in bucket 512 device 7 in batch 0.
        assert_eq!(hex(&bytes[HEAD_BYTES..HEAD_BYTES + 5]), "050203c501");
        assert_eq!(hex(&bytes[HEAD_BYTES + 9..HEAD_BYTES + 12]), "070100");
        assert_eq!(bytes.len(), HEAD_BYTES + 9 + 7);
    }

    #[test]
    fn every_device_finds_its_batches() {
        let device = |n: u64| name_of(&format!("device-{n}"));
        let mut postings: Vec<u64> = (0..5_000)
            .flat_map(|n| (0..n % 5).map(move |k| posting(device(n), (n * 7 + k * 31) % 201)))
            .collect();
        postings.sort_unstable();
        postings.dedup();
        let (_dir, path) = write(&postings);
        let segment = Segment::open(&path, STORE).unwrap();
        assert_eq!(segment.facts, facts(&postings));
        for n in 0..5_100 {
            let own = postings.iter().filter(|posting| **posting >> 16 == device(n));
            let expected: Vec<u64> = own.map(|posting| 100 + (posting & 0xffff)).collect();
            let found: Vec<u64> = segment.batches(device(n)).unwrap().iter().map(|seq| seq.get()).collect();
            assert_eq!(found, expected, "device-{n}");
        }
        assert!(Segment::open(&path, StoreId([8; 16])).is_err());
    }

    /// A record of the lane takes 30 bytes and more for each fix; this is what the index adds to it.
    #[test]
    fn a_posting_takes_few_bytes() {
        let check = |what: &str, devices: u64, batches: u64, fixes: u64, most: f64| {
            let mut postings: Vec<u64> = (0..fixes)
                .map(|n| posting(name_of(&format!("device-{}", n % devices)), n * batches / fixes))
                .collect();
            postings.sort_unstable();
            postings.dedup();
            let each = encode(STORE, &facts(&postings), &postings).len() as f64 / fixes as f64;
            eprintln!("{what}: {each:.2} bytes a fix");
            assert!(each < most, "{what}: {each}");
        };
        check("a million devices once, 1,000 fixes a batch", 1 << 20, 1_049, 1 << 20, 5.5);
        check("100,000 devices ten times, 500 fixes a batch", 100_000, 2_098, 1 << 20, 2.5);
        check("1,000 devices, a fix a batch", 1_000, 65_000, 65_000, 2.5);
    }

    #[test]
    fn damage_is_told() {
        let postings = [posting(5, 3), posting(5, 200), posting(9, 1)];
        let (_dir, path) = write(&postings);
        let good = std::fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bad).unwrap();
            let told = Segment::open(&path, STORE).and_then(|segment| segment.batches(5));
            assert!(told.is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(Segment::open(&path, STORE).is_err(), "cut to {length}");
        }
    }
}
