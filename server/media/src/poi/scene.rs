//! A picture at a few thousand cells, as eyes would tell them apart.

use image::DynamicImage;

use crate::edit::light_of;
use crate::limits::SCENE_EDGE;
use crate::picture::Picture;

/// Cells, row by row. Light is 0 to 255; the opponent colours are red against green and blue against yellow.
pub(super) struct Scene {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) light: Vec<i32>,
    pub(super) red_green: Vec<i32>,
    pub(super) blue_yellow: Vec<i32>,
    pub(super) saturation: Vec<i32>,
    pub(super) skin: Vec<i32>,
}

/// Points of a cell in each direction that are looked at: enough to see it, few enough for large pictures.
const SAMPLES: usize = 4;

impl Scene {
    pub(super) fn of(picture: &Picture) -> Self {
        let (wide, high) = (picture.pixels.width() as usize, picture.pixels.height() as usize);
        let long = wide.max(high);
        let (width, height) = match long > SCENE_EDGE {
            true => ((wide * SCENE_EDGE / long).max(1), (high * SCENE_EDGE / long).max(1)),
            false => (wide, high),
        };
        let cells = width * height;
        let mut scene = Self {
            width,
            height,
            light: Vec::with_capacity(cells),
            red_green: Vec::with_capacity(cells),
            blue_yellow: Vec::with_capacity(cells),
            saturation: Vec::with_capacity(cells),
            skin: Vec::with_capacity(cells),
        };
        let (channels, bytes) = (picture.channels(), picture.pixels.as_bytes());
        let has_alpha = matches!(picture.pixels, DynamicImage::ImageRgba8(_));
        let columns: Vec<Vec<usize>> = (0..width).map(|x| samples(x, width, wide)).collect();
        for y in 0..height {
            let rows: Vec<&[u8]> = samples(y, height, high)
                .into_iter()
                .filter_map(|row| bytes.get(row * wide * channels..(row + 1) * wide * channels))
                .collect();
            for columns in &columns {
                let mut sum = [0_u32; 3];
                let mut count = 0;
                for row in &rows {
                    for column in columns {
                        let pixel = row.get(column * channels..(column + 1) * channels).unwrap_or_default();
                        let own = seen(pixel, has_alpha);
                        sum.iter_mut().zip(own).for_each(|(sum, value)| *sum += value);
                        count += 1;
                    }
                }
                scene.push(sum.map(|sum| (sum / count.max(1)).min(255) as u8));
            }
        }
        scene
    }

    fn push(&mut self, pixel: [u8; 3]) {
        let [red, green, blue] = pixel.map(i32::from);
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        self.light.push(i32::from(light_of(&pixel)));
        self.red_green.push(red - green);
        self.blue_yellow.push(blue - (red + green) / 2);
        self.saturation.push(most - least);
        // Red above green above blue, neither dark nor pale (Kovac, Peer and Solina 2003, without its second rule).
        let is_skin = red > 95 && green > 40 && blue > 20 && red > green && green > blue;
        let is_skin = is_skin && red - green > 15 && (30..160).contains(&(most - least));
        self.skin.push(if is_skin { 255 } else { 0 });
    }

    pub(super) fn long_edge(&self) -> usize {
        self.width.max(self.height)
    }

    /// A map of each cell.
    pub(super) fn each(&self, value: impl Fn(usize, usize) -> i64) -> Vec<i64> {
        let mut map = Vec::with_capacity(self.width * self.height);
        for y in 0..self.height {
            map.extend((0..self.width).map(|x| value(x, y)));
        }
        map
    }

    /// Cells of the square around one, inside the scene.
    pub(super) fn around(
        &self,
        x: usize,
        y: usize,
        radius: usize,
    ) -> impl Iterator<Item = (usize, usize)> + use<> {
        let columns = x.saturating_sub(radius)..(x + radius + 1).min(self.width);
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(self.height);
        rows.flat_map(move |y| columns.clone().map(move |x| (x, y)))
    }
}

/// Rows or columns of the picture that are looked at for one of the scene: evenly in its part, the same from both ends.
fn samples(cell: usize, cells: usize, edge: usize) -> Vec<usize> {
    let (from, to) = (cell * edge / cells, ((cell + 1) * edge / cells).min(edge));
    let span = to.saturating_sub(from).max(1);
    let count = span.min(SAMPLES);
    (0..count).map(|at| from + (2 * at + 1) * span / (2 * count)).map(|at| at.min(edge - 1)).collect()
}

/// Colours as on a grey ground, where they can be seen through.
fn seen(pixel: &[u8], has_alpha: bool) -> [u32; 3] {
    match *pixel {
        [red, green, blue, alpha] if has_alpha => {
            let alpha = u32::from(alpha);
            [red, green, blue].map(|value| (u32::from(value) * alpha + 128 * (255 - alpha)) / 255)
        }
        [red, green, blue, ..] => [red, green, blue].map(u32::from),
        [grey, ..] => [u32::from(grey); 3],
        [] => [0; 3],
    }
}
