//! What fixes, time, attributes and changes of fences do to the stays of devices at zones.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use dateline_engine::{DocId, Millis};
use serde_json::Value;

use super::Shard;
use super::telling::{Cause, Outcome};
use crate::devices::{Attributes, Device, DeviceSlot, Previous};
use crate::event::{Kind, Reason};
use crate::fence::{Fence, Zone};
use crate::fences::FenceSlot;
use crate::patch::Patch;
use crate::stay::{Change, Rules, Sight, Stay};
use crate::teller::Teller;

/// The attributes of a device, put together when the first condition asks for them.
pub(super) struct Asked<'a> {
    device: &'a Device,
    document: Option<&'a Attributes>,
    made: OnceCell<Value>,
}

impl Asked<'_> {
    pub(super) fn accepts(&self, fence: &Fence) -> bool {
        fence.condition.as_ref().is_none_or(|condition| {
            condition.accepts(self.made.get_or_init(|| self.device.attributes(self.document)))
        })
    }
}

impl Shard {
    pub(super) fn asked<'a>(&'a self, device: &'a Device) -> Asked<'a> {
        Asked { device, document: self.attributes.get(&device.fix.device), made: OnceCell::new() }
    }

    /// A device has sent a fix that counts.
    pub(super) fn cross_zones(&mut self, slot: DeviceSlot, previous: Option<Previous>, teller: &mut Teller) {
        let Some(device) = self.devices.at(slot) else { return };
        let at = device.fix.at;
        let lying = self.fences.holding(device.fix.point);
        // Where a device lay and lies inside, most fences need not be looked at.
        let at_hand = together(&lying, device, |fence| !self.fences.is_steady(fence));
        let outcomes = self.judge(device, at, &lying, &at_hand, false);
        let crossed = self.crossed(device, previous);
        let cause = Cause { reason: Reason::UpdatePos, silent: false, fix: Some(previous) };
        for fence in crossed {
            let change = Change { kind: Kind::Cross, at, dwell_ms: 0, by_hours: false };
            self.tell_change(slot, fence, change, cause, None, teller);
        }
        self.settle(slot, outcomes, cause, teller);
        self.tell_levels(slot, previous, teller);
        self.note_due(slot, at);
    }

    /// The attributes of a device have changed.
    pub(super) fn judge_again(&mut self, slot: DeviceSlot, teller: &mut Teller) {
        if !self.fences.has_conditional() {
            return;
        }
        let Some(device) = self.devices.at(slot) else { return };
        let now = device.time_at(teller.at);
        let lying = self.fences.holding(device.fix.point);
        let mut at_hand = together(&lying, device, |_| true);
        at_hand.retain(|fence| self.fences.is_conditional(*fence));
        let mut outcomes = self.judge(device, now, &lying, &at_hand, false);
        retime(&mut outcomes, teller.at);
        self.settle(slot, outcomes, Cause { reason: Reason::Changed, silent: false, fix: None }, teller);
        self.note_due(slot, now);
    }

    /// Time has gone by without a word from the device.
    pub(super) fn pass_time(&mut self, slot: DeviceSlot, log: Millis, teller: &mut Teller) {
        let Some(device) = self.devices.at(slot) else { return };
        let now = device.time_at(log);
        let mut outcomes = Vec::new();
        for &(fence, stay) in &device.stays {
            let Some((held, zone)) = self.fences.zone(fence) else { continue };
            let window = zone.schedule.as_ref().map(|schedule| schedule.window(now));
            let (after, changes) = Rules::of(&held.fence, zone).elapse(stay, now, window);
            outcomes.push(Outcome { fence, before: Some(stay), after, changes });
        }
        self.settle(slot, outcomes, Cause { reason: Reason::Clock, silent: false, fix: None }, teller);
        self.note_due(slot, now);
    }

    /// Makes stays and pairs what places alone make of them, where the past that led to them is not known. Tells nobody.
    pub(crate) fn look_around(&mut self, teller: &mut Teller) {
        let all: BTreeSet<DeviceSlot> =
            self.devices.iter().filter_map(|(id, _)| self.devices.slot(id)).collect();
        for slot in self.by_name(&all) {
            let Some(device) = self.devices.at(slot) else { continue };
            let now = device.fix.at;
            let lying = self.fences.holding(device.fix.point);
            let outcomes = self.judge(device, now, &lying, &together(&lying, device, |_| true), true);
            self.settle(slot, outcomes, Cause { reason: Reason::Initial, silent: true, fix: None }, teller);
            self.note_due(slot, now);
        }
        self.pair_up();
    }

