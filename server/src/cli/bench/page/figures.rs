//! Which pictures a report has.

use std::collections::BTreeMap;

use super::super::report::{Point, Run, Sample, Slice};
use super::super::table;
use super::plot::{Axis, Bars, Cell, Lines, Scale, Series, escape};

/// Lines of one picture at the most; of more runs the first ones are shown.
const SERIES_MAX: usize = 8;

/// Columns of a heat map at the most.
const COLUMNS_MAX: usize = 150;

/// A run's name in a picture.
pub(crate) fn name(run: &Run) -> String {
    // Most keys begin alike, and names have little room.
    if run.label.is_empty() { run.parameters.workload.clone() } else { run.label.replace("engine.", "") }
}

/// Every picture, each with a sentence about how to read it.
pub(crate) fn all(runs: &[Run]) -> Vec<String> {
    let shown = runs.get(..SERIES_MAX.min(runs.len())).unwrap_or_default();
    let mut figures = vec![throughput(shown), latency(shown), percentiles(shown)];
    figures.extend(knee(shown));
    if runs.len() > 1 {
        figures.extend(COMPARED.iter().map(|compared| compared.figure(runs)));
    }
    figures.extend([written(runs), levels(runs)]);
    if let [run] = runs {
        figures.extend([amplification(run), level_history(run), memory(run)]);
    }
    figures.push(debt(shown));
    figures
}

fn figure(title: &str, text: &str, svg: &str) -> String {
    format!("<figure><h3>{}</h3><p>{}</p>{svg}</figure>\n", escape(title), escape(text))
}

fn seconds(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn time_axis(runs: &[Run]) -> Axis {
    let mut axis = Axis::new("seconds since the measured part began", Scale::Linear, seconds);
    axis.end = runs.iter().map(|run| run.seconds).max_by(f64::total_cmp);
    axis
}

/// A time at a power of ten.
fn tick(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us} us"),
        us if us < 1_000_000.0 => format!("{} ms", us / 1e3),
        us => format!("{} s", us / 1e6),
    }
}

fn lines(title: &str, text: &str, x: Axis, y: Axis, series: Vec<Series>) -> String {
    let lines = Lines { title: title.to_owned(), x, y, cells: Vec::new(), series, dots: false, mark: None };
    figure(title, text, &lines.svg())
}

fn at_s(ms: u64) -> f64 {
    table::number(ms) / 1_000.0
}

fn throughput(runs: &[Run]) -> String {
    let series = runs.iter().map(|run| {
        let per_s = 1_000.0 / table::number(run.timeline.bucket_ms.max(1));
        let points = (0_u64..).zip(&run.timeline.counts);
        let points = points
            .map(|(place, &count)| (at_s(place * run.timeline.bucket_ms), table::number(count) * per_s));
        Series { name: name(run), points: points.collect() }
    });
    let text = "Counted operations that ended in each 100 ms. Gaps down to the ground are stalls.";
    let y = Axis::new("operations per second", Scale::Linear, table::count);
    lines("Throughput over time", text, time_axis(runs), y, series.collect())
}

fn latency(runs: &[Run]) -> String {
    let series = |run: &Run, name: String, read: fn(&Slice) -> f64| Series {
        name,
        points: run.timeline.slices.iter().map(|slice| (at_s(slice.at_ms), read(slice))).collect(),
    };
    let y = Axis::new("latency", Scale::Log, tick);
    let title = "Latency over time";
    let [run] = runs else {
        let series = runs.iter().map(|run| series(run, name(run), |slice| slice.p99_us)).collect();
        let text = "99th percentile of the operations that ended in each slice.";
        return lines(title, text, time_axis(runs), y, series);
    };
    let of = |name: &str, read: fn(&Slice) -> f64| series(run, name.to_owned(), read);
    let lines = Lines {
        title: title.to_owned(),
        x: time_axis(runs),
        y,
        cells: cells(run),
        series: vec![
            of("median", |slice| slice.p50_us),
            of("99th percentile", |slice| slice.p99_us),
            of("99.9th percentile", |slice| slice.p999_us),
        ],
        dots: false,
        mark: None,
    };
    let text = "When operations ended and how long they took from when they should have begun: the darker, the more.";
    figure(title, text, &lines.svg())
}

