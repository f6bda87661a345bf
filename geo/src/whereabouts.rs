//! Where the devices of a shard are: their places, in lists by the cells of the banded grid.
//!
//! The lists hold the places themselves, so that a search reads them one after the other and goes to the record of a
//! device only when it is found. The list of a crowded cell is cut into squares of 31 m.
//! Each device keeps its *nook*, its place in its list, so that it leaves a list without being searched for; whoever
//! changes a list tells the nooks of those that had to move up.
//! Invariant: a device is in exactly one list, that of its place.

use std::collections::HashMap;

use crate::bounds::Extent;
use crate::crowd::{Crowd, Spot};
use crate::devices::DeviceSlot;
use crate::grid::{Cell, CellHash, Level};
use crate::patch::Patch;
use crate::point::Point;

/// Cells of 500 m.
const LEVEL: u8 = 1;
/// A cover of more cells than this is slower than looking at every place.
const COVER_CELLS_MAX: usize = 20_000;
/// A list with more is cut into squares; one that has come down to a quarter is joined again.
const CROWD: usize = 512;
/// A search for the nearest begins where about so many more than it needs are expected.
const SPARE: f64 = 1.6;

pub(crate) struct Whereabouts {
    level: Level,
    cells: HashMap<Cell, Spots, CellHash>,
}

enum Spots {
    Few(Vec<Spot>),
    Crowd(Box<Crowd>),
}

impl Whereabouts {
    pub(crate) fn new() -> Self {
        Self { level: Level::new(LEVEL), cells: HashMap::default() }
    }

    /// Takes in a device; its own nook is told as well.
    pub(crate) fn enter(&mut self, place: Point, slot: DeviceSlot, tell: impl FnMut(DeviceSlot, u32)) {
        let cell = self.level.cell(place);
        let spots = self.cells.entry(cell).or_insert_with(|| Spots::Few(Vec::new()));
        spots.enter(Spot { place, slot }, || self.level.extent(cell), tell);
    }

    /// Lets the device in this nook go.
    pub(crate) fn leave(&mut self, place: Point, nook: u32, tell: impl FnMut(DeviceSlot, u32)) {
        let cell = self.level.cell(place);
        if self.cells.get_mut(&cell).is_some_and(|spots| spots.leave(place, nook, tell)) {
            self.cells.remove(&cell);
        }
    }

    /// The device in this nook goes from one place to another.
    pub(crate) fn shift(
        &mut self,
        (from, to): (Point, Point),
        (slot, nook): (DeviceSlot, u32),
        mut tell: impl FnMut(DeviceSlot, u32),
    ) {
        let (old, new) = (self.level.cell(from), self.level.cell(to));
        let spot = (old == new).then(|| self.cells.get_mut(&old)?.list(from, to)?.get_mut(nook as usize));
        match spot.flatten() {
            Some(spot) => *spot = Spot { place: to, slot },
            None => {
                self.leave(from, nook, &mut tell);
                self.enter(to, slot, tell);
            }
        }
    }

    /// Whether somebody at this place is in this nook.
    pub(crate) fn is_at(&self, place: Point, nook: u32) -> bool {
        let list = self.cells.get(&self.level.cell(place)).and_then(|spots| match spots {
            Spots::Few(list) => Some(list),
            Spots::Crowd(crowd) => crowd.list_of(place),
        });
        list.and_then(|list| list.get(nook as usize)).is_some_and(|spot| spot.place == place)
    }

    /// Calls `see` for each device that may be in one of the patches; none is missed.
    pub(crate) fn search(&self, patches: &[Patch], mut see: impl FnMut(DeviceSlot, Point)) {
        let may_hold = |spot: &Spot| patches.iter().any(|patch| patch.may_hold(spot.place));
        let mut see = |spot: &Spot| {
            if may_hold(spot) {
                see(spot.slot, spot.place);
            }
        };
        let cells = match self.cover(patches) {
            None => return self.cells.values().flat_map(Spots::lists).flatten().for_each(see),
            Some(cells) => cells,
        };
        for spots in cells.iter().filter_map(|cell| self.cells.get(cell)) {
            match spots {
                Spots::Few(list) => list.iter().for_each(&mut see),
                Spots::Crowd(crowd) => crowd.lists_in(patches).flatten().for_each(&mut see),
            }
        }
    }

