//! The state one shard thread owns, and what each entry of the log does to it.
//!
//! Pure: no I/O, no clock, no randomness; the same items in the same order give the same state and events.
//! A shard knows every live ad and every fence, and the devices and lists whose owner hashes to it.
//! Invariants, each after every item: a device is inside a fence exactly if the fence holds its last place; an ad
//! is a member of a list exactly if `matcher::is_match` says so. Events are the differences.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dateline_engine::{DocId, Millis};

use crate::ad::Ad;
use crate::adlist::{AdList, Owner, Scope};
use crate::ads::Ads;
use crate::devices::{Arrival, Devices};
use crate::event::{Crossing, Event, FenceTold, MatchTold, Reason, Source, Told};
use crate::fence::Fence;
use crate::fences::Fences;
use crate::fix::Fix;
use crate::hash::shard_of;
use crate::lists::Lists;
use crate::matcher;
use crate::point::Point;
use crate::region::Circle;

/// One step of the merged order of both lanes, already read and parsed.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) source: Source,
    pub(crate) at: Millis,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Fix(Fix),
    /// `live` is the ad if it can match; `ended` says why it left otherwise.
    Ad {
        id: DocId,
        live: Option<Arc<Ad>>,
        ended: Reason,
    },
    /// `existed`: the list was there before, active or not.
    List {
        id: DocId,
        live: Option<Arc<AdList>>,
        existed: bool,
    },
    Fence {
        id: DocId,
        live: Option<Arc<Fence>>,
    },
    DeviceGone {
        id: DocId,
    },
}

/// Everything a shard's state is a function of.
#[derive(Default)]
pub(crate) struct Ground {
    pub(crate) ads: BTreeMap<DocId, Arc<Ad>>,
    pub(crate) lists: BTreeMap<DocId, Arc<AdList>>,
    pub(crate) fences: BTreeMap<DocId, Arc<Fence>>,
    pub(crate) fixes: BTreeMap<DocId, Fix>,
}

/// Which of how many shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShardPlace {
    pub(crate) number: usize,
    pub(crate) count: usize,
}

impl ShardPlace {
    pub(crate) fn owns_device(self, device: &str) -> bool {
        shard_of(device, self.count) == self.number
    }

    pub(crate) fn owns_list(self, list: &AdList) -> bool {
        match list.owner() {
            Owner::Device(name) | Owner::User(name) => self.owns_device(&name),
        }
    }
}

pub(crate) struct Shard {
    place: ShardPlace,
    pub(crate) ads: Ads,
    pub(crate) lists: Lists,
    pub(crate) fences: Fences,
    pub(crate) devices: Devices,
}

impl Shard {
    /// Builds the state without telling anyone.
    pub(crate) fn load(place: ShardPlace, ground: Ground) -> Self {
        let mut shard = Self {
            place,
            ads: Ads::load(ground.ads),
            lists: Lists::new(),
            fences: Fences::load(ground.fences),
            devices: Devices::new(),
        };
        for (id, fix) in ground.fixes.into_iter().filter(|(id, _)| place.owns_device(id.as_str())) {
            shard.devices.arrive(&fix);
            let inside = shard.fences.holding(fix.point);
            inside.iter().for_each(|fence| shard.fences.set_inside(fence, &id, true));
            shard.devices.set_inside(&id, inside);
        }
        for (id, list) in ground.lists.into_iter().filter(|(_, list)| list.active && place.owns_list(list)) {
            shard.insert_list(&id, list);
        }
        shard
    }

    /// Applies one item and appends the events it causes, in order.
    pub(crate) fn apply(&mut self, item: &Item, out: &mut Vec<Event>) {
        let mut teller = Teller { source: item.source, at: item.at, told: Vec::new() };
        match &item.what {
            What::Fix(fix) => {
                teller.at = fix.at;
                self.apply_fix(fix, &mut teller);
            }
            What::Ad { id, live, ended } => self.apply_ad(id, live.as_ref(), *ended, &mut teller),
            What::List { id, live, existed } => self.apply_list(id, live.as_ref(), *existed, &mut teller),
            What::Fence { id, live } => self.apply_fence(id, live.as_ref(), &mut teller),
            What::DeviceGone { id } => self.apply_device_gone(id, &mut teller),
        }
        out.append(&mut teller.in_order());
    }

    fn apply_fix(&mut self, fix: &Fix, teller: &mut Teller) {
        if !self.place.owns_device(fix.device.as_str()) {
            return;
        }
        let Arrival::Moved { previous } = self.devices.arrive(fix) else { return };
        self.cross_fences(fix, previous, teller);
        for list in self.lists.around(fix.device.as_str()) {
            self.lists.post(&list, Some(fix.point));
            self.settle_list(&list, Reason::UpdatePos, Some(teller));
        }
    }

    fn cross_fences(&mut self, fix: &Fix, previous: Option<Point>, teller: &mut Teller) {
        let after = self.fences.holding(fix.point);
        let before =
            self.devices.get(fix.device.as_str()).map(|device| device.inside.clone()).unwrap_or_default();
        for (fence, crossing) in differences(&before, &after) {
            self.fences.set_inside(fence, &fix.device, crossing == Crossing::Enter);
            self.tell_fence(fence, &fix.device, fix.point, previous, crossing, Reason::UpdatePos, teller);
        }
        self.devices.set_inside(&fix.device, after);
    }

