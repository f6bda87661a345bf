//! A production as what it writes.

use std::collections::BTreeMap;
use std::time::Duration;

use dateline_engine::{CollectionId, Condition, DocId, NewJob, Result, Revision, Transaction};
use dateline_formats::Fields;
use dateline_publish::action::{Message, Production, Request, Target};
use dateline_publish::internal::{Event, Phase};
use dateline_publish::recipients::Action;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::shelf::Shelf;
use crate::app::App;
use crate::eve::{json as text, patch, system};
use crate::ids;
use crate::internal::{self, Version};
use crate::mail::Letter;
use crate::publishing::{Collections, exchange, items};

/// What of a document is written: the version it was made from, and what becomes of it.
struct Writing {
    condition: Condition,
    fields: Fields,
    /// The version it will be.
    version: u64,
}

/// Documents as they will be, each written under its condition.
type Writes = BTreeMap<(CollectionId, DocId), (Condition, Fields)>;

/// Writes in the making, each document once.
struct Enacting<'a> {
    app: &'a App,
    shelf: &'a Shelf<'a>,
    collections: Collections,
    writes: BTreeMap<(CollectionId, DocId), Writing>,
    removed: Vec<(CollectionId, DocId)>,
}

/// What a production writes, each document once.
pub(super) struct Enacted {
    archive: CollectionId,
    history: CollectionId,
    writes: Writes,
    removed: Vec<(CollectionId, DocId)>,
    records: Vec<(DocId, Fields)>,
    jobs: Vec<NewJob>,
    seen: Vec<(DocId, Revision)>,
}

impl Enacted {
    /// Takes an item out, for a caller that writes it itself.
    pub(super) fn take_item(&mut self, id: &DocId) -> Option<Fields> {
        self.seen.retain(|(own, _)| own != id);
        Some(self.writes.remove(&(self.archive, id.clone()))?.1)
    }

    /// Adds the writes; they go through only while the items are as they were when it was decided.
    pub(super) fn add_to(self, mut transaction: Transaction) -> Transaction {
        for (id, revision) in self.seen {
            if !self.writes.contains_key(&(self.archive, id.clone())) {
                transaction = transaction.expect(self.archive, id, Condition::Revision(revision));
            }
        }
        for ((collection, id), (condition, fields)) in self.writes {
            transaction = transaction.put(collection, id, condition, text::encode(&fields));
        }
        for (collection, id) in self.removed {
            transaction = transaction.delete(collection, id, Condition::Always);
        }
        for (id, record) in self.records {
            transaction = transaction.put(self.history, id, Condition::Absent, text::encode(&record));
        }
        self.jobs.into_iter().fold(transaction, Transaction::enqueue)
    }
}

/// What a production comes to in the store.
///
/// # Errors
/// When the store cannot be read, or an id cannot be one.
pub(super) fn enacted(app: &App, shelf: &Shelf<'_>, production: &Production) -> Result<Enacted> {
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
    let records = records(app, production)?;
    let now = items::now(app.store());
    let mut jobs = Vec::with_capacity(production.requests.len());
    for request in &production.requests {
        let Some((published, row)) = row_of(shelf, &collections, production, &rows, request) else {
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
            again: row == Row::Known && request.action != Action::Resend,
            chosen: request.chosen.clone(),
        };
        jobs.push(exchange::job(&asked, until(request.due, now)));
        jobs.extend(sent_on(app, production, request, &asked.published, row)?);
    }
    for item in production.retracted.iter().filter(|item| is_source(production, item)) {
        let version =
            Version { event: Event::Deschedule, item: item.clone(), published: None, phase: Phase::Now };
        jobs.extend(internal::version_job(app, &version)?);
    }
    jobs.extend(letters(app, production)?);
    let (writes, removed) = enacting.into_writes();
    let (archive, history) = (collections.archive, collections.history);
    Ok(Enacted { archive, history, writes, removed, records, jobs, seen: shelf.seen() })
}

/// What internal destinations are told of a version.
fn sent_on(
    app: &App,
    production: &Production,
    request: &Request,
    published: &str,
    row: Row,
) -> Result<Option<NewJob>> {
    let phase = match row {
        Row::New if request.due.is_some() => Phase::Scheduled,
        Row::New => Phase::Now,
        Row::Due => Phase::Due,
        Row::Known => return Ok(None),
    };
    let Some(event) = Event::of(request.action).filter(|_| is_source(production, &request.item)) else {
        return Ok(None);
    };
    let published = Some(published.to_owned());
    internal::version_job(app, &Version { event, item: request.item.clone(), published, phase })
}

