//! `dateline bench` as a user runs it: the reports it leaves, the gate, and how it is stopped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Outcome, dateline, run, signal, wait};

const SMALL: [&str; 10] =
    ["bench", "ycsb-a", "--records", "2k", "--threads", "4", "--warm-up", "0.2", "--seed", "7"];

struct Laboratory(TempDir);

impl Laboratory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The small run of so many seconds with more flags; `FILE:name` stands for a file in the laboratory.
    fn run(&self, seconds: &str, more: &[&str]) -> Outcome {
        let temp = self.0.path().to_str().expect("UTF-8").to_owned();
        let flags = SMALL.iter().copied().chain(more.iter().copied());
        let flags = flags.map(|flag| flag.replace("FILE:", &format!("{temp}/")));
        run(&flags.chain(["--seconds", seconds, "--temp", &temp].map(str::to_owned)).collect::<Vec<_>>())
    }

    fn report(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.place(name)).expect("the report is there");
        serde_json::from_str(&text).expect("JSON")
    }

    fn page(&self, name: &str) -> String {
        std::fs::read_to_string(self.place(name)).expect("the page is there")
    }

    /// Directories of runs that were left behind.
    fn grounds(&self) -> usize {
        let entries = std::fs::read_dir(self.0.path()).expect("the laboratory is there");
        entries.filter(|entry| entry.as_ref().expect("an entry").path().is_dir()).count()
    }
}

/// The names of all members, at any depth.
fn names(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                into.push(name.clone());
                names(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        _ => {}
    }
}

fn number(value: &Value, pointer: &str) -> f64 {
    let found = value.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("{pointer} is no number in {value:#}"))
}

