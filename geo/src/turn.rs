//! Sine and cosine of angles in stored units, which are whole numbers.
//!
//! Taking whole quarter turns off a whole number rounds nothing, so what is left lies within an eighth of a turn and a
//! short Taylor series is exact to the last bit or two: several times faster than the general functions, which have to
//! find the quarter turns in a fraction, and the same on every machine.

use std::f64::consts::PI;

use crate::point::{HALF_TURN, QUARTER_TURN};

const RADIANS_PER_UNIT: f64 = PI / HALF_TURN as f64;

/// Of at most a turn either way.
pub(crate) fn sin_cos(units: i32) -> (f64, f64) {
    let units = i64::from(units);
    // Shifted by turns so that the division is one of positive numbers.
    let quarters = (units + QUARTER_TURN / 2 + 8 * QUARTER_TURN) / QUARTER_TURN - 8;
    let left = (units - quarters * QUARTER_TURN) as f64 * RADIANS_PER_UNIT;
    let (sin, cos) = (series_of_sine(left), series_of_cosine(left));
    match quarters & 3 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

/// 1/n! for the terms of a series.
const fn part(n: u64) -> f64 {
    let (mut product, mut step) = (1, 2);
    while step <= n {
        product *= step;
        step += 1;
    }
    1.0 / product as f64
}

/// Up to an eighth of a turn; the first term left out is below 1e-19.
fn series_of_sine(x: f64) -> f64 {
    let z = x * x;
    let high = part(11) - z * (part(13) - z * (part(15) - z * part(17)));
    let low = part(3) - z * (part(5) - z * (part(7) - z * (part(9) - z * high)));
    x - x * z * low
}

/// As [`series_of_sine`].
fn series_of_cosine(x: f64) -> f64 {
    let z = x * x;
    let high = part(10) - z * (part(12) - z * (part(14) - z * (part(16) - z * part(18))));
    let low = part(4) - z * (part(6) - z * (part(8) - z * high));
    1.0 - (z / 2.0 - z * z * low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_general_functions() {
        let step = 1_234_577;
        let all = (-1_800_000_000_i64..=1_800_000_000).step_by(step);
        let edges = (-4..=4_i64).flat_map(|eighth| (-3..=3).map(move |off| eighth * QUARTER_TURN / 2 + off));
        for units in all.chain(edges).filter(|units| units.abs() <= HALF_TURN) {
            let radians = units as f64 * RADIANS_PER_UNIT;
            let (sin, cos) = sin_cos(i32::try_from(units).unwrap());
            // An angle of half a turn is itself rounded by so much.
            assert!((sin - radians.sin()).abs() < 5e-16, "{units}: {sin} {}", radians.sin());
            assert!((cos - radians.cos()).abs() < 5e-16, "{units}: {cos} {}", radians.cos());
            assert!((sin * sin + cos * cos - 1.0).abs() < 5e-16);
        }
        assert_eq!(sin_cos(0), (0.0, 1.0));
        assert_eq!(sin_cos(900_000_000), (1.0, 0.0));
        assert_eq!(sin_cos(-900_000_000), (-1.0, 0.0));
        assert_eq!(sin_cos(-1_800_000_000), (0.0, -1.0));
    }
}