    fn apply_ad(&mut self, id: &DocId, live: Option<&Arc<Ad>>, ended: Reason, teller: &mut Teller) {
        let before = match live {
            Some(ad) => {
                let before = self.ads.remove(id);
                self.ads.insert(id, Arc::clone(ad));
                before
            }
            None => self.ads.remove(id),
        };
        let Some(shown) = live.or(before.as_ref()).cloned() else { return };
        let entered = if before.is_some() { Reason::Changed } else { Reason::NewAd };
        let left = if live.is_some() { Reason::Changed } else { ended };
        let mut lists: BTreeSet<DocId> = self.lists.holding(id).cloned().collect();
        lists.extend(live.map(|ad| self.lists.candidates(ad)).unwrap_or_default());
        for list_id in lists {
            let Some(held) = self.lists.get(&list_id) else { continue };
            let list = Arc::clone(&held.list);
            let here = self.here(&list);
            let (was, is) =
                (held.members.contains(id), live.is_some_and(|ad| matcher::is_match(&list, ad, here)));
            if was != is {
                self.lists.set_member(&list_id, id, is);
                let (crossing, reason) = if is { (Crossing::Enter, entered) } else { (Crossing::Exit, left) };
                teller.tell_match(
                    &list_id,
                    &list,
                    id,
                    matcher::distance_m(&list, &shown, here),
                    crossing,
                    reason,
                );
            }
        }
    }

    fn apply_list(&mut self, id: &DocId, live: Option<&Arc<AdList>>, existed: bool, teller: &mut Teller) {
        let live = live.filter(|list| list.active);
        let own = live.filter(|list| self.place.owns_list(list));
        let held = self.lists.get(id).map(|held| Arc::clone(&held.list));
        let same_owner = held.as_ref().zip(own).is_some_and(|(held, list)| held.owner() == list.owner());
        if held.is_some() && !same_owner {
            let reason = if live.is_some() { Reason::Changed } else { Reason::Removed };
            self.drop_list(id, reason, teller);
        }
        let Some(list) = own else { return };
        if same_owner {
            // Members stay; what the new query thinks of each is settled below.
            let members = self.lists.remove(id).map(|held| held.members).unwrap_or_default();
            let here = self.here(list);
            self.lists.insert(id, Arc::clone(list), here);
            members.iter().for_each(|ad| self.lists.set_member(id, ad, true));
            self.settle_list(id, Reason::Changed, Some(teller));
        } else {
            let here = self.here(list);
            self.lists.insert(id, Arc::clone(list), here);
            self.settle_list(id, Reason::Changed, existed.then_some(teller));
        }
    }

    fn insert_list(&mut self, id: &DocId, list: Arc<AdList>) {
        let here = self.here(&list);
        self.lists.insert(id, list, here);
        self.settle_list(id, Reason::Changed, None);
    }

    fn drop_list(&mut self, id: &DocId, reason: Reason, teller: &mut Teller) {
        let Some(held) = self.lists.remove(id) else { return };
        let here = self.here(&held.list);
        for ad in &held.members {
            let distance_m = self.ads.get(ad).and_then(|shown| matcher::distance_m(&held.list, shown, here));
            teller.tell_match(id, &held.list, ad, distance_m, Crossing::Exit, reason);
        }
    }

    /// Makes the members what they must be; tells the differences if somebody listens.
    fn settle_list(&mut self, id: &DocId, reason: Reason, mut teller: Option<&mut Teller>) {
        let Some(held) = self.lists.get(id) else { return };
        let list = Arc::clone(&held.list);
        let here = self.here(&list);
        let after = self.matching(&list, here);
        let before = &held.members;
        let changed: Vec<(DocId, Crossing)> =
            differences(before, &after).map(|(ad, crossing)| (ad.clone(), crossing)).collect();
        for (ad, crossing) in changed {
            self.lists.set_member(id, &ad, crossing == Crossing::Enter);
            if let Some(teller) = teller.as_deref_mut() {
                let distance_m = self.ads.get(&ad).and_then(|shown| matcher::distance_m(&list, shown, here));
                teller.tell_match(id, &list, &ad, distance_m, crossing, reason);
            }
        }
    }

    /// The ads that match a list now.
    fn matching(&self, list: &AdList, here: Option<Point>) -> BTreeSet<DocId> {
        let caps = match (&list.scope, here) {
            (Scope::Around { radius_m }, Some(here)) => vec![Circle::new(here, *radius_m).cap()],
            (Scope::Around { .. }, None) => Vec::new(),
            (Scope::Fixed(region), _) => region.caps(),
        };
        let candidates = self.ads.candidates(&caps, &list.categories).into_iter();
        candidates.filter(|(_, ad)| matcher::is_match(list, ad, here)).map(|(id, _)| id.clone()).collect()
    }

