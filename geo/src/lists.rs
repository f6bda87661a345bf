//! The standing lists of a shard, what each holds now, and how a new ad finds them.
//!
//! A list around a device is posted under (level by its reach, cell of its anchor, category), see `nearby`; an ad looks
//! into the cells around itself on every level in use, and passes over lists whose reach ends before it. A list with a fixed area has its boxes in an rstar tree.
//! Invariant: `candidates` misses no list whose area meets the ad.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dateline_engine::DocId;
use rstar::RTree;
use rstar::primitives::{GeomWithData, Rectangle};

use crate::ad::Ad;
use crate::adlist::{AdList, Owner, Scope};
use crate::bucket::{Bucket, Reach};
use crate::grid::{Cell, CellHash, LEVEL_MAX, Level};
use crate::nearby::Nearby;

/// A cover of more cells than this is slower than looking at every posting of the level.
const COVER_CELLS_MAX: usize = 4_096;

type Boxed = GeomWithData<Rectangle<[f64; 2]>, DocId>;
/// Categories go by numbers; lists of any are posted under `ANY`.
type Posting = (Cell, u32);
const ANY: u32 = 0;

pub(crate) struct Lists {
    by_id: BTreeMap<DocId, Held>,
    /// In the order of their ids; mostly one.
    by_device: HashMap<Arc<str>, Vec<DocId>>,
    /// Which lists hold an ad.
    holders: HashMap<DocId, BTreeSet<DocId>>,
    postings: Vec<HashMap<Posting, Bucket, CellHash>>,
    /// Lists that are posted under `ANY`, by level.
    of_any: Vec<usize>,
    /// Numbers from 1. One that no list names any more keeps its own.
    categories: HashMap<Arc<str>, u32>,
    fixed: RTree<Boxed>,
}

/// A list and the ads that match it.
pub(crate) struct Held {
    pub(crate) list: Arc<AdList>,
    pub(crate) members: BTreeSet<DocId>,
    /// Where it was last looked for around a device that was seen.
    pub(crate) nearby: Option<Nearby>,
    posted: Option<Cell>,
}

impl Lists {
    pub(crate) fn new() -> Self {
        let postings = (0..=LEVEL_MAX).map(|_| HashMap::default()).collect();
        Self {
            by_id: BTreeMap::new(),
            by_device: HashMap::new(),
            holders: HashMap::new(),
            postings,
            of_any: vec![0; usize::from(LEVEL_MAX) + 1],
            categories: HashMap::new(),
            fixed: RTree::new(),
        }
    }

