//! Fences around devices: which pairs of devices are near each other.
//!
//! Grows with the pairs that are near, up to `PAIRS_MAX` for a fence; further pairs are not taken until others part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dateline_engine::DocId;

use crate::fence::{Fence, Place};

/// The most pairs one fence holds.
pub(crate) const PAIRS_MAX: usize = 1_000_000;

#[derive(Default)]
pub(crate) struct Roam {
    rules: BTreeMap<DocId, Rule>,
}

/// One fence and the pairs that are near each other by it.
pub(crate) struct Rule {
    pub(crate) fence: Arc<Fence>,
    /// Each pair both ways.
    partners: BTreeMap<DocId, BTreeSet<DocId>>,
    pairs: usize,
}

impl Rule {
    pub(crate) fn radius_m(&self) -> f64 {
        match &self.fence.place {
            Place::Roam { radius_m } => *radius_m,
            Place::Zone(_) => 0.0,
        }
    }

    pub(crate) fn partners(&self, device: &DocId) -> impl Iterator<Item = &DocId> {
        self.partners.get(device).into_iter().flatten()
    }

    pub(crate) fn is_pair(&self, a: &DocId, b: &DocId) -> bool {
        self.partners.get(a).is_some_and(|partners| partners.contains(b))
    }

    /// Each pair once, the lesser name first.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&DocId, &DocId)> {
        let all = self.partners.iter().flat_map(|(a, partners)| partners.iter().map(move |b| (a, b)));
        all.filter(|(a, b)| a < b)
    }

    /// False when there is no room for another pair.
    pub(crate) fn join(&mut self, a: &DocId, b: &DocId) -> bool {
        if self.pairs >= PAIRS_MAX || a == b {
            return false;
        }
        let added = self.partners.entry(a.clone()).or_default().insert(b.clone());
        self.partners.entry(b.clone()).or_default().insert(a.clone());
        self.pairs += usize::from(added);
        true
    }

    pub(crate) fn part(&mut self, a: &DocId, b: &DocId) {
        let mut found = false;
        for (one, other) in [(a, b), (b, a)] {
            if let Some(partners) = self.partners.get_mut(one) {
                found |= partners.remove(other);
                if partners.is_empty() {
                    self.partners.remove(one);
                }
            }
        }
        self.pairs -= usize::from(found);
    }
}

impl Roam {
    /// Begins with no pairs, in place of an earlier fence of this name.
    pub(crate) fn put(&mut self, id: &DocId, fence: Arc<Fence>) {
        self.rules.insert(id.clone(), Rule { fence, partners: BTreeMap::new(), pairs: 0 });
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Rule> {
        self.rules.remove(id)
    }

    pub(crate) fn get(&self, id: &DocId) -> Option<&Rule> {
        self.rules.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &DocId) -> Option<&mut Rule> {
        self.rules.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DocId, &Rule)> {
        self.rules.iter()
    }

    pub(crate) fn names(&self) -> Vec<DocId> {
        self.rules.keys().cloned().collect()
    }
}
