//! The legal archive: what went out, under the names of that day, for ever.
//!
//! **A view of the log.** It follows it: each version of a published item becomes a version in `legal_archive`, each record
//! of the item's history one in `legal_archive_history`, each row of the queue that has ended one in `legal_publish_queue`.
//! Where it stands is a cursor that moves in the commits that write, so a crash neither loses nor repeats anything, and what
//! it has not seen is not trimmed from the log. Switched on later, it begins with what the log still has.
//!
//! **What nobody can do.** No route writes or removes here, whatever happens to the originals.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{
    Change, ChangeOp, CollectionId, Condition, DocId, Document, Durability, Entry, Follower, FollowerHandle,
    PositionSeq, Result, Seq, Store, Tail, Transaction, follow,
};
use dateline_formats::Site;
use serde_json::{Map, Value};

use super::audience::body;
use super::exchange::item_of;
use super::items;
use crate::app::App;
use crate::eve::{json, patch};
use crate::health::FollowerState;

/// The cursor.
const NAME: &str = "legal-archive";
/// Writes after which a commit takes no further group of the log.
const WRITES_MAX: usize = 500;
/// Records after which the cursor moves though nothing was to be written.
const IDLE_MAX: u64 = 100_000;
/// Records of the history of one item that come with its first version.
const HISTORY_MAX: usize = 2_000;
/// Members that hold the id of a user.
const USERS: [&str; 5] = ["original_creator", "version_creator", "lock_user", "user_id", "user"];

/// Keeps the archive while its handle lives; `None` when the site does without one.
///
/// # Errors
/// When the store cannot be read or no thread can be started.
pub(crate) fn keep(app: &App) -> Result<Option<FollowerHandle>> {
    let store = app.store();
    if !app.publishing().settings().legal_archive {
        // A cursor that nobody moves would keep the log for ever.
        if store.cursor(NAME)?.is_some() {
            store.commit(Transaction::new(Durability::Buffered).forget_cursor(NAME))?;
        }
        return Ok(None);
    }
    let at = match store.cursor(NAME)? {
        Some(cursor) => cursor.at.seq,
        None => store.feed().floor()?,
    };
    let state = Arc::new(State { at: AtomicU64::new(at.get()), failed: Mutex::default() });
    let legal =
        Legal { app: app.clone(), places: Places::find(store)?, state: Arc::clone(&state), stored: at };
    let handle = follow(store, Box::new(legal))?;
    app.watch_follower("legal archive", move || FollowerState {
        at: Tail { seq: Seq::new(state.at.load(Ordering::Relaxed)), ..Tail::default() },
        failed: state.failed.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        positions: false,
    });
    Ok(Some(handle))
}

/// Where things come from and go to.
#[derive(Clone, Copy)]
struct Places {
    published: CollectionId,
    history: CollectionId,
    queue: CollectionId,
    items: CollectionId,
    records: CollectionId,
    rows: CollectionId,
}

impl Places {
    fn find(store: &Store) -> Result<Self> {
        let named = |name| super::collection(store, name);
        Ok(Self {
            published: named("published")?,
            history: named("archive_history")?,
            queue: named("publish_queue")?,
            items: named("legal_archive")?,
            records: named("legal_archive_history")?,
            rows: named("legal_publish_queue")?,
        })
    }
}

/// What is shown of the follower.
struct State {
    at: AtomicU64,
    failed: Mutex<Option<String>>,
}

/// The follower.
struct Legal {
    app: App,
    places: Places,
    state: Arc<State>,
    /// Where the cursor stands.
    stored: Seq,
}

/// Writes of one commit: of each document one.
#[derive(Default)]
struct Parcel {
    writes: BTreeMap<(CollectionId, DocId), Map<String, Value>>,
}

impl Follower for Legal {
    fn name(&self) -> &str {
        NAME
    }

    fn position(&self) -> Tail {
        Tail { seq: Seq::new(self.state.at.load(Ordering::Relaxed)), positions: PositionSeq::END }
    }

    fn apply(&mut self, entries: &[Entry], _through: Tail) -> Result<()> {
        let applied = self.archive(entries);
        let failed = applied.as_ref().err().map(ToString::to_string);
        *self.state.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        applied
    }
}

impl Legal {
    fn archive(&mut self, entries: &[Entry]) -> Result<()> {
        let site = self.app.publishing().site(self.app.store())?;
        let (mut parcel, mut group) = (Parcel::default(), Parcel::default());
        let mut seen = self.position().seq;
        for entry in entries {
            let Entry::Change(change) = entry else { continue };
            self.take(change, &site, &parcel, &mut group)?;
            if change.seq != change.group_last {
                continue;
            }
            let more = std::mem::take(&mut group);
            // Each version of an item is one here too, so two of them are two commits.
            if parcel.writes.len() >= WRITES_MAX
                || more.writes.keys().any(|key| parcel.writes.contains_key(key))
            {
                self.commit(std::mem::take(&mut parcel), seen)?;
            }
            parcel.writes.extend(more.writes);
            seen = change.seq;
        }
        let is_far = seen.get().saturating_sub(self.stored.get()) > IDLE_MAX;
        if !parcel.writes.is_empty() || is_far {
            return self.commit(parcel, seen);
        }
        self.state.at.store(seen.get(), Ordering::Relaxed);
        Ok(())
    }

