//! A report as text.

use super::report::{KindResult, Report, Run};

/// Lines of equally wide columns, the first line above a rule.
pub(crate) fn columns(lines: Vec<Vec<String>>) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        widths.iter_mut().zip(line).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
    }
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(&widths).enumerate();
        let cells = cells.map(|(place, (cell, &width))| match place {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text: Vec<String> = lines.iter().map(line).collect();
    if text.len() > 1 {
        let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
        text.insert(1, rule);
    }
    text.join("\n")
}

/// `12345` as `12 345`, with as many digits as say something.
pub(crate) fn count(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let start = digits.len() % 3;
    let mut out = digits.get(..start).unwrap_or_default().to_owned();
    for group in digits.as_bytes().get(start..).unwrap_or_default().chunks(3) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&String::from_utf8_lossy(group));
    }
    out
}

/// Microseconds in the unit in which they are read best.
pub(crate) fn time(us: f64) -> String {
    match us {
        0.0 => "0".to_owned(),
        us if us < 10.0 => format!("{us:.2} us"),
        us if us < 1_000.0 => format!("{us:.0} us"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// Bytes in the unit in which they are read best.
pub(crate) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let (mut value, mut place) = (bytes, 0);
    while value >= 1_024.0 && place + 1 < UNITS.len() {
        value /= 1_024.0;
        place += 1;
    }
    let unit = UNITS.get(place).copied().unwrap_or_default();
    if place == 0 || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// A whole number of bytes.
pub(crate) fn size(value: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    bytes(value as f64)
}

/// A count as a number to reckon with.
pub(crate) fn number(value: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "figures of a run are far below 2^53")]
    let number = value as f64;
    number
}

/// A ratio that may not exist.
pub(crate) fn ratio(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.2}"))
}

/// Every run, and a line for each when there are several.
pub(crate) fn words(report: &Report) -> String {
    let mut parts: Vec<String> = report.runs.iter().map(run).collect();
    parts.extend(report.memory_disk().map(str::to_owned));
    if report.runs.len() > 1 {
        parts.push(summary(&report.runs));
    }
    parts.join("\n\n")
}

/// One line for each run.
fn summary(runs: &[Run]) -> String {
    let head =
        ["run", "per second", "p50", "p99", "p99.9", "write amp.", "space amp.", "CPU per op", "RSS peak"];
    let line = |run: &Run| {
        vec![
            run.label.clone(),
            count(run.throughput_per_s),
            time(run.latency.p50_us),
            time(run.latency.p99_us),
            time(run.latency.p999_us),
            ratio(run.engine.total_write_amplification),
            ratio(run.engine.space_amplification),
            run.process.cpu_us_per_operation.map_or("-".to_owned(), time),
            size(run.process.rss_peak_bytes),
        ]
    };
    let head = head.map(str::to_owned).to_vec();
    columns(std::iter::once(head).chain(runs.iter().map(line)).collect())
}

fn run(run: &Run) -> String {
    let parameters = &run.parameters;
    let label = if run.label.is_empty() { String::new() } else { format!(" [{}]", run.label) };
    let pace = parameters.rate.map_or("closed loop".to_owned(), |rate| format!("{}/s arriving", count(rate)));
    let mut lines = vec![format!(
        "{}{label}: {} operations/s over {:.1} s ({pace}, {} threads, seed {})",
        parameters.workload,
        count(run.throughput_per_s),
        run.seconds,
        parameters.threads,
        parameters.seed
    )];
    if let Some(kept) = &run.kept {
        lines.push(format!("kept in {}", kept.display()));
    }
    if run.unserved > 0 {
        lines.push(format!("overload: {} arrivals were due and never begun", run.unserved));
    }
    lines.push(kinds(&run.kinds));
    lines.push(engine(run));
    if let Some(sweep) = &run.sweep {
        lines.push(points(sweep));
    }
    lines.join("\n")
}

