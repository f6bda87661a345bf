//! Validated coordinates and distances on the sphere.
//!
//! A coordinate is kept as `i32` in 1e-7 degree (1.1 cm on the ground), so that equality, ordering and the
//! stored bytes are exact. Longitudes are kept in [-180, 180): 180 and -180 are one place.
//! Distances are metres along great circles of a sphere of [`EARTH_RADIUS_M`]; against WGS-84 that is wrong by
//! at most 0.56 %. Every radius test is `chord^2 <= limit^2` between unit vectors, so the antimeridian and the
//! poles are ordinary places and a point exactly on a circle is inside it.

use std::fmt;

use crate::turn::sin_cos;

/// Mean radius of the earth in metres: the sphere of every distance and radius.
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// How many steps of the stored coordinate one degree has.
pub(crate) const UNITS_PER_DEGREE: f64 = 1e7;
/// The full turn, half turn and quarter turn in stored units.
pub(crate) const TURN: i64 = 3_600_000_000;
pub(crate) const HALF_TURN: i64 = TURN / 2;
pub(crate) const QUARTER_TURN: i64 = TURN / 4;

/// A place on the earth, exact to 1e-7 degree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    lon: i32,
    lat: i32,
}

impl Point {
    /// Checks and rounds a longitude and a latitude in degrees.
    ///
    /// # Errors
    /// A message naming the bad value when one is not finite, |lon| > 180 or |lat| > 90.
    pub fn new(lon_deg: f64, lat_deg: f64) -> Result<Self, String> {
        let (lon, lat) = units(lon_deg, lat_deg)?;
        Ok(Self::from_units(lon, lat))
    }

    /// From stored units that `units` has checked; folds 180 to -180.
    pub(crate) fn from_units(lon: i64, lat: i64) -> Self {
        let lon = if lon >= HALF_TURN { lon - TURN } else { lon };
        debug_assert!((-HALF_TURN..HALF_TURN).contains(&lon) && lat.abs() <= QUARTER_TURN);
        Self { lon: i32::try_from(lon).unwrap_or(0), lat: i32::try_from(lat).unwrap_or(0) }
    }

    /// From bytes of a log or a snapshot.
    pub(crate) fn from_stored(lon: i32, lat: i32) -> Option<Self> {
        let in_range =
            (-HALF_TURN..HALF_TURN).contains(&i64::from(lon)) && i64::from(lat).abs() <= QUARTER_TURN;
        in_range.then_some(Self { lon, lat })
    }

    /// Longitude in degrees, in [-180, 180).
    #[must_use]
    pub fn lon(self) -> f64 {
        f64::from(self.lon) / UNITS_PER_DEGREE
    }

    /// Latitude in degrees, in [-90, 90].
    #[must_use]
    pub fn lat(self) -> f64 {
        f64::from(self.lat) / UNITS_PER_DEGREE
    }

    pub(crate) fn lon_units(self) -> i32 {
        self.lon
    }

    pub(crate) fn lat_units(self) -> i32 {
        self.lat
    }

    /// Great-circle distance in metres.
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        self.unit().distance_m(&other.unit())
    }

    /// Which pole this is, if it is one: there the longitude means nothing.
    pub(crate) fn pole(self) -> Option<Pole> {
        Pole::at(i64::from(self.lat))
    }

    pub(crate) fn unit(self) -> Unit {
        match self.pole() {
            Some(Pole::North) => Unit([0.0, 0.0, 1.0]),
            Some(Pole::South) => Unit([0.0, 0.0, -1.0]),
            None => Unit::of_angles(sin_cos(self.lon), sin_cos(self.lat)),
        }
    }

    /// Longitude and latitude in degrees of what lies an angle away in a direction, clockwise from north, both in
    /// radians. The longitude is next to that of the place, so it may pass 180.
    pub(crate) fn ahead(self, bearing: f64, angle: f64) -> [f64; 2] {
        let (lon, lat) = (self.lon().to_radians(), self.lat().to_radians());
        let sine = lat.sin() * angle.cos() + lat.cos() * angle.sin() * bearing.cos();
        let to_lat = sine.clamp(-1.0, 1.0).asin();
        let turn = (bearing.sin() * angle.sin() * lat.cos()).atan2(angle.cos() - lat.sin() * to_lat.sin());
        [(lon + turn).to_degrees(), to_lat.to_degrees()]
    }

    /// That place, for tests.
    #[cfg(test)]
    pub(crate) fn place_ahead(self, bearing: f64, angle: f64) -> Self {
        let [lon, lat] = self.ahead(bearing, angle);
        Self::new((lon + 540.0).rem_euclid(360.0) - 180.0, lat).unwrap()
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.lon(), self.lat())
    }
}

/// Rounds degrees to stored units; keeps 180 apart from -180, which rings need to tell.
pub(crate) fn units(lon_deg: f64, lat_deg: f64) -> Result<(i64, i64), String> {
    if lon_deg.is_nan() || lon_deg.abs() > 180.0 {
        return Err(format!("longitude {lon_deg} is not within -180 to 180"));
    }
    if lat_deg.is_nan() || lat_deg.abs() > 90.0 {
        return Err(format!("latitude {lat_deg} is not within -90 to 90"));
    }
    Ok(((lon_deg * UNITS_PER_DEGREE).round() as i64, (lat_deg * UNITS_PER_DEGREE).round() as i64))
}

/// One of the two points where longitude means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pole {
    North,
    South,
}

