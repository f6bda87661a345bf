//! Consistent reading: point reads, lists, versions, and the state as of a sequence.
//!
//! A snapshot is a store snapshot plus the tail read through it, so the two cannot disagree.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::change::ChangeOp;
use crate::codec::{change, envelope, key, meta};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::index::{Index, IndexEntry, Reading, id_of_entry, is_marker, marker};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::schema::{self, Unmet};
use crate::types::{CollectionId, DocId, Millis, PositionSeq, Seq, Tail};

/// The newest version, tombstones included.
pub(crate) fn head(kv: &dyn KvRead, collection: CollectionId, id: &str) -> Result<Option<Document>> {
    let Some(value) = kv.get(Family::Heads, &key::head(collection, id))? else { return Ok(None) };
    envelope::decode(collection, DocId::new(id)?, Bytes::from(value)).map(Some)
}

/// Exactly the version written at `seq`.
pub(crate) fn version(
    kv: &dyn KvRead,
    collection: CollectionId,
    id: &str,
    seq: Seq,
) -> Result<Option<Document>> {
    if let Some(head) = head(kv, collection, id)?.filter(|head| head.seq == seq) {
        return Ok(Some(head));
    }
    let place = key::history(collection, id, seq);
    let Some(value) = kv.get(Family::History, &place)? else { return Ok(None) };
    envelope::decode(collection, DocId::new(id)?, Bytes::from(value)).map(Some)
}