    /// A device leaves every zone, because it is known no more.
    pub(super) fn leave_zones(&mut self, slot: DeviceSlot, reason: Reason, teller: &mut Teller) {
        let Some(device) = self.devices.at(slot) else { return };
        let outcomes = device.stays.iter().map(|(fence, stay)| leave(device, *fence, *stay, teller.at));
        let outcomes = outcomes.collect();
        self.settle(slot, outcomes, Cause { reason, silent: false, fix: None }, teller);
    }

    pub(super) fn apply_fence(
        &mut self,
        id: &DocId,
        live: Option<&Arc<Fence>>,
        seq: u64,
        teller: &mut Teller,
    ) {
        let existed = self.fences.slot(id).is_some();
        let is_zone = live.is_some_and(|fence| fence.zone().is_some());
        let gone = if live.is_some() { Reason::FenceChanged } else { Reason::FenceRemoved };
        if !is_zone {
            self.empty_zone(id, gone, teller);
        }
        match live {
            Some(fence) => drop(self.fences.insert(id, Arc::clone(fence), seq)),
            None => drop(self.fences.remove(id)),
        }
        let fence = live.filter(|fence| fence.zone().is_none());
        self.roam_fence(id, fence, existed, gone, teller);
        if is_zone {
            self.fill_zone(id, existed, teller);
        }
    }

    /// Everybody at a zone leaves it.
    fn empty_zone(&mut self, id: &DocId, reason: Reason, teller: &mut Teller) {
        let Some(fence) = self.fences.slot(id) else { return };
        for slot in self.fences.at(fence).map(|held| self.by_name(&held.stays)).unwrap_or_default() {
            let Some(device) = self.devices.at(slot) else { continue };
            let Some(stay) = device.stay(fence) else { continue };
            let outcomes = vec![leave(device, fence, stay, teller.at)];
            self.settle(slot, outcomes, Cause { reason, silent: false, fix: None }, teller);
            self.note_due_now(slot, teller.at);
        }
    }

    /// Whoever is at a zone that is new or changed stays, comes or leaves.
    fn fill_zone(&mut self, id: &DocId, existed: bool, teller: &mut Teller) {
        let Some(fence) = self.fences.slot(id) else { return };
        let Some((held, zone)) = self.fences.zone(fence) else { return };
        let (reason, silent) =
            if existed { (Reason::FenceChanged, false) } else { (Reason::Initial, !held.fence.initial) };
        let mut concerned: BTreeSet<DeviceSlot> = held.stays.clone();
        let patches: Vec<Patch> = zone.region.extents().iter().map(Patch::of_extent).collect();
        self.devices.search(&patches, |slot, _| concerned.extend([slot]));
        for slot in self.by_name(&concerned) {
            let Some(device) = self.devices.at(slot) else { continue };
            let Some((_, zone)) = self.fences.zone(fence) else { continue };
            let now = device.time_at(teller.at);
            let lying: Vec<FenceSlot> =
                zone.region.holds(device.fix.point).then_some(fence).into_iter().collect();
            let mut outcomes = self.judge(device, now, &lying, &[fence], true);
            retime(&mut outcomes, teller.at);
            self.settle(slot, outcomes, Cause { reason, silent, fix: None }, teller);
            self.note_due(slot, now);
        }
    }

    /// The devices that count as in a fence, by id.
    pub(crate) fn members_of(&self, id: &DocId) -> Vec<DocId> {
        let Some(fence) = self.fences.slot(id) else { return Vec::new() };
        let stays = self.fences.at(fence).map(|held| self.by_name(&held.stays)).unwrap_or_default();
        let devices = stays.into_iter().filter_map(|slot| self.devices.at(slot));
        let members = devices.filter(|device| device.stay(fence).is_some_and(|stay| stay.is_member()));
        members.map(|device| device.fix.device.clone()).collect()
    }

