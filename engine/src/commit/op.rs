//! What a caller asks to be committed: one atomic transaction.

use bytes::Bytes;

use crate::blob::{Chunk, ChunkHash};
use crate::catalog::CollectionOptions;
use crate::codec::idem::Idempotency;
use crate::codec::key;
use crate::index::Fill;
use crate::kv::families::Family;
use crate::queue::{Ack, NewJob};
use crate::types::{CollectionId, DocId, Epoch, JobId, Millis, PositionSeq, Revision, Seq, Tail};

/// When a write counts as acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives power loss.
    Sync,
    /// It survives the death of the process; power loss may take the last few milliseconds.
    Buffered,
}

/// What must hold of the stored document for a write to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Anything.
    Always,
    /// No live document: the write creates it.
    Absent,
    /// A live document.
    Present,
    /// A live document at exactly this revision.
    Revision(Revision),
}

/// What becomes of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put {
        body: Bytes,
        expires: Option<Millis>,
        /// Version of the schema the body is of; `None`: the newest when it is handed in.
        schema: Option<u32>,
    },
    Delete,
    /// It reached its end. Passed over when the head is not at the revision of the condition, or has not ended.
    Expire,
    /// Its tombstone is forgotten with these superseded versions; passed over like `Expire`.
    Purge {
        versions: Vec<Seq>,
    },
}

impl Change {
    /// The engine itself asks for it; the writer passes over what no longer applies.
    pub(crate) fn is_upkeep(&self) -> bool {
        matches!(self, Self::Expire | Self::Purge { .. })
    }
}

/// Bookkeeping of `keep`: changes no document and is not logged.
#[derive(Clone, Debug)]
pub(crate) enum Upkeep {
    /// Superseded versions that are kept no longer. The history is whole from `floor` on.
    Forget { collection: CollectionId, id: DocId, versions: Vec<Seq>, floor: Seq },
    /// A row that has been seen to, when the head was at `seen`.
    Settle { row: DueRow, seen: Seq },
    /// A row to be looked at.
    File(DueRow),
    /// Nothing names a document of this dropped collection any more.
    Dropped(CollectionId),
    /// All versions have been filed by the rule that holds since this record.
    Surveyed(CollectionId, Seq),
    /// A step of building an index.
    Fill(Box<Fill>),
}

/// A row of a family of documents by time.
#[derive(Clone, Debug)]
pub(crate) struct DueRow {
    pub(crate) family: Family,
    pub(crate) at: Millis,
    pub(crate) collection: CollectionId,
    pub(crate) id: DocId,
    pub(crate) seq: Seq,
}

impl DueRow {
    pub(crate) fn key(&self) -> Vec<u8> {
        key::due(self.at, self.collection, self.id.as_str())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) collection: CollectionId,
    pub(crate) id: DocId,
    pub(crate) condition: Condition,
    pub(crate) change: Change,
}

/// What must hold of a document that is not written.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) collection: CollectionId,
    pub(crate) id: DocId,
    pub(crate) condition: Condition,
}

/// The unfinished job that holds a unique key is to be taken out.
#[derive(Clone, Debug)]
pub(crate) struct Cancelled {
    pub(crate) lane: String,
    pub(crate) unique: String,
    pub(crate) by: String,
}

/// What becomes of a durable cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CursorMove {
    To { at: Tail, holds: bool },
    Forget,
}

/// What becomes of a collection.
#[derive(Clone, Debug)]
pub(crate) enum Define {
    New(String, CollectionOptions),
    Other(CollectionId, CollectionOptions),
    Gone(CollectionId),
}

/// Writes, jobs, cursor moves and position batches that are committed together or not at all.
///
/// It becomes one group of the log: a reader of the feed never sees half of it.
#[derive(Debug)]
pub struct Transaction {
    pub(crate) durability: Durability,
    pub(crate) writes: Vec<Write>,
    pub(crate) expected: Vec<Expected>,
    pub(crate) cancelled: Vec<Cancelled>,
    pub(crate) jobs: Vec<NewJob>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) cursors: Vec<(String, CursorMove)>,
    pub(crate) positions: Option<Bytes>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) forget: Option<(Vec<ChunkHash>, Millis)>,
    pub(crate) define: Option<Define>,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) upkeep: Vec<Upkeep>,
    pub(crate) when_full: bool,
}

impl Transaction {
    /// An empty transaction.
    #[must_use]
    pub fn new(durability: Durability) -> Self {
        Self {
            durability,
            writes: Vec::new(),
            expected: Vec::new(),
            cancelled: Vec::new(),
            jobs: Vec::new(),
            acks: Vec::new(),
            cursors: Vec::new(),
            positions: None,
            chunks: Vec::new(),
            forget: None,
            define: None,
            idempotency: None,
            upkeep: Vec::new(),
            when_full: false,
        }
    }

