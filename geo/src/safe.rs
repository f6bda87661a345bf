//! How far a device may go unheard.
//!
//! Nothing is told of a device before it crosses the border of a fence, or one of its lists gains or loses an ad. So a
//! device that knows how far away that is need not send a fix until it has gone there, and the load ends at its source.
//! Of new fences and ads, changed attributes and what time alone does the distance says nothing.

use dateline_engine::DocId;

use crate::devices::Device;
use crate::event::Kind;
use crate::fix::Fix;
use crate::hash::shard_of;
use crate::point::Point;
use crate::service::Geo;
use crate::shard::Shard;
use crate::worker::Input;

/// The farthest that is said, in metres.
pub const SAFE_M_MAX: f64 = 1_000.0;
/// The first reach of the search for borders, in metres; each further one is twice as long.
const REACH_M_FIRST: f64 = 125.0;
/// Places are stored to a centimetre.
const MARGIN_M: f64 = 0.05;

impl Geo {
    /// Tells how many metres from the place of a fix its device may go before another fix can change anything, 0 to
    /// [`SAFE_M_MAX`]. The fix need not be matched yet; then less may be told than is true.
    ///
    /// `tell` is called on the matcher's thread and must be quick. A matcher that has other things to do lets it fall.
    pub fn safe_m(&self, fix: &Fix, tell: impl FnOnce(f64) + Send + 'static) {
        let (device, place) = (fix.device.clone(), fix.point);
        let question = Box::new(move |shard: &Shard, _| tell(shard.safe_m(&device, place)));
        let inbox = self.inboxes.get(shard_of(fix.device.as_str(), self.inboxes.len()));
        drop(inbox.map(|inbox| inbox.try_send(Input::Ask(question))));
    }
}

impl Shard {
    pub(crate) fn safe_m(&self, device: &DocId, place: Point) -> f64 {
        // Around devices the others move as well.
        if self.fences.has_roaming() || self.asks_for_fixes(device, place) {
            return 0.0;
        }
        let safe_m = self.lists_leave_m(device, place).min(self.fences_leave_m(device, place));
        (safe_m - MARGIN_M).max(0.0)
    }

    /// Whether a fence asks who is in it or out of it, which fixes are the answer to.
    fn asks_for_fixes(&self, device: &DocId, place: Point) -> bool {
        if !self.fences.tells_levels() {
            return false;
        }
        let lying = self.fences.holding(place).into_iter();
        let members = self.devices.find(device).into_iter().flat_map(Device::inside);
        let tells = |fence| self.fences.at(fence).is_some_and(|held| held.fence.tells(Kind::Inside));
        self.fences.outside().next().is_some() || lying.chain(members).any(tells)
    }

    /// The least way on which a list around the device may gain or lose an ad.
    fn lists_leave_m(&self, device: &DocId, place: Point) -> f64 {
        self.lists.around(device.as_str()).iter().filter_map(|id| self.lists.get(id)).fold(
            SAFE_M_MAX,
            |safe_m, held| {
                let Some(nearby) = &held.nearby else { return 0.0 };
                let radius_m = nearby.radius_m();
                let ring = nearby.ring().iter().filter_map(|ad| self.ads.get(ad));
                let gaps = ring.map(|ad| (ad.location.distance_m(place) - radius_m).abs());
                gaps.fold(safe_m.min(nearby.left_m(place)), f64::min)
            },
        )
    }

