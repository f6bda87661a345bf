//! The fences of a shard: where they are, who stays at them, and which of them ask for what.
//!
//! Zones are listed by the cells they lie in; those that tell crossings lie in an rstar tree of their lon/lat boxes as
//! well, which a device's way is held against. A fence has a slot, a small number that is its name within the shard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dateline_engine::DocId;
use geo::Line;
use rstar::RTree;
use rstar::primitives::{GeomWithData, Rectangle};

use crate::bounds::Extent;
use crate::cells::Cells;
use crate::devices::DeviceSlot;
use crate::event::Kind;
use crate::fence::{Fence, Zone};
use crate::levels::Ask;
use crate::point::Point;

/// A fence's name within its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FenceSlot(u32);

impl FenceSlot {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn of_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
}

type Boxed = GeomWithData<Rectangle<[f64; 2]>, FenceSlot>;

#[derive(Default)]
pub(crate) struct Fences {
    slots: BTreeMap<DocId, FenceSlot>,
    records: Vec<Option<Held>>,
    free: Vec<FenceSlot>,
    zones: Cells,
    crossed: RTree<Boxed>,
    /// Those that tell who is outside, by the length of their interval.
    outside: BTreeMap<u64, Outside>,
    conditional: BTreeSet<FenceSlot>,
    /// By slot: where a device that goes on lying inside needs no further thought.
    steady: Vec<bool>,
    /// How many tell levels, over how many time alone has power, and how many lie around devices.
    leveled: usize,
    timed: usize,
    roaming: usize,
}

/// Fences that tell who is outside.
#[derive(Default)]
pub(crate) struct Outside {
    pub(crate) fences: BTreeSet<FenceSlot>,
    /// No fence of them is newer than this.
    pub(crate) newest_seq: u64,
}

/// A fence, and the devices that stay at it in any way.
pub(crate) struct Held {
    pub(crate) id: DocId,
    pub(crate) fence: Arc<Fence>,
    /// Of the log, where it was written.
    pub(crate) seq: u64,
    pub(crate) stays: BTreeSet<DeviceSlot>,
}

impl Held {
    /// What the levels of a device need to know, if the fence tells any.
    pub(crate) fn levels(&self, slot: FenceSlot) -> Option<Ask> {
        let tells = self.fence.tells(Kind::Inside) || self.fence.tells(Kind::Outside);
        let zone = self.fence.zone().filter(|_| tells)?;
        Some(Ask { fence: slot, fence_seq: self.seq, interval_ms: zone.interval_ms })
    }

    /// Whether time alone can change a stay at it.
    fn is_timed(&self) -> bool {
        self.fence.zone().is_some_and(|zone| {
            zone.schedule.is_some()
                || zone.exit_dwell_ms > 0
                || zone.dwell_ms > 0
                || self.fence.tells(Kind::Dwell)
        })
    }
}

impl Fences {
    pub(crate) fn load(fences: BTreeMap<DocId, (Arc<Fence>, u64)>) -> Self {
        let mut loaded = Self::default();
        let mut crossed = Vec::new();
        for (id, (fence, seq)) in fences {
            let slot = loaded.add(&id, Arc::clone(&fence), seq);
            if fence.tells(Kind::Cross) {
                crossed.extend(boxed(slot, &fence));
            }
        }
        loaded.crossed = RTree::bulk_load(crossed);
        loaded
    }

    pub(crate) fn slot(&self, id: &DocId) -> Option<FenceSlot> {
        self.slots.get(id).copied()
    }

    pub(crate) fn at(&self, slot: FenceSlot) -> Option<&Held> {
        self.records.get(slot.index())?.as_ref()
    }

    pub(crate) fn zone(&self, slot: FenceSlot) -> Option<(&Held, &Zone)> {
        let held = self.at(slot)?;
        Some((held, held.fence.zone()?))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DocId, &Held)> {
        self.slots.iter().filter_map(|(id, slot)| Some((id, self.at(*slot)?)))
    }

