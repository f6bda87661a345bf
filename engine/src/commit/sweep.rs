//! Removes what is kept no longer: results of finished jobs and idempotency keys.
//!
//! A bounded look at a time, by the writer between two groups; the next one goes on where the last stopped.

use std::ops::ControlFlow;

use crate::codec::idem;
use crate::error::Result;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv};
use crate::queue::{QueueState, key};
use crate::types::Millis;

/// Keys looked at in one sweep of one range.
const KEYS_MAX: usize = 10_000;
/// Wait after a sweep that came to the end.
const EVERY_MS: u64 = 60_000;
/// Wait after a sweep that left some.
const AGAIN_MS: u64 = 1_000;

/// When to sweep next, and from where.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    due: Millis,
    keys_from: [u8; 16],
}

impl Sweep {
    /// Adds the removals that are due to the batch.
    pub(crate) fn run(
        &mut self,
        kv: &dyn Kv,
        queue: &QueueState,
        now: Millis,
        batch: &mut Batch,
    ) -> Result<()> {
        if now < self.due {
            return Ok(());
        }
        // Also after an error: a store that cannot be read is not asked again at every commit.
        self.due = Millis::new(now.get() + EVERY_MS);
        let results_left = results(kv, queue, now, batch)?;
        let keys_left = self.keys(kv, now, batch)?;
        if results_left || keys_left {
            self.due = Millis::new(now.get() + AGAIN_MS);
        }
        Ok(())
    }

    /// Whether some were left for the next time.
    fn keys(&mut self, kv: &dyn Kv, now: Millis, batch: &mut Batch) -> Result<bool> {
        let range = KeyRange::new(std::mem::take(&mut self.keys_from), [u8::MAX; 17]);
        let (mut seen, next) = (0, &mut self.keys_from);
        kv.scan(Family::Idem, &range, Direction::Forward, &mut |place, value| {
            // A damaged row protects nobody.
            let key = place.try_into().unwrap_or([u8::MAX; 16]);
            if !idem::decode(&key, value).is_ok_and(|remembered| remembered.is_fresh(now)) {
                batch.delete(Family::Idem, place);
            }
            seen += 1;
            *next = key;
            Ok(stop_at(seen))
        })?;
        if seen < KEYS_MAX {
            self.keys_from = [0; 16];
        }
        Ok(seen >= KEYS_MAX)
    }
}

fn results(kv: &dyn Kv, queue: &QueueState, now: Millis, batch: &mut Batch) -> Result<bool> {
    let mut left = false;
    for (lower, upper) in queue.done_expired(now) {
        let mut seen = 0;
        kv.scan(Family::Done, &KeyRange::new(lower, upper), Direction::Forward, &mut |place, _| {
            batch.delete(Family::Done, place);
            if let Some((_, _, id)) = key::parse_filed(place) {
                batch.delete(Family::Done, &key::finished(id));
            }
            seen += 1;
            Ok(stop_at(seen))
        })?;
        left |= seen >= KEYS_MAX;
    }
    Ok(left)
}

fn stop_at(seen: usize) -> ControlFlow<()> {
    if seen < KEYS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
