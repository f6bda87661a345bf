//! Dense numbers for ids, so that the working memory of a decision is a few flat arrays.

use std::collections::HashMap;

/// The number of an id. Never given to another id as long as the list lives.
pub(crate) type Slot = u32;

/// Entries by id. A slot without an entry is an id that something refers to.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    by_id: HashMap<Box<str>, Slot>,
    ids: Vec<Box<str>>,
    entries: Vec<Option<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), ids: Vec::new(), entries: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// The slot of an id, a new one if need be.
    pub(crate) fn slot(&mut self, id: &str) -> Slot {
        if let Some(slot) = self.by_id.get(id) {
            return *slot;
        }
        let slot = Slot::try_from(self.ids.len()).unwrap_or(Slot::MAX);
        self.by_id.insert(id.into(), slot);
        self.ids.push(id.into());
        self.entries.push(None);
        slot
    }

    pub(crate) fn find(&self, id: &str) -> Option<Slot> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn id(&self, slot: Slot) -> &str {
        self.ids.get(slot as usize).map_or("", |id| id)
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        self.entries.get(slot as usize)?.as_ref()
    }

    /// Puts or removes the entry; returns what was there.
    pub(crate) fn set(&mut self, slot: Slot, entry: Option<T>) -> Option<T> {
        let place = self.entries.get_mut(slot as usize)?;
        std::mem::replace(place, entry)
    }

    /// The entries with their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        (0..).zip(&self.entries).filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }

    /// How many slots there are, with or without an entry.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
