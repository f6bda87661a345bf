//! The banded grid: near-square cells of a given height, with no seam and no pole.
//!
//! Rows are bands of latitude of equal height; each row has as many columns as its widest parallel needs, so the
//! row at a pole has a handful. Columns are counted modulo the row, so the antimeridian is no border.
//! Invariant: a cover may name cells that hold nothing near, and never misses one that does.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use crate::bounds::Extent;
use crate::point::{EARTH_RADIUS_M, Point, TURN, UNITS_PER_DEGREE};

/// Height of the cells of level 0; each level doubles it.
const HEIGHT_M: f64 = 250.0;
/// A cover is at least this much wider than asked, so that rounding at a cell border loses nothing.
const REACH_M_MIN: f64 = 0.1;
/// At this level a cell is higher than half the earth is round.
pub(crate) const LEVEL_MAX: u8 = 17;

/// Columns of every row of every level: asking for one is much cheaper than a cosine.
static COLUMNS: LazyLock<Vec<Vec<u32>>> = LazyLock::new(|| {
    let of_level = |level| {
        let level = Level::new(level);
        (0..level.rows).map(|row| level.columns_of(row)).collect()
    };
    (0..=LEVEL_MAX).map(of_level).collect()
});

/// One cell of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cell {
    pub(crate) level: u8,
    row: u32,
    column: u32,
}

/// One level of the grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    level: u8,
    /// Height of a row in degrees.
    height_deg: f64,
    rows: u32,
}

impl Level {
    pub(crate) fn new(level: u8) -> Self {
        let height_m = HEIGHT_M * f64::from(1_u32 << level.min(LEVEL_MAX));
        let height_deg = (height_m / EARTH_RADIUS_M).to_degrees();
        Self { level, height_deg, rows: (180.0 / height_deg).ceil() as u32 }
    }

    /// The finest level whose cells are at least `reach_m` high.
    pub(crate) fn for_reach(reach_m: f64) -> Self {
        (0..=LEVEL_MAX)
            .map(Self::new)
            .find(|level| level.height_m() >= reach_m)
            .unwrap_or_else(|| Self::new(LEVEL_MAX))
    }

    pub(crate) fn number(self) -> u8 {
        self.level
    }

    pub(crate) fn height_m(self) -> f64 {
        self.height_deg.to_radians() * EARTH_RADIUS_M
    }

    pub(crate) fn cell(self, point: Point) -> Cell {
        let row = self.row(point.lat());
        // A pole has every longitude, so it takes one cell.
        let lon = if point.pole().is_some() { -180.0 } else { point.lon() };
        Cell { level: self.level, row, column: self.column(row, lon) }
    }

    fn row(self, lat_deg: f64) -> u32 {
        (((lat_deg + 90.0) / self.height_deg) as u32).min(self.rows - 1)
    }

    fn columns(self, row: u32) -> u32 {
        let known = COLUMNS.get(usize::from(self.level)).and_then(|rows| rows.get(row as usize));
        known.copied().unwrap_or(1)
    }

    fn columns_of(self, row: u32) -> u32 {
        let south = f64::from(row) * self.height_deg - 90.0;
        let north = south + self.height_deg;
        let widest = if south <= 0.0 && north >= 0.0 { 0.0 } else { south.abs().min(north.abs()) };
        (360.0 * widest.to_radians().cos() / self.height_deg).ceil().max(1.0) as u32
    }

    fn column(self, row: u32, lon_deg: f64) -> u32 {
        let columns = self.columns(row);
        (((lon_deg + 180.0) / 360.0 * f64::from(columns)) as u32).min(columns - 1)
    }

    /// The part of the earth of a cell.
    pub(crate) fn extent(self, cell: Cell) -> Extent {
        let south = f64::from(cell.row) * self.height_deg - 90.0;
        let width = 360.0 / f64::from(self.columns(cell.row));
        let west = f64::from(cell.column) * width - 180.0;
        let units = |degrees: f64| degrees * UNITS_PER_DEGREE;
        let north = (south + self.height_deg).min(90.0);
        Extent { west: units(west), south: units(south), east: units(west + width), north: units(north) }
    }

    /// The cells that may hold a point within `reach_m` of the extent; `None` when they would be more than `cells_max`.
    pub(crate) fn cover(self, extent: &Extent, reach_m: f64, cells_max: usize) -> Option<Vec<Cell>> {
        let wide = extent.widened(reach_m.max(REACH_M_MIN));
        let degrees = |units: f64| units / UNITS_PER_DEGREE;
        let whole = wide.east - wide.west >= TURN as f64
            || degrees(wide.south) <= -90.0
            || degrees(wide.north) >= 90.0;
        let mut cells = Vec::new();
        for row in self.row(degrees(wide.south))..=self.row(degrees(wide.north)) {
            let columns = self.columns(row);
            let (first, count) = if whole {
                (0, columns)
            } else {
                let step = 360.0 / f64::from(columns);
                let from = ((degrees(wide.west) + 180.0) / step).floor();
                let to = ((degrees(wide.east) + 180.0) / step).floor();
                ((from as i64).rem_euclid(i64::from(columns)) as u32, ((to - from) as u32 + 1).min(columns))
            };
            if cells.len() + count as usize > cells_max {
                return None;
            }
            cells.extend((0..count).map(|step| Cell {
                level: self.level,
                row,
                column: (first + step) % columns,
            }));
        }
        Some(cells)
    }
}

/// Cells are three small numbers; one multiplication spreads them well enough.
pub(crate) type CellHash = BuildHasherDefault<CellHasher>;

/// See [`CellHash`].
#[derive(Default)]
pub(crate) struct CellHasher(u64);

impl CellHasher {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(26) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for CellHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [(f64, f64); 9] = [
        (0.0, 0.0),
        (-180.0, 0.0),
        (179.999, 51.0),
        (-179.999, -51.0),
        (3.0, 89.999),
        (90.0, 90.0),
        (1.0, -90.0),
        (45.0, -89.99),
        (12.3, 65.4),
    ];

    #[test]
    fn a_cover_misses_nothing() {
        for level in (0..=LEVEL_MAX).map(Level::new) {
            for (lon, lat) in PLACES {
                let center = Point::new(lon, lat).unwrap();
                let reach_m = level.height_m();
                let Some(cover) = level.cover(&Extent::of_point(center), reach_m, 5_000) else {
                    panic!("level {level:?} needs too many cells at {center:?}");
                };
                for step in 0..360_u32 {
                    for share in [0.2, 0.7, 0.999_999] {
                        let bearing = f64::from(step).to_radians();
                        let point = center.place_ahead(bearing, reach_m * share / EARTH_RADIUS_M);
                        if center.distance_m(point) > reach_m * share {
                            continue;
                        }
                        assert!(cover.contains(&level.cell(point)), "{level:?} {center:?} {point:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_cover_is_small() {
        let level = Level::for_reach(900.0);
        assert_eq!(level.number(), 2);
        let cover = level.cover(&Extent::of_point(Point::new(13.4, 52.5).unwrap()), 1_000.0, 100).unwrap();
        assert!(cover.len() <= 12, "{}", cover.len());
        assert!(level.cover(&Extent::of_degrees(-180.0, -90.0, 180.0, 90.0), 0.0, 100).is_none());
    }
}
