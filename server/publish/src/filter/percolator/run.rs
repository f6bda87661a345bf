//! One item through the index.

use std::collections::BTreeSet;

use super::super::answer::{Answer, Finding, Outcome, Question};
use super::super::plain::Decision;
use super::super::slots::Slot;
use super::super::subscriber::Subscriber;
use super::super::targets::{ItemFault, Standing, Targets};
use super::super::truth::Truth;
use super::super::view::View;
use super::Percolator;
use super::lead::Lead;

/// What is known so far, by slot.
struct Run<'a> {
    percolator: &'a Percolator,
    question: Question<'a>,
    view: View<'a>,
    targets: Targets,
    is_found: Vec<bool>,
    conditions: Vec<Option<Truth>>,
    filters: Vec<Option<Truth>>,
    products: Vec<Truth>,
}

pub(super) fn recipients(percolator: &Percolator, question: Question<'_>) -> Result<Answer, ItemFault> {
    let catalog = &percolator.catalog;
    let mut run = Run {
        percolator,
        question,
        view: View::new(&catalog.fields, question.item, question.now),
        targets: Targets::parse(question.item)?,
        is_found: vec![false; catalog.conditions.len()],
        conditions: vec![None; catalog.conditions.len()],
        filters: vec![None; catalog.filters.len()],
        products: vec![Truth::False; catalog.products.len()],
    };
    let matching = run.filters();
    let subscribers = run.candidates(&matching);
    let mut answer = Answer::default();
    for slot in subscribers {
        answer.add(run.outcome(slot));
    }
    Ok(answer.sorted())
}

