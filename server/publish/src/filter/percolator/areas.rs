//! Conditions by the part of the earth that they ask for.

use std::collections::HashMap;

use super::super::condition::Rule;
use super::super::lender::Bounds;
use super::super::place::Place;
use super::super::slots::Slot;
use super::super::view::View;
use super::lead::Entry;
use super::without;

/// Side of a cell, in degrees.
const CELL: f64 = 2.0;
/// An area of more cells is not worth an entry in each.
const CELLS_MAX: u32 = 400;
/// Tests may round a place by less than this, in degrees.
const SLACK: f64 = 1e-6;

/// Column and row.
type Cell = (u16, u16);

/// By cell.
#[derive(Default)]
pub(super) struct Areas {
    cells: HashMap<Cell, Vec<Slot>>,
}

impl Areas {
    pub(super) fn enter(&mut self, slot: Slot, rule: &Rule) {
        if let Some((Entry::Area(bounds), _)) = Entry::of(rule) {
            cells(bounds).for_each(|cell| self.cells.entry(cell).or_default().push(slot));
        }
    }

    pub(super) fn leave(&mut self, slot: Slot, rule: &Rule) {
        if let Some((Entry::Area(bounds), _)) = Entry::of(rule) {
            for cell in cells(bounds) {
                if let Some(slots) = self.cells.get_mut(&cell) {
                    without(slots, slot);
                    if slots.is_empty() {
                        self.cells.remove(&cell);
                    }
                }
            }
        }
    }

    /// Tells each condition whose area may hold a place of the item; some more than once.
    pub(super) fn search(&self, view: &View<'_>, mut found: impl FnMut(Slot)) {
        if self.cells.is_empty() {
            return;
        }
        for Place { lon, lat } in view.places() {
            // The meridian of 180 degrees has two names.
            let other = (lon.abs() >= 180.0 - SLACK).then_some(-lon);
            for lon in std::iter::once(*lon).chain(other) {
                let cell = (column(lon), row(*lat));
                self.cells.get(&cell).into_iter().flatten().for_each(|slot| found(*slot));
            }
        }
    }
}

/// Whether the area is worth entering.
pub(super) fn is_small(bounds: Bounds) -> bool {
    count(bounds) <= CELLS_MAX
}

/// How many cells an area has.
pub(super) fn count(bounds: Bounds) -> u32 {
    let side = |from: u16, to: u16| u32::from(to.saturating_sub(from)) + 1;
    let columns = side(column(bounds.west - SLACK), column(bounds.east + SLACK));
    columns * side(row(bounds.south - SLACK), row(bounds.north + SLACK))
}

fn cells(bounds: Bounds) -> impl Iterator<Item = Cell> {
    let rows = row(bounds.south - SLACK)..=row(bounds.north + SLACK);
    let columns = column(bounds.west - SLACK)..=column(bounds.east + SLACK);
    columns.flat_map(move |column| rows.clone().map(move |row| (column, row)))
}

/// Never falls where the longitude rises, so what is between two longitudes is between their columns.
fn column(lon: f64) -> u16 {
    ((lon + 180.0) / CELL).clamp(0.0, 360.0 / CELL) as u16
}

fn row(lat: f64) -> u16 {
    ((lat + 90.0) / CELL).clamp(0.0, 180.0 / CELL) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_cells_of_their_areas() {
        let check = |bounds: [f64; 4], lon: f64, lat: f64, expected: bool| {
            let [west, south, east, north] = bounds;
            let mut all = cells(Bounds { west, south, east, north });
            assert_eq!(all.any(|cell| cell == (column(lon), row(lat))), expected, "{bounds:?} {lon} {lat}");
        };
        check([0.0, 0.0, 10.0, 10.0], 10.0, 10.0, true);
        check([0.0, 0.0, 10.0, 10.0], 5.0, 5.0, true);
        check([0.0, 0.0, 10.0, 10.0], 15.0, 5.0, false);
        check([0.0, 0.0, 10.0, 10.0], 5.0, -5.0, false);
        check([10.0, 0.0, 11.0, 1.0], 9.999_999_9, 0.0, true);
        check([-180.0, -90.0, 180.0, 90.0], 180.0, 90.0, true);
        check([179.0, 89.0, 180.0, 90.0], 180.0, 90.0, true);
        assert!(is_small(Bounds { west: 5.0, south: 47.0, east: 15.0, north: 55.0 }));
        assert!(!is_small(Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 }));
    }
}
