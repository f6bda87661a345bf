//! Which filters cannot be judged because of how they are nested.
//!
//! A filter that leads into a circle, is nested too deep, or would cost too much if everything nested in it were written
//! out, is tangled. What is left needs no guard: judging it ends, within bounds known here.

use super::content::ContentFilter;
use super::slots::{Slot, Slots};

/// Levels of filters within filters.
pub(crate) const DEPTH_MAX: u32 = 32;
/// Conditions of a filter with all that is nested in it written out.
pub(crate) const WEIGHT_MAX: u64 = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Nesting {
    /// By filter; none for what leads into a circle.
    sizes: Vec<Option<Size>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    depth: u32,
    weight: u64,
}

impl Size {
    /// The size of a filter; none when one of the nested has none.
    fn of(conditions: u64, mut nested: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        nested.try_fold(Self { depth: 0, weight: conditions }, |own, inner| {
            let Self { depth, weight } = inner?;
            Some(Self {
                depth: own.depth.max(depth.saturating_add(1)),
                // Each nested filter costs itself even if it has nothing.
                weight: own.weight.saturating_add(weight).saturating_add(1),
            })
        })
    }
}

fn is_within_bounds(size: Option<Size>) -> bool {
    size.is_some_and(|size| size.depth <= DEPTH_MAX && size.weight <= WEIGHT_MAX)
}

impl Nesting {
    pub(crate) fn is_tangled(&self, filter: Slot) -> bool {
        self.sizes.get(filter as usize).is_some_and(|size| !is_within_bounds(*size))
    }

    /// Recomputes everything.
    pub(crate) fn settle(&mut self, filters: &Slots<ContentFilter>) {
        self.sizes = sizes(filters, None);
    }

    /// The size of a filter that leads into no circle by itself; none if it would be tangled. What is not there is
    /// nested as if it were empty.
    pub(crate) fn size(&self, conditions: u64, nested: impl Iterator<Item = Option<Slot>>) -> Option<Size> {
        let of = |slot: Slot| self.sizes.get(slot as usize).copied().unwrap_or(Some(Size::default()));
        let size = Size::of(conditions, nested.map(|slot| slot.map_or(Some(Size::default()), of)));
        size.filter(|size| is_within_bounds(Some(*size)))
    }

    /// A filter that would be tangled, and is not, if the one in `slot` had that size.
    pub(crate) fn newly_tangled(
        &self,
        filters: &Slots<ContentFilter>,
        slot: Slot,
        size: Size,
    ) -> Option<Slot> {
        let then = Self { sizes: sizes(filters, Some((slot, size))) };
        (0..).take(then.sizes.len()).find(|other| then.is_tangled(*other) && !self.is_tangled(*other))
    }
}

/// The size of each filter, from those that nest nothing upwards; none for what leads into a circle. One of them may be
/// given.
fn sizes(filters: &Slots<ContentFilter>, given: Option<(Slot, Size)>) -> Vec<Option<Size>> {
    let count = filters.len();
    let mut waiting_for = vec![0_u32; count];
    let mut nested_in: Vec<Vec<Slot>> = vec![Vec::new(); count];
    let is_given = |slot: Slot| given.is_some_and(|(given, _)| given == slot);
    for (slot, filter) in filters.iter().filter(|(slot, _)| !is_given(*slot)) {
        for inner in filter.nested() {
            if let (Some(waiting), Some(outer)) =
                (waiting_for.get_mut(slot as usize), nested_in.get_mut(inner as usize))
            {
                *waiting += 1;
                outer.push(slot);
            }
        }
    }
    let mut sizes: Vec<Option<Size>> = vec![None; count];
    let mut ready: Vec<Slot> =
        (0..).zip(&waiting_for).filter(|(_, waiting)| **waiting == 0).map(|(slot, _)| slot).collect();
    while let Some(slot) = ready.pop() {
        let of_nested = |inner: Slot| sizes.get(inner as usize).copied().flatten();
        let size = match (given, filters.get(slot)) {
            (Some((given, size)), _) if given == slot => Some(size),
            (_, Some(filter)) => Size::of(filter.conditions().count() as u64, filter.nested().map(of_nested)),
            (_, None) => Some(Size::default()),
        };
        if let Some(place) = sizes.get_mut(slot as usize) {
            *place = size;
        }
        for outer in nested_in.get(slot as usize).into_iter().flatten() {
            if let Some(waiting) = waiting_for.get_mut(*outer as usize) {
                *waiting -= 1;
                if *waiting == 0 {
                    ready.push(*outer);
                }
            }
        }
    }
    sizes
}
