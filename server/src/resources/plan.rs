//! How an index serves a list: which entries to read, and whether they stand in the order of the list already.
//!
//! Pure but for looks at a bounded number of entries, by which the narrowest index is known.

use std::ops::ControlFlow;

use dateline_engine::{Collection, Index, IndexField, Reading, Snapshot, Spans};

use crate::eve::problem::Problem;
use crate::eve::{ListQuery, Sort, system};

/// Entries by which a reading is narrow: its documents are read and put in order, whatever else there is.
const NARROW: usize = 1_000;
/// Entries by which a reading is still better than a walk of unknown length.
const BEARABLE: usize = 10_000;
/// Fields of an index that is named as missing, at the most.
const MISSING_MAX: usize = 4;

/// Entries of one index that hold every document of a list.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) index: Index,
    pub(crate) reading: Reading,
    /// No document has several entries in the index.
    pub(crate) single: bool,
    /// Set where the entries stand in the order of the list.
    pub(crate) walk: Option<Walk>,
}

/// Entries in the order of a list: documents whose first fields are the same stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    /// How many fields those are.
    pub(crate) fields: usize,
    /// Which fields of `sort` follow those that have one value.
    pub(crate) sorted: Vec<usize>,
    /// From the last entry to the first.
    pub(crate) reverse: bool,
}

/// The best plan, if any index is of use.
pub(crate) fn plan(
    snapshot: &Snapshot<'_>,
    collection: &Collection,
    query: &ListQuery,
) -> Result<Option<Plan>, Problem> {
    let mut plans = Vec::new();
    for index in collection.indexes().iter().filter(|index| index.is_readable()) {
        plans.extend(of(index, snapshot.is_single(index)?, query));
    }
    let narrowest = |limit: usize| -> Result<Option<usize>, Problem> {
        let mut best = None;
        for (place, plan) in plans.iter().enumerate().filter(|(_, plan)| plan.reading.bounded() > 0) {
            let count = count(snapshot, plan, limit)?;
            if count < limit && best.is_none_or(|(least, _)| count < least) {
                best = Some((count, place));
            }
        }
        Ok(best.map(|(_, place)| place))
    };
    let most = |walks: bool| {
        let of_kind = plans.iter().enumerate().filter(|(_, plan)| plan.walk.is_some() == walks);
        let bounded = of_kind.filter(|(_, plan)| plan.reading.bounded() > 0);
        bounded.max_by_key(|(place, plan)| (plan.reading.bounded(), usize::MAX - place)).map(|found| found.0)
    };
    let chosen = match narrowest(NARROW)? {
        Some(place) => Some(place),
        None => match most(true) {
            Some(place) => Some(place),
            None => match narrowest(BEARABLE)? {
                Some(place) => Some(place),
                None => plans.iter().position(|plan| plan.walk.is_some()).or_else(|| most(false)),
            },
        },
    };
    Ok(chosen.map(|place| plans.swap_remove(place)))
}

/// How one index could serve; `None`: not at all.
fn of(index: &Index, single: bool, query: &ListQuery) -> Option<Plan> {
    let fields = index.spec.fields.iter().take_while(|field| may_index(&field.path));
    let wanted: Vec<Spans> = fields
        .map_while(|field| {
            let spans = query.filter.spans(&field.path, single)?;
            if field.ignore_case { spans.folded() } else { Some(spans) }
        })
        .collect();
    let reading = index.reading(&wanted);
    let walk = walk(&index.spec.fields, &reading, single, &query.sort);
    // By id a list is in order without any index.
    let by_sort = walk.as_ref().is_some_and(|walk| !walk.sorted.is_empty());
    (reading.bounded() > 0 || by_sort).then(|| Plan { index: index.clone(), reading, single, walk })
}

fn walk(fields: &[IndexField], reading: &Reading, single: bool, sort: &Sort) -> Option<Walk> {
    let (fixed, following) = fields.split_at_checked(reading.fixed())?;
    // Keys without regard to case tell neither an order nor that two texts are one.
    let is = |field: &IndexField, path: &str| field.path == path && !field.ignore_case;
    let mut wanted = Vec::new();
    for (place, (path, descending)) in sort.fields().enumerate() {
        match (path, descending) {
            // No two documents are alike from here on.
            ("_id", false) => break,
            ("_id", true) => return None,
            // The place of a document with several values depends on others than the one it was found by.
            _ if single && fixed.iter().any(|field| is(field, path)) => {}
            _ => wanted.push((place, path, descending)),
        }
    }
    let reverse = wanted.first().is_some_and(|(_, _, descending)| *descending);
    let in_order =
        wanted.iter().zip(following).all(|((_, path, _), field)| is(field, path) && may_index(path));
    let one_way = wanted.iter().all(|(_, _, descending)| *descending == reverse);
    let narrowed = reading.bounded() > reading.fixed() && !wanted.is_empty() && !single;
    if !in_order || !one_way || narrowed || wanted.len() > following.len() {
        return None;
    }
    let sorted: Vec<usize> = wanted.iter().map(|(place, _, _)| *place).collect();
    Some(Walk { fields: reading.fixed() + sorted.len(), sorted, reverse })
}

fn count(snapshot: &Snapshot<'_>, plan: &Plan, limit: usize) -> Result<usize, Problem> {
    let mut count = 0;
    snapshot.entries(&plan.index, &plan.reading, false, |_| {
        count += 1;
        if count < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(count)
}

/// Whether an index can be declared on a path, and holds what conditions and orders see there: not on the server's own
/// members, and not by places in lists.
pub(crate) fn may_index(path: &str) -> bool {
    !path.split('.').next().is_some_and(system::is_known)
        && !path.split('.').any(|part| part.parse::<usize>().is_ok())
}

/// The fields of an index that would serve: those with single values, then those of the order, or else one with a range.
pub(crate) fn missing(query: &ListQuery) -> Vec<String> {
    let spans = |path: &str| query.filter.spans(path, true);
    let paths: Vec<&str> = query.filter.paths().into_iter().filter(|path| may_index(path)).collect();
    let single =
        paths.iter().copied().filter(|path| spans(path).is_some_and(|spans| spans.count().is_some()));
    // An index has one direction at a time.
    let one_way = query.sort.fields().is_sorted_by(|(_, left), (_, right)| left == right);
    let sorted = query.sort.fields().map(|(path, _)| path).filter(|path| one_way && may_index(path));
    let ranged =
        paths.iter().copied().filter(|path| spans(path).is_some_and(|spans| spans.count().is_none()));
    let mut missing: Vec<String> = Vec::new();
    for path in single.chain(sorted.chain(ranged.take(1))) {
        if missing.len() < MISSING_MAX && !missing.iter().any(|known| known == path) {
            missing.push(path.to_owned());
        }
    }
    missing
}
