//! Which fences a place may lie in: lists by the cells of the banded grid.
//!
//! Each fence is listed in at most `CELLS_MAX` cells of the finest level where so few cover it; in a cell that lies
//! inside it as a whole it is *full* and needs no test, elsewhere *partial*. A place looks into its one cell on every
//! level in use. Centre and radius of circles stand together in one table, so that a test touches half a cache line.
//! Invariant: `holding` gives exactly the fences whose region holds the place.

use std::collections::HashMap;

use crate::bounds::Extent;
use crate::fences::FenceSlot;
use crate::grid::{Cell, CellHash, LEVEL_MAX, Level};
use crate::point::{Point, Unit};
use crate::region::Region;

/// The most cells one fence is listed in.
const CELLS_MAX: usize = 64;
/// Shapes with more edges than this are not asked which cells lie inside them.
const EDGES_MAX: usize = 512;
/// A cell is inside only if it is by so much, so that rounding cannot matter.
const MARGIN_M: f64 = 0.01;

type Table = HashMap<Cell, Listed, CellHash>;

#[derive(Default)]
struct Listed {
    full: Vec<FenceSlot>,
    partial: Vec<FenceSlot>,
}

#[derive(Clone, Copy)]
struct Disc {
    center: Unit,
    chord2: f64,
}

#[derive(Default)]
pub(crate) struct Cells {
    tables: Vec<Table>,
    /// Bit n: level n is in use.
    levels: u32,
    /// By slot; what is no circle has none.
    discs: Vec<Option<Disc>>,
    /// Too wide for any level.
    wide: Vec<FenceSlot>,
}

impl Cells {
    pub(crate) fn insert(&mut self, slot: FenceSlot, region: &Region) {
        if self.discs.len() <= slot.index() {
            self.discs.resize(slot.index() + 1, None);
        }
        if let (Some(disc), Region::Circle(circle)) = (self.discs.get_mut(slot.index()), region) {
            let (center, chord2) = circle.disc();
            *disc = Some(Disc { center, chord2 });
        }
        let Some((level, cells)) = cover(region) else { return self.wide.push(slot) };
        if self.tables.is_empty() {
            self.tables.resize_with(usize::from(LEVEL_MAX) + 1, Table::default);
        }
        self.levels |= 1 << level.number();
        let Some(table) = self.tables.get_mut(usize::from(level.number())) else { return };
        for cell in cells {
            let listed = table.entry(cell).or_default();
            if lies_inside(level, cell, region) { listed.full.push(slot) } else { listed.partial.push(slot) }
        }
    }

    /// `region` must be the one that was inserted.
    pub(crate) fn remove(&mut self, slot: FenceSlot, region: &Region) {
        if let Some(disc) = self.discs.get_mut(slot.index()) {
            *disc = None;
        }
        let Some((level, cells)) = cover(region) else { return self.wide.retain(|known| *known != slot) };
        let Some(table) = self.tables.get_mut(usize::from(level.number())) else { return };
        for cell in cells {
            let Some(listed) = table.get_mut(&cell) else { continue };
            for list in [&mut listed.full, &mut listed.partial] {
                if let Some(place) = list.iter().position(|known| *known == slot) {
                    list.swap_remove(place);
                }
            }
            if listed.full.is_empty() && listed.partial.is_empty() {
                table.remove(&cell);
            }
        }
        if table.is_empty() {
            self.levels &= !(1 << level.number());
        }
    }

    /// The fences that hold a place, in the order of their slots; `region` gives that of a fence.
    pub(crate) fn holding<'a>(
        &self,
        place: Point,
        region: impl Fn(FenceSlot) -> Option<&'a Region>,
    ) -> Vec<FenceSlot> {
        let unit = place.unit();
        let holds = |slot: &FenceSlot| match self.discs.get(slot.index()) {
            Some(Some(disc)) => disc.center.chord2(&unit) <= disc.chord2,
            _ => region(*slot).is_some_and(|region| region.holds(place)),
        };
        let mut found: Vec<FenceSlot> = self.wide.iter().filter(|slot| holds(slot)).copied().collect();
        let mut levels = self.levels;
        while levels != 0 {
            let number = levels.trailing_zeros();
            levels &= levels - 1;
            let level = Level::new(u8::try_from(number).unwrap_or(LEVEL_MAX));
            let table = self.tables.get(number as usize);
            if let Some(listed) = table.and_then(|table| table.get(&level.cell(place))) {
                // Once for all that may follow.
                found.reserve(listed.full.len() + listed.partial.len());
                found.extend_from_slice(&listed.full);
                found.extend(listed.partial.iter().filter(|slot| holds(slot)));
            }
        }
        found.sort_unstable();
        found
    }

    /// The fences whose border may be within a reach of a place, each at least once.
    pub(crate) fn bordering(&self, place: Point, reach_m: f64) -> Vec<FenceSlot> {
        let mut found = self.wide.clone();
        let around = Extent::of_point(place);
        for (number, table) in (0..).zip(&self.tables).filter(|(_, table)| !table.is_empty()) {
            // A border leads through no cell in which a fence is full.
            match Level::new(number).cover(&around, reach_m, table.len().max(CELLS_MAX)) {
                Some(cells) => {
                    let listed = cells.iter().filter_map(|cell| table.get(cell));
                    found.extend(listed.flat_map(|listed| &listed.partial));
                }
                None => found.extend(table.values().flat_map(|listed| &listed.partial)),
            }
        }
        found
    }
}