    /// The fences that a device counts as in, by id.
    pub(crate) fn fences_around(&self, device: &Device) -> Vec<DocId> {
        let held = device.inside().filter_map(|fence| self.fences.at(fence));
        let mut ids: Vec<DocId> = held.map(|held| held.id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// In the order of their ids, which is that of telling.
    fn by_name(&self, slots: &BTreeSet<DeviceSlot>) -> Vec<DeviceSlot> {
        let mut named: Vec<(&DocId, DeviceSlot)> =
            slots.iter().filter_map(|slot| Some((&self.devices.at(*slot)?.fix.device, *slot))).collect();
        named.sort_unstable();
        named.into_iter().map(|(_, slot)| slot).collect()
    }

    /// What becomes of a device's stays at some fences; `lying`, in order, are those that its place lies in.
    fn judge(
        &self,
        device: &Device,
        at: Millis,
        lying: &[FenceSlot],
        at_hand: &[FenceSlot],
        at_once: bool,
    ) -> Vec<Outcome> {
        let asked = self.asked(device);
        let mut outcomes = Vec::new();
        for &slot in at_hand {
            let Some((held, zone)) = self.fences.zone(slot) else { continue };
            if !counts(&held.fence, zone, device) {
                continue;
            }
            let before = device.stay(slot);
            let high = is_high_enough(zone, device);
            let inside = high && lying.binary_search(&slot).is_ok();
            let hysteresis_m = held.fence.hysteresis_m;
            let near = inside
                || (high
                    && hysteresis_m > 0.0
                    && before.is_some_and(|stay| stay.is_member())
                    && zone.region.reaches(device.fix.point, hysteresis_m));
            let admits = asked.accepts(&held.fence);
            let open = zone.schedule.as_ref().is_none_or(|schedule| schedule.window(at).open);
            let sight = Sight { at, inside, near, admits, open, at_once };
            let (after, changes) = Rules::of(&held.fence, zone).observe(before, sight);
            if before != after || !changes.is_empty() {
                outcomes.push(Outcome { fence: slot, before, after, changes });
            }
        }
        outcomes
    }

    fn crossed(&self, device: &Device, previous: Option<Previous>) -> Vec<FenceSlot> {
        let Some(previous) = previous else { return Vec::new() };
        let asked = self.asked(device);
        let mut crossed = self.fences.crossed(previous.point, device.fix.point);
        crossed.retain(|slot| {
            self.fences.zone(*slot).is_some_and(|(held, zone)| {
                let open = |schedule: &Arc<crate::schedule::Schedule>| schedule.window(device.fix.at).open;
                device.stay(*slot).is_none()
                    && counts(&held.fence, zone, device)
                    && is_high_enough(zone, device)
                    && zone.schedule.as_ref().is_none_or(open)
                    && asked.accepts(&held.fence)
            })
        });
        crossed
    }

    fn note_due_now(&mut self, slot: DeviceSlot, log: Millis) {
        if let Some(now) = self.devices.at(slot).map(|device| device.time_at(log)) {
            self.note_due(slot, now);
        }
    }

    /// Notes when time alone will next change a device whose own time is `now`.
    pub(crate) fn note_due(&mut self, slot: DeviceSlot, now: Millis) {
        let Some(device) = self.devices.at(slot) else { return };
        // A fence may have had other rules when a stay began to change.
        let stays = device.stays.iter().filter(|(_, stay)| self.fences.has_timed() || stay.is_under_way());
        let first = stays
            .filter_map(|(fence, stay)| {
                let (held, zone) = self.fences.zone(*fence)?;
                let window = zone.schedule.as_ref().map(|schedule| schedule.window(now));
                Rules::of(&held.fence, zone).due(stay, window)
            })
            .min();
        let due = first.map(|own| device.log_time_of(own)).into_iter().chain(device.ends()).min();
        self.devices.set_due(slot, due);
    }
}

/// The fences that a device is at or lies in, in order; of those where both is so, the ones that `both` wants.
fn together(lying: &[FenceSlot], device: &Device, both: impl Fn(FenceSlot) -> bool) -> Vec<FenceSlot> {
    let mut all = Vec::new();
    let mut lying = lying.iter().copied().peekable();
    for (stay, _) in &device.stays {
        while let Some(fence) = lying.next_if(|fence| fence < stay) {
            all.push(fence);
        }
        let is_both = lying.next_if_eq(stay).is_some();
        if !is_both || both(*stay) {
            all.push(*stay);
        }
    }
    all.extend(lying);
    all
}

/// Whether the last fix of a device says enough for a fence.
fn counts(fence: &Fence, zone: &Zone, device: &Device) -> bool {
    let exact = fence.accuracy_m_max.zip(device.fix.accuracy).is_none_or(|(most, accuracy)| accuracy <= most);
    exact && (zone.altitude_m.is_none() || device.fix.altitude.is_some())
}

fn is_high_enough(zone: &Zone, device: &Device) -> bool {
    zone.altitude_m.zip(device.fix.altitude).is_none_or(|((low, high), own)| low <= own && own <= high)
}

fn leave(device: &Device, fence: FenceSlot, stay: Stay, log: Millis) -> Outcome {
    let dwell_ms = device.time_at(log).get().saturating_sub(stay.since.get());
    let exit = Change { kind: Kind::Exit, at: log, dwell_ms, by_hours: false };
    let changes = stay.is_member().then_some(exit).into_iter().collect();
    Outcome { fence, before: Some(stay), after: None, changes }
}

/// What a change of a document causes is told with the time of that change.
fn retime(outcomes: &mut [Outcome], at: Millis) {
    outcomes.iter_mut().flat_map(|outcome| &mut outcome.changes).for_each(|change| change.at = at);
}
