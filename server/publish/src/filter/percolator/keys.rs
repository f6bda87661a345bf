//! Which conditions bring a filter up.
//!
//! Each statement is keyed by the cheapest thing that must hold for it to hold: one of its conditions, or the keys of
//! one of its filters. A filter has the keys of its statements; one with a statement without a key comes up always.

use std::collections::BTreeSet;

use super::super::catalog::Catalog;
use super::super::condition::Condition;
use super::super::content::Statement;
use super::super::field::Source;
use super::super::slots::Slot;
use super::lead::{Entry, Lead};
use super::{areas, at, without};

/// The key of a filter.
#[derive(Debug, PartialEq)]
enum Key {
    Always,
    /// One of these conditions must hold; of none, it never does.
    On(BTreeSet<Slot>),
}

impl Default for Key {
    fn default() -> Self {
        Self::On(BTreeSet::new())
    }
}

#[derive(Default)]
pub(super) struct Keys {
    keys: Vec<Key>,
    /// By condition: the filters it brings up.
    keyed: Vec<Vec<Slot>>,
    always: Vec<Slot>,
    global: Vec<Slot>,
    /// By condition: the filters that name it.
    condition_users: Vec<Vec<Slot>>,
    /// By filter: the filters that nest it.
    filter_users: Vec<Vec<Slot>>,
}

impl Keys {
    /// Filters that come up with every item.
    pub(super) fn always(&self) -> &[Slot] {
        &self.always
    }

    /// Filters that come up with a condition.
    pub(super) fn keyed_by(&self, condition: Slot) -> &[Slot] {
        self.keyed.get(condition as usize).map_or(&[], Vec::as_slice)
    }

    /// Global filters.
    pub(super) fn global(&self) -> &[Slot] {
        &self.global
    }

    pub(super) fn users_of_condition(&self, condition: Slot) -> Vec<Slot> {
        self.condition_users.get(condition as usize).cloned().unwrap_or_default()
    }

    /// Enters what the filter of the catalog refers to.
    pub(super) fn enter(&mut self, catalog: &Catalog, slot: Slot) {
        let Some(filter) = catalog.filters.get(slot) else {
            return;
        };
        let push = |users: Option<&mut Vec<Slot>>| {
            users.filter(|users| !users.contains(&slot)).into_iter().for_each(|users| users.push(slot));
        };
        filter.conditions().for_each(|condition| push(at(&mut self.condition_users, condition)));
        filter.nested().for_each(|inner| push(at(&mut self.filter_users, inner)));
        if filter.is_global {
            self.global.push(slot);
        }
    }

    /// Takes out what `enter` put in; the catalog still holds the same filter.
    pub(super) fn leave(&mut self, catalog: &Catalog, slot: Slot) {
        let Some(filter) = catalog.filters.get(slot) else {
            return;
        };
        let take = |users: Option<&mut Vec<Slot>>| users.into_iter().for_each(|users| without(users, slot));
        filter.conditions().for_each(|condition| take(self.condition_users.get_mut(condition as usize)));
        filter.nested().for_each(|inner| take(self.filter_users.get_mut(inner as usize)));
        without(&mut self.global, slot);
    }

    /// Finds the keys of these filters anew, and of all that nest them.
    pub(super) fn renew(
        &mut self,
        catalog: &Catalog,
        leads: &[Lead],
        filters: impl IntoIterator<Item = Slot>,
    ) {
        let mut seen: BTreeSet<Slot> = filters.into_iter().collect();
        let mut waiting: Vec<Slot> = seen.iter().copied().collect();
        while let Some(slot) = waiting.pop() {
            let outer = self.filter_users.get(slot as usize).into_iter().flatten().copied();
            waiting.extend(outer.filter(|outer| seen.insert(*outer)));
            let chooser = Chooser { catalog, leads };
            self.put(slot, chooser.key(slot).map_or(Key::Always, |(key, _)| Key::On(key)));
        }
    }