impl Pole {
    pub(crate) fn at(lat: i64) -> Option<Self> {
        match lat {
            QUARTER_TURN => Some(Self::North),
            lat if lat == -QUARTER_TURN => Some(Self::South),
            _ => None,
        }
    }

    pub(crate) fn lat(self) -> i64 {
        match self {
            Self::North => QUARTER_TURN,
            Self::South => -QUARTER_TURN,
        }
    }
}

/// A place as a vector of length one: x to longitude 0, y to 90 east, z to the north pole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unit(pub(crate) [f64; 3]);

impl Unit {
    pub(crate) fn of_radians(lon: f64, lat: f64) -> Self {
        Self::of_angles(lon.sin_cos(), lat.sin_cos())
    }

    fn of_angles((lon_sin, lon_cos): (f64, f64), (lat_sin, lat_cos): (f64, f64)) -> Self {
        Self([lat_cos * lon_cos, lat_cos * lon_sin, lat_sin])
    }

    /// Square of the straight line through the earth, in earth radii: 0 to 4.
    pub(crate) fn chord2(&self, other: &Self) -> f64 {
        let ([ax, ay, az], [bx, by, bz]) = (self.0, other.0);
        let (x, y, z) = (ax - bx, ay - by, az - bz);
        x * x + y * y + z * z
    }

    /// The place it points at, to the nearest stored coordinate.
    pub(crate) fn point(&self) -> Point {
        let [x, y, z] = self.0;
        let units = |radians: f64| (radians.to_degrees() * UNITS_PER_DEGREE).round() as i64;
        let lat = units(z.atan2(x.hypot(y))).clamp(-QUARTER_TURN, QUARTER_TURN);
        Point::from_units(units(y.atan2(x)).clamp(-HALF_TURN, HALF_TURN), lat)
    }

    pub(crate) fn distance_m(&self, other: &Self) -> f64 {
        distance_of_chord2(self.chord2(other))
    }
}

/// The limit of the radius test for a radius in metres; anything reaches half round the earth.
pub(crate) fn chord2_of(radius_m: f64) -> f64 {
    let half_angle = radius_m / EARTH_RADIUS_M / 2.0;
    if half_angle >= std::f64::consts::FRAC_PI_2 {
        return f64::INFINITY;
    }
    let half_chord = half_angle.sin();
    4.0 * half_chord * half_chord
}

pub(crate) fn distance_of_chord2(chord2: f64) -> f64 {
    let half = (chord2.sqrt() / 2.0).min(1.0);
    2.0 * EARTH_RADIUS_M * if half < SHORT { arc_of_short(half) } else { half.asin() }
}

/// Half a chord in earth radii, of 255 km, up to which five terms of the arc sine are all that a float can hold.
const SHORT: f64 = 0.02;

fn arc_of_short(x: f64) -> f64 {
    let z = x * x;
    x + x * z * (1.0 / 6.0 + z * (3.0 / 40.0 + z * (5.0 / 112.0 + z * (35.0 / 1152.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lon: f64, lat: f64) -> Point {
        Point::new(lon, lat).unwrap()
    }

    #[test]
    fn refuses_what_is_not_on_the_earth() {
        for (lon, lat) in [
            (180.1, 0.0),
            (-181.0, 0.0),
            (0.0, 90.000_1),
            (f64::NAN, 0.0),
            (0.0, f64::NAN),
            (f64::INFINITY, 0.0),
        ] {
            assert!(Point::new(lon, lat).is_err(), "{lon} {lat}");
        }
        assert_eq!(at(180.0, 5.0), at(-180.0, 5.0));
        assert_eq!(at(179.999_999_99, 5.0), at(-180.0, 5.0));
        assert_eq!(at(13.405, 52.52).lon(), 13.405);
    }

    #[test]
    fn distances_follow_the_sphere() {
        let check = |a: Point, b: Point, metres: f64| {
            let got = a.distance_m(b);
            assert!((got - metres).abs() < 1e-3, "{a:?} {b:?}: {got} is not {metres}");
            assert!((got - b.distance_m(a)).abs() < 1e-9);
        };
        let degree = EARTH_RADIUS_M.to_radians();
        check(at(0.0, 0.0), at(1.0, 0.0), degree);
        check(at(179.5, 0.0), at(-179.5, 0.0), degree);
        check(at(0.0, 89.5), at(180.0, 89.5), degree);
        check(at(17.0, 90.0), at(-120.0, 90.0), 0.0);
        check(at(0.0, -90.0), at(55.0, -89.0), degree);
        check(at(0.0, 0.0), at(180.0, 0.0), 180.0 * degree);
    }

    #[test]
    fn short_arcs_are_the_arc_sine() {
        for step in 0..20_000_u32 {
            let x = f64::from(step) * 1e-6;
            assert!((arc_of_short(x) - x.asin()).abs() <= x * 3e-16, "{x}");
        }
    }

    #[test]
    fn radius_zero_holds_only_the_same_place() {
        let limit = chord2_of(0.0);
        for place in [at(0.0, 0.0), at(-180.0, 12.0), at(3.0, 90.0)] {
            assert!(place.unit().chord2(&place.unit()) <= limit);
        }
        assert!(at(9.0, 90.0).unit().chord2(&at(100.0, 90.0).unit()) <= limit);
        assert!(at(0.0, 0.0).unit().chord2(&at(0.000_000_1, 0.0).unit()) > limit);
        assert!(at(0.0, 0.0).unit().chord2(&at(-180.0, 0.0).unit()) <= chord2_of(20_016_000.0));
    }
}