/// Where operations are, as a heat map: on a logarithmic scale, or a single slow one would not be seen.
fn cells(run: &Run) -> Vec<Cell> {
    let timeline = &run.timeline;
    let together = timeline.slices.len().div_ceil(COLUMNS_MAX).max(1);
    let width_s = at_s(timeline.slice_ms) * table::number(u64::try_from(together).unwrap_or(1));
    let mut columns: BTreeMap<(u64, u32), u64> = BTreeMap::new();
    for slice in &timeline.slices {
        let column = slice.at_ms / timeline.slice_ms.max(1) / u64::try_from(together).unwrap_or(1);
        for &(row, count) in &slice.heat {
            *columns.entry((column, row)).or_default() += count;
        }
    }
    let heat = |count: u64| (table::number(count) + 1.0).ln();
    let hottest = columns.values().copied().max().map_or(1.0, heat);
    let cell = |((column, row), count): ((u64, u32), u64)| {
        let (left, low) = (table::number(column) * width_s, f64::from(row));
        let us = |row: f64| (row / 4.0).exp2();
        Cell { x: (left, left + width_s), y: (us(low), us(low + 1.0)), heat: heat(count) / hottest }
    };
    columns.into_iter().map(cell).collect()
}

/// So far apart that each nine takes the same room.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).log10()
}

fn percentiles(runs: &[Run]) -> String {
    let curve = |curve: &[(f64, f64)]| -> Vec<(f64, f64)> {
        curve.iter().filter(|point| point.0 < 100.0).map(|&(p, us)| (nines(p), us)).collect()
    };
    let series: Vec<Series> = match runs {
        [run] => run
            .kinds
            .iter()
            .map(|kind| Series { name: kind.name.clone(), points: curve(&kind.curve) })
            .collect(),
        runs => {
            let counted = |run: &Run| {
                let kinds = run.kinds.iter().filter(|kind| kind.counted);
                kinds.max_by_key(|kind| kind.response.count).cloned()
            };
            let series = runs.iter().filter_map(|run| {
                let kind = counted(run)?;
                Some(Series { name: format!("{} ({})", name(run), kind.name), points: curve(&kind.curve) })
            });
            series.collect()
        }
    };
    let furthest = series.iter().flat_map(|series| &series.points).map(|point| point.0).fold(1.0, f64::max);
    let ticks = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999];
    let ticks = ticks.map(|tick| (nines(tick), format!("{tick} %")));
    let mut x = Axis::new("share of operations that took no longer", Scale::Linear, table::count);
    x.ticks = ticks.into_iter().filter(|tick| tick.0 <= furthest + 0.01).collect();
    let y = Axis::new("latency", Scale::Log, tick);
    let text = "Each nine takes the same room. A curve that turns up early has a long tail.";
    lines("Latency by percentile", text, x, y, series)
}

fn knee(runs: &[Run]) -> Option<String> {
    let with: Vec<_> = runs.iter().filter_map(|run| Some((run, run.sweep.as_ref()?))).collect();
    let &(_, first) = with.first()?;
    let point = |point: &Point| (point.throughput_per_s, point.latency.p99_us);
    let median = |point: &Point| (point.throughput_per_s, point.latency.p50_us);
    let series = match with.as_slice() {
        [(_, sweep)] => vec![
            Series { name: "99th percentile".to_owned(), points: sweep.points.iter().map(point).collect() },
            Series { name: "median".to_owned(), points: sweep.points.iter().map(median).collect() },
        ],
        several => several
            .iter()
            .map(|(run, sweep)| Series { name: name(run), points: sweep.points.iter().map(point).collect() })
            .collect(),
    };
    let mark = first.knee.filter(|_| with.len() == 1).and_then(|knee| first.points.get(knee));
    let title = "Throughput and latency";
    let lines = Lines {
        title: title.to_owned(),
        x: Axis::new("operations done per second", Scale::Linear, table::count),
        y: Axis::new("latency from the moment of arrival", Scale::Log, tick),
        cells: Vec::new(),
        series,
        dots: true,
        mark: mark.map(|knee| (median(knee), format!("knee: {}/s", table::count(knee.rate)))),
    };
    let text =
        "The same work arriving at 10 % to 110 % of what a closed loop does. Beyond the knee, work waits.";
    Some(figure(title, text, &lines.svg()))
}

