//! Conditions by the texts that they look for within a field.

use std::collections::{BTreeMap, HashMap};

use aho_corasick::AhoCorasick;

use super::super::condition::Rule;
use super::super::pattern::Anchor;
use super::super::slots::Slot;
use super::super::view::{FieldSlot, View};
use super::lead::Entry;

/// By field.
#[derive(Default)]
pub(super) struct Texts {
    fields: HashMap<FieldSlot, FieldTexts>,
}

#[derive(Default)]
struct FieldTexts {
    /// Folded text to the conditions that look for it.
    wanted: BTreeMap<Box<str>, Vec<Seeker>>,
    /// `None` while it is not up to date.
    compiled: Option<Compiled>,
}

#[derive(Clone, Copy, PartialEq)]
struct Seeker {
    condition: Slot,
    anchor: Anchor,
}

/// Conditions by the number of the text in the automaton.
struct Compiled {
    automaton: AhoCorasick,
    seekers: Vec<Vec<Seeker>>,
}

impl Texts {
    pub(super) fn enter(&mut self, slot: Slot, rule: &Rule) {
        each_text(rule, |text, anchor| {
            let field = self.fields.entry(rule.field).or_default();
            field.wanted.entry(text.into()).or_default().push(Seeker { condition: slot, anchor });
            field.compiled = None;
        });
    }

    pub(super) fn leave(&mut self, slot: Slot, rule: &Rule) {
        each_text(rule, |text, _| {
            if let Some(field) = self.fields.get_mut(&rule.field)
                && let Some(seekers) = field.wanted.get_mut(text)
            {
                seekers.retain(|seeker| seeker.condition != slot);
                if seekers.is_empty() {
                    field.wanted.remove(text);
                }
                field.compiled = None;
            }
        });
    }

    /// Compiles the fields of which a text has changed.
    pub(super) fn refresh(&mut self) {
        self.fields.retain(|_, field| !field.wanted.is_empty());
        for field in self.fields.values_mut().filter(|field| field.compiled.is_none()) {
            // It fails only beyond 2^31 states; the texts are then looked for one by one.
            field.compiled = AhoCorasick::new(field.wanted.keys().map(|text| text.as_bytes()))
                .ok()
                .map(|automaton| Compiled { automaton, seekers: field.wanted.values().cloned().collect() });
        }
    }

    /// Tells each condition of which the text is there, in its place; some more than once.
    pub(super) fn search(&self, view: &View<'_>, mut found: impl FnMut(Slot)) {
        for (field, texts) in &self.fields {
            let Some(text) = view.found(*field).and_then(|value| value.scalar()) else {
                continue;
            };
            texts.search(text.folded(), &mut found);
        }
    }
}

impl FieldTexts {
    fn search(&self, text: &str, found: &mut impl FnMut(Slot)) {
        let mut tell = |seekers: &[Seeker], start: usize, end: usize| {
            let in_place = seekers.iter().filter(|seeker| seeker.anchor.holds(start, end, text.len()));
            in_place.for_each(|seeker| found(seeker.condition));
        };
        if let Some(Compiled { automaton, seekers }) = &self.compiled {
            for hit in automaton.find_overlapping_iter(text) {
                let seekers = seekers.get(hit.pattern().as_usize()).map_or(&[][..], Vec::as_slice);
                tell(seekers, hit.start(), hit.end());
            }
            return;
        }
        for (wanted, seekers) in &self.wanted {
            for (start, _) in text.char_indices() {
                if text.get(start..).is_some_and(|rest| rest.starts_with(&**wanted)) {
                    tell(seekers, start, start + wanted.len());
                }
            }
        }
    }
}

fn each_text(rule: &Rule, mut tell: impl FnMut(&str, Anchor)) {
    match Entry::of(rule) {
        Some((Entry::Found(text, anchor), _)) => tell(text, anchor),
        Some((Entry::Hints(texts), _)) => {
            texts.iter().for_each(|text| tell(text, Anchor::Anywhere));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::field::{Field, Source, ValueKind};
    use super::super::super::view::Fields;
    use super::*;

    #[test]
    fn texts_are_found_with_and_without_an_automaton() {
        let wanted =
            [("aa", Anchor::Anywhere), ("aa", Anchor::End), ("a", Anchor::Start), ("ß", Anchor::End)];
        let mut texts = Texts::default();
        let slot = Fields::default().slot(Field { source: Source::Item, kind: ValueKind::Text });
        let field = texts.fields.entry(slot).or_default();
        for (condition, (text, anchor)) in (0..).zip(wanted) {
            field.wanted.entry(text.into()).or_default().push(Seeker { condition, anchor });
        }
        let check = |field: &FieldTexts, text: &str, expected: &[Slot]| {
            let mut found = Vec::new();
            field.search(text, &mut |condition| found.push(condition));
            found.sort_unstable();
            assert_eq!(found, expected, "{text:?}");
        };
        let all = |field: &FieldTexts| {
            check(field, "aaab", &[0, 0, 2]);
            check(field, "ßaaa", &[0, 0, 1]);
            check(field, "aß", &[2, 3]);
            check(field, "", &[]);
        };
        all(field);
        texts.refresh();
        let field = &texts.fields[&slot];
        assert!(field.compiled.is_some());
        all(field);
    }
}
