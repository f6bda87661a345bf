//! A report as one page that needs nothing else: no network, no script.

mod figures;
pub(crate) mod plot;

use std::fmt::Write;

use super::report::{Report, Run};
use super::table;
use plot::escape;

const STYLE: &str = include_str!("style.css");

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let name = report.runs.first().map_or("", |run| run.parameters.workload.as_str());
    let title = escape(&format!("dateline bench {name}"));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>\n{STYLE}</style></head><body>\n<h1>{title}</h1>\n{}",
        head(report)
    );
    // Writing to a String cannot fail; so below.
    if let [run] = report.runs.as_slice() {
        out.push_str(&tiles(run));
    }
    let _ = write!(out, "<h2>Runs</h2>{}{}", runs(&report.runs), storage(&report.runs));
    let _ =
        write!(out, "<h2>Pictures</h2><div class=\"figures\">{}</div>", figures::all(&report.runs).concat());
    for run in &report.runs {
        let label =
            if run.label.is_empty() { "Operations".to_owned() } else { format!("Operations: {}", run.label) };
        let _ = write!(out, "<h2>{}</h2>{}", escape(&label), operations(run));
    }
    let _ = write!(
        out,
        "<details><summary>Everything as text</summary><pre>{}</pre></details>",
        escape(&table::words(report))
    );
    out.push_str("</body></html>\n");
    out
}

fn head(report: &Report) -> String {
    let machine = &report.machine;
    let processor = if machine.processor.is_empty() { "unknown processor" } else { &machine.processor };
    let told = format!(
        "{}, program {}, {} cores ({processor}), {} of memory, Linux {}, {}",
        report.at,
        report.program,
        machine.cores,
        table::size(machine.memory_bytes),
        machine.kernel,
        machine.file_system
    );
    let warnings = report.missing().into_iter().chain(report.memory_disk().map(str::to_owned));
    let warnings: String =
        warnings.map(|told| format!("<p class=\"warning\">{}</p>", escape(&told))).collect();
    let Some(run) = report.runs.first() else { return format!("<p>{}</p>{warnings}", escape(&told)) };
    let parameters = &run.parameters;
    let work = format!(
        "{} records of {}, {} threads, {}, {:.1} s measured after {:.1} s of warm-up, seed {}",
        table::count(table::number(run.load.records)),
        table::size(u64::try_from(parameters.value_bytes).unwrap_or(u64::MAX)),
        parameters.threads,
        parameters.durability.name(),
        run.seconds,
        parameters.warm_up_s,
        parameters.seed
    );
    format!("<p>{}</p><p>{}</p>{warnings}", escape(&told), escape(&work))
}

fn tiles(run: &Run) -> String {
    let tiles = [
        ("operations per second", table::count(run.throughput_per_s)),
        ("median latency", table::time(run.latency.p50_us)),
        ("99 % within", table::time(run.latency.p99_us)),
        ("99.9 % within", table::time(run.latency.p999_us)),
        ("written per byte of a user", table::ratio(run.engine.total_write_amplification)),
        ("fsyncs", table::count(table::number(run.engine.fsyncs))),
        ("processor per operation", run.process.cpu_us_per_operation.map_or("-".to_owned(), table::time)),
        ("memory at its highest", table::size(run.process.rss_peak_bytes)),
    ];
    let tiles = tiles.map(|(name, value)| format!("<div><b>{}</b><span>{name}</span></div>", escape(&value)));
    format!("<div class=\"tiles\">{}</div>", tiles.concat())
}

fn rows(head: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let head: String = head.iter().map(|cell| format!("<th>{}</th>", escape(cell))).collect();
    let line = |line: Vec<String>| {
        let cells: String = line.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>")
    };
    let lines: String = lines.map(line).collect();
    format!("<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>")
}

fn runs(runs: &[Run]) -> String {
    let head = [
        "run",
        "per second",
        "p50",
        "p99",
        "p99.9",
        "write amp.",
        "space amp.",
        "cache hits",
        "fsyncs",
        "stalled",
        "debt",
        "CPU per op",
        "memory peak",
    ];
    let line = |run: &Run| {
        vec![
            figures::name(run),
            table::count(run.throughput_per_s),
            table::time(run.latency.p50_us),
            table::time(run.latency.p99_us),
            table::time(run.latency.p999_us),
            table::ratio(run.engine.total_write_amplification),
            table::ratio(run.engine.space_amplification),
            run.engine.cache_hit_ratio.map_or("-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0)),
            table::count(table::number(run.engine.fsyncs)),
            table::time(table::number(run.engine.stall_us)),
            table::size(run.engine.debt_bytes),
            run.process.cpu_us_per_operation.map_or("-".to_owned(), table::time),
            table::size(run.process.rss_peak_bytes),
        ]
    };
    rows(&head, runs.iter().map(line))
}

/// What the storage did for it, and who holds the memory.
fn storage(runs: &[Run]) -> String {
    let head = [
        "run",
        "user bytes",
        "log",
        "flushed",
        "compacted",
        "tables",
        "blobs",
        "groups",
        "changes each",
        "durable in p50",
        "p99",
        "memtables",
        "cache",
        "pinned",
        "open files",
    ];
    let line = |run: &Run| {
        let (engine, memory) = (&run.engine, &run.engine.memory);
        vec![
            figures::name(run),
            table::size(engine.user_bytes),
            table::size(engine.wal_bytes),
            table::size(engine.flush_bytes),
            table::size(engine.compaction_bytes),
            table::size(engine.table_bytes),
            table::size(engine.blob_bytes),
            table::count(table::number(engine.groups)),
            table::ratio(engine.changes_per_group),
            table::time(table::number(engine.durable.p50_us)),
            table::time(table::number(engine.durable.p99_us)),
            table::size(memory.memtables),
            table::size(memory.cache),
            table::size(memory.pinned),
            table::size(memory.table_readers),
        ]
    };
    rows(&head, runs.iter().map(line))
}

fn operations(run: &Run) -> String {
    let head = ["operation", "count", "mean", "p50", "p90", "p99", "p99.9", "max", "service p99", "refused"];
    let line = |kind: &super::report::KindResult| {
        let response = &kind.response;
        let name = if kind.counted { kind.name.clone() } else { format!("({})", kind.name) };
        let mut cells = vec![name, table::count(table::number(response.count))];
        let times = [
            response.mean_us,
            response.p50_us,
            response.p90_us,
            response.p99_us,
            response.p999_us,
            response.max_us,
            kind.service.p99_us,
        ];
        cells.extend(times.map(table::time));
        cells.push(kind.errors.values().sum::<u64>().to_string());
        cells
    };
    rows(&head, run.kinds.iter().map(line))
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn the_page_stands_alone() {
        let mut report = report();
        (report.planned, report.machine.file_system) = (3, "tmpfs".to_owned());
        let mut second = report.runs[0].clone();
        second.label = "filter=<none>".to_owned();
        second.sweep = None;
        report.runs.push(second);
        let page = page(&report);
        for outside in ["http://", "https://", "<script", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("stopped: 2 of 3 runs") && page.contains("a sync costs nothing"));
        assert!(page.contains("filter=&lt;none&gt;") && !page.contains("<none>"));
        for title in [
            "Latency over time",
            "Latency by percentile",
            "Throughput and latency",
            "Write amplification of each run",
            "Levels",
            "Bytes written",
        ] {
            assert!(page.contains(title), "{title}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(!page.contains("NaN") && !page.contains(">inf"));
    }
}
