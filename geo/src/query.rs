//! Questions to the live state. Each goes through the shards' inboxes, so it sees everything that came before it.
//! Answers are bounded: `limit` is cut to [`ANSWER_ITEMS_MAX`].

use std::cmp::Ordering;

use crossbeam::channel::bounded;
use dateline_engine::{DocId, Error, Result, Tail};

use crate::bounds::{Cap, Extent};
use crate::fix::Fix;
use crate::hash::shard_of;
use crate::matcher;
use crate::point::Point;
use crate::region::{Circle, RADIUS_M_MAX};
use crate::service::Geo;
use crate::shape::Shape;
use crate::shard::Shard;
use crate::worker::Input;

/// The most items one answer holds.
pub const ANSWER_ITEMS_MAX: usize = 10_000;

/// A part of the earth to look into.
#[derive(Clone, Debug)]
pub enum Within {
    /// Within a radius of a place; answers come nearest first.
    Near {
        /// The middle.
        center: Point,
        /// Metres; the border counts as inside.
        radius_m: f64,
    },
    /// Between two meridians and two parallels in degrees; `west > east` goes across the antimeridian.
    Box {
        /// Western meridian.
        west: f64,
        /// Southern parallel.
        south: f64,
        /// Eastern meridian.
        east: f64,
        /// Northern parallel.
        north: f64,
    },
    /// Inside a shape.
    Shape(Box<Shape>),
}

/// A device with its last fix.
#[derive(Clone, Debug)]
pub struct DeviceHit {
    /// Where it was last.
    pub fix: Fix,
    /// From the middle of a `Near` question.
    pub distance_m: Option<f64>,
}

/// An ad that was asked for.
#[derive(Clone, Debug)]
pub struct AdHit {
    /// Its document.
    pub ad: DocId,
    /// From the middle of a `Near` question, the device of a list around one, or the middle of a list's area.
    pub distance_m: Option<f64>,
}

impl Within {
    /// Checks the numbers.
    ///
    /// # Errors
    /// A message naming the number that is out of range.
    pub fn check(&self) -> std::result::Result<(), String> {
        match *self {
            Self::Near { radius_m, .. } if !(radius_m >= 0.0 && radius_m.is_finite()) => {
                Err(format!("radius {radius_m} is not 0 metres or more"))
            }
            Self::Box { west, south, east, north } => {
                Point::new(west, south)?;
                Point::new(east, north)?;
                if south > north { Err(format!("south {south} is above north {north}")) } else { Ok(()) }
            }
            Self::Near { .. } | Self::Shape(_) => Ok(()),
        }
    }

    fn extents(&self) -> Vec<Extent> {
        match self {
            Self::Near { center, radius_m } => {
                vec![Extent::of_point(*center).widened(radius_m.min(RADIUS_M_MAX))]
            }
            Self::Box { west, south, east, north } => vec![Extent::of_degrees(*west, *south, *east, *north)],
            Self::Shape(shape) => shape.extents().to_vec(),
        }
    }

    fn caps(&self) -> Vec<Cap> {
        match self {
            Self::Near { center, radius_m } => vec![Circle::new(*center, *radius_m).cap()],
            Self::Box { .. } | Self::Shape(_) => self.extents().iter().map(Extent::cap).collect(),
        }
    }

    /// Whether a place lies in it.
    #[must_use]
    pub fn holds(&self, point: Point) -> bool {
        match self {
            Self::Near { center, radius_m } => Circle::new(*center, *radius_m).holds(&point.unit()),
            Self::Box { west, south, east, north } => {
                Extent::of_degrees(*west, *south, *east, *north).holds(point)
            }
            Self::Shape(shape) => shape.contains(point),
        }
    }

    /// Whether a place or shape shares ground with it.
    #[must_use]
    pub fn meets(&self, shape: &Shape) -> bool {
        match (self, shape.as_point()) {
            (_, Some(point)) => self.holds(point),
            (Self::Near { center, radius_m }, None) => Circle::new(*center, *radius_m).meets(shape),
            (Self::Shape(own), None) => own.intersects(shape),
            (Self::Box { west, south, east, north }, None) => {
                box_shape(*west, *south, *east, *north).is_none_or(|own| own.intersects(shape))
            }
        }
    }

