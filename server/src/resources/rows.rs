//! The rows of a list: found, held against the condition, and put in order, within a bound.
//!
//! A list that is **walked** meets its documents in order and ends soon after its page is full; one that is
//! **gathered** looks at all that may belong and sorts them. Indexes know the present: for a list of the past the
//! documents that have changed since are set apart and looked at one by one.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::ops::ControlFlow;

use dateline_engine::{DocId, Document, ErrorKind, IndexEntry, Moment, Snapshot};
use dateline_geo::{ANSWER_ITEMS_MAX, After};
use serde_json::{Value, json};

use crate::eve::problem::{Problem, Slug};
use crate::eve::{ListQuery, SortKey, system};
use crate::resources::candidates::{Candidate, Candidates, Found as Searched};
use crate::resources::declaration::declared;
use crate::resources::placed::{self, Placed};
use crate::resources::plan::{Plan, Walk, missing};
use crate::resources::visibility::Sight;
use crate::resources::{Resource, answer};

/// Documents one list looks at, and entries it reads, at the most.
const LOOKED_MAX: usize = 100_000;
/// Documents that a walk of an index looks at beyond its page, to know how many there are.
const BEYOND_MAX: usize = 1_000;
/// Documents asked for by place at first; each further time four times as many.
const PLACED_STEP_FIRST: usize = 256;

/// A document that belongs on some page.
pub(crate) struct Row {
    pub(crate) key: SortKey,
    pub(crate) extra: Option<(&'static str, Value)>,
}

/// What a list is looking for.
pub(crate) struct Look<'a> {
    pub(crate) sight: &'a Sight,
    pub(crate) resource: &'a Resource,
    pub(crate) query: &'a ListQuery,
    pub(crate) snapshot: &'a Snapshot<'a>,
    /// Read as of here rather than the snapshot's own moment.
    pub(crate) as_of: Option<Moment>,
    /// Rows up to here have been shown.
    pub(crate) after: Option<&'a SortKey>,
    looked: Cell<usize>,
    entries: Cell<usize>,
    /// Fields of the index that serves it.
    served: OnceCell<Vec<String>>,
}

/// What was found.
#[derive(Default)]
pub(crate) struct Found {
    /// From the first row of the page on, at least one more than fits if there is one.
    pub(crate) rows: Vec<Row>,
    /// Rows of all pages, if nobody stopped before the end.
    pub(crate) total: Option<u64>,
}

impl<'a> Look<'a> {
    pub(crate) fn new(
        sight: &'a Sight,
        resource: &'a Resource,
        query: &'a ListQuery,
        snapshot: &'a Snapshot<'a>,
        as_of: Option<Moment>,
        after: Option<&'a SortKey>,
    ) -> Self {
        let (looked, entries, served) = (Cell::default(), Cell::default(), OnceCell::new());
        Self { sight, resource, query, snapshot, as_of, after, looked, entries, served }
    }

    /// Finds the rows of one page, by relevance if `ranked`.
    pub(crate) fn find(&self, candidates: &Candidates, ranked: bool) -> Result<Found, Problem> {
        if let Candidates::Planned { plan, .. } = candidates {
            let fields = plan.index.spec.fields.iter().map(|field| field.path.clone());
            self.served.get_or_init(|| fields.collect());
        }
        match candidates {
            Candidates::Planned { plan, changed } => match &plan.walk {
                Some(walk) => self.walk(plan, walk, changed),
                None => self.gather_planned(plan, changed),
            },
            Candidates::All if self.is_plain() => self.plain(),
            Candidates::All if self.query.sort.is_by_id() => self.scan_in_order(),
            Candidates::All => self.scan(),
            Candidates::These(found) => self.searched(found, ranked),
            Candidates::Placed(placed) => self.placed(placed),
            Candidates::Unordered(ids) => self.gather(ids.iter().map(String::as_str)),
        }
    }

