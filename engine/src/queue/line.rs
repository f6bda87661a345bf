//! A first-in first-out line of jobs, from which a member may also leave in the middle.
//!
//! Members stand in order of their turn. One that leaves in the middle becomes a hole; holes at the
//! ends are dropped at once and the others before they outnumber the members, so that leaving costs
//! a binary search and memory follows the number of members.
//! Invariant: neither end of the line is a hole.

use std::collections::VecDeque;

use crate::types::JobId;

const HOLES_MIN: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Line {
    /// `JobId::ZERO`, which no job has, marks a hole.
    places: VecDeque<(u64, JobId)>,
    holes: usize,
}

impl Line {
    /// Adds a member at the end. Turns must rise.
    pub(crate) fn push(&mut self, turn: u64, id: JobId) {
        debug_assert!(self.places.back().is_none_or(|(last, _)| *last < turn), "turns must rise");
        self.places.push_back((turn, id));
    }

    pub(crate) fn front(&self) -> Option<(u64, JobId)> {
        self.places.front().copied()
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, JobId)> {
        let first = self.places.pop_front();
        self.trim();
        first
    }

    /// Lets the member with this turn leave, wherever it stands.
    pub(crate) fn remove(&mut self, turn: u64) -> bool {
        let Ok(place) = self.places.binary_search_by_key(&turn, |(turn, _)| *turn) else {
            return false;
        };
        let Some((_, id)) = self.places.get_mut(place) else { return false };
        if *id == JobId::ZERO {
            return false;
        }
        *id = JobId::ZERO;
        self.holes += 1;
        self.trim();
        true
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, JobId)> {
        self.places.iter().copied().filter(|(_, id)| *id != JobId::ZERO)
    }

    fn trim(&mut self) {
        let is_hole = |place: Option<&(u64, JobId)>| place.is_some_and(|(_, id)| *id == JobId::ZERO);
        while is_hole(self.places.front()) {
            self.places.pop_front();
            self.holes -= 1;
        }
        while is_hole(self.places.back()) {
            self.places.pop_back();
            self.holes -= 1;
        }
        if self.holes > HOLES_MIN && self.holes * 2 > self.places.len() {
            self.places.retain(|(_, id)| *id != JobId::ZERO);
            self.holes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_an_ordered_set(ops in proptest::collection::vec((0..4_u8, 0..200_u64), 0..600)) {
            let mut line = Line::default();
            let mut model = std::collections::BTreeMap::new();
            let mut turn = 0;
            for (op, pick) in ops {
                match op {
                    0 | 1 => {
                        turn += 1;
                        line.push(turn, JobId::new(turn + 1_000));
                        model.insert(turn, JobId::new(turn + 1_000));
                    }
                    2 => prop_assert_eq!(line.pop(), model.pop_first()),
                    _ => prop_assert_eq!(line.remove(pick), model.remove(&pick).is_some()),
                }
                prop_assert_eq!(line.front(), model.first_key_value().map(|(turn, id)| (*turn, *id)));
                prop_assert_eq!(line.is_empty(), model.is_empty());
                prop_assert!(line.places.len() <= 2 * model.len() + 2 * HOLES_MIN + 1);
            }
            prop_assert!(line.iter().eq(model));
        }
    }
}
