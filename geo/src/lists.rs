//! The standing lists of a shard, what each holds now, and how a new ad finds them.
//!
//! A list around a device is posted under (level by its radius, cell of the device, category); an ad looks into
//! the cells around itself on every level in use. A list with a fixed area has its boxes in an rstar tree.
//! Invariant: `candidates` misses no list whose area meets the ad.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dateline_engine::DocId;
use rstar::RTree;
use rstar::primitives::{GeomWithData, Rectangle};

use crate::ad::Ad;
use crate::adlist::{AdList, Owner, Scope};
use crate::grid::{Cell, LEVEL_MAX, Level};
use crate::point::Point;

/// A cover of more cells than this is slower than looking at every posting of the level.
const COVER_CELLS_MAX: usize = 4_096;

type Boxed = GeomWithData<Rectangle<[f64; 2]>, DocId>;
/// Lists of any category are posted under none.
type Posting = (Cell, Option<Arc<str>>);

pub(crate) struct Lists {
    by_id: BTreeMap<DocId, Held>,
    by_device: HashMap<Arc<str>, BTreeSet<DocId>>,
    /// Which lists hold an ad.
    holders: HashMap<DocId, BTreeSet<DocId>>,
    postings: Vec<HashMap<Posting, BTreeSet<DocId>>>,
    fixed: RTree<Boxed>,
}

/// A list and the ads that match it.
pub(crate) struct Held {
    pub(crate) list: Arc<AdList>,
    pub(crate) members: BTreeSet<DocId>,
    posted: Option<Cell>,
}

impl Lists {
    pub(crate) fn new() -> Self {
        let postings = (0..=LEVEL_MAX).map(|_| HashMap::new()).collect();
        Self {
            by_id: BTreeMap::new(),
            by_device: HashMap::new(),
            holders: HashMap::new(),
            postings,
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
    pub(crate) fn insert(&mut self, id: &DocId, list: Arc<AdList>, here: Option<Point>) {
        match (&list.scope, list.owner()) {
            (Scope::Fixed(_), _) => boxed(id, &list).into_iter().for_each(|area| self.fixed.insert(area)),
            (Scope::Around { .. }, Owner::Device(device)) => {
                self.by_device.entry(device).or_default().insert(id.clone());
            }
            (Scope::Around { .. }, Owner::User(_)) => {}
        }
        self.by_id.insert(id.clone(), Held { list, members: BTreeSet::new(), posted: None });
        self.post(id, here);
    }

    pub(crate) fn remove(&mut self, id: &DocId) -> Option<Held> {
        self.post(id, None);
        let held = self.by_id.remove(id)?;
        boxed(id, &held.list).iter().for_each(|area| drop(self.fixed.remove(area)));
        if let Owner::Device(device) = held.list.owner()
            && let Some(lists) = self.by_device.get_mut(&device)
        {
            lists.remove(id);
            if lists.is_empty() {
                self.by_device.remove(&device);
            }
        }
        held.members.iter().for_each(|ad| self.forget_holder(ad, id));
        Some(held)
    }

    /// Posts a list around a device where the device is now; `None` takes it off.
    pub(crate) fn post(&mut self, id: &DocId, here: Option<Point>) {
        let Some(held) = self.by_id.get_mut(id) else { return };
        let Scope::Around { radius_m } = held.list.scope else { return };
        let level = Level::for_reach(radius_m);
        let to = here.map(|here| level.cell(here));
        if held.posted == to {
            return;
        }
        let Some(postings) = self.postings.get_mut(usize::from(level.number())) else { return };
        for category in categories(&held.list) {
            if let Some(from) = held.posted {
                let posting = (from, category.clone());
                if let Some(lists) = postings.get_mut(&posting) {
                    lists.remove(id);
                    if lists.is_empty() {
                        postings.remove(&posting);
                    }
                }
            }
            if let Some(to) = to {
                postings.entry((to, category)).or_default().insert(id.clone());
            }
        }
        held.posted = to;
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
        for extent in ad.location.extents() {
            for (level, postings) in
                self.postings.iter().enumerate().filter(|(_, postings)| !postings.is_empty())
            {
                let level = Level::new(u8::try_from(level).unwrap_or(LEVEL_MAX));
                match level.cover(extent, level.height_m(), COVER_CELLS_MAX) {
                    Some(cells) => {
                        for cell in cells {
                            let lookups = [
                                Some((cell, None)),
                                ad.category.clone().map(|category| (cell, Some(category))),
                            ];
                            found.extend(
                                lookups
                                    .into_iter()
                                    .flatten()
                                    .filter_map(|key| postings.get(&key))
                                    .flatten()
                                    .cloned(),
                            );
                        }
                    }
                    None => found.extend(postings.values().flatten().cloned()),
                }
            }
            for area in extent.boxes() {
                found.extend(self.fixed.locate_in_envelope_intersecting(area).map(|area| area.data.clone()));
            }
        }
        found
    }
}

fn categories(list: &AdList) -> Vec<Option<Arc<str>>> {
    if list.categories.is_empty() { vec![None] } else { list.categories.iter().cloned().map(Some).collect() }
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
