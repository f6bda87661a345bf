//! The devices of a shard: their last fixes, a grid of where they are, and their stays at fences.
//!
//! A device has a slot, a small number that is its name within the shard for as long as it lives. `due` knows when
//! each will next change by time alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dateline_engine::{DocId, Millis};
use serde_json::{Map, Value};

use crate::bounds::Extent;
use crate::fences::FenceSlot;
use crate::fix::Fix;
use crate::grid::{Cell, CellHash, Level};
use crate::levels::Levels;
use crate::point::Point;
use crate::stay::Stay;

/// Cells of 1 km.
const GRID_LEVEL: u8 = 2;
/// A cover of more cells than this is slower than looking at every device.
const COVER_CELLS_MAX: usize = 20_000;

/// A device's name within its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DeviceSlot(u32);

/// The attributes that a device's document gives it.
pub(crate) type Attributes = Arc<Map<String, Value>>;

pub(crate) struct Devices {
    slots: HashMap<DocId, DeviceSlot>,
    records: Vec<Option<Device>>,
    free: Vec<DeviceSlot>,
    grid: HashMap<Cell, Vec<DeviceSlot>, CellHash>,
    level: Level,
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
    due: Option<Millis>,
    /// Its place in the list of its cell, so that leaving a crowded cell costs no search.
    nook: usize,
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
            due: None,
            nook: 0,
        }
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
            grid: HashMap::default(),
            level: Level::new(GRID_LEVEL),
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
        self.records.get(slot.0 as usize)?.as_ref()
    }

    pub(crate) fn at_mut(&mut self, slot: DeviceSlot) -> Option<&mut Device> {
        self.records.get_mut(slot.0 as usize)?.as_mut()
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
        let level = self.level;
        let Some(device) = self.at_mut(slot) else { return Arrival::Stale };
        if fix.at < device.fix.at || (fix.at == device.fix.at && fix.point == device.fix.point) {
            return Arrival::Stale;
        }
        let previous = Previous { point: device.fix.point, at: device.fix.at, log_seq: device.log_seq };
        if fix.fields.is_some() {
            device.overruled = Vec::new();
        }
        let fields = fix.fields.clone().or_else(|| device.fix.fields.take());
        device.fix = Fix { fields, device: device.fix.device.clone(), ..fix.clone() };
        (device.arrived, device.log_seq) = (arrived.at, arrived.log_seq);
        let (from, to) = (level.cell(previous.point), level.cell(fix.point));
        if from != to {
            let nook = device.nook;
            self.leave_cell(from, nook);
            self.enter_cell(to, slot);
        }
        Arrival::Moved { device: slot, previous: Some(previous) }
    }

    /// Adds a device that is not there.
    pub(crate) fn insert(&mut self, device: Device) -> DeviceSlot {
        let (id, cell) = (device.fix.device.clone(), self.level.cell(device.fix.point));
        let slot = self.free.pop().unwrap_or_else(|| {
            self.records.push(None);
            DeviceSlot(u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX))
        });
        self.slots.insert(id, slot);
        if let Some(place) = self.records.get_mut(slot.0 as usize) {
            *place = Some(device);
        }
        self.enter_cell(cell, slot);
        slot
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Device> {
        let slot = self.slots.remove(id)?;
        let device = self.records.get_mut(slot.0 as usize)?.take()?;
        self.leave_cell(self.level.cell(device.fix.point), device.nook);
        if let Some(due) = device.due {
            self.due.remove(&(due, slot));
        }
        self.free.push(slot);
        Some(device)
    }

    fn enter_cell(&mut self, cell: Cell, slot: DeviceSlot) {
        let members = self.grid.entry(cell).or_default();
        members.push(slot);
        let nook = members.len() - 1;
        if let Some(device) = self.at_mut(slot) {
            device.nook = nook;
        }
    }

    fn leave_cell(&mut self, cell: Cell, nook: usize) {
        let Some(members) = self.grid.get_mut(&cell).filter(|members| nook < members.len()) else { return };
        members.swap_remove(nook);
        let moved = members.get(nook).copied();
        if members.is_empty() {
            self.grid.remove(&cell);
        }
        // The last of the list has come to where the device was.
        if let Some(device) = moved.and_then(|slot| self.at_mut(slot)) {
            device.nook = nook;
        }
    }

    /// Notes when time alone will change a device.
    pub(crate) fn set_due(&mut self, slot: DeviceSlot, due: Option<Millis>) {
        let Some(device) = self.at_mut(slot) else { return };
        let before = std::mem::replace(&mut device.due, due);
        if before != due {
            if let Some(before) = before {
                self.due.remove(&(before, slot));
            }
            self.due.extend(due.map(|due| (due, slot)));
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

    /// Devices that may be within one of the extents.
    pub(crate) fn candidates(&self, extents: &[Extent]) -> Vec<(DeviceSlot, &Device)> {
        let known = |slot: DeviceSlot| self.at(slot).map(|device| (slot, device));
        let most = COVER_CELLS_MAX.min(self.grid.len().max(64));
        let mut cells = BTreeSet::new();
        for extent in extents {
            match self.level.cover(extent, 0.0, most) {
                Some(cover) => cells.extend(cover),
                None => return self.slots.values().filter_map(|slot| known(*slot)).collect(),
            }
        }
        let slots = cells.iter().filter_map(|cell| self.grid.get(cell)).flatten();
        slots.filter_map(|slot| known(*slot)).collect()
    }
}
