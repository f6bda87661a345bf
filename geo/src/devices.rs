//! The devices of a shard: their last fixes, where they are, and their stays at fences.
//!
//! A device has a slot, a small number that is its name within the shard for as long as it lives. `due` knows when
//! each will next change by time alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dateline_engine::{DocId, Millis};
use serde_json::{Map, Value};

use crate::fences::FenceSlot;
use crate::fix::Fix;
use crate::levels::Levels;
use crate::patch::Patch;
use crate::point::Point;
use crate::stay::Stay;
use crate::whereabouts::Whereabouts;

/// A device's name within its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DeviceSlot(u32);

impl DeviceSlot {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// No log comes to this time.
const NEVER: Millis = Millis::new(u64::MAX);

/// The attributes that a device's document gives it.
pub(crate) type Attributes = Arc<Map<String, Value>>;

pub(crate) struct Devices {
    slots: HashMap<DocId, DeviceSlot>,
    records: Vec<Option<Device>>,
    free: Vec<DeviceSlot>,
    whereabouts: Whereabouts,
    due: BTreeSet<(Millis, DeviceSlot)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) fix: Fix,
    /// When the log took the fix in, and where the log of documents stood then.
    pub(crate) arrived: Millis,
    pub(crate) log_seq: u64,
    /// By fence.
    pub(crate) stays: Vec<(FenceSlot, Stay)>,
    pub(crate) levels: Levels,
    /// Attributes of the fix that the document of the device has overruled since.
    pub(crate) overruled: Vec<Box<str>>,
    /// Or `NEVER`, which needs no more room.
    due: Millis,
    /// See `whereabouts`.
    nook: u32,
}

/// What a fix means for a device.
#[derive(Debug, PartialEq)]
pub(crate) enum Arrival {
    /// Older than the last one, or the same again: history only.
    Stale,
    Moved {
        device: DeviceSlot,
        previous: Option<Previous>,
    },
}

/// The fix before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Previous {
    pub(crate) point: Point,
    pub(crate) at: Millis,
    pub(crate) log_seq: u64,
}

/// A fix as it came out of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) at: Millis,
    pub(crate) log_seq: u64,
}

impl Device {
    pub(crate) fn new(fix: Fix, arrived: Arrived) -> Self {
        Self {
            fix,
            arrived: arrived.at,
            log_seq: arrived.log_seq,
            stays: Vec::new(),
            levels: Levels::default(),
            overruled: Vec::new(),
            due: NEVER,
            nook: 0,
        }
    }

    /// Takes over a fix, piece by piece: its name is that of the device, and one more copy of it costs more than the rest.
    fn update(&mut self, fix: &Fix, arrived: Arrived) {
        let Fix { device: _, point, at, speed, heading, accuracy, altitude, ttl_s, fields } = fix;
        let own = &mut self.fix;
        (own.point, own.at, own.ttl_s) = (*point, *at, *ttl_s);
        (own.speed, own.heading, own.accuracy, own.altitude) = (*speed, *heading, *accuracy, *altitude);
        // A fix without fields keeps the earlier ones.
        if fields.is_some() {
            own.fields.clone_from(fields);
        }
        (self.arrived, self.log_seq) = (arrived.at, arrived.log_seq);
    }

    /// The device's own time when the log has come to `log`: its last fix, and what went by since.
    pub(crate) fn time_at(&self, log: Millis) -> Millis {
        let gone = log.get().saturating_sub(self.arrived.get());
        Millis::new(self.fix.at.get().saturating_add(gone))
    }

    /// When the log will come to a time of the device.
    pub(crate) fn log_time_of(&self, own: Millis) -> Millis {
        let left = own.get().saturating_sub(self.fix.at.get());
        Millis::new(self.arrived.get().saturating_add(left))
    }

    /// When the device is forgotten, if its last fix said for how long it is good.
    pub(crate) fn ends(&self) -> Option<Millis> {
        let ttl_ms = u64::from(self.fix.ttl_s?) * 1000;
        Some(Millis::new(self.arrived.get().saturating_add(ttl_ms)))
    }

