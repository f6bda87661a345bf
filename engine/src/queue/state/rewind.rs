//! Forgets what was enqueued after a moment that a restored store is taken back to.

use crate::queue::Mutations;
use crate::queue::state::QueueState;
use crate::types::{JobId, Millis};

impl QueueState {
    /// Takes out every job with an id above `last`, without a trace; groups and unique keys go on without them.
    pub(crate) fn forget_after(&mut self, last: JobId, now: Millis, out: &mut dyn Mutations) -> usize {
        let mut late: Vec<JobId> = self.jobs.keys().copied().filter(|id| *id > last).collect();
        late.sort_unstable();
        for id in &late {
            self.lift(*id, now, out);
            self.forget(*id, now, out);
        }
        late.len()
    }
}
