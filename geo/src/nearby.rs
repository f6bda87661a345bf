//! The proof that a list around a moving device cannot have changed.
//!
//! Around an *anchor*, where the device was, the *ring* holds every ad of the list whose distance from the anchor differs
//! from the radius by at most the *slack*. As long as the device is within the slack of the anchor, only these can have
//! come into the radius or left it (the triangle inequality), so a move looks at the ring and at nothing else.
//! A ring may hold ads that are gone or do not match: whoever looks at one asks the matcher.

use dateline_engine::DocId;

use crate::point::Point;

/// Bounds and the usual share of the radius for the slack.
const SLACK_M_MIN: f64 = 5.0;
const SLACK_M_MAX: f64 = 2_000.0;
const SLACK_SHARE: f64 = 0.125;
/// The slack is halved for longer rings and doubled for shorter ones.
const RING_LONG: usize = 32;
const RING_SHORT: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Nearby {
    anchor: Point,
    radius_m: f64,
    slack_m: f64,
    ring: Vec<DocId>,
}

impl Nearby {
    /// With an empty ring.
    pub(crate) fn new(anchor: Point, radius_m: f64, before: Option<&Self>) -> Self {
        let slack_m = match before {
            None => radius_m * SLACK_SHARE,
            Some(before) if before.ring.len() > RING_LONG => before.slack_m / 2.0,
            Some(before) if before.ring.len() < RING_SHORT => before.slack_m * 2.0,
            Some(before) => before.slack_m,
        };
        Self { anchor, radius_m, slack_m: slack_m.clamp(SLACK_M_MIN, SLACK_M_MAX), ring: Vec::new() }
    }

    pub(crate) fn anchor(&self) -> Point {
        self.anchor
    }

    pub(crate) fn radius_m(&self) -> f64 {
        self.radius_m
    }

    pub(crate) fn ring(&self) -> &[DocId] {
        &self.ring
    }

    /// Anything within this of the anchor may be or come within the radius of the device.
    pub(crate) fn reach_m(&self) -> f64 {
        self.radius_m + self.slack_m
    }

    /// How far within the slack a place is from the anchor; negative beyond.
    pub(crate) fn left_m(&self, place: Point) -> f64 {
        self.slack_m - self.anchor.distance_m(place)
    }

    /// Metres from the anchor between which an ad is of the ring.
    pub(crate) fn band_m(&self) -> (f64, f64) {
        (self.radius_m - self.slack_m, self.radius_m + self.slack_m)
    }

    /// Takes an ad at a distance from the anchor into the ring if it belongs there.
    pub(crate) fn note(&mut self, ad: &DocId, distance_m: f64) {
        let (inner, outer) = self.band_m();
        // A little wider, so that rounding leaves nobody out.
        if (inner - 0.01..=outer + 0.01).contains(&distance_m) && !self.ring.contains(ad) {
            self.ring.push(ad.clone());
        }
    }
}
