//! What movements, attributes and fences do to pairs of devices.
//!
//! The device of an event is the one that moved; where none did, the one with the lesser name.

use std::collections::BTreeSet;
use std::sync::Arc;

use dateline_engine::DocId;

use super::Shard;
use crate::devices::Device;
use crate::event::{FenceTold, Kind, Reason};
use crate::fence::Fence;
use crate::patch::Patch;
use crate::point::{Point, chord2_of};
use crate::roam::Rule;
use crate::teller::Teller;

impl Shard {
    fn anyone(&self, id: &DocId) -> Option<&Device> {
        self.devices.find(id).or_else(|| self.foreign.find(id))
    }

    /// A device has moved, or its attributes are others.
    pub(super) fn roam_device(
        &mut self,
        id: &DocId,
        reason: Reason,
        previous: Option<Point>,
        teller: &mut Teller,
    ) {
        for name in self.roam.names() {
            let Some((near, far)) = self.roam.get(&name).and_then(|rule| self.judge_pairs(rule, id)) else {
                continue;
            };
            for (others, kind) in [(far, Kind::Far), (near, Kind::Near)] {
                for other in others {
                    self.change_pair(&name, (id, &other), kind, reason, previous, Some(teller));
                }
            }
        }
    }

    /// A device is known no more.
    pub(super) fn roam_ends(&mut self, id: &DocId, reason: Reason, teller: &mut Teller) {
        for name in self.roam.names() {
            let partners = self.roam.get(&name).map(|rule| rule.partners(id).cloned().collect::<Vec<_>>());
            for other in partners.unwrap_or_default() {
                self.change_pair(&name, (id, &other), Kind::Far, reason, None, Some(teller));
            }
        }
    }

    /// A fence of this name has become one around devices, is another one, or is none any more.
    pub(super) fn roam_fence(
        &mut self,
        name: &DocId,
        fence: Option<&Arc<Fence>>,
        existed: bool,
        gone: Reason,
        teller: &mut Teller,
    ) {
        if !self.place.roams() {
            return;
        }
        let before: BTreeSet<(DocId, DocId)> = self
            .roam
            .get(name)
            .map(|rule| rule.pairs().map(|(a, b)| (a.clone(), b.clone())).collect())
            .unwrap_or_default();
        let Some(fence) = fence else {
            for (a, b) in before {
                self.change_pair(name, (&a, &b), Kind::Far, gone, None, Some(teller));
            }
            drop(self.roam.remove(name));
            return;
        };
        let (reason, loud) = if existed { (gone, true) } else { (Reason::Initial, fence.initial) };
        // Who was near stays so within the hysteresis of the new fence.
        self.roam.put(name, Arc::clone(fence));
        if let Some(rule) = self.roam.get_mut(name) {
            for (a, b) in &before {
                rule.join(a, b);
            }
        }
        let after = self.pairs_by(name);
        let changes = before.difference(&after).map(|pair| (pair, Kind::Far));
        for ((a, b), kind) in changes.chain(after.difference(&before).map(|pair| (pair, Kind::Near))) {
            self.change_pair(name, (a, b), kind, reason, None, loud.then_some(&mut *teller));
        }
    }

    /// All pairs that are near by a rule now.
    fn pairs_by(&self, name: &DocId) -> BTreeSet<(DocId, DocId)> {
        let Some(rule) = self.roam.get(name) else { return BTreeSet::new() };
        let mut pairs = BTreeSet::new();
        for (id, _) in self.devices.iter().chain(self.foreign.iter()) {
            let found = self.near(rule, id).unwrap_or_else(|| rule.partners(id).cloned().collect());
            pairs.extend(found.into_iter().filter(|other| id < other).map(|other| (id.clone(), other)));
        }
        pairs
    }

    /// Makes the pairs of every rule what places alone make of them.
    pub(super) fn pair_up(&mut self) {
        for name in self.roam.names() {
            for (a, b) in self.pairs_by(&name) {
                self.change_pair(&name, (&a, &b), Kind::Near, Reason::Initial, None, None);
            }
        }
    }

    /// Those that come near a device and those that are far from it now.
    fn judge_pairs(&self, rule: &Rule, id: &DocId) -> Option<(Vec<DocId>, Vec<DocId>)> {
        let near = self.near(rule, id)?;
        let far = rule.partners(id).filter(|other| !near.contains(*other)).cloned().collect();
        Some((near.into_iter().filter(|other| !rule.is_pair(id, other)).collect(), far))
    }

    /// Those that are near a device by a rule. Who was so already may be farther by the hysteresis.
    /// `None` when the device's last fix is not exact enough to say.
    fn near(&self, rule: &Rule, id: &DocId) -> Option<BTreeSet<DocId>> {
        let fence = &rule.fence;
        let inexact = |device: &Device| {
            fence.accuracy_m_max.zip(device.fix.accuracy).is_some_and(|(most, accuracy)| accuracy > most)
        };
        let device = self.anyone(id).filter(|device| !inexact(device))?;
        if !self.fits(fence, device) {
            return Some(BTreeSet::new());
        }
        let (at, reach_m) = (device.fix.point.unit(), rule.radius_m() + fence.hysteresis_m);
        let (enter, stay) = (chord2_of(rule.radius_m()), chord2_of(reach_m));
        let patch = [Patch::around(device.fix.point, reach_m)];
        let around = self.devices.candidates(&patch).into_iter().chain(self.foreign.candidates(&patch));
        let near = around.map(|(_, other)| other).filter(|other| {
            let name = &other.fix.device;
            let (was, chord2) = (rule.is_pair(id, name), other.fix.point.unit().chord2(&at));
            let is_near = chord2 <= enter || (was && chord2 <= stay);
            name != id && if inexact(other) { was } else { is_near && self.fits(fence, other) }
        });
        let mut near: BTreeSet<DocId> = near.map(|other| other.fix.device.clone()).collect();
        // One whose place is not known well stays what it was, wherever it says that it is.
        let vague = rule.partners(id).filter(|other| self.anyone(other).is_some_and(inexact));
        near.extend(vague.cloned());
        Some(near)
    }

    fn fits(&self, fence: &Fence, device: &Device) -> bool {
        fence.condition.as_ref().is_none_or(|condition| {
            condition.accepts(&device.attributes(self.attributes.get(&device.fix.device)))
        })
    }

    fn change_pair(
        &mut self,
        name: &DocId,
        (device, other): (&DocId, &DocId),
        kind: Kind,
        reason: Reason,
        previous: Option<Point>,
        teller: Option<&mut Teller>,
    ) {
        let Some(rule) = self.roam.get_mut(name) else { return };
        match kind {
            Kind::Near if !rule.join(device, other) => return,
            Kind::Near => {}
            _ => rule.part(device, other),
        }
        let fence = Arc::clone(&rule.fence);
        let places = self.anyone(device).zip(self.anyone(other));
        let (Some((own, theirs)), Some(teller)) = (places, teller.filter(|_| fence.tells(kind))) else {
            return;
        };
        let distance_m = own.fix.point.distance_m(theirs.fix.point);
        let told = FenceTold {
            other: Some(other.clone()),
            ..FenceTold::new(name, &fence, &own.fix, previous, distance_m)
        };
        teller.tell_fence(teller.at, kind, reason, told);
    }
}
