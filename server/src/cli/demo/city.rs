//! The cities of the demonstration.

/// Metres of one degree of latitude on a sphere of 6 371 008.8 m.
const DEGREE_M: f64 = 111_195.08;

/// A city: where its centre is, how its streets lie, what people pay with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct City {
    pub(crate) name: &'static str,
    /// Beginning of the ids of its devices.
    pub(crate) slug: &'static str,
    /// Degrees.
    pub(crate) lon: f64,
    /// Degrees.
    pub(crate) lat: f64,
    /// Direction of its streets, degrees clockwise from north.
    pub(crate) bearing: f64,
    /// Length of a block.
    pub(crate) block_m: f64,
    pub(crate) currency: &'static str,
    /// How much of it one euro is, roughly.
    pub(crate) per_euro: f64,
}

const fn city(
    name: &'static str,
    slug: &'static str,
    (lon, lat): (f64, f64),
    (bearing, block_m): (f64, f64),
    (currency, per_euro): (&'static str, f64),
) -> City {
    City { name, slug, lon, lat, bearing, block_m, currency, per_euro }
}

/// Centres as any atlas has them, to a hundred metres.
pub(crate) const CITIES: [City; 12] = [
    city("Berlin", "berlin", (13.405, 52.52), (12.0, 140.0), ("EUR", 1.0)),
    city("Paris", "paris", (2.3522, 48.8566), (26.0, 110.0), ("EUR", 1.0)),
    city("London", "london", (-0.1276, 51.5072), (38.0, 120.0), ("GBP", 0.85)),
    city("Madrid", "madrid", (-3.7038, 40.4168), (8.0, 105.0), ("EUR", 1.0)),
    city("Warsaw", "warsaw", (21.0122, 52.2297), (19.0, 150.0), ("PLN", 4.3)),
    city("New York", "new-york", (-73.9857, 40.7484), (29.0, 160.0), ("USD", 1.1)),
    city("Mexico City", "mexico-city", (-99.1332, 19.4326), (8.0, 130.0), ("MXN", 20.0)),
    city("Sao Paulo", "sao-paulo", (-46.6333, -23.5505), (34.0, 120.0), ("BRL", 6.0)),
    city("Nairobi", "nairobi", (36.8219, -1.2921), (41.0, 170.0), ("KES", 140.0)),
    city("Delhi", "delhi", (77.2167, 28.6328), (3.0, 140.0), ("INR", 92.0)),
    city("Tokyo", "tokyo", (139.7003, 35.6896), (16.0, 100.0), ("JPY", 162.0)),
    city("Melbourne", "melbourne", (144.9631, -37.8136), (70.0, 130.0), ("AUD", 1.65)),
];

impl City {
    /// The place so many metres east and north of the centre: longitude, latitude, to a decimetre.
    pub(crate) fn place(&self, east_m: f64, north_m: f64) -> [f64; 2] {
        let lat = self.lat + north_m / DEGREE_M;
        let lon = self.lon + east_m / (DEGREE_M * self.lat.to_radians().cos());
        [rounded(lon), rounded(lat)]
    }
}

fn rounded(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

/// On the sphere, by the haversine.
#[cfg(test)]
pub(crate) fn distance_m([lon_a, lat_a]: [f64; 2], [lon_b, lat_b]: [f64; 2]) -> f64 {
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let chord = half(lat_a, lat_b) + lat_a.to_radians().cos() * lat_b.to_radians().cos() * half(lon_a, lon_b);
    2.0 * 6_371_008.8 * chord.sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metres_are_metres_and_cities_are_apart() {
        for city in &CITIES {
            let centre = city.place(0.0, 0.0);
            assert!((distance_m(centre, city.place(3000.0, 4000.0)) - 5000.0).abs() < 10.0, "{}", city.name);
            let others = CITIES.iter().filter(|other| other.slug != city.slug);
            for other in others {
                assert!(
                    distance_m(centre, other.place(0.0, 0.0)) > 100_000.0,
                    "{} {}",
                    city.name,
                    other.name
                );
            }
        }
    }
}