    /// How the list was found and what it took, for `_explain`.
    pub(crate) fn explain(&self, candidates: &Candidates) -> Value {
        let mut told = match candidates {
            Candidates::All => json!({"way": "scan"}),
            Candidates::These(_) => json!({"way": "search"}),
            Candidates::Placed(_) => json!({"way": "place"}),
            Candidates::Unordered(_) => json!({"way": "ids"}),
            Candidates::Planned { plan, changed } => json!({
                "way": "index",
                "index": declared(&plan.index.spec),
                "fields_used": plan.reading.bounded(),
                "ranges": plan.reading.ranges(),
                "in_order": plan.walk.is_some(),
                "entries": self.entries.get(),
                "changed_since": changed.len(),
            }),
        };
        told["documents"] = self.looked.get().into();
        told["documents_max"] = LOOKED_MAX.into();
        if matches!(candidates, Candidates::All) && !self.is_plain() {
            let missing = missing(self.query);
            if !missing.is_empty() {
                told["missing_index"] = missing.into();
            }
        }
        told
    }

    /// What search found, as far as it lies where it has to and passes the filter.
    fn searched(&self, found: &Searched, ranked: bool) -> Result<Found, Problem> {
        let mut rows = Vec::new();
        for Candidate { id, extra } in &found.candidates {
            let Some(placed) = &found.placed else {
                rows.extend(self.look(id, extra.clone())?);
                continue;
            };
            if !self.may_look() {
                return Err(self.too_many());
            }
            let Some(document) = self.document(id)? else { continue };
            if let Some(distance_m) = placed.of_body(id, &answer::body_of(&document)?)? {
                rows.extend(self.row(&document, distance_m.map(distance).or_else(|| extra.clone()))?);
            }
        }
        let shown = self.skip() + self.query.page.take();
        let mut page = self.page_of(rows, ranked);
        if found.cut {
            // Whoever is asked for by relevance has been found; others may not have been.
            let complete = ranked && page.total.is_some_and(|total| total >= shown as u64);
            if found.placed.is_some() && !complete {
                return Err(self.too_many());
            }
            page.total = page.total.filter(|_| found.placed.is_none());
        }
        Ok(page)
    }

    /// Documents of a place, nearest first, until the page is full; in another order all of them.
    fn placed(&self, placed: &Placed) -> Result<Found, Problem> {
        let in_order = match placed.is_ordered() {
            true => self.query.sort.fields().eq([("distance_m", false)]),
            false => self.query.sort.is_by_id(),
        };
        let mut page = Filling::new(self, BEYOND_MAX);
        let mut rows = Vec::new();
        let mut after = self.after.filter(|_| in_order).and_then(placed::after);
        let mut step = PLACED_STEP_FIRST;
        loop {
            let hits = placed.more(after.as_ref(), step)?;
            let last = hits.len() < step;
            after = hits.last().map(|(id, distance_m)| After { distance_m: *distance_m, id: id.clone() });
            for (id, distance_m) in hits {
                if in_order {
                    if page.look_on()?.is_break() {
                        return Ok(page.end());
                    }
                } else if !self.may_look() {
                    return Err(self.too_many());
                }
                let Some(document) = self.document(id.as_str())? else { continue };
                let Some(row) = self.row(&document, distance_m.map(distance))? else { continue };
                if in_order { page.push(row) } else { rows.push(row) }
            }
            if last {
                return Ok(if in_order { page.end() } else { self.page_of(rows, false) });
            }
            step = (step * 4).min(ANSWER_ITEMS_MAX);
        }
    }

    /// The page's beginning in rows of the whole list.
    fn page_of(&self, mut rows: Vec<Row>, ranked: bool) -> Found {
        let sort = &self.query.sort;
        if !ranked {
            rows.sort_by(|a, b| sort.compare(&a.key, &b.key));
        }
        let total = Some(rows.len() as u64);
        let skip = match self.after {
            Some(after) => rows.partition_point(|row| sort.compare(&row.key, after).is_le()),
            None => self.skip(),
        };
        rows.drain(..skip.min(rows.len()));
        Found { rows, total }
    }

    fn skip(&self) -> usize {
        usize::try_from(self.query.page.skip()).unwrap_or(usize::MAX)
    }

