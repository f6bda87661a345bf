//! How many leases may begin in a time: a token bucket.
//!
//! Kept as one number, the time at which the bucket is full again (the generic cell rate algorithm in its
//! virtual-scheduling form, ITU-T I.371 annex A). Taking a token moves that time on by one interval, and a
//! token is there as long as it lies less than a bucket ahead.

use crate::error::{Error, Result};
use crate::queue::limits::{RATE_JOBS_MAX, RATE_MS_MAX};
use crate::types::Millis;

/// At most `jobs` leases begin in `per_ms` on average, and at most `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come in `per_ms`: 1 to 1,000,000.
    pub jobs: u32,
    /// In milliseconds: 1 to a day.
    pub per_ms: u64,
    /// Tokens the bucket holds: 1 to 1,000,000, and no fewer than come in a millisecond.
    pub burst: u32,
}

impl Rate {
    /// Whether it is within its bounds.
    ///
    /// # Errors
    /// `Invalid` that says what is not.
    pub fn check(&self) -> Result<()> {
        if !(1..=RATE_JOBS_MAX).contains(&self.jobs) || !(1..=RATE_JOBS_MAX).contains(&self.burst) {
            return Err(Error::invalid(format!("a rate has 1 to {RATE_JOBS_MAX} jobs, and as many at once")));
        }
        if !(1..=RATE_MS_MAX).contains(&self.per_ms) {
            return Err(Error::invalid("a rate is per millisecond to per day"));
        }
        // The engine's clock ticks in milliseconds: a smaller bucket would overflow between two ticks.
        if u64::from(self.burst) * self.per_ms < u64::from(self.jobs) {
            return Err(Error::invalid("the burst of a rate is less than what a millisecond brings"));
        }
        Ok(())
    }

    /// Rounded up, so that the rate is never exceeded.
    fn interval_us(&self) -> u64 {
        (self.per_ms * 1_000).div_ceil(u64::from(self.jobs.max(1)))
    }

    fn bucket_us(&self) -> u64 {
        self.interval_us() * u64::from(self.burst)
    }
}

/// One bucket: when it is full again, in microseconds of the engine's time. Zero: it is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meter(u64);

impl Meter {
    pub(crate) const fn new(full_us: u64) -> Self {
        Self(full_us)
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    /// A bucket that was made smaller or faster owes no more than it holds.
    fn full_us(self, rate: &Rate, now: Millis) -> u64 {
        self.0.min(us(now).saturating_add(rate.bucket_us()))
    }

    /// Tokens that are there now.
    pub(crate) fn tokens(self, rate: &Rate, now: Millis) -> usize {
        let ahead_us = self.full_us(rate, now).saturating_sub(us(now));
        let tokens = (rate.bucket_us() - ahead_us) / rate.interval_us();
        usize::try_from(tokens).unwrap_or(usize::MAX)
    }

    /// Takes one that is there.
    pub(crate) fn take(&mut self, rate: &Rate, now: Millis) {
        self.0 = self.full_us(rate, now).max(us(now)).saturating_add(rate.interval_us());
    }

    /// When a token is there.
    pub(crate) fn next_at(self, rate: &Rate, now: Millis) -> Millis {
        let spare_us = rate.bucket_us() - rate.interval_us();
        Millis::new(self.full_us(rate, now).saturating_sub(spare_us).div_ceil(1_000))
    }

    /// When it is as if it had never been used.
    pub(crate) fn full_at(self) -> Millis {
        Millis::new(self.0.div_ceil(1_000))
    }
}

fn us(at: Millis) -> u64 {
    at.get().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In any window no more than a bucket and what came meanwhile; and never a token withheld.
        #[test]
        fn never_more_than_the_rate_and_no_less(
            jobs in 1..50_u32, per_ms in 1..200_u64, burst in 1..20_u32,
            steps in proptest::collection::vec(0..40_u64, 1..200),
        ) {
            let rate = Rate { jobs, per_ms, burst };
            prop_assume!(rate.check().is_ok());
            let (mut meter, mut now, mut taken) = (Meter::default(), 1_000, Vec::new());
            for step in steps {
                now += step;
                let at = Millis::new(now);
                let next = meter.next_at(&rate, at);
                let tokens = meter.tokens(&rate, at);
                prop_assert_eq!(tokens == 0, next > at, "{:?}", rate);
                if tokens == 0 {
                    prop_assert!(meter.tokens(&rate, next) > 0);
                    prop_assert_eq!(meter.tokens(&rate, Millis::new(next.get() - 1)), 0);
                }
                for _ in 0..tokens.min(3) {
                    meter.take(&rate, at);
                    taken.push(now);
                }
                prop_assert!(meter.tokens(&rate, meter.full_at()) == burst as usize);
            }
            for (first, start) in taken.iter().enumerate() {
                for (last, end) in taken.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + (end - start) * u64::from(jobs) / per_ms;
                    let count = (last - first + 1) as u64;
                    prop_assert!(count <= most, "{count} in {} ms", end - start);
                }
            }
        }
    }

    #[test]
    fn bounds() {
        let rate = Rate { jobs: 10, per_ms: 1_000, burst: 1 };
        let check = |is_fine: bool, rate: Rate| assert_eq!(rate.check().is_ok(), is_fine, "{rate:?}");
        check(true, rate);
        check(false, Rate { jobs: 0, ..rate });
        check(false, Rate { burst: 0, ..rate });
        check(false, Rate { per_ms: 0, ..rate });
        check(false, Rate { per_ms: RATE_MS_MAX + 1, ..rate });
        check(false, Rate { jobs: 5_000, ..rate });
        check(true, Rate { jobs: 5_000, burst: 5, ..rate });
    }
}
