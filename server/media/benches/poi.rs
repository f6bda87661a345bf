//! Points of interest and renditions of a decoded picture of 12 megapixels.

use criterion::{Criterion, criterion_group, criterion_main};
use dateline_media::{Picture, Size, peaks};

fn picture() -> Option<Picture> {
    let (width, height) = (4000_u32, 3000_u32);
    let mut bytes = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for x in 0..width {
            let wave = (x / 7 * y / 11) % 200;
            let is_in = (x.abs_diff(2600)).pow(2) + (y.abs_diff(900)).pow(2) < 300 * 300;
            bytes.extend(if is_in { [230, 60, 40] } else { [wave as u8, 120, (y % 256) as u8] });
        }
    }
    Picture::of_rgb(Size { width, height }, bytes)
}

fn bench(criterion: &mut Criterion) {
    let Some(picture) = picture() else { return };
    criterion.bench_function("poi/12MP", |bench| bench.iter(|| peaks(&picture)));
    let mut slow = criterion.benchmark_group("renditions");
    slow.sample_size(20);
    let size = |edge| Size { width: edge, height: edge };
    slow.bench_function("baseImage of 12MP", |bench| bench.iter(|| picture.fit(size(1400))));
    slow.bench_function("three of 12MP, encoded", |bench| {
        bench.iter(|| {
            let base = picture.fit(size(1400));
            let small = [base.fit(size(640)), base.fit(Size { width: 220, height: 120 })];
            small
                .iter()
                .chain([&base])
                .map(|made| made.encode().map_or(0, |own| own.bytes.len()))
                .sum::<usize>()
        });
    });
    slow.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
