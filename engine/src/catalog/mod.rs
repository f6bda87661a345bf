//! The collections of a store and the indexes they declare.
//!
//! Ids of collections and indexes are given once and never reused: a dropped collection stays here under its number,
//! seen only by those who ask for numbers. The catalog in memory is replaced as a whole by the writer after the commit
//! that changes it; a collection in it never changes.

mod collection;
mod keep;

use std::collections::HashMap;
use std::sync::Arc;

pub use collection::{Collection, CollectionOptions, CollectionState};
pub use keep::Keep;

use crate::error::{Error, Result};
use crate::index::IndexState;
use crate::limits::{COLLECTION_IDS_MAX, COLLECTIONS_MAX, NAME_BYTES_MAX};
use crate::schema::Upgrade;
use crate::types::{CollectionId, IndexId, Seq};

/// All collections, by name and by id.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Dropped ones among them.
    by_id: Vec<Arc<Collection>>,
    /// Places of those that are there.
    by_name: HashMap<String, usize>,
    /// The first index id that was never given.
    next_index: IndexId,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new(Vec::new(), IndexId::new(1))
    }
}

/// A collection as a transaction is going to leave it.
#[derive(Debug)]
pub(crate) struct Defined {
    pub(crate) collection: Collection,
    /// The record of this change.
    pub(crate) at: Seq,
    /// Indexes it had and has no more.
    pub(crate) dropped: Vec<IndexId>,
}

impl Catalog {
    /// Collections in the order of their ids.
    pub(crate) fn new(by_id: Vec<Arc<Collection>>, next_index: IndexId) -> Self {
        let live = by_id.iter().enumerate().filter(|(_, known)| known.dropped_at().is_none());
        let by_name = live.map(|(place, known)| (known.name.clone(), place)).collect();
        let given = by_id.iter().flat_map(|collection| collection.indexes()).map(|index| index.id.get() + 1);
        let next_index = IndexId::new(given.max().unwrap_or(0).max(next_index.get()));
        Self { by_id, by_name, next_index }
    }

    /// The collection of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Collection>> {
        self.by_id.get(*self.by_name.get(name)?)
    }

    /// The collection of this id.
    #[must_use]
    pub fn by_id(&self, id: CollectionId) -> Option<&Arc<Collection>> {
        self.ever(id).filter(|collection| collection.dropped_at().is_none())
    }

    /// All collections, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.by_id.iter().filter(|collection| collection.dropped_at().is_none())
    }

    /// The collection of this id, also when it has been dropped.
    #[must_use]
    pub fn ever(&self, id: CollectionId) -> Option<&Arc<Collection>> {
        let place = self.by_id.binary_search_by_key(&id, |collection| collection.id).ok()?;
        self.by_id.get(place)
    }

    /// Collections that have been dropped, oldest first.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.by_id.iter().filter(|collection| collection.dropped_at().is_some())
    }

    /// The newest id that was given to a collection, which may have been dropped since; 0 before the first.
    #[must_use]
    pub fn newest(&self) -> CollectionId {
        self.by_id.last().map_or(CollectionId::ZERO, |last| last.id)
    }

    /// The first index id that was never given.
    pub(crate) fn next_index(&self) -> IndexId {
        self.next_index
    }

    /// Plans a new collection; nothing changes yet. It has no documents, so its indexes are whole.
    pub(crate) fn plan(&self, name: &str, options: CollectionOptions, at: Seq) -> Result<Defined> {
        check_name("collection", name)?;
        if self.by_name.contains_key(name) {
            return Err(Error::invalid(format!("collection '{name}' exists already")));
        }
        if self.by_name.len() >= COLLECTIONS_MAX {
            return Err(Error::invalid(format!("a store holds at most {COLLECTIONS_MAX} collections")));
        }
        let id = self.newest().next();
        if usize::try_from(id.get()).is_ok_and(|id| id > COLLECTION_IDS_MAX) {
            return Err(Error::invalid(format!(
                "a store numbers at most {COLLECTION_IDS_MAX} collections, those it has dropped among them"
            )));
        }
        options.check()?;
        let mut collection = Collection::empty(id, name.to_owned(), at);
        collection.declare(options, self.next_index, &IndexState::Ready);
        Ok(Defined { collection, at, dropped: Vec::new() })
    }

    /// Plans other options for a collection; nothing changes yet. An index that stays as it was declared keeps its
    /// entries, a new one begins to be built. Versions that are there already are kept by the new rule.
    pub(crate) fn plan_change(
        &self,
        id: CollectionId,
        options: CollectionOptions,
        at: Seq,
    ) -> Result<Defined> {
        let before = self.by_id(id);
        let before = before.ok_or_else(|| Error::not_found(format!("collection {id} does not exist")))?;
        options.check()?;
        Upgrade::check_follow(&before.options.upgrades, &options.upgrades)?;
        let mut collection = Collection::clone(before);
        if options.upgrades.len() > before.options.upgrades.len() {
            collection.upgraded_at = Some(at);
        }
        if !options.keep.keeps_versions_as(&before.options.keep) {
            collection.survey = options.keep.limits_versions().then_some(at);
        }
        let dropped = collection.declare(options, self.next_index, &IndexState::Building { since: at });
        Ok(Defined { collection, at, dropped })
    }

    /// Plans the end of a collection; nothing changes yet. What it was declared with is forgotten.
    pub(crate) fn plan_drop(&self, id: CollectionId, at: Seq) -> Result<Defined> {
        let known = self.by_id(id);
        let known = known.ok_or_else(|| Error::not_found(format!("collection {id} does not exist")))?;
        let mut collection = Collection::clone(known);
        collection.state = CollectionState::Dropping(at);
        (collection.survey, collection.upgraded_at) = (None, None);
        let dropped = collection.declare(CollectionOptions::default(), self.next_index, &IndexState::Ready);
        Ok(Defined { collection, at, dropped })
    }

    /// The catalog with this collection in place of the one of its id, or after all others.
    pub(crate) fn with(&self, collection: Collection) -> Self {
        let mut by_id = self.by_id.clone();
        let collection = Arc::new(collection);
        match by_id.binary_search_by_key(&collection.id, |known| known.id) {
            Ok(place) => by_id.splice(place..=place, [collection]).for_each(drop),
            Err(place) => by_id.insert(place, collection),
        }
        Self::new(by_id, self.next_index)
    }
}