    pub(crate) fn stay(&self, fence: FenceSlot) -> Option<Stay> {
        let place = self.stays.binary_search_by_key(&fence, |(slot, _)| *slot).ok()?;
        self.stays.get(place).map(|(_, stay)| *stay)
    }

    pub(crate) fn set_stay(&mut self, fence: FenceSlot, stay: Option<Stay>) {
        match (self.stays.binary_search_by_key(&fence, |(slot, _)| *slot), stay) {
            (Ok(place), Some(stay)) => {
                if let Some(known) = self.stays.get_mut(place) {
                    known.1 = stay;
                }
            }
            (Ok(place), None) => drop(self.stays.remove(place)),
            (Err(place), Some(stay)) => self.stays.insert(place, (fence, stay)),
            (Err(_), None) => {}
        }
    }

    /// The fences it counts as inside of.
    pub(crate) fn inside(&self) -> impl Iterator<Item = FenceSlot> + '_ {
        self.stays.iter().filter(|(_, stay)| stay.is_member()).map(|(fence, _)| *fence)
    }

    /// The document of the device has these attributes from now on, whatever the last fix said of them.
    pub(crate) fn overrule(&mut self, changed: &[Box<str>]) {
        let own = self.fix.fields.as_deref();
        let own: Map<String, Value> =
            own.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let overruled =
            changed.iter().filter(|name| own.contains_key(&***name) && !self.overruled.contains(name));
        let overruled: Vec<Box<str>> = overruled.cloned().collect();
        self.overruled.extend(overruled);
    }

    /// What conditions are held against.
    pub(crate) fn attributes(&self, document: Option<&Attributes>) -> Value {
        let mut fields: Map<String, Value> = document.map(|known| (**known).clone()).unwrap_or_default();
        let own = self.fix.fields.as_deref();
        let own: Map<String, Value> =
            own.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        fields.extend(
            own.into_iter().filter(|(name, _)| !self.overruled.iter().any(|known| **known == **name)),
        );
        let numbers = [
            ("speed", self.fix.speed),
            ("heading", self.fix.heading),
            ("accuracy", self.fix.accuracy),
            ("altitude", self.fix.altitude),
        ];
        let mut all: Map<String, Value> =
            numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
        all.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        all.insert("fields".to_owned(), Value::Object(fields));
        Value::Object(all)
    }
}

impl Devices {
    pub(crate) fn new() -> Self {
        Self {
            slots: HashMap::new(),
            records: Vec::new(),
            free: Vec::new(),
            whereabouts: Whereabouts::new(),
            due: BTreeSet::new(),
        }
    }

