//! How often the levels `inside` and `outside` are told of one device.
//!
//! Device time is cut into intervals of each fence's length. A level is told at the first fix of an interval, and at the
//! first fix after the state, or the fence itself, changed; and never twice in an interval. What was told need not be
//! kept for a fence where nothing changed: whoever had a fix in the interval was told then. So this holds only the
//! fences whose state changed during the interval, and memory does not grow with fences times devices.

use dateline_engine::Millis;

use crate::devices::Previous;
use crate::event::Kind;
use crate::fences::FenceSlot;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Levels(pub(crate) Vec<Told>);

/// What of a fence was told in an interval in which its state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) fence: FenceSlot,
    /// The version of the fence; another one begins anew.
    pub(crate) fence_seq: u64,
    pub(crate) interval_ms: u64,
    pub(crate) interval: u64,
    pub(crate) inside: bool,
    pub(crate) outside: bool,
}

/// A fence as far as levels go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) fence: FenceSlot,
    pub(crate) fence_seq: u64,
    pub(crate) interval_ms: u64,
}

impl Ask {
    /// The number of the interval that a time falls into; without an interval each fix is its own.
    pub(crate) fn interval(&self, at: Millis) -> Option<u64> {
        at.get().checked_div(self.interval_ms)
    }

    /// Whether the device had a fix in the interval of `at` since the fence is as it is.
    pub(crate) fn was_seen(&self, at: Millis, previous: Option<&Previous>) -> bool {
        self.interval(at).is_some_and(|interval| {
            previous.is_some_and(|previous| {
                self.interval(previous.at) == Some(interval) && self.fence_seq <= previous.log_seq
            })
        })
    }
}

impl Levels {
    /// The state at a fence has changed from `before`, with the device's last fix, at `at`, or since. `was_seen` as
    /// [`Ask::was_seen`] says before.
    pub(crate) fn changed(&mut self, ask: Ask, at: Millis, before: Kind, was_seen: bool) {
        let Some(interval) = ask.interval(at) else { return };
        if self.find(ask, interval).is_some() {
            return;
        }
        self.0.retain(|told| told.fence != ask.fence);
        self.0.push(Told {
            fence: ask.fence,
            fence_seq: ask.fence_seq,
            interval_ms: ask.interval_ms,
            interval,
            inside: was_seen && before == Kind::Inside,
            outside: was_seen && before == Kind::Outside,
        });
    }

    /// Whether the level is to be told now, at a fix; notes that it is.
    pub(crate) fn tell(&mut self, ask: Ask, at: Millis, level: Kind, was_seen: bool) -> bool {
        let Some(interval) = ask.interval(at) else { return true };
        match self.find(ask, interval) {
            Some(told) => {
                let known = if level == Kind::Inside { &mut told.inside } else { &mut told.outside };
                !std::mem::replace(known, true)
            }
            None => !was_seen,
        }
    }

    /// Lets go of intervals that are over at `at`.
    pub(crate) fn prune(&mut self, at: Millis) {
        self.0.retain(|told| at.get().checked_div(told.interval_ms) == Some(told.interval));
    }

    fn find(&mut self, ask: Ask, interval: u64) -> Option<&mut Told> {
        self.0.iter_mut().find(|told| {
            told.fence == ask.fence && told.fence_seq == ask.fence_seq && told.interval == interval
        })
    }
}
