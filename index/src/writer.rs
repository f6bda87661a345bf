//! Feeds one generation: log records in, tantivy operations and commits out.
//!
//! Invariant: after `take`, the index as written holds for each searched document exactly the version that was
//! newest at `position`, unless `exact` says otherwise. When a collection got another upgrade of its schema, its
//! documents go in anew, some at a time; until they all have, nothing is committed. A step that fails leaves the writer
//! broken: it commits nothing any more, and whoever opens the generation anew stands at the last commit, so no record
//! is ever taken in twice.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dateline_engine::{Change, ChangeOp, CollectionId, DocId, Document, Error, Result, Seq, Store};
use tantivy::{IndexWriter, Searcher};

use crate::checkpoint::{Checkpoint, Mark};
use crate::document::Composer;
use crate::fault;
use crate::figures::Counters;
use crate::generation::Generation;
use crate::limits::REFILL_DOCUMENTS_MAX;
use crate::mapping::Mapping;
use crate::searched::Searched;

/// What a writer needs to know of the house; borrowed for one call.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) store: &'a Store,
    pub(crate) searched: &'a Searched,
    pub(crate) counters: &'a Counters,
}

/// The one writer of a generation.
pub(crate) struct Writer {
    pub(crate) generation: Arc<Generation>,
    writer: IndexWriter,
    /// Taken in up to here.
    mark: Mark,
    committed: Seq,
    committed_at: Instant,
    /// Operations since the commit, and since when they wait.
    pending: usize,
    pending_since: Instant,
    /// Below this record a version was passed over because the store no longer had it.
    exact_from: Seq,
    /// Collections whose documents are to go in anew.
    refills: Vec<Refill>,
    broken: bool,
}

/// A collection whose documents go in anew, and how far that is.
struct Refill {
    collection: CollectionId,
    after: Option<DocId>,
}

impl Writer {
    /// Goes on from a commit that says `mark`.
    pub(crate) fn open(generation: Arc<Generation>, mark: Mark, memory_bytes: usize) -> Result<Self> {
        // One thread keeps segments few; a follower has only one stream to write.
        let writer = generation
            .index
            .writer_with_num_threads(1, memory_bytes)
            .map_err(fault::tantivy("open the writer"))?;
        let now = Instant::now();
        Ok(Self {
            generation,
            writer,
            mark,
            committed: mark.seq,
            committed_at: now,
            pending: 0,
            pending_since: now,
            exact_from: Seq::ZERO,
            refills: Vec::new(),
            broken: false,
        })
    }

    pub(crate) fn position(&self) -> Seq {
        self.mark.seq
    }

