use std::collections::BTreeMap;

use dateline_engine::Millis;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::devices::Arrived;
use crate::seed;
use crate::shard::{Ground, ShardPlace};

/// Middles of the places, in degrees: seams, poles, and places like any other.
const MIDDLES: [(f64, f64); 6] =
    [(0.0, 0.0), (-180.0, 64.9), (13.4, 52.5), (20.0, 90.0), (-70.0, -89.999), (179.999, -33.0)];

struct Dice(u64);

impl Dice {
    /// 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[(self.roll() * things.len() as f64) as usize]
    }
}

/// Devices on a patch of ground, and the same in a plain list.
struct Crowd {
    dice: Dice,
    middle: (f64, f64),
    spread_deg: f64,
    at_ms: u64,
    shard: Shard,
    known: BTreeMap<DocId, Point>,
}

impl Crowd {
    fn new(seed: u64, middle: (f64, f64), spread_deg: f64) -> Self {
        let shard = Shard::new(ShardPlace { number: 0, count: 1 }, Ground::default());
        Self { dice: Dice(seed), middle, spread_deg, at_ms: 1, shard, known: BTreeMap::new() }
    }

    fn place(&mut self) -> Point {
        // Some places are taken more than once.
        let step = |share: f64, span: f64| ((share - 0.5) * 500.0).round() / 500.0 * span;
        let (x, y) = (self.dice.roll(), self.dice.roll());
        let widening = (self.middle.1 + 0.01).to_radians().cos().abs().max(1e-3);
        let lon = self.middle.0 + step(x, (self.spread_deg / widening).min(360.0));
        let lat = (self.middle.1 + step(y, self.spread_deg)).clamp(-90.0, 90.0);
        Point::new((lon + 540.0).rem_euclid(360.0) - 180.0, lat).unwrap()
    }

    fn arrive(&mut self, device: usize, place: Point) {
        self.at_ms += 1;
        let id = DocId::new(format!("d{device}")).unwrap();
        let arrived = Arrived { at: Millis::new(self.at_ms), log_seq: 0 };
        self.shard.devices.arrive(&Fix::bare(id.clone(), place, arrived.at), arrived);
        self.known.insert(id, place);
    }

    fn remove(&mut self, device: usize) {
        let id = DocId::new(format!("d{device}")).unwrap();
        assert_eq!(self.shard.devices.remove(&id).is_some(), self.known.remove(&id).is_some());
    }

    fn question(&mut self) -> Within {
        let center = self.place();
        let far_m = self.spread_deg * 111_000.0 * self.dice.roll();
        match (self.dice.roll() * 5.0) as u32 {
            0 => Within::nearest(center),
            1 => {
                let (west, south) = (center.lon(), center.lat().min(89.0));
                let east = (west + self.spread_deg.min(100.0) + 180.0).rem_euclid(360.0) - 180.0;
                let north = (south + self.spread_deg * self.dice.roll()).min(90.0);
                Within::Box { west, south, east, north }
            }
            _ => Within::Near { center, radius_m: self.dice.one_of(&[0.0, 1.5, far_m, far_m / 20.0, 3e7]) },
        }
    }

    /// Asks, turns over the page, and compares with what is found by looking at each device.
    fn ask(&mut self) -> std::result::Result<(), TestCaseError> {
        let (within, limit) = (self.question(), self.dice.one_of(&[1, 10, 300, 10_000]));
        let mut all: Vec<(Option<f64>, &DocId)> = self
            .known
            .iter()
            .filter(|(_, place)| within.holds(**place))
            .map(|(id, place)| (within.point_distance_m(*place), id))
            .collect();
        all.sort_by(|(a_m, a), (b_m, b)| a_m.partial_cmp(b_m).unwrap().then(a.cmp(b)));
        let mut after: Option<After> = None;
        for page in all.chunks(limit).take(3) {
            let found = found_devices(&self.shard, &within, after.as_ref(), limit);
            let found: Vec<_> = found.iter().map(|hit| (hit.distance_m, &hit.fix.device)).collect();
            prop_assert_eq!(&found, &page, "{:?}, {} after {:?}", within, limit, after);
            after = page.last().map(|(distance_m, id)| After { distance_m: *distance_m, id: (*id).clone() });
        }
        if all.is_empty() {
            prop_assert!(found_devices(&self.shard, &within, None, limit).is_empty());
        }
        let mut places = 0;
        let sieve = within.sieve();
        self.shard.devices.search(&within.patches(within.reach_m().unwrap_or(0.0)), |_, place| {
            places += usize::from(sieve.pass(place).is_some());
        });
        prop_assert_eq!(places, all.len());
        Ok(())
    }
}

#[test]
fn devices_are_found_as_by_looking_at_each() {
    let spreads = prop_oneof![Just(0.0), Just(1e-4), Just(0.002), Just(0.05), Just(3.0), Just(180.0)];
    // Cells are crowded from 512 on.
    let counts = prop_oneof![0..20_usize, 0..3_000_usize];
    let one = (any::<u64>(), 0..MIDDLES.len(), spreads, counts, 0.0..1.0_f64);
    let outcome = seed::runner("devices", 300).run(&one, |(seed, middle, spread_deg, count, stay)| {
        let mut crowd = Crowd::new(seed, MIDDLES[middle], spread_deg);
        crowd.ask()?;
        for device in 0..count {
            let place = crowd.place();
            crowd.arrive(device, place);
        }
        (0..5).try_for_each(|_| crowd.ask())?;
        for _ in 0..count {
            let device = (crowd.dice.roll() * count as f64) as usize;
            let place = crowd.place();
            crowd.arrive(device, place);
        }
        (0..5).try_for_each(|_| crowd.ask())?;
        for device in (0..count).rev() {
            if crowd.dice.roll() > stay {
                crowd.remove(device);
            }
        }
        (0..5).try_for_each(|_| crowd.ask())?;
        // Who is left stays reachable when the crowd comes back.
        for device in 0..count {
            let place = crowd.place();
            crowd.arrive(device, place);
        }
        (0..3).try_for_each(|_| crowd.ask())
    });
    outcome.unwrap();
}
