//! The area of a fence or of a standing query: a circle, a sector, or a shape, with an optional buffer around it.

use geo::Line;
use serde_json::{Map, Value};

use crate::bounds::{Cap, Extent};
use crate::edge::{nearest_chord2, nearest_to};
use crate::geojson::parse_position;
use crate::issue::{Collect, Issues, issue};
use crate::point::{Point, Unit, chord2_of, distance_of_chord2};
use crate::sector::Sector;
use crate::shape::Shape;

/// Half the earth's circumference: a larger radius means the same.
pub(crate) const RADIUS_M_MAX: f64 = 20_015_200.0;

#[derive(Clone, Debug)]
pub(crate) enum Region {
    Circle(Circle),
    Sector { sector: Box<Sector>, buffer_m: f64 },
    Shape { shape: Box<Shape>, buffer_m: f64 },
}

/// What is nearer than this to an edge that was searched for numerically touches it (squared chord; 0.6 mm).
const TOUCH_CHORD2: f64 = 1e-20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Circle {
    pub(crate) center: Point,
    pub(crate) radius_m: f64,
    unit: Unit,
    chord2: f64,
}

impl Circle {
    pub(crate) fn new(center: Point, radius_m: f64) -> Self {
        Self { center, radius_m, unit: center.unit(), chord2: chord2_of(radius_m) }
    }

    /// `{"center": [lon, lat], "radius_m": number}`
    pub(crate) fn parse(path: &str, value: &Value) -> Result<Self, Issues> {
        let Some(object) = value.as_object() else {
            return Err(issue(path, "must be an object with center and radius_m"));
        };
        let mut issues = Issues::new();
        let center = parse_position(&format!("{path}.center"), object.get("center").unwrap_or(&Value::Null))
            .collect_into(&mut issues);
        let radius_m =
            parse_radius(&format!("{path}.radius_m"), object.get("radius_m")).collect_into(&mut issues);
        match (center, radius_m) {
            (Some(center), Some(radius_m)) => Ok(Self::new(center, radius_m)),
            _ => Err(issues),
        }
    }

    pub(crate) fn holds(&self, unit: &Unit) -> bool {
        self.unit.chord2(unit) <= self.chord2
    }

    pub(crate) fn meets(&self, shape: &Shape) -> bool {
        match shape.as_point() {
            Some(point) => self.holds(&point.unit()),
            None => shape.reaches(self.center, self.chord2),
        }
    }

    /// Its centre and squared chord.
    pub(crate) fn disc(&self) -> (Unit, f64) {
        (self.unit, self.chord2)
    }

    fn reaches(&self, edge: &Line<f64>) -> bool {
        nearest_chord2(edge, &self.unit, f64::INFINITY) <= self.chord2
    }

    pub(crate) fn cap(&self) -> Cap {
        Cap::new(self.unit, self.radius_m)
    }
}

impl Region {
    /// Reads what `object` says of an area: exactly one of `circle`, `sector`, `geometry`, and `buffer_m` around it.
    /// `prefix` is put before the names of fields in messages. `None` when it says nothing.
    ///
    /// # Errors
    /// Every bad field.
    pub(crate) fn parse(prefix: &str, object: &Map<String, Value>) -> Result<Option<Self>, Issues> {
        let path = |name: &str| format!("{prefix}{name}");
        let buffer_m = match member(object, "buffer_m") {
            None => 0.0,
            buffer => parse_radius(&path("buffer_m"), buffer)?,
        };
        match (member(object, "circle"), member(object, "sector"), member(object, "geometry")) {
            (None, None, None) if buffer_m > 0.0 => {
                Err(issue(&path("buffer_m"), "there is nothing to be around of"))
            }
            (None, None, None) => Ok(None),
            (Some(circle), None, None) => {
                let circle = Circle::parse(&path("circle"), circle)?;
                Ok(Some(Self::Circle(Circle::new(circle.center, circle.radius_m + buffer_m))))
            }
            (None, Some(sector), None) => {
                let sector = Box::new(Sector::parse(&path("sector"), sector)?);
                Ok(Some(Self::Sector { sector, buffer_m }))
            }
            (None, None, Some(geometry)) => {
                let shape = Box::new(Shape::parse(&path("geometry"), geometry)?);
                Ok(Some(Self::Shape { shape, buffer_m }))
            }
            (Some(_), ..) => Err(issue(&path("circle"), "only one of circle, sector and geometry is taken")),
            (None, Some(_), Some(_)) => {
                Err(issue(&path("sector"), "only one of circle, sector and geometry is taken"))
            }
        }
    }

    pub(crate) fn holds(&self, point: Point) -> bool {
        self.reaches(point, 0.0)
    }

    /// Whether a place is in the region, or not farther from it than this.
    pub(crate) fn reaches(&self, point: Point, beyond_m: f64) -> bool {
        match self {
            Self::Circle(circle) if beyond_m == 0.0 => circle.holds(&point.unit()),
            Self::Circle(circle) => {
                Circle::new(circle.center, circle.radius_m + beyond_m).holds(&point.unit())
            }
            Self::Sector { sector, buffer_m } => {
                let unit = point.unit();
                sector.holds(&unit) || sector.border_chord2(&unit) <= chord2_of(buffer_m + beyond_m)
            }
            Self::Shape { shape, buffer_m } if buffer_m + beyond_m > 0.0 => {
                shape.reaches(point, chord2_of(buffer_m + beyond_m))
            }
            Self::Shape { shape, .. } => shape.contains(point),
        }
    }

