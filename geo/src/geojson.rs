//! Reads a GeoJSON geometry (RFC 7946) into a `Shape`, or says what is wrong and where.
//!
//! Positions are longitude, latitude in degrees; further numbers (altitude) are ignored. Edges go the short way
//! round the earth. Refused: coordinates off the earth, rings that are open, too short, without area, that meet
//! themselves or go round more than once, holes outside their ring or over each other, more than
//! `VERTICES_MAX` positions.

use geo::coordinate_position::CoordPos;
use geo::{Coord, LineString};
use serde_json::Value;

use crate::crossing::{EdgeTree, turned};
use crate::issue::{Issues, issue};
use crate::point::{Point, UNITS_PER_DEGREE, units};
use crate::ring::{Ring, RingFault, unroll};
use crate::shape::{Area, Shape};

/// The largest shape that is taken, in positions.
pub const VERTICES_MAX: usize = 100_000;
/// How deep geometry collections may nest.
const DEPTH_MAX: u32 = 8;

impl Shape {
    /// Reads a geometry; `path` names it in messages, as in `area.geometry`.
    ///
    /// # Errors
    /// One entry (field path, message): the first fault found.
    pub fn parse(path: &str, geometry: &Value) -> Result<Self, Issues> {
        let mut reader = Reader { vertices_left: VERTICES_MAX, shape: Parts::default() };
        reader.geometry(path, geometry, 0)?;
        let Parts { points, lines, areas } = reader.shape;
        if points.is_empty() && lines.is_empty() && areas.is_empty() {
            return Err(issue(path, "geometry is empty"));
        }
        Ok(Self::new(points, lines, areas))
    }
}

/// Reads one position `[lon, lat]`.
pub(crate) fn parse_position(path: &str, value: &Value) -> Result<Point, Issues> {
    let (lon, lat) = position(path, value)?;
    Ok(Point::from_units(lon, lat))
}

#[derive(Default)]
struct Parts {
    points: Vec<Point>,
    lines: Vec<LineString<f64>>,
    areas: Vec<Area>,
}

struct Reader {
    vertices_left: usize,
    shape: Parts,
}

impl Reader {
    fn geometry(&mut self, path: &str, value: &Value, depth: u32) -> Result<(), Issues> {
        let Some(object) = value.as_object() else {
            return Err(issue(path, "must be a GeoJSON geometry object"));
        };
        let kind_path = format!("{path}.type");
        let kind = object
            .get("type")
            .and_then(Value::as_str)
            .ok_or_else(|| issue(&kind_path, "names no geometry type"))?;
        if kind == "GeometryCollection" {
            let members_path = format!("{path}.geometries");
            if depth >= DEPTH_MAX {
                return Err(issue(path, "geometry collections nest too deep"));
            }
            return each(&members_path, object.get("geometries"), |path, member| {
                self.geometry(path, member, depth + 1)
            });
        }
        let path = format!("{path}.coordinates");
        let coordinates = object.get("coordinates");
        match kind {
            "Point" => self.point(&path, coordinates.unwrap_or(&Value::Null)),
            "MultiPoint" => each(&path, coordinates, |path, value| self.point(path, value)),
            "LineString" => self.line(&path, coordinates),
            "MultiLineString" => each(&path, coordinates, |path, value| self.line(path, Some(value))),
            "Polygon" => self.polygon(&path, coordinates),
            "MultiPolygon" => each(&path, coordinates, |path, value| self.polygon(path, Some(value))),
            other => Err(issue(&kind_path, &format!("'{other}' is not a GeoJSON geometry type"))),
        }
    }

    fn point(&mut self, path: &str, value: &Value) -> Result<(), Issues> {
        self.spend(path, 1)?;
        self.shape.points.push(parse_position(path, value)?);
        Ok(())
    }

    fn line(&mut self, path: &str, value: Option<&Value>) -> Result<(), Issues> {
        let positions = self.positions(path, value)?;
        if positions.len() < 2 {
            return Err(issue(path, "a line needs at least 2 positions"));
        }
        let mut laid = unroll(&positions, true);
        if let &[only] = laid.as_slice() {
            laid.push(only);
        }
        self.shape
            .lines
            .push(LineString(laid.into_iter().map(|(x, y)| Coord { x: x as f64, y: y as f64 }).collect()));
        Ok(())
    }

    fn polygon(&mut self, path: &str, value: Option<&Value>) -> Result<(), Issues> {
        let mut rings = Vec::new();
        each(path, value, |path, value| {
            let positions = self.positions(path, Some(value))?;
            rings.push((path.to_owned(), ring(path, &positions)?));
            Ok(())
        })?;
        let mut rings = rings.into_iter();
        let Some((_, outer)) = rings.next() else {
            return Err(issue(path, "a polygon needs at least one ring"));
        };
        let holes: Vec<(String, Ring)> = rings.collect();
        check_holes(&outer, &holes)?;
        self.shape.areas.push(Area { outer, holes: holes.into_iter().map(|(_, hole)| hole).collect() });
        Ok(())
    }

