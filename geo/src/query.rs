//! Questions to the live state. Each sees everything that came to a shard before it: the asking thread looks for itself
//! when nothing waits there, and else the question goes through the shard's inbox.
//! Answers are bounded: `limit` is cut to [`ANSWER_ITEMS_MAX`].

use crossbeam::channel::bounded;
use dateline_engine::{DocId, Error, Result, Tail};

use crate::fix::Fix;
use crate::footprint::Footprint;
use crate::hash::shard_of;
use crate::matcher;
use crate::nearest::{After, Hit, first, page, page_from, passed_m};
use crate::point::Point;
use crate::room::{Inside, stopped};
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
        let (Some(room), Some(inbox)) = (self.rooms.get(shard), self.inboxes.get(shard)) else {
            return Err(Error::internal("no such geo shard"));
        };
        let mut question = Some(question);
        let ask = |inside: &Inside| question.take().map(|question| question(&inside.shard, inside.at));
        if let Some(answer) = room.look_up_to_date(ask)?.flatten() {
            return Ok(answer);
        }
        let Some(question) = question else { return Err(stopped()) };
        let (reply, answer) = bounded(1);
        let boxed = Box::new(move |shard: &Shard, at: Tail| drop(reply.send(question(shard, at))));
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
            let mut more = self.ask(shard, move |shard, _| question(shard))?;
            if found.is_empty() { found = more } else { found.append(&mut more) }
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
        let shards = self.inboxes.len();
        let hits = self.ask_all(move |shard| found_devices(shard, &within, after.as_ref(), limit))?;
        // Those of one shard are in order.
        if shards == 1 {
            return Ok(hits);
        }
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
            let mut places = Vec::new();
            shard.devices.search(&within.patches(reach_m), |_, place| {
                places.extend(sieve.pass(place).map(|_| place));
            });
            places
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

fn found_devices(shard: &Shard, within: &Within, after: Option<&After>, limit: usize) -> Vec<DeviceHit> {
    let (sieve, devices) = (within.sieve(), &shard.devices);
    let look = |reach_m| {
        let mut places = Vec::new();
        devices.search(&within.patches(reach_m), |slot, place| {
            places.extend(sieve.pass(place).map(|distance_m| (slot, distance_m)));
        });
        // Records lie all over memory. A loop that does nothing else waits for many of them at a time.
        let seen = |(slot, distance_m)| devices.at(slot).map(|device| Seen { fix: &device.fix, distance_m });
        places.into_iter().filter_map(seen).collect()
    };
    let found = match within {
        Within::Near { center, radius_m } => {
            let reach_m = devices.reach_m(*center, limit, *radius_m).hypot(passed_m(after));
            page_from(reach_m, within, after, limit, look)
        }
        _ => page(within, after, limit, look),
    };
    // The same for all that is copied: raising the counter of a name waits until everything before it is there.
    let marks = found.iter().map(|seen| seen.fix.mark());
    std::hint::black_box(marks.fold(0, |all, mark| all ^ mark));
    let ends = found.iter().map(|seen| seen.fix.device.as_str().as_bytes().last().copied());
    std::hint::black_box(ends.fold(0, |all, end| all ^ end.unwrap_or(0)));
    // Only what is answered is copied.
    found.into_iter().map(Seen::hit).collect()
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

#[cfg(test)]
mod tests;
