//! Who may get items: the catalog of conditions, filters, products and subscribers, compiled, and as new as the log.
//!
//! Whoever asks first looks whether one of the collections has changed since it was last read, and if so reads what the
//! log says has changed. So an answer knows of everything that was committed before the question, and nothing waits
//! for a thread that may be behind.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use dateline_engine::{CollectionId, DocId, Document, Error, ErrorKind, Result, Seq, Snapshot, Store};
use dateline_publish::filter::{Catalog, Change, Part, Percolator, Truth, Vocabulary};
use jiff::Timestamp;
use serde_json::Value;

use super::lender::SiteLender;

/// Records of the log looked through for changes; with more of them everything is read anew.
const RECORDS_MAX: u64 = 65_536;

const PARTS: [(&str, Part); 4] = [
    ("filter_conditions", Part::Condition),
    ("content_filters", Part::Filter),
    ("products", Part::Product),
    ("subscribers", Part::Subscriber),
];

/// The compiled catalog. See the module.
pub(crate) struct Audience {
    parts: Vec<(CollectionId, Part)>,
    vocabularies: CollectionId,
    state: RwLock<State>,
}

struct State {
    percolator: Percolator,
    fields: Vec<Vocabulary>,
    /// Everything up to here is in it.
    at: Seq,
    /// The last change of each collection as of then; none before the first reading.
    marks: Option<Vec<Seq>>,
}

impl Audience {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// `NotFound` without the built-in collections.
    pub(crate) fn new(store: &Store) -> Result<Self> {
        let mut parts = Vec::with_capacity(PARTS.len());
        for (name, part) in PARTS {
            parts.push((super::collection(store, name)?, part));
        }
        let percolator = Percolator::new(Catalog::new(Vec::new(), Arc::new(SiteLender::new())));
        let state = State { percolator, fields: Vec::new(), at: Seq::ZERO, marks: None };
        let vocabularies = super::collection(store, "vocabularies")?;
        Ok(Self { parts, vocabularies, state: RwLock::new(state) })
    }

    /// Asks the catalog as of now. Reads the store when it has changed, so this is for threads that may wait.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn ask<T>(&self, store: &Store, question: impl FnOnce(&Percolator) -> T) -> Result<T> {
        Ok(question(&self.current(store)?.percolator))
    }

    /// Whether an item matches a content filter. What a broken filter leaves open does not, and is told.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn matches(&self, store: &Store, filter: &str, item: &Value, now: Timestamp) -> Result<bool> {
        let truth = self.ask(store, |percolator| percolator.catalog().matches(filter, item, now))?;
        if truth == Truth::Unknown {
            let item = item.get("_id").and_then(Value::as_str);
            tracing::warn!(filter, item, "a broken filter leaves open whether it matches an item");
        }
        Ok(truth == Truth::True)
    }

    fn current(&self, store: &Store) -> Result<RwLockReadGuard<'_, State>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.marks.as_ref().is_some_and(|marks| *marks == self.marks(store)) {
            return Ok(state);
        }
        drop(state);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // Before the snapshot: what changes between the two is read twice, not missed.
        let marks = self.marks(store);
        if state.marks.as_ref() != Some(&marks) {
            self.refresh(&store.snapshot()?, &mut state)?;
            state.marks = Some(marks);
        }
        Ok(RwLockWriteGuard::downgrade(state))
    }

    fn marks(&self, store: &Store) -> Vec<Seq> {
        let collections = self.parts.iter().map(|(collection, _)| *collection).chain([self.vocabularies]);
        collections.map(|collection| store.changed(collection)).collect()
    }

    fn refresh(&self, snapshot: &Snapshot<'_>, state: &mut State) -> Result<()> {
        let at = snapshot.tail().seq;
        let fields = self.fields(snapshot)?;
        let changes = match state.marks.is_some() && fields == state.fields {
            true => self.changes(snapshot, state.at)?,
            // What a condition means depends on its field.
            false => None,
        };
        match changes {
            Some(changes) => state.percolator.apply(&changes),
            None => {
                let catalog = Catalog::new(fields.clone(), Arc::new(SiteLender::new()));
                let mut percolator = Percolator::new(catalog);
                percolator.apply(&self.everything(snapshot)?);
                state.percolator = percolator;
                state.fields = fields;
            }
        }
        state.at = at;
        Ok(())
    }

    /// What has changed since; `None` when that is too much to look for, or no longer known.
    fn changes(&self, snapshot: &Snapshot<'_>, since: Seq) -> Result<Option<Vec<Change>>> {
        let mut changes = Vec::new();
        for &(collection, part) in &self.parts {
            let changed = match snapshot.changed_since(collection, since, RECORDS_MAX) {
                Err(error) if error.kind() == ErrorKind::Gone => None,
                other => other?,
            };
            let Some(changed) = changed else { return Ok(None) };
            for id in changed {
                let document = snapshot.get(collection, id.as_str())?;
                let document = document.as_ref().map(body).transpose()?;
                changes.push(Change { part, id: id.as_str().to_owned(), document });
            }
        }
        Ok(Some(changes))
    }

    fn everything(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for &(collection, part) in &self.parts {
            each(snapshot, collection, |id, document| {
                changes.push(Change { part, id: id.as_str().to_owned(), document: Some(document) });
            })?;
        }
        Ok(changes)
    }

    fn fields(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Vocabulary>> {
        let mut fields = Vec::new();
        each(snapshot, self.vocabularies, |id, document| {
            fields.extend(Vocabulary::parse(id.as_str(), &document));
        })?;
        Ok(fields)
    }

    /// A catalog beside the shared one, for questions about what is not stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn separate(&self, store: &Store) -> Result<Catalog> {
        let snapshot = store.snapshot()?;
        let catalog = Catalog::new(self.fields(&snapshot)?, Arc::new(SiteLender::new()));
        let mut percolator = Percolator::new(catalog);
        percolator.apply(&self.everything(&snapshot)?);
        Ok(percolator.into_catalog())
    }
}

/// Every live document of a collection.
pub(crate) fn each(
    snapshot: &Snapshot<'_>,
    collection: CollectionId,
    mut visit: impl FnMut(DocId, Value),
) -> Result<()> {
    let mut damaged = None;
    snapshot.scan(collection, None, false, |document| match body(&document) {
        Ok(value) => {
            visit(document.id, value);
            ControlFlow::Continue(())
        }
        Err(error) => {
            damaged = Some(error);
            ControlFlow::Break(())
        }
    })?;
    damaged.map_or(Ok(()), Err)
}

/// The stored body as a value.
pub(super) fn body(document: &Document) -> Result<Value> {
    serde_json::from_slice(&document.body)
        .map_err(|error| Error::corrupt(format!("document {}: {error}", document.id)))
}
