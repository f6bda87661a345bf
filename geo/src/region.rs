//! The area of a fence or of a standing query: a circle, or a shape with an optional buffer around it.

use serde_json::{Map, Value};

use crate::bounds::{Cap, Extent};
use crate::geojson::parse_position;
use crate::issue::{Collect, Issues, issue};
use crate::point::{Point, Unit, chord2_of};
use crate::shape::Shape;

/// Half the earth's circumference: a larger radius means the same.
pub(crate) const RADIUS_M_MAX: f64 = 20_015_200.0;

#[derive(Clone, Debug)]
pub(crate) enum Region {
    Circle(Circle),
    Shape { shape: Box<Shape>, buffer_m: f64 },
}

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

    pub(crate) fn cap(&self) -> Cap {
        Cap::new(self.unit, self.radius_m)
    }
}

impl Region {
    pub(crate) fn holds(&self, point: Point) -> bool {
        match self {
            Self::Circle(circle) => circle.holds(&point.unit()),
            Self::Shape { shape, buffer_m } if *buffer_m > 0.0 => shape.reaches(point, chord2_of(*buffer_m)),
            Self::Shape { shape, .. } => shape.contains(point),
        }
    }

    /// Metres to the edge, from inside or outside. Inside a buffered shape the buffer is added to the way to the
    /// shape's own border.
    pub(crate) fn border_distance_m(&self, point: Point) -> f64 {
        match self {
            Self::Circle(circle) => (circle.center.distance_m(point) - circle.radius_m).abs(),
            Self::Shape { shape, buffer_m } => {
                let border_m = shape.border_distance_m(point);
                if *buffer_m > 0.0 && shape.contains(point) {
                    border_m + buffer_m
                } else {
                    (border_m - buffer_m).abs()
                }
            }
        }
    }

    /// Whether a place or shape shares ground with the region.
    pub(crate) fn meets(&self, other: &Shape) -> bool {
        match (self, other.as_point()) {
            (_, Some(point)) => self.holds(point),
            (Self::Circle(circle), None) => circle.meets(other),
            (Self::Shape { shape, .. }, None) => shape.intersects(other),
        }
    }

    /// Metres from the middle of the region to a place or shape; 0 when the middle lies in it.
    pub(crate) fn distance_from_middle_m(&self, other: &Shape) -> f64 {
        match (self, other.as_point()) {
            (Self::Circle(circle), None) => other.distance_m(circle.center),
            (Self::Circle(circle), Some(point)) => circle.center.distance_m(point),
            (Self::Shape { shape, .. }, Some(point)) => shape.middle().distance_m(&point.unit()),
            (Self::Shape { shape, .. }, None) => shape.middle().distance_m(&other.middle()),
        }
    }

    pub(crate) fn extents(&self) -> Vec<Extent> {
        match self {
            Self::Circle(circle) => vec![Extent::of_point(circle.center).widened(circle.radius_m)],
            Self::Shape { shape, buffer_m } => {
                shape.extents().iter().map(|extent| extent.widened(*buffer_m)).collect()
            }
        }
    }

    pub(crate) fn caps(&self) -> Vec<Cap> {
        match self {
            Self::Circle(circle) => vec![circle.cap()],
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
