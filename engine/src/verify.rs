//! Holds the stored keys against the invariants of the format.
//!
//! - Log keys are exactly floor + 1 ..= last_seq, and groups are closed.
//! - Each head and each superseded version is readable, of a schema that its collection knows, and what its log
//!   record says.
//! - The versions of a document chain from its head to its oldest kept one, and what is missing lies before the
//!   floor of its collection's history.
//! - A document that ends by itself is filed under its end.
//! - Index entries are exactly those the live heads call for; of an index that is not ready some may be missing.
//! - Each job has a state and each state a job.
//! - Each chunk is what its name says, and has a time.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use bytes::Bytes;

use crate::blob::ChunkHash;
use crate::catalog::{Catalog, Collection};
use crate::codec::{blob, change, envelope, key, meta, positions, unique};
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::trim::Floor;
use crate::index::{Index, IndexKey, Progress, builder, fits, is_marker, marker};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::read;
use crate::types::{CollectionId, DocId, IndexId, Millis, PositionSeq, Seq};

/// Differences named at the most.
const FOUND_MAX: usize = 20;
/// Keys between two reports of progress.
const PROGRESS_EVERY: u64 = 4_096;

pub(crate) fn verify(
    kv: &dyn KvRead,
    floor: &Floor,
    catalog: &Catalog,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<String>> {
    let building = catalog.iter().flat_map(|collection| collection.indexes());
    let building = building.filter(|index| !index.is_readable());
    let builds =
        building.map(|index| Ok((index.id, builder::progress(kv, index.id)?))).collect::<Result<_>>()?;
    let (found, ends) = (Vec::new(), BTreeMap::new());
    let mut check = Check { kv, floor, catalog, builds, progress, read: 0, found, chained: 0, ends };
    check.log()?;
    check.positions()?;
    let wanted = check.heads()?;
    check.history()?;
    check.index(wanted)?;
    check.expiry()?;
    check.surplus()?;
    check.jobs()?;
    check.chunks()?;
    (check.progress)(check.read);
    Ok(check.found)
}

/// An entry that live heads call for.
#[derive(Default)]
struct Wanted {
    /// Who may hold it, where it is unique; several only while the index is not ready.
    holders: Vec<DocId>,
    /// It may not be missing.
    must: bool,
}

type Entries = BTreeMap<Vec<u8>, Wanted>;

struct Check<'a> {
    kv: &'a dyn KvRead,
    /// As of now: a trim gives files back whatever a snapshot sees.
    floor: &'a Floor,
    catalog: &'a Catalog,
    /// Where the indexes that are not ready stand.
    builds: HashMap<IndexId, Progress>,
    progress: &'a mut dyn FnMut(u64),
    read: u64,
    found: Vec<String>,
    /// Superseded versions reached from heads.
    chained: u64,
    /// Heads that end by themselves.
    ends: BTreeMap<(CollectionId, DocId), Document>,
}

