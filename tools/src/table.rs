//! Turns what criterion measured into the table of `benches/README.md`, and writes tables between their markers.
//!
//! Each row is a case beside its reference of the same run, so the ratio holds on any machine; the times are those of
//! this one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What is measured, criterion's directory of it, criterion's directory of the reference, and the budget.
const ROWS: [(&str, &str, &str, &str); 33] = [
    ("commit 1 KB, 1 thread, sync", "commit/engine/sync-1", "commit/rocksdb/sync-1", ""),
    ("commit 1 KB, 64 tasks, sync", "commit/tasks/sync-64", "commit/rocksdb/sync-64", "0.70"),
    ("commit 1 KB, 64 threads, sync", "commit/engine/sync-64", "commit/rocksdb/sync-64", ""),
    ("commit 1 KB, 1 thread, buffered", "commit/engine/buffered-1", "commit/rocksdb/buffered-1", ""),
    ("commit 1 KB, 64 tasks, buffered", "commit/tasks/buffered-64", "commit/rocksdb/buffered-64", "0.70"),
    ("commit 1 KB, 64 threads, buffered", "commit/engine/buffered-64", "commit/rocksdb/buffered-64", ""),
    ("point read, 100,000 documents", "get/engine", "get/rocksdb", "0.80"),
    ("feed, 1,000 records", "feed/engine", "feed/rocksdb", ""),
    ("feed tail from memory, 1,000 records", "feed/ring", "feed/vecdeque", ""),
    ("search, rare word", "search/dateline/rare", "search/tantivy/rare", "0.90"),
    ("search, common word", "search/dateline/common", "search/tantivy/common", "0.90"),
    ("search, two words", "search/dateline/two", "search/tantivy/two", "0.90"),
    ("search, phrase", "search/dateline/phrase", "search/tantivy/phrase", "0.90"),
    ("HTTP GET of a document, 1 connection", "http-get/dateline", "http-get/hyper", "0.70"),
    ("500 positions in the engine, sync, matched", "positions/engine/sync", "", ""),
    ("500 positions in the engine, buffered, matched", "positions/engine/buffered", "", ""),
    ("500 positions over HTTP, sync, matched", "positions/http/sync", "positions/engine/sync", ""),
    ("1 M devices: those within 500 m", "geo-near/dateline/circle", "geo-near/rstar/circle", ""),
    ("1 M devices: the nearest 10", "geo-near/dateline/nearest-10", "geo-near/rstar/nearest-10", ""),
    ("1 M devices: a fix, matched", "geo-fix/dateline/plain", "geo-fix/rstar/plain", ""),
    ("1 M devices, 100,000 circles: a fix, matched", "geo-fix/dateline/circles", "geo-fix/rstar/circles", ""),
    ("100,000 circles: those around a place", "geo-hold/dateline", "geo-hold/rstar", ""),
    ("1 M lists: 1,000 new ads, stored and matched", "geo-ad/dateline", "geo-ad/rstar", ""),
    ("1,000 new ads, stored", "geo-ad/engine", "", ""),
    ("list of 50,000: one brand by price, 25", "list/indexed/equal-sorted", "list/scanned/equal-sorted", ""),
    ("list of 50,000: a range of prices, 25", "list/indexed/range", "list/scanned/range", ""),
    ("list of 50,000: all by price, 25", "list/indexed/sorted", "list/scanned/sorted", ""),
    ("10,000 subscribers: who gets an item", "filter/percolator/10000", "filter/plain/10000", "20"),
    ("100 subscribers: who gets an item", "filter/percolator/100", "filter/plain/100", ""),
    ("queue: enqueue, 64 tasks waiting, sync", "queue/tasks/enqueue", "queue/rocksdb/enqueue", "0.70"),
    ("queue: enqueue, 64 threads waiting, sync", "queue/threads/enqueue", "", ""),
    ("queue: full cycle, 64 tasks waiting, sync", "queue/tasks/cycle", "", ""),
    ("queue: full cycle, 64 threads waiting, sync", "queue/threads/cycle", "", ""),
];

/// Writes what criterion measured into the README; how many rows.
pub(crate) fn write(criterion: &Path, readme: &Path) -> Result<usize, String> {
    let (table, rows) = table(criterion)?;
    put(readme, "table", &table)?;
    Ok(rows)
}

/// Replaces what stands between the markers of that name.
pub(crate) fn put(readme: &Path, name: &str, table: &str) -> Result<(), String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let text = std::fs::read_to_string(readme).map_err(|e| format!("{}: {e}", readme.display()))?;
    let missing = |marker: &str| format!("{}: no marker {}", readme.display(), marker.trim());
    let (before, rest) = text.split_once(&begin).ok_or_else(|| missing(&begin))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| missing(&end))?;
    std::fs::write(readme, format!("{before}{begin}\n{table}\n{end}{after}")).map_err(|e| e.to_string())
}

fn table(criterion: &Path) -> Result<(String, usize), String> {
    let mut table = String::new();
    let _ = writeln!(table, "{}\n", machine("Medians"));
    let _ = writeln!(table, "| what | Dateline | reference | speed against reference | budget |");
    let _ = writeln!(table, "|---|---|---|---|---|");
    let mut rows = 0;
    for (what, ours, reference, budget) in ROWS {
        let Some(own) = median_ns(criterion, ours)? else { continue };
        let other = if reference.is_empty() { None } else { median_ns(criterion, reference)? };
        let ratio = other.map_or(String::new(), |other| format!("{:.2}", other / own));
        let other = other.map_or(String::new(), time);
        let _ = writeln!(table, "| {what} | {} | {other} | {ratio} | {budget} |", time(own));
        rows += 1;
    }
    if rows == 0 {
        return Err(format!("{}: nothing measured yet", criterion.display()));
    }
    Ok((table, rows))
}

/// The median of one iteration; `None` when the case was not run.
fn median_ns(criterion: &Path, case: &str) -> Result<Option<f64>, String> {
    let path: PathBuf = criterion.join(case).join("new/estimates.json");
    let Ok(text) = std::fs::read(&path) else { return Ok(None) };
    let estimates: Value = serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
    median.map(Some).ok_or_else(|| format!("{}: no median", path.display()))
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

/// What it was measured on; a table without this says nothing.
pub(crate) fn machine(what: &str) -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{what} on {cores} cores of {}, Linux {}.",
        model.unwrap_or("an unknown processor"),
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_made_of_what_was_measured() {
        let dir = std::env::temp_dir().join(format!("dateline-table-{}", std::process::id()));
        let put = |case: &str, ns: f64| {
            let place = dir.join(case).join("new");
            std::fs::create_dir_all(&place).unwrap();
            let text = format!(r#"{{"median": {{"point_estimate": {ns}}}}}"#);
            std::fs::write(place.join("estimates.json"), text).unwrap();
        };
        put("get/engine", 2_000.0);
        put("get/rocksdb", 1_500.0);
        let readme = dir.join("README.md");
        std::fs::write(&readme, "head\n<!-- table: begin -->\nold\n<!-- table: end -->\ntail\n").unwrap();
        assert_eq!(write(&dir, &readme), Ok(1));
        let text = std::fs::read_to_string(&readme).unwrap();
        assert!(text.starts_with("head\n") && text.ends_with("tail\n") && !text.contains("old"));
        assert!(text.contains("| 2.00 us | 1.50 us | 0.75 | 0.80 |"), "{text}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
