//! One collection: what it was declared with, and the keys its documents hold.

use serde_json::Value as Json;

use crate::catalog::Keep;
use crate::error::{Error, Result};
use crate::index::{Index, IndexKey, IndexSpec, IndexState};
use crate::limits::INDEXES_MAX;
use crate::schema::{self, Unmet, Upgrade};
use crate::types::{CollectionId, DocId, IndexId, Seq};

/// What a collection is declared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionOptions {
    /// JSON text kept verbatim for the layers above.
    pub definition: String,
    /// Fields whose joint value no two live documents may share.
    /// A document that lacks every one of the fields is not held to it.
    pub unique: Vec<IndexSpec>,
    /// Fields by which documents can be found and ordered.
    pub indexes: Vec<IndexSpec>,
    /// How long documents, versions and tombstones are kept.
    pub keep: Keep,
    /// What bodies become from one version of the schema to the next.
    pub upgrades: Vec<Upgrade>,
}

impl CollectionOptions {
    pub(super) fn check(&self) -> Result<()> {
        self.keep.check()?;
        Upgrade::check_all(&self.upgrades)?;
        if self.unique.len() + self.indexes.len() > INDEXES_MAX {
            return Err(Error::invalid(format!("a collection has at most {INDEXES_MAX} indexes")));
        }
        for declared in [&self.unique, &self.indexes] {
            for (place, spec) in declared.iter().enumerate() {
                spec.check()?;
                if declared.iter().take(place).any(|before| before == spec) {
                    return Err(Error::invalid(format!("index '{}' is declared twice", spec.name())));
                }
            }
        }
        Ok(())
    }

    /// Every index that is declared, and whether it is unique.
    fn declared(&self) -> impl Iterator<Item = (&IndexSpec, bool)> {
        let unique = self.unique.iter().map(|spec| (spec, true));
        unique.chain(self.indexes.iter().map(|spec| (spec, false)))
    }
}

/// Whether a collection is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CollectionState {
    /// It can be read and written.
    #[default]
    Live,
    /// It was dropped by this record, with its documents; rows that name them are still being removed.
    Dropping(Seq),
    /// It was dropped by this record, and nothing but its number and name is left.
    Dropped(Seq),
}

/// One collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its number inside keys.
    pub id: CollectionId,
    /// Its name.
    pub name: String,
    /// What it was declared with.
    pub options: CollectionOptions,
    /// Whether it is there.
    pub state: CollectionState,
    /// The record that brought it into being.
    pub(crate) defined_at: Seq,
    /// The record since which versions are kept by another rule, until all that were there have been filed by it.
    pub(crate) survey: Option<Seq>,
    /// The record that declared the newest upgrade on documents that were there.
    pub(crate) upgraded_at: Option<Seq>,
    indexes: Vec<Index>,
}

impl Collection {
    /// Without any index.
    pub(crate) fn empty(id: CollectionId, name: String, defined_at: Seq) -> Self {
        let (options, state) = (CollectionOptions::default(), CollectionState::Live);
        let (survey, upgraded_at, indexes) = (None, None, Vec::new());
        Self { id, name, options, state, defined_at, survey, upgraded_at, indexes }
    }

    /// As it was stored.
    pub(crate) fn stored(
        self,
        definition: String,
        keep: Keep,
        upgrades: Vec<Upgrade>,
        indexes: Vec<Index>,
    ) -> Self {
        let specs = |unique: bool| {
            let declared = indexes.iter().filter(|index| index.unique == unique);
            declared.map(|index| index.spec.clone()).collect()
        };
        let options =
            CollectionOptions { definition, unique: specs(true), indexes: specs(false), keep, upgrades };
        Self { options, indexes, ..self }
    }

    /// Takes other options. What was declared before keeps its index, unless another upgrade changes what its fields
    /// hold; others get ids from `next` on and this state. Answers the indexes that are declared no more.
    pub(super) fn declare(
        &mut self,
        options: CollectionOptions,
        next: IndexId,
        state: &IndexState,
    ) -> Vec<IndexId> {
        let mut before = std::mem::take(&mut self.indexes);
        let upgrades = options.upgrades.get(self.options.upgrades.len()..).unwrap_or_default();
        let touched = |spec: &IndexSpec| {
            let mut fields = spec.fields.iter();
            fields.any(|field| upgrades.iter().any(|upgrade| upgrade.touches(&field.path)))
        };
        let mut id = next.get();
        for (spec, unique) in options.declared() {
            let known = before.iter().position(|index| index.spec == *spec && index.unique == unique);
            let known = known.filter(|_| !touched(spec));
            let index = known.map(|place| before.remove(place)).unwrap_or_else(|| {
                id += 1;
                Index { id: IndexId::new(id - 1), spec: spec.clone(), unique, state: state.clone() }
            });
            self.indexes.push(index);
        }
        self.options = options;
        before.into_iter().map(|index| index.id).collect()
    }

    /// The record that dropped it.
    #[must_use]
    pub fn dropped_at(&self) -> Option<Seq> {
        match self.state {
            CollectionState::Live => None,
            CollectionState::Dropping(at) | CollectionState::Dropped(at) => Some(at),
        }
    }

    /// The version of its schema: 1, and one more for each upgrade.
    #[must_use]
    pub fn schema_version(&self) -> u32 {
        schema::newest(&self.options.upgrades)
    }

    /// The record that declared the newest upgrade, if there were documents to be upgraded.
    #[must_use]
    pub fn upgraded_at(&self) -> Option<Seq> {
        self.upgraded_at
    }

    /// Brings a body of an older version, stored in so many bytes, up to the newest.
    pub(crate) fn raise(&self, from: u32, bytes: usize, body: &mut Json) -> Vec<Unmet> {
        schema::raise(&self.options.upgrades, from, bytes, body)
    }

    /// Its indexes, in the order of their declaration, unique ones first.
    #[must_use]
    pub fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    /// The index of these fields that can be read, if there is one.
    #[must_use]
    pub fn readable(&self, spec: &IndexSpec) -> Option<&Index> {
        self.indexes.iter().find(|index| index.is_readable() && index.spec.finds_as(spec))
    }

    pub(crate) fn index(&self, id: IndexId) -> Option<&Index> {
        self.indexes.iter().find(|index| index.id == id)
    }

    /// The collection with one index in another state.
    pub(crate) fn with_state(&self, id: IndexId, state: &IndexState) -> Self {
        let mut collection = self.clone();
        for index in collection.indexes.iter_mut().filter(|index| index.id == id) {
            index.state = state.clone();
        }
        collection
    }

    /// The keys this document holds in all indexes, those of one index together.
    pub(crate) fn index_keys(&self, id: &DocId, body: &Json) -> Result<Vec<IndexKey>> {
        let mut keys = Vec::new();
        for index in &self.indexes {
            keys.extend(index.keys(id, body)?);
        }
        Ok(keys)
    }
}
