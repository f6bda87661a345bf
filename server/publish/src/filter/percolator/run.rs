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
    conditions: Vec<Mark>,
    filters: Vec<Option<Truth>>,
    /// Filters that are not false, whether they came up themselves or in another one; each once.
    matching: Vec<Slot>,
    /// Global filters that are not false, with what they said.
    blocking: Vec<(Slot, Truth)>,
    products: Vec<Truth>,
}

/// What is known of a condition.
#[derive(Clone, Copy)]
enum Mark {
    Nothing,
    /// The index has found it.
    Found,
    Judged(Truth),
}

pub(super) fn recipients(percolator: &Percolator, question: Question<'_>) -> Result<Answer, ItemFault> {
    let catalog = &percolator.catalog;
    let mut run = Run {
        percolator,
        question,
        view: View::new(&catalog.fields, question.item, question.now),
        targets: Targets::parse(question.item)?,
        conditions: vec![Mark::Nothing; catalog.conditions.len()],
        filters: vec![None; catalog.filters.len()],
        matching: Vec::new(),
        blocking: Vec::new(),
        products: vec![Truth::False; catalog.products.len()],
    };
    run.judge_filters();
    let subscribers = run.candidates();
    let mut answer = Answer::default();
    for slot in subscribers {
        answer.add(run.outcome(slot));
    }
    Ok(answer.sorted())
}

impl Run<'_> {
    /// Judges every filter that comes up.
    fn judge_filters(&mut self) {
        let percolator = self.percolator;
        let mut found: Vec<Slot> = Vec::new();
        let mut note = |condition: Slot| {
            if let Some(mark @ Mark::Nothing) = self.conditions.get_mut(condition as usize) {
                *mark = Mark::Found;
                found.push(condition);
            }
        };
        percolator.words.search(&self.view, &mut note);
        percolator.texts.search(&self.view, &mut note);
        percolator.areas.search(&self.view, &mut note);
        let keyed = found.iter().flat_map(|condition| percolator.keys.keyed_by(*condition));
        for slot in percolator.keys.always().iter().chain(keyed) {
            self.filter(*slot);
        }
        let global = percolator.keys.global().iter().map(|filter| (*filter, self.said(*filter)));
        self.blocking = global.filter(|(_, truth)| *truth != Truth::False).collect();
    }

    fn filter(&mut self, slot: Slot) -> Truth {
        if let Some(Some(known)) = self.filters.get(slot as usize) {
            return *known;
        }
        let truth = self.judge_filter(slot);
        if let Some(place) = self.filters.get_mut(slot as usize) {
            *place = Some(truth);
        }
        if truth != Truth::False {
            self.matching.push(slot);
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
        let mark = self.conditions.get(slot as usize).copied().unwrap_or(Mark::Nothing);
        let lead = self.percolator.leads.get(slot as usize).copied().unwrap_or_default();
        match (lead, mark) {
            (_, Mark::Judged(truth)) => truth,
            (Lead::Certain { negated }, _) => (matches!(mark, Mark::Found) != negated).into(),
            (Lead::Perhaps { negated }, Mark::Nothing) => negated.into(),
            (Lead::Perhaps { .. } | Lead::None, _) => {
                let condition = self.percolator.catalog.conditions.get(slot);
                let truth = condition.map_or(Truth::False, |condition| condition.judge(&self.view));
                if let Some(mark) = self.conditions.get_mut(slot as usize) {
                    *mark = Mark::Judged(truth);
                }
                truth
            }
        }
    }

    /// What a filter said; one that did not come up is false.
    fn said(&self, filter: Slot) -> Truth {
        self.filters.get(filter as usize).copied().flatten().unwrap_or(Truth::False)
    }

    /// Subscribers of which some product is not false, and those that are named.
    fn candidates(&mut self) -> Vec<Slot> {
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
        let permitted = self.matching.iter().flat_map(|filter| offers.permitting(*filter));
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
        for &(filter, truth) in &self.blocking {
            match truth {
                _ if subscriber.unblocked.contains(&filter) => {}
                Truth::True => return Decision::Blocked { by: filter },
                Truth::Unknown => _ = finding.broken_global.insert(filter),
                Truth::False => {}
            }
        }
        let accepting = |products: &[Slot], broken: &mut BTreeSet<Slot>| {
            let truth_of = |product| self.products.get(product as usize).copied().unwrap_or(Truth::False);
            catalog.accepting(products, truth_of, broken)
        };
        finding.products = accepting(&subscriber.products, &mut finding.broken);
        if self.question.content_api {
            finding.api_products = accepting(&subscriber.api_products, &mut finding.broken);
        }
        finding.settle()
    }
}
