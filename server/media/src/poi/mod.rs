//! Points of interest: where a picture is looked at, found without a trained model.
//!
//! The picture is reduced to a small scene, in which maps tell what stands out: contrast to the surroundings in light and in
//! two opponent colours at three scales (Itti, Koch and Niebur 1998), edges, saturation, and weakly the hues of skin. A
//! map that has one strong place counts more than one that is strong everywhere. Peaks of the sum are the answer.
//!
//! All arithmetic but the last division is in whole numbers, so that every machine finds the same.

mod integral;
mod maps;
mod scene;

use integral::Integral;
use scene::Scene;

use crate::picture::Picture;

/// A place that is looked at, as fractions of width and height from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Of the width, 0 to 1.
    pub x: f64,
    /// Of the height, 0 to 1.
    pub y: f64,
    /// How much it is, beside the strongest of the picture, which has 1; 0 where nothing stands out.
    pub score: f64,
}

const PEAKS_MAX: usize = 5;
/// A peak below this part of the strongest is none.
const FAINT: i64 = 8;

/// Up to five places, the strongest first, and always one: the middle of a picture in which nothing stands out.
#[must_use]
pub fn peaks(picture: &Picture) -> Vec<Peak> {
    let scene = Scene::of(picture);
    let mut salience = smoothed(&scene, maps::salience(&scene));
    damp_edges(&scene, &mut salience);
    let found = strongest(&scene, salience);
    match found.is_empty() {
        true => vec![Peak { x: 0.5, y: 0.5, score: 0.0 }],
        false => found,
    }
}

/// Neighbours are looked at together.
fn smoothed(scene: &Scene, mut map: Vec<i64>) -> Vec<i64> {
    let radius = (scene.long_edge() / 24).max(1);
    for _ in 0..2 {
        let sums = Integral::of(scene, map.iter().copied());
        map = scene.each(|x, y| sums.mean(x, y, radius));
    }
    map
}

/// What is at the very edge of a picture is seldom its subject.
fn damp_edges(scene: &Scene, map: &mut [i64]) {
    let margin = (scene.long_edge() / 25).max(1);
    for (place, value) in map.iter_mut().enumerate() {
        let (x, y) = (place % scene.width, place / scene.width);
        let sides = [x, scene.width - 1 - x, y, scene.height - 1 - y];
        let nearest = sides.into_iter().min().unwrap_or(0);
        if nearest < margin {
            *value = *value * (nearest as i64 + 1) / (margin as i64 + 1);
        }
    }
}

/// Takes the highest place, then the highest that is not near it, and so on.
fn strongest(scene: &Scene, mut map: Vec<i64>) -> Vec<Peak> {
    let (near, around) = ((scene.long_edge() / 6).max(1), (scene.long_edge() / 12).max(1));
    let untouched = map.clone();
    let mut found = Vec::new();
    let mut first = 0;
    while found.len() < PEAKS_MAX {
        // The first of equals, by rows.
        let highest = map.iter().enumerate().max_by_key(|(place, value)| (**value, usize::MAX - place));
        let Some((place, &value)) = highest else { break };
        if value <= 0 || value * FAINT < first {
            break;
        }
        first = first.max(value);
        let (x, y) = (place % scene.width, place / scene.width);
        let (center_x, center_y) = centroid(scene, &untouched, (x, y), around, value);
        found.push(Peak {
            x: (center_x / scene.width as f64).clamp(0.0, 1.0),
            y: (center_y / scene.height as f64).clamp(0.0, 1.0),
            score: value as f64 / first as f64,
        });
        for (x, y) in scene.around(x, y, near) {
            if let Some(value) = map.get_mut(y * scene.width + x) {
                *value = 0;
            }
        }
    }
    found
}

/// The middle of what is at least half as strong, near a place; in cells, with the middle of a cell at its half.
fn centroid(scene: &Scene, map: &[i64], (x, y): (usize, usize), around: usize, highest: i64) -> (f64, f64) {
    let (mut sum, mut sum_x, mut sum_y) = (0_i64, 0_i64, 0_i64);
    for (x, y) in scene.around(x, y, around) {
        let value = map.get(y * scene.width + x).copied().unwrap_or(0);
        if value * 2 >= highest {
            sum += value;
            sum_x += value * (2 * x as i64 + 1);
            sum_y += value * (2 * y as i64 + 1);
        }
    }
    let total = 2.0 * sum.max(1) as f64;
    (sum_x as f64 / total, sum_y as f64 / total)
}

#[cfg(test)]
mod tests;
