//! A report held against an older one: is a figure worse than it may be?

use std::collections::BTreeMap;

use serde_json::Value;

use super::report::{Report, Run};
use super::table;

/// Parameters that may differ: what they change is chance.
const FREE: [&str; 1] = ["seed"];

/// A figure that can be held to.
#[derive(Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// More of it is better.
    more: bool,
    read: fn(&Run) -> Option<f64>,
}

/// Every figure that can be held to.
pub(crate) const METRICS: &[Metric] = &[
    Metric { name: "throughput", more: true, read: |run| Some(run.throughput_per_s) },
    Metric { name: "p50", more: false, read: |run| Some(run.latency.p50_us) },
    Metric { name: "p99", more: false, read: |run| Some(run.latency.p99_us) },
    Metric { name: "p999", more: false, read: |run| Some(run.latency.p999_us) },
    Metric { name: "write_amplification", more: false, read: |run| run.engine.total_write_amplification },
    Metric { name: "space_amplification", more: false, read: |run| run.engine.space_amplification },
    Metric { name: "cpu", more: false, read: |run| run.process.cpu_us_per_operation },
    Metric { name: "rss", more: false, read: |run| Some(bytes(run.process.rss_peak_bytes)) },
];

/// What is held to when nothing is named.
pub(crate) const USUAL: [&str; 2] = ["throughput", "p99"];

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are below 2^53")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

/// The figure of this name.
///
/// # Errors
/// A sentence with all of them.
pub(crate) fn metric(name: &str) -> Result<Metric, String> {
    METRICS.iter().find(|metric| metric.name == name).copied().ok_or_else(|| {
        let names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        format!("--metric: there is no figure '{name}'; there are {}", names.join(", "))
    })
}

/// One figure of one run, before and now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) run: String,
    pub(crate) metric: &'static str,
    pub(crate) old: f64,
    pub(crate) new: f64,
    /// Percent by which it is worse; below 0 when it is better.
    pub(crate) worse: f64,
    /// It is held to, and worse than the tolerance allows.
    pub(crate) failed: bool,
}

/// Every figure of every run that both have.
///
/// # Errors
/// A sentence with the parameter in which the runs differ: then their figures say nothing about each other.
pub(crate) fn compare(
    old: &Report,
    new: &Report,
    held: &[Metric],
    tolerance_percent: f64,
) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for run in &new.runs {
        let same = old.runs.iter().find(|old| old.label == run.label);
        let before = same.ok_or_else(|| match run.label.as_str() {
            "" => "the old report has only varied runs".to_owned(),
            label => format!("the old report has no run {label}"),
        })?;
        check_same(before, run)?;
        for metric in METRICS {
            let (Some(old), Some(new)) = ((metric.read)(before), (metric.read)(run)) else { continue };
            let change = if old == 0.0 { 0.0 } else { (new / old - 1.0) * 100.0 };
            let worse = if metric.more { -change } else { change };
            let is_held = held.iter().any(|held| held.name == metric.name);
            let failed = is_held && worse > tolerance_percent;
            rows.push(Row { run: run.label.clone(), metric: metric.name, old, new, worse, failed });
        }
    }
    Ok(rows)
}

fn check_same(old: &Run, new: &Run) -> Result<(), String> {
    let (old, new) = (members(old), members(new));
    let names = old.keys().chain(new.keys()).filter(|name| !FREE.contains(&name.as_str()));
    for name in names {
        let told = |members: &BTreeMap<String, Value>| {
            members.get(name).map_or("nothing".to_owned(), Value::to_string)
        };
        if old.get(name) != new.get(name) {
            let (old, new) = (told(&old), told(&new));
            return Err(format!("the runs cannot be compared: {name} was {old} and is {new}"));
        }
    }
    Ok(())
}

/// Every parameter by its full name.
fn members(run: &Run) -> BTreeMap<String, Value> {
    let mut members = BTreeMap::new();
    // Parameters are plain data.
    let tree = serde_json::to_value(&run.parameters).unwrap_or_default();
    for (name, value) in tree.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) => {
                let inner = inner.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone()));
                members.extend(inner);
            }
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    members
}

/// The rows as a table.
pub(crate) fn words(rows: &[Row]) -> String {
    let head = ["run", "figure", "before", "now", "worse by", ""].map(str::to_owned).to_vec();
    let line = |row: &Row| {
        vec![
            row.run.clone(),
            row.metric.to_owned(),
            figure(row.metric, row.old),
            figure(row.metric, row.new),
            format!("{:.1} %", row.worse),
            if row.failed { "FAILED".to_owned() } else { String::new() },
        ]
    };
    table::columns(std::iter::once(head).chain(rows.iter().map(line)).collect())
}

fn figure(metric: &str, value: f64) -> String {
    match metric {
        "throughput" => format!("{}/s", table::count(value)),
        "p50" | "p99" | "p999" | "cpu" => table::time(value),
        "rss" => table::bytes(value),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    fn held() -> Vec<Metric> {
        USUAL.map(|name| metric(name).unwrap()).to_vec()
    }

    fn failed(old: &Report, new: &Report, held: &[Metric], tolerance: f64) -> Vec<&'static str> {
        let rows = compare(old, new, held, tolerance).unwrap();
        rows.into_iter().filter(|row| row.failed).map(|row| row.metric).collect()
    }

    #[test]
    fn worse_fails_and_better_does_not() {
        let old = report();
        assert_eq!(failed(&old, &old, &held(), 0.0), Vec::<&str>::new());
        let mut new = report();
        new.runs[0].throughput_per_s *= 0.8;
        new.runs[0].latency.p99_us *= 1.05;
        assert_eq!(failed(&old, &new, &held(), 10.0), ["throughput"]);
        assert_eq!(failed(&old, &new, &held(), 25.0), Vec::<&str>::new());
        assert_eq!(failed(&old, &new, &held(), 4.0), ["throughput", "p99"]);
        assert_eq!(failed(&new, &old, &held(), 0.0), Vec::<&str>::new(), "the other way it became better");
        assert_eq!(failed(&old, &new, &[metric("p50").unwrap()], 0.0), Vec::<&str>::new(), "not held to");
        let told = words(&compare(&old, &new, &held(), 10.0).unwrap());
        assert!(told.contains("FAILED") && told.contains("throughput"), "{told}");
    }

    #[test]
    fn other_parameters_are_refused_by_name() {
        let old = report();
        let check = |change: fn(&mut Run), word: &str| {
            let mut new = report();
            change(&mut new.runs[0]);
            let refused = compare(&old, &new, &held(), 10.0).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        };
        check(|run| run.parameters.threads = 3, "threads was 16 and is 3");
        check(|run| run.parameters.workload = "queue".to_owned(), "workload was");
        check(|run| run.parameters.engine.filter_bits = 9, "engine.filter_bits was 10 and is 9");
        check(|run| run.parameters.rate = Some(5.0), "rate was null and is 5.0");
        check(|run| run.label = "threads=3".to_owned(), "no run threads=3");
        let mut seeded = report();
        seeded.runs[0].parameters.seed = 99;
        assert!(compare(&old, &seeded, &held(), 10.0).is_ok());
    }

    #[test]
    fn unknown_figures_list_all() {
        assert!(metric("speed").is_err_and(|told| told.contains("write_amplification")));
    }
}
