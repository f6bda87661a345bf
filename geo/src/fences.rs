//! The fences of a shard: an rstar tree of their lon/lat boxes, and which of the shard's devices are inside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dateline_engine::DocId;
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use crate::fence::Fence;
use crate::point::Point;

type Boxed = GeomWithData<Rectangle<[f64; 2]>, DocId>;

#[derive(Default)]
pub(crate) struct Fences {
    by_id: BTreeMap<DocId, Held>,
    tree: RTree<Boxed>,
}

/// A fence and the devices inside it.
pub(crate) struct Held {
    pub(crate) fence: Arc<Fence>,
    pub(crate) members: BTreeSet<DocId>,
}

impl Fences {
    pub(crate) fn load(fences: BTreeMap<DocId, Arc<Fence>>) -> Self {
        let tree = RTree::bulk_load(fences.iter().flat_map(|(id, fence)| boxed(id, fence)).collect());
        let held = |fence| Held { fence, members: BTreeSet::new() };
        Self { by_id: fences.into_iter().map(|(id, fence)| (id, held(fence))).collect(), tree }
    }

    pub(crate) fn get(&self, id: &DocId) -> Option<&Held> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DocId, &Held)> {
        self.by_id.iter()
    }

    /// Puts a fence in place of an earlier one, whose members it gives back.
    pub(crate) fn insert(&mut self, id: &DocId, fence: Arc<Fence>, members: BTreeSet<DocId>) {
        self.remove(id);
        boxed(id, &fence).into_iter().for_each(|shape| self.tree.insert(shape));
        self.by_id.insert(id.clone(), Held { fence, members });
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Held> {
        let held = self.by_id.remove(id)?;
        boxed(id, &held.fence).iter().for_each(|shape| drop(self.tree.remove(shape)));
        Some(held)
    }

    pub(crate) fn set_inside(&mut self, id: &DocId, device: &DocId, inside: bool) {
        if let Some(held) = self.by_id.get_mut(id) {
            if inside {
                held.members.insert(device.clone());
            } else {
                held.members.remove(device);
            }
        }
    }

    /// The fences that hold a place, in the order of their ids.
    pub(crate) fn holding(&self, place: Point) -> BTreeSet<DocId> {
        let at = [f64::from(place.lon_units()), f64::from(place.lat_units())];
        let candidates =
            self.tree.locate_in_envelope_intersecting(AABB::from_point(at)).map(|shape| &shape.data);
        candidates
            .filter(|id| self.by_id.get(*id).is_some_and(|held| held.fence.region.holds(place)))
            .cloned()
            .collect()
    }
}

fn boxed(id: &DocId, fence: &Fence) -> Vec<Boxed> {
    let boxes = fence.region.extents().into_iter().flat_map(|extent| extent.boxes());
    boxes.map(|aabb| GeomWithData::new(Rectangle::from_aabb(aabb), id.clone())).collect()
}