    /// Metres to the edge, from inside or outside. Inside a buffered shape the buffer is added to the way to the
    /// shape's own border.
    pub(crate) fn border_distance_m(&self, point: Point) -> f64 {
        let buffered = |border_m: f64, buffer_m: f64, inside: bool| {
            if buffer_m > 0.0 && inside { border_m + buffer_m } else { (border_m - buffer_m).abs() }
        };
        match self {
            Self::Circle(circle) => (circle.center.distance_m(point) - circle.radius_m).abs(),
            Self::Sector { sector, buffer_m } => {
                let unit = point.unit();
                buffered(distance_of_chord2(sector.border_chord2(&unit)), *buffer_m, sector.holds(&unit))
            }
            Self::Shape { shape, buffer_m } => {
                let inside = *buffer_m > 0.0 && shape.contains(point);
                buffered(shape.border_distance_m(point), *buffer_m, inside)
            }
        }
    }

    /// Whether a place or shape shares ground with the region.
    pub(crate) fn meets(&self, other: &Shape) -> bool {
        match (self, other.as_point()) {
            (_, Some(point)) => self.holds(point),
            (Self::Circle(circle), None) => circle.meets(other),
            (Self::Shape { shape, buffer_m }, None) if *buffer_m == 0.0 => shape.intersects(other),
            (region, None) => {
                other.points.iter().any(|point| region.holds(*point))
                    || other.edges().any(|edge| region.meets_edge(&edge))
                    || region.anchors().into_iter().any(|place| other.contains(place))
            }
        }
    }

    /// Whether some place of an edge, which is straight in longitude and latitude, lies in the region.
    pub(crate) fn meets_edge(&self, edge: &Line<f64>) -> bool {
        let start = crate::shape::place_of(edge.start);
        match self {
            Self::Circle(circle) => circle.reaches(edge),
            Self::Sector { sector, buffer_m } => {
                self.holds(start)
                    || nearest_to(edge, f64::INFINITY, |at| sector.chord2(at))
                        <= chord2_of(*buffer_m).max(TOUCH_CHORD2)
            }
            Self::Shape { shape, buffer_m } if *buffer_m == 0.0 => {
                let line = geo::LineString(vec![edge.start, edge.end]);
                shape.intersects(&Shape::new(Vec::new(), vec![line], Vec::new()))
            }
            Self::Shape { shape, buffer_m } => {
                let limit = chord2_of(*buffer_m);
                self.holds(start)
                    || shape
                        .points
                        .iter()
                        .any(|point| nearest_chord2(edge, &point.unit(), f64::INFINITY) <= limit)
                    || shape.edges().any(|own| {
                        nearest_to(edge, f64::INFINITY, |at| nearest_chord2(&own, at, f64::INFINITY)) <= limit
                    })
            }
        }
    }

    /// How many drawn edges there are to hold a place against.
    pub(crate) fn edge_count(&self) -> usize {
        match self {
            Self::Circle(_) | Self::Sector { .. } => 0,
            Self::Shape { shape, .. } => shape.edges().count(),
        }
    }

    /// A place of each of its parts.
    fn anchors(&self) -> Vec<Point> {
        match self {
            Self::Circle(circle) => vec![circle.center],
            Self::Sector { sector, .. } => vec![sector.center],
            Self::Shape { shape, .. } => shape.anchors().collect(),
        }
    }

    /// Metres from the middle of the region to a place or shape; 0 when the middle lies in it.
    pub(crate) fn distance_from_middle_m(&self, other: &Shape) -> f64 {
        let from = |center: Point| match other.as_point() {
            Some(point) => center.distance_m(point),
            None => other.distance_m(center),
        };
        match (self, other.as_point()) {
            (Self::Circle(circle), _) => from(circle.center),
            (Self::Sector { sector, .. }, _) => from(sector.center),
            (Self::Shape { shape, .. }, Some(point)) => shape.middle().distance_m(&point.unit()),
            (Self::Shape { shape, .. }, None) => shape.middle().distance_m(&other.middle()),
        }
    }

    pub(crate) fn extents(&self) -> Vec<Extent> {
        match self {
            Self::Circle(circle) => vec![Extent::of_point(circle.center).widened(circle.radius_m)],
            Self::Sector { sector, buffer_m } => {
                vec![Extent::of_point(sector.center).widened(sector.radius_m + buffer_m)]
            }
            Self::Shape { shape, buffer_m } => {
                shape.extents().iter().map(|extent| extent.widened(*buffer_m)).collect()
            }
        }
    }

    pub(crate) fn caps(&self) -> Vec<Cap> {
        match self {
            Self::Circle(circle) => vec![circle.cap()],
            Self::Sector { sector, buffer_m } => vec![sector.cap().widened(*buffer_m)],
            Self::Shape { shape, buffer_m } => {
                shape.extents().iter().map(|extent| extent.cap().widened(*buffer_m)).collect()
            }
        }
    }
}

/// A radius or buffer in metres, 0 or more.
pub(crate) fn parse_radius(path: &str, value: Option<&Value>) -> Result<f64, Issues> {
    match value.and_then(Value::as_f64) {
        Some(metres) if metres.is_finite() && metres >= 0.0 => Ok(metres.min(RADIUS_M_MAX)),
        Some(metres) => Err(issue(path, &format!("{metres} is not a distance of 0 metres or more"))),
        None => Err(issue(path, "must be a number of metres")),
    }
}

/// A member that is present and not null.
pub(crate) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}