    pub(crate) fn get(&self, id: &DocId) -> Option<&Held> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DocId, &Held)> {
        self.by_id.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Lists around this device, in the order of their ids.
    pub(crate) fn around(&self, device: &str) -> Vec<DocId> {
        self.by_device.get(device).into_iter().flatten().cloned().collect()
    }

    /// Adds a list without members; one of the same name must have been removed.
    pub(crate) fn insert(&mut self, id: &DocId, list: Arc<AdList>) {
        match (&list.scope, list.owner()) {
            (Scope::Fixed(_), _) => boxed(id, &list).into_iter().for_each(|area| self.fixed.insert(area)),
            (Scope::Around { .. }, Owner::Device(device)) => {
                let lists = self.by_device.entry(device).or_default();
                if let Err(place) = lists.binary_search(id) {
                    lists.reserve_exact(1);
                    lists.insert(place, id.clone());
                }
            }
            (Scope::Around { .. }, Owner::User(_)) => {}
        }
        self.by_id.insert(id.clone(), Held { list, members: BTreeSet::new(), nearby: None, posted: None });
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Held> {
        self.watch(id, None);
        let held = self.by_id.remove(id)?;
        boxed(id, &held.list).iter().for_each(|area| drop(self.fixed.remove(area)));
        if let Owner::Device(device) = held.list.owner()
            && let Some(lists) = self.by_device.get_mut(&device)
        {
            lists.retain(|known| known != id);
            if lists.is_empty() {
                self.by_device.remove(&device);
            }
        }
        held.members.iter().for_each(|ad| self.forget_holder(ad, id));
        Some(held)
    }

    /// Anchors a list around a device, and posts it there; `None` takes it off.
    pub(crate) fn watch(&mut self, id: &DocId, nearby: Option<Nearby>) {
        let Some(held) = self.by_id.get_mut(id) else { return };
        let cell = |nearby: &Nearby| Level::for_reach(nearby.reach_m()).cell(nearby.anchor());
        let to = nearby.as_ref().map(cell);
        let reach =
            nearby.as_ref().map(|nearby| Reach { anchor: nearby.anchor(), reach_m: nearby.reach_m() });
        held.nearby = nearby;
        let from = std::mem::replace(&mut held.posted, to);
        if from.is_none() && to.is_none() {
            return;
        }
        let list = Arc::clone(&held.list);
        for category in self.numbers(&list) {
            if let Some(cell) = from {
                self.take_off(id, &list, (cell, category), from == to);
            }
            if let Some((cell, reach)) = to.zip(reach) {
                self.post(id, &list, (cell, category), reach);
            }
        }
    }

    fn post(&mut self, id: &DocId, list: &Arc<AdList>, posting: Posting, reach: Reach) {
        let level = usize::from(posting.0.level);
        if let (Some(postings), Some(of_any)) = (self.postings.get_mut(level), self.of_any.get_mut(level)) {
            postings.entry(posting).or_default().insert(id, list, reach);
            *of_any += usize::from(posting.1 == ANY);
        }
    }

    /// `comes_back`: it is posted in the same place again.
    fn take_off(&mut self, id: &DocId, list: &AdList, posting: Posting, comes_back: bool) {
        let level = usize::from(posting.0.level);
        let (Some(postings), Some(of_any)) = (self.postings.get_mut(level), self.of_any.get_mut(level))
        else {
            return;
        };
        if let Some(lists) = postings.get_mut(&posting) {
            lists.remove(id, list);
            *of_any -= usize::from(posting.1 == ANY);
            if lists.is_empty() && !comes_back {
                postings.remove(&posting);
            }
        }
    }

    fn numbers(&mut self, list: &AdList) -> Vec<u32> {
        if list.categories.is_empty() {
            return vec![ANY];
        }
        let mut numbers = Vec::with_capacity(list.categories.len());
        for category in &list.categories {
            let next = u32::try_from(self.categories.len() + 1).unwrap_or(u32::MAX);
            numbers.push(*self.categories.entry(Arc::clone(category)).or_insert(next));
        }
        numbers
    }

    /// An ad that is new, or another than it was, for the ring of a list.
    pub(crate) fn note(&mut self, id: &DocId, ad_id: &DocId, ad: &Ad) {
        if let Some(nearby) = self.by_id.get_mut(id).and_then(|held| held.nearby.as_mut()) {
            let distance_m = ad.location.distance_m(nearby.anchor());
            nearby.note(ad_id, distance_m);
        }
    }

    pub(crate) fn set_member(&mut self, id: &DocId, ad: &DocId, member: bool) {
        let Some(held) = self.by_id.get_mut(id) else { return };
        if member {
            held.members.insert(ad.clone());
            self.holders.entry(ad.clone()).or_default().insert(id.clone());
        } else {
            held.members.remove(ad);
            self.forget_holder(ad, id);
        }
    }

    fn forget_holder(&mut self, ad: &DocId, list: &DocId) {
        if let Some(lists) = self.holders.get_mut(ad) {
            lists.remove(list);
            if lists.is_empty() {
                self.holders.remove(ad);
            }
        }
    }

    pub(crate) fn holding(&self, ad: &DocId) -> impl Iterator<Item = &DocId> {
        self.holders.get(ad).into_iter().flatten()
    }

    /// Lists whose area may meet the ad, and that name its category or none.
    pub(crate) fn candidates(&self, ad: &Ad) -> BTreeSet<DocId> {
        let mut found = BTreeSet::new();
        let category = ad.category.as_ref().and_then(|category| self.categories.get(category)).copied();
        for extent in ad.location.extents() {
            for ((number, postings), of_any) in (0..).zip(&self.postings).zip(&self.of_any) {
                if postings.is_empty() {
                    continue;
                }
                let level = Level::new(number);
                let any = (*of_any > 0).then_some(ANY);
                match level.cover(extent, level.height_m(), COVER_CELLS_MAX) {
                    Some(cells) => {
                        for cell in cells {
                            let keys = [any, category].into_iter().flatten();
                            let lists = keys.filter_map(|category| postings.get(&(cell, category)));
                            let listed = lists.flat_map(|lists| lists.candidates(ad));
                            let near = listed.filter(|(_, reach)| reach.holds(ad));
                            found.extend(near.map(|(id, _)| id.clone()));
                        }
                    }
                    None => found.extend(postings.values().flat_map(Bucket::ids).cloned()),
                }
            }
            for area in extent.boxes() {
                found.extend(self.fixed.locate_in_envelope_intersecting(area).map(|area| area.data.clone()));
            }
        }
        found
    }
}

fn boxed(id: &DocId, list: &AdList) -> Vec<Boxed> {
    match &list.scope {
        Scope::Around { .. } => Vec::new(),
        Scope::Fixed(region) => {
            let boxes = region.extents().into_iter().flat_map(|extent| extent.boxes());
            boxes.map(|aabb| GeomWithData::new(Rectangle::from_aabb(aabb), id.clone())).collect()
        }
    }
}