/// Superseded versions not newer than `from`, newest first.
fn superseded(
    kv: &dyn KvRead,
    collection: CollectionId,
    id: &str,
    from: Seq,
    limit: usize,
) -> Result<Vec<Document>> {
    let mut range = KeyRange::prefix(&key::history_of(collection, id));
    range.lower = key::history(collection, id, from);
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let id = DocId::new(id)?;
    kv.scan(Family::History, &range, Direction::Forward, &mut |_, value| {
        found.push(envelope::decode(collection, id.clone(), Bytes::copy_from_slice(value))?);
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

/// The version that was newest at `seq`, tombstones included.
fn version_as_of(kv: &dyn KvRead, collection: CollectionId, id: &str, seq: Seq) -> Result<Option<Document>> {
    match head(kv, collection, id)? {
        Some(head) if head.seq > seq => Ok(superseded(kv, collection, id, seq, 1)?.pop()),
        head => Ok(head),
    }
}

/// All versions, newest first, tombstones included.
pub(crate) fn versions(
    kv: &dyn KvRead,
    collection: CollectionId,
    id: &str,
    limit: usize,
) -> Result<Vec<Document>> {
    let Some(head) = head(kv, collection, id)? else { return Ok(Vec::new()) };
    // A version written meanwhile must not bring the head a second time.
    let from = head.prev_seq;
    let mut found = vec![head];
    found.extend(superseded(kv, collection, id, from, limit.saturating_sub(1))?);
    found.truncate(limit);
    Ok(found)
}

pub(crate) fn number(kv: &dyn KvRead, name: &[u8]) -> Result<u64> {
    match kv.get(Family::Meta, name)? {
        Some(value) => meta::parse_number(&String::from_utf8_lossy(name), &value),
        None => Ok(0),
    }
}

pub(crate) fn tail(kv: &dyn KvRead) -> Result<Tail> {
    Ok(Tail {
        seq: Seq::new(number(kv, key::META_LAST_SEQ)?),
        positions: PositionSeq::new(number(kv, key::META_POSITIONS_LAST)?),
    })
}

/// A moment of the past: everything committed up to `seq`, as it was to be seen at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The last record that counts.
    pub seq: Seq,
    /// By this time it is judged what had ended.
    pub at: Millis,
}

/// A view of one moment. Short-lived: it keeps superseded bytes from being reclaimed.
///
/// Bodies are of the newest schema of their collections, also those of the past.
pub struct Snapshot<'a> {
    kv: Box<dyn KvRead + Send + 'a>,
    catalog: Arc<Catalog>,
    tail: Tail,
    now: Millis,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(kv: Box<dyn KvRead + Send + 'a>, catalog: Arc<Catalog>, now: Millis) -> Result<Self> {
        let tail = tail(&*kv)?;
        Ok(Self { kv, catalog, tail, now })
    }

    /// The collections of that moment: each index that is readable is whole in this view.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn present(&self, document: Document) -> Result<Document> {
        schema::present(&*self.kv, &self.catalog, document)
    }

    /// The moment: everything up to here is in the view, nothing after.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// The live document of this name.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes are damaged; `Invalid` when `id` cannot be a name.
    pub fn get(&self, collection: CollectionId, id: &str) -> Result<Option<Document>> {
        let head = head(&*self.kv, collection, id)?.filter(|head| head.is_live(self.now));
        head.map(|head| self.present(head)).transpose()
    }

    /// The document of this name as it was at `seq`, if it was not deleted then.
    ///
    /// # Errors
    /// As `get`.
    pub fn get_as_of(&self, collection: CollectionId, id: &str, seq: Seq) -> Result<Option<Document>> {
        let version = version_as_of(&*self.kv, collection, id, seq)?.filter(|version| !version.deleted);
        version.map(|version| self.present(version)).transpose()
    }

    /// Live documents in the order of their ids, after (in the walking direction) the given one.
    ///
    /// # Errors
    /// As `get`.
    pub fn scan(
        &self,
        collection: CollectionId,
        after: Option<&str>,
        reverse: bool,
        mut visit: impl FnMut(Document) -> ControlFlow<()>,
    ) -> Result<()> {
        let now = self.now;
        self.scan_heads(collection, after, reverse, &mut |document| {
            Ok(if document.is_live(now) { visit(self.present(document)?) } else { ControlFlow::Continue(()) })
        })
    }

    /// Every document after the given one that was not deleted as of `seq`, for followers of the log: whether it had ended
    /// is not judged, the log tells. What has been removed from the history is left out; see `scan_at`.
    ///
    /// # Errors
    /// As `get`.
    pub fn scan_as_of(
        &self,
        collection: CollectionId,
        after: Option<&str>,
        seq: Seq,
        mut visit: impl FnMut(Document) -> ControlFlow<()>,
    ) -> Result<()> {
        self.scan_heads(collection, after, false, &mut |head| {
            let version = if head.seq <= seq {
                Some(head)
            } else {
                superseded(&*self.kv, collection, head.id.as_str(), seq, 1)?.pop()
            };
            Ok(match version.filter(|version| !version.deleted) {
                Some(version) => visit(self.present(version)?),
                None => ControlFlow::Continue(()),
            })
        })
    }

    /// The moment at which a record was committed.
    ///
    /// # Errors
    /// `Gone` when the log no longer holds the record; `Invalid` when it is yet to come.
    pub fn moment(&self, seq: Seq) -> Result<Moment> {
        if seq > self.tail.seq {
            return Err(Error::invalid(format!(
                "{seq} lies ahead of the log, which ends at {}",
                self.tail.seq
            )));
        }
        if seq == Seq::ZERO {
            return Ok(Moment { seq, at: Millis::ZERO });
        }
        let floor = self.log_floor()?;
        if seq <= floor {
            return Err(Error::gone(format!("the log starts after {floor}, the moment of {seq} is gone")));
        }
        Ok(Moment { seq, at: self.recorded_at(seq)? })
    }

    /// The state at a time: what was committed at or before it.
    ///
    /// # Errors
    /// `Gone` when the log no longer reaches back so far.
    pub fn moment_at(&self, time: Millis) -> Result<Moment> {
        let floor = self.log_floor()?;
        // Times rise with sequences, so halving finds the last record.
        let (mut low, mut high) = (floor.get(), self.tail.seq.get());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.recorded_at(Seq::new(middle))? <= time {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if low == floor.get() && floor > Seq::ZERO {
            return Err(Error::gone(format!("the log starts after {floor}, which is later than that time")));
        }
        Ok(Moment { seq: Seq::new(low), at: time.min(self.now) })
    }

    fn log_floor(&self) -> Result<Seq> {
        number(&*self.kv, key::META_LOG_FLOOR).map(Seq::new)
    }

    fn recorded_at(&self, seq: Seq) -> Result<Millis> {
        let value = self.kv.get(Family::Log, &key::log(seq))?;
        let value = value.ok_or_else(|| Error::corrupt(format!("log: {seq} is missing")))?;
        change::decode(seq, &value).map(|change| change.at)
    }

    /// The history of the collection is whole from this record on.
    ///
    /// # Errors
    /// As `get`.
    pub fn history_floor(&self, collection: CollectionId) -> Result<Seq> {
        number(&*self.kv, &key::meta_history_floor(collection)).map(Seq::new)
    }

    fn check_history(&self, collection: CollectionId, moment: Moment) -> Result<()> {
        let floor = self.history_floor(collection)?;
        if moment.seq < floor {
            let seq = moment.seq;
            return Err(Error::gone(format!("the history is whole from {floor} on, {seq} lies before")));
        }
        Ok(())
    }

    /// The document of this name as it was to be seen at a moment.
    ///
    /// Versions go oldest first, so one that is kept answers for all of its time.
    ///
    /// # Errors
    /// `Gone` when the version of that moment may have been removed; otherwise as `get`.
    pub fn get_at(&self, collection: CollectionId, id: &str, moment: Moment) -> Result<Option<Document>> {
        match version_as_of(&*self.kv, collection, id, moment.seq)? {
            Some(version) if version.is_live(moment.at) => self.present(version).map(Some),
            Some(_) => Ok(None),
            None => self.check_history(collection, moment).map(|()| None),
        }
    }

    /// As `scan`, but the state as it was to be seen at a moment.
    ///
    /// # Errors
    /// `Gone` when versions of that moment may have been removed; otherwise as `get`.
    pub fn scan_at(
        &self,
        collection: CollectionId,
        moment: Moment,
        mut visit: impl FnMut(Document) -> ControlFlow<()>,
    ) -> Result<()> {
        self.check_history(collection, moment)?;
        self.scan_as_of(collection, None, moment.seq, |version| {
            if version.is_live(moment.at) { visit(version) } else { ControlFlow::Continue(()) }
        })
    }

    /// Tells of each live document that is stored under an older schema, and what its upgrades could not do.
    ///
    /// # Errors
    /// As `get`.
    pub fn upgrades(
        &self,
        collection: CollectionId,
        mut visit: impl FnMut(&DocId, &[Unmet]) -> ControlFlow<()>,
    ) -> Result<()> {
        let Some(known) = self.catalog.by_id(collection) else { return Ok(()) };
        let (now, newest) = (self.now, known.schema_version());
        if newest == schema::FIRST {
            return Ok(());
        }
        self.scan_heads(collection, None, false, &mut |head| {
            if !head.is_live(now) || head.schema_version() >= newest {
                return Ok(ControlFlow::Continue(()));
            }
            let (_, unmet) = schema::parse(known, &head)?;
            Ok(visit(&head.id, &unmet))
        })
    }

    fn scan_heads(
        &self,
        collection: CollectionId,
        after: Option<&str>,
        reverse: bool,
        visit: &mut dyn FnMut(Document) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut range = KeyRange::prefix(&key::heads_of(collection));
        if let Some(after) = after {
            let bound = key::head(collection, after);
            if reverse {
                range.upper = bound;
            } else {
                range.lower = [&bound[..], &[0]].concat();
            }
        }
        let direction = if reverse { Direction::Backward } else { Direction::Forward };
        self.kv.scan(Family::Heads, &range, direction, &mut |place, value| {
            let (_, id) = key::parse_head(place)
                .ok_or_else(|| Error::corrupt(format!("heads: unreadable key {place:02x?}")))?;
            visit(envelope::decode(collection, id, Bytes::copy_from_slice(value))?)
        })
    }

    /// Names of live documents in their order, without reading the documents.
    ///
    /// # Errors
    /// As `get`.
    pub fn ids(
        &self,
        collection: CollectionId,
        mut visit: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<()> {
        let (range, now) = (KeyRange::prefix(&key::heads_of(collection)), self.now);
        self.kv.scan(Family::Heads, &range, Direction::Forward, &mut |place, value| {
            let id = place.get(4..).and_then(|id| std::str::from_utf8(id).ok());
            let id = id.ok_or_else(|| Error::corrupt(format!("heads: unreadable key {place:02x?}")))?;
            let live = envelope::is_live(value, now)
                .map_err(|e| e.at(format_args!("document {collection}/{id}")))?;
            Ok(if live { visit(id) } else { ControlFlow::Continue(()) })
        })
    }

    /// Entries of one index in the order of their keys, or in reverse.
    ///
    /// # Errors
    /// As `get`.
    pub fn entries(
        &self,
        index: &Index,
        reading: &Reading,
        reverse: bool,
        mut visit: impl FnMut(IndexEntry<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let direction = if reverse { Direction::Backward } else { Direction::Forward };
        let mut step = ControlFlow::Continue(());
        for range in reading.key_ranges(reverse) {
            self.kv.scan(Family::Index, range, direction, &mut |place, value| {
                if !is_marker(place) {
                    step = visit(IndexEntry::read(index, place, value)?);
                }
                Ok(step)
            })?;
            if step.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Whether no document has several entries in an index.
    ///
    /// # Errors
    /// As `get`.
    pub fn is_single(&self, index: &Index) -> Result<bool> {
        Ok(self.kv.get(Family::Index, &marker(index.id))?.is_none())
    }

    /// Documents of a collection that were written or ended after `seq`; `None` when more than so many records lie
    /// between, of whatever collection.
    ///
    /// # Errors
    /// As `get`; `Gone` when the log no longer reaches back so far.
    pub fn changed_since(
        &self,
        collection: CollectionId,
        seq: Seq,
        records_max: u64,
    ) -> Result<Option<BTreeSet<DocId>>> {
        let floor = self.log_floor()?;
        if seq < floor {
            return Err(Error::gone(format!("the log starts after {floor}, {seq} lies before")));
        }
        if self.tail.seq.get().saturating_sub(seq.get()) > records_max {
            return Ok(None);
        }
        let range = KeyRange::new(key::log(seq.next()), key::log(self.tail.seq.next()));
        let mut changed = BTreeSet::new();
        self.kv.scan(Family::Log, &range, Direction::Forward, &mut |place, value| {
            let seq = key::parse_u64(place)
                .map(Seq::new)
                .ok_or_else(|| Error::corrupt(format!("log: unreadable key {place:02x?}")))?;
            let change = change::decode(seq, value)?;
            let of_document = !matches!(change.op, ChangeOp::Enqueue | ChangeOp::Catalog | ChangeOp::Drop);
            if of_document && change.collection == collection {
                changed.insert(change.id);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Some(changed))
    }

    /// Ids of the entries of one declared index that begin with `prefix`.
    pub(crate) fn index_ids(&self, index: &Index, prefix: &[u8]) -> Result<Vec<DocId>> {
        let mut ids = BTreeSet::new();
        let range = KeyRange::prefix(prefix);
        self.kv.scan(Family::Index, &range, Direction::Forward, &mut |place, value| {
            ids.insert(id_of_entry(index, place, value)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(ids.into_iter().collect())
    }
}