    fn put(&mut self, slot: Slot, key: Key) {
        let Some(place) = at(&mut self.keys, slot) else {
            return;
        };
        if *place == key {
            return;
        }
        match std::mem::take(place) {
            Key::Always => without(&mut self.always, slot),
            Key::On(conditions) => {
                for condition in conditions {
                    self.keyed.get_mut(condition as usize).into_iter().for_each(|keyed| without(keyed, slot));
                }
            }
        }
        match &key {
            Key::Always => self.always.push(slot),
            Key::On(conditions) => {
                for condition in conditions {
                    at(&mut self.keyed, *condition).into_iter().for_each(|keyed| keyed.push(slot));
                }
            }
        }
        *place = key;
    }
}

struct Chooser<'a> {
    catalog: &'a Catalog,
    leads: &'a [Lead],
}

impl Chooser<'_> {
    /// Conditions of which one must hold for the filter to be anything but false, and what they cost; `None` when
    /// there are no such. Ends because the filter is not tangled.
    fn key(&self, slot: Slot) -> Option<(BTreeSet<Slot>, u32)> {
        let filter = self.catalog.filters.get(slot).filter(|_| !self.catalog.is_tangled(slot))?;
        let mut all = (BTreeSet::new(), 0_u32);
        for statement in &filter.statements {
            let (key, cost) = self.of_statement(statement)?;
            all.0.extend(key);
            all.1 = all.1.saturating_add(cost);
        }
        Some(all)
    }

    fn of_statement(&self, statement: &Statement) -> Option<(BTreeSet<Slot>, u32)> {
        let is_missing = |condition: &Slot| self.catalog.conditions.get(*condition).is_none();
        if statement.conditions.iter().any(is_missing) {
            return Some((BTreeSet::new(), 0));
        }
        let conditions = statement.conditions.iter().filter_map(|condition| {
            let lead = self.leads.get(*condition as usize).copied().unwrap_or_default();
            let cost = cost(self.catalog, self.catalog.conditions.get(*condition)?);
            lead.is_key().then(|| (BTreeSet::from([*condition]), cost))
        });
        let filters = statement.filters.iter().filter_map(|filter| self.key(*filter));
        conditions.chain(filters).min_by_key(|(_, cost)| *cost)
    }
}

/// How often a condition is thought to hold, in thousandths of all items. A bad guess costs time only.
fn cost(catalog: &Catalog, condition: &Condition) -> u32 {
    const ALWAYS: u32 = 1_000;
    let Ok(rule) = &condition.rule else {
        return ALWAYS;
    };
    let source = catalog.fields.get(rule.field).map(|field| &field.source);
    let of_value = match source {
        Some(Source::Key("slugline" | "headline" | "ednote" | "body_html") | Source::Extra(_)) => 1,
        Some(Source::Key("keywords") | Source::FeatureMedia) => 3,
        Some(Source::Codes("subject" | "place") | Source::Scheme(_)) => 10,
        Some(Source::Key("source" | "ingest_provider" | "profile") | Source::Task(_)) => 50,
        Some(Source::Codes(_)) => 100,
        _ => 300,
    };
    let is_long = matches!(source, Some(Source::Key("body_html") | Source::Extra(_)));
    // A text is rarer the longer it is, and is found more often in a longer one.
    let of_text = |text: &str| {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).max(1);
        (if is_long { ALWAYS } else { ALWAYS / 5 }) / length.saturating_mul(length).max(1)
    };
    let cost = match Entry::of(rule) {
        Some((Entry::Members(wanted), _)) => {
            of_value * u32::try_from(wanted.len()).unwrap_or(ALWAYS).min(ALWAYS)
        }
        Some((Entry::Equal(_), _)) => of_value,
        Some((Entry::Found(text, _), _)) => of_text(text),
        Some((Entry::Hints(texts), _)) => texts.iter().map(|text| of_text(text)).sum(),
        Some((Entry::Area(bounds), _)) => areas::count(bounds).saturating_mul(2),
        None => ALWAYS,
    };
    cost.clamp(1, ALWAYS)
}
