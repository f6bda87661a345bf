//! Conditions by the whole values that they want.

use std::collections::HashMap;

use super::super::condition::Rule;
use super::super::slots::Slot;
use super::super::view::{FieldSlot, View};
use super::lead::Entry;
use super::without;

/// By field.
#[derive(Default)]
pub(super) struct Words {
    fields: HashMap<FieldSlot, FieldWords>,
}

#[derive(Default)]
struct FieldWords {
    members: HashMap<Box<str>, Vec<Slot>>,
    equal: HashMap<Box<str>, Vec<Slot>>,
}

impl Words {
    pub(super) fn enter(&mut self, slot: Slot, rule: &Rule) {
        match Entry::of(rule) {
            Some((Entry::Members(wanted), _)) => {
                let members = &mut self.fields.entry(rule.field).or_default().members;
                for text in wanted {
                    let slots = members.entry(text.clone()).or_default();
                    // A value may be written twice in one condition.
                    if slots.last() != Some(&slot) {
                        slots.push(slot);
                    }
                }
            }
            Some((Entry::Equal(text), _)) => {
                let equal = &mut self.fields.entry(rule.field).or_default().equal;
                equal.entry(text.into()).or_default().push(slot);
            }
            _ => {}
        }
    }

    pub(super) fn leave(&mut self, slot: Slot, rule: &Rule) {
        let Some(field) = self.fields.get_mut(&rule.field) else {
            return;
        };
        match Entry::of(rule) {
            Some((Entry::Members(wanted), _)) => {
                wanted.iter().for_each(|text| take(&mut field.members, text, slot));
            }
            Some((Entry::Equal(text), _)) => take(&mut field.equal, text, slot),
            _ => {}
        }
        if field.members.is_empty() && field.equal.is_empty() {
            self.fields.remove(&rule.field);
        }
    }

    /// Tells each condition of which the item has a value; some more than once.
    pub(super) fn search(&self, view: &View<'_>, mut found: impl FnMut(Slot)) {
        for (field, words) in &self.fields {
            let Some(value) = view.found(*field).filter(|value| !value.texts().is_empty()) else {
                continue;
            };
            if !words.members.is_empty() {
                let texts = value.texts().iter().filter_map(|text| words.members.get(text.lower()));
                texts.flatten().for_each(|slot| found(*slot));
            }
            if !words.equal.is_empty()
                && let Some(text) = value.scalar()
            {
                words.equal.get(text.normal()).into_iter().flatten().for_each(|slot| found(*slot));
            }
        }
    }
}

fn take(words: &mut HashMap<Box<str>, Vec<Slot>>, text: &str, slot: Slot) {
    if let Some(slots) = words.get_mut(text) {
        without(slots, slot);
        if slots.is_empty() {
            words.remove(text);
        }
    }
}
