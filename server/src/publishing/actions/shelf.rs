//! What the producer looks up: items, rows, desks, stages, subscribers, as they are at one moment.

use std::cell::RefCell;
use std::collections::BTreeMap;

use dateline_engine::{CollectionId, DocId, Document, Result, Revision, Snapshot, Spans};
use dateline_formats::Fields;
use dateline_publish::action::Archive;
use serde_json::Value;

use crate::publishing::{Collections, items};

/// Documents of one kind looked up at the most.
const FOUND_MAX: usize = 1_000;

/// The documents of one moment.
pub(super) struct Shelf<'a> {
    snapshot: Snapshot<'a>,
    collections: Collections,
    desks: CollectionId,
    failed: RefCell<Option<dateline_engine::Error>>,
    /// Items that were looked at, as they were.
    seen: RefCell<BTreeMap<DocId, Revision>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(snapshot: Snapshot<'a>, collections: Collections, desks: CollectionId) -> Self {
        Self { snapshot, collections, desks, failed: RefCell::default(), seen: RefCell::default() }
    }

    /// An answer that could not be read was none: then neither a decision nor a refusal counts.
    ///
    /// # Errors
    /// The first that happened.
    pub(super) fn check(self) -> Result<()> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    /// A document, and the version it is at.
    pub(super) fn document(&self, collection: CollectionId, id: &str) -> Option<(Document, Fields)> {
        let found = match self.snapshot.get(collection, id) {
            Err(error) if error.kind() == dateline_engine::ErrorKind::Invalid => return None,
            found => self.kept(found)??,
        };
        let Value::Object(fields) = self.kept(items::view(&found))? else { return None };
        if collection == self.collections.archive {
            self.seen.borrow_mut().insert(found.id.clone(), found.revision());
        }
        Some((found, fields))
    }

    /// The items that a decision rests on, each with the revision it was at.
    pub(super) fn seen(&self) -> Vec<(DocId, Revision)> {
        self.seen.borrow().iter().map(|(id, revision)| (id.clone(), *revision)).collect()
    }

    fn kept<T>(&self, read: Result<T>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                None
            }
        }
    }

    /// Documents whose field has a value.
    pub(super) fn having(&self, collection: CollectionId, field: &str, value: &str) -> Vec<Fields> {
        let known = self.snapshot.catalog().by_id(collection);
        let Some(index) = known.and_then(|known| known.readable(&field.into())) else { return Vec::new() };
        let reading = index.reading(&[Spans::value(Some(&Value::from(value)))]);
        let mut ids: Vec<DocId> = Vec::new();
        let read = self.snapshot.entries(index, &reading, false, |entry| {
            ids.push(entry.id.clone());
            if ids.len() < FOUND_MAX {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        });
        self.kept(read);
        ids.iter().filter_map(|id| Some(self.document(collection, id.as_str())?.1)).collect()
    }
}

impl Archive for Shelf<'_> {
    fn item(&self, id: &str) -> Option<Fields> {
        Some(self.document(self.collections.archive, id)?.1)
    }

    fn snapshots(&self, item: &str) -> Vec<Fields> {
        let mut rows = self.having(self.collections.published, "item_id", item);
        rows.sort_by_key(|row| row.get("publish_sequence_no").and_then(Value::as_u64));
        rows
    }

    /// By the links that members have to their packages.
    fn packages(&self, item: &str) -> Vec<Fields> {
        let Some(member) = self.item(item) else { return Vec::new() };
        let links = member.get("linked_in_packages").and_then(Value::as_array).into_iter().flatten();
        let ids = links.filter_map(|link| link.get("package")?.as_str());
        ids.filter_map(|id| self.item(id)).collect()
    }

    fn translations(&self, translation: &str) -> Vec<Fields> {
        let mut rows = self.having(self.collections.published, "translation_id", translation);
        rows.retain(|row| row.get("last_published_version") == Some(&Value::Bool(true)));
        rows
    }

    fn desk(&self, id: &str) -> Option<Fields> {
        Some(self.document(self.desks, id)?.1)
    }

    fn stage(&self, id: &str) -> Option<Fields> {
        Some(self.document(self.collections.stages, id)?.1)
    }

    fn subscribers(&self) -> Vec<Fields> {
        let mut all = Vec::new();
        let read =
            crate::publishing::audience::each(&self.snapshot, self.collections.subscribers, |id, body| {
                if let Value::Object(mut fields) = body {
                    fields.insert("_id".to_owned(), id.as_str().into());
                    all.push(fields);
                }
            });
        self.kept(read);
        all
    }
}