    fn positions(&mut self, path: &str, value: Option<&Value>) -> Result<Vec<(i64, i64)>, Issues> {
        let list =
            value.and_then(Value::as_array).ok_or_else(|| issue(path, "must be a list of positions"))?;
        self.spend(path, list.len())?;
        list.iter().enumerate().map(|(index, value)| position(&format!("{path}[{index}]"), value)).collect()
    }

    fn spend(&mut self, path: &str, count: usize) -> Result<(), Issues> {
        let left = self.vertices_left.checked_sub(count);
        self.vertices_left =
            left.ok_or_else(|| issue(path, &format!("geometry has more than {VERTICES_MAX} positions")))?;
        Ok(())
    }
}

fn each(
    path: &str,
    value: Option<&Value>,
    mut read: impl FnMut(&str, &Value) -> Result<(), Issues>,
) -> Result<(), Issues> {
    let list = value.and_then(Value::as_array).ok_or_else(|| issue(path, "must be a list"))?;
    list.iter().enumerate().try_for_each(|(index, member)| read(&format!("{path}[{index}]"), member))
}

fn position(path: &str, value: &Value) -> Result<(i64, i64), Issues> {
    let numbers = value.as_array().filter(|list| list.len() >= 2);
    let number = |index: usize| numbers.and_then(|list| list.get(index)).and_then(Value::as_f64);
    match (number(0), number(1)) {
        (Some(lon), Some(lat)) => units(lon, lat).map_err(|message| issue(path, &message)),
        _ => Err(issue(path, "a position is [longitude, latitude] in degrees")),
    }
}

fn ring(path: &str, positions: &[(i64, i64)]) -> Result<Ring, Issues> {
    let place = |&(lon, lat): &(i64, i64)| Point::from_units(lon, lat);
    if positions.len() < 4 {
        return Err(issue(path, "ring has fewer than 4 positions"));
    }
    if positions.first().map(place) != positions.last().map(place) {
        return Err(issue(path, "ring is not closed"));
    }
    Ring::build(positions).map_err(|fault| match fault {
        RingFault::NoArea => issue(path, "ring has no area"),
        RingFault::TooWide => issue(path, "ring goes round the earth more than once"),
        RingFault::Crosses(at) => {
            let lon = (at.x / UNITS_PER_DEGREE + 180.0).rem_euclid(360.0) - 180.0;
            issue(path, &format!("ring crosses or touches itself at [{lon}, {}]", at.y / UNITS_PER_DEGREE))
        }
    })
}

fn check_holes(outer: &Ring, holes: &[(String, Ring)]) -> Result<(), Issues> {
    if holes.is_empty() {
        return Ok(());
    }
    let outer_tree = EdgeTree::new(&outer.drawn_edges());
    for (index, (path, hole)) in holes.iter().enumerate() {
        if crosses(&outer_tree, hole) || !lies_within(hole, outer, &outer_tree) {
            return Err(issue(path, "hole is not inside its ring"));
        }
        let tree = EdgeTree::new(&hole.drawn_edges());
        let overlapping = |other: &Ring| {
            boxes_meet(hole, other)
                && (crosses(&tree, other) || has_vertex_inside(hole, other) || has_vertex_inside(other, hole))
        };
        if holes.iter().take(index).any(|(_, other)| overlapping(other)) {
            return Err(issue(path, "hole overlaps another hole"));
        }
    }
    Ok(())
}

fn crosses(tree: &EdgeTree, ring: &Ring) -> bool {
    ring.borders()
        .any(|(_, edge)| turns_of(edge).any(|edge| tree.meeting(edge).any(|(_, met)| met.is_proper())))
}

fn turns_of(edge: geo::Line<f64>) -> impl Iterator<Item = geo::Line<f64>> {
    [0, -1, 1, -2, 2].into_iter().map(move |turns| turned(edge, turns))
}

/// Without a proper crossing one place tells for all of a ring, unless the rings touch: then each edge is asked.
fn lies_within(hole: &Ring, outer: &Ring, outer_tree: &EdgeTree) -> bool {
    let touching =
        hole.borders().any(|(_, edge)| turns_of(edge).any(|edge| outer_tree.meeting(edge).next().is_some()));
    let is_within = |at: Coord<f64>| outer.locate_at(at) != CoordPos::Outside;
    if !touching {
        return is_within(hole.start());
    }
    hole.borders().all(|(_, edge)| {
        is_within(edge.start)
            && is_within(Coord {
                x: f64::midpoint(edge.start.x, edge.end.x),
                y: f64::midpoint(edge.start.y, edge.end.y),
            })
    })
}

fn has_vertex_inside(ring: &Ring, other: &Ring) -> bool {
    ring.borders().any(|(_, edge)| {
        let middle =
            Coord { x: f64::midpoint(edge.start.x, edge.end.x), y: f64::midpoint(edge.start.y, edge.end.y) };
        other.locate_at(edge.start) == CoordPos::Inside || other.locate_at(middle) == CoordPos::Inside
    })
}

fn boxes_meet(a: &Ring, b: &Ring) -> bool {
    use rstar::Envelope;
    a.extent().boxes().iter().any(|a| b.extent().boxes().iter().any(|b| a.intersects(b)))
}

#[cfg(test)]
mod tests;
