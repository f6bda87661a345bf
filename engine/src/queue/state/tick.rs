//! What happens because time has passed.

use crate::queue::Mutations;
use crate::queue::limits::TICK_TIMERS_MAX;
use crate::queue::state::QueueState;
use crate::queue::timers::TimerKind;
use crate::types::{JobId, Millis};

impl QueueState {
    /// Fires the timers whose time has come and looks at the buckets that have filled, at most 1,024 of each,
    /// and answers when the next is due.
    ///
    /// That may be in the past, when there were more. To be called before each group is planned: then
    /// a job whose delay has passed joins its group before those enqueued later.
    pub(crate) fn tick(&mut self, now: Millis, out: &mut dyn Mutations) -> Option<Millis> {
        for _ in 0..TICK_TIMERS_MAX {
            let Some((kind, id)) = self.timers.first_due(now) else { break };
            self.fire(kind, id, now, out);
        }
        for _ in 0..TICK_TIMERS_MAX {
            let Some((lane, key)) = self.refills.first_due(now) else { break };
            self.refill(lane, key, now, out);
        }
        self.next_due()
    }

    /// Each of these lifts the job, which disarms the timer, so a tick always ends.
    fn fire(&mut self, kind: TimerKind, id: JobId, now: Millis, out: &mut dyn Mutations) {
        match kind {
            TimerKind::Schedule | TimerKind::Retry => {
                self.lift(id, now, out);
                self.join(id, now, out);
            }
            TimerKind::Lease => self.expire(id, "the lease ended without an answer", now, out),
            TimerKind::Age => self.grow_old(id, now, out),
            TimerKind::Retention => {
                self.lift(id, now, out);
                self.forget(id, now, out);
            }
        }
    }
}
