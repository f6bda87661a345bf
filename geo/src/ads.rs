//! The live ads of a shard and where they are.
//!
//! Ads at one place live in rstar trees of unit vectors, one per category and one of all, so that a circle query
//! knows neither seam nor pole; ads with a shape live in a tree of the boxes around them.
//! Invariant: `candidates` misses no ad that lies within one of the caps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dateline_engine::DocId;
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, Point as _, PointDistance, RTree, SelectionFunction};

use crate::ad::Ad;
use crate::bounds::{Cap, Extent};
use crate::point::{Point, chord2_of};

type Placed = GeomWithData<[f64; 3], DocId>;
type Boxed = GeomWithData<Rectangle<[f64; 3]>, DocId>;

#[derive(Default)]
pub(crate) struct Ads {
    live: BTreeMap<DocId, Arc<Ad>>,
    all: RTree<Placed>,
    by_category: HashMap<Arc<str>, RTree<Placed>>,
    shapes: RTree<Boxed>,
}

impl Ads {
    pub(crate) fn load(live: BTreeMap<DocId, Arc<Ad>>) -> Self {
        let placed: Vec<(Option<Arc<str>>, Placed)> =
            live.iter().filter_map(|(id, ad)| Some((ad.category.clone(), placed(id, ad)?))).collect();
        let mut by_category: HashMap<Arc<str>, Vec<Placed>> = HashMap::new();
        for (category, place) in &placed {
            if let Some(category) = category {
                by_category.entry(Arc::clone(category)).or_default().push(place.clone());
            }
        }
        let shaped = live.iter().filter(|(_, ad)| ad.location.as_point().is_none());
        let shapes = shaped.flat_map(|(id, ad)| boxed(id, ad)).collect();
        Self {
            all: RTree::bulk_load(placed.into_iter().map(|(_, place)| place).collect()),
            by_category: by_category
                .into_iter()
                .map(|(category, places)| (category, RTree::bulk_load(places)))
                .collect(),
            shapes: RTree::bulk_load(shapes),
            live,
        }
    }

    pub(crate) fn get(&self, id: &DocId) -> Option<&Arc<Ad>> {
        self.live.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn insert(&mut self, id: &DocId, ad: Arc<Ad>) {
        self.remove(id);
        match placed(id, &ad) {
            Some(place) => {
                if let Some(category) = &ad.category {
                    self.by_category.entry(Arc::clone(category)).or_default().insert(place.clone());
                }
                self.all.insert(place);
            }
            None => boxed(id, &ad).into_iter().for_each(|shape| self.shapes.insert(shape)),
        }
        self.live.insert(id.clone(), ad);
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Arc<Ad>> {
        let ad = self.live.remove(id)?;
        let Some(place) = placed(id, &ad) else {
            boxed(id, &ad).iter().for_each(|shape| drop(self.shapes.remove(shape)));
            return Some(ad);
        };
        self.all.remove(&place);
        if let Some(category) = &ad.category
            && let Some(tree) = self.by_category.get_mut(category)
        {
            tree.remove(&place);
            if tree.size() == 0 {
                self.by_category.remove(category);
            }
        }
        Some(ad)
    }

    /// Ads that may lie between two distances of a place; of these categories, or of any when none is named.
    pub(crate) fn between(
        &self,
        center: Point,
        (inner_m, outer_m): (f64, f64),
        categories: &[Arc<str>],
    ) -> Vec<(&DocId, &Arc<Ad>)> {
        let shell = || Shell {
            center: center.unit().0,
            inner2: chord2_of((inner_m - SHELL_SLACK_M).max(0.0)).min(4.0),
            outer2: chord2_of(outer_m + SHELL_SLACK_M),
        };
        let mut ids: BTreeSet<&DocId> = BTreeSet::new();
        if categories.is_empty() {
            ids.extend(self.all.locate_with_selection_function(shell()).map(|place| &place.data));
        }
        for tree in categories.iter().filter_map(|category| self.by_category.get(category)) {
            ids.extend(tree.locate_with_selection_function(shell()).map(|place| &place.data));
        }
        let space = Cap::new(center.unit(), outer_m).space_box();
        ids.extend(self.shapes.locate_in_envelope_intersecting(space).map(|shape| &shape.data));
        ids.into_iter().filter_map(|id| self.live.get_key_value(id)).collect()
    }

    /// Ads that may lie within one of the caps; of these categories, or of any when none is named.
    pub(crate) fn candidates(&self, caps: &[Cap], categories: &[Arc<str>]) -> Vec<(&DocId, &Arc<Ad>)> {
        let mut ids: BTreeSet<&DocId> = BTreeSet::new();
        for cap in caps {
            let space = cap.space_box();
            if categories.is_empty() {
                ids.extend(self.all.locate_in_envelope(space).map(|place| &place.data));
            }
            for tree in categories.iter().filter_map(|category| self.by_category.get(category)) {
                ids.extend(tree.locate_in_envelope(space).map(|place| &place.data));
            }
            ids.extend(self.shapes.locate_in_envelope_intersecting(space).map(|shape| &shape.data));
        }
        ids.into_iter().filter_map(|id| self.live.get_key_value(id)).collect()
    }
}

/// Added to distances against rounding, in metres.
const SHELL_SLACK_M: f64 = 0.1;

/// The places between two chords of a centre.
struct Shell {
    center: [f64; 3],
    inner2: f64,
    outer2: f64,
}

impl SelectionFunction<Placed> for Shell {
    fn should_unpack_parent(&self, envelope: &AABB<[f64; 3]>) -> bool {
        let (lower, upper) = (envelope.lower(), envelope.upper());
        let axis = |axis: usize| {
            let (center, low, high) = (self.center.nth(axis), lower.nth(axis), upper.nth(axis));
            (center - low).abs().max((center - high).abs()).powi(2)
        };
        let farthest2 = axis(0) + axis(1) + axis(2);
        envelope.distance_2(&self.center) <= self.outer2 && farthest2 >= self.inner2
    }

    fn should_unpack_leaf(&self, leaf: &Placed) -> bool {
        let distance2 = leaf.distance_2(&self.center);
        self.inner2 <= distance2 && distance2 <= self.outer2
    }
}

fn placed(id: &DocId, ad: &Ad) -> Option<Placed> {
    Some(GeomWithData::new(ad.location.as_point()?.unit().0, id.clone()))
}

fn boxed(id: &DocId, ad: &Ad) -> Vec<Boxed> {
    let space = |extent: &Extent| Rectangle::from_aabb(extent.cap().space_box());
    ad.location.extents().iter().map(|extent| GeomWithData::new(space(extent), id.clone())).collect()
}
