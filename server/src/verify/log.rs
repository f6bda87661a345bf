//! Log and documents: each record has written the version it names, each version follows the one before it, and the
//! newest record of a document is the document.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

use dateline_engine::{
    Change, ChangeOp, CollectionId, DocId, Document, Error, ErrorKind, Result, Seq, Snapshot, Store, Tail,
};

use super::{Part, Watch};

const STEP_RECORDS: usize = 4096;
/// A write that was not asked to be durable follows within milliseconds.
const DURABLE_WAIT: Duration = Duration::from_secs(10);

/// The newest record of each document the kept log names.
type Newest = HashMap<(CollectionId, DocId), (Seq, ChangeOp)>;

/// Compares the log up to the snapshot with the documents of the snapshot.
pub(super) fn check(store: &Store, snapshot: &Snapshot<'_>, watch: Watch<'_>) -> Result<Part> {
    let mut walk =
        Walk { store, part: Part::new("log"), newest: Newest::new(), floor: store.feed().floor()? };
    let upto = snapshot.tail().seq;
    walk.records(upto, watch)?;
    walk.documents(snapshot, watch)?;
    walk.leftovers(upto)?;
    Ok(walk.part)
}

struct Walk<'a> {
    store: &'a Store,
    part: Part,
    newest: Newest,
    floor: Seq,
}

