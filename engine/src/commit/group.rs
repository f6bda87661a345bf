//! Builds one group: plans each transaction against the store and the group so far, gives sequence
//! numbers, and fills the batch.
//!
//! A transaction is planned whole before anything of it enters the batch, so a refused one leaves no
//! trace and uses no sequence number.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::blob::{Chunk, ChunkHash};
use crate::catalog::{Catalog, Collection, Defined};
use crate::change::{Change, ChangeOp};
use crate::codec::idem::{Idempotency, Remembered};
use crate::codec::{blob, change, envelope, idem, key, meta, positions};
use crate::commit::decide::{check, decide};
use crate::commit::indexes::Filled;
use crate::commit::op::{
    self, Cancelled, Condition, CursorMove, Define, DueRow, Expected, Receipt, Transaction, Upkeep,
};
use crate::commit::prepare::{Prepared, Target, keys_of_body};
use crate::document::Document;
use crate::error::{Conflict, Error, ErrorKind, Result};
use crate::feed::cursor::Cursor;
use crate::figures::KeepTotals;
use crate::index::{IndexKey, Progress};
use crate::keep;
use crate::kv::Kv;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::limits::TRANSACTION_BYTES_MAX;
use crate::queue::{PreparedJob, QueueState};
use crate::read;
use crate::types::{CollectionId, DocId, Epoch, IndexId, JobId, Millis, PositionSeq, Seq, Tail};

pub(super) type Place = (CollectionId, DocId);

/// Heads read in one go.
const HEADS_AT_A_TIME: usize = 256;
/// Bytes of heads read ahead of planning.
const HEADS_BYTES_MAX: usize = 32 << 20;

/// What the group has made of a document so far; `None` inside: known to be absent. A head that cannot
/// be read refuses the transactions that touch it and no others.
type Overlay = HashMap<Place, Result<Option<Head>>>;

/// Who holds a unique key; `None` inside: known to be free.
pub(super) type Holders = HashMap<Vec<u8>, Option<DocId>>;

/// A head and, when it came from the store, its bytes as they are there.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) document: Document,
    stored: Option<Bytes>,
}

/// State of the writer that outlives a group.
pub(crate) struct Ledger {
    pub(crate) tail: Tail,
    pub(crate) epoch: Epoch,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) queue: QueueState,
    pub(crate) at: Millis,
    /// Collections written to by the group at hand.
    pub(crate) touched: HashMap<CollectionId, Seq>,
    /// Records of the group at hand, for the ring.
    pub(crate) recorded: Vec<Change>,
    /// The earliest row that the group at hand has filed for housekeeping.
    pub(crate) due: Option<Millis>,
    /// What housekeeping has done in the group at hand.
    pub(crate) kept: KeepTotals,
    /// From where on the history of a collection is whole, as far as it has been asked for.
    pub(crate) history_floors: HashMap<CollectionId, Seq>,
    /// The group at hand has declared an index that is to be built.
    pub(crate) build: bool,
    /// Where indexes that are being built stand, as far as it has been asked for.
    pub(crate) builds: HashMap<IndexId, Progress>,
}

/// One group in the making.
pub(crate) struct Group<'a> {
    pub(super) kv: &'a dyn Kv,
    pub(super) ledger: &'a mut Ledger,
    pub(super) batch: &'a mut Batch,
    overlay: Overlay,
    /// Holders of unique keys as the group has made them.
    pub(super) unique: Holders,
    start: Tail,
    /// Idempotency keys used in this group.
    remembered: HashMap<[u8; 16], Remembered>,
    /// Chunks stored by this group.
    chunks: HashSet<ChunkHash>,
    /// Log records written for the transaction at hand.
    records: u64,
}

/// One record of a transaction to come.
struct Planned<'t> {
    collection: Arc<Collection>,
    op: ChangeOp,
    document: Document,
    old: Option<Head>,
    old_keys: Vec<IndexKey>,
    new_keys: Cow<'t, [IndexKey]>,
    /// Superseded versions that go with a purge.
    forgotten: &'t [Seq],
}

