//! Dense numbers for ids, so that the working memory of a decision is a few flat arrays.

use std::sync::Arc;

use indexmap::IndexMap;

/// The number of an id. Never given to another id as long as the list lives.
pub(crate) type Slot = u32;

/// Entries by id. A slot without an entry is an id that something refers to.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    entries: IndexMap<Arc<str>, Option<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { entries: IndexMap::new() }
    }
}

impl<T> Slots<T> {
    /// The slot of an id, a new one if need be.
    pub(crate) fn slot(&mut self, id: &str) -> Slot {
        self.find(id).unwrap_or_else(|| number(self.entries.insert_full(id.into(), None).0))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Slot> {
        self.entries.get_index_of(id).map(number)
    }

    pub(crate) fn id(&self, slot: Slot) -> &str {
        self.entries.get_index(slot as usize).map_or("", |(id, _)| id)
    }

    /// The id for an answer that outlives the list.
    pub(crate) fn shared_id(&self, slot: Slot) -> Arc<str> {
        self.entries.get_index(slot as usize).map_or_else(Arc::default, |(id, _)| Arc::clone(id))
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        self.entries.get_index(slot as usize)?.1.as_ref()
    }

    /// The entry of an id, with its slot.
    pub(crate) fn entry(&self, id: &str) -> Option<(Slot, &T)> {
        let (index, _, entry) = self.entries.get_full(id)?;
        Some((number(index), entry.as_ref()?))
    }

    /// Puts or removes the entry.
    pub(crate) fn set(&mut self, slot: Slot, entry: Option<T>) {
        if let Some((_, place)) = self.entries.get_index_mut(slot as usize) {
            *place = entry;
        }
    }

    /// The entries with their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        (0..).zip(self.entries.values()).filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }

    /// How many slots there are, with or without an entry.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn number(index: usize) -> Slot {
    Slot::try_from(index).unwrap_or(Slot::MAX)
}
