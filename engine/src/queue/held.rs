//! The keys of one lane: how many of their jobs run, what their buckets hold, and who is held back.
//!
//! A ready job whose key has used up a limit is parked beside the lines, found there by its key, and goes
//! back to its place when the key has room again. Parking is known to memory alone: on disk the job is
//! ready, and after a restart it is in line until its turn comes.
//! Invariant: a key is known only while it runs, waits or owes.

use std::collections::{BTreeSet, HashMap};

use crate::queue::hash::GroupHash;
use crate::queue::rate::Meter;
use crate::types::{JobId, Millis};

/// Place of a job in the order of its lane: inverted priority, then turn.
pub(crate) type Place = (u8, u64, JobId);

#[derive(Debug, Default)]
pub(crate) struct Key {
    pub(crate) leased: u32,
    pub(crate) meter: Meter,
    parked: BTreeSet<Place>,
}

impl Key {
    fn is_idle(&self) -> bool {
        self.leased == 0 && self.meter == Meter::default() && self.parked.is_empty()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Held {
    keys: HashMap<GroupHash, Key>,
    /// All that are parked, by the time since when they are ready.
    since: BTreeSet<(Millis, JobId)>,
}

impl Held {
    pub(crate) fn key(&self, key: GroupHash) -> Option<&Key> {
        self.keys.get(&key)
    }

    /// Changes what is known of a key, and forgets it when nothing is left to know.
    pub(crate) fn change(&mut self, key: GroupHash, change: impl FnOnce(&mut Key)) {
        let held = self.keys.entry(key).or_default();
        change(held);
        if held.is_idle() {
            self.keys.remove(&key);
        }
    }

    pub(crate) fn park(&mut self, key: GroupHash, place: Place, since: Millis) {
        self.since.insert((since, place.2));
        self.keys.entry(key).or_default().parked.insert(place);
    }

    /// Takes a job out, if it is parked.
    pub(crate) fn leave(&mut self, key: GroupHash, place: Place, since: Millis) -> bool {
        if !self.since.remove(&(since, place.2)) {
            return false;
        }
        self.change(key, |held| {
            held.parked.remove(&place);
        });
        true
    }

    /// The first that is parked under a key.
    pub(crate) fn first(&self, key: GroupHash) -> Option<Place> {
        self.keys.get(&key)?.parked.first().copied()
    }

    /// Keys under which jobs are parked, in order.
    pub(crate) fn waiting(&self) -> Vec<GroupHash> {
        let keys = self.keys.iter().filter(|(_, key)| !key.parked.is_empty());
        let mut keys: Vec<GroupHash> = keys.map(|(hash, _)| *hash).collect();
        keys.sort_unstable();
        keys
    }

    /// Jobs that are parked.
    pub(crate) fn len(&self) -> usize {
        self.since.len()
    }

    /// Since when the one that has been ready longest is.
    pub(crate) fn oldest(&self) -> Option<Millis> {
        self.since.first().map(|(since, _)| *since)
    }

    /// Every key with its leases and bucket, and every parked job: what a restart must find again.
    #[cfg(test)]
    pub(crate) fn list(&self) -> (Vec<(GroupHash, u32, Meter)>, Vec<Place>) {
        let known = self.keys.iter().map(|(hash, key)| (*hash, key.leased, key.meter));
        let mut keys: Vec<_> = known.filter(|(_, leased, meter)| *leased > 0 || meter.get() > 0).collect();
        keys.sort_by_key(|(hash, ..)| *hash);
        (keys, self.keys.values().flat_map(|key| key.parked.iter().copied()).collect())
    }
}
