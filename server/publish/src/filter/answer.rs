//! What is asked about an item, and what is answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::catalog::Catalog;
use super::slots::Slot;
use super::subscriber::{Subscriber, TargetMedia};
use super::truth::Truth;

/// An item, and the circumstances in which it is published.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The item as it will be sent.
    pub item: &'a Value,
    /// The time; an embargo that ends later is running.
    pub now: Timestamp,
    /// Which subscribers can show it.
    pub media: TargetMedia,
    /// Whether the site has a content API: else products of it count for nothing.
    pub content_api: bool,
}

/// Who gets an item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The subscribers that get it, in the order of their ids.
    pub taken: Vec<Taken>,
    /// Those of which a broken filter leaves it open, in the order of their ids. They get nothing, and somebody must
    /// be told.
    pub undecided: Vec<Undecided>,
}

/// A subscriber that gets the item.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Its id.
    pub subscriber: Arc<str>,
    /// Its own codes and those of the products, each once.
    pub codes: Vec<Arc<str>>,
    /// The products by which it gets the item.
    pub products: Vec<Arc<str>>,
    /// The products by which it gets the item through the content API.
    pub api_products: Vec<Arc<str>>,
    /// Whether it is named in the item, and would get it without a product.
    pub is_named: bool,
}

impl Taken {
    /// Whether it gets the item through the content API.
    #[must_use]
    pub fn is_api_enabled(&self) -> bool {
        !self.api_products.is_empty()
    }
}

/// A subscriber for which nobody can say.
#[derive(Clone, Debug, PartialEq)]
pub struct Undecided {
    /// Its id.
    pub subscriber: Arc<str>,
    /// The ids of the broken filters, in their order.
    pub filters: Vec<Arc<str>>,
}

/// What was found out about one subscriber.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Finding {
    pub(crate) products: Vec<Slot>,
    pub(crate) api_products: Vec<Slot>,
    pub(crate) is_named: bool,
    pub(crate) broken_global: BTreeSet<Slot>,
    /// Broken filters of products.
    pub(crate) broken: BTreeSet<Slot>,
}

/// The last step of a decision.
pub(crate) enum Outcome {
    Taken(Taken),
    Undecided(Undecided),
    Refused,
}

impl Answer {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Taken(taken) => self.taken.push(taken),
            Outcome::Undecided(undecided) => self.undecided.push(undecided),
            Outcome::Refused => {}
        }
    }

    pub(crate) fn sorted(mut self) -> Self {
        self.taken.sort_unstable_by(|a, b| a.subscriber.cmp(&b.subscriber));
        self.undecided.sort_unstable_by(|a, b| a.subscriber.cmp(&b.subscriber));
        self
    }
}

impl Catalog {
    /// The products that are true, in their order; notes the filters of those that are unknown.
    pub(crate) fn accepting(
        &self,
        products: &[Slot],
        truth_of: impl Fn(Slot) -> Truth,
        broken: &mut BTreeSet<Slot>,
    ) -> Vec<Slot> {
        let mut accepting = Vec::new();
        for &product in products {
            match truth_of(product) {
                Truth::True => accepting.push(product),
                Truth::Unknown => broken.extend(self.products.get(product).and_then(|own| own.filter)),
                Truth::False => {}
            }
        }
        accepting
    }

    /// The codes of a subscriber and of these products, each once.
    pub(crate) fn codes<'p>(
        &self,
        subscriber: &Subscriber,
        products: impl Iterator<Item = &'p Slot>,
    ) -> Vec<Arc<str>> {
        let mut codes = subscriber.codes.clone();
        for code in products.filter_map(|product| self.products.get(*product)).flat_map(|own| &own.codes) {
            if !codes.contains(code) {
                codes.push(Arc::clone(code));
            }
        }
        codes
    }

    pub(crate) fn taken(&self, slot: Slot, subscriber: &Subscriber, finding: &Finding) -> Taken {
        let ids = |slots: &[Slot]| slots.iter().map(|slot| self.products.shared_id(*slot)).collect();
        Taken {
            subscriber: self.subscribers.shared_id(slot),
            codes: self.codes(subscriber, finding.products.iter().chain(&finding.api_products)),
            products: ids(&finding.products),
            api_products: ids(&finding.api_products),
            is_named: finding.is_named,
        }
    }

    pub(crate) fn undecided(&self, slot: Slot, finding: &Finding) -> Undecided {
        let broken = finding.broken_global.union(&finding.broken);
        let mut filters: Vec<Arc<str>> = broken.map(|slot| self.filters.shared_id(*slot)).collect();
        filters.sort_unstable();
        Undecided { subscriber: self.subscribers.shared_id(slot), filters }
    }
}
