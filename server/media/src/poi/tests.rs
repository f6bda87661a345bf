use super::*;
use crate::picture::Size;

/// A ground with a little deterministic noise and one disc, all in fractions of the size.
fn scene(size: Size, ground: [u8; 3], disc: [u8; 3], x: f64, y: f64) -> Picture {
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let radius = width.min(height) * 0.08;
    let mut bytes = Vec::new();
    for row in 0..size.height {
        for column in 0..size.width {
            let (dx, dy) = (f64::from(column) - x * width, f64::from(row) - y * height);
            let own = if dx.hypot(dy) <= radius { disc } else { ground };
            let noise = (column.wrapping_mul(7919) ^ row.wrapping_mul(104_729)) % 5;
            bytes.extend(own.map(|value| value.saturating_add(noise as u8)));
        }
    }
    Picture::of_rgb(size, bytes).unwrap()
}

const SIZE: Size = Size { width: 640, height: 480 };

fn near(picture: &Picture, x: f64, y: f64, what: &str) {
    let best = peaks(picture)[0];
    assert!((best.x - x).abs() < 0.04 && (best.y - y).abs() < 0.04, "{what}: {best:?} is not at {x} {y}");
    assert!((best.score - 1.0).abs() < f64::EPSILON, "{what}");
}

#[test]
fn what_stands_out_is_found() {
    let places = [(0.25, 0.3), (0.7, 0.6), (0.5, 0.5), (0.15, 0.8)];
    let colours = [
        ([90, 90, 90], [240, 240, 240]),
        ([200, 200, 200], [20, 20, 20]),
        ([60, 140, 60], [200, 60, 60]),
        ([40, 60, 160], [220, 200, 40]),
    ];
    for (x, y) in places {
        for (ground, disc) in colours {
            near(&scene(SIZE, ground, disc, x, y), x, y, &format!("{disc:?} on {ground:?}"));
        }
    }
}

#[test]
fn the_point_moves_with_the_picture() {
    let picture = scene(SIZE, [90, 100, 110], [230, 180, 60], 0.3, 0.35);
    let turned = |pixels| Picture { pixels, profile: None };
    near(&picture, 0.3, 0.35, "as it is");
    near(&turned(picture.pixels.fliph()), 0.7, 0.35, "flipped");
    near(&turned(picture.pixels.rotate90()), 0.65, 0.3, "turned");
    near(&picture.fit(Size { width: 200, height: 200 }), 0.3, 0.35, "smaller");
    near(&scene(Size { width: 3000, height: 2000 }, [90; 3], [230; 3], 0.3, 0.35), 0.3, 0.35, "larger");
    near(&turned(picture.pixels.brighten(20)), 0.3, 0.35, "brighter");
    near(&turned(picture.pixels.grayscale()), 0.3, 0.35, "grey");
}

#[test]
fn the_same_picture_gives_the_same_points() {
    let picture = scene(SIZE, [90, 100, 110], [230, 180, 60], 0.3, 0.35);
    let found = peaks(&picture);
    assert_eq!(found, peaks(&picture.clone()));
    assert!(found.len() <= PEAKS_MAX);
    for pair in found.windows(2) {
        assert!(pair[0].score >= pair[1].score, "{found:?}");
    }
}

#[test]
fn where_nothing_stands_out_it_is_the_middle() {
    let middle = vec![Peak { x: 0.5, y: 0.5, score: 0.0 }];
    for size in [(1, 1), (2, 1), (1, 300), (300, 1), (500, 400)] {
        let size = Size { width: size.0, height: size.1 };
        let pixels = size.width as usize * size.height as usize;
        let flat = Picture::of_rgb(size, vec![77; pixels * 3]).unwrap();
        assert_eq!(peaks(&flat), middle, "{size:?}");
    }
}

#[test]
fn points_are_inside_of_any_picture() {
    let seed =
        std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("run again with SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..60 {
        let size = Size { width: rng.u32(1..400), height: rng.u32(1..400) };
        let bytes = (0..size.width * size.height * 3).map(|_| rng.u8(..)).collect();
        for peak in peaks(&Picture::of_rgb(size, bytes).unwrap()) {
            let is_inside = (0.0..=1.0).contains(&peak.x) && (0.0..=1.0).contains(&peak.y);
            assert!(is_inside && (0.0..=1.0).contains(&peak.score), "{size:?} {peak:?}");
        }
    }
}
