//! How long a failed job waits for its next attempt.
//!
//! Exponential backoff with full jitter: a uniform draw from zero to a ceiling that doubles with
//! every failure (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). The draw
//! is a hash of job and attempt, so that a replay waits exactly as long.

use crate::types::JobId;

/// The wait in milliseconds after the `failures`-th failure in a row, counted from 1.
pub(crate) fn backoff_ms(base_ms: u64, max_ms: u64, id: JobId, attempt: u32, failures: u32) -> u64 {
    let factor = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    let ceiling = base_ms.saturating_mul(factor).min(max_ms);
    scale(mix(id.get(), attempt), ceiling)
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

    fn draws(base: u64, max: u64, failures: u32) -> Vec<u64> {
        (1..=4_000).map(|id| backoff_ms(base, max, JobId::new(id), failures, failures)).collect()
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_maximum() {
        for (failures, ceiling) in [(1, 1_000), (2, 2_000), (5, 16_000), (9, 60_000), (200, 60_000)] {
            let draws = draws(1_000, 60_000, failures);
            let highest = draws.iter().copied().max().unwrap();
            let mean = draws.iter().sum::<u64>() / 4_000;
            assert!(highest <= ceiling, "{highest} after {failures}");
            assert!(highest > ceiling * 9 / 10, "{highest} after {failures}");
            assert!((ceiling * 45 / 100..=ceiling * 55 / 100).contains(&mean), "{mean}");
        }
    }

    #[test]
    fn jitter_differs_by_job_and_attempt_and_repeats() {
        let of = |id, attempt| backoff_ms(1 << 40, 1 << 40, JobId::new(id), attempt, 1);
        assert_eq!(of(7, 1), of(7, 1));
        assert_ne!(of(7, 1), of(7, 2));
        assert_ne!(of(7, 1), of(8, 1));
        assert_eq!(backoff_ms(0, 0, JobId::new(1), 1, 1), 0);
        assert!(backoff_ms(u64::MAX, u64::MAX, JobId::new(1), 1, u32::MAX) > 0);
    }
}