    /// Puts a fence in place of an earlier one, whose slot and stays it takes over.
    pub(crate) fn insert(&mut self, id: &DocId, fence: Arc<Fence>, seq: u64) -> FenceSlot {
        let stays = self.remove(id).map(|held| held.stays).unwrap_or_default();
        let slot = self.add(id, Arc::clone(&fence), seq);
        if let Some(held) = self.at_mut(slot) {
            held.stays = stays;
        }
        if fence.tells(Kind::Cross) {
            boxed(slot, &fence).into_iter().for_each(|shape| self.crossed.insert(shape));
        }
        slot
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Held> {
        let slot = self.slots.remove(id)?;
        let held = self.records.get_mut(slot.index())?.take()?;
        if let Some(zone) = held.fence.zone() {
            self.zones.remove(slot, &zone.region);
        }
        if held.fence.tells(Kind::Cross) {
            for shape in boxed(slot, &held.fence) {
                self.crossed.remove(&shape);
            }
        }
        if let Some(zone) = held.fence.zone()
            && let Some(outside) = self.outside.get_mut(&zone.interval_ms)
        {
            outside.fences.remove(&slot);
            if outside.fences.is_empty() {
                self.outside.remove(&zone.interval_ms);
            }
        }
        self.conditional.remove(&slot);
        self.roaming -= usize::from(held.fence.zone().is_none());
        self.leveled -= usize::from(held.levels(slot).is_some());
        self.timed -= usize::from(held.is_timed());
        self.free.push(slot);
        Some(held)
    }

    /// All but the tree.
    fn add(&mut self, id: &DocId, fence: Arc<Fence>, seq: u64) -> FenceSlot {
        // The newest free slot first: a fence that is replaced keeps its own.
        let slot = self.free.pop().unwrap_or_else(|| {
            self.records.push(None);
            FenceSlot::of_index(self.records.len() - 1)
        });
        if let Some(zone) = fence.zone().filter(|_| fence.tells(Kind::Outside)) {
            let outside = self.outside.entry(zone.interval_ms).or_default();
            outside.fences.insert(slot);
            outside.newest_seq = outside.newest_seq.max(seq);
        }
        if fence.condition.is_some() {
            self.conditional.insert(slot);
        }
        if let Some(zone) = fence.zone() {
            self.zones.insert(slot, &zone.region);
        }
        if self.steady.len() <= slot.index() {
            self.steady.resize(slot.index() + 1, false);
        }
        if let Some(steady) = self.steady.get_mut(slot.index()) {
            *steady = fence.is_plain() && !fence.tells(Kind::Dwell);
        }
        let held = Held { id: id.clone(), fence, seq, stays: BTreeSet::new() };
        self.roaming += usize::from(held.fence.zone().is_none());
        self.leveled += usize::from(held.levels(slot).is_some());
        self.timed += usize::from(held.is_timed());
        if let Some(place) = self.records.get_mut(slot.index()) {
            *place = Some(held);
        }
        self.slots.insert(id.clone(), slot);
        slot
    }

    fn at_mut(&mut self, slot: FenceSlot) -> Option<&mut Held> {
        self.records.get_mut(slot.index())?.as_mut()
    }

    pub(crate) fn set_stays(&mut self, slot: FenceSlot, device: DeviceSlot, stays: bool) {
        if let Some(held) = self.at_mut(slot) {
            if stays {
                held.stays.insert(device);
            } else {
                held.stays.remove(&device);
            }
        }
    }

    pub(crate) fn outside(&self) -> impl Iterator<Item = (u64, &Outside)> {
        self.outside.iter().map(|(interval, fences)| (*interval, fences))
    }

    pub(crate) fn is_conditional(&self, slot: FenceSlot) -> bool {
        self.conditional.contains(&slot)
    }

    pub(crate) fn tells_levels(&self) -> bool {
        self.leveled > 0
    }

    pub(crate) fn has_timed(&self) -> bool {
        self.timed > 0
    }

    pub(crate) fn has_conditional(&self) -> bool {
        !self.conditional.is_empty()
    }

    pub(crate) fn has_roaming(&self) -> bool {
        self.roaming > 0
    }

    /// The zones whose border may be within a reach of a place, some more than once.
    pub(crate) fn bordering(&self, place: Point, reach_m: f64) -> impl Iterator<Item = &Zone> {
        let near = self.zones.bordering(place, reach_m).into_iter();
        near.filter_map(|slot| self.zone(slot).map(|(_, zone)| zone))
    }

    /// The fences that a place lies in, in the order of their slots.
    pub(crate) fn holding(&self, place: Point) -> Vec<FenceSlot> {
        self.zones.holding(place, |slot| self.zone(slot).map(|(_, zone)| &zone.region))
    }

    /// Whether being inside one is nothing but lying inside, from the first moment to the last.
    pub(crate) fn is_steady(&self, slot: FenceSlot) -> bool {
        self.steady.get(slot.index()).copied().unwrap_or(false)
    }

    /// The fences that tell crossings and that the way from one place to another, short and straight in longitude and
    /// latitude, leads through from outside to outside.
    pub(crate) fn crossed(&self, from: Point, to: Point) -> Vec<FenceSlot> {
        if self.crossed.size() == 0 || from == to {
            return Vec::new();
        }
        let way = way(from, to);
        let mut found: Vec<FenceSlot> = Extent::of_edge(&way)
            .boxes()
            .into_iter()
            .flat_map(|area| self.crossed.locate_in_envelope_intersecting(area).map(|shape| shape.data))
            .collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|slot| {
            self.zone(*slot).is_some_and(|(_, zone)| {
                let region = &zone.region;
                !region.holds(from) && !region.holds(to) && region.meets_edge(&way)
            })
        });
        found
    }
}

/// The way between two places in stored units, unrolled.
fn way(from: Point, to: Point) -> Line<f64> {
    let laid = crate::ring::unroll(
        &[from, to].map(|point| (i64::from(point.lon_units()), i64::from(point.lat_units()))),
        true,
    );
    let at = |place: Option<&(i64, i64)>| {
        place.map_or(geo::Coord::default(), |&(x, y)| geo::Coord { x: x as f64, y: y as f64 })
    };
    Line::new(at(laid.first()), at(laid.last()))
}

fn boxed(slot: FenceSlot, fence: &Fence) -> Vec<Boxed> {
    let extents = fence.zone().map(|zone| zone.region.extents()).unwrap_or_default();
    let boxes = extents.into_iter().flat_map(|extent| extent.boxes());
    boxes.map(|aabb| GeomWithData::new(Rectangle::from_aabb(aabb), slot)).collect()
}