    /// Stores a JSON object under this id.
    #[must_use]
    pub fn put(
        self,
        collection: CollectionId,
        id: DocId,
        condition: Condition,
        body: impl Into<Bytes>,
    ) -> Self {
        self.write(collection, id, condition, Change::Put { body: body.into(), expires: None, schema: None })
    }

    /// As `put`, for a document that ends by itself at `expires`.
    #[must_use]
    pub fn put_until(
        self,
        collection: CollectionId,
        id: DocId,
        condition: Condition,
        body: impl Into<Bytes>,
        expires: Millis,
    ) -> Self {
        let change = Change::Put { body: body.into(), expires: Some(expires), schema: None };
        self.write(collection, id, condition, change)
    }

    /// The body that was put last is of this version of its collection's schema: it was made before a newer one was
    /// declared. Without it a body is of the newest version there is when the transaction is handed in.
    #[must_use]
    pub fn of_schema(mut self, version: u32) -> Self {
        if let Some(Write { change: Change::Put { schema, .. }, .. }) = self.writes.last_mut() {
            *schema = Some(version);
        }
        self
    }

    /// Leaves a tombstone.
    #[must_use]
    pub fn delete(self, collection: CollectionId, id: DocId, condition: Condition) -> Self {
        self.write(collection, id, condition, Change::Delete)
    }

    pub(crate) fn write(
        mut self,
        collection: CollectionId,
        id: DocId,
        condition: Condition,
        change: Change,
    ) -> Self {
        self.writes.push(Write { collection, id, condition, change });
        self
    }

    /// Goes through only while this holds of a document that is not written: one that a decision was made from.
    #[must_use]
    pub fn expect(mut self, collection: CollectionId, id: DocId, condition: Condition) -> Self {
        self.expected.push(Expected { collection, id, condition });
        self
    }

    /// Takes out the unfinished job of a lane that holds this unique key, if there is one, before any is enqueued;
    /// `by` says who and why. A worker that has it loses its lease.
    #[must_use]
    pub fn cancel(
        mut self,
        lane: impl Into<String>,
        unique: impl Into<String>,
        by: impl Into<String>,
    ) -> Self {
        self.cancelled.push(Cancelled { lane: lane.into(), unique: unique.into(), by: by.into() });
        self
    }

    /// Adds a job that exists if and only if the transaction commits.
    #[must_use]
    pub fn enqueue(mut self, job: NewJob) -> Self {
        self.jobs.push(job);
        self
    }

    /// Finishes a leased job in the same commit; the transaction fails if the lease is lost.
    #[must_use]
    pub fn complete(mut self, ack: Ack) -> Self {
        self.acks.push(ack);
        self
    }

    /// Moves a durable cursor, which keeps what lies behind it from being trimmed. A consumer of one lane only
    /// gives the newest place of the other.
    #[must_use]
    pub fn cursor(self, name: impl Into<String>, at: Tail) -> Self {
        self.move_cursor(name, CursorMove::To { at, holds: true })
    }

    /// As `cursor`, but holds nothing: for numbers that are no positions.
    #[must_use]
    pub fn note(self, name: impl Into<String>, at: Tail) -> Self {
        self.move_cursor(name, CursorMove::To { at, holds: false })
    }

    /// Removes a durable cursor.
    #[must_use]
    pub fn forget_cursor(self, name: impl Into<String>) -> Self {
        self.move_cursor(name, CursorMove::Forget)
    }

    fn move_cursor(mut self, name: impl Into<String>, to: CursorMove) -> Self {
        self.cursors.push((name.into(), to));
        self
    }

    /// Appends one packed batch to the positions lane; a second call replaces the first.
    #[must_use]
    pub fn positions(mut self, batch: Bytes) -> Self {
        self.positions = Some(batch);
        self
    }

    /// Stores a piece of an attachment.
    #[must_use]
    pub fn chunk(mut self, chunk: Chunk) -> Self {
        self.chunks.push(chunk);
        self
    }

    /// Removes these chunks, except those that were stored again at `before` or later; a second call replaces the
    /// first.
    #[must_use]
    pub fn forget_chunks(mut self, chunks: Vec<ChunkHash>, before: Millis) -> Self {
        self.forget = Some((chunks, before));
        self
    }

    /// Takes effect at most once under this key in 24 hours. A second time nothing is written, and the
    /// receipt says what was written first.
    #[must_use]
    pub fn once(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = Some(idempotency);
        self
    }

    /// Creates a collection.
    #[must_use]
    pub fn define(mut self, name: impl Into<String>, options: CollectionOptions) -> Self {
        self.define = Some(Define::New(name.into(), options));
        self
    }

