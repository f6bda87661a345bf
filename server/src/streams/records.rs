//! What the newest records of the log are about: read, parsed and encoded once for all readers.
//!
//! A record never changes, so whoever comes to it first reads the document while the others wait for it, and all share
//! what was read and the text made of it, until the schema of the collection is upgraded. What a reader may see of it is
//! judged for each by [`super::view::View`].
//! Bounded by [`RECORDS_MAX`] and [`BYTES_MAX`]: the oldest records go first, and one who reads further back reads alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{Change, ChangeOp, Document, Seq, Store};
use prometheus_client::metrics::counter::Counter;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::eve::problem::{Problem, Slug};
use crate::eve::{date, system};
use crate::resources::answer;
use crate::streams::notices::{self, Before};

/// More than readers at the end of the log are apart.
const RECORDS_MAX: usize = 1_024;
/// What the records may hold together, in bytes.
const BYTES_MAX: usize = 32 << 20;
/// What a record holds for each byte of its body: two parsed forms and two texts. A guess from above.
const SHARE: usize = 8;
/// What a record holds beside that, in bytes.
const FRAME_BYTES: usize = 2 << 10;

/// See the module.
pub(crate) struct Records {
    held: Mutex<Held>,
    reads: Counter,
    encodings: Counter,
}

#[derive(Default)]
struct Held {
    places: BTreeMap<Seq, Place>,
    bytes: usize,
}

#[derive(Default)]
struct Place {
    record: Arc<Once<Record>>,
    /// As counted in `Held`; nothing until the record is read.
    bytes: usize,
}

/// What is made by the first who asks, while others who ask wait.
type Once<T> = Mutex<Option<Arc<T>>>;

/// One record and the document it is about.
pub(crate) struct Record {
    change: Change,
    /// Version of the schema there was when it was read, or a newer one.
    schema: u32,
    /// The body that was written, or that was deleted.
    pub(crate) body: Value,
    pub(crate) body_bytes: usize,
    /// The body with the system's fields of the version that the record wrote; null when that is gone.
    pub(crate) shown: Value,
    is_live: bool,
    full: Once<RawValue>,
    brief: Once<RawValue>,
    bare: Once<RawValue>,
    notices: Once<[Arc<RawValue>]>,
    encodings: Counter,
}

impl Records {
    /// Counts documents read and texts made here.
    pub(crate) fn new(reads: Counter, encodings: Counter) -> Self {
        Self { held: Mutex::default(), reads, encodings }
    }

    /// The record of a change of a document.
    ///
    /// # Errors
    /// When the store cannot be read, or holds a body that is no JSON.
    pub(crate) fn get(&self, store: &Store, change: &Change) -> Result<Arc<Record>, Problem> {
        let (place, mut is_new) = (self.place(change.seq), false);
        let schema = store.schema_version(change.collection);
        let is_good = |record: &Record| record.schema >= schema;
        let record = once_while(is_good, &place, || {
            is_new = true;
            self.reads.inc();
            Record::read(store, change, self.encodings.clone()).map(Arc::new)
        })?;
        if is_new {
            self.count(&record);
        }
        Ok(record)
    }

    fn place(&self, seq: Seq) -> Arc<Once<Record>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(&held.places.entry(seq).or_default().record);
        held.trim();
        place
    }

    fn count(&self, record: &Record) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = record.body_bytes * SHARE + FRAME_BYTES;
        // It may have been let go while it was read, and come back.
        if let Some(place) = held.places.get_mut(&record.change.seq) {
            let before = std::mem::replace(&mut place.bytes, bytes);
            held.bytes = held.bytes + bytes - before;
        }
        held.trim();
    }
}

impl Held {
    /// Lets go of the oldest that are too many.
    fn trim(&mut self) {
        while self.places.len() > RECORDS_MAX || self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.places.pop_first() else { return };
            self.bytes -= oldest.bytes;
        }
    }
}

impl Record {
    fn read(store: &Store, change: &Change, encodings: Counter) -> Result<Self, Problem> {
        let schema = store.schema_version(change.collection);
        let version = |seq: Seq| store.version(change.collection, change.id.as_str(), seq);
        let document = version(change.seq)?;
        // A deletion is judged, and told, by what it deleted.
        let judged = match &document {
            Some(document) if document.deleted => version(change.prev_seq)?,
            other => other.clone(),
        };
        let body = judged.as_ref().map(answer::body_of).transpose()?.unwrap_or(Value::Null);
        let shown = match (document.as_ref().or(judged.as_ref()), &body) {
            (Some(document), Value::Object(body)) => with_system(body.clone(), document),
            _ => Value::Null,
        };
        Ok(Self {
            change: change.clone(),
            schema,
            body_bytes: judged.as_ref().map_or(0, |judged| judged.body.len()),
            is_live: document.is_some_and(|document| !document.deleted),
            body,
            shown,
            full: Once::default(),
            brief: Once::default(),
            bare: Once::default(),
            notices: Once::default(),
            encodings,
        })
    }

    /// As a change of this collection, with the document if there still is one and it is wanted.
    pub(crate) fn change(&self, collection: &str, with_document: bool) -> Result<Arc<RawValue>, Problem> {
        let text = if with_document && self.is_live { &self.full } else { &self.brief };
        self.text(text, || {
            let mut data = json!({
                "seq": self.change.seq.get(),
                "group_last": self.change.group_last.get(),
                "op": word(self.change.op),
                "collection": collection,
                "_id": self.change.id.as_str(),
                "_version": self.body.get("_version"),
                "at": date::format(self.change.at.get()),
            });
            if let (true, true, Some(data)) = (with_document, self.is_live, data.as_object_mut()) {
                data.insert("doc".to_owned(), self.shown.clone());
            }
            data
        })
    }

