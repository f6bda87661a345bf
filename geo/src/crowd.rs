//! The places in one crowded cell, in lists by the squares that it is cut into.

use crate::bounds::Extent;
use crate::devices::DeviceSlot;
use crate::patch::Patch;
use crate::point::Point;
use crate::whereabouts::push;

/// Squares from south to north and from west to east.
const SQUARES: usize = 16;
/// Places of a cell may lie so far outside its extent by rounding, and those of a square outside the square; 10 cm.
const SLACK_UNITS: f64 = 10.0;

/// Where a device is.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) place: Point,
    pub(crate) slot: DeviceSlot,
}

pub(crate) struct Crowd {
    extent: Extent,
    pub(crate) count: usize,
    squares: Vec<Vec<Spot>>,
}

impl Crowd {
    /// Of nobody, in a cell of this extent.
    pub(crate) fn new(extent: Extent) -> Self {
        Self { extent, count: 0, squares: vec![Vec::new(); SQUARES * SQUARES] }
    }

    pub(crate) fn enter(&mut self, spot: Spot, tell: impl FnMut(DeviceSlot, u32)) {
        self.count += 1;
        if let Some(list) = self.list(spot.place, spot.place) {
            push(list, spot, tell);
        }
    }

    pub(crate) fn lists(&self) -> impl Iterator<Item = &Vec<Spot>> {
        self.squares.iter()
    }

    /// The list that two places of the cell have in common.
    pub(crate) fn list(&mut self, a: Point, b: Point) -> Option<&mut Vec<Spot>> {
        let square = self.square(a);
        if square == self.square(b) { self.squares.get_mut(square) } else { None }
    }

    pub(crate) fn list_of(&self, place: Point) -> Option<&Vec<Spot>> {
        self.squares.get(self.square(place))
    }

    fn square(&self, place: Point) -> usize {
        // A pole has every longitude.
        let lon = if place.pole().is_some() { self.extent.west } else { f64::from(place.lon_units()) };
        let step = |at: f64, from: f64, to: f64| {
            let share = ((at - from) / (to - from)).clamp(0.0, 1.0);
            ((share * SQUARES as f64) as usize).min(SQUARES - 1)
        };
        let row = step(f64::from(place.lat_units()), self.extent.south, self.extent.north);
        row * SQUARES + step(lon, self.extent.west, self.extent.east)
    }

    /// The lists of the squares that may meet one of the patches.
    pub(crate) fn lists_in(&self, patches: &[Patch]) -> impl Iterator<Item = &Vec<Spot>> {
        let Extent { west, south, east, north } = self.extent;
        let (width, height) = ((east - west) / SQUARES as f64, (north - south) / SQUARES as f64);
        let lists = self.squares.iter().enumerate().filter(move |(square, list)| {
            let (row, column) = ((square / SQUARES) as f64, (square % SQUARES) as f64);
            let extent = Extent {
                west: west + column * width - SLACK_UNITS,
                south: south + row * height - SLACK_UNITS,
                east: west + (column + 1.0) * width + SLACK_UNITS,
                north: south + (row + 1.0) * height + SLACK_UNITS,
            };
            !list.is_empty() && patches.iter().any(|patch| patch.extent.may_meet(&extent))
        });
        lists.map(|(_, list)| list)
    }
}
