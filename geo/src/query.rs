//! Questions to the live state. Each goes through the shards' inboxes, so it sees everything that came before it.
//! Answers are bounded: `limit` is cut to [`ANSWER_ITEMS_MAX`].

use crossbeam::channel::bounded;
use dateline_engine::{DocId, Error, Result, Tail};

use crate::fix::Fix;
use crate::footprint::Footprint;
use crate::hash::shard_of;
use crate::matcher;
use crate::nearest::{After, Hit, first, page};
use crate::point::Point;
use crate::service::Geo;
use crate::shard::Shard;
use crate::within::Within;
use crate::worker::Input;

/// The most items one answer holds.
pub const ANSWER_ITEMS_MAX: usize = 10_000;

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

    /// Devices in a part of the earth: nearest first where the part is ordered, else by id.
    ///
    /// # Errors
    /// `Invalid` when the part is none.
    pub fn devices(&self, within: &Within, limit: usize) -> Result<Vec<DeviceHit>> {
        self.devices_after(within, None, limit)
    }

    /// As [`Geo::devices`], the page after `after`.
    ///
    /// # Errors
    /// As there.
    pub fn devices_after(
        &self,
        within: &Within,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<DeviceHit>> {
        within.check().map_err(Error::invalid)?;
        let (within, after, limit) = (within.clone(), after.cloned(), limit.min(ANSWER_ITEMS_MAX));
        let hits = self.ask_all(move |shard| {
            let sieve = within.sieve();
            let found = page(&within, after.as_ref(), limit, |reach_m| {
                let candidates = shard.devices.candidates(&within.extents(reach_m)).into_iter();
                let passed = candidates.filter_map(|(_, device)| {
                    let distance_m = sieve.pass(device.fix.point)?;
                    Some(Seen { fix: &device.fix, distance_m })
                });
                passed.collect()
            });
            // Only what is answered is copied.
            found.into_iter().map(Seen::hit).collect()
        })?;
        Ok(first(hits, limit))
    }

    /// Where the devices in a part of the earth are, in no order.
    ///
    /// # Errors
    /// `Invalid` when the part is none.
    pub fn device_places(&self, within: &Within) -> Result<Vec<Point>> {
        within.check().map_err(Error::invalid)?;
        let within = within.clone();
        self.ask_all(move |shard| {
            let reach_m = within.reach_m().unwrap_or(0.0);
            let sieve = within.sieve();
            let candidates = shard.devices.candidates(&within.extents(reach_m)).into_iter();
            let places = candidates.map(|(_, device)| device.fix.point);
            places.filter(|place| sieve.pass(*place).is_some()).collect()
        })
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
                Some(first(held.members.iter().map(hit).collect(), limit))
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

    /// Live ads in a part of the earth: nearest first where the part is ordered, else by id.
    ///
    /// # Errors
    /// `Invalid` when the part is none.
    pub fn ads(&self, within: &Within, limit: usize) -> Result<Vec<AdHit>> {
        self.ads_after(within, None, limit)
    }

    /// As [`Geo::ads`], the page after `after`.
    ///
    /// # Errors
    /// As there.
    pub fn ads_after(&self, within: &Within, after: Option<&After>, limit: usize) -> Result<Vec<AdHit>> {
        within.check().map_err(Error::invalid)?;
        let (within, after, limit) = (within.clone(), after.cloned(), limit.min(ANSWER_ITEMS_MAX));
        // Every shard knows every ad.
        self.ask(0, move |shard, _| {
            page(&within, after.as_ref(), limit, |reach_m| {
                let candidates = shard.ads.candidates(&within.caps(reach_m), &[]).into_iter();
                let held = candidates.filter(|(_, ad)| within.meets(&ad.location));
                held.map(|(id, ad)| AdHit {
                    ad: id.clone(),
                    distance_m: within.distance_m(&Footprint::from(ad.location.clone())),
                })
                .collect()
            })
        })
    }

    /// Where the live ads in a part of the earth are, each at its middle; in no order.
    ///
    /// # Errors
    /// `Invalid` when the part is none.
    pub fn ad_places(&self, within: &Within) -> Result<Vec<Point>> {
        within.check().map_err(Error::invalid)?;
        let within = within.clone();
        self.ask(0, move |shard, _| {
            let caps = within.caps(within.reach_m().unwrap_or(0.0));
            let candidates = shard.ads.candidates(&caps, &[]).into_iter();
            let held = candidates.filter(|(_, ad)| within.meets(&ad.location));
            held.map(|(_, ad)| ad.location.as_point().unwrap_or_else(|| ad.location.middle().point()))
                .collect()
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

/// A device that was found and may be answered.
struct Seen<'a> {
    fix: &'a Fix,
    distance_m: Option<f64>,
}

impl Seen<'_> {
    fn hit(self) -> DeviceHit {
        DeviceHit { fix: self.fix.clone(), distance_m: self.distance_m }
    }
}

impl Hit for Seen<'_> {
    fn distance_m(&self) -> Option<f64> {
        self.distance_m
    }

    fn id(&self) -> &DocId {
        &self.fix.device
    }
}

impl Hit for DeviceHit {
    fn distance_m(&self) -> Option<f64> {
        self.distance_m
    }

    fn id(&self) -> &DocId {
        &self.fix.device
    }
}

impl Hit for AdHit {
    fn distance_m(&self) -> Option<f64> {
        self.distance_m
    }

    fn id(&self) -> &DocId {
        &self.ad
    }
}
