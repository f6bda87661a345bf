//! Wakes workers in this process when their lane may have something for them. A worker sleeps at the bell of its lane, so
//! what happens in one lane wakes nobody in another.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// See the module.
#[derive(Default)]
pub(crate) struct Wakes {
    bells: Mutex<HashMap<Box<str>, Arc<Bell>>>,
}

/// The bell of one lane.
#[derive(Default)]
struct Bell {
    /// How often it rang.
    rung: Mutex<u64>,
    rings: Condvar,
}

impl Wakes {
    /// Rings for each of these lanes at which somebody has ever waited.
    pub(crate) fn wake(&self, lanes: Vec<Arc<str>>) {
        for lane in lanes {
            let bell = self.bells.lock().unwrap_or_else(PoisonError::into_inner).get(&*lane).cloned();
            if let Some(bell) = bell {
                *bell.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                bell.rings.notify_all();
            }
        }
    }

    /// How often the bell of a lane has rung: to be asked before looking whether there is anything.
    pub(super) fn seen(&self, lane: &str) -> u64 {
        *self.bell(lane).rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has rung since.
    pub(super) fn wait_past(&self, lane: &str, seen: u64, timeout: Duration) {
        let bell = self.bell(lane);
        let rung = bell.rung.lock().unwrap_or_else(PoisonError::into_inner);
        drop(bell.rings.wait_timeout_while(rung, timeout, |rung| *rung == seen));
    }

    fn bell(&self, lane: &str) -> Arc<Bell> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        match bells.get(lane) {
            Some(bell) => Arc::clone(bell),
            None => Arc::clone(bells.entry(lane.into()).or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_is_not_missed_and_is_for_one_lane() {
        let wakes = Wakes::default();
        let (mail, other) = (wakes.seen("mail"), wakes.seen("other"));
        wakes.wake(vec!["mail".into(), "unknown".into()]);
        // Would wait for a minute if the ring were lost.
        wakes.wait_past("mail", mail, Duration::from_secs(60));
        assert_eq!((wakes.seen("mail"), wakes.seen("other")), (mail + 1, other));
    }
}
