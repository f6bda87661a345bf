//! The live ads of a shard and where they are.
//!
//! Ads at one place live in rstar trees of unit vectors, one per category and one of all, so that a circle query
//! knows neither seam nor pole; ads with a shape live in a tree of the boxes around them. The trees only find candidates,
//! so they hold short floats, which are right to 60 cm and take a third less memory.
//! Invariant: `candidates` misses no ad that lies within one of the caps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dateline_engine::DocId;
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree, SelectionFunction};

use crate::ad::Ad;
use crate::bounds::{Cap, Extent};
use crate::point::{Point, Unit, chord2_of};

type Placed = GeomWithData<[f32; 3], DocId>;
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

    /// Gives back what was there by this name.
    pub(crate) fn insert(&mut self, id: &DocId, ad: Arc<Ad>) -> Option<Arc<Ad>> {
        let before = self.remove(id);
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
        before
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
            center: center.unit(),
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
            let rough = short_box(&space);
            if categories.is_empty() {
                ids.extend(self.all.locate_in_envelope(rough).map(|place| &place.data));
            }
            for tree in categories.iter().filter_map(|category| self.by_category.get(category)) {
                ids.extend(tree.locate_in_envelope(rough).map(|place| &place.data));
            }
            ids.extend(self.shapes.locate_in_envelope_intersecting(space).map(|shape| &shape.data));
        }
        ids.into_iter().filter_map(|id| self.live.get_key_value(id)).collect()
    }
}

/// Added to distances because places in trees are rounded, in metres.
const SHELL_SLACK_M: f64 = 1.0;
/// The same in earth radii, for each axis.
const SHORT_SLACK: f64 = 1.5e-7;

/// The places between two chords of a centre.
struct Shell {
    center: Unit,
    inner2: f64,
    outer2: f64,
}

impl SelectionFunction<Placed> for Shell {
    fn should_unpack_parent(&self, envelope: &AABB<[f32; 3]>) -> bool {
        let (lower, upper) = (envelope.lower().map(f64::from), envelope.upper().map(f64::from));
        let (mut nearest2, mut farthest2) = (0.0, 0.0);
        for ((center, low), high) in self.center.0.into_iter().zip(lower).zip(upper) {
            let outside = (low - center).max(center - high).max(0.0);
            nearest2 += outside * outside;
            farthest2 += (center - low).abs().max((center - high).abs()).powi(2);
        }
        nearest2 <= self.outer2 && farthest2 >= self.inner2
    }

    fn should_unpack_leaf(&self, leaf: &Placed) -> bool {
        let distance2 = Unit(leaf.geom().map(f64::from)).chord2(&self.center);
        self.inner2 <= distance2 && distance2 <= self.outer2
    }
}

/// A box that holds the short places of all that lies in `space`.
fn short_box(space: &AABB<[f64; 3]>) -> AABB<[f32; 3]> {
    let lower = space.lower().map(|at| (at - SHORT_SLACK) as f32);
    let upper = space.upper().map(|at| (at + SHORT_SLACK) as f32);
    AABB::from_corners(lower, upper)
}

fn placed(id: &DocId, ad: &Ad) -> Option<Placed> {
    Some(GeomWithData::new(ad.location.as_point()?.unit().0.map(|at| at as f32), id.clone()))
}

fn boxed(id: &DocId, ad: &Ad) -> Vec<Boxed> {
    let space = |extent: &Extent| Rectangle::from_aabb(extent.cap().space_box());
    ad.location.extents().iter().map(|extent| GeomWithData::new(space(extent), id.clone())).collect()
}