/// What a new version is to be.
struct Wanted<'t> {
    /// As it is declared now.
    collection: Arc<Collection>,
    /// Version of its schema that the body is of.
    schema: u32,
    /// The keys it is to hold.
    keys: Cow<'t, [IndexKey]>,
}

/// A transaction in planning.
#[derive(Default)]
pub(super) struct Draft<'t> {
    planned: Vec<Planned<'t>>,
    /// The last plan for each document.
    latest: HashMap<Place, usize>,
    /// Holders of unique keys as the transaction would make them.
    taken: Holders,
    replaced_bytes: usize,
}

impl<'a> Group<'a> {
    /// Fetches the heads the transactions will be decided on, as many as fit into memory in one read.
    pub(crate) fn begin<'t>(
        kv: &'a dyn Kv,
        ledger: &'a mut Ledger,
        batch: &'a mut Batch,
        transactions: impl Iterator<Item = &'t Prepared>,
    ) -> Result<Self> {
        let places: Vec<Place> = transactions
            .flat_map(|prepared| prepared.transaction.places())
            .map(|(collection, id)| (collection, id.clone()))
            .collect();
        let start = ledger.tail;
        let (overlay, unique) = (Overlay::with_capacity(places.len()), Holders::new());
        let mut group = Self {
            kv,
            ledger,
            batch,
            overlay,
            unique,
            start,
            remembered: HashMap::new(),
            chunks: HashSet::new(),
            records: 0,
        };
        let mut bytes = 0;
        for places in places.chunks(HEADS_AT_A_TIME) {
            bytes += group.fetch(places)?;
            if bytes > HEADS_BYTES_MAX {
                // The rest is fetched when its transaction is planned.
                break;
            }
        }
        Ok(group)
    }

    /// Reads heads into the overlay; answers their size.
    pub(super) fn fetch(&mut self, places: &[Place]) -> Result<usize> {
        let keys: Vec<Vec<u8>> =
            places.iter().map(|(collection, id)| key::head(*collection, id.as_str())).collect();
        let values: Vec<Result<Option<Vec<u8>>>> = match self.kv.multi_get(Family::Heads, &keys) {
            Ok(values) => values.into_iter().map(Ok).collect(),
            // One block that cannot be read must not cost those who have nothing to do with it.
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                keys.iter().map(|key| self.kv.get(Family::Heads, key)).collect()
            }
            Err(error) => return Err(error),
        };
        let mut bytes = 0;
        for ((collection, id), value) in places.iter().zip(values) {
            let head = value.and_then(|value| {
                let Some(value) = value else { return Ok(None) };
                bytes += value.len();
                let stored = Bytes::from(value);
                let document = envelope::decode(*collection, id.clone(), stored.clone())?;
                Ok(Some(Head { document, stored: Some(stored) }))
            });
            self.overlay.entry((*collection, id.clone())).or_insert(head);
        }
        Ok(bytes)
    }

    /// What the group has made of a document so far, or what is stored.
    pub(super) fn head(&mut self, place: Place) -> Result<Option<Head>> {
        if !self.overlay.contains_key(&place) {
            self.fetch(std::slice::from_ref(&place))?;
        }
        self.overlay.get(&place).cloned().unwrap_or(Ok(None))
    }

    /// Adds one transaction, or says why it cannot be.
    pub(crate) fn add(&mut self, prepared: &Prepared) -> Result<Receipt> {
        let transaction = &prepared.transaction;
        if let Some(first) = self.replayed(transaction)? {
            return Ok(self.receipt(Vec::new(), Vec::new(), Some(first)));
        }
        let forgotten = self.plan_forgetting(transaction)?;
        self.ledger.queue.check_acks(&transaction.acks)?;
        self.ledger.queue.check_enqueue(&prepared.jobs)?;
        self.check_expected(transaction)?;
        let planned = self.plan_writes(prepared)?;
        let defined = self.plan_definition(transaction, planned.len())?;
        let filled = self.plan_fills(transaction)?;
        self.apply(prepared, planned, defined, filled, &forgotten).map_err(|e| Error::internal(e.to_string()))
    }

    /// What the transaction was decided from is still so.
    fn check_expected(&mut self, transaction: &Transaction) -> Result<()> {
        for Expected { collection, id, condition } in &transaction.expected {
            let head = self.head((*collection, id.clone()))?;
            let live = head.as_ref().map(|head| &head.document).filter(|own| own.is_live(self.ledger.at));
            check(live, condition)?;
        }
        Ok(())
    }

    /// The chunks to be removed that nobody has stored again meanwhile, in the store or in this group.
    fn plan_forgetting(&self, transaction: &Transaction) -> Result<Vec<ChunkHash>> {
        let Some((chunks, before)) = &transaction.forget else { return Ok(Vec::new()) };
        let mut forgotten = Vec::with_capacity(chunks.len());
        for chunk in chunks.iter().filter(|chunk| !self.chunks.contains(chunk)) {
            let stored = self.kv.get(Family::Blobs, &blob::key_stored(chunk))?;
            let stored = stored.map(|value| blob::decode_stored(chunk, &value)).transpose()?;
            if stored.is_some_and(|stored| stored < *before) {
                forgotten.push(*chunk);
            }
        }
        Ok(forgotten)
    }

    fn write_chunks(&mut self, chunks: &[Chunk], forgotten: &[ChunkHash]) {
        for hash in forgotten {
            self.batch.delete(Family::Blobs, &blob::key_bytes(hash));
            self.batch.delete(Family::Blobs, &blob::key_stored(hash));
        }
        for chunk in chunks {
            let hash = chunk.hash();
            self.batch.put(Family::Blobs, &blob::key_bytes(&hash), &chunk.bytes);
            self.batch.put(Family::Blobs, &blob::key_stored(&hash), &blob::encode_stored(self.ledger.at));
            self.chunks.insert(hash);
        }
    }

    fn plan_definition(&self, transaction: &Transaction, planned: usize) -> Result<Option<Defined>> {
        let Some(define) = &transaction.define else { return Ok(None) };
        let catalog = &self.ledger.catalog;
        let at = Seq::new(self.ledger.tail.seq.get() + planned as u64 + 1);
        match define {
            Define::New(name, options) => catalog.plan(name, options.clone(), at),
            Define::Other(id, options) => catalog.plan_change(*id, options.clone(), at),
            Define::Gone(id) => catalog.plan_drop(*id, at),
        }
        .map(Some)
    }

    /// Plans every write in order. What the engine does by itself is passed over where it no longer applies.
    fn plan_writes<'t>(&mut self, prepared: &'t Prepared) -> Result<Vec<Planned<'t>>> {
        let writes = &prepared.transaction.writes;
        let mut draft = Draft { planned: Vec::with_capacity(writes.len()), ..Draft::default() };
        for (write, target) in writes.iter().zip(&prepared.targets) {
            let place = (write.collection, write.id.clone());
            let outcome = self.wanted_keys(target, write).and_then(|wanted| {
                self.plan_write(&mut draft, place, wanted, &write.condition, &write.change)
            });
            match outcome {
                Err(error)
                    if write.change.is_upkeep()
                        && (error.conflict().is_some() || error.kind() == ErrorKind::NotFound) => {}
                outcome => outcome?,
            }
        }
        Ok(draft.planned)
    }

    /// The collection as it is declared now, and the keys of the new version: those that were made before the group,
    /// unless the collection has been altered since.
    fn wanted_keys<'t>(&self, target: &'t Target, write: &op::Write) -> Result<Wanted<'t>> {
        let current = self.ledger.catalog.by_id(write.collection);
        let current = current
            .ok_or_else(|| Error::not_found(format!("collection {} does not exist", write.collection)))?;
        let keys = match &write.change {
            op::Change::Put { body, .. } if !Arc::ptr_eq(current, &target.collection) => {
                Cow::Owned(keys_of_body(current, &write.id, body, target.schema)?)
            }
            _ => Cow::Borrowed(&target.index_keys[..]),
        };
        Ok(Wanted { collection: Arc::clone(current), schema: target.schema, keys })
    }

    fn plan_write<'t>(
        &mut self,
        draft: &mut Draft<'t>,
        place: Place,
        wanted: Wanted<'t>,
        condition: &Condition,
        change: &'t op::Change,
    ) -> Result<()> {
        let Wanted { collection, schema, keys: mut new_keys } = wanted;
        let old = self.head_within(draft, &place)?;
        let old_document = old.as_ref().map(|head| &head.document);
        draft.replaced_bytes += old_document.map_or(0, |old| old.body.len());
        if draft.replaced_bytes > TRANSACTION_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a transaction replaces at most {TRANSACTION_BYTES_MAX} bytes of documents"
            )));
        }
        let plan = decide(old_document, condition, change, &collection.options.keep, self.ledger.at)?;
        let mut old_keys = self.keys_of(&collection, old_document)?;
        if collection.indexes().iter().any(|index| index.unique && !index.is_readable()) {
            let lost = self.give_up_claims(draft, &collection, &place.1, &mut old_keys)?;
            if !lost.is_empty() {
                new_keys.to_mut().retain(|key| !lost.contains(key));
            }
        }
        for released in old_keys.iter().filter(|key| key.unique) {
            // A later write of the same transaction may take it.
            draft.taken.insert(released.key.clone(), None);
        }
        for wanted in new_keys.iter().filter(|key| key.unique && !old_keys.contains(key)) {
            if let Some(holder) = self.holder(draft, wanted)?.filter(|holder| *holder != place.1) {
                self.release(draft, &collection, wanted, holder)?;
            }
        }
        for wanted in new_keys.iter().filter(|key| key.unique) {
            draft.taken.insert(wanted.key.clone(), Some(place.1.clone()));
        }
        let seq = Seq::new(self.ledger.tail.seq.get() + 1 + draft.planned.len() as u64);
        let document = Document {
            collection: place.0,
            id: place.1.clone(),
            seq,
            prev_seq: plan.prev_seq,
            epoch: self.ledger.epoch,
            created: plan.created,
            updated: self.ledger.at,
            expires: plan.expires,
            schema,
            upgraded: false,
            deleted: plan.op != ChangeOp::Put,
            body: plan.body,
        };
        draft.latest.insert(place, draft.planned.len());
        let forgotten = if let op::Change::Purge { versions } = change { &versions[..] } else { &[] };
        let op = plan.op;
        draft.planned.push(Planned { collection, op, document, old, old_keys, new_keys, forgotten });
        Ok(())
    }

    /// What the transaction has made of a document so far, or the group, or what is stored.
    fn head_within(&mut self, draft: &Draft<'_>, place: &Place) -> Result<Option<Head>> {
        match draft.latest.get(place).and_then(|&at| draft.planned.get(at)) {
            Some(before) => Ok(Some(Head { document: before.document.clone(), stored: None })),
            None => self.head(place.clone()),
        }
    }

    /// Another write's id when it holds this key.
    pub(super) fn holder(&self, draft: &Draft<'_>, wanted: &IndexKey) -> Result<Option<DocId>> {
        draft.taken.get(&wanted.key).map_or_else(|| self.stored_holder(wanted), |known| Ok(known.clone()))
    }

    /// A document that has ended, but is still there, holds nothing: its end is recorded first.
    fn release<'t>(
        &mut self,
        draft: &mut Draft<'t>,
        collection: &Arc<Collection>,
        wanted: &IndexKey,
        holder: DocId,
    ) -> Result<()> {
        let place = (collection.id, holder);
        let head = self.head_within(draft, &place)?;
        let ended = head.filter(|head| !head.document.deleted && !head.document.is_live(self.ledger.at));
        let Some(ended) = ended else {
            let index = collection.index(wanted.index).map(|index| index.spec.name()).unwrap_or_default();
            return Err(Conflict::Unique { index, id: place.1 }.into());
        };
        let condition = Condition::Revision(ended.document.revision());
        let (schema, keys) = (collection.schema_version(), Cow::Borrowed(&[][..]));
        let wanted = Wanted { collection: Arc::clone(collection), schema, keys };
        self.plan_write(draft, place, wanted, &condition, &op::Change::Expire)
    }

    /// From here on nothing may fail on what is stored.
    fn apply(
        &mut self,
        prepared: &Prepared,
        planned: Vec<Planned<'_>>,
        defined: Option<Defined>,
        filled: Vec<Filled>,
        forgotten: &[ChunkHash],
    ) -> Result<Receipt> {
        let transaction = &prepared.transaction;
        let now = self.ledger.at;
        let first = self.ledger.tail.seq.next();
        for ack in &transaction.acks {
            self.ledger.queue.apply_ack(ack, now, self.batch);
        }
        for Cancelled { lane, unique, by } in &transaction.cancelled {
            self.ledger.queue.apply_cancel_unique(lane, unique, by, now, self.batch);
        }
        let documents = planned.len() as u64 + u64::from(defined.is_some());
        let jobs_after = Seq::new(self.ledger.tail.seq.get() + documents);
        let (ids, created) = self.write_jobs(&prepared.jobs, jobs_after);
        let enqueued = created.len();
        let last = Seq::new(jobs_after.get() + enqueued as u64);

        let mut seqs = Vec::with_capacity(planned.len());
        for plan in planned {
            if matches!(plan.op, ChangeOp::Put | ChangeOp::Delete) {
                seqs.push(plan.document.seq);
            }
            let document = &plan.document;
            let (collection, id) = (document.collection, document.id.clone());
            self.record(document.seq, collection, id, plan.op, document.prev_seq, last)?;
            self.write_document(plan)?;
        }
        for upkeep in &transaction.upkeep {
            self.keep_up(upkeep)?;
        }
        for filled in filled {
            self.write_fill(filled)?;
        }
        let defined = match defined {
            Some(defined) => Some(self.write_definition(defined, last)?),
            None => None,
        };
        for (lane, id) in created {
            let (seq, name) = (Seq::new(id.get()), DocId::new(id.to_string())?);
            self.record(seq, lane, name, ChangeOp::Enqueue, Seq::ZERO, last)?;
        }
        // The feed's reader asserts the same from its side: no hole, no record twice.
        assert_eq!(self.records, last.get() - self.ledger.tail.seq.get(), "records of one transaction");
        self.records = 0;
        self.ledger.tail.seq = last;
        let positions = match &transaction.positions {
            Some(batch) => Some(self.write_positions(batch)?),
            None => None,
        };
        for (name, to) in &transaction.cursors {
            let place = key::meta_cursor(name);
            match *to {
                CursorMove::To { at, holds } => {
                    let cursor = Cursor { at, epoch: self.ledger.epoch, seen: now, holds };
                    self.batch.put(Family::Meta, &place, &meta::encode_cursor(&cursor)?);
                }
                CursorMove::Forget => self.batch.delete(Family::Meta, &place),
            }
        }
        self.write_chunks(&transaction.chunks, forgotten);
        if let Some(idempotency) = transaction.idempotency {
            let fingerprint = idempotency.fingerprint;
            let remembered = Remembered { seq: first, created: now, fingerprint };
            self.batch.put(Family::Idem, &idempotency.key, &idem::encode(&remembered));
            self.remembered.insert(idempotency.key, remembered);
        }
        Ok(Receipt { positions, defined, enqueued, ..self.receipt(seqs, ids, None) })
    }

    /// A receipt as of now.
    fn receipt(&self, seqs: Vec<Seq>, jobs: Vec<JobId>, replayed: Option<Seq>) -> Receipt {
        Receipt {
            seqs,
            jobs,
            enqueued: 0,
            positions: None,
            defined: None,
            tail: self.ledger.tail,
            epoch: self.ledger.epoch,
            at: self.ledger.at,
            replayed,
        }
    }

    /// The first record of what was committed before under the transaction's idempotency key.
    fn replayed(&self, transaction: &Transaction) -> Result<Option<Seq>> {
        let Some(Idempotency { key, fingerprint }) = transaction.idempotency else { return Ok(None) };
        let remembered = match self.remembered.get(&key) {
            Some(remembered) => Some(*remembered),
            None => match self.kv.get(Family::Idem, &key)? {
                Some(value) => Some(idem::decode(&key, &value)?),
                None => None,
            },
        };
        match remembered.filter(|remembered| remembered.is_fresh(self.ledger.at)) {
            Some(remembered) if remembered.fingerprint == fingerprint => Ok(Some(remembered.seq)),
            Some(_) => Err(Conflict::KeyReused.into()),
            None => Ok(None),
        }
    }

    /// The id of each job, and of those that are new also the lane. A new job's id is the sequence of
    /// its log record.
    fn write_jobs(&mut self, jobs: &[PreparedJob], after: Seq) -> (Vec<JobId>, Vec<(CollectionId, JobId)>) {
        let (mut ids, mut created) = (Vec::with_capacity(jobs.len()), Vec::new());
        for job in jobs {
            let fresh = JobId::new(after.get() + created.len() as u64 + 1);
            let queue = &mut self.ledger.queue;
            let id = queue.apply_enqueue(fresh, job, self.ledger.at, self.batch);
            if let Some(lane) = queue.lane_of(id).filter(|_| id == fresh) {
                created.push((CollectionId::new(lane.get()), id));
            }
            ids.push(id);
        }
        (ids, created)
    }

    fn write_document(&mut self, plan: Planned<'_>) -> Result<()> {
        let Planned { collection: declared, op, document, old, old_keys, new_keys, forgotten } = plan;
        let (collection, id) = (document.collection, document.id.clone());
        self.ledger.touched.insert(collection, document.seq);
        if let Some(end) = old.as_ref().and_then(|old| old.document.expires) {
            self.batch.delete(Family::Expiry, &key::due(end, collection, id.as_str()));
        }
        if op == ChangeOp::Purge {
            self.ledger.kept.purged += 1;
            self.batch.delete(Family::Heads, &key::head(collection, id.as_str()));
            self.forget(collection, &id, forgotten, document.prev_seq)?;
            self.overlay.insert((collection, id), Ok(None));
            return Ok(());
        }
        self.ledger.kept.expired += u64::from(op == ChangeOp::Expire);
        if let Some(old) = old {
            let place = key::history(collection, id.as_str(), old.document.seq);
            match &old.stored {
                Some(stored) => self.batch.put(Family::History, &place, stored),
                None => {
                    let head = envelope::encode_head(&old.document)?;
                    self.batch.put_parts(Family::History, &place, &[&head, &old.document.body]);
                }
            }
        }
        let head = envelope::encode_head(&document)?;
        let place = key::head(collection, id.as_str());
        self.batch.put_parts(Family::Heads, &place, &[&head, &document.body]);
        self.write_index(&new_keys, &old_keys, document.seq, &id);
        self.write_due(&declared, &document)?;
        self.overlay.insert((collection, id), Ok(Some(Head { document, stored: None })));
        Ok(())
    }

    /// Files a document under the times at which housekeeping has to look at it.
    fn write_due(&mut self, collection: &Collection, document: &Document) -> Result<()> {
        let surplus = Some(document).filter(|document| document.prev_seq != Seq::ZERO);
        let surplus = surplus.and_then(|_| keep::versions::due(&collection.options.keep, self.ledger.at));
        for (family, at) in [(Family::Expiry, document.expires), (Family::Surplus, surplus)] {
            let Some(at) = at else { continue };
            let row =
                DueRow { family, at, collection: collection.id, id: document.id.clone(), seq: document.seq };
            self.file(&row);
        }
        Ok(())
    }

    fn file(&mut self, row: &DueRow) {
        self.batch.put(row.family, &row.key(), &meta::number(row.seq.get()));
        self.ledger.due = Some(self.ledger.due.map_or(row.at, |due| due.min(row.at)));
    }

    fn keep_up(&mut self, upkeep: &Upkeep) -> Result<()> {
        match upkeep {
            // All went with it.
            Upkeep::Forget { collection, .. } if self.check_live(*collection).is_err() => {}
            Upkeep::File(row) if self.check_live(row.collection).is_err() => {}
            Upkeep::Settle { row, .. } if self.check_live(row.collection).is_err() => {
                self.batch.delete(row.family, &row.key());
            }
            Upkeep::Forget { collection, id, versions, floor } => {
                self.ledger.kept.versions_removed += versions.len() as u64;
                self.forget(*collection, id, versions, *floor)?;
            }
            Upkeep::Settle { row, seen } => {
                let head = self.head((row.collection, row.id.clone()))?;
                let head = head.map(|head| head.document);
                // Meanwhile a newer version may have been filed under the same row.
                let again = head.filter(|head| head.seq > *seen).is_some_and(|head| match row.family {
                    Family::Expiry => head.expires == Some(row.at),
                    _ => head.updated < row.at,
                });
                if !again {
                    self.batch.delete(row.family, &row.key());
                }
            }
            Upkeep::File(row) => self.file(row),
            Upkeep::Dropped(collection) => self.close_drop(*collection)?,
            Upkeep::Surveyed(collection, at) => self.close_survey(*collection, *at)?,
            // Planned and written by itself.
            Upkeep::Fill(_) => {}
        }
        Ok(())
    }

    /// Unless the rule has changed again meanwhile.
    fn close_survey(&mut self, collection: CollectionId, at: Seq) -> Result<()> {
        let known = self.ledger.catalog.by_id(collection).filter(|known| known.survey == Some(at));
        let Some(known) = known else { return Ok(()) };
        let mut closed = Collection::clone(known);
        closed.survey = None;
        self.write_collection(closed)
    }

    /// Removes superseded versions: each was put once, when it was superseded, and goes once.
    fn forget(&mut self, collection: CollectionId, id: &DocId, versions: &[Seq], floor: Seq) -> Result<()> {
        for &version in versions {
            self.batch.single_delete(Family::History, &key::history(collection, id.as_str(), version));
        }
        self.raise_history_floor(collection, floor)
    }

    pub(super) fn raise_history_floor(&mut self, collection: CollectionId, floor: Seq) -> Result<()> {
        let name = key::meta_history_floor(collection);
        let known = self.ledger.history_floors.entry(collection);
        let known = match known {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Seq::new(read::number(self.kv, &name)?)),
        };
        if floor > *known {
            *known = floor;
            self.batch.put(Family::Meta, &name, &meta::number(floor.get()));
        }
        Ok(())
    }

    fn write_positions(&mut self, batch: &Bytes) -> Result<PositionSeq> {
        let seq = self.ledger.tail.positions.next();
        let stamp =
            positions::Stamp { after: self.ledger.tail.seq, at: self.ledger.at, epoch: self.ledger.epoch };
        let head = positions::encode_head(stamp, batch)?;
        self.batch.put_parts(Family::Positions, &key::positions(seq), &[&head, batch]);
        self.ledger.tail.positions = seq;
        Ok(seq)
    }

    pub(super) fn record(
        &mut self,
        seq: Seq,
        collection: CollectionId,
        id: DocId,
        op: ChangeOp,
        prev_seq: Seq,
        group_last: Seq,
    ) -> Result<()> {
        let record = Change {
            seq,
            group_last,
            prev_seq,
            at: self.ledger.at,
            epoch: self.ledger.epoch,
            collection,
            id,
            op,
        };
        self.records += 1;
        assert_eq!(seq.get(), self.ledger.tail.seq.get() + self.records, "records come in order");
        let mut value = Vec::with_capacity(40 + record.id.as_str().len());
        change::encode(&record, &mut value)?;
        self.batch.put(Family::Log, &key::log(seq), &value);
        self.ledger.recorded.push(record);
        Ok(())
    }

    /// Closes the batch with the counters that must agree with it.
    pub(crate) fn finish(self) -> Tail {
        let tail = self.ledger.tail;
        if tail.seq != self.start.seq {
            self.batch.put(Family::Meta, key::META_LAST_SEQ, &meta::number(tail.seq.get()));
        }
        if tail.positions != self.start.positions {
            let value = meta::number(tail.positions.get());
            self.batch.put(Family::Meta, key::META_POSITIONS_LAST, &value);
        }
        tail
    }
}
