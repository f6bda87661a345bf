//! What stands out in a scene, each reason in a map of its own.

use super::integral::Integral;
use super::scene::Scene;

/// Radius of the centre and of its surroundings, in 160ths of the long edge.
const SCALES: [(usize, usize); 3] = [(1, 5), (2, 10), (5, 20)];
/// Values are worked with in 16ths, so that small means do not vanish.
const FINE: i64 = 16;
/// What a map is stretched to.
const FULL: i64 = 1_024;
/// A map whose highest and lowest are no further apart says nothing but noise.
const NOISE: i64 = 6 * FINE;

/// The weighted sum of all maps.
pub(super) fn salience(scene: &Scene) -> Vec<i64> {
    let mut sum = vec![0_i64; scene.width * scene.height];
    let mut add = |map: Vec<i64>, weight: i64| {
        let Some((lowest, factor, highest)) = measure(&map) else { return };
        for (total, value) in sum.iter_mut().zip(map) {
            *total += (value - lowest) * FULL / highest * factor / FULL * weight;
        }
    };
    add(contrast(scene, &scene.light), 3);
    add(contrast(scene, &scene.red_green), 2);
    add(contrast(scene, &scene.blue_yellow), 2);
    add(edges(scene), 2);
    add(scene.saturation.iter().map(|value| i64::from(*value) * FINE).collect(), 1);
    add(scene.skin.iter().map(|value| i64::from(*value) * FINE).collect(), 1);
    sum
}

/// The lowest value, how much the map counts, and the height of its highest above the lowest.
fn measure(map: &[i64]) -> Option<(i64, i64, i64)> {
    let (lowest, highest) = (*map.iter().min()?, *map.iter().max()?);
    let height = highest - lowest;
    if height <= NOISE {
        return None;
    }
    let mean = map.iter().map(|value| value - lowest).sum::<i64>() / map.len() as i64;
    let mean = mean * FULL / height;
    // A map that is high in many places has no place of its own.
    Some((lowest, (FULL - mean) * (FULL - mean) / FULL, height))
}

/// How far a cell is from what surrounds it, at all scales.
fn contrast(scene: &Scene, plane: &[i32]) -> Vec<i64> {
    let sums = Integral::of(scene, plane.iter().map(|value| i64::from(*value) * FINE));
    let long = scene.long_edge();
    let scaled = SCALES.map(|(center, around)| {
        let center = center * long / 160;
        (center, (around * long / 160).max(center + 1))
    });
    scene.each(|x, y| {
        scaled
            .iter()
            .map(|(center, around)| (sums.mean(x, y, *center) - sums.mean(x, y, *around)).abs())
            .sum()
    })
}

/// The gradient of the light (Sobel).
fn edges(scene: &Scene) -> Vec<i64> {
    let at = |x: usize, y: usize| {
        let (x, y) = (x.min(scene.width - 1), y.min(scene.height - 1));
        scene.light.get(y * scene.width + x).copied().map_or(0, i64::from)
    };
    scene.each(|x, y| {
        let (left, up) = (x.saturating_sub(1), y.saturating_sub(1));
        let (right, down) = (x + 1, y + 1);
        let across = at(right, up) + 2 * at(right, y) + at(right, down)
            - at(left, up)
            - 2 * at(left, y)
            - at(left, down);
        let along =
            at(left, down) + 2 * at(x, down) + at(right, down) - at(left, up) - 2 * at(x, up) - at(right, up);
        (across.abs() + along.abs()) * FINE / 4
    })
}
