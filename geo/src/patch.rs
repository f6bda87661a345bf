//! A piece of the earth to look for devices in, and a cheap test that keeps out nearly all who are not there.
//!
//! Invariant: a patch may let in places outside, and never keeps out one inside.

use crate::bounds::Extent;
use crate::point::{EARTH_RADIUS_M, Point, TURN, UNITS_PER_DEGREE, chord2_of};

/// Added against rounding, in metres; the exact test that follows errs by far less.
const SLACK_M: f64 = 0.01;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    /// Holds all of it.
    pub(crate) extent: Extent,
    shape: Outline,
}

#[derive(Clone, Copy, Debug)]
enum Outline {
    Box(Extent),
    /// Between meridian and parallel through the centre a place is nearer than `limit` on a plane whose degrees of
    /// longitude have the least length they have anywhere within the radius.
    Disc {
        lon: f64,
        lat: f64,
        narrowing: f64,
        limit: f64,
    },
}

impl Patch {
    /// What lies within an extent.
    pub(crate) fn of_extent(extent: &Extent) -> Self {
        Self { extent: *extent, shape: Outline::Box(extent.widened(SLACK_M)) }
    }

    /// What is no farther from a place than `radius_m`.
    ///
    /// With x and y the differences of longitude and latitude, chord^2 = 4 sin^2(y/2) + 4 cos(lat) cos(lat') sin^2(x/2),
    /// and 4 sin^2(t/2) >= t^2 (1 - m^2/12) for t <= m <= pi. So the limit on the plane is that of the sphere over the
    /// last factor, m being the widest that x and y are within the radius.
    pub(crate) fn around(center: Point, radius_m: f64) -> Self {
        let wide_m = radius_m + SLACK_M;
        let extent = Extent::of_point(center).widened(wide_m);
        let radians = |units: f64| (units / UNITS_PER_DEGREE).to_radians();
        let width = radians((extent.east - extent.west) / 2.0);
        let farthest = width.max(wide_m / EARTH_RADIUS_M).min(std::f64::consts::PI);
        let least_cos = radians(extent.south.abs().max(extent.north.abs())).cos().max(0.0);
        let shape = Outline::Disc {
            lon: f64::from(center.lon_units()),
            lat: f64::from(center.lat_units()),
            narrowing: radians(f64::from(center.lat_units())).cos().max(0.0) * least_cos,
            limit: chord2_of(wide_m) / (1.0 - farthest * farthest / 12.0) / radians(1.0).powi(2),
        };
        Self { extent, shape }
    }

    /// Whether a place may lie in it.
    pub(crate) fn may_hold(&self, place: Point) -> bool {
        let (x, y) = (f64::from(place.lon_units()), f64::from(place.lat_units()));
        match &self.shape {
            Outline::Disc { lon, lat, narrowing, limit } => {
                let (x, y) = ((x - lon).abs(), y - lat);
                let x = x.min(TURN as f64 - x);
                y * y + narrowing * x * x <= *limit
            }
            Outline::Box(extent) => extent.may_hold(x, y),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Circle;

    /// Places at every angle around a centre, just within the radius and just beyond.
    #[test]
    fn keeps_out_nobody_within() {
        for (lon, lat) in [
            (0.0, 0.0),
            (-180.0, 0.0),
            (179.999_99, 65.0),
            (13.4, 52.5),
            (20.0, 89.999),
            (20.0, -89.999_999_9),
            (0.0, 90.0),
            (7.0, -60.0),
        ] {
            for radius_m in [0.0, 0.02, 3.0, 500.0, 40_000.0, 2_000_000.0, 9_000_000.0, 16_000_000.0, 3e7] {
                check(Point::new(lon, lat).unwrap(), radius_m);
            }
        }
    }

    fn check(center: Point, radius_m: f64) {
        let (patch, circle) = (Patch::around(center, radius_m), Circle::new(center, radius_m));
        let boxed = Patch::of_extent(&Extent::of_point(center).widened(radius_m));
        // In the middle latitudes it is close to the circle as well.
        let is_close = center.lat().abs() < 66.0 && (1.0..50_000.0).contains(&radius_m);
        for step in 0..720_u32 {
            for share in [0.0, 0.1, 0.5, 0.9, 0.999, 0.999_999, 1.0, 1.000_001, 1.001, 1.1, 1.5] {
                let bearing = (f64::from(step) / 2.0).to_radians();
                let place = center.place_ahead(bearing, radius_m * share / EARTH_RADIUS_M);
                let may = patch.may_hold(place);
                if circle.holds(&place.unit()) {
                    assert!(may, "{center:?} {radius_m} {place:?}");
                    assert!(boxed.may_hold(place), "{boxed:?} {place:?}");
                }
                assert!(!(may && is_close && share > 1.05), "{center:?} {radius_m} {place:?}");
            }
        }
    }
}
