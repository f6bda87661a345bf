//! Commits the events of a shard together with the shard's cursor, so that each is told exactly once.
//!
//! Events between two cursor positions are a function of the log. When they are more than one transaction takes,
//! the second cursor `geo/<shard>/told` counts, in the same commits, how many of those after `geo/<shard>` are out;
//! after a crash they are derived again and that many are left out.
//!
//! One commit may be under way while the next events are found; the one after it waits for it, so what is stored is always
//! a beginning of what was told.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use dateline_engine::{
    Condition, DocId, Durability, Error, ErrorKind, PositionSeq, Receipt, Result, Seq, Store, Tail,
    Transaction,
};

use crate::event::{Event, Told};
use crate::reading::Collections;

/// Bounds of one transaction, well below the engine's.
const EVENTS_MAX: usize = 4_000;
const BYTES_MAX: usize = 8 << 20;
/// Wait when the engine takes no more for the moment.
const BUSY_WAIT: Duration = Duration::from_millis(10);

pub(crate) struct Outbox {
    store: Store,
    collections: Collections,
    cursor: String,
    told_cursor: String,
    /// Events after the cursor that are already out.
    told: u64,
    /// Of the events after the cursor, how many have been handed in since.
    passed: u64,
    durability: Durability,
    events_max: usize,
    under_way: Option<UnderWay>,
}

/// A commit whose outcome is not known yet.
struct UnderWay {
    chunk: Chunk,
    outcome: Receiver<Result<Receipt>>,
}

/// What goes into one commit.
struct Chunk {
    documents: Vec<Document>,
    /// Where the cursor goes.
    through: Option<Tail>,
    told: Option<u64>,
}

struct Document {
    collection: dateline_engine::CollectionId,
    id: DocId,
    body: Bytes,
}

impl Outbox {
    /// Opens the outbox of a shard; the second value is where it stands, `None` on the first start.
    pub(crate) fn open(
        store: Store,
        collections: Collections,
        shard: usize,
        durability: Durability,
    ) -> Result<(Self, Option<Tail>)> {
        let cursor = cursor_of(shard);
        let told_cursor = told_of(&cursor);
        let at = store.cursor(&cursor)?.map(|cursor| cursor.at);
        let told = store.cursor(&told_cursor)?.map_or(0, |cursor| cursor.at.seq.get());
        Ok((
            Self {
                store,
                collections,
                cursor,
                told_cursor,
                told,
                passed: 0,
                durability,
                events_max: EVENTS_MAX,
                under_way: None,
            },
            at,
        ))
    }

    /// Tells the next events after the cursor, which stays: there are more than should be held until it moves. Stored with
    /// [`Outbox::settle`], as with `commit`.
    pub(crate) fn tell(&mut self, events: &[Event]) -> Result<()> {
        self.pass(events, None)
    }

    /// Tells the rest of the events caused by everything after the cursor up to `through`, and moves it there.
    pub(crate) fn commit(&mut self, events: &[Event], through: Tail) -> Result<()> {
        self.pass(events, Some(through))
    }

    fn pass(&mut self, events: &[Event], through: Option<Tail>) -> Result<()> {
        // What an earlier run has told of these, and of those that follow.
        let ahead = self.told.saturating_sub(self.passed);
        let known = usize::try_from(ahead).unwrap_or(usize::MAX).min(events.len());
        let mut left_over = events.get(known..).unwrap_or_default();
        let mut told = self.told;
        loop {
            let (mut documents, mut bytes) = (Vec::new(), 0);
            while documents.len() < self.events_max && bytes < BYTES_MAX {
                let Some((event, others)) = left_over.split_first() else { break };
                let document = self.document(event)?;
                bytes += document.body.len();
                documents.push(document);
                left_over = others;
            }
            let is_last = left_over.is_empty();
            if let (true, Some(through)) = (is_last, through) {
                // What was out before and is not among these events lies ahead.
                let left = ahead - count(known);
                let told = (told != left).then_some(left);
                self.write(Chunk { documents, through: Some(through), told })?;
                (self.told, self.passed) = (left, 0);
                return Ok(());
            }
            if !documents.is_empty() {
                told += count(documents.len());
                self.write(Chunk { documents, through: None, told: Some(told) })?;
            }
            if is_last {
                (self.told, self.passed) = (told, self.passed + count(events.len()));
                return Ok(());
            }
        }
    }

    /// Whether events are out whose cursor has not moved yet.
    pub(crate) fn is_ahead(&self) -> bool {
        self.passed > 0
    }

    /// Moves the cursor where nothing is to be told; survives power loss.
    pub(crate) fn checkpoint(&mut self, through: Tail) -> Result<()> {
        self.settle()?;
        let transaction = Transaction::new(Durability::Sync).cursor(&*self.cursor, through);
        self.store.commit(transaction).map(drop)
    }

    /// Begins anew at `at`, because what lies between the cursor and there has been trimmed. Its events are lost.
    pub(crate) fn skip_to(&mut self, at: Tail) -> Result<()> {
        self.settle()?;
        skip_to(&self.store, &self.cursor, at)?;
        (self.told, self.passed) = (0, 0);
        Ok(())
    }

    /// Hands in a commit once the one before is stored.
    fn write(&mut self, chunk: Chunk) -> Result<()> {
        self.settle()?;
        self.hand_in(chunk);
        Ok(())
    }

    fn hand_in(&mut self, chunk: Chunk) {
        let mut transaction = Transaction::new(self.durability);
        for Document { collection, id, body } in &chunk.documents {
            transaction = transaction.put(*collection, id.clone(), Condition::Absent, body.clone());
        }
        if let Some(through) = chunk.through {
            transaction = transaction.cursor(&*self.cursor, through);
        }
        if let Some(told) = chunk.told {
            // A count, which holds nothing.
            transaction = transaction.note(&*self.told_cursor, told_tail(told));
        }
        let (answer, outcome) = channel();
        // Nobody waits any more when the shard has ended.
        self.store.submit(transaction, move |result| drop(answer.send(result)));
        self.under_way = Some(UnderWay { chunk, outcome });
    }

    /// Waits until all that was told is stored.
    pub(crate) fn settle(&mut self) -> Result<()> {
        while let Some(UnderWay { chunk, outcome }) = self.under_way.take() {
            match outcome.recv() {
                // Leaving events out is no choice, so a full intake is waited for.
                Ok(Err(error)) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Full) => {
                    std::thread::sleep(BUSY_WAIT);
                    self.hand_in(chunk);
                }
                Ok(outcome) => drop(outcome?),
                Err(_) => return Err(Error::unavailable("the engine stopped before it answered")),
            }
        }
        Ok(())
    }

    fn document(&self, event: &Event) -> Result<Document> {
        let collection = match event.told {
            Told::Match(_) => self.collections.matches,
            Told::Fence(_) => self.collections.fence_events,
        };
        Ok(Document { collection, id: event.id()?, body: event.body()?.into() })
    }
}

/// Where a shard stands.
pub(crate) fn cursor_of(shard: usize) -> String {
    format!("geo/{shard}")
}

fn told_of(cursor: &str) -> String {
    format!("{cursor}/told")
}

/// Moves a shard's cursor to `at`, with nothing told after it.
pub(crate) fn skip_to(store: &Store, cursor: &str, at: Tail) -> Result<()> {
    let transaction = Transaction::new(Durability::Sync).cursor(cursor, at);
    store.commit(transaction.note(told_of(cursor), told_tail(0))).map(drop)
}

fn told_tail(told: u64) -> Tail {
    Tail { seq: Seq::new(told), positions: PositionSeq::ZERO }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
