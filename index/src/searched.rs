//! Which collections are searched, and by which mapping.
//!
//! Built-in collections bring their mapping with the options; any other is searched when its definition has a
//! `search` that is neither `false` nor `null`. The store never changes a definition, so a mapping is read
//! once; a collection that comes later is read when its first document does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use dateline_engine::{CollectionId, Error, Result, Store};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::language::Language;
use crate::mapping::Mapping;

type Known = HashMap<CollectionId, Option<Arc<Mapping>>>;

/// The searched collections of a store.
pub(crate) struct Searched {
    store: Store,
    built_in: HashMap<String, Arc<Mapping>>,
    known: RwLock<Known>,
    /// The last fingerprint and for which collections it is; it is asked for at each commit.
    fingerprint: Mutex<Option<(CollectionId, String)>>,
}

impl Searched {
    pub(crate) fn new(store: Store, built_in: Vec<(String, Mapping)>) -> Self {
        let built_in = built_in.into_iter().map(|(name, mapping)| (name, Arc::new(mapping))).collect();
        Self { store, built_in, known: RwLock::default(), fingerprint: Mutex::default() }
    }

    /// The mapping of a collection; `None` when it is not searched.
    pub(crate) fn of(&self, id: CollectionId) -> Option<Arc<Mapping>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        match known {
            Some(mapping) => mapping,
            None => self.read(id),
        }
    }

    /// The collection of this name and its mapping.
    pub(crate) fn by_name(&self, name: &str) -> Result<(CollectionId, Arc<Mapping>)> {
        let id = self.store.catalog().by_name(name).map(|collection| collection.id);
        let found = id.and_then(|id| Some((id, self.of(id)?)));
        found.ok_or_else(|| Error::not_found(format!("collection '{name}' is not searched")))
    }

    /// Every searched collection, oldest first.
    pub(crate) fn all(&self) -> Vec<(CollectionId, Arc<Mapping>)> {
        let catalog = self.store.catalog();
        catalog.iter().filter_map(|collection| Some((collection.id, self.of(collection.id)?))).collect()
    }

    /// The newest collection there is or has been.
    pub(crate) fn newest(&self) -> CollectionId {
        self.store.catalog().newest()
    }

    /// Forgets a collection that has been dropped. Until then it counts: a checkpoint from before is not that of the
    /// collections there are now.
    pub(crate) fn forget(&self, id: CollectionId) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        *self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A hash of the mappings of all collections up to `newest`: later ones bring their own log records.
    pub(crate) fn fingerprint(&self, newest: CollectionId) -> String {
        let mut last = self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((upto, hash)) = &*last
            && *upto == newest
        {
            return hash.clone();
        }
        let lines = self.all().into_iter().filter(|(id, _)| *id <= newest);
        let text: String = lines.map(|(id, mapping)| format!("{id} {mapping}\n")).collect();
        let hash: String =
            Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        *last = Some((newest, hash.clone()));
        hash
    }

    fn read(&self, id: CollectionId) -> Option<Arc<Mapping>> {
        let catalog = self.store.catalog();
        let collection = catalog.by_id(id)?;
        let mapping = match self.built_in.get(&collection.name) {
            Some(mapping) => Some(Arc::clone(mapping)),
            None => defined(&collection.name, &collection.options.definition),
        };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, mapping.clone());
        mapping
    }
}

/// A mapping that cannot be read must not stop the follower; whoever defines collections checks it before.
fn defined(name: &str, definition: &str) -> Option<Arc<Mapping>> {
    let definition: Json = serde_json::from_str(definition).unwrap_or_default();
    let search =
        definition.get("search").filter(|search| !matches!(search, Json::Null | Json::Bool(false)))?;
    let mapping = Mapping::parse(search).unwrap_or_else(|error| {
        tracing::warn!(collection = name, %error, "search mapping unreadable, every field is searched");
        Mapping::derived(Language::NONE)
    });
    Some(Arc::new(mapping))
}

#[cfg(test)]
mod tests {
    use dateline_engine::{CollectionOptions, Options};

    use super::*;

    fn define(store: &Store, name: &str, definition: &str) -> CollectionId {
        let options = CollectionOptions { definition: definition.to_owned(), ..CollectionOptions::default() };
        store.ensure_collection(name, options).unwrap()
    }

    #[test]
    fn definitions_and_built_in_mappings() {
        let store = Store::memory(Options::new()).unwrap();
        let searched =
            Searched::new(store.clone(), vec![("ads".to_owned(), Mapping::derived(Language::NONE))]);
        assert!(searched.by_name("ads").is_err());
        let ads = define(&store, "ads", "not json");
        let cars = define(&store, "cars", r#"{"search": {"language": "en"}}"#);
        define(&store, "logs", r#"{"search": false}"#);
        define(&store, "jobs", "{}");
        define(&store, "nothing", r#"{"search": null}"#);
        let odd = define(&store, "odd", r#"{"search": {"fields": 1}}"#);
        let found: Vec<_> =
            searched.all().into_iter().map(|(id, mapping)| (id, mapping.to_string())).collect();
        let derived = "none derived".to_owned();
        assert_eq!(found, [(ads, derived.clone()), (cars, "en derived".to_owned()), (odd, derived)]);
        assert!(searched.by_name("cars").is_ok() && searched.by_name("logs").is_err());
    }

    #[test]
    fn the_fingerprint_is_that_of_the_mappings() {
        let store = Store::memory(Options::new()).unwrap();
        let english = Language::from_code("en").unwrap();
        let of = |language| Searched::new(store.clone(), vec![("a".to_owned(), Mapping::derived(language))]);
        let empty = of(english).fingerprint(CollectionId::ZERO);
        let a = define(&store, "a", "");
        let first = of(english).fingerprint(a);
        assert_eq!(of(english).fingerprint(CollectionId::ZERO), empty);
        assert_ne!(first, empty);
        assert_ne!(of(Language::NONE).fingerprint(a), first);
        let b = define(&store, "b", r#"{"search": true}"#);
        assert_eq!(of(english).fingerprint(a), first, "a later collection does not count");
        assert_ne!(of(english).fingerprint(b), first);
    }
}
