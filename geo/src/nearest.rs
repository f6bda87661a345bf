//! Answers in pages: nearest first, or by id where nothing is near anything.
//!
//! Nearest first is found by looking around the middle within a reach that grows until a page is full. A look finds
//! everything within its reach, so the page is exact, whatever the first reach was.

use std::cmp::Ordering;

use dateline_engine::DocId;

use crate::within::Within;

/// The first reach in metres where nothing is known of how dense things lie.
const REACH_M_FIRST: f64 = 500.0;

/// Where the last page ended.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// Of the last item, where items have one.
    pub distance_m: Option<f64>,
    /// The last item.
    pub id: DocId,
}

impl After {
    /// Whether something with this distance and id follows.
    #[must_use]
    pub fn is_before(&self, distance_m: Option<f64>, id: &DocId) -> bool {
        compare((self.distance_m, &self.id), (distance_m, id)).is_lt()
    }
}

/// The order of answers: by distance, then by id.
fn compare((a_m, a): (Option<f64>, &DocId), (b_m, b): (Option<f64>, &DocId)) -> Ordering {
    let metres = |metres: Option<f64>| metres.unwrap_or(f64::INFINITY);
    metres(a_m).total_cmp(&metres(b_m)).then_with(|| a.cmp(b))
}

/// Something that was found, with its place in the order.
pub(crate) trait Hit {
    fn distance_m(&self) -> Option<f64>;
    fn id(&self) -> &DocId;

    fn comes_after(&self, after: Option<&After>) -> bool {
        after.is_none_or(|after| after.is_before(self.distance_m(), self.id()))
    }
}

/// A page after `after`. `look` finds all that is in the part and, if the part is ordered, no farther than the reach
/// it is given; it may find more.
pub(crate) fn page<T: Hit>(
    within: &Within,
    after: Option<&After>,
    limit: usize,
    look: impl Fn(f64) -> Vec<T>,
) -> Vec<T> {
    let first_reach_m = REACH_M_FIRST.max(passed_m(after) * 1.25);
    page_from(first_reach_m, within, after, limit, look)
}

/// Metres that the pages before have gone out.
pub(crate) fn passed_m(after: Option<&After>) -> f64 {
    after.and_then(|after| after.distance_m).unwrap_or(0.0)
}

/// As [`page`], with a first reach.
pub(crate) fn page_from<T: Hit>(
    first_reach_m: f64,
    within: &Within,
    after: Option<&After>,
    limit: usize,
    look: impl Fn(f64) -> Vec<T>,
) -> Vec<T> {
    let Some(reach_m_max) = within.reach_m() else {
        let found = look(0.0).into_iter().filter(|hit| hit.comes_after(after));
        return first(found.collect(), limit);
    };
    let mut reach_m = first_reach_m;
    loop {
        let all = reach_m >= reach_m_max;
        let mut found = look(reach_m.min(reach_m_max));
        // What lies beyond the reach has nearer neighbours that were not looked at.
        found.retain(|hit| hit.comes_after(after) && (all || hit.distance_m().is_none_or(|m| m <= reach_m)));
        if all || found.len() >= limit {
            return first(found, limit);
        }
        reach_m *= 2.0;
    }
}

/// The first `limit` in order.
pub(crate) fn first<T: Hit>(mut hits: Vec<T>, limit: usize) -> Vec<T> {
    let order = |a: &T, b: &T| compare((a.distance_m(), a.id()), (b.distance_m(), b.id()));
    if limit < hits.len() && limit > 0 {
        hits.select_nth_unstable_by(limit - 1, order);
    }
    hits.truncate(limit);
    hits.sort_by(order);
    hits
}
