//! The state one shard thread owns, and what each entry of the log does to it.
//!
//! Pure: no I/O, no clock, no randomness; the same items in the same order give the same state and events.
//! A shard knows every live ad and every fence, and the devices and lists whose owner hashes to it. The first one also
//! knows where all other devices are, for fences around devices.
//! Invariants, each after every item: an ad is a member of a list exactly if `matcher::is_match` says so; a stay of a
//! device at a fence is what `stay` makes of all its fixes. Events are the differences.

mod listing;
mod roaming;
mod telling;
mod zones;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dateline_engine::{DocId, Millis};

use crate::ad::Ad;
use crate::adlist::{AdList, Owner};
use crate::ads::Ads;
use crate::devices::{Arrival, Arrived, Attributes, Device, Devices};
use crate::event::{Event, Kind, Reason, Source};
use crate::fence::Fence;
use crate::fences::Fences;
use crate::fix::Fix;
use crate::hash::shard_of;
use crate::lists::Lists;
use crate::roam::Roam;
use crate::teller::Teller;

/// One step of the merged order of both lanes, already read and parsed.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) source: Source,
    /// When the log took it in.
    pub(crate) at: Millis,
    /// Where the log of documents stood then.
    pub(crate) log_seq: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Fix(Fix),
    /// Time went by.
    Tick,
    /// `live` is the ad if it can match; `ended` says why it left otherwise.
    Ad {
        id: DocId,
        live: Option<Arc<Ad>>,
        ended: Reason,
    },
    /// `existed`: the list was there before, active or not. `ended` says why it left if it did.
    List {
        id: DocId,
        live: Option<Arc<AdList>>,
        existed: bool,
        ended: Reason,
    },
    Fence {
        id: DocId,
        live: Option<Arc<Fence>>,
    },
    /// The document of a device gives it these attributes; `changed` names those that are new or other than before.
    Device {
        id: DocId,
        attributes: Attributes,
        changed: Arc<[Box<str>]>,
    },
    DeviceGone {
        id: DocId,
        reason: Reason,
    },
}

/// What a shard begins with. Lists and ads come with [`Shard::stock`].
#[derive(Default)]
pub(crate) struct Ground {
    /// With where they were written.
    pub(crate) fences: BTreeMap<DocId, (Arc<Fence>, u64)>,
    pub(crate) attributes: HashMap<DocId, Attributes>,
}

/// Which of how many shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShardPlace {
    pub(crate) number: usize,
    pub(crate) count: usize,
}

impl ShardPlace {
    /// The shard that watches over fences around devices, and so over all devices.
    pub(crate) const ROAMING: usize = 0;

    pub(crate) fn owns_device(self, device: &str) -> bool {
        shard_of(device, self.count) == self.number
    }

    pub(crate) fn owns_list(self, list: &AdList) -> bool {
        match list.owner() {
            Owner::Device(name) | Owner::User(name) => self.owns_device(&name),
        }
    }

    pub(crate) fn roams(self) -> bool {
        self.number == Self::ROAMING
    }

    /// Whether the shard needs to know of a device.
    pub(crate) fn knows_device(self, device: &str) -> bool {
        self.roams() || self.owns_device(device)
    }
}

pub(crate) struct Shard {
    pub(crate) place: ShardPlace,
    pub(crate) ads: Ads,
    pub(crate) lists: Lists,
    pub(crate) fences: Fences,
    pub(crate) devices: Devices,
    /// Devices of other shards, where this one needs them.
    pub(crate) foreign: Devices,
    pub(crate) attributes: HashMap<DocId, Attributes>,
    pub(crate) roam: Roam,
}

impl Shard {
    pub(crate) fn new(place: ShardPlace, ground: Ground) -> Self {
        let knows = |id: &DocId| place.knows_device(id.as_str());
        let mut roam = Roam::default();
        if place.roams() {
            let roaming = ground.fences.iter().filter(|(_, (fence, _))| fence.zone().is_none());
            roaming.for_each(|(id, (fence, _))| roam.put(id, Arc::clone(fence)));
        }
        Self {
            place,
            ads: Ads::load(BTreeMap::new()),
            lists: Lists::new(),
            fences: Fences::load(ground.fences),
            devices: Devices::new(),
            foreign: Devices::new(),
            attributes: ground.attributes.into_iter().filter(|(id, _)| knows(id)).collect(),
            roam,
        }
    }

    /// Takes in a device as it was.
    pub(crate) fn add_device(&mut self, device: Device) {
        if self.place.owns_device(device.fix.device.as_str()) {
            let (now, stays) = (device.fix.at, device.stays.clone());
            let slot = self.devices.insert(device);
            stays.iter().for_each(|(fence, _)| self.fences.set_stays(*fence, slot, true));
            self.note_due(slot, now);
        } else if self.place.roams() {
            let ends = device.ends();
            let slot = self.foreign.insert(device);
            self.foreign.set_due(slot, ends);
        }
    }

    /// Takes in ads and lists that have been there; tells nobody.
    pub(crate) fn stock(&mut self, ads: BTreeMap<DocId, Arc<Ad>>, lists: BTreeMap<DocId, Arc<AdList>>) {
        self.ads = Ads::load(ads);
        let place = self.place;
        for (id, list) in lists.into_iter().filter(|(_, list)| list.active && place.owns_list(list)) {
            self.insert_list(&id, list);
        }
    }

