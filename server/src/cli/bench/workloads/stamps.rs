//! When writes began, for threads that see them elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Writes in flight and not yet seen by everybody; an older one loses its time.
const SLOTS: usize = 1 << 17;

/// Times by number, in a ring.
pub(super) struct Stamps {
    origin: Instant,
    slots: Vec<[AtomicU64; 2]>,
}

impl Stamps {
    pub(super) fn new() -> Self {
        let slot = || [AtomicU64::new(u64::MAX), AtomicU64::new(0)];
        Self { origin: Instant::now(), slots: (0..SLOTS).map(|_| slot()).collect() }
    }

    fn slot(&self, number: u64) -> Option<&[AtomicU64; 2]> {
        self.slots.get(usize::try_from(number).ok()? % SLOTS)
    }

    /// The write of this number begins.
    pub(super) fn set(&self, number: u64, at: Instant) {
        let nanos = u64::try_from(at.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX);
        if let Some([owner, time]) = self.slot(number) {
            // Nobody sees the write before it is committed, which is after this.
            time.store(nanos, Ordering::Relaxed);
            owner.store(number, Ordering::Release);
        }
    }

    /// When it began, if that is still known.
    pub(super) fn get(&self, number: u64) -> Option<Instant> {
        let [owner, time] = self.slot(number)?;
        let known = owner.load(Ordering::Acquire) == number;
        known.then(|| self.origin + Duration::from_nanos(time.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_known_until_its_place_is_taken() {
        let stamps = Stamps::new();
        let at = Instant::now() + Duration::from_millis(7);
        stamps.set(3, at);
        assert_eq!(stamps.get(3), Some(at));
        assert_eq!(stamps.get(4), None);
        stamps.set(3 + SLOTS as u64, at);
        assert_eq!(stamps.get(3), None);
    }
}
