//! How long a failed job waits for its next attempt.
//!
//! Exponential: full jitter, a uniform draw from zero to a ceiling that doubles with every failure
//! (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). The draw is a hash of
//! job and attempt, so that a replay waits exactly as long. The other kinds wait exactly what they say.

use crate::error::{Error, Result};
use crate::queue::limits::{DELAY_MS_MAX, WAITS_MAX};
use crate::types::JobId;

/// Up to eight waits in milliseconds, one after the other; the last one repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    ms: [u64; WAITS_MAX],
    len: u8,
}

impl Waits {
    /// Checks and wraps a list.
    ///
    /// # Errors
    /// `Invalid` when it is empty, has more than eight waits, or one is longer than ten years.
    pub fn new(waits_ms: &[u64]) -> Result<Self> {
        if !(1..=WAITS_MAX).contains(&waits_ms.len()) {
            return Err(Error::invalid(format!("a list of waits has 1 to {WAITS_MAX} of them")));
        }
        if waits_ms.iter().any(|wait| *wait > DELAY_MS_MAX) {
            return Err(Error::invalid("a wait is longer than ten years"));
        }
        let mut ms = [0; WAITS_MAX];
        ms.iter_mut().zip(waits_ms).for_each(|(to, from)| *to = *from);
        Ok(Self { ms, len: u8::try_from(waits_ms.len()).unwrap_or(u8::MAX) })
    }

    /// The waits in milliseconds.
    #[must_use]
    pub fn as_ms(&self) -> &[u64] {
        self.ms.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn after(&self, failures: u32) -> u64 {
        let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let waits = self.as_ms();
        waits.get(place).or(waits.last()).copied().unwrap_or_default()
    }
}

/// How the wait grows with the failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// A draw from zero to a ceiling: the base, doubled with every further failure up to the maximum.
    Exponential,
    /// The base times the failures, up to the maximum.
    Linear,
    /// As listed; base and maximum do not count.
    List(Waits),
}

/// When a failed job is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How the wait grows.
    pub backoff: Backoff,
    /// The wait, or its ceiling, after the first failure, in milliseconds.
    pub ms_base: u64,
    /// Ceiling of any wait, in milliseconds.
    pub ms_max: u64,
}

impl Retry {
    pub(crate) fn check(&self) -> Result<()> {
        if self.ms_base > self.ms_max || self.ms_max > DELAY_MS_MAX {
            return Err(Error::invalid("the backoff must rise and stay below ten years"));
        }
        Ok(())
    }

    /// A list makes no use of base and maximum, and a job that has one does not keep them.
    pub(crate) fn as_kept(self) -> Self {
        match self.backoff {
            Backoff::List(_) => Self { ms_base: 0, ms_max: 0, ..self },
            _ => self,
        }
    }

    /// The wait in milliseconds after the `failures`-th failure in a row, counted from 1.
    pub(crate) fn wait_ms(&self, id: JobId, attempt: u32, failures: u32) -> u64 {
        match self.backoff {
            Backoff::Exponential => {
                let factor = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
                let ceiling = self.ms_base.saturating_mul(factor).min(self.ms_max);
                scale(mix(id.get(), attempt), ceiling)
            }
            Backoff::Linear => self.ms_base.saturating_mul(u64::from(failures)).min(self.ms_max),
            Backoff::List(waits) => waits.after(failures),
        }
    }
}

/// Maps a uniform 64-bit draw to 0..=ceiling (Lemire's multiply-shift).
fn scale(draw: u64, ceiling: u64) -> u64 {
    let product = u128::from(draw) * (u128::from(ceiling) + 1);
    u64::try_from(product >> 64).unwrap_or(ceiling)
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014) over both numbers.
fn mix(id: u64, attempt: u32) -> u64 {
    let step = 0x9e37_79b9_7f4a_7c15_u64;
    let mut z = id.wrapping_mul(step).wrapping_add(u64::from(attempt)).wrapping_mul(step);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_ms(base: u64, max: u64, id: u64, attempt: u32, failures: u32) -> u64 {
        let retry = Retry { backoff: Backoff::Exponential, ms_base: base, ms_max: max };
        retry.wait_ms(JobId::new(id), attempt, failures)
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_maximum() {
        for (failures, ceiling) in [(1, 1_000), (2, 2_000), (5, 16_000), (9, 60_000), (200, 60_000)] {
            let draws: Vec<u64> =
                (1..=4_000).map(|id| wait_ms(1_000, 60_000, id, failures, failures)).collect();
            let highest = draws.iter().copied().max().unwrap();
            let mean = draws.iter().sum::<u64>() / 4_000;
            assert!(highest <= ceiling, "{highest} after {failures}");
            assert!(highest > ceiling * 9 / 10, "{highest} after {failures}");
            assert!((ceiling * 45 / 100..=ceiling * 55 / 100).contains(&mean), "{mean}");
        }
    }

    #[test]
    fn jitter_differs_by_job_and_attempt_and_repeats() {
        let of = |id, attempt| wait_ms(1 << 40, 1 << 40, id, attempt, 1);
        assert_eq!(of(7, 1), of(7, 1));
        assert_ne!(of(7, 1), of(7, 2));
        assert_ne!(of(7, 1), of(8, 1));
        assert_eq!(wait_ms(0, 0, 1, 1, 1), 0);
        assert!(wait_ms(u64::MAX, u64::MAX, 1, 1, u32::MAX) > 0);
    }

    #[test]
    fn linear_and_listed_waits_are_exact() {
        let linear = Retry { backoff: Backoff::Linear, ms_base: 100, ms_max: 250 };
        let listed = Retry { backoff: Backoff::List(Waits::new(&[5, 0, 70]).unwrap()), ..linear };
        for (failures, by_line, by_list) in [(1, 100, 5), (2, 200, 0), (3, 250, 70), (u32::MAX, 250, 70)] {
            assert_eq!(linear.wait_ms(JobId::new(9), failures, failures), by_line);
            assert_eq!(listed.wait_ms(JobId::new(9), failures, failures), by_list);
        }
        assert!(Waits::new(&[]).is_err());
        assert!(Waits::new(&[1; 9]).is_err());
        assert!(Waits::new(&[DELAY_MS_MAX + 1]).is_err());
        assert_eq!(Waits::new(&[1; 8]).unwrap().as_ms(), [1; 8]);
    }
}