/// The cells of the finest level where they are few enough.
fn cover(region: &Region) -> Option<(Level, Vec<Cell>)> {
    let extents = region.extents();
    (0..=LEVEL_MAX).map(Level::new).find_map(|level| {
        let mut cells = Vec::new();
        for extent in &extents {
            cells.extend(level.cover(extent, 0.0, CELLS_MAX)?);
        }
        cells.sort_unstable();
        cells.dedup();
        (cells.len() <= CELLS_MAX).then_some((level, cells))
    })
}

/// Whether every place of a cell surely lies in a region.
fn lies_inside(level: Level, cell: Cell, region: &Region) -> bool {
    if region.edge_count() > EDGES_MAX {
        return false;
    }
    let (center, radius_m) = level.extent(cell).cap().around();
    region.holds(center) && region.border_distance_m(center) > radius_m + MARGIN_M
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn region(body: &Value) -> Region {
        let object: &Map<String, Value> = body.as_object().unwrap();
        Region::parse("", object).unwrap().unwrap()
    }

    /// Places all over, dense where the regions are.
    fn places() -> Vec<Point> {
        let near = |lon: f64, lat: f64| {
            (0..900).map(move |n| {
                let (x, y) = (f64::from(n % 30) - 15.0, f64::from(n / 30) - 15.0);
                let lon = (lon + x * 0.0007 + 540.0).rem_euclid(360.0) - 180.0;
                Point::new(lon, (lat + y * 0.0007).clamp(-90.0, 90.0)).unwrap()
            })
        };
        let all = (0..2000)
            .map(|n| Point::new(f64::from(n * 97 % 360) - 180.0, f64::from(n * 31 % 181) - 90.0).unwrap());
        near(0.0, 0.0)
            .chain(near(180.0, 45.0))
            .chain(near(20.0, 90.0))
            .chain(near(7.0, -89.995))
            .chain(all)
            .collect()
    }

    #[test]
    fn lists_say_what_regions_say() {
        let ring = json!([
            [[-0.006, -0.006], [0.006, -0.004], [0.004, 0.006], [-0.005, 0.005], [-0.006, -0.006]],
            [[-0.001, -0.001], [0.001, -0.001], [0.0, 0.001], [-0.001, -0.001]]
        ]);
        let circle = |lon: f64, lat: f64, radius_m: f64| json!({"circle": {"center": [lon, lat], "radius_m": radius_m}});
        let mut regions = vec![
            region(&json!({"geometry": {"type": "Polygon", "coordinates": ring}})),
            region(
                &json!({"geometry": {"type": "LineString", "coordinates": [[179.99, 45], [-179.99, 45.003]]}, "buffer_m": 150}),
            ),
            region(&json!({"sector": {"center": [0, 0], "radius_m": 900, "bearing": [300, 45]}})),
            region(
                &json!({"geometry": {"type": "Polygon", "coordinates": [[[0, 80], [120, 80], [-120, 80], [0, 80]]]}}),
            ),
        ];
        for radius_m in [0.0, 30.0, 300.0, 1_000.0, 9_000.0, 400_000.0, 12_000_000.0, 3e7] {
            for (lon, lat) in [(0.0, 0.0), (180.0, 45.0), (0.0, 90.0), (180.0, -89.99)] {
                regions.push(region(&circle(lon, lat, radius_m)));
            }
        }
        let mut cells = Cells::default();
        let slots: Vec<FenceSlot> = (0..regions.len()).map(FenceSlot::of_index).collect();
        slots.iter().zip(&regions).for_each(|(slot, region)| cells.insert(*slot, region));
        let check = |cells: &Cells, there: &dyn Fn(usize) -> bool| {
            for place in places() {
                let wanted: Vec<FenceSlot> = slots
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| there(*n) && regions[*n].holds(place))
                    .map(|(_, slot)| *slot)
                    .collect();
                let found = cells.holding(place, |slot| regions.get(slot.index()));
                assert_eq!(found, wanted, "{place:?}");
            }
        };
        check(&cells, &|_| true);
        for (n, region) in regions.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
            cells.remove(slots[n], region);
        }
        check(&cells, &|n| n % 2 == 1);
        for (n, region) in regions.iter().enumerate().filter(|(n, _)| n % 2 == 1) {
            cells.remove(slots[n], region);
        }
        assert_eq!(cells.levels, 0);
        assert!(cells.wide.is_empty() && cells.tables.iter().all(HashMap::is_empty));
    }
}
