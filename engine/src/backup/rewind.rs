//! Takes a store that nobody uses back to an earlier moment.
//!
//! The log says what happened, heads and history hold what documents were. So a document that was written since
//! gets back the version it had, one that was not there goes, and the log ends where the moment is. It is refused where
//! history has been removed: then nobody knows what there was.
//!
//! What has no history is treated like this:
//! - Jobs enqueued since are forgotten. Jobs that were waiting then and have finished since stay finished: their
//!   payload is gone, and what they did may not be done twice.
//! - Cursors that hold the log and are ahead are set back to the moment.
//! - Answers under idempotency keys given since are forgotten, so that a retry takes effect.
//! - A step back before a collection was dropped is refused: its documents went with it.
//! - A collection defined since goes. One whose definition was changed since keeps the later definition; it is named.
//! - Positions committed since are cut off.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::backup::{Until, Watch};
use crate::catalog::Catalog;
use crate::change::{Change, ChangeOp};
use crate::codec::{change, envelope, idem, key, meta, positions};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::feed::cursor::Cursor;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv, KvRead};
use crate::queue;
use crate::read::{self, Snapshot};
use crate::repair;
use crate::store::load_catalog;
use crate::types::{CollectionId, DocId, Epoch, JobId, Millis, PositionSeq, Seq, Tail};

/// Bytes after which a batch is written.
const BATCH_BYTES: usize = 4 << 20;
/// Documents between two reports of progress.
const PROGRESS_EVERY: u64 = 1_024;

/// What a step back has undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewound {
    /// Where both lanes ended before.
    pub from: Tail,
    /// Where they end now: the end of a transaction.
    pub to: Tail,
    /// Documents that got an earlier version back.
    pub documents_restored: u64,
    /// Documents that were not there at the moment.
    pub documents_removed: u64,
    /// Jobs that had not been enqueued.
    pub jobs_removed: u64,
    /// Collections that were not defined.
    pub collections_removed: Vec<String>,
    /// Collections that were defined differently at the moment, and now are as in the backup.
    pub definitions_kept: Vec<String>,
}

pub(crate) fn rewind(kv: &dyn Kv, until: Until, watch: Watch<'_>) -> Result<Rewound> {
    let catalog = load_catalog(kv)?;
    let from = read::tail(kv)?;
    let seq = moment(kv, until)?;
    let mut work = Work {
        kv,
        seq,
        batch: Batch::default(),
        done: Rewound { from, to: Tail { seq, ..from }, ..Rewound::default() },
    };
    work.definitions(&catalog)?;
    work.documents(watch)?;
    work.lanes(until)?;
    work.epochs()?;
    work.cursors()?;
    work.answers()?;
    work.jobs()?;
    work.flush(0)?;
    let unresolved = repair::derived(kv, watch)?.unresolved;
    match unresolved.first() {
        None => Ok(work.done),
        Some(first) => Err(Error::corrupt(first.clone())),
    }
}

/// The last record of the last whole transaction at the moment.
fn moment(kv: &dyn Kv, until: Until) -> Result<Seq> {
    let snapshot = Snapshot::new(kv.snapshot(), Arc::default(), Millis::new(u64::MAX))?;
    let wanted = match until {
        Until::Seq(Seq::ZERO) => return Err(Error::invalid("sequences count from 1")),
        Until::Seq(seq) => snapshot.moment(seq)?.seq,
        Until::Time(time) => snapshot.moment_at(time)?.seq,
    };
    let gone = || Error::gone(format!("the log starts within the transaction of {wanted}"));
    if wanted == Seq::ZERO {
        return Err(Error::gone("nothing had been written yet at that time"));
    }
    let end = record(kv, wanted)?.ok_or_else(gone)?.group_last;
    let mut at = wanted;
    while at != end {
        // The group is not whole: back to the one before it.
        at = Seq::new(at.get() - 1);
        match record(kv, at)? {
            Some(before) if before.group_last == end => {}
            Some(_) => return Ok(at),
            None => return Err(gone()),
        }
    }
    Ok(wanted)
}

fn record(kv: &dyn Kv, seq: Seq) -> Result<Option<Change>> {
    kv.get(Family::Log, &key::log(seq))?.map(|value| change::decode(seq, &value)).transpose()
}

struct Work<'a> {
    kv: &'a dyn Kv,
    /// The moment.
    seq: Seq,
    batch: Batch,
    done: Rewound,
}

