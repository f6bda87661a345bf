//! Made-up fleets. Each device has a state of its own; a round moves every device once.
//!
//! `uniform`: 100 km by 100 km, steps of up to 55 m any way. `cities`: 200 cities over Europe, the n-th with 1/n of the
//! devices, around each a Gaussian of 2 to 15 km; devices walk, cycle or drive and turn home when far out. `roads`: a
//! lattice of streets 200 m apart; devices go at the speed of their class and may turn where streets cross. `stadium`:
//! everybody within 100 m, milling about.

use fastrand::Rng;

use super::{Fix, Kind};

const METRES_OF_DEGREE: f64 = 111_194.93;
const CITIES: usize = 200;
const STREET_M: f64 = 200.0;
/// Time between two fixes of a device.
const ROUND_MS: u64 = 1_000;
/// Metres a second: on foot, by bicycle, by car.
const SPEEDS: [f64; 3] = [1.4, 5.0, 14.0];

/// Devices that move.
pub(super) struct Fleet {
    kind: Kind,
    rng: Rng,
    movers: Vec<Mover>,
    next: usize,
    rounds: u64,
}

struct Mover {
    home: (f64, f64),
    /// Metres east and north of home.
    at: (f64, f64),
    heading: f64,
    speed: f64,
    reach_m: f64,
}

impl Fleet {
    pub(super) fn new(kind: Kind, devices: u64, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let cities = cities(&mut rng);
        let movers = (0..devices).map(|_| mover(kind, &cities, &mut rng)).collect();
        Self { kind, rng, movers, next: 0, rounds: 0 }
    }

    /// The next fixes, each device in turn; `began_ms` is the time of the first round.
    pub(super) fn batch(&mut self, count: usize, began_ms: u64) -> Vec<Fix> {
        (0..count).map(|_| self.fix(began_ms)).collect()
    }

    fn fix(&mut self, began_ms: u64) -> Fix {
        let (number, at_ms) = (self.next, began_ms + self.rounds * ROUND_MS);
        self.next += 1;
        if self.next >= self.movers.len() {
            (self.next, self.rounds) = (0, self.rounds + 1);
        }
        let (kind, rng) = (self.kind, &mut self.rng);
        let Some(mover) = self.movers.get_mut(number) else { return Fix::nowhere(number, at_ms) };
        mover.step(kind, rng);
        let (lon, lat) = mover.place();
        Fix {
            device: format!("{}-{number:07}", kind.letter()),
            lon,
            lat,
            at_ms,
            speed: Some((mover.speed * 10.0).round() / 10.0),
            heading: Some(mover.heading.round()),
        }
    }
}

impl Fix {
    fn nowhere(number: usize, at_ms: u64) -> Self {
        Self { device: format!("x-{number:07}"), lon: 0.0, lat: 0.0, at_ms, speed: None, heading: None }
    }
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Uniform => 'u',
            Self::Cities => 'c',
            Self::Roads => 'r',
            Self::Stadium => 's',
        }
    }
}

/// Middle, width in metres, and how many devices up to and including this city, of one.
type City = ((f64, f64), f64, f64);

fn cities(rng: &mut Rng) -> Vec<City> {
    let total: f64 = (1..=CITIES).map(|rank| 1.0 / rank as f64).sum();
    let mut share = 0.0;
    let city = |rank: usize| {
        share += 1.0 / rank as f64 / total;
        let middle = (between(rng, -9.0, 28.0), between(rng, 38.0, 60.0));
        (middle, between(rng, 2_000.0, 15_000.0), share)
    };
    (1..=CITIES).map(city).collect()
}

fn mover(kind: Kind, cities: &[City], rng: &mut Rng) -> Mover {
    let class = SPEEDS.get(rng.usize(0..SPEEDS.len())).copied().unwrap_or(1.4);
    let heading = rng.f64() * 360.0;
    match kind {
        Kind::Uniform => {
            let at = (between(rng, -50e3, 50e3), between(rng, -50e3, 50e3));
            Mover { home: (-112.5, 33.5), at, heading, speed: 27.5, reach_m: 50e3 }
        }
        Kind::Cities => {
            let chosen = rng.f64();
            let city = cities.iter().find(|(_, _, share)| chosen <= *share).or(cities.last());
            let (home, width, _) = city.copied().unwrap_or(((0.0, 50.0), 5_000.0, 1.0));
            let at = (gauss(rng) * width, gauss(rng) * width);
            Mover { home, at, heading, speed: class, reach_m: width * 3.0 }
        }
        Kind::Roads => {
            let street = |rng: &mut Rng| (between(rng, -10e3, 10e3) / STREET_M).round() * STREET_M;
            let at = (street(rng), street(rng));
            Mover {
                home: (2.35, 48.86),
                at,
                heading: f64::from(rng.u8(0..4)) * 90.0,
                speed: class,
                reach_m: 10e3,
            }
        }
        Kind::Stadium => {
            let (turn, out) = (rng.f64() * std::f64::consts::TAU, 100.0 * rng.f64().sqrt());
            let at = (out * turn.cos(), out * turn.sin());
            Mover { home: (11.6247, 48.2188), at, heading, speed: 0.5, reach_m: 100.0 }
        }
    }
}

