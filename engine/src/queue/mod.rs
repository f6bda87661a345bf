//! The pure heart of the durable queue: what every job's next state is, and which keys say so.
//!
//! One `QueueState` is owned by the writer thread. It does no I/O, reads no clock and starts no
//! thread: each call is given the time and a sink for the keys it changes, and those keys go into
//! the same atomic write as the documents that caused them. Reading them back with `Loader` gives an
//! equal state.
//!
//! A call that may be refused comes in two steps, because a transaction is planned whole before any
//! of it happens: `check_*` is pure and may fail, `apply_*` cannot. What is applied is never rolled
//! back: when the write behind it fails, the engine is poisoned and the memory thrown away.
//!
//! Invariants:
//! - A job is in exactly one phase, and its keys are exactly those of that phase (`codec`).
//! - A job never becomes ready before its time, and never leaves but by ack, cancel or retention.
//! - At most one member of a group is ready, leased or retrying: its head. The others wait in the
//!   order in which they joined. A delayed job joins its group when its delay has passed. Only where a
//!   lane says so, a failed member lets the others go on.
//! - No more leases run, and none begins sooner, than the bounds of the lane and of the job's key allow,
//!   also over restarts.
//! - A lease is named by boot epoch, job and attempt. Attempts of one job only rise, so a token is
//!   never given twice and at most one completion is accepted.
//! - A unique key belongs to one unfinished job. A dead job has given its key back.
//! - The order of all keys and answers depends on the calls alone, never on hash order.

mod client;
mod codec;
mod entry;
mod group;
mod hash;
mod held;
mod job;
mod lane;
mod lease;
mod limits;
mod line;
mod load;
mod news;
mod rate;
mod retry;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod wakes;

pub(crate) use client::{Answer, Step};
pub use client::{DeadFilter, Granted, LeaseRequest, Queue};
pub(crate) use codec::{key, record};
pub use entry::Progress;
pub(crate) use job::PreparedJob;
pub use job::{FinishedJob, Job, JobState, LeasedJob, NewJob};
pub use lane::{GroupOnFail, LaneSettings, LaneView};
pub use lease::{Ack, Beat, Heartbeat, Holder, LeaseTerm, LeaseToken, Nack, Nacked};
pub(crate) use limits::JOBS_MAX;
pub(crate) use load::{LOAD_ORDER, Loader};
pub(crate) use news::Listeners;
pub use news::{JobEvent, JobStep, QueueNews};
pub use rate::Rate;
pub use retry::{Backoff, Retry, Waits};
pub(crate) use state::QueueState;
pub(crate) use wakes::Wakes;

use std::ops::ControlFlow;

use crate::error::Result;
use crate::kv::batch::Batch;
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, Kv};
use crate::types::{Epoch, Millis};

/// Reads the queue of a store that opens, and ends the leases its last process left behind.
pub(crate) fn load(kv: &dyn Kv, epoch: Epoch, now: Millis) -> Result<QueueState> {
    let mut loader = Loader::new(epoch, JOBS_MAX);
    for family in LOAD_ORDER {
        let range = match family {
            Family::Meta => KeyRange::prefix(key::META_PREFIX),
            _ => KeyRange::new([], [u8::MAX; 64]),
        };
        kv.scan(family, &range, Direction::Forward, &mut |place, value| {
            loader.row(family, place, value)?;
            Ok(ControlFlow::Continue(()))
        })?;
    }
    let mut state = loader.finish()?;
    let mut batch = Batch::default();
    state.recover(now, &mut batch);
    if !batch.is_empty() {
        kv.write(&batch, true)?;
    }
    Ok(state)
}

/// Where changed keys go: the batch of the group being written.
pub(crate) trait Mutations {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]);
    fn delete(&mut self, family: Family, key: &[u8]);
}

impl Mutations for Batch {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        Batch::put(self, family, key, value);
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        Batch::delete(self, family, key);
    }
}