impl Walk<'_> {
    fn records(&mut self, upto: Seq, watch: Watch<'_>) -> Result<()> {
        let feed = self.store.feed();
        let mut at = self.floor;
        while at < upto {
            let changes = match feed.changes(at, STEP_RECORDS) {
                Ok(changes) => changes,
                // The reader knows what a whole log looks like; what it misses is the difference.
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    self.part.differ("log", format!("after {at}"), "the next record", error);
                    return Ok(());
                }
                // Trimmed while this was reading: the rest begins at the floor.
                Err(error) if error.kind() == ErrorKind::Gone && feed.floor()? > at => {
                    self.floor = feed.floor()?;
                    at = self.floor;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if changes.is_empty() {
                self.wait_for_durable(at)?;
                continue;
            }
            for change in changes.iter().filter(|change| change.seq <= upto) {
                self.record(change)?;
            }
            at = changes.last().map_or(at, |last| last.seq);
            watch("log", at.get().min(upto.get()), upto.get());
        }
        Ok(())
    }

    fn wait_for_durable(&self, at: Seq) -> Result<()> {
        let seen = Tail { seq: at, positions: dateline_engine::PositionSeq::new(u64::MAX) };
        match self.store.watermark().wait_past(seen, DURABLE_WAIT).seq > at {
            true => Ok(()),
            false => Err(Error::busy(format!("the log has not become durable past {at}"))),
        }
    }

    fn record(&mut self, change: &Change) -> Result<()> {
        self.part.checked(1);
        match change.op {
            ChangeOp::Catalog | ChangeOp::Drop => {
                self.definition(change);
                return Ok(());
            }
            op if !op.is_document() => return Ok(()),
            // Its documents went with it.
            _ if self.is_dropped(change.collection) => return Ok(()),
            _ => {}
        }
        let place = self.place(change.collection, &change.id);
        let key = (change.collection, change.id.clone());
        let before = self.newest.insert(key, (change.seq, change.op));
        // After a purge a document begins anew.
        let before = before.map(|(seq, op)| if op == ChangeOp::Purge { Seq::ZERO } else { seq });
        match before {
            Some(before) if change.prev_seq != before => {
                let expected = format!("{} to follow {before}", change.seq);
                self.part.differ("chain", place, expected, change.prev_seq);
            }
            None if change.prev_seq > self.floor => {
                let expected = format!("{} to follow nothing newer than {}", change.seq, self.floor);
                self.part.differ("chain", place, expected, change.prev_seq);
            }
            _ if change.op == ChangeOp::Purge => {}
            _ => self.version(change, &place)?,
        }
        Ok(())
    }

    /// The collection a record has defined or dropped.
    fn definition(&mut self, change: &Change) {
        let catalog = self.store.catalog();
        let known = catalog.ever(change.collection).filter(|known| known.name == change.id.as_str());
        let (agrees, word) = match change.op {
            ChangeOp::Drop => (known.is_some_and(|known| known.dropped_at() == Some(change.seq)), "dropped"),
            _ => (known.is_some(), "defined"),
        };
        if !agrees {
            let found = known
                .map_or("nothing", |known| if known.dropped_at().is_some() { "dropped" } else { "live" });
            self.part.differ("collection", &change.id, format!("{word} by {}", change.seq), found);
        }
    }

    fn is_dropped(&self, collection: CollectionId) -> bool {
        let catalog = self.store.catalog();
        catalog.ever(collection).is_some_and(|known| known.dropped_at().is_some())
    }

    /// The version a record has written.
    fn version(&mut self, change: &Change, place: &str) -> Result<()> {
        let stored = match self.store.version(change.collection, change.id.as_str(), change.seq) {
            Ok(stored) => stored,
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.part.differ("version", place, format!("one of {}", change.seq), error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let is_deletion = change.op != ChangeOp::Put;
        match stored {
            // Removed, as its collection keeps only so many.
            None if self.is_forgotten(change)? => {}
            None => self.part.differ("version", place, format!("one of {}", change.seq), "none"),
            Some(stored) => {
                let expected = (change.prev_seq, change.epoch, change.at, is_deletion);
                let found = (stored.prev_seq, stored.epoch, stored.updated, stored.deleted);
                if expected != found {
                    self.part.differ("version", place, format!("{expected:?}"), format!("{found:?}"));
                }
            }
        }
        Ok(())
    }

    fn is_forgotten(&self, change: &Change) -> Result<bool> {
        Ok(change.seq < self.store.snapshot()?.history_floor(change.collection)?)
    }

    fn documents(&mut self, snapshot: &Snapshot<'_>, watch: Watch<'_>) -> Result<()> {
        let catalog = self.store.catalog();
        let (mut done, total) = (0, self.newest.len() as u64);
        for collection in catalog.iter() {
            let mut visit = |document: Document| {
                done += 1;
                if done % 1024 == 0 {
                    watch("documents", done, total.max(done));
                }
                self.document(&document);
                ControlFlow::Continue(())
            };
            snapshot.scan(collection.id, None, false, &mut visit)?;
        }
        Ok(())
    }

    fn document(&mut self, document: &Document) {
        self.part.checked(1);
        let place = self.place(document.collection, &document.id);
        let key = (document.collection, document.id.clone());
        let newest = self.newest.remove(&key);
        match newest {
            Some((seq, ChangeOp::Put)) if seq == document.seq => {}
            // Its record has been trimmed.
            None if document.seq <= self.floor => {}
            Some((seq, op)) => {
                self.part.differ(
                    "document",
                    &place,
                    format!("{op:?} of {seq}"),
                    format!("version {}", document.seq),
                );
            }
            None => {
                let found = format!("version {}", document.seq);
                self.part.differ("document", &place, "a record in the log", found);
            }
        }
        if let Err(error) =
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&document.body)
        {
            self.part.differ("document", &place, "a JSON object", error);
        }
    }

    /// Documents that the log names and the snapshot does not show.
    fn leftovers(&mut self, upto: Seq) -> Result<()> {
        let now = self.store.now();
        for ((collection, id), (seq, op)) in std::mem::take(&mut self.newest) {
            // Dropped while this was reading.
            if self.is_dropped(collection) {
                continue;
            }
            let head = self.store.head(collection, id.as_str())?;
            let agrees = match (&head, op) {
                // Written since.
                (Some(head), _) if head.seq > upto => true,
                (Some(head), ChangeOp::Put) => head.seq == seq && !head.is_live(now),
                (Some(head), _) => head.seq == seq && head.deleted,
                (None, op) => op != ChangeOp::Put,
            };
            if !agrees {
                let found = head.map_or("nothing".to_owned(), |head| format!("version {}", head.seq));
                let place = self.place(collection, &id);
                self.part.differ("document", place, format!("{op:?} of {seq}"), found);
            }
        }
        Ok(())
    }

    fn place(&self, collection: CollectionId, id: &DocId) -> String {
        let catalog = self.store.catalog();
        let name =
            catalog.ever(collection).map_or_else(|| collection.to_string(), |found| found.name.clone());
        format!("{name}/{id}")
    }
}

#[cfg(test)]
mod tests {
    use dateline_engine::{
        CollectionOptions, Condition, Durability, ManualClock, Millis, Options, Retention, Transaction,
        TrimPolicy,
    };

    use super::*;

    #[test]
    fn a_whole_store_agrees() {
        let clock = std::sync::Arc::new(ManualClock::new(Millis::new(1_769_860_800_000)));
        let options = Options { clock: std::sync::Arc::clone(&clock) as _, ..Options::new() };
        let store = Store::memory(options).unwrap();
        let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
        let id = |name: &str| DocId::new(name).unwrap();
        let put = |tx: Transaction, name: &str, n: u64| {
            tx.put(cars, id(name), Condition::Always, format!("{{\"n\":{n}}}"))
        };
        for n in 0..50 {
            let tx = put(Transaction::new(Durability::Buffered), &format!("d{}", n % 7), n);
            store.commit(put(tx, &format!("e{n}"), n)).unwrap();
        }
        let end = Millis::new(store.now().get() + 1000);
        let tx = Transaction::new(Durability::Sync);
        let tx = tx.delete(cars, id("e3"), Condition::Present).put_until(
            cars,
            id("s"),
            Condition::Absent,
            "{}",
            end,
        );
        store.commit(tx).unwrap();
        clock.advance_ms(2000);
        store.commit(put(Transaction::new(Durability::Sync), "e3", 1)).unwrap();
        store.commit(Transaction::new(Durability::Sync).delete(cars, id("d1"), Condition::Always)).unwrap();

        // A trimmed log agrees too.
        let lane = Retention { keep_ms: 1_000, keep_bytes: u64::MAX, hold_ms_max: u64::MAX };
        assert!(store.trim(&TrimPolicy { log: lane, positions: lane }).unwrap().records > 50);

        let snapshot = store.snapshot().unwrap();
        // What comes after the snapshot is no difference.
        let tx = put(Transaction::new(Durability::Sync), "d2", 99).delete(cars, id("e9"), Condition::Always);
        store.commit(tx).unwrap();
        let mut steps = 0;
        let part = check(&store, &snapshot, &mut |_, _, _| steps += 1).unwrap();
        assert_eq!(part.words(), Vec::<String>::new());
        assert!(steps > 0);
    }

    #[test]
    fn a_dropped_collection_is_no_difference() {
        let store = Store::memory(Options::new()).unwrap();
        let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
        let put = |collection| {
            let id = DocId::new("a").unwrap();
            Transaction::new(Durability::Sync).put(collection, id, Condition::Always, "{}")
        };
        store.commit(put(cars)).unwrap();
        let before = store.snapshot().unwrap();
        store.commit(put(cars).drop(cars)).unwrap();
        let again = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
        store.commit(put(again)).unwrap();
        for snapshot in [before, store.snapshot().unwrap()] {
            let part = check(&store, &snapshot, &mut |_, _, _| ()).unwrap();
            assert_eq!(part.words(), Vec::<String>::new());
        }
    }

    /// What the log says is taken as given and the documents as wrong: each kind of difference is told once.
    #[test]
    fn each_kind_of_difference_is_told() {
        let store = Store::memory(Options::new()).unwrap();
        let cars = store.ensure_collection("cars", CollectionOptions::default()).unwrap();
        let id = |name: &str| DocId::new(name).unwrap();
        for name in ["a", "b"] {
            let tx = Transaction::new(Durability::Sync).put(cars, id(name), Condition::Always, "{}");
            store.commit(tx).unwrap();
        }
        let (floor, newest) = (Seq::ZERO, Newest::new());
        let mut walk = Walk { store: &store, part: Part::new("log"), newest, floor };
        let change = |seq: u64, prev_seq: u64, name: &str| {
            let (seq, prev_seq) = (Seq::new(seq), Seq::new(prev_seq));
            let (at, epoch) = (Millis::ZERO, store.epoch());
            Change {
                seq,
                group_last: seq,
                prev_seq,
                at,
                epoch,
                collection: cars,
                id: id(name),
                op: ChangeOp::Put,
            }
        };
        walk.record(&change(9, 1, "a")).unwrap();
        walk.record(&change(10, 7, "a")).unwrap();
        walk.newest.insert((cars, id("gone")), (Seq::new(4), ChangeOp::Put));
        walk.documents(&store.snapshot().unwrap(), &mut |_, _, _| {}).unwrap();
        walk.leftovers(Seq::new(10)).unwrap();
        let expected = [
            "chain cars/a: expected 9 to follow nothing newer than 0, found 1",
            "chain cars/a: expected 10 to follow 9, found 7",
            "document cars/a: expected Put of 10, found version 2",
            "document cars/b: expected a record in the log, found version 3",
            "document cars/gone: expected Put of 4, found nothing",
        ];
        assert_eq!(walk.part.words(), expected);
        let mut walk = Walk { store: &store, part: Part::new("log"), newest: Newest::new(), floor };
        walk.record(&change(8, 0, "a")).unwrap();
        assert_eq!(walk.part.words(), ["version cars/a: expected one of 8, found none"]);
    }
}