impl Work<'_> {
    /// Writes the batch once it is longer than `over`. Nothing is lost by an end in between but the directory, which
    /// is not a store yet.
    fn flush(&mut self, over: usize) -> Result<()> {
        if self.batch.bytes() > over {
            self.kv.write(&self.batch, over == 0)?;
            self.batch.clear();
        }
        Ok(())
    }

    /// Refuses what history cannot tell, and forgets collections that did not exist.
    fn definitions(&mut self, catalog: &Catalog) -> Result<()> {
        let mut changed = BTreeSet::new();
        self.since(|change| {
            if change.op == ChangeOp::Catalog {
                changed.insert(change.collection);
            }
        })?;
        for dropped in catalog.dropped() {
            if dropped.defined_at > self.seq {
                self.batch.delete(Family::Meta, &key::meta_collection(dropped.id));
            } else if let Some(at) = dropped.dropped_at().filter(|at| *at > self.seq) {
                return Err(Error::gone(format!(
                    "collection '{}' was dropped by {at} with its documents, {} lies before",
                    dropped.name, self.seq
                )));
            }
        }
        for collection in catalog.iter() {
            if collection.defined_at > self.seq {
                self.batch.delete(Family::Meta, &key::meta_collection(collection.id));
                self.batch.delete(Family::Meta, &key::meta_history_floor(collection.id));
                self.done.collections_removed.push(collection.name.clone());
                continue;
            }
            let floor = read::number(self.kv, &key::meta_history_floor(collection.id))?;
            if floor > self.seq.get() {
                return Err(Error::gone(format!(
                    "the history of collection '{}' is whole from {floor} on, {} lies before",
                    collection.name, self.seq
                )));
            }
            if changed.contains(&collection.id) {
                self.done.definitions_kept.push(collection.name.clone());
            }
        }
        Ok(())
    }

    /// Every record after the moment.
    fn since(&self, mut visit: impl FnMut(Change)) -> Result<()> {
        let range = KeyRange::new(key::log(self.seq.next()), [u8::MAX; 9]);
        self.kv.scan(Family::Log, &range, Direction::Forward, &mut |place, value| {
            let seq = key::parse_u64(place).map(Seq::new);
            let seq = seq.ok_or_else(|| Error::corrupt(format!("log: unreadable key {place:02x?}")))?;
            visit(change::decode(seq, value)?);
            Ok(ControlFlow::Continue(()))
        })
    }

    fn documents(&mut self, watch: Watch<'_>) -> Result<()> {
        let (kv, all, mut seen) = (self.kv, KeyRange::new([], [u8::MAX; 256]), 0_u64);
        // Of the state before any of this: a head that was put back is not looked at again.
        let before = kv.snapshot();
        before.scan(Family::Heads, &all, Direction::Forward, &mut |place, value| {
            seen += 1;
            if seen.is_multiple_of(PROGRESS_EVERY) {
                watch("rewind", seen, 0);
            }
            if envelope::written(value)?.0 > self.seq {
                let (collection, id) = key::parse_head(place)
                    .ok_or_else(|| Error::corrupt(format!("heads: unreadable key {place:02x?}")))?;
                let head = envelope::decode(collection, id, Bytes::copy_from_slice(value))?;
                self.document(&*before, &head)?;
                self.flush(BATCH_BYTES)?;
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn document(&mut self, before: &dyn KvRead, head: &Document) -> Result<()> {
        let (collection, id) = (head.collection, head.id.as_str());
        let place = key::head(collection, id);
        self.unfile(head);
        let mut found = None;
        let history = KeyRange::prefix(&key::history_of(collection, id));
        before.scan(Family::History, &history, Direction::Forward, &mut |version, value| {
            self.batch.single_delete(Family::History, version);
            let decoded = decode(collection, &head.id, value)?;
            if decoded.seq > self.seq {
                return Ok(ControlFlow::Continue(()));
            }
            self.batch.put(Family::Heads, &place, value);
            found = Some(decoded);
            Ok(ControlFlow::Break(()))
        })?;
        match found {
            Some(version) => {
                self.done.documents_restored += 1;
                if let Some(end) = version.expires {
                    let row = key::due(end, collection, id);
                    self.batch.put(Family::Expiry, &row, &meta::number(version.seq.get()));
                }
            }
            None => {
                self.done.documents_removed += 1;
                self.batch.delete(Family::Heads, &place);
            }
        }
        Ok(())
    }

    fn unfile(&mut self, head: &Document) {
        if let Some(end) = head.expires {
            self.batch.delete(Family::Expiry, &key::due(end, head.collection, head.id.as_str()));
        }
    }

    /// Both lanes end at the moment.
    fn lanes(&mut self, until: Until) -> Result<()> {
        let time = if let Until::Time(time) = until { time } else { Millis::new(u64::MAX) };
        let floor = PositionSeq::new(read::number(self.kv, key::META_POSITIONS_FLOOR)?);
        let mut last = floor;
        let range = KeyRange::new(key::positions(PositionSeq::ZERO), [u8::MAX; 9]);
        self.kv.scan(Family::Positions, &range, Direction::Backward, &mut |place, value| {
            let seq = key::parse_u64(place).map(PositionSeq::new);
            let seq = seq.ok_or_else(|| Error::corrupt(format!("positions: unreadable key {place:02x?}")))?;
            let (stamp, _) = positions::decode(seq, value)?;
            if stamp.after > self.seq || stamp.at > time {
                return Ok(ControlFlow::Continue(()));
            }
            last = seq;
            Ok(ControlFlow::Break(()))
        })?;
        let end = [u8::MAX; 9];
        self.batch.delete_range(Family::Log, &key::log(self.seq.next()), &end);
        self.batch.delete_range(Family::Positions, &key::positions(last.next()), &end);
        self.batch.put(Family::Meta, key::META_LAST_SEQ, &meta::number(self.seq.get()));
        self.batch.put(Family::Meta, key::META_POSITIONS_LAST, &meta::number(last.get()));
        self.done.to.positions = last;
        Ok(())
    }

    /// No epoch began after what comes next: a token of what has been taken back is not known.
    fn epochs(&mut self) -> Result<()> {
        let mut late = Vec::new();
        self.meta(key::META_EPOCHS, |name, value| {
            let epoch =
                u32::from_be_bytes(name.try_into().map_err(|_| Error::corrupt("meta/epochs: a key"))?);
            if meta::parse_number("epochs", value)? > self.seq.next().get() {
                late.push(Epoch::new(epoch));
            }
            Ok(())
        })?;
        for epoch in late {
            self.batch.put(Family::Meta, &key::meta_epoch(epoch), &meta::number(self.seq.next().get()));
        }
        Ok(())
    }

    fn cursors(&mut self) -> Result<()> {
        let mut ahead = Vec::new();
        let to = self.done.to;
        self.meta(key::META_CURSORS, |name, value| {
            let name = String::from_utf8_lossy(name).into_owned();
            let cursor = meta::decode_cursor(&name, value)?;
            // One that does not hold may be a number that has nothing to do with the log.
            if cursor.holds && (cursor.at.seq > to.seq || cursor.at.positions > to.positions) {
                let at =
                    Tail { seq: cursor.at.seq.min(to.seq), positions: cursor.at.positions.min(to.positions) };
                ahead.push((name, Cursor { at, ..cursor }));
            }
            Ok(())
        })?;
        for (name, cursor) in ahead {
            self.batch.put(Family::Meta, &key::meta_cursor(&name), &meta::encode_cursor(&cursor)?);
        }
        Ok(())
    }

    fn meta(&self, prefix: &[u8], mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        self.kv.scan(Family::Meta, &KeyRange::prefix(prefix), Direction::Forward, &mut |place, value| {
            visit(place.get(prefix.len()..).unwrap_or_default(), value)?;
            Ok(ControlFlow::Continue(()))
        })
    }

    fn answers(&mut self) -> Result<()> {
        let (kv, seq, batch) = (self.kv, self.seq, &mut self.batch);
        kv.scan(Family::Idem, &KeyRange::new([], [u8::MAX; 64]), Direction::Forward, &mut |place, value| {
            let known: &[u8; 16] =
                place.try_into().map_err(|_| Error::corrupt(format!("idem: unreadable key {place:02x?}")))?;
            if idem::decode(known, value)?.seq > seq {
                batch.delete(Family::Idem, place);
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn jobs(&mut self) -> Result<()> {
        let (kv, last) = (self.kv, JobId::new(self.seq.get()));
        let epoch = u32::try_from(read::number(kv, key::META_EPOCH)?).unwrap_or(u32::MAX);
        // A job that has died or is to be retried keeps its times; they are looked at when the store opens.
        let now = record(kv, self.seq)?.map_or(Millis::ZERO, |record| record.at);
        let mut jobs = queue::load(kv, Epoch::new(epoch), now)?;
        let forgotten = jobs.forget_after(last, now, &mut self.batch);
        self.done.jobs_removed = u64::try_from(forgotten).unwrap_or(u64::MAX);
        let (done, batch) = (KeyRange::new([], [u8::MAX; 64]), &mut self.batch);
        kv.scan(Family::Done, &done, Direction::Forward, &mut |place, _| {
            let filed = queue::key::parse_filed(place).map(|(_, _, id)| id);
            if filed.or_else(|| queue::key::parse_finished(place)).is_some_and(|id| id > last) {
                batch.delete(Family::Done, place);
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

fn decode(collection: CollectionId, id: &DocId, value: &[u8]) -> Result<Document> {
    envelope::decode(collection, id.clone(), Bytes::copy_from_slice(value))
}
