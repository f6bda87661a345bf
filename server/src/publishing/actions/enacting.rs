//! A production as one transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use dateline_engine::{CollectionId, Condition, DocId, Durability, Result, Transaction};
use dateline_formats::Fields;
use dateline_publish::action::{Production, Request, Target};
use dateline_publish::recipients::Action;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::shelf::Shelf;
use crate::app::App;
use crate::eve::{json as text, patch, system};
use crate::ids;
use crate::publishing::{Collections, exchange, items};

/// What of a document is written: the version it was made from, and what becomes of it.
struct Writing {
    condition: Condition,
    fields: Fields,
    is_new: bool,
}

/// Writes in the making, each document once.
struct Enacting<'a> {
    app: &'a App,
    shelf: &'a Shelf<'a>,
    collections: Collections,
    writes: BTreeMap<(CollectionId, DocId), Writing>,
    removed: Vec<(CollectionId, DocId)>,
}

/// The transaction of a production.
///
/// # Errors
/// When the store cannot be read, or an id cannot be one.
pub(super) fn transaction(
    app: &App,
    shelf: &Shelf<'_>,
    production: &Production,
    durability: Durability,
) -> Result<Transaction> {
    let collections = app.publishing().collections();
    let mut enacting = Enacting { app, shelf, collections, writes: BTreeMap::new(), removed: Vec::new() };
    for touch in &production.touched {
        enacting.touch(&touch.target, &touch.fields)?;
    }
    for item in &production.retracted {
        enacting.retract(item)?;
    }
    for version in &production.versions {
        enacting.version(version)?;
    }
    let rows = enacting.snapshots(production)?;
    let mut transaction = enacting.into_transaction(durability);
    let notices: Vec<Value> = production
        .notices
        .iter()
        .map(|notice| json!({"event": notice.event, "extra": notice.extra}))
        .collect();
    for (place, record) in production.history.iter().enumerate() {
        let mut record: Map<String, Value> = record.clone();
        if place + 1 == production.history.len() && !notices.is_empty() {
            // What is told of the action is a function of the log like everything that is told.
            record.insert("notices".to_owned(), notices.clone().into());
        }
        record.insert("_version".to_owned(), 1.into());
        let id = ids::new_id(app.store().now())?;
        transaction = transaction.put(collections.history, id, Condition::Absent, text::encode(&record));
    }
    let now = items::now(app.store());
    for request in &production.requests {
        let Some((published, again)) = row_of(shelf, &collections, production, &rows, request) else {
            tracing::warn!(
                item = request.item,
                version = request.version,
                "there is no published row to exchange"
            );
            continue;
        };
        let asked = exchange::Request {
            action: request.action,
            item: request.item.clone(),
            published,
            again: again && request.action != Action::Resend,
            chosen: request.chosen.clone(),
        };
        transaction = transaction.enqueue(exchange::job(&asked, until(request.due, now)));
    }
    Ok(transaction)
}

/// How long it is until a time; nothing for one that has passed.
fn until(due: Option<Timestamp>, now: Timestamp) -> Duration {
    due.and_then(|due| Duration::try_from(due.duration_since(now)).ok()).unwrap_or_default()
}

/// The published row that a request is about: one of this production, or the newest stored one of the version, which has
/// been exchanged before.
fn row_of(
    shelf: &Shelf<'_>,
    collections: &Collections,
    production: &Production,
    rows: &[(String, u64, String)],
    request: &Request,
) -> Option<(String, bool)> {
    let own = rows.iter().rfind(|(item, version, _)| *item == request.item && *version == request.version);
    if let Some((.., id)) = own {
        return Some((id.clone(), false));
    }
    let version = Value::from(request.version);
    let touched = production.touched.iter().rev().find_map(|touch| match &touch.target {
        Target::Snapshot(id) if touch.fields.get("_current_version") == Some(&version) => {
            Some((id.clone(), false))
        }
        _ => None,
    });
    let stored = || {
        let mut rows = shelf.having(collections.published, "item_id", &request.item);
        rows.sort_by_key(|row| row.get("publish_sequence_no").and_then(Value::as_u64));
        let of_version = rows.iter().rfind(|row| row.get("_current_version") == Some(&version));
        let found = of_version.or(rows.last())?;
        Some((found.get("_id")?.as_str()?.to_owned(), true))
    };
    touched.or_else(stored)
}

