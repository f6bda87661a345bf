//! The devices of a shard: their last fixes, a grid of where they are, and the fences each is inside.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dateline_engine::DocId;

use crate::bounds::Extent;
use crate::fix::Fix;
use crate::grid::{Cell, Level};
use crate::point::Point;

/// Cells of 1 km.
const GRID_LEVEL: u8 = 2;
/// A cover of more cells than this is slower than looking at every device.
const COVER_CELLS_MAX: usize = 20_000;

pub(crate) struct Devices {
    by_id: BTreeMap<DocId, Device>,
    grid: HashMap<Cell, BTreeSet<DocId>>,
    level: Level,
}

pub(crate) struct Device {
    pub(crate) fix: Fix,
    pub(crate) inside: BTreeSet<DocId>,
}

/// What a fix means for a device.
#[derive(Debug, PartialEq)]
pub(crate) enum Arrival {
    /// Older than the last one, or the same again: history only.
    Stale,
    Moved {
        previous: Option<Point>,
    },
}

impl Devices {
    pub(crate) fn new() -> Self {
        Self { by_id: BTreeMap::new(), grid: HashMap::new(), level: Level::new(GRID_LEVEL) }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Device> {
        // A name that cannot be one belongs to no device.
        DocId::new(id).ok().and_then(|id| self.by_id.get(&id))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DocId, &Device)> {
        self.by_id.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Takes in a fix; the last one in device time wins.
    pub(crate) fn arrive(&mut self, fix: &Fix) -> Arrival {
        let Some(device) = self.by_id.get_mut(&fix.device) else {
            self.grid.entry(self.level.cell(fix.point)).or_default().insert(fix.device.clone());
            self.by_id.insert(fix.device.clone(), Device { fix: fix.clone(), inside: BTreeSet::new() });
            return Arrival::Moved { previous: None };
        };
        if fix.at < device.fix.at || (fix.at == device.fix.at && fix.point == device.fix.point) {
            return Arrival::Stale;
        }
        let previous = device.fix.point;
        let fields = fix.fields.clone().or_else(|| device.fix.fields.take());
        device.fix = Fix { fields, ..fix.clone() };
        let (from, to) = (self.level.cell(previous), self.level.cell(fix.point));
        if from != to {
            self.leave_cell(from, &fix.device);
            self.grid.entry(to).or_default().insert(fix.device.clone());
        }
        Arrival::Moved { previous: Some(previous) }
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Device> {
        let device = self.by_id.remove(id)?;
        self.leave_cell(self.level.cell(device.fix.point), id);
        Some(device)
    }

    fn leave_cell(&mut self, cell: Cell, id: &DocId) {
        if let Some(members) = self.grid.get_mut(&cell) {
            members.remove(id);
            if members.is_empty() {
                self.grid.remove(&cell);
            }
        }
    }

    pub(crate) fn set_inside(&mut self, id: &DocId, fences: BTreeSet<DocId>) {
        if let Some(device) = self.by_id.get_mut(id) {
            device.inside = fences;
        }
    }

    pub(crate) fn set_one_inside(&mut self, id: &DocId, fence: &DocId, inside: bool) {
        if let Some(device) = self.by_id.get_mut(id) {
            if inside {
                device.inside.insert(fence.clone());
            } else {
                device.inside.remove(fence);
            }
        }
    }

    /// Devices that may be within one of the extents.
    pub(crate) fn candidates(&self, extents: &[Extent]) -> Vec<(&DocId, &Device)> {
        let most = COVER_CELLS_MAX.min(self.grid.len().max(64));
        let mut cells = BTreeSet::new();
        for extent in extents {
            match self.level.cover(extent, 0.0, most) {
                Some(cover) => cells.extend(cover),
                None => return self.by_id.iter().collect(),
            }
        }
        let ids = cells.iter().filter_map(|cell| self.grid.get(cell)).flatten();
        ids.filter_map(|id| self.by_id.get_key_value(id)).collect()
    }
}