    /// Adds what a change comes to; `waiting` is what will be written before.
    fn take(&self, change: &Change, site: &Site, waiting: &Parcel, parcel: &mut Parcel) -> Result<()> {
        let places = self.places;
        if change.op != ChangeOp::Put
            || ![places.published, places.history, places.queue].contains(&change.collection)
        {
            return Ok(());
        }
        let store = self.app.store();
        let Some(document) = store.version(change.collection, change.id.as_str(), change.seq)? else {
            // Superseded and forgotten already; the version after it comes too.
            return Ok(());
        };
        let Value::Object(fields) = body(&document)? else { return Ok(()) };
        match change.collection {
            own if own == places.published => self.item(&fields, site, waiting, parcel),
            own if own == places.history => {
                let item = text(&fields, "item_id");
                match self.known(item, waiting)?.is_some() || self.known(item, parcel)?.is_some() {
                    true => self.record(&document, site, parcel),
                    // It comes with the first version of its item.
                    false => Ok(()),
                }
            }
            _ => self.row(&document, fields, parcel),
        }
    }

    /// A published row: the version of its item, unless that is there already or is still to come out.
    fn item(
        &self,
        row: &Map<String, Value>,
        site: &Site,
        waiting: &Parcel,
        parcel: &mut Parcel,
    ) -> Result<()> {
        let id = text(row, "item_id");
        let (Ok(own), false) = (DocId::new(id), text(row, "state") == "scheduled") else { return Ok(()) };
        let store = self.app.store();
        let known = self.known(id, waiting)?;
        let version =
            |item: &Map<String, Value>| item.get("_current_version").and_then(Value::as_u64).unwrap_or(0);
        let Value::Object(mut item) = item_of(row, id) else { return Ok(()) };
        if known.as_ref().is_some_and(|known| version(known) >= version(&item)) {
            return Ok(());
        }
        item.shift_remove("_id");
        self.name(&mut item, site)?;
        let number = known.as_ref().map_or(0, patch::version) + 1;
        patch::set_version(&mut item, number);
        parcel.writes.insert((self.places.items, own), item);
        if known.is_none() {
            let ids = store.lookup(self.places.history, "item_id", &[Value::from(id)])?;
            for record in ids.iter().take(HISTORY_MAX) {
                if let Some(document) = store.get(self.places.history, record.as_str())? {
                    self.record(&document, site, parcel)?;
                }
            }
        }
        Ok(())
    }

    fn record(&self, document: &Document, site: &Site, parcel: &mut Parcel) -> Result<()> {
        let Value::Object(mut fields) = body(document)? else { return Ok(()) };
        self.name(&mut fields, site)?;
        parcel.writes.insert((self.places.records, document.id.clone()), fields);
        Ok(())
    }

    /// A row of the queue that has ended.
    fn row(&self, document: &Document, mut fields: Map<String, Value>, parcel: &mut Parcel) -> Result<()> {
        if !matches!(text(&fields, "state"), "success" | "failed" | "canceled" | "error") {
            return Ok(());
        }
        let subscriber = text(&fields, "subscriber_id").to_owned();
        let found =
            items::find(self.app.store(), self.app.publishing().collections().subscribers, &subscriber)?;
        let name = found.as_ref().and_then(|own| own.get("name")?.as_str()).unwrap_or(&subscriber);
        fields.insert("subscriber_id".to_owned(), name.into());
        fields.insert("_subscriber_id".to_owned(), subscriber.into());
        parcel.writes.insert((self.places.rows, document.id.clone()), fields);
        Ok(())
    }

    /// Puts names in the place of ids of users, desks and stages.
    fn name(&self, fields: &mut Map<String, Value>, site: &Site) -> Result<()> {
        for member in USERS {
            name_user(fields, member, site);
        }
        let (store, collections) = (self.app.store(), self.app.publishing().collections());
        for holder in ["task", "update"] {
            let Some(task) = fields.get_mut(holder).and_then(Value::as_object_mut) else { continue };
            USERS.iter().for_each(|member| name_user(task, member, site));
            for (member, collection) in [("desk", collections.desks), ("stage", collections.stages)] {
                let Some(id) = task.get(member).and_then(Value::as_str) else { continue };
                let found = items::find(store, collection, id)?;
                if let Some(name) = found.as_ref().and_then(|own| own.get("name")?.as_str()) {
                    task.insert(member.to_owned(), name.into());
                }
            }
        }
        Ok(())
    }

    /// An item as it is archived, or about to be.
    fn known(&self, id: &str, waiting: &Parcel) -> Result<Option<Map<String, Value>>> {
        let Ok(own) = DocId::new(id) else { return Ok(None) };
        if let Some(fields) = waiting.writes.get(&(self.places.items, own)) {
            return Ok(Some(fields.clone()));
        }
        let found = items::find(self.app.store(), self.places.items, id)?;
        Ok(found.and_then(|found| if let Value::Object(fields) = found { Some(fields) } else { None }))
    }

    fn commit(&mut self, parcel: Parcel, seen: Seq) -> Result<()> {
        let at = Tail { seq: seen, positions: PositionSeq::END };
        let transaction = Transaction::new(Durability::Buffered).cursor(NAME, at);
        let transaction =
            parcel.writes.into_iter().fold(transaction, |transaction, ((place, id), fields)| {
                transaction.put(place, id, Condition::Always, json::encode(&fields))
            });
        self.app.store().commit(transaction)?;
        self.stored = seen;
        self.state.at.store(seen.get(), Ordering::Relaxed);
        Ok(())
    }
}

fn name_user(fields: &mut Map<String, Value>, member: &str, site: &Site) {
    let Some(user) = fields.get(member).and_then(Value::as_str).and_then(|id| site.users.get(id)) else {
        return;
    };
    let named = |field: &str| user.get(field).and_then(Value::as_str).filter(|name| !name.is_empty());
    if let Some(name) = named("display_name").or_else(|| named("username")) {
        fields.insert(member.to_owned(), name.into());
    }
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}
