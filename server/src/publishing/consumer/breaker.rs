//! A breaker for each destination: after some failures in a row nothing is sent to it for a while, then one is tried.
//!
//! Lines keep their own order and wait by themselves; the breaker is for destinations without a line, of which many
//! rows would find out the same thing one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dateline_engine::Millis;
use prometheus_client::metrics::gauge::Gauge;

/// Failures in a row after which a destination is left alone.
const FAILURES_MAX: u32 = 5;
const PAUSE_MIN: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// The breakers of all destinations that have failed lately.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    by_destination: Mutex<BTreeMap<String, Breaker>>,
}

#[derive(Debug)]
struct Breaker {
    failures: u32,
    /// Nothing is sent before.
    until: Millis,
    pause: Duration,
}

impl Breakers {
    /// Whether something may be sent now; if not, for how long not. The first after a pause is a trial, and the others
    /// wait for what becomes of it.
    pub(super) fn admit(&self, destination: &str, now: Millis) -> Result<(), Duration> {
        let mut all = self.by_destination.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(breaker) = all.get_mut(destination).filter(|own| own.failures >= FAILURES_MAX) else {
            return Ok(());
        };
        if now < breaker.until {
            return Err(Duration::from_millis(breaker.until.get() - now.get()));
        }
        breaker.until = after(now, PAUSE_MIN);
        Ok(())
    }

    /// Ends a row of failures. `left_alone` shows how many destinations are left alone.
    pub(super) fn succeeded(&self, destination: &str, left_alone: &Gauge) {
        let removed = self.by_destination.lock().unwrap_or_else(PoisonError::into_inner).remove(destination);
        if removed.is_some_and(|breaker| breaker.failures >= FAILURES_MAX) {
            left_alone.dec();
        }
    }

    pub(super) fn failed(&self, destination: &str, now: Millis, left_alone: &Gauge) {
        let mut all = self.by_destination.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Breaker { failures: 0, until: now, pause: PAUSE_MIN / 2 };
        let breaker = all.entry(destination.to_owned()).or_insert_with(fresh);
        breaker.failures = breaker.failures.saturating_add(1);
        if breaker.failures == FAILURES_MAX {
            left_alone.inc();
        }
        if breaker.failures >= FAILURES_MAX {
            breaker.pause = (breaker.pause * 2).min(PAUSE_MAX);
            breaker.until = after(now, breaker.pause);
        }
    }
}

fn after(now: Millis, time: Duration) -> Millis {
    Millis::new(now.get().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_that_fails_is_left_alone_and_tried_again() {
        let (breakers, left_alone) = (Breakers::default(), Gauge::default());
        let at = |seconds: u64| Millis::new(1_000_000 + seconds * 1_000);
        for _ in 0..FAILURES_MAX {
            assert_eq!(breakers.admit("d", at(0)), Ok(()));
            breakers.failed("d", at(0), &left_alone);
        }
        assert_eq!(breakers.admit("d", at(10)), Err(Duration::from_secs(20)));
        assert_eq!(breakers.admit("e", at(10)), Ok(()));
        assert_eq!(breakers.admit("d", at(30)), Ok(()), "one is a trial");
        assert!(breakers.admit("d", at(31)).is_err(), "the others wait");
        breakers.failed("d", at(32), &left_alone);
        assert_eq!(breakers.admit("d", at(32)), Err(Duration::from_secs(60)), "for twice as long");
        assert_eq!(left_alone.get(), 1);
        breakers.succeeded("d", &left_alone);
        assert_eq!((breakers.admit("d", at(33)), left_alone.get()), (Ok(()), 0));
    }
}
