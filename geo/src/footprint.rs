//! The ground that a stored document stands on: a shape and a margin around it.

use serde_json::Value;

use crate::bounds::{Cap, Extent};
use crate::fence::Fence;
use crate::region::Region;
use crate::shape::Shape;

/// A shape and the metres around it that belong to it; a circle is a point with a margin.
#[derive(Clone, Debug)]
pub struct Footprint {
    pub(crate) shape: Shape,
    pub(crate) margin_m: f64,
}

impl Footprint {
    /// Of a fence document; `None` for one that has no area of its own.
    #[must_use]
    pub fn of_fence(body: &Value) -> Option<Self> {
        Some(Self::of_region(&Fence::parse(body).ok()?.region))
    }

    fn of_region(region: &Region) -> Self {
        match region {
            Region::Circle(circle) => {
                Self { shape: Shape::of_point(circle.center), margin_m: circle.radius_m }
            }
            Region::Shape { shape, buffer_m } => Self { shape: (**shape).clone(), margin_m: *buffer_m },
        }
    }

    /// Circles on the sphere that hold it.
    pub(crate) fn caps(&self) -> impl Iterator<Item = Cap> + '_ {
        let margin_m = self.margin_m;
        self.shape.extents().iter().map(Extent::cap).map(move |cap| cap.widened(margin_m))
    }
}

impl From<Shape> for Footprint {
    fn from(shape: Shape) -> Self {
        Self { shape, margin_m: 0.0 }
    }
}
