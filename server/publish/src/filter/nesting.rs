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
    tangled: Vec<bool>,
}

#[derive(Clone, Copy)]
struct Size {
    depth: u32,
    weight: u64,
}

impl Nesting {
    pub(crate) fn is_tangled(&self, filter: Slot) -> bool {
        self.tangled.get(filter as usize).copied().unwrap_or(false)
    }

    /// Recomputes everything; returns the filters of which the verdict has changed.
    pub(crate) fn settle(&mut self, filters: &Slots<ContentFilter>) -> Vec<Slot> {
        let sizes = sizes(filters);
        let fits = |size: &Option<Size>| {
            size.is_some_and(|size| size.depth <= DEPTH_MAX && size.weight <= WEIGHT_MAX)
        };
        let tangled: Vec<bool> = sizes.iter().map(|size| !fits(size)).collect();
        let before = |slot: Slot| self.is_tangled(slot);
        let changed = (0..).zip(&tangled).filter(|(slot, now)| before(*slot) != **now);
        let changed = changed.map(|(slot, _)| slot).collect();
        self.tangled = tangled;
        changed
    }
}

/// The size of each filter, from those that nest nothing upwards; none for what leads into a circle.
fn sizes(filters: &Slots<ContentFilter>) -> Vec<Option<Size>> {
    let count = filters.len();
    let mut waiting_for = vec![0_u32; count];
    let mut nested_in: Vec<Vec<Slot>> = vec![Vec::new(); count];
    for (slot, filter) in filters.iter() {
        for inner in filter.nested() {
            if let (Some(waiting), Some(outer)) =
                (waiting_for.get_mut(slot as usize), nested_in.get_mut(inner as usize))
            {
                *waiting += 1;
                outer.push(slot);
            }
        }
    }
    let mut sizes = vec![None; count];
    let mut ready: Vec<Slot> =
        (0..).zip(&waiting_for).filter(|(_, waiting)| **waiting == 0).map(|(slot, _)| slot).collect();
    while let Some(slot) = ready.pop() {
        let size = filters.get(slot).map_or(Size { depth: 0, weight: 0 }, |filter| size_of(filter, &sizes));
        if let Some(place) = sizes.get_mut(slot as usize) {
            *place = Some(size);
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

fn size_of(filter: &ContentFilter, sizes: &[Option<Size>]) -> Size {
    let nested = || filter.nested().filter_map(|inner| sizes.get(inner as usize).copied().flatten());
    let own = filter.conditions().count() as u64;
    Size {
        depth: nested().map(|size| size.depth).max().map_or(0, |depth| depth.saturating_add(1)),
        // Each nested filter costs itself even if it has nothing.
        weight: nested().fold(own, |sum, size| sum.saturating_add(size.weight).saturating_add(1)),
    }
}