#[test]
fn a_run_leaves_figures_and_a_page() {
    let laboratory = Laboratory::new();
    let vary = ["--vary", "engine.filter=bloom,ribbon", "--json", "FILE:run.json", "--html", "FILE:run.html"];
    let done = laboratory.run("1", &vary);
    assert_eq!(done.code, Some(0), "{done:?}");
    for word in ["ycsb-a [engine.filter=bloom]", "p99.9", "write amp.", "fsyncs", "memtables", "processor"] {
        assert!(done.stdout.contains(word), "'{word}' is not in the table:\n{}", done.stdout);
    }
    let report = laboratory.report("run.json");
    assert_eq!((&report["format"], &report["version"]), (&"dateline-bench".into(), &1.into()));
    assert_eq!(report["runs"].as_array().map(Vec::len), Some(2));
    for run in report["runs"].as_array().expect("runs") {
        assert_eq!(number(run, "/parameters/engine/filter_bits"), 10.0);
        assert_eq!(number(run, "/parameters/seed"), 7.0);
        let (operations, seconds) = (number(run, "/operations"), number(run, "/seconds"));
        assert!(operations > 0.0 && (operations / seconds - number(run, "/throughput_per_s")).abs() < 1.0);
        let quantiles = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"];
        let quantiles = quantiles.map(|name| number(run, &format!("/latency/{name}")));
        assert!(quantiles[0] > 0.0 && quantiles.is_sorted(), "{quantiles:?}");
        let counts = run["timeline"]["counts"].as_array().expect("counts");
        assert_eq!(counts.iter().filter_map(Value::as_f64).sum::<f64>(), operations);
        // Every update was synced, some of them together, and went to the log before it went to files.
        let engine = |name: &str| number(run, &format!("/engine/{name}"));
        let updates = number(&run["kinds"][1], "/response/count");
        assert!(engine("wal_fsyncs") > 0.0 && engine("wal_fsyncs") <= updates + 4.0, "{run:#}");
        assert!(engine("wal_bytes") >= engine("user_bytes") && engine("user_bytes") > 0.0, "{run:#}");
        assert!(engine("total_write_amplification") >= 1.0 && number(run, "/engine/durable/p99_us") > 0.0);
        assert!(
            engine("table_bytes") > 0.0 && !run["engine"]["levels"].as_array().expect("levels").is_empty()
        );
        assert!(number(run, "/engine/memory/cache") > 0.0 && number(run, "/process/rss_bytes") > 1e6);
        assert!(number(run, "/process/cpu_us_per_operation") > 0.0);
        assert!(!run["samples"].as_array().expect("samples").is_empty());
    }

    let page = laboratory.page("run.html");
    for outside in ["http:", "https:", "<script", "src=", "url(", "@import", "<link", "<iframe"] {
        assert!(!page.contains(outside), "{outside} in a page that should need nothing else");
    }
    for title in [
        "Throughput over time",
        "Latency over time",
        "Latency by percentile",
        "Throughput of each run",
        "99th percentile of each run",
        "Write amplification of each run",
        "Space amplification of each run",
        "Processor time of each run",
        "Bytes written to disk",
        "Levels at the end",
        "Compaction debt over time",
    ] {
        let figure = page.split("<figure>").find(|figure| figure.contains(&format!("<h3>{title}</h3>")));
        assert!(figure.is_some_and(|figure| figure.contains("<svg") && figure.contains("</svg>")), "{title}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    assert_eq!(laboratory.grounds(), 0, "a run removes its directory");
}

#[test]
fn every_member_of_the_report_is_documented() {
    let laboratory = Laboratory::new();
    let done = laboratory.run("0.3", &["--sweep", "--json", "FILE:run.json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bench.md");
    let manual = std::fs::read_to_string(manual).expect("docs/bench.md");
    let mut members = Vec::new();
    names(&laboratory.report("run.json"), &mut members);
    members.sort();
    members.dedup();
    let missing: Vec<_> = members.iter().filter(|name| !manual.contains(&format!("`{name}`"))).collect();
    assert!(members.len() > 60 && missing.is_empty(), "not in docs/bench.md: {missing:?}");
    let help = run(&["bench", "--help"]).stdout;
    let flags = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let is_name = |flag: &&str| flag.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    for flag in flags.filter(is_name).filter(|&flag| !matches!(flag, "help" | "version")) {
        assert!(manual.contains(&format!("--{flag}")), "--{flag} is not in docs/bench.md");
    }
}

#[test]
fn a_regression_fails() {
    let laboratory = Laboratory::new();
    assert_eq!(laboratory.run("0.5", &["--json", "FILE:old.json"]).code, Some(0));
    let done = laboratory.run("0.5", &["--compare", "FILE:old.json", "--tolerance", "10000"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("worse by"), "{done:?}");

    let mut old = laboratory.report("old.json");
    let throughput = number(&old, "/runs/0/throughput_per_s");
    old["runs"][0]["throughput_per_s"] = (throughput * 100.0).into();
    std::fs::write(laboratory.place("fast.json"), old.to_string()).expect("written");
    let done = laboratory.run("0.5", &["--compare", "FILE:fast.json", "--metric", "throughput"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("FAILED") && done.stderr.contains("throughput"), "{done:?}");

    let done = laboratory.run("0.5", &["--compare", "FILE:old.json", "--vary", "engine.filter_bits=12"]);
    assert_eq!(done.code, Some(2), "other runs: {done:?}");
    std::fs::write(laboratory.place("no.json"), "{}").expect("written");
    assert_eq!(laboratory.run("0.5", &["--compare", "FILE:no.json"]).code, Some(2));
    assert_eq!(laboratory.run("0.5", &["--compare", "FILE:nothing.json"]).code, Some(3));
}

#[test]
fn an_interrupt_leaves_a_partial_report() {
    let laboratory = Laboratory::new();
    let mut command = dateline();
    command.args([
        "bench",
        "ycsb-b",
        "--records",
        "1k",
        "--threads",
        "2",
        "--seconds",
        "600",
        "--warm-up",
        "0",
    ]);
    command.args(["--rate", "200", "--vary", "value_bytes=100,200", "--json"]);
    command.arg(laboratory.place("part.json")).arg("--html").arg(laboratory.place("part.html"));
    command.arg("--temp").arg(laboratory.place("."));
    let mut bench = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the bench starts");
    let began = Instant::now();
    while laboratory.grounds() == 0 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Into the measured time: loading a thousand small documents takes much less.
    std::thread::sleep(Duration::from_secs(4));
    signal(bench.id(), "INT");
    assert_eq!(wait(&mut bench, Duration::from_secs(30)), Some(1), "it ends by itself");
    let report = laboratory.report("part.json");
    assert_eq!((number(&report, "/planned"), report["runs"].as_array().map(Vec::len)), (2.0, Some(1)));
    let run = &report["runs"][0];
    assert_eq!(run["stopped"], true);
    let (seconds, rate) = (number(run, "/seconds"), number(run, "/throughput_per_s"));
    assert!(seconds < 60.0 && number(run, "/operations") > 0.0, "{run:#}");
    assert!((rate - 200.0).abs() < 60.0, "{rate}/s of 200/s, over the {seconds} s that it took");
    assert!(laboratory.page("part.html").contains("stopped: 1 of 2 runs"));
    assert_eq!(laboratory.grounds(), 0, "and cleans up");
}
