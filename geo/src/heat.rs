//! Counts by cell of a grid, for heat maps.

use std::collections::HashMap;

use dateline_engine::{Error, Result};
use h3o::{CellIndex, LatLng, Resolution};

use crate::point::Point;

/// Cells of one answer at the most.
pub const CELLS_MAX: usize = 10_000;
/// The longest geohash.
const GEOHASH_MAX: usize = 12;

/// A way to cut the earth into cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeatGrid {
    /// Hexagons of a resolution, 0 to 15.
    H3(Resolution),
    /// Rectangles by the letters of their names, 1 to 12.
    Geohash(usize),
}

/// How many things lie in each cell of a grid.
#[derive(Clone, Debug)]
pub struct Heat {
    grid: HeatGrid,
    counts: HashMap<u128, u64>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatCell {
    /// Its name in the grid.
    pub name: String,
    /// Things in it.
    pub count: u64,
    /// Longitude and latitude of its middle in degrees.
    pub center: [f64; 2],
    /// Its border, closed, against the clock; longitudes next to one another, so that some may pass 180.
    pub outline: Vec<[f64; 2]>,
}

impl HeatGrid {
    /// By name and precision: `h3` with 0 to 15, `geohash` with 1 to 12.
    ///
    /// # Errors
    /// A message naming what is out of range.
    pub fn new(name: &str, precision: u8) -> std::result::Result<Self, String> {
        match name {
            "h3" => Resolution::try_from(precision)
                .map(Self::H3)
                .map_err(|_| format!("{precision} is not 0 to 15, as h3 has")),
            "geohash" if (1..=GEOHASH_MAX).contains(&usize::from(precision)) => {
                Ok(Self::Geohash(usize::from(precision)))
            }
            "geohash" => Err(format!("{precision} is not 1 to {GEOHASH_MAX}, as geohash has")),
            other => Err(format!("'{other}' is neither h3 nor geohash")),
        }
    }

    fn cell(self, point: Point) -> Result<u128> {
        let fault = |error: String| Error::internal(format!("{point:?} has no cell: {error}"));
        match self {
            Self::H3(resolution) => {
                let place =
                    LatLng::new(point.lat(), point.lon()).map_err(|error| fault(error.to_string()))?;
                Ok(u128::from(u64::from(place.to_cell(resolution))))
            }
            Self::Geohash(letters) => {
                let at = geo::Coord { x: point.lon(), y: point.lat() };
                let name = geohash::encode(at, letters).map_err(|error| fault(error.to_string()))?;
                Ok(name.bytes().fold(0, |packed, letter| packed << 8 | u128::from(letter)))
            }
        }
    }
}

impl Heat {
    /// Of nothing yet.
    #[must_use]
    pub fn new(grid: HeatGrid) -> Self {
        Self { grid, counts: HashMap::new() }
    }

    /// Counts something at a place.
    ///
    /// # Errors
    /// `Busy` when it would be in one cell too many.
    pub fn add(&mut self, point: Point) -> Result<()> {
        *self.counts.entry(self.grid.cell(point)?).or_default() += 1;
        if self.counts.len() > CELLS_MAX {
            return Err(Error::busy(format!(
                "more than {CELLS_MAX} cells; ask for a smaller precision or part"
            )));
        }
        Ok(())
    }

    /// The cells, fullest first, then by name.
    ///
    /// # Errors
    /// `Internal` for a cell that cannot be drawn.
    pub fn cells(&self) -> Result<Vec<HeatCell>> {
        let mut cells = Vec::with_capacity(self.counts.len());
        for (packed, count) in &self.counts {
            cells.push(match self.grid {
                HeatGrid::H3(_) => hexagon(*packed, *count)?,
                HeatGrid::Geohash(letters) => rectangle(*packed, letters, *count)?,
            });
        }
        cells.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        Ok(cells)
    }
}

fn hexagon(packed: u128, count: u64) -> Result<HeatCell> {
    let fault = || Error::internal("not an h3 cell");
    let cell =
        u64::try_from(packed).ok().and_then(|bits| CellIndex::try_from(bits).ok()).ok_or_else(fault)?;
    let center = LatLng::from(cell);
    let near = |lon: f64| {
        let turns = ((lon - center.lng()) / 360.0).round();
        lon - turns * 360.0
    };
    let mut outline: Vec<[f64; 2]> =
        cell.boundary().iter().map(|corner| [near(corner.lng()), corner.lat()]).collect();
    outline.extend(outline.first().copied());
    Ok(HeatCell { name: cell.to_string(), count, center: [center.lng(), center.lat()], outline })
}

fn rectangle(packed: u128, letters: usize, count: u64) -> Result<HeatCell> {
    let bytes = packed.to_be_bytes();
    let name = bytes.get(bytes.len() - letters..).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let name = name.ok_or_else(|| Error::internal("not a geohash"))?;
    let bounds = geohash::decode_bbox(name).map_err(|error| Error::internal(error.to_string()))?;
    let (low, high) = (bounds.min(), bounds.max());
    let outline = vec![[low.x, low.y], [high.x, low.y], [high.x, high.y], [low.x, high.y], [low.x, low.y]];
    let center = [f64::midpoint(low.x, high.x), f64::midpoint(low.y, high.y)];
    Ok(HeatCell { name: name.to_owned(), count, center, outline })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(grid: HeatGrid, places: &[(f64, f64)]) -> Vec<(String, u64)> {
        let mut heat = Heat::new(grid);
        for (lon, lat) in places {
            heat.add(Point::new(*lon, *lat).unwrap()).unwrap();
        }
        heat.cells().unwrap().into_iter().map(|cell| (cell.name, cell.count)).collect()
    }

    #[test]
    fn cells_have_their_published_names() {
        // The example of geohash.org, and of the H3 documentation.
        let grid = HeatGrid::new("geohash", 11).unwrap();
        assert_eq!(names(grid, &[(10.40744, 57.64911)]), [("u4pruydqqvj".to_owned(), 1)]);
        let grid = HeatGrid::new("h3", 9).unwrap();
        let place = (-122.418_130_7, 37.775_293_8);
        assert_eq!(names(grid, &[place, place]), [("8928308280fffff".to_owned(), 2)]);
        assert!(HeatGrid::new("h3", 16).is_err() && HeatGrid::new("geohash", 0).is_err());
        assert!(HeatGrid::new("s2", 3).is_err());
    }

    #[test]
    fn seams_and_poles_have_cells() {
        for name in ["h3", "geohash"] {
            for precision in 1..=12 {
                let grid = HeatGrid::new(name, precision).unwrap();
                for (lon, lat) in
                    [(180.0, 0.0), (-180.0, 51.3), (0.0, 90.0), (13.0, -90.0), (179.999_999_9, -89.9)]
                {
                    let mut heat = Heat::new(grid);
                    heat.add(Point::new(lon, lat).unwrap()).unwrap();
                    let cells = heat.cells().unwrap();
                    let outline = &cells[0].outline;
                    assert!(outline.len() >= 5 && outline.first() == outline.last());
                }
            }
        }
    }

    #[test]
    fn too_many_cells_are_refused() {
        let mut heat = Heat::new(HeatGrid::new("geohash", 8).unwrap());
        let outcome = (0..20_000).try_for_each(|n| {
            heat.add(Point::new(f64::from(n % 200) * 0.01, f64::from(n / 200) * 0.01).unwrap())
        });
        assert_eq!(outcome.unwrap_err().kind(), dateline_engine::ErrorKind::Busy);
    }
}