impl Run<'_> {
    /// Judges every filter that comes up; returns those that are not false.
    fn filters(&mut self) -> Vec<Slot> {
        let percolator = self.percolator;
        let mut found: Vec<Slot> = Vec::new();
        let mut note = |condition: Slot| {
            if let Some(is_found) = self.is_found.get_mut(condition as usize)
                && !std::mem::replace(is_found, true)
            {
                found.push(condition);
            }
        };
        percolator.words.search(&self.view, &mut note);
        percolator.texts.search(&self.view, &mut note);
        percolator.areas.search(&self.view, &mut note);
        let keyed = found.iter().flat_map(|condition| percolator.keys.keyed_by(*condition));
        let mut matching = Vec::new();
        for slot in percolator.keys.always().iter().chain(keyed) {
            if self.filters.get(*slot as usize).is_some_and(Option::is_none)
                && self.filter(*slot) != Truth::False
            {
                matching.push(*slot);
            }
        }
        matching
    }

    fn filter(&mut self, slot: Slot) -> Truth {
        if let Some(Some(known)) = self.filters.get(slot as usize) {
            return *known;
        }
        let truth = self.judge_filter(slot);
        if let Some(place) = self.filters.get_mut(slot as usize) {
            *place = Some(truth);
        }
        truth
    }

    fn judge_filter(&mut self, slot: Slot) -> Truth {
        let catalog = &self.percolator.catalog;
        let Some(filter) = catalog.filters.get(slot) else {
            return Truth::True;
        };
        if catalog.is_tangled(slot) {
            return Truth::Unknown;
        }
        Truth::any(filter.statements.iter().map(|statement| {
            if statement.is_empty() {
                return Truth::Unknown;
            }
            let conditions = Truth::all(statement.conditions.iter().map(|slot| self.condition(*slot)));
            if conditions == Truth::False {
                return Truth::False;
            }
            conditions.min(Truth::all(statement.filters.iter().map(|slot| self.filter(*slot))))
        }))
    }

    fn condition(&mut self, slot: Slot) -> Truth {
        let is_found = self.is_found.get(slot as usize).copied().unwrap_or(false);
        match self.percolator.leads.get(slot as usize).copied().unwrap_or_default() {
            Lead::Certain { negated } => (is_found != negated).into(),
            Lead::Perhaps { negated } if !is_found => negated.into(),
            Lead::Perhaps { .. } | Lead::None => self.judge_condition(slot),
        }
    }

    fn judge_condition(&mut self, slot: Slot) -> Truth {
        let Some(condition) = self.percolator.catalog.conditions.get(slot) else {
            return Truth::False;
        };
        match self.conditions.get_mut(slot as usize) {
            Some(known) => *known.get_or_insert_with(|| condition.judge(&self.view)),
            None => condition.judge(&self.view),
        }
    }

    /// What a filter said; one that did not come up is false.
    fn said(&self, filter: Slot) -> Truth {
        self.filters.get(filter as usize).copied().flatten().unwrap_or(Truth::False)
    }

    /// Subscribers of which some product is not false, and those that are named.
    fn candidates(&mut self, matching: &[Slot]) -> Vec<Slot> {
        let percolator = self.percolator;
        let (catalog, offers) = (&percolator.catalog, &percolator.offers);
        let mut seen = vec![false; catalog.subscribers.len()];
        let mut candidates = Vec::new();
        let mut add = |subscriber: Slot| {
            if let Some(seen) = seen.get_mut(subscriber as usize)
                && !std::mem::replace(seen, true)
            {
                candidates.push(subscriber);
            }
        };
        let permitted = matching.iter().flat_map(|filter| offers.permitting(*filter));
        for slot in offers.open().iter().chain(permitted) {
            let Some(product) = catalog.products.get(*slot).filter(|product| product.fits(&self.targets))
            else {
                continue;
            };
            let truth = product.accepts(product.filter.map_or(Truth::True, |filter| self.said(filter)));
            if truth == Truth::False {
                continue;
            }
            if let Some(place) = self.products.get_mut(*slot as usize) {
                *place = truth;
            }
            offers.holders(*slot).iter().for_each(|subscriber| add(*subscriber));
            if self.question.content_api {
                offers.api_holders(*slot).iter().for_each(|subscriber| add(*subscriber));
            }
        }
        self.targets.subscribers.iter().filter_map(|id| catalog.subscribers.find(id)).for_each(add);
        candidates
    }

    fn outcome(&self, slot: Slot) -> Outcome {
        let catalog = &self.percolator.catalog;
        let Some(subscriber) = catalog.subscribers.get(slot) else {
            return Outcome::Refused;
        };
        catalog.outcome(slot, subscriber, self.decide(slot, subscriber))
    }

    fn decide(&self, slot: Slot, subscriber: &Subscriber) -> Decision {
        let catalog = &self.percolator.catalog;
        if !subscriber.is_active {
            return Decision::Inactive;
        }
        if !self.question.media.fits(&subscriber.kind) {
            return Decision::WrongMedia;
        }
        let standing = self.targets.standing(catalog.subscribers.id(slot), &subscriber.kind);
        if standing == Standing::Excluded {
            return Decision::NotTargeted;
        }
        let mut finding = Finding { is_named: standing == Standing::Named, ..Finding::default() };
        for &filter in self.percolator.keys.global() {
            match self.said(filter) {
                Truth::False => {}
                _ if subscriber.unblocked.contains(&filter) => {}
                Truth::True => return Decision::Blocked { by: filter },
                Truth::Unknown => _ = finding.broken_global.insert(filter),
            }
        }
        finding.products = self.accepting(&subscriber.products, &mut finding.broken);
        if self.question.content_api {
            finding.api_products = self.accepting(&subscriber.api_products, &mut finding.broken);
        }
        finding.settle()
    }

    fn accepting(&self, products: &[Slot], broken: &mut BTreeSet<Slot>) -> Vec<Slot> {
        let mut accepting = Vec::new();
        for &product in products {
            match self.products.get(product as usize) {
                Some(Truth::True) => accepting.push(product),
                Some(Truth::Unknown) => {
                    broken.extend(self.percolator.catalog.products.get(product).and_then(|own| own.filter));
                }
                _ => {}
            }
        }
        accepting
    }
}