    fn apply_fence(&mut self, id: &DocId, live: Option<&Arc<Fence>>, teller: &mut Teller) {
        let before = self.fences.get(id).map(|held| (Arc::clone(&held.fence), held.members.clone()));
        let Some(fence) = live else {
            if let Some((_, members)) = before {
                members.iter().for_each(|device| self.leave_fence(id, device, Reason::FenceRemoved, teller));
                self.fences.remove(id);
            }
            return;
        };
        let inside = self.devices.candidates(&fence.region.extents()).into_iter();
        let after: BTreeSet<DocId> = inside
            .filter(|(_, device)| fence.region.holds(device.fix.point))
            .map(|(device, _)| device.clone())
            .collect();
        let (old, reason, is_told) = match before {
            Some((_, members)) => (members, Reason::FenceChanged, true),
            None => (BTreeSet::new(), Reason::Initial, fence.initial),
        };
        self.fences.insert(id, Arc::clone(fence), after.clone());
        for (device, crossing) in differences(&old, &after) {
            self.devices.set_one_inside(device, id, crossing == Crossing::Enter);
            let place = self.devices.get(device.as_str()).map(|device| device.fix.point);
            if let (true, Some(place)) = (is_told, place) {
                self.tell_fence(id, device, place, None, crossing, reason, teller);
            }
        }
    }

    fn leave_fence(&mut self, fence: &DocId, device: &DocId, reason: Reason, teller: &mut Teller) {
        self.devices.set_one_inside(device, fence, false);
        if let Some(place) = self.devices.get(device.as_str()).map(|device| device.fix.point) {
            self.tell_fence(fence, device, place, None, Crossing::Exit, reason, teller);
        }
        self.fences.set_inside(fence, device, false);
    }

    fn apply_device_gone(&mut self, id: &DocId, teller: &mut Teller) {
        let Some(device) = self.devices.get(id.as_str()) else { return };
        for fence in device.inside.clone() {
            self.leave_fence(&fence, id, Reason::Deleted, teller);
        }
        let last = self.devices.remove(id).map(|device| device.fix.point);
        for list_id in self.lists.around(id.as_str()) {
            self.lists.post(&list_id, None);
            let Some(held) = self.lists.get(&list_id) else { continue };
            let (list, members) = (Arc::clone(&held.list), held.members.clone());
            for ad in members {
                self.lists.set_member(&list_id, &ad, false);
                let distance_m = self.ads.get(&ad).and_then(|shown| matcher::distance_m(&list, shown, last));
                teller.tell_match(&list_id, &list, &ad, distance_m, Crossing::Exit, Reason::Removed);
            }
        }
    }

    /// Where the device of a list is, if it has one that was seen.
    pub(crate) fn here(&self, list: &AdList) -> Option<Point> {
        self.devices.get(list.device.as_deref()?).map(|device| device.fix.point)
    }

    #[expect(clippy::too_many_arguments, reason = "these are the fields of one event")]
    fn tell_fence(
        &self,
        id: &DocId,
        device: &DocId,
        place: Point,
        previous: Option<Point>,
        crossing: Crossing,
        reason: Reason,
        teller: &mut Teller,
    ) {
        let Some(fence) = self.fences.get(id).map(|held| &held.fence) else { return };
        let wanted = match crossing {
            Crossing::Enter => fence.tells_enter,
            Crossing::Exit => fence.tells_exit,
        };
        if wanted {
            let told = FenceTold {
                fence: id.clone(),
                device: device.clone(),
                place,
                previous,
                distance_m: fence.region.border_distance_m(place),
                name: fence.name.clone(),
                meta: fence.meta.clone(),
            };
            teller.told.push((crossing, reason, Told::Fence(told)));
        }
    }
}

/// What left, then what came, each in the order of ids.
fn differences<'a>(
    before: &'a BTreeSet<DocId>,
    after: &'a BTreeSet<DocId>,
) -> impl Iterator<Item = (&'a DocId, Crossing)> {
    let exits = before.difference(after).map(|id| (id, Crossing::Exit));
    exits.chain(after.difference(before).map(|id| (id, Crossing::Enter)))
}

/// Collects the events of one item.
struct Teller {
    source: Source,
    at: Millis,
    told: Vec<(Crossing, Reason, Told)>,
}

impl Teller {
    fn tell_match(
        &mut self,
        id: &DocId,
        list: &AdList,
        ad: &DocId,
        distance_m: Option<f64>,
        crossing: Crossing,
        reason: Reason,
    ) {
        let told = MatchTold {
            list: id.clone(),
            ad: ad.clone(),
            device: list.device.clone(),
            user: list.user.clone(),
            name: list.name.clone(),
            distance_m,
        };
        self.told.push((crossing, reason, Told::Match(told)));
    }

    /// Exits before enters; within each fences, then lists, by id. The items of one kind were told in that order.
    fn in_order(mut self) -> Vec<Event> {
        self.told.sort_by_key(|(crossing, _, told)| (*crossing, matches!(told, Told::Match(_))));
        let (source, at) = (self.source, self.at);
        self.told
            .into_iter()
            .map(|(crossing, reason, told)| Event { source, at, crossing, reason, told })
            .collect()
    }
}

#[cfg(test)]
mod tests;
