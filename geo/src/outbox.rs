//! Commits the events of a shard together with the shard's cursor, so that each is told exactly once.
//!
//! Events between two cursor positions are a function of the log. When they are more than one transaction takes,
//! the second cursor `geo/<shard>/told` counts, in the same commits, how many of those after `geo/<shard>` are out;
//! after a crash they are derived again and that many are left out.

use std::time::Duration;

use bytes::Bytes;
use dateline_engine::{
    Condition, DocId, Durability, ErrorKind, PositionSeq, Result, Seq, Store, Tail, Transaction,
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
            },
            at,
        ))
    }

    /// Tells the next events after the cursor, which stays: there are more than should be held until it moves.
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
        let mut documents = events.iter().skip(known).map(|event| self.document(event)).peekable();
        let mut told = self.told;
        loop {
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            while chunk.len() < self.events_max && bytes < BYTES_MAX {
                let Some(document) = documents.next() else { break };
                let document = document?;
                bytes += document.body.len();
                chunk.push(document);
            }
            let is_last = documents.peek().is_none();
            if let (true, Some(through)) = (is_last, through) {
                // What was out before and is not among these events lies ahead.
                let left = ahead - count(known);
                let cursors = [(&*self.cursor, through), (&*self.told_cursor, told_tail(left))];
                self.write(&chunk, cursors.get(..if told == left { 1 } else { 2 }).unwrap_or_default())?;
                drop(documents);
                (self.told, self.passed) = (left, 0);
                return Ok(());
            }
            if !chunk.is_empty() {
                told += count(chunk.len());
                self.write(&chunk, &[(&*self.told_cursor, told_tail(told))])?;
            }
            if is_last {
                drop(documents);
                (self.told, self.passed) = (told, self.passed + count(events.len()));
                return Ok(());
            }
        }
    }

    /// Whether events are out whose cursor has not moved yet.
    pub(crate) fn is_ahead(&self) -> bool {
        self.passed > 0
    }

    /// Moves the cursor, and that of the device snapshot, where nothing is to be told; survives power loss.
    pub(crate) fn checkpoint(&self, through: Tail, snapshot: Option<&str>) -> Result<()> {
        let transaction = Transaction::new(Durability::Sync).cursor(&*self.cursor, through);
        match snapshot {
            Some(name) => self.store.commit(transaction.cursor(name, through)).map(|_| ()),
            None => self.store.commit(transaction).map(|_| ()),
        }
    }

    /// Begins anew at `at`, because what lies between the cursor and there has been trimmed. Its events are lost.
    pub(crate) fn skip_to(&mut self, at: Tail) -> Result<()> {
        skip_to(&self.store, &self.cursor, at)?;
        (self.told, self.passed) = (0, 0);
        Ok(())
    }

    fn write(&self, chunk: &[Document], cursors: &[(&str, Tail)]) -> Result<()> {
        loop {
            let mut transaction = Transaction::new(self.durability);
            for document in chunk {
                transaction = transaction.put(
                    document.collection,
                    document.id.clone(),
                    Condition::Absent,
                    document.body.clone(),
                );
            }
            for (name, at) in cursors {
                transaction = if *name == self.told_cursor {
                    // A count, which holds nothing.
                    transaction.note(*name, *at)
                } else {
                    transaction.cursor(*name, *at)
                };
            }
            match self.store.commit(transaction) {
                // Leaving events out is no choice, so a full intake is waited for.
                Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Full) => {
                    std::thread::sleep(BUSY_WAIT)
                }
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    fn document(&self, event: &Event) -> Result<Document> {
        let collection = match event.told {
            Told::Match(_) => self.collections.matches,
            Told::Fence(_) => self.collections.fence_events,
        };
        Ok(Document { collection, id: event.id()?, body: event.body().to_string().into() })
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
