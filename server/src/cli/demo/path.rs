//! How a device moves: along the streets of a grid, turning at crossings, waiting now and then, never far from the
//! centre. A function of its seed alone.

use super::city::City;
use super::rng::Rng;

/// Nobody goes further from the centre, by more than a block.
pub(crate) const RADIUS_M: f64 = 2_500.0;

/// What moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Walker,
    Bike,
    Van,
    Car,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Walker, Self::Bike, Self::Van, Self::Car];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Walker => "walker",
            Self::Bike => "bike",
            Self::Van => "van",
            Self::Car => "car",
        }
    }

    /// Usual speed in metres per second.
    fn speed(self) -> f64 {
        match self {
            Self::Walker => 1.5,
            Self::Bike => 4.8,
            Self::Van => 8.0,
            Self::Car => 10.5,
        }
    }
}

/// Where a device is and where it is going.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    city: &'static City,
    rng: Rng,
    speed: f64,
    /// The crossing it comes from.
    node: (i32, i32),
    /// One of north, east, south, west of the grid, 0 to 3.
    towards: usize,
    along_m: f64,
    wait_s: f64,
}

/// What the device would report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Here {
    /// Longitude, latitude.
    pub(crate) place: [f64; 2],
    /// Metres per second.
    pub(crate) speed: f64,
    /// Degrees clockwise from north.
    pub(crate) heading: f64,
}

const STEPS: [(i32, i32); 4] = [(0, 1), (1, 0), (0, -1), (-1, 0)];

impl Path {
    pub(crate) fn new(city: &'static City, kind: Kind, mut rng: Rng) -> Self {
        let blocks = (RADIUS_M * 0.7 / city.block_m) as i32;
        let start = |rng: &mut Rng| rng.below(2 * blocks.unsigned_abs() as usize + 1) as i32 - blocks;
        let node = (start(&mut rng), start(&mut rng));
        let speed = kind.speed() * rng.between(0.8, 1.2);
        let (towards, along_m) = (rng.below(4), rng.between(0.0, city.block_m));
        let mut path = Self { city, rng, speed, node, towards, along_m, wait_s: 0.0 };
        if !path.is_inside(path.towards) {
            path.turn();
        }
        path
    }

    /// Lets so many seconds go by.
    pub(crate) fn step(&mut self, seconds: f64) -> Here {
        let waited = self.wait_s.min(seconds);
        self.wait_s -= waited;
        // Nobody goes at the same pace all the time.
        let pace = self.speed * self.rng.between(0.85, 1.1);
        self.along_m += pace * (seconds - waited);
        while self.along_m >= self.city.block_m {
            self.along_m -= self.city.block_m;
            let (x, y) = self.step_towards();
            self.node = (self.node.0 + x, self.node.1 + y);
            self.turn();
            if self.speed > 3.0 && self.rng.chance(0.12) {
                self.wait_s += self.rng.between(3.0, 20.0);
                self.along_m = 0.0;
            }
        }
        let speed = if self.wait_s > 0.0 { 0.0 } else { (pace * 10.0).round() / 10.0 };
        Here { place: self.place(), speed, heading: self.heading() }
    }

    fn step_towards(&self) -> (i32, i32) {
        STEPS.get(self.towards).copied().unwrap_or((0, 1))
    }

    /// Mostly straight on, never out of the city.
    fn turn(&mut self) {
        let roll = self.rng.unit();
        let first = if roll < 0.6 {
            0
        } else if roll < 0.8 {
            1
        } else {
            3
        };
        let choices = [first, 0, 1, 3, 2].map(|turn| (self.towards + turn) % 4);
        let inside = choices.into_iter().find(|&towards| self.is_inside(towards));
        // From outside every way may lead outside: then back.
        self.towards = inside.unwrap_or((self.towards + 2) % 4);
    }

    fn is_inside(&self, towards: usize) -> bool {
        let (x, y) = STEPS.get(towards).copied().unwrap_or((0, 1));
        let block = self.city.block_m;
        let (x, y) = (f64::from(self.node.0 + x) * block, f64::from(self.node.1 + y) * block);
        x.hypot(y) <= RADIUS_M
    }

    fn place(&self) -> [f64; 2] {
        let block = self.city.block_m;
        let (dx, dy) = self.step_towards();
        let x = f64::from(self.node.0) * block + f64::from(dx) * self.along_m;
        let y = f64::from(self.node.1) * block + f64::from(dy) * self.along_m;
        let (sin, cos) = self.city.bearing.to_radians().sin_cos();
        self.city.place(x * cos + y * sin, y * cos - x * sin)
    }

    fn heading(&self) -> f64 {
        (self.city.bearing + 90.0 * self.towards as f64) % 360.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::city::{CITIES, distance_m};
    use super::*;

    #[test]
    fn paths_stay_in_the_city_and_go_no_faster_than_they_can() {
        for (number, city) in CITIES.iter().enumerate() {
            for kind in Kind::ALL {
                let mut path = Path::new(city, kind, Rng::branch(3, number as u64));
                let (mut before, mut length_m) = (path.place(), 0.0);
                for second in 0..3600 {
                    let here = path.step(1.0);
                    let moved_m = distance_m(before, here.place);
                    assert!(
                        moved_m <= kind.speed() * 1.2 * 1.1 + 0.5,
                        "{} {kind:?} {second}: {moved_m}",
                        city.name
                    );
                    let out_m = distance_m(city.place(0.0, 0.0), here.place);
                    assert!(
                        out_m <= RADIUS_M * 1.02 + city.block_m,
                        "{} {kind:?} {second}: {out_m}",
                        city.name
                    );
                    assert!((0.0..360.0).contains(&here.heading));
                    length_m += moved_m;
                    before = here.place;
                }
                assert!(
                    length_m > kind.speed() * 3600.0 * 0.4,
                    "{} {kind:?}: {length_m} m in an hour",
                    city.name
                );
            }
        }
    }

    #[test]
    fn the_heading_is_where_it_goes() {
        let mut path = Path::new(&CITIES[0], Kind::Car, Rng::new(5));
        let (mut before, mut checked) = (path.step(1.0), 0);
        for _ in 0..300 {
            let here = path.step(1.0);
            if here.heading == before.heading && distance_m(before.place, here.place) > 5.0 {
                let east = (here.place[0] - before.place[0]) * CITIES[0].lat.to_radians().cos();
                let north = here.place[1] - before.place[1];
                let bearing = east.atan2(north).to_degrees().rem_euclid(360.0);
                assert!((bearing - here.heading).abs() < 3.0, "{bearing} {}", here.heading);
                checked += 1;
            }
            before = here;
        }
        assert!(checked > 100, "{checked}");
    }

    #[test]
    fn the_same_seed_goes_the_same_way() {
        let way = |seed| {
            let mut path = Path::new(&CITIES[4], Kind::Bike, Rng::new(seed));
            (0..500).map(|_| path.step(1.0)).collect::<Vec<_>>()
        };
        assert_eq!(way(9), way(9));
        assert_ne!(way(9), way(10));
    }
}
