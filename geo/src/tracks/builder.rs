//! Reading batches into postings, sealing postings into files, and knowing files again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dateline_engine::{Entry, Error, ErrorKind, PositionSeq, Result, Store};

use super::Open;
use super::segment::{BATCHES_MAX, Facts, Segment, encode, name_of, posting};
use crate::packed;
use crate::snapshot::{mark_of_positions, replace_file};

/// A segment is sealed from this many postings on: 8 MB of memory.
const POSTINGS_FULL: usize = 1 << 20;
/// Batches read at a time.
const STEP_BATCHES: usize = 256;
const EXTENSION: &str = "tracks";

pub(super) struct Builder {
    dir: PathBuf,
}

/// Batches that were read.
pub(super) struct Read {
    last: Option<PositionSeq>,
    from_ms: u64,
    to_ms: u64,
    /// Device and batch, in the order of batches.
    named: Vec<(u64, PositionSeq)>,
}

impl Builder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Reads on after `at`, never further than one segment holds.
    pub(super) fn read(&self, store: &Store, at: PositionSeq) -> Result<Read> {
        let mut read = Read { last: None, from_ms: u64::MAX, to_ms: 0, named: Vec::new() };
        for entry in store.feed().positions(at, STEP_BATCHES)? {
            if let Entry::Positions { seq, batch, .. } = entry {
                if let Err(error) = read.take(seq, &batch) {
                    // The batch cannot be read, so it has no place in a track.
                    tracing::warn!(%seq, %error, "left out of tracks");
                }
                read.last = Some(seq);
            }
        }
        Ok(read)
    }

    pub(super) fn is_full(open: &Open) -> bool {
        let batches = open.at.get().saturating_sub(open.first.get()) + 1;
        open.postings.len() >= POSTINGS_FULL || batches + STEP_BATCHES as u64 > BATCHES_MAX
    }

    /// Writes a segment.
    pub(super) fn seal(&self, store: &Store, mut facts: Facts, mut postings: Vec<u64>) -> Result<Segment> {
        postings.sort_unstable();
        postings.dedup();
        facts.postings = u32::try_from(postings.len()).unwrap_or(u32::MAX);
        facts.mark = match mark_of_positions(store, facts.last) {
            // Trimmed already: it is removed with the next step.
            Err(error) if error.kind() == ErrorKind::Gone => 0,
            mark => mark?,
        };
        let path = self.dir.join(format!("{:016x}.{EXTENSION}", facts.first.get()));
        let bytes = encode(store.id(), &facts, &postings);
        replace_file(&path, &bytes)
            .map_err(|error| Error::unavailable(format!("{}: {error}", path.display())))?;
        Ok(Segment { path, facts, bytes: bytes.len() as u64 })
    }
}

impl Read {
    fn take(&mut self, seq: PositionSeq, batch: &[u8]) -> Result<()> {
        let mut own = Vec::new();
        for record in packed::records(batch)? {
            let record = record?;
            self.from_ms = self.from_ms.min(record.at.get());
            self.to_ms = self.to_ms.max(record.at.get());
            own.extend(std::str::from_utf8(record.device).ok().map(name_of));
        }
        // A batch may name a device many times.
        own.sort_unstable();
        own.dedup();
        self.named.extend(own.into_iter().map(|name| (name, seq)));
        Ok(())
    }

    pub(super) fn found_any(&self) -> bool {
        self.last.is_some()
    }

    pub(super) fn add_to(&self, open: &mut Open) {
        let Some(last) = self.last else { return };
        let first = open.first.get();
        open.postings
            .extend(self.named.iter().map(|(name, seq)| posting(*name, seq.get().saturating_sub(first))));
        open.from_ms = open.from_ms.min(self.from_ms);
        open.to_ms = open.to_ms.max(self.to_ms);
        open.at = last;
    }
}

/// The segments of a directory that follow one another and fit the lane; all other files of its kind are removed.
pub(super) fn known(store: &Store, dir: &Path) -> Result<Vec<Arc<Segment>>> {
    let unreadable = |error: std::io::Error| Error::unavailable(format!("{}: {error}", dir.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(EXTENSION) => {}
            // Half written.
            Some("new") => {
                remove(&path);
                continue;
            }
            _ => continue,
        }
        match Segment::open(&path, store.id()) {
            Ok(segment) => found.push(segment),
            Err(error) => {
                tracing::warn!(%error, "made anew from the positions");
                remove(&path);
            }
        }
    }
    found.sort_by_key(|segment| segment.facts.first);
    let (floor, tail) = (store.feed().floors().positions, store.watermark().durable().positions);
    let mut kept: Vec<Arc<Segment>> = Vec::new();
    for segment in found {
        let follows = match kept.last() {
            Some(before) => segment.facts.first == before.facts.last.next(),
            None => segment.facts.first <= floor.next(),
        };
        if segment.facts.last > floor && segment.facts.last <= tail && follows {
            kept.push(Arc::new(segment));
        } else {
            remove(&segment.path);
        }
    }
    // A store that was taken back and went another way has other batches from some point on.
    while let Some(last) = kept.last() {
        match mark_of_positions(store, last.facts.last) {
            Ok(mark) if mark == last.facts.mark => break,
            Ok(_) => {
                remove(&last.path);
                kept.pop();
            }
            Err(error) if error.kind() == ErrorKind::Gone => break,
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

pub(super) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot be removed");
    }
}