    /// A match or fence event as stored, with its place in the log.
    pub(crate) fn event(&self) -> Result<Arc<RawValue>, Problem> {
        self.text(&self.bare, || {
            let mut data: Map<String, Value> = self.body.as_object().cloned().unwrap_or_default();
            data.shift_remove("_version");
            data.insert("seq".to_owned(), self.change.seq.get().into());
            Value::Object(data)
        })
    }

    /// What is notified of it.
    pub(crate) fn notices(&self, store: &Store, collection: &str) -> Result<Arc<[Arc<RawValue>]>, Problem> {
        once(&self.notices, || {
            let Change { collection: number, id, prev_seq, .. } = &self.change;
            let before = match *prev_seq {
                Seq::ZERO => Before::Nothing,
                seq => match store.version(*number, id.as_str(), seq)? {
                    None => Before::Forgotten,
                    Some(before) if before.deleted => Before::Nothing,
                    Some(before) => Before::Body(answer::body_of(&before)?),
                },
            };
            let notices = notices::of(&self.change, collection, &before, &self.body);
            self.encodings.inc_by(notices.len() as u64);
            notices.iter().map(encoded).collect()
        })
    }

    fn text(&self, text: &Once<RawValue>, data: impl FnOnce() -> Value) -> Result<Arc<RawValue>, Problem> {
        once(text, || {
            self.encodings.inc();
            encoded(&data())
        })
    }
}

fn once<T: ?Sized>(
    made: &Once<T>,
    make: impl FnOnce() -> Result<Arc<T>, Problem>,
) -> Result<Arc<T>, Problem> {
    once_while(|_| true, made, make)
}

/// As `once`, and once more for what is no longer good.
fn once_while<T: ?Sized>(
    is_good: impl FnOnce(&T) -> bool,
    made: &Once<T>,
    make: impl FnOnce() -> Result<Arc<T>, Problem>,
) -> Result<Arc<T>, Problem> {
    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
    match made.as_ref().filter(|made| is_good(made)) {
        Some(made) => Ok(Arc::clone(made)),
        None => Ok(Arc::clone(made.insert(make()?))),
    }
}

fn with_system(mut body: Map<String, Value>, document: &Document) -> Value {
    let tag = answer::tag(document);
    system::add(&mut body, &answer::meta(document, &tag));
    Value::Object(body)
}

/// JSON on its way to readers.
pub(crate) fn encoded(data: &Value) -> Result<Arc<RawValue>, Problem> {
    let text = serde_json::value::to_raw_value(data);
    text.map(Arc::from).map_err(|error| Problem::new(Slug::Internal, error.to_string()))
}

fn word(op: ChangeOp) -> &'static str {
    match op {
        ChangeOp::Delete => "delete",
        ChangeOp::Expire | ChangeOp::Purge => "expire",
        _ => "put",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Running, bearer};

    #[tokio::test]
    async fn readers_share_what_was_read_and_encoded() {
        let server = Running::start().await;
        server.add_user("admin", "correct horse", "administrator").await;
        let session = server.sign_in("admin", "correct horse").await;
        let authorization = bearer(&session["token"]);
        let store = server.app.store();
        let from = store.feed().head();
        for (id, bytes) in [("small", 10), ("large", 500_000)] {
            let body = json!({"_id": id, "title": id, "text": "x".repeat(bytes), "coords": [1, 2]});
            let made = server.post("/api/ads", &[("authorization", &authorization)], &body.to_string()).await;
            assert_eq!(made.status, 201, "{:?}", made.body);
        }
        let (reads, encodings) = (Counter::default(), Counter::default());
        let records = Records::new(reads.clone(), encodings.clone());
        let changes = store.feed().changes(from, 100).unwrap();
        let of = |id: &str| changes.iter().find(|change| change.id.as_str() == id).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for id in ["small", "large"] {
                        let record = records.get(store, of(id)).unwrap();
                        let text = record.change("ads", true).unwrap();
                        assert!(text.get().contains(&format!("\"doc\":{{\"title\":\"{id}\"")), "{text}");
                        assert!(!record.change("ads", false).unwrap().get().contains("doc"));
                    }
                });
            }
        });
        assert_eq!((reads.get(), encodings.get()), (2, 4), "two records, each in two forms");

        // The same document at places further on stands for a log that grows.
        let at = |seq: u64| Change { seq: Seq::new(of("small").seq.get() + seq), ..of("small").clone() };
        let count = u64::try_from(RECORDS_MAX).unwrap();
        for seq in 10..10 + count {
            records.get(store, &at(seq)).unwrap();
        }
        let held = |records: &Records| {
            let held = records.held.lock().unwrap();
            let counted: usize = held.places.values().map(|place| place.bytes).sum();
            assert_eq!(held.bytes, counted);
            (held.places.len(), held.bytes)
        };
        assert_eq!(held(&records).0, RECORDS_MAX);
        let before = reads.get();
        assert_eq!(records.get(store, of("small")).unwrap().body["title"], "small", "read again, for itself");
        records.get(store, &at(10)).unwrap();
        assert_eq!(reads.get(), before + 1, "the one who reads far back takes nothing from the others");
        for seq in 0..20 {
            let large = Change { seq: Seq::new(of("large").seq.get()), ..of("large").clone() };
            let record = Record::read(store, &large, encodings.clone()).unwrap();
            let place = Seq::new(at(2 * count).seq.get() + seq);
            records.place(place);
            records.count(&Record { change: Change { seq: place, ..large }, ..record });
        }
        let (places, bytes) = held(&records);
        assert!(bytes <= BYTES_MAX && bytes > BYTES_MAX / 2 && places < 20, "{places} places, {bytes} bytes");
    }
}