impl Enacting<'_> {
    fn touch(&mut self, target: &Target, fields: &Fields) -> Result<()> {
        match target {
            Target::Item(id) => self.merge(self.collections.archive, id, fields),
            Target::Snapshot(id) => self.merge(self.collections.published, id, fields),
            Target::Snapshots(item) => {
                for row in self.shelf.having(self.collections.published, "item_id", item) {
                    let is_known = fields.iter().all(|(name, value)| row.get(name) == Some(value));
                    if let (false, Some(id)) = (is_known, row.get("_id").and_then(Value::as_str)) {
                        self.merge(self.collections.published, id, fields)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Sets fields of a document that is there.
    fn merge(&mut self, collection: CollectionId, id: &str, fields: &Fields) -> Result<()> {
        if let Some(writing) = self.writing(collection, id)? {
            writing.fields.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Ok(())
    }

    fn writing(&mut self, collection: CollectionId, id: &str) -> Result<Option<&mut Writing>> {
        let key = (collection, DocId::new(id)?);
        if !self.writes.contains_key(&key) {
            let Some((document, fields)) = self.shelf.document(collection, id) else { return Ok(None) };
            let condition = Condition::Revision(document.revision());
            self.writes.insert(key.clone(), Writing { condition, fields, is_new: false });
        }
        Ok(self.writes.get_mut(&key))
    }

    /// A new version of an item, or a new item.
    fn version(&mut self, item: &Fields) -> Result<()> {
        let id = item.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let archive = self.collections.archive;
        if let Some(writing) = self.writing(archive, &id)? {
            writing.fields = item.clone();
            return Ok(());
        }
        let fresh = Writing { condition: Condition::Absent, fields: item.clone(), is_new: true };
        self.writes.insert((archive, DocId::new(id)?), fresh);
        Ok(())
    }

    fn retract(&mut self, item: &str) -> Result<()> {
        let published = self.collections.published;
        // What went out earlier stays as the proof of that.
        let rows = self.shelf.having(published, "item_id", item).into_iter();
        for row in rows.filter(|row| row.get("state").and_then(Value::as_str) == Some("scheduled")) {
            if let Some(id) = row.get("_id").and_then(Value::as_str) {
                let id = DocId::new(id)?;
                self.writes.remove(&(published, id.clone()));
                self.removed.push((published, id));
            }
        }
        Ok(())
    }

    /// New published rows: item, version and id of each.
    fn snapshots(&mut self, production: &Production) -> Result<Vec<(String, u64, String)>> {
        let mut rows = Vec::with_capacity(production.snapshots.len());
        for snapshot in &production.snapshots {
            let id = ids::new_id(self.app.store().now())?;
            let mut fields = snapshot.clone();
            let number = self.app.publishing().counters().published();
            fields.insert("publish_sequence_no".to_owned(), number.into());
            let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let version = fields.get("_current_version").and_then(Value::as_u64).unwrap_or(0);
            rows.push((text("item_id"), version, id.as_str().to_owned()));
            let fresh = Writing { condition: Condition::Absent, fields, is_new: true };
            self.writes.insert((self.collections.published, id), fresh);
        }
        Ok(rows)
    }

    fn into_transaction(self, durability: Durability) -> Transaction {
        let mut transaction = Transaction::new(durability);
        for ((collection, id), Writing { condition, mut fields, is_new }) in self.writes {
            let stored = self.shelf.document(collection, id.as_str()).filter(|_| !is_new);
            let version = stored.map_or(0, |(_, stored)| patch::version(&stored)) + 1;
            system::take(&mut fields);
            patch::set_version(&mut fields, version);
            transaction = transaction.put(collection, id, condition, text::encode(&fields));
        }
        for (collection, id) in self.removed {
            transaction = transaction.delete(collection, id, Condition::Always);
        }
        transaction
    }
}