/// A copy that went out by itself is no source of further ones: desks that send to each other would never end.
fn is_source(production: &Production, item: &str) -> bool {
    production.version_of(item).is_some_and(|own| !own.contains_key("processed_from"))
}

/// What people are told.
fn letters(app: &App, production: &Production) -> Result<Vec<NewJob>> {
    let mut jobs = Vec::new();
    for message in &production.messages {
        let to = match message {
            Message::Withdrawn { addresses, .. } => addresses.clone(),
            Message::TranslationChanged { users, .. } => {
                let site = app.publishing().site(app.store())?;
                let email = |user: &String| site.users.get(user)?.get("email")?.as_str().map(str::to_owned);
                users.iter().filter_map(email).filter(|address| !address.is_empty()).collect()
            }
        };
        let written = message.letter();
        let letter = Letter { to, subject: written.subject, text: written.text };
        jobs.extend(letter.job(app)?);
    }
    Ok(jobs)
}

/// The rows of the history.
fn records(app: &App, production: &Production) -> Result<Vec<(DocId, Fields)>> {
    let notices: Vec<Value> = production
        .notices
        .iter()
        .map(|notice| json!({"event": notice.event, "extra": notice.extra}))
        .collect();
    let mut records = Vec::with_capacity(production.history.len());
    for (place, record) in production.history.iter().enumerate() {
        let mut record: Fields = record.clone();
        if place + 1 == production.history.len() && !notices.is_empty() {
            // What is told of the action is a function of the log like everything that is told.
            record.insert("notices".to_owned(), notices.clone().into());
        }
        record.insert("_version".to_owned(), 1.into());
        records.push((ids::new_id(app.store().now())?, record));
    }
    Ok(records)
}

/// How long it is until a time; nothing for one that has passed.
fn until(due: Option<Timestamp>, now: Timestamp) -> Duration {
    due.and_then(|due| Duration::try_from(due.duration_since(now)).ok()).unwrap_or_default()
}

/// A published row that the exchange is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    /// Of this production.
    New,
    /// Stored, and its time has come.
    Due,
    /// Stored, and exchanged before.
    Known,
}

/// The published row that a request is about: one of this production, or the newest stored one of the version.
fn row_of(
    shelf: &Shelf<'_>,
    collections: &Collections,
    production: &Production,
    rows: &[(String, u64, String)],
    request: &Request,
) -> Option<(String, Row)> {
    let own = rows.iter().rfind(|(item, version, _)| *item == request.item && *version == request.version);
    if let Some((.., id)) = own {
        return Some((id.clone(), Row::New));
    }
    let version = Value::from(request.version);
    let touched = production.touched.iter().rev().find_map(|touch| match &touch.target {
        Target::Snapshot(id) if touch.fields.get("_current_version") == Some(&version) => {
            Some((id.clone(), Row::Due))
        }
        _ => None,
    });
    let stored = || {
        let mut rows = shelf.having(collections.published, "item_id", &request.item);
        rows.sort_by_key(|row| row.get("publish_sequence_no").and_then(Value::as_u64));
        let of_version = rows.iter().rfind(|row| row.get("_current_version") == Some(&version));
        let found = of_version.or(rows.last())?;
        Some((found.get("_id")?.as_str()?.to_owned(), Row::Known))
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
            let version = patch::version(&fields) + 1;
            self.writes.insert(key.clone(), Writing { condition, fields, version });
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
        let fresh = Writing { condition: Condition::Absent, fields: item.clone(), version: 1 };
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
            let fresh = Writing { condition: Condition::Absent, fields, version: 1 };
            self.writes.insert((self.collections.published, id), fresh);
        }
        Ok(rows)
    }

    /// The documents at their next versions, and those that go.
    fn into_writes(self) -> (Writes, Vec<(CollectionId, DocId)>) {
        let next = |(place, Writing { condition, mut fields, version })| {
            system::take(&mut fields);
            patch::set_version(&mut fields, version);
            (place, (condition, fields))
        };
        (self.writes.into_iter().map(next).collect(), self.removed)
    }
}