    /// The least way to the border of a fence.
    fn fences_leave_m(&self, device: &DocId, place: Point) -> f64 {
        let mut safe_m = SAFE_M_MAX;
        for (slot, _) in self.devices.find(device).into_iter().flat_map(|device| &device.stays) {
            let Some((held, zone)) = self.fences.zone(*slot) else { continue };
            // Who is in it stays so for that much more.
            let hysteresis_m = held.fence.hysteresis_m;
            if hysteresis_m > 0.0 && !zone.region.holds(place) {
                safe_m = safe_m.min((hysteresis_m - zone.region.border_distance_m(place)).abs());
            }
        }
        let mut reach_m = REACH_M_FIRST;
        loop {
            let borders =
                self.fences.bordering(place, reach_m).map(|zone| zone.region.border_distance_m(place));
            safe_m = borders.fold(safe_m, f64::min);
            if safe_m <= reach_m || reach_m >= SAFE_M_MAX {
                return safe_m;
            }
            reach_m *= 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dateline_engine::{DocId, Millis};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::ad::Ad;
    use crate::adlist::AdList;
    use crate::event::{Event, Reason, Source};
    use crate::fence::Fence;
    use crate::shard::{Ground, Item, ShardPlace, What};

    struct Bench {
        shard: Shard,
        seq: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self { shard: Shard::new(ShardPlace { number: 0, count: 1 }, Ground::default()), seq: 0 }
        }

        fn apply(&mut self, what: What) -> Vec<Event> {
            self.seq += 1;
            let at = Millis::new(1_700_000_000_000 + self.seq);
            let mut events = Vec::new();
            self.shard.apply(
                &Item { source: Source::Log { seq: self.seq }, at, log_seq: self.seq, what },
                &mut events,
            );
            events
        }

        fn fence(&mut self, number: usize, body: &Value) {
            let fence = Fence::parse(body, |_| Err("no conditions".to_owned())).unwrap();
            let id = DocId::new(format!("fence-{number}")).unwrap();
            self.apply(What::Fence { id, live: Some(Arc::new(fence)) });
        }

        fn ad(&mut self, number: usize, place: Point) {
            let location = json!({"type": "Point", "coordinates": [place.lon(), place.lat()]});
            let ad = Ad::parse(&json!({"title": "lamp", "location": location})).unwrap();
            let id = DocId::new(format!("ad-{number}")).unwrap();
            self.apply(What::Ad { id, live: Some(Arc::new(ad)), ended: Reason::Removed });
        }

        fn list(&mut self, number: usize, radius_m: f64) {
            let list =
                AdList::parse(&json!({"device": "bus", "area": {"around": {"radius_m": radius_m}}})).unwrap();
            let id = DocId::new(format!("list-{number}")).unwrap();
            let live = Some(Arc::new(list));
            self.apply(What::List { id, live, existed: false, ended: Reason::Removed });
        }

        fn go(&mut self, place: Point) -> Vec<Event> {
            let at = Millis::new(1_700_000_000_000 + self.seq + 1);
            self.apply(What::Fix(Fix::bare(DocId::new("bus").unwrap(), place, at)))
        }

        fn safe_m(&self) -> f64 {
            let bus = DocId::new("bus").unwrap();
            self.shard.safe_m(&bus, self.shard.devices.find(&bus).unwrap().fix.point)
        }
    }

    /// So many metres east and north of the middle.
    fn place(middle: (f64, f64), (east_m, north_m): (f64, f64)) -> Point {
        let lat = middle.1 + north_m / 111_195.0;
        let lon = middle.0 + east_m / (111_195.0 * lat.to_radians().cos());
        Point::new((lon + 540.0).rem_euclid(360.0) - 180.0, lat).unwrap()
    }

    fn metres() -> impl Strategy<Value = (f64, f64)> {
        (-1_500.0..1_500.0, -1_500.0..1_500.0)
    }

    proptest! {
        /// Whatever way a device goes, within what it was told nothing happens.
        #[test]
        fn nothing_is_told_within_it(
            middle in prop_oneof![Just((10.0, 50.0)), Just((180.0, -17.0)), Just((-70.0, 78.0))],
            fences in prop::collection::vec((metres(), 20.0..1_200.0, 0..4_u8), 0..12),
            ads in prop::collection::vec(metres(), 0..20),
            lists in prop::collection::vec(50.0..1_500.0, 0..3),
            start in metres(),
            steps in prop::collection::vec((0.0..std::f64::consts::TAU, 0.0..0.99), 1..20),
        ) {
            let mut bench = Bench::new();
            for (number, (at, size_m, kind)) in fences.iter().enumerate() {
                let center = place(middle, *at);
                let center = json!([center.lon(), center.lat()]);
                let circle = json!({"center": center, "radius_m": size_m});
                let detect = json!(["enter", "exit", "cross"]);
                bench.fence(number, &match kind {
                    0 => json!({"circle": circle, "detect": detect}),
                    1 => json!({"circle": circle, "detect": detect, "hysteresis_m": size_m / 4.0}),
                    2 => json!({"sector": {"center": center, "radius_m": size_m, "bearing": [20, 140]}, "detect": detect}),
                    _ => {
                        let corner = |x: f64, y: f64| {
                            let corner = place(middle, (at.0 + x * size_m, at.1 + y * size_m));
                            json!([corner.lon(), corner.lat()])
                        };
                        let ring = [(0.0, 0.0), (1.0, 0.1), (0.9, 1.0), (0.0, 0.0)].map(|(x, y)| corner(x, y));
                        json!({"geometry": {"type": "Polygon", "coordinates": [ring]}, "buffer_m": 30, "detect": detect})
                    }
                });
            }
            ads.iter().enumerate().for_each(|(number, at)| bench.ad(number, place(middle, *at)));
            lists.iter().enumerate().for_each(|(number, radius_m)| bench.list(number, *radius_m));
            let (mut east_m, mut north_m) = start;
            bench.go(place(middle, start));
            for (bearing, share) in steps {
                let way_m = bench.safe_m() * share;
                (east_m, north_m) = (east_m + way_m * bearing.sin(), north_m + way_m * bearing.cos());
                let events = bench.go(place(middle, (east_m, north_m)));
                prop_assert!(events.is_empty(), "{way_m} m: {events:?}");
            }
        }
    }

    #[test]
    fn it_ends_where_something_happens() {
        let near = |a: f64, b: f64| (a - b).abs() < 0.2;
        let middle = (10.0, 50.0);
        let at = |east_m: f64| place(middle, (east_m, 0.0));
        let center = [at(0.0).lon(), at(0.0).lat()];
        let mut bench = Bench::new();
        bench.go(at(500.0));
        assert!(near(bench.safe_m(), SAFE_M_MAX), "nothing is there");
        bench.fence(1, &json!({"circle": {"center": center, "radius_m": 100}, "hysteresis_m": 50}));
        assert!(near(bench.safe_m(), 400.0), "{}", bench.safe_m());
        bench.go(at(90.0));
        assert!(near(bench.safe_m(), 10.0), "{}", bench.safe_m());
        bench.go(at(120.0));
        // Inside by what it was: it leaves at 150 m.
        assert!(near(bench.safe_m(), 20.0), "{}", bench.safe_m());
        bench.go(at(-700.0));
        bench.ad(1, at(-200.0));
        bench.list(1, 450.0);
        bench.go(at(-701.0));
        assert!(near(bench.safe_m(), 51.0), "{}", bench.safe_m());
        bench.fence(2, &json!({"circle": {"center": center, "radius_m": 5000}, "detect": ["inside"]}));
        bench.go(at(-702.0));
        assert_eq!(bench.safe_m(), 0.0, "every fix is asked for");
        bench.go(at(-8_000.0));
        assert!(bench.safe_m() > 0.0, "nobody asks out here");
        // Where the fix is that has not been matched yet, somebody does.
        assert_eq!(bench.shard.safe_m(&DocId::new("bus").unwrap(), at(-702.0)), 0.0);
    }
}