/// A figure that every run has, as a bar for each.
struct Compared {
    title: &'static str,
    unit: &'static str,
    /// At the axis, and beside a bar.
    text: [fn(f64) -> String; 2],
    read: fn(&Run) -> Option<f64>,
}

const COMPARED: [Compared; 5] = [
    Compared {
        title: "Throughput of each run",
        unit: "operations per second",
        text: [table::count, table::count],
        read: |run| Some(run.throughput_per_s),
    },
    Compared {
        title: "99th percentile of each run",
        unit: "latency",
        text: [tick, table::time],
        read: |run| Some(run.latency.p99_us),
    },
    Compared {
        title: "Write amplification of each run",
        unit: "bytes written for each byte of a user",
        text: [table::count, |value| format!("{value:.2}")],
        read: |run| run.engine.total_write_amplification,
    },
    Compared {
        title: "Space amplification of each run",
        unit: "bytes on disk for each live byte",
        text: [table::count, |value| format!("{value:.2}")],
        read: |run| run.engine.space_amplification,
    },
    Compared {
        title: "Processor time of each run",
        unit: "for each operation",
        text: [tick, table::time],
        read: |run| run.process.cpu_us_per_operation,
    },
];

impl Compared {
    fn figure(&self, runs: &[Run]) -> String {
        let [text, value] = self.text;
        let bar = |run: &Run| Some((name(run), vec![(self.read)(run)?]));
        let bars = Bars {
            title: self.title.to_owned(),
            x: Axis::new(self.unit, Scale::Linear, text),
            value,
            parts: vec![String::new()],
            bars: runs.iter().filter_map(bar).collect(),
        };
        figure(self.title, "", &bars.svg())
    }
}

fn written(runs: &[Run]) -> String {
    let mib = |bytes: u64| table::number(bytes) / f64::from(1 << 20);
    let title = "Bytes written to disk";
    let parts = ["write-ahead log", "flushes", "compactions"].map(str::to_owned);
    let sizes =
        |run: &Run| [run.engine.wal_bytes, run.engine.flush_bytes, run.engine.compaction_bytes].map(mib);
    let x = Axis::new("MiB in the measured time", Scale::Linear, table::count);
    let (parts, bars) = match runs {
        [run] => (vec![String::new()], parts.into_iter().zip(sizes(run).map(|size| vec![size])).collect()),
        runs => (parts.to_vec(), runs.iter().map(|run| (name(run), sizes(run).to_vec())).collect()),
    };
    let bars = Bars { title: title.to_owned(), x, value: table::count, parts, bars };
    figure(
        title,
        "The log takes each byte at once; flushes and compactions take it again later.",
        &bars.svg(),
    )
}

fn amplification(run: &Run) -> String {
    let engine = &run.engine;
    let figures = [
        ("written per user byte", engine.total_write_amplification),
        ("flushed and compacted per batch byte", engine.write_amplification),
        ("on disk per live byte", engine.space_amplification),
    ];
    let bar = |(what, value): (&str, Option<f64>)| Some((what.to_owned(), vec![value?]));
    let title = "Amplification";
    let bars = Bars {
        title: title.to_owned(),
        x: Axis::new("times", Scale::Linear, table::count),
        value: |value| format!("{value:.2}"),
        parts: vec![String::new()],
        bars: figures.into_iter().filter_map(bar).collect(),
    };
    let text = "What one byte costs. A short run that flushes little shows less than a long one.";
    figure(title, text, &bars.svg())
}