impl<'a> Check<'a> {
    /// Visits a whole family; damage that a row reports is a finding, not an end.
    fn each(
        &mut self,
        family: Family,
        mut row: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        let (kv, all) = (self.kv, KeyRange::new([], [u8::MAX; 256]));
        let outcome = kv.scan(family, &all, Direction::Forward, &mut |place, value| {
            self.read += 1;
            if self.read.is_multiple_of(PROGRESS_EVERY) {
                (self.progress)(self.read);
            }
            match row(self, place, value) {
                Err(error) if error.kind() == ErrorKind::Corrupt => self.report(error.to_string()),
                other => other?,
            }
            let enough = self.found.len() >= FOUND_MAX;
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        match outcome {
            // A block that cannot be read: what lies behind it in the family is not looked at.
            Err(error) if error.kind() == ErrorKind::Corrupt => self.report(error.to_string()),
            outcome => outcome?,
        }
        Ok(())
    }

    fn chunks(&mut self) -> Result<()> {
        let kv = self.kv;
        self.each(Family::Blobs, |_, place, value| {
            let (hash, twin) = chunk_twin(place, value)?;
            match kv.get(Family::Blobs, &twin)? {
                Some(_) => Ok(()),
                None => Err(Error::corrupt(format!("blobs/{hash}: one of its two rows is missing"))),
            }
        })
    }

    fn report(&mut self, difference: String) {
        if self.found.len() < FOUND_MAX {
            self.found.push(difference);
        }
    }

    fn log(&mut self) -> Result<()> {
        let last = read::tail(self.kv)?.seq;
        let stored = Seq::new(read::number(self.kv, key::META_LOG_FLOOR)?);
        let mut expected = stored.next();
        let mut open_group = None;
        self.each(Family::Log, |check, place, value| {
            let seq = key::parse_u64(place).map(Seq::new).ok_or_else(|| unreadable(Family::Log, place))?;
            if seq != expected && (seq < expected || seq > check.floor.get().seq.next()) {
                check.report(format!("log: expected record {expected}, found {seq}"));
            }
            expected = seq.next();
            let change = change::decode(seq, value)?;
            let is_neighbour = seq > check.floor.get().seq.next();
            if is_neighbour && open_group.is_some_and(|end| end != change.group_last) {
                check.report(format!("log record {seq}: its group ends elsewhere than its neighbour's"));
            }
            open_group = (seq != change.group_last).then_some(change.group_last);
            Ok(())
        })?;
        let trimmed = self.floor.get().seq >= last;
        if self.found.is_empty() && !trimmed && (expected != last.next() || open_group.is_some()) {
            self.report(format!("log: it ends before {expected}, the store counted to {last}"));
        }
        Ok(())
    }

    fn positions(&mut self) -> Result<()> {
        let last = read::tail(self.kv)?.positions;
        let mut expected = PositionSeq::new(read::number(self.kv, key::META_POSITIONS_FLOOR)?).next();
        self.each(Family::Positions, |check, place, value| {
            let seq = key::parse_u64(place).map(PositionSeq::new);
            let seq = seq.ok_or_else(|| unreadable(Family::Positions, place))?;
            if seq != expected && (seq < expected || seq > check.floor.get().positions.next()) {
                check.report(format!("positions: expected batch {expected}, found {seq}"));
            }
            expected = seq.next();
            positions::decode(seq, value).map(drop)
        })?;
        let trimmed = self.floor.get().positions >= last;
        if self.found.is_empty() && !trimmed && expected != last.next() {
            self.report(format!("positions: they end before {expected}, the store counted to {last}"));
        }
        Ok(())
    }

    /// Checks heads and their chains; answers the index entries they call for.
    fn heads(&mut self) -> Result<Entries> {
        let mut wanted = Entries::new();
        self.each(Family::Heads, |check, place, value| {
            let (collection, id) = key::parse_head(place).ok_or_else(|| unreadable(Family::Heads, place))?;
            let head = envelope::decode(collection, id.clone(), Bytes::copy_from_slice(value))?;
            check.logged(&head)?;
            check.chain(&head)?;
            if head.expires.is_some() {
                let end = Document { body: Bytes::new(), ..head.clone() };
                check.ends.insert((collection, id.clone()), end);
            }
            let collection = check.collection(&head)?;
            check.known_schema(collection, &head)?;
            let indexes: &[Index] = if head.deleted { &[] } else { collection.indexes() };
            for index in indexes {
                check.wanted(collection, index, &head, &mut wanted)?;
            }
            Ok(())
        })?;
        Ok(wanted)
    }

    /// The entries that a head calls for in one index.
    fn wanted(
        &mut self,
        collection: &Collection,
        index: &Index,
        head: &Document,
        wanted: &mut Entries,
    ) -> Result<()> {
        let keys = match fits(collection, index, head)? {
            Ok(keys) => keys,
            // Such a document is what a pending index waits for.
            Err(_) if !index.is_readable() => return Ok(()),
            Err(why) => {
                self.report(format!("document {}/{}: {why}", head.collection, head.id));
                return Ok(());
            }
        };
        if keys.len() > 1 {
            wanted.entry(marker(index.id)).or_default().must |= index.is_readable();
        }
        for IndexKey { key, unique, .. } in keys {
            let known = wanted.entry(key).or_default();
            if let Some(other) = known.holders.first().filter(|_| unique && index.is_readable()) {
                let text = format!("index: {other} and {} hold the same unique key", head.id);
                self.report(text);
                continue;
            }
            known.must = index.is_readable() || (!unique && index.has(head, self.builds.get(&index.id)));
            if unique {
                known.holders.push(head.id.clone());
            }
        }
        Ok(())
    }

    /// Follows a document from its head to its oldest kept version.
    fn chain(&mut self, head: &Document) -> Result<()> {
        let (collection, id) = (head.collection, &head.id);
        let (mut newer, mut prev) = (head.seq, head.prev_seq);
        while prev != Seq::ZERO {
            let Some(older) = self.superseded(collection, id, prev)? else {
                let floor = read::number(self.kv, &key::meta_history_floor(collection))?;
                if newer.get() > floor {
                    self.report(format!(
                        "document {collection}/{id}: version {prev} is missing from its history"
                    ));
                }
                break;
            };
            self.chained += 1;
            (newer, prev) = (older.seq, older.prev_seq);
        }
        Ok(())
    }

    fn superseded(&self, collection: CollectionId, id: &DocId, seq: Seq) -> Result<Option<Document>> {
        let Some(value) = self.kv.get(Family::History, &key::history(collection, id.as_str(), seq))? else {
            return Ok(None);
        };
        envelope::decode(collection, id.clone(), Bytes::from(value)).map(Some)
    }

    /// The log record of a version, as far as the log still reaches, is about this document.
    fn logged(&mut self, version: &Document) -> Result<()> {
        let Some(value) = self.kv.get(Family::Log, &key::log(version.seq))? else {
            if version.seq <= self.floor.get().seq {
                return Ok(());
            }
            let (collection, id, seq) = (version.collection, &version.id, version.seq);
            self.report(format!("document {collection}/{id}: version {seq} has no log record"));
            return Ok(());
        };
        let record = change::decode(version.seq, &value)?;
        let same = record.collection == version.collection
            && record.id == version.id
            && record.prev_seq == version.prev_seq
            && record.op.is_document();
        if !same {
            let (collection, id, seq) = (version.collection, &version.id, version.seq);
            self.report(format!("log record {seq}: it is not about document {collection}/{id}"));
        }
        Ok(())
    }

    fn collection(&self, version: &Document) -> Result<&'a Collection> {
        let (collection, id) = (version.collection, &version.id);
        let known = self.catalog.by_id(collection);
        let fail = || Error::corrupt(format!("document {collection}/{id}: no such collection"));
        known.map(|known| &**known).ok_or_else(fail)
    }

    /// No body is of a schema that its collection has not come to.
    fn known_schema(&self, collection: &Collection, version: &Document) -> Result<()> {
        let (found, known) = (version.schema_version(), collection.schema_version());
        if found <= known {
            return Ok(());
        }
        let (collection, id, seq) = (version.collection, &version.id, version.seq);
        Err(Error::corrupt(format!(
            "document {collection}/{id}: version {seq} is of schema version {found}, the collection knows {known}"
        )))
    }

    fn history(&mut self) -> Result<()> {
        let mut versions = 0;
        self.each(Family::History, |check, place, value| {
            versions += 1;
            let (collection, id, seq) =
                key::parse_history(place).ok_or_else(|| unreadable(Family::History, place))?;
            let version = envelope::decode(collection, id.clone(), Bytes::copy_from_slice(value))?;
            if version.seq != seq {
                check.report(format!("document {collection}/{id}: version {} lies at {seq}", version.seq));
            }
            check.known_schema(check.collection(&version)?, &version)?;
            check.logged(&version)?;
            let head = read::head(check.kv, collection, id.as_str())?;
            if head.is_none_or(|head| head.seq <= seq) {
                check.report(format!(
                    "document {collection}/{id}: superseded version {seq} has no newer head"
                ));
            }
            Ok(())
        })?;
        if self.found.is_empty() && versions != self.chained {
            let chained = self.chained;
            self.report(format!("history: {versions} versions, of which {chained} are reached from heads"));
        }
        Ok(())
    }

    /// A row may be of a version that is no longer the newest; a tombstone's may have been put off.
    fn expiry(&mut self) -> Result<()> {
        self.each(Family::Expiry, |check, place, value| {
            let (at, collection, id, seq) = due(Family::Expiry, place, value)?;
            let head = check.ends.get(&(collection, id.clone())).filter(|head| head.seq == seq);
            let Some(head) = head else { return Ok(()) };
            if head.expires == Some(at) || (head.deleted && head.expires < Some(at)) {
                check.ends.remove(&(collection, id));
            } else {
                check.report(format!("expiry: {collection}/{id} is filed under {at}, which is not its end"));
            }
            Ok(())
        })?;
        for ((collection, id), _) in std::mem::take(&mut self.ends) {
            self.report(format!("expiry: document {collection}/{id} is not filed under its end"));
        }
        Ok(())
    }

    fn surplus(&mut self) -> Result<()> {
        self.each(Family::Surplus, |_, place, value| due(Family::Surplus, place, value).map(drop))
    }

    fn index(&mut self, mut wanted: Entries) -> Result<()> {
        self.each(Family::Index, |check, place, value| {
            let Some(Wanted { holders, .. }) = wanted.remove(place) else {
                // A marker may outlive the document that called for it.
                if !is_marker(place) {
                    check.report(format!("index: entry {place:02x?} belongs to no live document"));
                }
                return Ok(());
            };
            if let Some(first) = holders.first()
                && !holders.contains(&unique::decode(value)?)
            {
                check.report(format!("index: entry {place:02x?} does not name its holder {first}"));
            }
            Ok(())
        })?;
        let missing = wanted.into_iter().filter(|(_, wanted)| wanted.must);
        for (missing, _) in missing.take(FOUND_MAX) {
            self.report(format!("index: entry {missing:02x?} of a live document is missing"));
        }
        Ok(())
    }

    fn jobs(&mut self) -> Result<()> {
        let mut halves: BTreeMap<Vec<u8>, u8> = BTreeMap::new();
        for (family, half) in [(Family::Job, 1), (Family::Jst, 2)] {
            self.each(family, |_, place, _| {
                *halves.entry(place.to_vec()).or_default() |= half;
                Ok(())
            })?;
        }
        for (place, _) in halves.into_iter().filter(|(_, half)| *half != 3).take(FOUND_MAX) {
            self.report(format!("queue: job {place:02x?} lacks its payload or its state"));
        }
        Ok(())
    }
}

/// The chunk a row of `blobs` is about, and the key of the other row about it; the row itself is checked.
pub(crate) fn chunk_twin(place: &[u8], value: &[u8]) -> Result<(ChunkHash, Vec<u8>)> {
    let hash = blob::parse(place).ok_or_else(|| unreadable(Family::Blobs, place))?;
    if place.first() != Some(&blob::BYTES_PREFIX) {
        blob::decode_stored(&hash, value)?;
        return Ok((hash, blob::key_bytes(&hash)));
    }
    if ChunkHash::of(value) != hash {
        return Err(Error::corrupt(format!("blobs/{hash}: the bytes are not those of the name")));
    }
    Ok((hash, blob::key_stored(&hash)))
}

fn due(family: Family, place: &[u8], value: &[u8]) -> Result<(Millis, CollectionId, DocId, Seq)> {
    let (at, collection, id) = key::parse_due(place).ok_or_else(|| unreadable(family, place))?;
    let seq = meta::parse_number(family.name(), value)?;
    Ok((at, collection, id, Seq::new(seq)))
}

fn unreadable(family: Family, place: &[u8]) -> Error {
    Error::corrupt(format!("{}: unreadable key {place:02x?}", family.name()))
}