    pub(crate) fn committed(&self) -> Seq {
        self.committed
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    /// How long the oldest uncommitted operation has waited.
    pub(crate) fn waited(&self) -> Duration {
        if self.pending == 0 { Duration::ZERO } else { self.pending_since.elapsed() }
    }

    pub(crate) fn since_commit(&self) -> Duration {
        self.committed_at.elapsed()
    }

    /// Whether the index is that of `position`, and not partly of a later record.
    pub(crate) fn exact(&self) -> bool {
        self.mark.seq >= self.exact_from && !self.is_refilling()
    }

    /// Whether documents wait for `refill`. Until then nothing more is taken in, and nothing is committed: whoever opens
    /// the last commit comes by the same record again.
    pub(crate) fn is_refilling(&self) -> bool {
        !self.refills.is_empty()
    }

    /// A step has failed; only opening anew helps.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Takes in whole groups that continue the position.
    pub(crate) fn take(&mut self, source: Source<'_>, changes: &[Change]) -> Result<()> {
        let Some(last) = changes.last() else { return Ok(()) };
        // Until the end is reached.
        self.broken = true;
        let mut seen = HashSet::new();
        // Backwards: only the last of several changes of a document counts.
        for change in changes.iter().rev().filter(|change| change.op.is_document()) {
            let Some(mapping) = source.searched.of(change.collection) else { continue };
            if seen.insert((change.collection, &change.id)) {
                self.take_one(source, &mapping, change)?;
            }
        }
        // Its documents have no records of their own. After all others: nothing of it may come in again.
        for change in changes.iter().filter(|change| change.op == ChangeOp::Drop) {
            source.searched.forget(change.collection);
            self.operate();
            self.writer.delete_term(self.generation.fields.collection_term(change.collection));
        }
        for change in changes.iter().filter(|change| change.op == ChangeOp::Catalog) {
            self.renew(source, change);
        }
        self.mark = Mark { seq: last.seq, epoch: last.epoch, at: last.at };
        self.broken = false;
        Ok(())
    }

    /// Another upgrade changes what documents are without a record for each. Of several the last one counts.
    fn renew(&mut self, source: Source<'_>, change: &Change) {
        let catalog = source.store.catalog();
        let upgraded = catalog.by_id(change.collection).and_then(|collection| collection.upgraded_at());
        if upgraded == Some(change.seq) && source.searched.of(change.collection).is_some() {
            self.operate();
            self.writer.delete_term(self.generation.fields.collection_term(change.collection));
            self.refills.push(Refill { collection: change.collection, after: None });
        }
    }

    /// Adds the next documents of a collection whose documents go in anew; false: there are no more.
    pub(crate) fn refill(&mut self, source: Source<'_>) -> Result<bool> {
        let Some(Refill { collection, mut after }) = self.refills.pop() else { return Ok(false) };
        self.broken = true;
        let snapshot = source.store.snapshot()?;
        let (mut documents, mut outcome) = (0, Ok(()));
        if let Some(mapping) = source.searched.of(collection) {
            let from = after.take();
            let from = from.as_ref().map(DocId::as_str);
            snapshot.scan_as_of(collection, from, self.mark.seq, |document| {
                documents += 1;
                outcome = self.add(&mapping, &document).map(|left_out| source.counters.operated(left_out));
                self.operate();
                after = Some(document.id);
                let goes_on = outcome.is_ok() && documents < REFILL_DOCUMENTS_MAX;
                if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
        }
        outcome?;
        // What is gone from the history was passed over; records up to here bring it.
        self.exact_from = self.exact_from.max(snapshot.tail().seq);
        if documents == REFILL_DOCUMENTS_MAX {
            self.refills.push(Refill { collection, after });
        }
        self.broken = false;
        Ok(true)
    }

    /// Counts an operation that waits for the next commit.
    fn operate(&mut self) {
        if self.pending == 0 {
            self.pending_since = Instant::now();
        }
        self.pending += 1;
    }

    fn take_one(&mut self, source: Source<'_>, mapping: &Mapping, change: &Change) -> Result<()> {
        let (collection, id) = (change.collection, change.id.as_str());
        let document = match change.op {
            ChangeOp::Put => match source.store.version(collection, id, change.seq)? {
                Some(document) => Some(document),
                None => match source.store.head(collection, id)?.filter(|head| head.seq > change.seq) {
                    // The version is gone from the history; the record of a later one is still to come.
                    Some(head) => {
                        self.exact_from = self.exact_from.max(head.seq);
                        return Ok(());
                    }
                    None => None,
                },
            },
            _ => None,
        };
        self.operate();
        // A delete is looked up in every segment; a first version has nothing to delete.
        if change.prev_seq > Seq::ZERO {
            self.writer.delete_term(self.generation.fields.key_term(collection, id));
        }
        let left_out = match document.filter(|document| !document.deleted) {
            Some(document) => self.add(mapping, &document)?,
            None => 0,
        };
        source.counters.operated(left_out);
        Ok(())
    }

    fn add(&mut self, mapping: &Mapping, document: &Document) -> Result<u64> {
        let composer = Composer { fields: self.generation.fields, mapping };
        let (composed, left_out) = composer.compose(document);
        self.writer.add_document(composed).map_err(fault::tantivy("add a document")).map_err(passing)?;
        Ok(left_out)
    }

    /// Makes everything taken in durable and searchable.
    pub(crate) fn commit(&mut self, source: Source<'_>) -> Result<Searcher> {
        let started = Instant::now();
        let checkpoint = Checkpoint::new(source.store, source.searched, self.generation.number, self.mark);
        self.broken = true;
        let searcher = commit(&mut self.writer, &self.generation, &checkpoint).map_err(passing)?;
        self.broken = false;
        self.committed = self.mark.seq;
        self.committed_at = Instant::now();
        self.pending = 0;
        source.counters.committed(started);
        Ok(searcher)
    }
}

/// Whatever a writer of tantivy runs into, opening the generation anew decides whether it was damage.
fn passing(error: Error) -> Error {
    Error::unavailable(error.to_string())
}

/// One tantivy commit with its checkpoint, durable when this returns.
pub(crate) fn commit(
    writer: &mut IndexWriter,
    generation: &Generation,
    checkpoint: &Checkpoint,
) -> Result<Searcher> {
    let mut prepared = writer.prepare_commit().map_err(fault::tantivy("prepare a commit"))?;
    prepared.set_payload(&checkpoint.encode());
    prepared.commit().map_err(fault::tantivy("commit"))?;
    // Tantivy syncs the directory before it renames meta.json into place, not after.
    fault::sync_dir(&generation.dir)?;
    generation.reader.reload().map_err(fault::tantivy("reload"))?;
    Ok(generation.reader.searcher())
}