fn levels(runs: &[Run]) -> String {
    let mut numbers: Vec<u32> = runs.iter().flat_map(|run| &run.engine.levels).map(|l| l.level).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut parts: Vec<String> = numbers.iter().map(|level| format!("level {level}")).collect();
    parts.push("blob files".to_owned());
    let mib = |bytes: u64| table::number(bytes) / f64::from(1 << 20);
    let sizes = |run: &Run| -> Vec<f64> {
        let of = |&level: &u32| run.engine.levels.iter().find(|known| known.level == level);
        let levels = numbers.iter().map(|level| of(level).map_or(0, |level| level.bytes));
        levels.chain([run.engine.blob_bytes]).map(mib).collect()
    };
    let title = "Levels at the end";
    let x = Axis::new("MiB of files", Scale::Linear, table::count);
    // One run has a bar for each level, several have one for each run.
    let (parts, bars) = match runs {
        [run] => (
            vec![String::new()],
            parts.into_iter().zip(sizes(run).into_iter().map(|size| vec![size])).collect(),
        ),
        runs => (parts, runs.iter().map(|run| (name(run), sizes(run))).collect()),
    };
    let bars = Bars { title: title.to_owned(), x, value: table::count, parts, bars };
    figure(title, "Files of all column families by level.", &bars.svg())
}

/// A name, and what of a sample it stands for.
type Reading<'a> = (String, &'a dyn Fn(&Sample) -> u64);

/// A line for each reading of the samples.
fn over_samples(run: &Run, readings: &[Reading<'_>]) -> Vec<Series> {
    let mib = |bytes: u64| table::number(bytes) / f64::from(1 << 20);
    let series = readings.iter().map(|(name, read)| Series {
        name: name.clone(),
        points: run.samples.iter().map(|sample| (at_s(sample.at_ms), mib(read(sample)))).collect(),
    });
    series.collect()
}

fn level_history(run: &Run) -> String {
    let deepest = run.samples.iter().map(|sample| sample.levels.len()).max().unwrap_or(0);
    let used =
        (0..deepest).filter(|&level| run.samples.iter().any(|sample| sample.levels.get(level) > Some(&0)));
    let reads: Vec<_> = used
        .map(|level| {
            (format!("level {level}"), move |sample: &Sample| sample.levels.get(level).copied().unwrap_or(0))
        })
        .collect();
    let readings: Vec<Reading<'_>> = reads.iter().map(|(name, read)| (name.clone(), read as _)).collect();
    let y = Axis::new("MiB of files", Scale::Linear, table::count);
    let text = "Level 0 grows with each flush and falls with each compaction.";
    lines("Levels over time", text, time_axis(std::slice::from_ref(run)), y, over_samples(run, &readings))
}

fn memory(run: &Run) -> String {
    let readings: [Reading<'_>; 4] = [
        ("whole process".to_owned(), &|sample| sample.rss_bytes),
        ("block cache, with memtables".to_owned(), &|sample| sample.memory.cache),
        ("memtables".to_owned(), &|sample| sample.memory.memtables),
        ("open files".to_owned(), &|sample| sample.memory.table_readers),
    ];
    let y = Axis::new("MiB of memory", Scale::Linear, table::count);
    let text = "By owner. The process also holds the workload and its histograms.";
    lines("Memory over time", text, time_axis(std::slice::from_ref(run)), y, over_samples(run, &readings))
}

fn debt(runs: &[Run]) -> String {
    let series =
        runs.iter().flat_map(|run| over_samples(run, &[(name(run), &|sample: &Sample| sample.debt_bytes)]));
    let y = Axis::new("MiB to be rewritten", Scale::Linear, table::count);
    let text = "Bytes that compactions have yet to rewrite. A line that only climbs ends in stalls.";
    lines("Compaction debt over time", text, time_axis(runs), y, series.collect())
}
