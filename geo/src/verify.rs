//! Compares the live state with a plain recomputation from what is stored, as of the same tail.
//!
//! The recomputation knows no index: every device against every fence, every list against every ad.

use std::collections::{BTreeMap, BTreeSet};

use dateline_engine::{DocId, PositionSeq, Result, Tail};

use crate::matcher;
use crate::point::Point;
use crate::rebuild;
use crate::service::Geo;
use crate::shard::{Ground, Shard, ShardPlace};

/// Differences that are named; more are only counted.
const NAMED_MAX: usize = 20;

/// What `verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Devices, lists and memberships that were compared.
    pub compared: u64,
    /// All differences.
    pub differences: u64,
    /// The first of them, in words.
    pub first: Vec<String>,
}

/// The part of a shard's state that must follow from what is stored.
#[derive(Debug, Default, PartialEq)]
struct Held {
    devices: BTreeMap<DocId, (Point, BTreeSet<DocId>)>,
    lists: BTreeMap<DocId, BTreeSet<DocId>>,
    fences: BTreeMap<DocId, BTreeSet<DocId>>,
}

impl Geo {
    /// Recomputes and compares. Takes time proportional to devices x fences and lists x ads.
    ///
    /// # Errors
    /// As `start`; a difference is no error.
    pub fn verify(&self) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        for (number, snapshots) in self.snapshots.iter().enumerate() {
            // First, so that it is not ahead. What is trimmed of the positions is nowhere else.
            let known = match self.store.feed().floors().positions {
                PositionSeq::ZERO => None,
                _ => snapshots.load(self.store.watermark().applied())?,
            };
            let place = ShardPlace { number, count: self.inboxes.len() };
            let (live, at) = self.ask(number, |shard, at| (live(shard), at))?;
            let ground = rebuild::ground(&self.store, &self.collections, place, known, at)?;
            verdict.compare(place, at, &live, &plain(&ground));
        }
        Ok(verdict)
    }
}

impl Verdict {
    fn compare(&mut self, place: ShardPlace, at: Tail, live: &Held, stored: &Held) {
        let shard = format!("shard {} at {}/{}", place.number, at.seq, at.positions);
        self.compare_maps(&format!("{shard}: device"), &live.devices, &stored.devices);
        self.compare_maps(&format!("{shard}: adlist"), &live.lists, &stored.lists);
        self.compare_maps(&format!("{shard}: fence"), &live.fences, &stored.fences);
    }

    fn compare_maps<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        live: &BTreeMap<DocId, T>,
        stored: &BTreeMap<DocId, T>,
    ) {
        let ids: BTreeSet<&DocId> = live.keys().chain(stored.keys()).collect();
        for id in ids {
            self.compared += 1;
            if live.get(id) == stored.get(id) {
                continue;
            }
            self.differences += 1;
            if self.first.len() < NAMED_MAX {
                self.first.push(format!("{what} {id}: live {:?}, stored {:?}", live.get(id), stored.get(id)));
            }
        }
    }
}

fn live(shard: &Shard) -> Held {
    Held {
        devices: shard
            .devices
            .iter()
            .map(|(id, device)| (id.clone(), (device.fix.point, device.inside.clone())))
            .collect(),
        lists: shard.lists.iter().map(|(id, held)| (id.clone(), held.members.clone())).collect(),
        fences: shard.fences.iter().map(|(id, held)| (id.clone(), held.members.clone())).collect(),
    }
}

fn plain(ground: &Ground) -> Held {
    let fences_at = |place: Point| {
        ground.fences.iter().filter(move |(_, fence)| fence.region.holds(place)).map(|(id, _)| id.clone())
    };
    let devices_in = |fence: &crate::fence::Fence| {
        ground
            .fixes
            .iter()
            .filter(|(_, fix)| fence.region.holds(fix.point))
            .map(|(id, _)| id.clone())
            .collect()
    };
    let here = |list: &crate::adlist::AdList| {
        let device = DocId::new(list.device.as_deref()?).ok()?;
        ground.fixes.get(&device).map(|fix| fix.point)
    };
    let ads_of = |list: &crate::adlist::AdList| {
        ground
            .ads
            .iter()
            .filter(|(_, ad)| matcher::is_match(list, ad, here(list)))
            .map(|(id, _)| id.clone())
            .collect()
    };
    Held {
        devices: ground
            .fixes
            .iter()
            .map(|(id, fix)| (id.clone(), (fix.point, fences_at(fix.point).collect())))
            .collect(),
        lists: ground.lists.iter().map(|(id, list)| (id.clone(), ads_of(list))).collect(),
        fences: ground.fences.iter().map(|(id, fence)| (id.clone(), devices_in(fence))).collect(),
    }
}
