//! Distances of the oracle: haversine in f64 on the sphere of the contract, by its own code path.

/// The sphere of every distance and radius, in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Longitude and latitude in degrees.
pub(crate) type Place = (f64, f64);

/// A coordinate as the program keeps it: to 1e-7 degree, longitudes in [-180, 180).
pub(crate) fn kept((lon, lat): Place) -> Place {
    let (lon, lat) = ((lon * 1e7).round(), (lat * 1e7).round());
    let lon = if lon >= 1_800_000_000.0 { lon - 3_600_000_000.0 } else { lon };
    (lon / 1e7, lat / 1e7)
}

/// Great-circle distance in metres.
pub(crate) fn distance_m(a: Place, b: Place) -> f64 {
    let (lat_a, lat_b) = (a.1.to_radians(), b.1.to_radians());
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin();
    let (lat_half, lon_half) = (half(b.1 - a.1), half(b.0 - a.0));
    let square = lat_half * lat_half + lat_a.cos() * lat_b.cos() * lon_half * lon_half;
    2.0 * EARTH_RADIUS_M * square.sqrt().min(1.0).asin()
}

/// The difference of latitude in degrees beyond which nothing is within so many metres.
pub(crate) fn reach_deg(radius_m: f64) -> f64 {
    (radius_m / EARTH_RADIUS_M).to_degrees() * 1.000_001 + 1e-9
}

/// The place so many metres from another in a direction (degrees clockwise from north).
pub(crate) fn destination((lon, lat): Place, bearing_deg: f64, metres: f64) -> Place {
    let (angle, bearing) = (metres / EARTH_RADIUS_M, bearing_deg.to_radians());
    let (lat, lon) = (lat.to_radians(), lon.to_radians());
    let to_lat = (lat.sin() * angle.cos() + lat.cos() * angle.sin() * bearing.cos()).asin();
    let to_lon =
        lon + (bearing.sin() * angle.sin() * lat.cos()).atan2(angle.cos() - lat.sin() * to_lat.sin());
    let degrees = (to_lon.to_degrees() + 540.0).rem_euclid(360.0) - 180.0;
    kept((degrees, to_lat.to_degrees()))
}

#[test]
fn distances_are_those_of_the_sphere() {
    let quarter_m = EARTH_RADIUS_M * std::f64::consts::FRAC_PI_2;
    let check = |a: Place, b: Place, wanted_m: f64| {
        let got_m = distance_m(a, b);
        assert!((got_m - wanted_m).abs() < 1e-3, "{a:?} {b:?}: {got_m}, not {wanted_m}");
    };
    check((0.0, 0.0), (90.0, 0.0), quarter_m);
    check((179.0, 0.0), (-179.0, 0.0), quarter_m / 45.0);
    check((10.0, 89.0), (-170.0, 89.0), quarter_m / 45.0);
    check((13.0, 90.0), (77.0, 90.0), 0.0);
    let from = (179.99, 89.5);
    for bearing in [0.0, 45.0, 90.0, 200.0, 359.0] {
        let got_m = distance_m(from, destination(from, bearing, 70_000.0));
        assert!((got_m - 70_000.0).abs() < 0.1, "{bearing}: {got_m}");
    }
}
