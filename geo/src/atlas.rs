//! Where documents of any collection are: an index in memory that is made when it is first asked for.
//!
//! A sheet holds the footprints of one collection as of a sequence of the log. A question first takes in what has been
//! logged since, so it sees every durable write. Circles on the sphere around the footprints lie in an rstar tree of unit
//! vectors, which knows neither seam nor pole; the footprints themselves decide.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{CollectionId, DocId, Error, ErrorKind, Result, Seq, Store};
use rstar::RTree;
use rstar::primitives::{GeomWithData, Rectangle};
use serde_json::Value;

use crate::footprint::Footprint;
use crate::nearest::{After, Hit, page};
use crate::query::ANSWER_ITEMS_MAX;
use crate::within::Within;

/// Sheets that are kept; the one that was not asked for the longest goes first.
const SHEETS_MAX: usize = 32;
/// Documents of one sheet.
const DOCUMENTS_MAX: usize = 1_000_000;
/// Records of the log read at a time.
const STEP_RECORDS: usize = 4_096;

/// The ground a document stands on, read from its body.
pub type FootprintsOf<'a> = dyn Fn(&Value) -> Vec<Footprint> + 'a;

type Boxed = GeomWithData<Rectangle<[f64; 3]>, DocId>;

/// Sheets by collection.
#[derive(Default)]
pub struct Atlas {
    sheets: Mutex<Vec<(Key, Arc<Mutex<Sheet>>)>>,
}

/// A collection, and how footprints are read of its bodies: another way makes another sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    collection: CollectionId,
    reading: String,
}

struct Place {
    id: DocId,
    distance_m: Option<f64>,
}

impl Hit for Place {
    fn distance_m(&self) -> Option<f64> {
        self.distance_m
    }

    fn id(&self) -> &DocId {
        &self.id
    }
}

impl Atlas {
    /// Documents in a part of the earth after `after`: nearest first where the part is ordered, else by id. `reading`
    /// names what `footprints` does, so that a collection that is read otherwise is read anew.
    ///
    /// # Errors
    /// `Invalid` when the part is none, `Busy` for a collection with more than a million places; as the store.
    pub fn find(
        &self,
        store: &Store,
        (collection, reading): (CollectionId, &str),
        footprints: &FootprintsOf<'_>,
        within: &Within,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<(DocId, Option<f64>)>> {
        within.check().map_err(Error::invalid)?;
        let sheet = self.sheet(Key { collection, reading: reading.to_owned() });
        let mut sheet = sheet.lock().unwrap_or_else(PoisonError::into_inner);
        sheet.catch_up(store, collection, footprints)?;
        let found = page(within, after, limit.min(ANSWER_ITEMS_MAX), |reach_m| sheet.look(within, reach_m));
        Ok(found.into_iter().map(|place| (place.id, place.distance_m)).collect())
    }

    fn sheet(&self, key: Key) -> Arc<Mutex<Sheet>> {
        let mut sheets = self.sheets.lock().unwrap_or_else(PoisonError::into_inner);
        // One collection has one sheet.
        let known = sheets.iter().position(|(known, _)| known.collection == key.collection);
        let found = known.map(|place| sheets.remove(place)).filter(|(known, _)| *known == key);
        let (key, sheet) = found.unwrap_or_else(|| (key, Arc::default()));
        sheets.push((key, Arc::clone(&sheet)));
        if sheets.len() > SHEETS_MAX {
            sheets.remove(0);
        }
        sheet
    }
}

#[derive(Default)]
struct Sheet {
    /// Exact up to here; `None` before it was read.
    at: Option<Seq>,
    by_id: HashMap<DocId, Vec<Footprint>>,
    tree: RTree<Boxed>,
}

impl Sheet {
    fn catch_up(
        &mut self,
        store: &Store,
        collection: CollectionId,
        footprints: &FootprintsOf<'_>,
    ) -> Result<()> {
        let Some(mut at) = self.at else { return self.read(store, collection, footprints) };
        let feed = store.feed();
        loop {
            let changes = match feed.changes(at, STEP_RECORDS) {
                Err(error) if error.kind() == ErrorKind::Gone => {
                    return self.read(store, collection, footprints);
                }
                changes => changes?,
            };
            let Some(last) = changes.last() else { break };
            at = last.seq;
            for change in changes.iter().filter(|change| change.collection == collection) {
                // As it is now: what it becomes later is told by later records.
                let document = store.get(collection, change.id.as_str())?;
                let body = document.and_then(|document| serde_json::from_slice(&document.body).ok());
                self.put(change.id.clone(), body.map(|body: Value| footprints(&body)).unwrap_or_default());
            }
            self.at = Some(at);
            self.check_size()?;
        }
        Ok(())
    }

    fn read(&mut self, store: &Store, collection: CollectionId, footprints: &FootprintsOf<'_>) -> Result<()> {
        *self = Self::default();
        let snapshot = store.snapshot()?;
        let mut boxes = Vec::new();
        snapshot.scan(collection, None, false, |document| {
            let body: Value = serde_json::from_slice(&document.body).unwrap_or_default();
            let found = footprints(&body);
            if !found.is_empty() {
                let id = document.id;
                boxes.extend(boxed(&id, &found));
                self.by_id.insert(id, found);
            }
            if self.by_id.len() > DOCUMENTS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.check_size()?;
        self.tree = RTree::bulk_load(boxes);
        self.at = Some(snapshot.tail().seq);
        Ok(())
    }

    fn put(&mut self, id: DocId, footprints: Vec<Footprint>) {
        if let Some(earlier) = self.by_id.remove(&id) {
            boxed(&id, &earlier).for_each(|space| drop(self.tree.remove(&space)));
        }
        if !footprints.is_empty() {
            boxed(&id, &footprints).for_each(|space| self.tree.insert(space));
            self.by_id.insert(id, footprints);
        }
    }

    fn check_size(&mut self) -> Result<()> {
        if self.by_id.len() <= DOCUMENTS_MAX {
            return Ok(());
        }
        *self = Self::default();
        Err(Error::busy(format!("more than {DOCUMENTS_MAX} documents of one collection have places")))
    }

    fn look(&self, within: &Within, reach_m: f64) -> Vec<Place> {
        let mut ids: Vec<&DocId> = Vec::new();
        for cap in within.caps(reach_m) {
            let met = self.tree.locate_in_envelope_intersecting(cap.space_box());
            ids.extend(met.map(|space| &space.data));
        }
        ids.sort_unstable();
        ids.dedup();
        let place = |id: &DocId| {
            let distance_m = within.meets_any(self.by_id.get(id)?)?;
            Some(Place { id: id.clone(), distance_m })
        };
        ids.into_iter().filter_map(place).collect()
    }
}

fn boxed<'a>(id: &'a DocId, footprints: &'a [Footprint]) -> impl Iterator<Item = Boxed> + 'a {
    footprints
        .iter()
        .flat_map(Footprint::caps)
        .map(move |cap| GeomWithData::new(Rectangle::from_aabb(cap.space_box()), id.clone()))
}
