//! The plain evaluator: asks every subscriber about everything, as the rules are told.
//!
//! It is what explanations come from and what the percolator is held against; so it keeps nothing between two
//! questions about the same item but the fields that were read, and finds out by itself what is true of filters,
//! products and subscribers. Both lean on the meaning of one condition, region or target and on what a [`Finding`] comes
//! to: the tests of the rules hold those.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Answer, Finding, Outcome, Question};
use super::catalog::Catalog;
use super::content::{ContentFilter, Statement};
use super::slots::Slot;
use super::subscriber::{Subscriber, TargetMedia};
use super::targets::{ItemFault, Standing, Targets};
use super::truth::Truth;
use super::view::View;

/// One item before the plain evaluator.
pub(crate) struct Plain<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) view: View<'a>,
    pub(crate) targets: Targets,
    pub(crate) question: Question<'a>,
}

/// Why a subscriber does not get an item, or that it does.
pub(crate) enum Decision {
    Inactive,
    WrongMedia,
    NotTargeted,
    Blocked { by: Slot },
    NoProduct,
    Broken(Finding),
    Taken(Finding),
}

impl<'a> Plain<'a> {
    /// # Errors
    /// When the targets of the item cannot be read.
    pub(crate) fn new(catalog: &'a Catalog, question: Question<'a>) -> Result<Self, ItemFault> {
        let targets = Targets::parse(question.item)?;
        let view = View::new(&catalog.fields, question.item, question.now);
        Ok(Self { catalog, view, targets, question })
    }

    pub(crate) fn decide(&self, slot: Slot, subscriber: &Subscriber) -> Decision {
        if !subscriber.is_active {
            return Decision::Inactive;
        }
        if !self.question.media.fits(&subscriber.kind) {
            return Decision::WrongMedia;
        }
        let standing = self.targets.standing(self.catalog.subscribers.id(slot), &subscriber.kind);
        if standing == Standing::Excluded {
            return Decision::NotTargeted;
        }
        let mut finding = Finding { is_named: standing == Standing::Named, ..Finding::default() };
        for (filter, content) in self.catalog.filters.iter() {
            if content.is_global && !subscriber.unblocked.contains(&filter) {
                match self.filter(Some(filter)) {
                    Truth::True => return Decision::Blocked { by: filter },
                    Truth::Unknown => _ = finding.broken_global.insert(filter),
                    Truth::False => {}
                }
            }
        }
        let accepting = |products: &[Slot], broken: &mut BTreeSet<Slot>| {
            self.catalog.accepting(products, |product| self.product(product), broken)
        };
        finding.products = accepting(&subscriber.products, &mut finding.broken);
        if self.question.content_api {
            finding.api_products = accepting(&subscriber.api_products, &mut finding.broken);
        }
        finding.settle()
    }

    /// A product that is not there is no product.
    pub(crate) fn product(&self, slot: Slot) -> Truth {
        let Some(product) = self.catalog.products.get(slot) else {
            return Truth::False;
        };
        if !product.fits(&self.targets) {
            return Truth::False;
        }
        product.accepts(self.filter(product.filter))
    }

    /// No filter, and one that is not there, match.
    pub(crate) fn filter(&self, slot: Option<Slot>) -> Truth {
        let Some(slot) = slot else {
            return Truth::True;
        };
        let Some(filter) = self.catalog.filters.get(slot) else {
            return Truth::True;
        };
        if self.catalog.is_tangled(slot) {
            return Truth::Unknown;
        }
        Truth::any(filter.statements.iter().map(|statement| self.statement(statement)))
    }

    pub(crate) fn statement(&self, statement: &Statement) -> Truth {
        if statement.is_empty() {
            return Truth::Unknown;
        }
        let conditions = statement.conditions.iter().map(|condition| self.condition(*condition));
        Truth::all(conditions.chain(statement.filters.iter().map(|filter| self.filter(Some(*filter)))))
    }

    /// A condition that is not there does not match.
    pub(crate) fn condition(&self, slot: Slot) -> Truth {
        self.catalog.conditions.get(slot).map_or(Truth::False, |condition| condition.judge(&self.view))
    }
}

impl Finding {
    /// A broken global filter stands in the way of what products want; a broken product only if no other wants it.
    pub(crate) fn settle(self) -> Decision {
        let is_wanted = self.is_named || !self.products.is_empty() || !self.api_products.is_empty();
        let broken = if is_wanted { &self.broken_global } else { &self.broken };
        match (broken.is_empty(), is_wanted) {
            (false, _) => Decision::Broken(self),
            (true, true) => Decision::Taken(self),
            (true, false) => Decision::NoProduct,
        }
    }
}

impl Catalog {
    /// Who gets the item, by asking everybody.
    ///
    /// # Errors
    /// When the item cannot be given to anybody.
    pub fn recipients(&self, question: Question<'_>) -> Result<Answer, ItemFault> {
        let plain = Plain::new(self, question)?;
        let mut answer = Answer::default();
        for (slot, subscriber) in self.subscribers.iter() {
            answer.add(self.outcome(slot, subscriber, plain.decide(slot, subscriber)));
        }
        Ok(answer.sorted())
    }

    pub(crate) fn outcome(&self, slot: Slot, subscriber: &Subscriber, decision: Decision) -> Outcome {
        match decision {
            Decision::Taken(finding) => Outcome::Taken(self.taken(slot, subscriber, &finding)),
            Decision::Broken(finding) => Outcome::Undecided(self.undecided(slot, &finding)),
            _ => Outcome::Refused,
        }
    }

    /// Whether the content filter of that id matches; one that is not there does.
    #[must_use]
    pub fn matches(&self, filter: &str, item: &Value, now: Timestamp) -> Truth {
        self.plainly(item, now).filter(self.filters.find(filter))
    }

    /// Whether a filter keeps the item out of the content API (`api_block`).
    #[must_use]
    pub fn blocks_api(&self, item: &Value, now: Timestamp) -> Truth {
        self.some_filter(item, now, |filter| filter.is_api_block)
    }

    /// Whether a filter keeps the item out of the text archive when it expires (`is_archived_filter`).
    #[must_use]
    pub fn blocks_archive(&self, item: &Value, now: Timestamp) -> Truth {
        self.some_filter(item, now, |filter| filter.is_archived)
    }

    fn some_filter(&self, item: &Value, now: Timestamp, is_meant: impl Fn(&ContentFilter) -> bool) -> Truth {
        let plain = self.plainly(item, now);
        let meant = self.filters.iter().filter(|(_, filter)| is_meant(filter));
        Truth::any(meant.map(|(slot, _)| plain.filter(Some(slot))))
    }

    fn plainly<'a>(&'a self, item: &'a Value, now: Timestamp) -> Plain<'a> {
        let question = Question { item, now, media: TargetMedia::Any, content_api: false };
        let view = View::new(&self.fields, item, now);
        Plain { catalog: self, view, targets: Targets::default(), question }
    }
}
