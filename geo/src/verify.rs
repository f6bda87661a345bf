//! Compares the live state with one made anew from what is stored, as of the same tail.
//!
//! Stays are played again from the snapshot or the beginning of the lanes. Where the past plays no part the
//! recomputation is plain and knows no index: every device against every fence, every list against every ad.

use std::collections::{BTreeMap, BTreeSet};

use dateline_engine::{DocId, PositionSeq, Result, Tail};

use crate::matcher;
use crate::point::Point;
use crate::rebuild::{self, Stock};
use crate::service::Geo;
use crate::shard::{Shard, ShardPlace};
use crate::stay::Stay;

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
    devices: BTreeMap<DocId, (Point, BTreeMap<DocId, Stay>)>,
    lists: BTreeMap<DocId, BTreeSet<DocId>>,
    fences: BTreeMap<DocId, BTreeSet<DocId>>,
    pairs: BTreeMap<DocId, BTreeSet<(DocId, DocId)>>,
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
            let played = rebuild::shard(&self.reading, place, known, at)?;
            let stock = rebuild::stock(&self.reading, place, at)?;
            verdict.compare(place, at, &live, &plain(&played, &stock));
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
        self.compare_maps(&format!("{shard}: pairs of fence"), &live.pairs, &stored.pairs);
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
    let stays = |device: &crate::devices::Device| {
        let named = device.stays.iter().filter_map(|(fence, stay)| Some((shard.fences.at(*fence)?, *stay)));
        named.map(|(held, stay)| (held.id.clone(), stay)).collect()
    };
    let pairs = |rule: &crate::roam::Rule| rule.pairs().map(|(a, b)| (a.clone(), b.clone())).collect();
    Held {
        devices: shard
            .devices
            .iter()
            .map(|(id, device)| (id.clone(), (device.fix.point, stays(device))))
            .collect(),
        lists: shard.lists.iter().map(|(id, held)| (id.clone(), held.members.clone())).collect(),
        fences: shard
            .fences
            .iter()
            .map(|(id, _)| (id.clone(), shard.members_of(id).into_iter().collect()))
            .collect(),
        pairs: shard.roam.iter().map(|(id, rule)| (id.clone(), pairs(rule))).collect(),
    }
}

/// What was played, with lists and plain fences made from every pair instead.
fn plain(played: &Shard, stock: &Stock) -> Held {
    let devices_in = |fence: &crate::fence::Fence| -> Option<BTreeSet<DocId>> {
        let zone = fence.zone().filter(|_| fence.is_plain())?;
        let inside = played.devices.iter().filter(|(_, device)| zone.region.holds(device.fix.point));
        Some(inside.map(|(id, _)| id.clone()).collect())
    };
    let ads_of = |list: &crate::adlist::AdList| {
        let here = played.here(list);
        let matching = stock.ads.iter().filter(|(_, ad)| matcher::is_match(list, ad, here));
        matching.map(|(id, _)| id.clone()).collect()
    };
    let mut held = live(played);
    for (id, fence) in played.fences.iter() {
        if let Some(inside) = devices_in(&fence.fence) {
            held.fences.insert(id.clone(), inside);
        }
    }
    held.lists = stock.lists.iter().map(|(id, list)| (id.clone(), ads_of(list))).collect();
    held
}
