//! The other way round: which standing lists hold a place.

use dateline_engine::{DocId, Result};

use crate::adlist::Scope;
use crate::point::Point;
use crate::region::Circle;
use crate::service::Geo;
use crate::shard::Shard;

/// Lists looked at while a shard does nothing else: about a millisecond.
const STEP_LISTS: usize = 10_000;

impl Geo {
    /// The active lists whose area holds a place now, by id; those around a device, where the device is now.
    /// Every list is looked at, some at a time.
    ///
    /// # Errors
    /// `Unavailable` when the matcher has stopped.
    pub fn lists_holding(&self, place: Point) -> Result<Vec<DocId>> {
        let mut found = Vec::new();
        for shard in 0..self.inboxes.len() {
            let mut after = None;
            loop {
                let from = after.take();
                let (mut step, last) = self.ask(shard, move |shard, _| look(shard, place, from.as_ref()))?;
                found.append(&mut step);
                match last {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Lists after `after` that hold the place, and the last one looked at unless that was the end.
fn look(shard: &Shard, place: Point, after: Option<&DocId>) -> (Vec<DocId>, Option<DocId>) {
    let unit = place.unit();
    let (mut found, mut looked) = (Vec::new(), 0);
    for (id, held) in shard.lists.iter().skip_while(|(id, _)| after.is_some_and(|after| *id <= after)) {
        let holds = match &held.list.scope {
            Scope::Around { radius_m } => {
                shard.here(&held.list).is_some_and(|here| Circle::new(here, *radius_m).holds(&unit))
            }
            Scope::Fixed(region) => region.holds(place),
        };
        found.extend(holds.then(|| id.clone()));
        looked += 1;
        if looked == STEP_LISTS {
            return (found, Some(id.clone()));
        }
    }
    (found, None)
}