impl Mover {
    fn step(&mut self, kind: Kind, rng: &mut Rng) {
        match kind {
            Kind::Roads => self.along_streets(rng),
            Kind::Uniform => {
                (self.heading, self.speed) = (rng.f64() * 360.0, rng.f64() * 55.0);
                self.ahead(self.speed);
            }
            Kind::Cities | Kind::Stadium => {
                self.heading = (self.heading + gauss(rng) * 15.0).rem_euclid(360.0);
                self.ahead(self.speed);
            }
        }
        if kind != Kind::Roads && self.at.0.hypot(self.at.1) > self.reach_m * 1.5 {
            // Too far out: back the way to home.
            self.heading = (-self.at.0).atan2(-self.at.1).to_degrees().rem_euclid(360.0);
        }
    }

    fn ahead(&mut self, metres: f64) {
        let heading = self.heading.to_radians();
        self.at = (self.at.0 + metres * heading.sin(), self.at.1 + metres * heading.cos());
    }

    /// Goes on to the next crossing at the most, where it may turn.
    fn along_streets(&mut self, rng: &mut Rng) {
        let on = |place: f64| (place / STREET_M).round() * STREET_M;
        // Off the streets by rounding only.
        let north = self.heading % 180.0 == 0.0;
        self.at = if north { (on(self.at.0), self.at.1) } else { (self.at.0, on(self.at.1)) };
        let place = if north { self.at.1 } else { self.at.0 };
        let forward = self.heading < 180.0;
        let cell = place / STREET_M;
        let crossing =
            if forward { (cell + 1e-9).floor() + 1.0 } else { (cell - 1e-9).ceil() - 1.0 } * STREET_M;
        let left = (crossing - place).abs();
        if left > self.speed {
            self.ahead(self.speed);
            return;
        }
        self.ahead(left);
        let (east, north) = self.at;
        if east.abs().max(north.abs()) > self.reach_m {
            // Too far out: turn towards home.
            self.heading = match (east.abs() > north.abs(), east > 0.0, north > 0.0) {
                (true, true, _) => 270.0,
                (true, false, _) => 90.0,
                (false, _, true) => 180.0,
                (false, _, false) => 0.0,
            };
        } else if rng.f64() < 0.4 {
            let turn = if rng.bool() { 90.0 } else { 270.0 };
            self.heading = (self.heading + turn).rem_euclid(360.0);
        }
    }

    fn place(&self) -> (f64, f64) {
        let lat = self.home.1 + self.at.1 / METRES_OF_DEGREE;
        let lon = self.home.0 + self.at.0 / (METRES_OF_DEGREE * self.home.1.to_radians().cos());
        let exact = |degrees: f64| (degrees * 1e7).round() / 1e7;
        (exact((lon + 540.0).rem_euclid(360.0) - 180.0), exact(lat.clamp(-90.0, 90.0)))
    }
}

fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.f64()
}

/// Of mean 0 and deviation 1 (Box and Muller).
fn gauss(rng: &mut Rng) -> f64 {
    let (a, b) = (1.0 - rng.f64(), rng.f64());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Uniform, Kind::Cities, Kind::Roads, Kind::Stadium];

    #[test]
    fn the_same_seed_gives_the_same_fixes() {
        for kind in KINDS {
            let fixes = |seed| Fleet::new(kind, 50, seed).batch(500, 1_000);
            assert_eq!(fixes(7), fixes(7));
            assert_ne!(fixes(7), fixes(8));
            assert_eq!(fixes(7).iter().filter(|fix| fix.device.ends_with("-0000003")).count(), 10);
        }
    }

    #[test]
    fn devices_move_as_their_kind_does() {
        let metres = |a: &Fix, b: &Fix| {
            let east = (a.lon - b.lon) * METRES_OF_DEGREE * a.lat.to_radians().cos();
            east.hypot((a.lat - b.lat) * METRES_OF_DEGREE)
        };
        for (kind, most) in KINDS.into_iter().zip([55.5, 14.5, 14.5, 0.6]) {
            let fixes = Fleet::new(kind, 20, 3).batch(20 * 200, 0);
            for (earlier, later) in fixes.iter().zip(fixes.iter().skip(20)) {
                assert_eq!((&earlier.device, earlier.at_ms + ROUND_MS), (&later.device, later.at_ms));
                assert!(metres(earlier, later) <= most, "{kind:?}: {} m", metres(earlier, later));
            }
        }
        let stadium = Fleet::new(Kind::Stadium, 1_000, 3).batch(1_000, 0);
        assert!(stadium.iter().all(|fix| metres(fix, &stadium[0]) < 300.0));
    }

    #[test]
    fn roads_are_kept() {
        for fix in Fleet::new(Kind::Roads, 40, 5).batch(40 * 300, 0) {
            let north = (fix.lat - 48.86) * METRES_OF_DEGREE / STREET_M;
            let east = (fix.lon - 2.35) * METRES_OF_DEGREE * 48.86_f64.to_radians().cos() / STREET_M;
            let off = |streets: f64| (streets - streets.round()).abs() * STREET_M;
            assert!(off(north).min(off(east)) < 0.5, "{fix:?}");
        }
    }
}