    /// A reach around a place within which there are about as many devices as that, or `reach_m_max`; a guess.
    pub(crate) fn reach_m(&self, center: Point, count: usize, reach_m_max: f64) -> f64 {
        let mut reach_m = self.level.height_m() / 2.0;
        let wanted = SPARE * count as f64;
        while reach_m < reach_m_max {
            let patch = [Patch::around(center, reach_m)];
            let Some(cells) = self.cover(&patch) else { return reach_m };
            let counts = cells.iter().filter_map(|cell| self.cells.get(cell)).map(|spots| match spots {
                Spots::Few(list) => list.len(),
                Spots::Crowd(crowd) => crowd.lists_in(&patch).map(Vec::len).sum(),
            });
            let count = counts.sum::<usize>() as f64;
            if count >= wanted {
                let area_m2 = cells.len() as f64 * self.level.height_m().powi(2);
                return (wanted / count * area_m2 / std::f64::consts::PI).sqrt().min(reach_m_max);
            }
            reach_m *= 2.0;
        }
        reach_m_max
    }

    /// The cells that meet a patch, each once; `None` when they are too many.
    fn cover(&self, patches: &[Patch]) -> Option<Vec<Cell>> {
        let most = COVER_CELLS_MAX.min(self.cells.len().max(64));
        let mut cells = Vec::new();
        for patch in patches {
            cells.append(&mut self.level.cover(&patch.extent, 0.0, most)?);
        }
        if patches.len() > 1 {
            cells.sort_unstable();
            cells.dedup();
        }
        Some(cells)
    }
}

impl Spots {
    fn enter(&mut self, spot: Spot, extent: impl FnOnce() -> Extent, mut tell: impl FnMut(DeviceSlot, u32)) {
        match self {
            Self::Few(list) if list.len() < CROWD => push(list, spot, tell),
            Self::Few(list) => {
                let mut crowd = Crowd::new(extent());
                list.drain(..).chain([spot]).for_each(|spot| crowd.enter(spot, &mut tell));
                *self = Self::Crowd(Box::new(crowd));
            }
            Self::Crowd(crowd) => crowd.enter(spot, tell),
        }
    }

    /// Says whether nobody is left.
    fn leave(&mut self, place: Point, nook: u32, mut tell: impl FnMut(DeviceSlot, u32)) -> bool {
        let Some(list) = self.list(place, place).filter(|list| (nook as usize) < list.len()) else {
            return false;
        };
        list.swap_remove(nook as usize);
        if let Some(moved) = list.get(nook as usize) {
            tell(moved.slot, nook);
        }
        match self {
            Self::Few(list) => list.is_empty(),
            Self::Crowd(crowd) => {
                crowd.count -= 1;
                if crowd.count <= CROWD / 4 {
                    let mut list = Vec::with_capacity(crowd.count);
                    crowd.lists().flatten().for_each(|spot| push(&mut list, *spot, &mut tell));
                    *self = Self::Few(list);
                }
                false
            }
        }
    }

    /// The list that two places of the cell have in common.
    fn list(&mut self, a: Point, b: Point) -> Option<&mut Vec<Spot>> {
        match self {
            Self::Few(list) => Some(list),
            Self::Crowd(crowd) => crowd.list(a, b),
        }
    }

    fn lists(&self) -> impl Iterator<Item = &Vec<Spot>> {
        let (few, crowd) = match self {
            Self::Few(list) => (Some(list), None),
            Self::Crowd(crowd) => (None, Some(crowd.lists())),
        };
        few.into_iter().chain(crowd.into_iter().flatten())
    }
}

/// Lists are many and grow by a quarter, so that little of them is empty.
pub(crate) fn push(list: &mut Vec<Spot>, spot: Spot, mut tell: impl FnMut(DeviceSlot, u32)) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 4 + 1);
    }
    tell(spot.slot, u32::try_from(list.len()).unwrap_or(u32::MAX));
    list.push(spot);
}
