//! Workers that wait for a lane, and who of them is woken.
//!
//! A wake goes to one waiter. Whoever got all it asked for passes it on, because there may be more; so as many wake
//! as there is work for, in the order in which they came, and a crowd never runs for one job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::eve::problem::{Problem, Slug};

/// Workers that wait at a time at the most.
const WAITERS_MAX: usize = 10_000;

/// The waiting room. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    room: Arc<Mutex<Room>>,
    /// Changing settings is reading, then writing: one at a time.
    pub(super) settings: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Room {
    /// Only lanes that somebody waits for.
    lanes: HashMap<Arc<str>, (Arc<Notify>, usize)>,
    waiters: usize,
}

/// A place in the room, given up when dropped.
pub(super) struct Place {
    room: Arc<Mutex<Room>>,
    lane: Arc<str>,
    bell: Arc<Notify>,
    /// It was woken and has not yet used the wake.
    owes: bool,
}

impl Waiting {
    /// Wakes one waiter of each lane.
    pub(crate) fn wake(&self, lanes: &[Arc<str>]) {
        if lanes.is_empty() {
            return;
        }
        let room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        for (bell, _) in lanes.iter().filter_map(|lane| room.lanes.get(lane)) {
            bell.notify_one();
        }
    }

    pub(super) fn enter(&self, lane: &str) -> Result<Place, Problem> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if room.waiters >= WAITERS_MAX {
            let detail = format!("{WAITERS_MAX} workers are waiting already; ask without wait_s");
            return Err(Problem::new(Slug::RateLimited, detail).retry_after(1));
        }
        room.waiters += 1;
        let lane: Arc<str> = lane.into();
        let (bell, count) = room.lanes.entry(Arc::clone(&lane)).or_default();
        *count += 1;
        let bell = Arc::clone(bell);
        Ok(Place { room: Arc::clone(&self.room), lane, bell, owes: false })
    }
}

impl Place {
    /// Until the lane has something that it did not have before.
    pub(super) async fn woken(&mut self) {
        self.bell.notified().await;
        self.owes = true;
    }

    /// The wake has been used; `more` when there may be something for another.
    pub(super) fn used(&mut self, more: bool) {
        self.owes = false;
        if more {
            self.bell.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.owes {
            // Its worker hung up in between.
            self.bell.notify_one();
        }
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.waiters -= 1;
        if let Some((_, count)) = room.lanes.get_mut(&self.lane) {
            *count -= 1;
            if *count == 0 {
                room.lanes.remove(&self.lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_wake_is_one_waiters_and_is_never_lost() {
        let waiting = Waiting::default();
        let lane: [Arc<str>; 1] = ["mail".into()];
        let (mut a, mut b) = (waiting.enter("mail").unwrap(), waiting.enter("mail").unwrap());
        assert!(a.woken().now_or_never().is_none());
        waiting.wake(&lane);
        assert!(a.woken().now_or_never().is_some());
        assert!(b.woken().now_or_never().is_none(), "one wake, one waiter");
        a.used(true);
        assert!(b.woken().now_or_never().is_some(), "passed on");
        b.used(false);
        waiting.wake(&lane);
        assert!(a.woken().now_or_never().is_some());
        drop(a);
        assert!(b.woken().now_or_never().is_some(), "a hung up before it used its wake");
        b.used(false);
        drop(b);
        assert!(waiting.room.lock().unwrap().lanes.is_empty());
        waiting.wake(&lane);
    }
}
