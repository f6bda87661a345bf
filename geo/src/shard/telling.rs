//! How what becomes of stays is made the state of the shard, and told.

use std::sync::Arc;

use dateline_engine::Millis;

use super::Shard;
use crate::devices::{Device, DeviceSlot, Previous};
use crate::event::{FenceTold, Kind, Reason};
use crate::fences::FenceSlot;
use crate::stay::{Change, Stay};
use crate::teller::Teller;

/// What becomes of one stay.
pub(super) struct Outcome {
    pub(super) fence: FenceSlot,
    pub(super) before: Option<Stay>,
    pub(super) after: Option<Stay>,
    pub(super) changes: Vec<Change>,
}

/// Why stays change, and how that is told.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    pub(super) reason: Reason,
    /// Nothing is told, but the state becomes what it must be.
    pub(super) silent: bool,
    /// By a fix, and what was before it.
    pub(super) fix: Option<Option<Previous>>,
}

impl Shard {
    /// Makes the outcomes the state, and tells them.
    pub(super) fn settle(
        &mut self,
        slot: DeviceSlot,
        outcomes: Vec<Outcome>,
        cause: Cause,
        teller: &mut Teller,
    ) {
        for outcome in &outcomes {
            self.fences.set_stays(outcome.fence, slot, outcome.after.is_some());
            let levels = self.fences.at(outcome.fence).and_then(|held| held.levels(outcome.fence));
            let Some(device) = self.devices.at_mut(slot) else { return };
            device.set_stay(outcome.fence, outcome.after);
            let was = outcome.before.is_some_and(|stay| stay.is_member());
            let is = outcome.after.is_some_and(|stay| stay.is_member());
            if let (true, Some(ask)) = (was != is, levels) {
                let at = device.fix.at;
                let was_seen = match cause.fix {
                    Some(previous) => ask.was_seen(at, previous.as_ref()),
                    None => ask.fence_seq <= device.log_seq,
                };
                device.levels.changed(ask, at, if was { Kind::Inside } else { Kind::Outside }, was_seen);
            }
        }
        if cause.silent {
            return;
        }
        let mut groups = self.crossed_groups(slot, &outcomes);
        for outcome in outcomes {
            for change in outcome.changes {
                self.tell_change(slot, outcome.fence, change, cause, Some(&mut groups), teller);
            }
        }
    }

    /// The groups that a device has entered or left as a whole.
    fn crossed_groups(&self, slot: DeviceSlot, outcomes: &[Outcome]) -> Vec<(Arc<str>, Kind)> {
        let group = |fence: FenceSlot| self.fences.at(fence).and_then(|held| held.fence.group.clone());
        let mut crossed: Vec<(Arc<str>, Kind)> = Vec::new();
        for outcome in outcomes {
            let Some(name) = group(outcome.fence) else { continue };
            if crossed.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let inside = self.devices.at(slot).into_iter().flat_map(Device::inside);
            let after = inside.filter(|fence| group(*fence).as_ref() == Some(&name)).count();
            let moved = |kind: Kind| {
                let of_group = outcomes.iter().filter(|other| group(other.fence).as_ref() == Some(&name));
                of_group.flat_map(|other| &other.changes).filter(|change| change.kind == kind).count()
            };
            let before = (after + moved(Kind::Exit)).saturating_sub(moved(Kind::Enter));
            match (before, after) {
                (0, 0) | (1.., 1..) => {}
                (0, _) => crossed.push((name, Kind::Enter)),
                (_, 0) => crossed.push((name, Kind::Exit)),
            }
        }
        crossed
    }

    pub(super) fn tell_change(
        &self,
        slot: DeviceSlot,
        fence: FenceSlot,
        change: Change,
        cause: Cause,
        groups: Option<&mut Vec<(Arc<str>, Kind)>>,
        teller: &mut Teller,
    ) {
        let (Some(device), Some((held, zone))) = (self.devices.at(slot), self.fences.zone(fence)) else {
            return;
        };
        if !held.fence.tells(change.kind) {
            return;
        }
        let reason = if change.by_hours { Reason::Schedule } else { cause.reason };
        let previous = cause.fix.flatten().map(|previous| previous.point);
        let distance_m = zone.region.border_distance_m(device.fix.point);
        let mut told = FenceTold::new(&held.id, &held.fence, &device.fix, previous, distance_m);
        told.dwell_ms = match change.kind {
            Kind::Exit | Kind::Dwell | Kind::Inside => Some(change.dwell_ms),
            Kind::Enter if change.dwell_ms > 0 => Some(change.dwell_ms),
            _ => None,
        };
        if let (Some(group), Some(groups)) = (&mut told.group, groups) {
            let place = groups.iter().position(|(name, kind)| *name == group.name && *kind == change.kind);
            group.crossed = place.map(|place| groups.swap_remove(place)).is_some();
        }
        teller.tell_fence(change.at, change.kind, reason, told);
    }

    /// Tells where a device is and is not, where that is asked for and due.
    pub(super) fn tell_levels(&mut self, slot: DeviceSlot, previous: Option<Previous>, teller: &mut Teller) {
        if !self.fences.tells_levels() {
            return;
        }
        let Some(device) = self.devices.at_mut(slot) else { return };
        let at = device.fix.at;
        device.levels.prune(at);
        let members: Vec<FenceSlot> = device.inside().collect();
        let mut asks: Vec<(FenceSlot, Kind)> = members
            .iter()
            .filter(|fence| self.fences.at(**fence).is_some_and(|held| held.fence.tells(Kind::Inside)))
            .map(|fence| (*fence, Kind::Inside))
            .collect();
        for (interval_ms, outside) in self.fences.outside() {
            let interval = |at: Millis| at.get().checked_div(interval_ms);
            let seen = interval(at).is_some()
                && previous.is_some_and(|previous| {
                    interval(previous.at) == interval(at) && outside.newest_seq <= previous.log_seq
                });
            // Where nothing changed, all was told before.
            let concerned: Vec<FenceSlot> = if seen {
                let changed = device.levels.0.iter().map(|told| told.fence);
                changed.filter(|fence| outside.fences.contains(fence)).collect()
            } else {
                outside.fences.iter().copied().collect()
            };
            let out = concerned.into_iter().filter(|fence| members.binary_search(fence).is_err());
            asks.extend(out.map(|fence| (fence, Kind::Outside)));
        }
        asks.retain(|(fence, level)| {
            let ask = self.fences.at(*fence).and_then(|held| held.levels(*fence));
            ask.is_some_and(|ask| {
                let was_seen = ask.was_seen(at, previous.as_ref());
                device.levels.tell(ask, at, *level, was_seen)
            })
        });
        let cause = Cause { reason: Reason::UpdatePos, silent: false, fix: Some(previous) };
        for (fence, kind) in asks {
            let (Some(device), Some((held, zone))) = (self.devices.at(slot), self.fences.zone(fence)) else {
                continue;
            };
            let open = zone.schedule.as_ref().is_none_or(|schedule| schedule.window(at).open);
            if !open || !self.asked(device).accepts(&held.fence) {
                continue;
            }
            let since = device.stay(fence).map_or(at, |stay| stay.since);
            let dwell_ms = at.get().saturating_sub(since.get());
            let change = Change { kind, at, dwell_ms, by_hours: false };
            self.tell_change(slot, fence, change, cause, None, teller);
        }
    }
}