fn kinds(kinds: &[KindResult]) -> String {
    let head =
        ["operation", "count", "mean", "p50", "p90", "p99", "p99.9", "max", "refused"].map(str::to_owned);
    let line = |kind: &KindResult| {
        let response = &kind.response;
        let refused: u64 = kind.errors.values().sum();
        #[expect(clippy::cast_precision_loss, reason = "shown as a whole number")]
        let (done, refused) = (response.count as f64, refused as f64);
        let name = if kind.counted { kind.name.clone() } else { format!("({})", kind.name) };
        let quantiles = [
            response.mean_us,
            response.p50_us,
            response.p90_us,
            response.p99_us,
            response.p999_us,
            response.max_us,
        ];
        let mut cells = vec![name, count(done)];
        cells.extend(quantiles.map(time));
        cells.push(if refused > 0.0 { count(refused) } else { String::new() });
        cells
    };
    columns(std::iter::once(head.to_vec()).chain(kinds.iter().map(line)).collect())
}

fn engine(run: &Run) -> String {
    let (engine, process) = (&run.engine, &run.process);
    let levels: Vec<_> = engine
        .levels
        .iter()
        .map(|level| format!("L{} {} in {} files", level.level, size(level.bytes), level.files))
        .collect();
    let (memory, durable) = (&engine.memory, &engine.durable);
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let (stall_us, mean_us, p99_us) = (engine.stall_us as f64, durable.mean_us as f64, durable.p99_us as f64);
    [
        format!(
            "written    user {}, batches {}, log {}, flushed {}, compacted {}; amplification {} of batches, {} in all",
            size(engine.user_bytes),
            size(engine.batch_bytes),
            size(engine.wal_bytes),
            size(engine.flush_bytes),
            size(engine.compaction_bytes),
            ratio(engine.write_amplification),
            ratio(engine.total_write_amplification),
        ),
        format!(
            "space      {} tables, {} blobs; amplification {}; {}; debt {}",
            size(engine.table_bytes),
            size(engine.blob_bytes),
            ratio(engine.space_amplification),
            if levels.is_empty() { "no files".to_owned() } else { levels.join(", ") },
            size(engine.debt_bytes),
        ),
        format!(
            "durable    {} groups of {} changes, {} fsyncs; a group took {} (mean), {} (p99)",
            engine.groups,
            ratio(engine.changes_per_group),
            engine.fsyncs,
            time(mean_us),
            time(p99_us),
        ),
        format!(
            "cache      {} of data blocks hit; {} reads by memtables; {} files spared by filters; stalled {}",
            engine.cache_hit_ratio.map_or("-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0)),
            engine.memtable_hits,
            engine.filter_useful,
            time(stall_us),
        ),
        format!(
            "memory     memtables {}, cache {} (with memtables), pinned {}, open files {}; process {} (peak {})",
            size(memory.memtables),
            size(memory.cache),
            size(memory.pinned),
            size(memory.table_readers),
            size(process.rss_bytes),
            size(process.rss_peak_bytes),
        ),
        format!(
            "processor  {:.2} s, {} per operation",
            process.cpu_s,
            process.cpu_us_per_operation.map_or("-".to_owned(), time)
        ),
    ]
    .join("\n")
}

fn points(sweep: &super::report::Sweep) -> String {
    let head = ["arriving/s", "done/s", "p50", "p99", "p99.9", "never begun", ""].map(str::to_owned);
    let lines = sweep.points.iter().enumerate().map(|(place, point)| {
        vec![
            count(point.rate),
            count(point.throughput_per_s),
            time(point.latency.p50_us),
            time(point.latency.p99_us),
            time(point.latency.p999_us),
            point.unserved.to_string(),
            if sweep.knee == Some(place) { "knee".to_owned() } else { String::new() },
        ]
    });
    columns(std::iter::once(head.to_vec()).chain(lines).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            (count(1_234_567.4), count(999.0), count(12.34)),
            ("1 234 567".into(), "999".into(), "12.3".into())
        );
        assert_eq!(
            (time(0.0), time(1.234), time(450.0), time(1_234.0)),
            ("0".into(), "1.23 us".into(), "450 us".into(), "1.23 ms".into())
        );
        assert_eq!((time(45_600.0), time(2_345_678.0)), ("46 ms".into(), "2.35 s".into()));
        assert_eq!(
            (bytes(100.0), bytes(1_536.0), bytes(3e9)),
            ("100 B".into(), "1.5 KiB".into(), "2.8 GiB".into())
        );
        let table = columns(vec![vec!["a".into(), "b".into()], vec!["longer".into(), "22".into()]]);
        assert_eq!(table, "a        b\n----------\nlonger  22");
    }
}