    /// Every document in the order of ids: none has to be looked at to know that it belongs, and all are counted.
    fn plain(&self) -> Result<Found, Problem> {
        let mut page = Filling::new(self, usize::MAX);
        let row = |id: &str| Row { key: self.query.sort.key(&Value::Null, id), extra: None };
        match self.as_of {
            Some(moment) => self.snapshot.scan_at(self.resource.collection, moment, |document| {
                page.push(row(document.id.as_str()));
                ControlFlow::Continue(())
            })?,
            None => self.snapshot.ids(self.resource.collection, |id| {
                page.push(row(id));
                ControlFlow::Continue(())
            })?,
        }
        Ok(Found { rows: page.rows, total: Some(page.count) })
    }

    /// Every document in the order of ids, until the page is full and the bound is met.
    fn scan_in_order(&self) -> Result<Found, Problem> {
        let mut page = Filling::new(self, LOOKED_MAX);
        self.each(self.after.map(SortKey::id), |document| {
            let step = page.look_on()?;
            if step.is_continue() {
                self.row(&document, None)?.into_iter().for_each(|row| page.push(row));
            }
            Ok(step)
        })?;
        Ok(page.end())
    }

    fn scan(&self) -> Result<Found, Problem> {
        let mut rows = Vec::new();
        self.each(None, |document| {
            if !self.may_look() {
                return Err(self.too_many());
            }
            rows.extend(self.row(&document, None)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(self.page_of(rows, false))
    }

    /// Visits every document in the order of ids; those up to `after` may be left out.
    fn each(
        &self,
        after: Option<&str>,
        mut visit: impl FnMut(Document) -> Result<ControlFlow<()>, Problem>,
    ) -> Result<(), Problem> {
        let mut failed = None;
        let mut visit = |document| {
            visit(document).unwrap_or_else(|problem| {
                failed = Some(problem);
                ControlFlow::Break(())
            })
        };
        match self.as_of {
            Some(moment) => self.snapshot.scan_at(self.resource.collection, moment, &mut visit)?,
            None => self.snapshot.scan(self.resource.collection, after, false, &mut visit)?,
        }
        failed.map_or(Ok(()), Err)
    }

    fn gather<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Result<Found, Problem> {
        let mut rows = Vec::new();
        for id in ids.collect::<BTreeSet<&str>>() {
            rows.extend(self.look(id, None)?);
        }
        Ok(self.page_of(rows, false))
    }

    fn gather_planned(&self, plan: &Plan, changed: &BTreeSet<DocId>) -> Result<Found, Problem> {
        let (mut ids, mut full) = (changed.clone(), false);
        self.snapshot.entries(&plan.index, &plan.reading, false, |entry| {
            full = !self.may_read();
            if full {
                return ControlFlow::Break(());
            }
            ids.insert(entry.id);
            ControlFlow::Continue(())
        })?;
        if full {
            return Err(self.too_many());
        }
        self.gather(ids.iter().map(DocId::as_str))
    }

    /// Reads entries in the order of the list, those of one value together, until the page is full.
    fn walk(&self, plan: &Plan, walk: &Walk, changed: &BTreeSet<DocId>) -> Result<Found, Problem> {
        let mut page = Filling::new(self, BEYOND_MAX);
        for id in changed {
            page.apart.extend(self.look(id.as_str(), None)?);
        }
        let sort = &self.query.sort;
        page.apart.make_contiguous().sort_by(|a, b| sort.compare(&a.key, &b.key));
        let mut reading = plan.reading.clone();
        // Where the last page ended, and up to which document of that place.
        let resumed = self.after.map(|after| {
            let place = reading.place(after.values(&walk.sorted));
            reading.resume(&place, walk.reverse);
            (place, after.id())
        });
        // In the order of ids already: nothing has to be held back.
        let alone = walk.fields == plan.index.spec.fields.len() && !walk.reverse;
        let mut group = Group::default();
        // A document with several values stands where the first of them is met.
        let mut seen = (!plan.single).then(HashSet::new);
        let mut failed = None;
        let mut meet = |entry: IndexEntry<'_>, page: &mut Filling<'_, '_>| {
            if !self.may_read() {
                return page.cut();
            }
            let (place, cut) = entry.beginning(walk.fields);
            if group.place != place {
                if self.flush(&mut group, page)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                group.place = place.to_vec();
            }
            let is_shown = || {
                resumed.as_ref().is_some_and(|(last, id)| !cut && last == place && entry.id.as_str() <= *id)
            };
            let is_new = || !changed.contains(&entry.id) && !is_shown();
            if is_new() && seen.as_mut().is_none_or(|seen| seen.insert(entry.id.clone())) {
                group.cut = cut;
                group.ids.insert(entry.id);
                if alone && !cut {
                    return self.flush(&mut group, page);
                }
            }
            Ok(ControlFlow::Continue(()))
        };
        self.snapshot.entries(&plan.index, &reading, walk.reverse, |entry| {
            meet(entry, &mut page).unwrap_or_else(|problem| {
                failed = Some(problem);
                ControlFlow::Break(())
            })
        })?;
        if let Some(problem) = failed {
            return Err(problem);
        }
        if !page.stopped && self.flush(&mut group, &mut page)?.is_continue() {
            std::mem::take(&mut page.apart).into_iter().for_each(|row| page.push(row));
        }
        Ok(page.end())
    }

    /// Looks at the documents of one value, in the order of ids.
    fn flush(&self, group: &mut Group, page: &mut Filling<'_, '_>) -> Result<ControlFlow<()>, Problem> {
        let mut rows = Vec::new();
        for id in std::mem::take(&mut group.ids) {
            if page.look_on()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let Some(document) = self.document(id.as_str())? else { continue };
            let Some(row) = self.row(&document, None)? else { continue };
            if group.cut {
                rows.push(row);
            } else {
                page.offer(row);
            }
        }
        rows.sort_by(|a, b| self.query.sort.compare(&a.key, &b.key));
        rows.into_iter().for_each(|row| page.offer(row));
        Ok(ControlFlow::Continue(()))
    }

    /// Counts a document that is looked at; false: the bound is met.
    fn may_look(&self) -> bool {
        self.looked.set(self.looked.get() + 1);
        self.looked.get() <= LOOKED_MAX
    }

    fn may_read(&self) -> bool {
        self.entries.set(self.entries.get() + 1);
        self.entries.get() <= LOOKED_MAX
    }

    fn too_many(&self) -> Problem {
        let mut missing = missing(self.query);
        if self.served.get() == Some(&missing) {
            missing.clear();
        }
        let advice = match (self.as_of, missing.is_empty()) {
            (Some(_), _) => {
                "a list of the past is not served by an index once much has changed; ask for less".to_owned()
            }
            (None, true) => {
                "no other index would serve it; ask for less, or read on with 'cursor'".to_owned()
            }
            (None, false) => format!("an index of {} would serve it", json!(missing)),
        };
        let detail = format!("the list looks at more than {LOOKED_MAX} documents; {advice}");
        let problem = Problem::new(Slug::PlanOverBudget, detail).with("documents_max", LOOKED_MAX);
        if missing.is_empty() { problem } else { problem.with("index", missing) }
    }

    fn look(&self, id: &str, extra: Option<(&'static str, Value)>) -> Result<Option<Row>, Problem> {
        if !self.may_look() {
            return Err(self.too_many());
        }
        match self.document(id)? {
            Some(document) => self.row(&document, extra),
            None => Ok(None),
        }
    }

    /// The document of this name as the list sees it.
    pub(crate) fn document(&self, id: &str) -> Result<Option<Document>, Problem> {
        let found = match self.as_of {
            Some(moment) => self.snapshot.get_at(self.resource.collection, id, moment),
            None => self.snapshot.get(self.resource.collection, id),
        };
        match found {
            // What can never be a name is simply not there.
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(None),
            other => Ok(other?),
        }
    }

    fn is_plain(&self) -> bool {
        self.query.filter.is_everything()
            && self.query.sort.fields().next().is_none()
            && self.sight.is_clear()
    }

    /// The row of a document that may be seen and passes the filter.
    fn row(&self, document: &Document, extra: Option<(&'static str, Value)>) -> Result<Option<Row>, Problem> {
        let id = document.id.as_str();
        if self.is_plain() {
            return Ok(Some(Row { key: self.query.sort.key(&Value::Null, id), extra }));
        }
        let mut body = answer::body_of(document)?;
        if !self.sight.sees(&self.resource.name, id, &body) {
            return Ok(None);
        }
        if let Some(map) = body.as_object_mut() {
            let tag = answer::tag(document);
            system::add(map, &answer::meta(document, &tag));
        }
        if let (Some(map), Some((name, value))) = (body.as_object_mut(), &extra) {
            map.insert((*name).to_owned(), value.clone());
        }
        if !self.query.filter.matches(&body) {
            return Ok(None);
        }
        Ok(Some(Row { key: self.query.sort.key(&body, id), extra }))
    }
}

fn distance(distance_m: f64) -> (&'static str, Value) {
    ("distance_m", Value::from(distance_m))
}

/// Documents of one value, whose order among themselves is that of their ids.
#[derive(Default)]
struct Group {
    place: Vec<u8>,
    /// The value is cut, so that they need not be equal.
    cut: bool,
    ids: BTreeSet<DocId>,
}

/// A page that fills with rows in their order.
struct Filling<'l, 'a> {
    look: &'l Look<'a>,
    /// Documents to look at beyond the page.
    beyond: usize,
    /// Rows before the page, left to be passed over.
    skip: usize,
    /// Rows in order that are not met by the walk.
    apart: VecDeque<Row>,
    rows: Vec<Row>,
    count: u64,
    /// Documents that had been looked at when the page was full.
    full_at: Option<usize>,
    stopped: bool,
}

impl<'l, 'a> Filling<'l, 'a> {
    fn new(look: &'l Look<'a>, beyond: usize) -> Self {
        let (skip, apart, rows) = (look.skip(), VecDeque::new(), Vec::new());
        Self { look, beyond, skip, apart, rows, count: 0, full_at: None, stopped: false }
    }

    /// Takes a row that the walk has met, after those apart that stand before it.
    fn offer(&mut self, row: Row) {
        let sort = &self.look.query.sort;
        while self.apart.front().is_some_and(|apart| sort.compare(&apart.key, &row.key).is_lt()) {
            self.apart.pop_front().into_iter().for_each(|apart| self.push(apart));
        }
        self.push(row);
    }

    /// Takes the next row.
    fn push(&mut self, row: Row) {
        self.count += 1;
        let shown = |after| self.look.query.sort.compare(&row.key, after).is_le();
        if self.look.after.is_some_and(shown) {
            return;
        }
        let take = self.look.query.page.take();
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.rows.len() <= take {
            self.rows.push(row);
        }
        // Who asks for no document asks how many there are.
        if self.rows.len() > take && take > 0 && self.full_at.is_none() {
            self.full_at = Some(self.look.looked.get());
        }
    }

    /// Whether another document is to be looked at, which is counted.
    fn look_on(&mut self) -> Result<ControlFlow<()>, Problem> {
        let enough = self.full_at.is_some_and(|at| self.look.looked.get() - at >= self.beyond);
        if enough || !self.look.may_look() { self.cut() } else { Ok(ControlFlow::Continue(())) }
    }

    /// No more is looked at: a full page is shown, without a count.
    fn cut(&mut self) -> Result<ControlFlow<()>, Problem> {
        self.stopped = true;
        match self.full_at {
            Some(_) => Ok(ControlFlow::Break(())),
            None => Err(self.look.too_many()),
        }
    }

    fn end(self) -> Found {
        let total = (!self.stopped && self.look.after.is_none()).then_some(self.count);
        Found { rows: self.rows, total }
    }
}

#[cfg(test)]
mod tests;