/// Names of collections and cursors: short, printable, fit for a URL.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'));
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} name: 1 to {NAME_BYTES_MAX} letters, digits, '_', '-', '.', ':' or '/'"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::IndexSpec;

    fn options(unique: &[&str], indexes: &[&str]) -> CollectionOptions {
        let of = |specs: &[&str]| specs.iter().map(|&fields| IndexSpec::from(fields)).collect();
        CollectionOptions { unique: of(unique), indexes: of(indexes), ..CollectionOptions::default() }
    }

    #[test]
    fn bad_declarations_are_refused() {
        let plan = |name: &str, options| Catalog::default().plan(name, options, Seq::new(1));
        assert!(plan("", CollectionOptions::default()).is_err());
        assert!(plan("a b", CollectionOptions::default()).is_err());
        let check = |unique: &[&str], indexes: &[&str], expected: &str| {
            let error = plan("a", options(unique, indexes)).unwrap_err().to_string();
            assert_eq!(error, expected, "{unique:?} {indexes:?}");
        };
        check(&[""], &[], "an index names at least one field, and none is empty");
        check(&[], &["a."], "an index names at least one field, and none is empty");
        check(&[], &["a.0.b"], "'a.0.b': an index reaches into lists by itself, without a number");
        check(&[], &["a,a"], "index 'a,a' names a field twice");
        check(&[], &["a", "a"], "index 'a' is declared twice");
        check(&[], &["a,b,c,d,e,f,g,h,i"], "index 'a,b,c,d,e,f,g,h,i' has more than 8 fields");
    }

    #[test]
    fn index_ids_are_never_given_again() {
        let at = Seq::new(1);
        let cars = Catalog::default().plan("cars", options(&["plate"], &["brand"]), at).unwrap().collection;
        let catalog = Catalog::default().with(cars);
        let changed = catalog.plan_change(CollectionId::new(1), options(&["plate"], &["price"]), at).unwrap();
        assert_eq!(changed.dropped, [IndexId::new(2)]);
        let catalog = catalog.with(changed.collection);
        let none = catalog.plan_change(CollectionId::new(1), options(&[], &[]), at).unwrap();
        assert_eq!(none.dropped, [IndexId::new(1), IndexId::new(3)]);
        let catalog = catalog.with(none.collection);
        assert_eq!(catalog.next_index(), IndexId::new(4));
        let again = catalog.plan_change(CollectionId::new(1), options(&[], &["brand"]), at).unwrap();
        let index = &again.collection.indexes()[0];
        assert_eq!((index.id, &index.state), (IndexId::new(4), &IndexState::Building { since: at }));
    }
}
