//! The configuration that decides who gets what: conditions, filters, products, subscribers.
//!
//! Documents are taken as they are stored; references to what is not there are kept, and begin to count when it
//! comes. Nothing is refused here ([`Catalog::check_condition`](super::Catalog::check_condition) and its like do
//! that before something is stored): what cannot be judged is unknown, and its subscribers are told as undecided.

use std::sync::Arc;

use serde_json::Value;

use super::condition::Condition;
use super::content::ContentFilter;
use super::lender::Lender;
use super::nesting::Nesting;
use super::product::Product;
use super::slots::{Slot, Slots};
use super::subscriber::Subscriber;
use super::view::Fields;
use super::vocabulary::Vocabulary;

/// Which of the four collections a document belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `filter_conditions`
    Condition,
    /// `content_filters`
    Filter,
    /// `products`
    Product,
    /// `subscribers`
    Subscriber,
}

impl Part {
    /// The part a collection is.
    #[must_use]
    pub fn of_collection(name: &str) -> Option<Self> {
        Some(match name {
            "filter_conditions" => Self::Condition,
            "content_filters" => Self::Filter,
            "products" => Self::Product,
            "subscribers" => Self::Subscriber,
            _ => return None,
        })
    }
}

/// All conditions, filters, products and subscribers of a site, read and compiled one by one.
pub struct Catalog {
    pub(crate) conditions: Slots<Condition>,
    pub(crate) filters: Slots<ContentFilter>,
    pub(crate) products: Slots<Product>,
    pub(crate) subscribers: Slots<Subscriber>,
    pub(crate) fields: Fields,
    pub(crate) vocabularies: Vec<Vocabulary>,
    pub(crate) lender: Arc<dyn Lender>,
    pub(crate) nesting: Nesting,
}

impl Catalog {
    /// An empty catalog.
    #[must_use]
    pub fn new(vocabularies: Vec<Vocabulary>, lender: Arc<dyn Lender>) -> Self {
        Self {
            conditions: Slots::default(),
            filters: Slots::default(),
            products: Slots::default(),
            subscribers: Slots::default(),
            fields: Fields::default(),
            vocabularies,
            lender,
            nesting: Nesting::default(),
        }
    }

    /// Puts a document, or removes it.
    pub fn set(&mut self, part: Part, id: &str, document: Option<&Value>) {
        self.set_one(part, id, document);
        if part == Part::Filter {
            self.settle();
        }
    }

    /// As `set`, but leaves the nesting of filters to [`Self::settle`].
    pub(crate) fn set_one(&mut self, part: Part, id: &str, document: Option<&Value>) -> Slot {
        match part {
            Part::Condition => {
                let slot = self.conditions.slot(id);
                let entry = document.map(|document| self.read_condition(document));
                self.conditions.set(slot, entry);
                slot
            }
            Part::Filter => {
                let slot = self.filters.slot(id);
                let entry = document
                    .map(|document| ContentFilter::parse(document, &mut self.conditions, &mut self.filters));
                self.filters.set(slot, entry);
                slot
            }
            Part::Product => {
                let slot = self.products.slot(id);
                let entry = document.map(|document| Product::parse(document, &mut self.filters));
                self.products.set(slot, entry);
                slot
            }
            Part::Subscriber => {
                let slot = self.subscribers.slot(id);
                let entry = document
                    .map(|document| Subscriber::parse(document, &mut self.products, &mut self.filters));
                self.subscribers.set(slot, entry);
                slot
            }
        }
    }

    fn read_condition(&mut self, document: &Value) -> Condition {
        Condition::parse(document, &mut self.fields, &self.vocabularies, self.lender.as_ref())
    }

    /// Finds out anew which filters cannot be judged. That changes only for those that have changed or nest such.
    pub(crate) fn settle(&mut self) {
        self.nesting.settle(&self.filters);
    }

    /// Whether the filter leads into a circle, or is nested beyond bounds.
    pub(crate) fn is_tangled(&self, filter: Slot) -> bool {
        self.nesting.is_tangled(filter)
    }
}
