//! The device snapshot: the state of one shard as of a tail, so that a start replays little.
//!
//! ```text
//! file    := magic:"DLS2" length:u32 store:u8{16} mark_seq:u64 mark_positions:u64 shard:u32 shards:u32
//!            seq:u64 positions:u64 state crc:u32
//! ```
//! Little-endian; `state` as in `state`, which also says what a file with the magic `DLS1` has; `crc` is CRC-32C of
//! all bytes before it; `length` counts all bytes modulo 2^32. `mark_*` are fingerprints of the last entry of each
//! lane: a store restored to an earlier state and gone another way since has other entries there, and the file is not
//! used. Written beside, synced, then renamed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dateline_engine::{
    Durability, Entry, Error, ErrorKind, PositionSeq, Result, Seq, Store, StoreId, Tail, Transaction, Witness,
};

use crate::hash::{hash, low};
use crate::packed::Reader;
use crate::shard::ShardPlace;
use crate::state::{self, State};

const MAGIC: &[u8; 4] = b"DLS2";
/// Of snapshots that knew no stays.
const MAGIC_BARE: &[u8; 4] = b"DLS1";
/// The mark of an entry that was trimmed before it could be marked, and of the place before the first one.
const UNKNOWN: u64 = 0;

/// A state, and as of when.
pub(crate) type Known = (Tail, State);

#[derive(Clone)]
pub(crate) struct SnapshotFile {
    store: Store,
    place: ShardPlace,
    path: PathBuf,
    cursor: String,
    every: Duration,
}

impl SnapshotFile {
    pub(crate) fn new(store: Store, dir: &Path, place: ShardPlace, every: Duration) -> Self {
        let path = dir.join(format!("devices-{}.snapshot", place.number));
        Self { store, place, path, cursor: format!("geo/{}/snapshot", place.number), every }
    }

    /// Keeps of both lanes what a snapshot at `at` still needs, and lets go of the rest.
    pub(crate) fn hold(&self, at: Tail) -> Result<()> {
        let transaction = Transaction::new(Durability::Sync).cursor(&*self.cursor, at);
        self.store.commit(transaction).map(drop)
    }

    pub(crate) fn every(&self) -> Duration {
        self.every
    }

    /// Writes an encoded state.
    pub(crate) fn save(&self, at: Tail, state: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(80 + state.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.head(at)?);
        out.extend_from_slice(state);
        let length = out.len() + 4;
        overwrite(&mut out, 4, &u32::try_from(length & 0xffff_ffff).unwrap_or(0).to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        replace_file(&self.path, &out)
            .map_err(|error| Error::unavailable(format!("{}: {error}", self.path.display())))
    }

    /// The state and where it stands, if there is a file that fits this store and is not ahead of `cursor`.
    pub(crate) fn load(&self, cursor: Tail) -> Result<Option<Known>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::unavailable(format!("{}: {error}", self.path.display()))),
        };
        match self.read(&bytes, cursor) {
            Ok(known) => Ok(Some(known)),
            Err(error) => {
                // The lanes hold the truth; the file only saves time.
                tracing::warn!(path = %self.path.display(), %error, "device snapshot not used");
                Ok(None)
            }
        }
    }

    fn read(&self, bytes: &[u8], cursor: Tail) -> Result<Known> {
        let is_bare = bytes.starts_with(MAGIC_BARE);
        let mut reader = Reader::checked(bytes, if is_bare { MAGIC_BARE } else { MAGIC })?;
        let store = reader.bytes(16)?.to_vec();
        let marks = (reader.u64()?, reader.u64()?);
        let place = (reader.u32()?, reader.u32()?);
        let at = Tail { seq: Seq::new(reader.u64()?), positions: PositionSeq::new(reader.u64()?) };
        if store != self.store.id().0 || place != self.numbers() {
            return Err(reader.fault("the state of another store or shard"));
        }
        if at.seq > cursor.seq || at.positions > cursor.positions {
            return Err(reader.fault("a state ahead of the store"));
        }
        // An entry that has been trimmed cannot be compared; the cursor keeps it from being trimmed too early.
        let agrees = |mark: u64, found: Result<u64>| {
            mark == UNKNOWN
                || found.map_or_else(|error| error.kind() == ErrorKind::Gone, |found| found == mark)
        };
        if !agrees(marks.0, mark_of_log(&self.store, at.seq))
            || !agrees(marks.1, mark_of_positions(&self.store, at.positions))
        {
            return Err(reader.fault("the state of a store that went another way"));
        }
        let state = if is_bare { state::decode_bare(&mut reader)? } else { state::decode(&mut reader)? };
        reader.end()?;
        Ok((at, state))
    }

    fn head(&self, at: Tail) -> Result<Vec<u8>> {
        let (shard, shards) = self.numbers();
        // Nothing can be compared with an entry that is trimmed already.
        let known = |mark: Result<u64>| match mark {
            Err(error) if error.kind() == ErrorKind::Gone => Ok(UNKNOWN),
            mark => mark,
        };
        let marks =
            [known(mark_of_log(&self.store, at.seq))?, known(mark_of_positions(&self.store, at.positions))?];
        let mut head = self.store.id().0.to_vec();
        marks.iter().for_each(|mark| head.extend_from_slice(&mark.to_le_bytes()));
        [shard, shards].iter().for_each(|number| head.extend_from_slice(&number.to_le_bytes()));
        [at.seq.get(), at.positions.get()]
            .iter()
            .for_each(|number| head.extend_from_slice(&number.to_le_bytes()));
        Ok(head)
    }

    fn numbers(&self) -> (u32, u32) {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        (number(self.place.number), number(self.place.count))
    }
}

fn mark_of_log(store: &Store, seq: Seq) -> Result<u64> {
    let Some(before) = seq.get().checked_sub(1) else { return Ok(0) };
    let change = store.feed().changes(Seq::new(before), 1)?.into_iter().next();
    Ok(change.map_or(0, |change| {
        low(hash(&[&change.epoch.to_string(), &change.at.to_string(), change.id.as_str()]))
    }))
}

pub(crate) fn mark_of_positions(store: &Store, seq: PositionSeq) -> Result<u64> {
    let Some(before) = seq.get().checked_sub(1) else { return Ok(0) };
    match store.feed().positions(PositionSeq::new(before), 1)?.into_iter().next() {
        Some(Entry::Positions { at, batch, .. }) => {
            Ok(low(hash(&[&at.to_string(), &crc32c::crc32c(&batch).to_string()])))
        }
        _ => Ok(0),
    }
}

/// How far the snapshots in a directory have come; damaged ones say nothing.
#[must_use]
pub fn witnesses(dir: &Path) -> Vec<Witness> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(std::result::Result::ok);
    let files = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "snapshot"));
    files.filter_map(|path| witness(&std::fs::read(&path).ok()?).ok()).collect()
}

fn witness(bytes: &[u8]) -> Result<Witness> {
    let magic = if bytes.starts_with(MAGIC_BARE) { MAGIC_BARE } else { MAGIC };
    let mut reader = Reader::checked(bytes, magic)?;
    let store = reader.bytes(16)?.try_into().map_err(|_| reader.fault("no store"))?;
    let _marks_and_place = reader.bytes(8 + 8 + 4 + 4)?;
    let at = Tail { seq: Seq::new(reader.u64()?), positions: PositionSeq::new(reader.u64()?) };
    Ok(Witness { what: "a device snapshot".to_owned(), store: StoreId(store).to_string(), at })
}

fn overwrite(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(slot) = out.get_mut(at..at + bytes.len()) {
        slot.copy_from_slice(bytes);
    }
}

pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("snapshot.new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&beside, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
