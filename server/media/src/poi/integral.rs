//! Sums over rectangles in four look-ups (Crow 1984).

use super::scene::Scene;

/// Sums of all cells above and left of each corner.
pub(super) struct Integral {
    sums: Vec<i64>,
    width: usize,
    height: usize,
}

impl Integral {
    pub(super) fn of(scene: &Scene, values: impl Iterator<Item = i64>) -> Self {
        let (width, height) = (scene.width, scene.height);
        let stride = width + 1;
        let mut sums = vec![0; stride * (height + 1)];
        let mut row_sum = 0;
        for (place, value) in values.enumerate() {
            let (x, y) = (place % width, place / width);
            row_sum = if x == 0 { value } else { row_sum + value };
            let above = sums.get(y * stride + x + 1).copied().unwrap_or(0);
            if let Some(sum) = sums.get_mut((y + 1) * stride + x + 1) {
                *sum = above + row_sum;
            }
        }
        Self { sums, width, height }
    }

    /// The mean of the square around a cell, as far as it is inside.
    pub(super) fn mean(&self, x: usize, y: usize, radius: usize) -> i64 {
        let (left, right) = (x.saturating_sub(radius), (x + radius + 1).min(self.width));
        let (top, bottom) = (y.saturating_sub(radius), (y + radius + 1).min(self.height));
        let at = |x: usize, y: usize| self.sums.get(y * (self.width + 1) + x).copied().unwrap_or(0);
        let sum = at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
        sum / ((right - left) * (bottom - top)).max(1) as i64
    }
}
