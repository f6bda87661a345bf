//! The percolator: the catalog compiled, so that an item meets only what it may match.
//!
//! **The way of an item.** Its values are looked up among the wanted values of all conditions at once (`words`), its
//! texts searched once for all wanted texts (`texts`), its places in a grid of areas (`areas`). The conditions so
//! found name the filters that they are the key of (`keys`); only these, and those without a key, are judged. What
//! matches names products, and products name subscribers (`offers`).
//!
//! **Invariant.** A filter that does not come up is false, because each of its statements has a key that must hold, and
//! keys are found without fail. Which key a statement has matters for speed alone. The plain evaluator is the
//! oracle: both give equal answers for every catalog and item.
//!
//! **Changes** touch what they must: the entries of one condition, the keys of the filters that use it, the
//! places of one product or subscriber. More than that is made anew where a part cannot be: the automaton of a field in
//! which other texts are looked for, and, when a filter changes, the sizes of all that are nested.

mod areas;
mod keys;
mod lead;
mod offers;
mod run;
mod texts;
mod words;

use serde_json::Value;

use super::answer::{Answer, Question};
use super::catalog::{Catalog, Part};
use super::condition::Condition;
use super::slots::Slot;
use super::targets::ItemFault;
use areas::Areas;
use keys::Keys;
use lead::Lead;
use offers::Offers;
use texts::Texts;
use words::Words;

/// A catalog with the index over it.
pub struct Percolator {
    catalog: Catalog,
    words: Words,
    texts: Texts,
    areas: Areas,
    /// By condition.
    leads: Vec<Lead>,
    keys: Keys,
    offers: Offers,
}

/// A document that was put, or removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its collection.
    pub part: Part,
    /// Its id.
    pub id: String,
    /// The document; `None` when it was removed.
    pub document: Option<Value>,
}

impl Percolator {
    /// Compiles a catalog to which changes will be applied.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        let mut percolator = Self {
            catalog,
            words: Words::default(),
            texts: Texts::default(),
            areas: Areas::default(),
            leads: Vec::new(),
            keys: Keys::default(),
            offers: Offers::default(),
        };
        percolator.index_all();
        percolator
    }

    /// What is compiled.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Gives the catalog back, without the index over it.
    #[must_use]
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// Applies changes, in their order. Keys and texts are renewed once for all of them, so many at once cost less.
    pub fn apply<'c>(&mut self, changes: impl IntoIterator<Item = &'c Change>) {
        let known = self.catalog.filters.len();
        let mut stale: Vec<Slot> = Vec::new();
        let mut is_nesting_changed = false;
        for change in changes {
            let document = change.document.as_ref();
            match change.part {
                Part::Condition => stale.extend(self.set_condition(&change.id, document)),
                Part::Filter => {
                    stale.push(self.set_filter(&change.id, document));
                    is_nesting_changed = true;
                }
                Part::Product => self.set_product(&change.id, document),
                Part::Subscriber => self.set_subscriber(&change.id, document),
            }
        }
        // Before the keys: they are looked for in what is not tangled only.
        if is_nesting_changed {
            self.catalog.settle();
        }
        // Also what is only referred to has a key: it matches always.
        stale.extend(self.filter_slots(known));
        self.keys.renew(&self.catalog, &self.leads, stale);
        self.texts.refresh();
    }

    fn filter_slots(&self, from: usize) -> std::ops::Range<Slot> {
        let slot = |index| Slot::try_from(index).unwrap_or(Slot::MAX);
        slot(from)..slot(self.catalog.filters.len())
    }

    /// Who gets the item.
    ///
    /// # Errors
    /// When the item cannot be given to anybody.
    pub fn recipients(&self, question: Question<'_>) -> Result<Answer, ItemFault> {
        run::recipients(self, question)
    }

    fn index_all(&mut self) {
        let conditions: Vec<Slot> = self.catalog.conditions.iter().map(|(slot, _)| slot).collect();
        conditions.into_iter().for_each(|slot| self.index_condition(slot));
        let filters: Vec<Slot> = self.catalog.filters.iter().map(|(slot, _)| slot).collect();
        filters.iter().for_each(|slot| self.keys.enter(&self.catalog, *slot));
        self.catalog.settle();
        self.keys.renew(&self.catalog, &self.leads, self.filter_slots(0));
        for (slot, product) in self.catalog.products.iter() {
            self.offers.enter_product(slot, product);
        }
        for (slot, subscriber) in self.catalog.subscribers.iter() {
            self.offers.enter_subscriber(slot, subscriber);
        }
        self.texts.refresh();
    }

    fn index_condition(&mut self, slot: Slot) {
        let rule = self.catalog.conditions.get(slot).and_then(|condition| condition.rule.as_ref().ok());
        let lead = rule.map_or(Lead::None, |rule| {
            self.words.enter(slot, rule);
            self.texts.enter(slot, rule);
            self.areas.enter(slot, rule);
            Lead::of(rule)
        });
        if let Some(place) = at(&mut self.leads, slot) {
            *place = lead;
        }
    }

    /// Returns the filters that use it.
    fn set_condition(&mut self, id: &str, document: Option<&Value>) -> Vec<Slot> {
        if let Some((slot, Condition { rule: Ok(rule), .. })) = self.catalog.conditions.entry(id) {
            self.words.leave(slot, rule);
            self.texts.leave(slot, rule);
            self.areas.leave(slot, rule);
        }
        let slot = self.catalog.set_one(Part::Condition, id, document);
        self.index_condition(slot);
        self.keys.users_of_condition(slot)
    }

    fn set_filter(&mut self, id: &str, document: Option<&Value>) -> Slot {
        if let Some(slot) = self.catalog.filters.find(id) {
            self.keys.leave(&self.catalog, slot);
        }
        let slot = self.catalog.set_one(Part::Filter, id, document);
        self.keys.enter(&self.catalog, slot);
        slot
    }

    fn set_product(&mut self, id: &str, document: Option<&Value>) {
        if let Some((slot, product)) = self.catalog.products.entry(id) {
            self.offers.leave_product(slot, product);
        }
        let slot = self.catalog.set_one(Part::Product, id, document);
        if let Some(product) = self.catalog.products.get(slot) {
            self.offers.enter_product(slot, product);
        }
    }

    fn set_subscriber(&mut self, id: &str, document: Option<&Value>) {
        if let Some((slot, subscriber)) = self.catalog.subscribers.entry(id) {
            self.offers.leave_subscriber(slot, subscriber);
        }
        let slot = self.catalog.set_one(Part::Subscriber, id, document);
        if let Some(subscriber) = self.catalog.subscribers.get(slot) {
            self.offers.enter_subscriber(slot, subscriber);
        }
    }
}

/// The place of a slot, made if need be.
fn at<T: Default>(list: &mut Vec<T>, slot: Slot) -> Option<&mut T> {
    let index = slot as usize;
    if list.len() <= index {
        list.resize_with(index + 1, T::default);
    }
    list.get_mut(index)
}

fn without(list: &mut Vec<Slot>, slot: Slot) {
    list.retain(|own| *own != slot);
}

#[cfg(test)]
mod tests;