    pub(crate) fn slot(&self, id: &DocId) -> Option<DeviceSlot> {
        self.slots.get(id).copied()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Device> {
        // A name that cannot be one belongs to no device.
        DocId::new(id).ok().and_then(|id| self.find(&id))
    }

    pub(crate) fn find(&self, id: &DocId) -> Option<&Device> {
        self.at(self.slot(id)?)
    }

    pub(crate) fn at(&self, slot: DeviceSlot) -> Option<&Device> {
        self.records.get(slot.index())?.as_ref()
    }

    pub(crate) fn at_mut(&mut self, slot: DeviceSlot) -> Option<&mut Device> {
        self.records.get_mut(slot.index())?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DocId, &Device)> {
        self.records.iter().flatten().map(|device| (&device.fix.device, device))
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes in a fix; the last one in device time wins.
    pub(crate) fn arrive(&mut self, fix: &Fix, arrived: Arrived) -> Arrival {
        let Some(slot) = self.slot(&fix.device) else {
            let device = self.insert(Device::new(fix.clone(), arrived));
            return Arrival::Moved { device, previous: None };
        };
        let Some(device) = self.records.get_mut(slot.index()).and_then(Option::as_mut) else {
            return Arrival::Stale;
        };
        if fix.at < device.fix.at || (fix.at == device.fix.at && fix.point == device.fix.point) {
            return Arrival::Stale;
        }
        let previous = Previous { point: device.fix.point, at: device.fix.at, log_seq: device.log_seq };
        if fix.fields.is_some() {
            device.overruled = Vec::new();
        }
        device.update(fix, arrived);
        let nook = device.nook;
        let records = &mut self.records;
        self.whereabouts.shift((previous.point, fix.point), (slot, nook), |slot, nook| {
            set_nook(records, slot, nook);
        });
        Arrival::Moved { device: slot, previous: Some(previous) }
    }

    /// Reads a little of each device's record and of its list, see `Shard::look_ahead`.
    pub(crate) fn look_ahead<'a>(&self, names: impl Iterator<Item = &'a DocId>) {
        let slots: Vec<DeviceSlot> = names.filter_map(|name| self.slot(name)).collect();
        let records = slots.iter().filter_map(|slot| self.at(*slot));
        std::hint::black_box(records.fold(0, |all, device| all ^ device.fix.mark() ^ device.log_seq));
        let records = slots.iter().filter_map(|slot| self.at(*slot));
        let found = records.filter(|device| self.whereabouts.is_at(device.fix.point, device.nook));
        std::hint::black_box(found.count());
    }

    /// Adds a device that is not there.
    pub(crate) fn insert(&mut self, device: Device) -> DeviceSlot {
        let (id, place) = (device.fix.device.clone(), device.fix.point);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.records.push(None);
            DeviceSlot(u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX))
        });
        self.slots.insert(id, slot);
        let records = &mut self.records;
        if let Some(record) = records.get_mut(slot.index()) {
            *record = Some(device);
        }
        self.whereabouts.enter(place, slot, |slot, nook| set_nook(records, slot, nook));
        slot
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Device> {
        let slot = self.slots.remove(id)?;
        let records = &mut self.records;
        let device = records.get_mut(slot.index())?.take()?;
        self.whereabouts.leave(device.fix.point, device.nook, |slot, nook| set_nook(records, slot, nook));
        if device.due != NEVER {
            self.due.remove(&(device.due, slot));
        }
        self.free.push(slot);
        Some(device)
    }

    /// Notes when time alone will change a device.
    pub(crate) fn set_due(&mut self, slot: DeviceSlot, due: Option<Millis>) {
        let Some(device) = self.at_mut(slot) else { return };
        let due = due.unwrap_or(NEVER);
        let before = std::mem::replace(&mut device.due, due);
        if before == due {
            return;
        }
        if before != NEVER {
            self.due.remove(&(before, slot));
        }
        if due != NEVER {
            self.due.insert((due, slot));
        }
    }

    /// When the first device is due.
    pub(crate) fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The devices that are due by a time of the log.
    pub(crate) fn due_by(&self, log: Millis) -> Vec<DeviceSlot> {
        self.due.iter().take_while(|(due, _)| *due <= log).map(|(_, slot)| *slot).collect()
    }

    /// Devices that may be within one of the patches.
    pub(crate) fn candidates(&self, patches: &[Patch]) -> Vec<(DeviceSlot, &Device)> {
        let mut found = Vec::new();
        self.search(patches, |slot, _| found.extend(self.at(slot).map(|device| (slot, device))));
        found
    }

    /// Calls `see` for each device that may be within one of the patches, with its place.
    pub(crate) fn search(&self, patches: &[Patch], see: impl FnMut(DeviceSlot, Point)) {
        self.whereabouts.search(patches, see);
    }

    /// See [`Whereabouts::reach_m`].
    pub(crate) fn reach_m(&self, center: Point, count: usize, reach_m_max: f64) -> f64 {
        self.whereabouts.reach_m(center, count, reach_m_max)
    }
}

fn set_nook(records: &mut [Option<Device>], slot: DeviceSlot, nook: u32) {
    if let Some(Some(device)) = records.get_mut(slot.index()) {
        device.nook = nook;
    }
}
