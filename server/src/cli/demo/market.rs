//! Ads that come and go: a new one every second, some with an end of their own, the oldest taken down when there are
//! many. So the map stays full and the data small.

use std::collections::VecDeque;

use hyper::Method;
use serde_json::{Value, json};

use super::city::CITIES;
use super::rng::Rng;
use super::scene;
use super::visitor::Visitor;
use crate::cli::outcome::Failure;

/// Ads at the beginning.
const FIRST: usize = 480;
/// Ads that may be up at one time.
const UP_MAX: usize = 600;
const ARRAY: usize = 120;

/// The ads that are up, oldest first, with their entity tags.
pub(crate) struct Market {
    rng: Rng,
    up: VecDeque<(String, String)>,
}

impl Market {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::branch(seed, 1_000_003), up: VecDeque::new() }
    }

    /// Puts up the first ads.
    pub(crate) fn open(&mut self, visitor: &Visitor<'_>) -> Result<(), Failure> {
        for first in (0..FIRST).step_by(ARRAY) {
            let cities = CITIES.iter().cycle().skip(first).take(ARRAY.min(FIRST - first));
            let ads: Vec<Value> = cities
                .filter_map(|city| {
                    let end = self.end(visitor, 60.0, 1800.0);
                    scene::ad(&mut self.rng, city, end.as_deref())
                })
                .collect();
            let made = visitor.client.call(Method::POST, "/api/ads", Some(&Value::Array(ads)))?;
            let items = made.get("_items").and_then(Value::as_array);
            self.up.extend(items.into_iter().flatten().filter_map(name_of));
        }
        Ok(())
    }

    /// One new ad; the oldest leaves when there are too many.
    pub(crate) fn turn(&mut self, visitor: &Visitor<'_>) -> Result<(), Failure> {
        let end = self.end(visitor, 20.0, 300.0);
        let city = self.rng.pick(&CITIES).unwrap_or(&CITIES[0]);
        if let Some(ad) = scene::ad(&mut self.rng, city, end.as_deref()) {
            let made = visitor.client.call(Method::POST, "/api/ads", Some(&ad))?;
            self.up.extend(name_of(&made));
        }
        // Now and then somebody sells early.
        let sold = (self.up.len() > UP_MAX).then(|| self.up.pop_front()).flatten();
        let sold = sold.or_else(|| {
            let early = self.rng.chance(0.1).then(|| self.rng.below(self.up.len()))?;
            self.up.remove(early)
        });
        let Some((id, etag)) = sold else { return Ok(()) };
        match visitor.client.change(Method::DELETE, &format!("/api/ads/{id}"), &etag, None) {
            // It has reached its end already, so it is at another version.
            Err(failure) if failure.exit == crate::cli::outcome::Exit::Conflict => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// A third of all ads have an end.
    fn end(&mut self, visitor: &Visitor<'_>, least_s: f64, most_s: f64) -> Option<String> {
        let seconds = self.rng.between(least_s, most_s);
        self.rng.chance(0.33).then(|| visitor.time_in(seconds))
    }
}

fn name_of(ad: &Value) -> Option<(String, String)> {
    let text = |name: &str| ad.get(name).and_then(Value::as_str).map(str::to_owned);
    Some((text("_id")?, text("_etag")?))
}

/// Everything that is there before the first device moves.
pub(crate) fn furnish(
    visitor: &Visitor<'_>,
    seed: u64,
    devices: &[scene::Device],
    user: &str,
) -> Result<(), Failure> {
    let bodies: Vec<Value> = devices.iter().map(scene::Device::body).collect();
    visitor.create("devices", &bodies)?;
    visitor.create("fences", &scene::fences(seed))?;
    visitor.create("adlists", &scene::adlists(seed, devices, user))
}

impl Visitor<'_> {
    fn create(&self, collection: &str, bodies: &[Value]) -> Result<(), Failure> {
        for some in bodies.chunks(500) {
            self.client.call(Method::POST, &format!("/api/{collection}"), Some(&json!(some)))?;
        }
        Ok(())
    }
}