    /// Applies one item and appends the events it causes, in order.
    pub(crate) fn apply(&mut self, item: &Item, out: &mut Vec<Event>) {
        let mut teller = Teller::new(item.source, item.at);
        match &item.what {
            What::Fix(fix) => {
                teller.at = fix.at;
                self.apply_fix(fix, Arrived { at: item.at, log_seq: item.log_seq }, &mut teller);
            }
            What::Tick => self.apply_tick(item.at, &mut teller),
            What::Ad { id, live, ended } => self.apply_ad(id, live.as_ref(), *ended, &mut teller),
            What::List { id, live, existed, ended } => {
                self.apply_list(id, live.as_ref(), *existed, *ended, &mut teller);
            }
            What::Fence { id, live } => self.apply_fence(id, live.as_ref(), item.log_seq, &mut teller),
            What::Device { id, attributes, changed } => {
                self.apply_device(id, attributes, changed, &mut teller);
            }
            What::DeviceGone { id, reason } => self.apply_device_gone(id, *reason, &mut teller),
        }
        out.append(&mut teller.in_order());
    }

    /// Brings near what the next items need. It lies all over memory, and to wait for much of it at a time takes hardly
    /// longer than to wait for each.
    pub(crate) fn look_ahead(&self, items: &[Item]) {
        let fixes = items.iter().filter_map(|item| match &item.what {
            What::Fix(fix) => Some(&fix.device),
            _ => None,
        });
        self.devices.look_ahead(fixes);
    }

    fn apply_fix(&mut self, fix: &Fix, arrived: Arrived, teller: &mut Teller) {
        if !self.place.owns_device(fix.device.as_str()) {
            if self.place.roams()
                && let Arrival::Moved { device, previous } = self.foreign.arrive(fix, arrived)
            {
                self.foreign.set_due(device, self.foreign.at(device).and_then(Device::ends));
                self.roam_device(
                    &fix.device,
                    Reason::UpdatePos,
                    previous.map(|previous| previous.point),
                    teller,
                );
            }
            return;
        }
        let Arrival::Moved { device, previous } = self.devices.arrive(fix, arrived) else { return };
        self.cross_zones(device, previous, teller);
        self.roam_device(&fix.device, Reason::UpdatePos, previous.map(|previous| previous.point), teller);
        for list in self.lists.around(fix.device.as_str()) {
            self.follow(&list, fix.point, teller);
        }
    }

    /// Devices that time alone changes, as far as the log has come, in the order of their ids.
    fn apply_tick(&mut self, log: Millis, teller: &mut Teller) {
        let own = self.devices.due_by(log).into_iter().filter_map(|slot| self.devices.at(slot));
        let foreign = self.foreign.due_by(log).into_iter().filter_map(|slot| self.foreign.at(slot));
        let ends = |device: &Device| device.ends().is_some_and(|end| end <= log);
        let due = own.chain(foreign).map(|device| (device.fix.device.clone(), ends(device)));
        let due: BTreeMap<DocId, bool> = due.collect();
        for (id, is_over) in due {
            if is_over {
                self.device_ends(&id, Reason::Expired, teller);
            } else if let Some(slot) = self.devices.slot(&id) {
                self.pass_time(slot, log, teller);
            }
        }
    }

    fn apply_device(
        &mut self,
        id: &DocId,
        attributes: &Attributes,
        changed: &[Box<str>],
        teller: &mut Teller,
    ) {
        if !self.place.knows_device(id.as_str()) {
            return;
        }
        let before = self.attributes.insert(id.clone(), Arc::clone(attributes)).unwrap_or_default();
        if before == *attributes {
            // Other members of the document have changed.
            return;
        }
        let known = if self.place.owns_device(id.as_str()) { &mut self.devices } else { &mut self.foreign };
        let Some(slot) = known.slot(id) else { return };
        if let Some(device) = known.at_mut(slot) {
            device.overrule(changed);
        }
        if self.place.owns_device(id.as_str()) {
            self.judge_again(slot, teller);
        }
        self.roam_device(id, Reason::Changed, None, teller);
    }

    fn apply_device_gone(&mut self, id: &DocId, reason: Reason, teller: &mut Teller) {
        self.attributes.remove(id);
        self.device_ends(id, reason, teller);
    }

    /// The device is known no more.
    fn device_ends(&mut self, id: &DocId, reason: Reason, teller: &mut Teller) {
        self.roam_ends(id, reason, teller);
        self.foreign.remove(id);
        let Some(slot) = self.devices.slot(id) else { return };
        self.leave_zones(slot, reason, teller);
        let last = self.devices.remove(id).map(|device| device.fix.point);
        let reason = if reason == Reason::Deleted { Reason::Removed } else { reason };
        for list_id in self.lists.around(id.as_str()) {
            self.lists.watch(&list_id, None);
            let Some(held) = self.lists.get(&list_id) else { continue };
            let (list, members) = (Arc::clone(&held.list), held.members.clone());
            for ad in members {
                self.lists.set_member(&list_id, &ad, false);
                let distance_m = self.distance_to(&list, &ad, last);
                teller.tell_match(&list_id, &list, &ad, distance_m, Kind::Exit, reason);
            }
        }
    }

    /// When the shard next needs to be told that time went by.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.devices.next_due().into_iter().chain(self.foreign.next_due()).min()
    }
}

#[cfg(test)]
mod tests;
