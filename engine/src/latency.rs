//! How long something took, counted in buckets that grow with the time: a quantile is at most an eighth too high.
//!
//! Counts only grow, so the difference of two readings tells of the time between them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Buckets of one power of two, as a power of two.
const STEPS_LOG2: u32 = 3;
const STEPS: usize = 1 << STEPS_LOG2;
/// Longer times, from 2^27 microseconds (134 s), count as this long.
const OCTAVE_MAX: u32 = 26;
const BUCKETS: usize = (OCTAVE_MAX - STEPS_LOG2 + 2) as usize * STEPS;

/// The bucket of a time: below 8 microseconds one each, then eight for each doubling.
fn bucket(us: u64) -> usize {
    let us = us.min((1 << (OCTAVE_MAX + 1)) - 1);
    let octave = us.checked_ilog2().unwrap_or(0);
    if octave < STEPS_LOG2 {
        return usize::try_from(us).unwrap_or(0);
    }
    let shift = octave - STEPS_LOG2;
    let step = usize::try_from(us >> shift).unwrap_or(0) - STEPS;
    usize::try_from(shift + 1).unwrap_or(0) * STEPS + step
}

/// The longest time of a bucket, in microseconds.
fn upper_us(bucket: usize) -> u64 {
    let (octave, step) = (bucket / STEPS, bucket % STEPS);
    let bound = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    if octave == 0 { bound(step) } else { (bound(STEPS + step + 1) << (octave - 1)) - 1 }
}

/// Counts that threads add to.
#[derive(Debug)]
pub(crate) struct LatencyCounts {
    counts: Vec<AtomicU64>,
    sum_us: AtomicU64,
}

impl Default for LatencyCounts {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), sum_us: AtomicU64::new(0) }
    }
}

impl LatencyCounts {
    pub(crate) fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(bucket(us)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Latency {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Latency { counts, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

/// A reading. As JSON it is the count and `mean_us`, `p50_us`, `p99_us`, `p999_us`, `max_us`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    counts: Vec<u64>,
    sum_us: u64,
}

impl Latency {
    /// How many times.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together, in microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The mean in microseconds; 0 when there was none.
    #[must_use]
    pub fn mean_us(&self) -> u64 {
        self.sum_us.checked_div(self.count()).unwrap_or(0)
    }

    /// The time that a share of `per_mille` thousandths did not exceed, in microseconds, at most an eighth too high;
    /// 0 when there was none.
    #[must_use]
    pub fn quantile_us(&self, per_mille: u64) -> u64 {
        let wanted = (u128::from(self.count()) * u128::from(per_mille.min(1_000))).div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        for (place, &count) in self.counts.iter().enumerate() {
            seen += u128::from(count);
            if seen >= wanted {
                return upper_us(place);
            }
        }
        0
    }

    /// What came after an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect();
        Self { counts, sum_us: self.sum_us.saturating_sub(earlier.sum_us) }
    }

    /// For each power of two of microseconds: that bound, and how many times were not longer than it.
    pub fn octaves(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut seen = 0;
        self.counts.chunks(STEPS).enumerate().map(move |(octave, counts)| {
            seen += counts.iter().sum::<u64>();
            (upper_us(octave * STEPS + STEPS - 1), seen)
        })
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Latency", 6)?;
        fields.serialize_field("count", &self.count())?;
        fields.serialize_field("mean_us", &self.mean_us())?;
        fields.serialize_field("p50_us", &self.quantile_us(500))?;
        fields.serialize_field("p99_us", &self.quantile_us(990))?;
        fields.serialize_field("p999_us", &self.quantile_us(999))?;
        fields.serialize_field("max_us", &self.quantile_us(1_000))?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        for place in 1..BUCKETS {
            let (lower, upper) = (upper_us(place - 1) + 1, upper_us(place));
            assert_eq!((bucket(lower), bucket(upper)), (place, place), "{place}: {lower} to {upper}");
            assert!(upper - lower <= lower / 8, "{place}: {lower} to {upper}");
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_and_differences() {
        let counts = LatencyCounts::default();
        (1..=1_000).for_each(|us| counts.add(Duration::from_micros(us)));
        let first = counts.read();
        let check = |latency: &Latency, per_mille, exact: u64| {
            let told = latency.quantile_us(per_mille);
            assert!(told >= exact && told <= exact + exact / 8, "{per_mille}: {told}, exactly {exact}");
        };
        check(&first, 500, 500);
        check(&first, 990, 990);
        check(&first, 1_000, 1_000);
        assert_eq!((first.count(), first.mean_us()), (1_000, 500));
        (0..10).for_each(|_| counts.add(Duration::from_millis(5)));
        let later = counts.read().since(&first);
        assert_eq!((later.count(), later.sum_us()), (10, 50_000));
        check(&later, 1, 5_000);
        assert_eq!(Latency::default().quantile_us(500), 0);
        let last = first.octaves().last();
        assert_eq!(last.map(|(_, count)| count), Some(1_000));
    }
}