    /// Metres from the middle of `Near` to a place or shape; 0 inside it.
    #[must_use]
    pub fn distance_m(&self, shape: &Shape) -> Option<f64> {
        match self {
            Self::Near { center, .. } => Some(shape.distance_m(*center)),
            Self::Box { .. } | Self::Shape(_) => None,
        }
    }
}

/// The box as a shape, its long edges cut so that none goes the other way round; `None` if it is a line or point.
fn box_shape(west: f64, south: f64, east: f64, north: f64) -> Option<Shape> {
    let width = if west > east { east + 360.0 - west } else { east - west };
    let fold = |lon: f64| if lon > 180.0 { lon - 360.0 } else { lon };
    let steps: Vec<f64> = (0..=4).map(|step| fold(west + width * f64::from(step) / 4.0)).collect();
    let southern = steps.iter().map(|lon| [*lon, south]);
    let northern = steps.iter().rev().map(|lon| [*lon, north]);
    let mut ring: Vec<[f64; 2]> = southern.chain(northern).collect();
    ring.push([west, south]);
    Shape::parse("bbox", &serde_json::json!({"type": "Polygon", "coordinates": [ring]})).ok()
}

impl Geo {
    /// Asks one shard.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        shard: usize,
        question: impl FnOnce(&Shard, Tail) -> T + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = bounded(1);
        let boxed = Box::new(move |shard: &Shard, at: Tail| drop(reply.send(question(shard, at))));
        let inbox = self.inboxes.get(shard).ok_or_else(|| Error::internal("no such geo shard"))?;
        inbox.send(Input::Ask(boxed)).map_err(|_| stopped())?;
        answer.recv().map_err(|_| stopped())
    }

    /// Asks all shards and joins what they find.
    fn ask_all<T: Send + 'static>(
        &self,
        question: impl Fn(&Shard) -> Vec<T> + Clone + Send + 'static,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        for shard in 0..self.inboxes.len() {
            let question = question.clone();
            found.extend(self.ask(shard, move |shard, _| question(shard))?);
        }
        Ok(found)
    }

    fn ask_owner<T: Send + 'static>(
        &self,
        owner: &str,
        question: impl FnOnce(&Shard) -> T + Send + 'static,
    ) -> Result<T> {
        self.ask(shard_of(owner, self.inboxes.len()), move |shard, _| question(shard))
    }

    /// The last fix of a device.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped, as for every question.
    pub fn device(&self, id: &str) -> Result<Option<Fix>> {
        let name = id.to_owned();
        self.ask_owner(id, move |shard| shard.devices.get(&name).map(|device| device.fix.clone()))
    }

    /// Devices in a part of the earth: nearest first for `Near`, else by id.
    ///
    /// # Errors
    /// `Invalid` when the part is none.
    pub fn devices(&self, within: &Within, limit: usize) -> Result<Vec<DeviceHit>> {
        within.check().map_err(Error::invalid)?;
        let (within, limit) = (within.clone(), limit.min(ANSWER_ITEMS_MAX));
        let hits = self.ask_all(move |shard| {
            let candidates = shard.devices.candidates(&within.extents()).into_iter();
            let held = candidates.filter(|(_, device)| within.holds(device.fix.point));
            let hits = held.map(|(_, device)| DeviceHit {
                fix: device.fix.clone(),
                distance_m: within.distance_m(&Shape::of_point(device.fix.point)),
            });
            first(hits.collect(), limit, |hit| (hit.distance_m, &hit.fix.device))
        })?;
        Ok(first(hits, limit, |hit| (hit.distance_m, &hit.fix.device)))
    }

    /// The fences that hold a place, by id.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn fences_holding(&self, place: Point) -> Result<Vec<DocId>> {
        self.ask(0, move |shard, _| {
            let held = shard.fences.holding(place).into_iter().filter_map(|slot| shard.fences.at(slot));
            let mut ids: Vec<DocId> = held.map(|held| held.id.clone()).collect();
            ids.sort_unstable();
            ids.truncate(ANSWER_ITEMS_MAX);
            ids
        })
    }

    /// The fences a device is in, by id; `None` for a device that was never seen.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn fences_of(&self, device: &str) -> Result<Option<Vec<DocId>>> {
        let name = device.to_owned();
        self.ask_owner(device, move |shard| {
            let mut ids = shard.fences_around(shard.devices.get(&name)?);
            ids.truncate(ANSWER_ITEMS_MAX);
            Some(ids)
        })
    }

    /// The devices inside a fence, by id.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn devices_in_fence(&self, fence: &DocId, limit: usize) -> Result<Vec<DocId>> {
        let (id, limit) = (fence.clone(), limit.min(ANSWER_ITEMS_MAX));
        let mut found = self.ask_all(move |shard| {
            let mut ids = shard.members_of(&id);
            ids.truncate(limit);
            ids
        })?;
        found.sort();
        found.truncate(limit);
        Ok(found)
    }

    /// The ads that match a list now, nearest first; `None` for a list that is not active or does not exist.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn matches(&self, list: &DocId, limit: usize) -> Result<Option<Vec<AdHit>>> {
        for shard in 0..self.inboxes.len() {
            let (id, limit) = (list.clone(), limit.min(ANSWER_ITEMS_MAX));
            let found = self.ask(shard, move |shard, _| {
                let held = shard.lists.get(&id)?;
                let here = shard.here(&held.list);
                let hit = |ad: &DocId| AdHit {
                    ad: ad.clone(),
                    distance_m: shard
                        .ads
                        .get(ad)
                        .and_then(|shown| matcher::distance_m(&held.list, shown, here)),
                };
                Some(first(held.members.iter().map(hit).collect(), limit, |hit| (hit.distance_m, &hit.ad)))
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// How many ads match a list now; `None` as for [`Geo::matches`].
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn match_count(&self, list: &DocId) -> Result<Option<usize>> {
        let id = list.clone();
        let counts = self.ask_all(move |shard| {
            shard.lists.get(&id).map(|held| held.members.len()).into_iter().collect()
        })?;
        Ok(counts.into_iter().next())
    }

    /// Live ads in a part of the earth: nearest first for `Near`, else by id.
    ///
    /// # Errors
    /// `Invalid` when the part is none.
    pub fn ads(&self, within: &Within, limit: usize) -> Result<Vec<AdHit>> {
        within.check().map_err(Error::invalid)?;
        let (within, limit) = (within.clone(), limit.min(ANSWER_ITEMS_MAX));
        // Every shard knows every ad.
        self.ask(0, move |shard, _| {
            let candidates = shard.ads.candidates(&within.caps(), &[]).into_iter();
            let held = candidates.filter(|(_, ad)| within.meets(&ad.location));
            let hits =
                held.map(|(id, ad)| AdHit { ad: id.clone(), distance_m: within.distance_m(&ad.location) });
            first(hits.collect(), limit, |hit| (hit.distance_m, &hit.ad))
        })
    }

    /// How many devices, live ads, active lists and fences there are.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn counts(&self) -> Result<Counts> {
        let parts = self.ask_all(|shard| {
            vec![(shard.devices.len(), shard.lists.len(), shard.ads.len(), shard.fences.iter().count())]
        })?;
        Ok(parts.into_iter().fold(Counts::default(), |sum, (devices, lists, ads, fences)| Counts {
            devices: sum.devices + devices,
            lists: sum.lists + lists,
            ads,
            fences,
        }))
    }
}

/// How much the matcher holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Devices that were seen.
    pub devices: usize,
    /// Active lists.
    pub lists: usize,
    /// Live ads.
    pub ads: usize,
    /// Fences.
    pub fences: usize,
}

fn stopped() -> Error {
    Error::unavailable("the geo matcher has stopped")
}

/// The first `limit` by distance, then id.
fn first<T>(mut hits: Vec<T>, limit: usize, key: impl Fn(&T) -> (Option<f64>, &DocId)) -> Vec<T> {
    let order = |a: &T, b: &T| -> Ordering {
        let ((a_m, a_id), (b_m, b_id)) = (key(a), key(b));
        a_m.unwrap_or(f64::INFINITY).total_cmp(&b_m.unwrap_or(f64::INFINITY)).then_with(|| a_id.cmp(b_id))
    };
    if limit < hits.len() && limit > 0 {
        hits.select_nth_unstable_by(limit - 1, &order);
    }
    hits.truncate(limit);
    hits.sort_by(order);
    hits
}