    /// Ends a collection with all its documents and versions at once. What it occupied is given back in the
    /// background. Its name can be used again from this transaction on, its number never.
    #[must_use]
    pub fn drop(mut self, collection: CollectionId) -> Self {
        self.define = Some(Define::Gone(collection));
        self
    }

    /// Gives a collection other options. Indexes that stay as they were declared are untouched; those that are
    /// declared no more are removed; new ones are built while documents are read and written, and are read when
    /// they are whole: see [`IndexState`](crate::IndexState).
    #[must_use]
    pub fn alter(mut self, collection: CollectionId, options: CollectionOptions) -> Self {
        self.define = Some(Define::Other(collection, options));
        self
    }

    pub(crate) fn upkeep(mut self, upkeep: Upkeep) -> Self {
        self.upkeep.push(upkeep);
        self
    }

    /// Goes through although the disk is nearly full: for what is small and lets people make room.
    #[must_use]
    pub fn when_full(mut self) -> Self {
        self.when_full = true;
        self
    }

    /// Whether it takes up room that only somebody's later word gives back.
    pub(crate) fn grows(&self) -> bool {
        let puts = self.writes.iter().any(|write| matches!(write.change, Change::Put { .. }));
        let adds = !self.jobs.is_empty() || !self.chunks.is_empty() || self.positions.is_some();
        let fills = self.upkeep.iter().any(|upkeep| matches!(upkeep, Upkeep::Fill(_)));
        !self.when_full && (puts || adds || fills || self.define.is_some())
    }

    /// The documents it is decided on.
    pub(crate) fn places(&self) -> impl Iterator<Item = (CollectionId, &DocId)> {
        let written = self.writes.iter().map(|write| (write.collection, &write.id));
        written.chain(self.expected.iter().map(|expected| (expected.collection, &expected.id)))
    }

    /// Things it asks for, whatever their size.
    pub(crate) fn parts(&self) -> usize {
        let define = usize::from(self.define.is_some());
        let forgotten = self.forget.as_ref().map_or(0, |(chunks, _)| chunks.len());
        self.writes.len()
            + self.expected.len()
            + self.cancelled.len()
            + self.jobs.len()
            + self.acks.len()
            + self.cursors.len()
            + self.upkeep.len()
            + self.chunks.len()
            + forgotten
            + define
    }

    /// Its share of the bounds of intake and group: what it carries, and something for each part.
    pub(crate) fn bytes(&self) -> usize {
        const PART_BYTES: usize = 256;
        let bodies = self.writes.iter().map(|write| match &write.change {
            Change::Put { body, .. } => body.len(),
            Change::Delete | Change::Expire => 0,
            Change::Purge { versions } => size_of_val(versions.as_slice()),
        });
        let jobs = self.jobs.iter().map(|job| job.payload.len());
        let results = self.acks.iter().filter_map(|ack| Some(ack.result.as_ref()?.len()));
        let positions = self.positions.as_ref().map_or(0, Bytes::len);
        let chunks = self.chunks.iter().map(Chunk::len);
        let forgotten = self.upkeep.iter().map(|upkeep| match upkeep {
            Upkeep::Forget { versions, .. } => size_of_val(versions.as_slice()),
            Upkeep::Settle { .. }
            | Upkeep::File(_)
            | Upkeep::Dropped(_)
            | Upkeep::Surveyed(..)
            | Upkeep::Fill(_) => 0,
        });
        bodies.chain(forgotten).chain(jobs).chain(results).chain(chunks).sum::<usize>()
            + positions
            + self.parts() * PART_BYTES
    }
}

/// What a committed transaction became.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The sequence of each write, in the order in which they were added.
    pub seqs: Vec<Seq>,
    /// The id of each job; a job with a held unique key gives the id of the holder.
    pub jobs: Vec<JobId>,
    /// How many of these jobs are new. Theirs are the last sequences of the transaction.
    pub enqueued: usize,
    /// Where the position batch went.
    pub positions: Option<PositionSeq>,
    /// The collection that was defined, altered or dropped.
    pub defined: Option<CollectionId>,
    /// Both lanes as of this transaction.
    pub tail: Tail,
    /// The opening of the store in which it was written.
    pub epoch: Epoch,
    /// The time of the commit.
    pub at: Millis,
    /// Nothing was written: the transaction had been committed before under its idempotency key, and
    /// this was its first record. The other members are those of now, and empty.
    pub replayed: Option<Seq>,
}

impl Receipt {
    /// Whether this job was added by the transaction, not found under its unique key.
    #[must_use]
    pub fn is_new(&self, job: JobId) -> bool {
        let last = self.tail.seq.get();
        (last - self.enqueued as u64 + 1..=last).contains(&job.get())
    }

    /// The revision the n-th write got.
    #[must_use]
    pub fn revision(&self, place: usize) -> Option<Revision> {
        self.seqs.get(place).map(|&seq| Revision { epoch: self.epoch, seq })
    }
}
