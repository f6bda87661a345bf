//! Every workload at a small size, and the command as a user gives it.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::outcome::Exit;
use super::super::output::Output;
use super::super::progress::{Progress, Unit};
use super::parameters::{Parameters, Sync};
use super::report::{Report, Run};
use super::stage::Stage;
use super::workloads;
use crate::data::DataDir;
use crate::work::Stop;

fn dateline(arguments: &[&str]) -> Exit {
    super::super::run(std::iter::once("dateline").chain(arguments.iter().copied()).map(OsString::from))
}

fn small(workload: &str) -> Parameters {
    let mut parameters = Parameters::new(workload, 42);
    parameters.records = 1_000;
    (parameters.threads, parameters.readers) = (4, 3);
    (parameters.seconds, parameters.warm_up_s) = (1.0, 0.2);
    parameters.durability = Sync::Buffered;
    (parameters.engine.cache_bytes, parameters.engine.memtable_bytes) = (8 << 20, 8 << 20);
    parameters
}

fn measured(parameters: &Parameters) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let progress = Progress::new(&Output::new(true), "bench", Unit::Items, 0);
    let stage = Stage::set(parameters, dir.path(), &progress, &Arc::default()).unwrap();
    let run = stage.run(parameters.rate, String::new(), &progress).unwrap();
    stage.clear();
    run
}

#[test]
fn every_workload_does_what_it_says() {
    let kinds = |workload: &str| match workload {
        "ycsb-a" | "ycsb-b" => &["read", "update"][..],
        "ycsb-c" => &["read"],
        "ycsb-d" => &["read", "insert"],
        "ycsb-e" => &["insert", "scan"],
        "ycsb-f" => &["read", "read-modify-write"],
        "documents" => &["get", "create", "patch", "list", "delete"],
        "queue" => &["cycle", "enqueue", "lease", "ack"],
        "feed" => &["write", "visible"],
        "positions" => &["batch", "matched"],
        "search" => &["query", "write", "found"],
        _ => &["commit", "feed", "search", "job"],
    };
    for entry in workloads::ALL {
        let run = measured(&small(entry.name));
        let name = entry.name;
        assert!(run.operations > 0 && run.throughput_per_s > 0.0, "{name}: nothing was done");
        let told: Vec<_> = run.kinds.iter().map(|kind| kind.name.as_str()).collect();
        assert_eq!(told, kinds(name), "{name}");
        for kind in &run.kinds {
            let response = &kind.response;
            assert!(response.count > 0 && response.p50_us <= response.p99_us, "{name} {kind:?}");
            assert!(response.p99_us <= response.max_us && response.max_us < 20e6, "{name} {kind:?}");
            assert!(!kind.errors.contains_key("other"), "{name} {kind:?}");
        }
        let counted =
            run.kinds.iter().filter(|kind| kind.counted).map(|kind| kind.response.count).sum::<u64>();
        assert!(counted >= run.operations, "{name}: {counted} timed, {} counted", run.operations);
        assert_eq!(run.timeline.counts.iter().sum::<u64>(), run.operations, "{name}");
        assert!(!run.samples.is_empty() && run.process.rss_bytes > 0 && run.process.cpu_s > 0.0, "{name}");
        let writes = name != "ycsb-c";
        assert_eq!(run.engine.batch_bytes > 0, writes, "{name}: {:?}", run.engine);
        assert_eq!(run.engine.user_bytes > 0, writes, "{name}");
    }
}

#[test]
fn a_reader_sees_every_write() {
    let run = measured(&small("feed"));
    let count = |name: &str| run.kinds.iter().find(|kind| kind.name == name).unwrap().response.count;
    assert_eq!(count("visible"), 3 * count("write"), "three readers");
}

#[test]
fn durable_writes_are_synced() {
    let mut parameters = small("ycsb-a");
    (parameters.durability, parameters.threads) = (Sync::Sync, 2);
    let run = measured(&parameters);
    let engine = &run.engine;
    assert!(engine.wal_fsyncs > 0 && engine.fsyncs >= engine.wal_fsyncs, "{engine:?}");
    assert!(engine.durable.count > 0 && engine.durable.p50_us <= engine.durable.p99_us, "{engine:?}");
    assert!(engine.total_write_amplification.is_some_and(|ratio| ratio >= 1.0), "{engine:?}");
}

#[test]
fn arrivals_keep_their_rate() {
    let mut parameters = small("ycsb-c");
    parameters.rate = Some(300.0);
    let run = measured(&parameters);
    assert!((200..400).contains(&run.operations), "{} of 300 arrivals in a second", run.operations);
    assert_eq!(run.parameters.rate, Some(300.0));
    // One client that scans cannot keep up with a million arrivals.
    let mut parameters = small("ycsb-e");
    (parameters.rate, parameters.threads) = (Some(1e6), 1);
    let run = measured(&parameters);
    assert!(run.unserved > 100_000, "{} were not begun", run.unserved);
    assert!(run.latency.p50_us > 50_000.0, "late from when they should have begun: {:?}", run.latency);
    let service = &run.kinds.iter().find(|kind| kind.name == "scan").unwrap().service;
    assert!(service.p50_us < run.latency.p50_us, "{service:?}");
}

fn small_command<'a>(dir: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["--records", "500", "--threads", "2", "--seconds", "0.3", "--warm-up", "0", "--seed", "7"];
    ["bench", "ycsb-b", "--temp", dir].into_iter().chain(usual).chain(more.iter().copied()).collect()
}

fn read(path: &Path) -> Report {
    Report::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn reports_are_written_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    let (json, html) = (format!("{at}/run.json"), format!("{at}/run.html"));
    let vary = ["--vary", "engine.filter=bloom,none", "--json", &json, "--html", &html];
    assert_eq!(dateline(&small_command(at, &vary)), Exit::Ok);
    let mut report = read(Path::new(&json));
    let labels: Vec<_> = report.runs.iter().map(|run| run.label.as_str()).collect();
    assert_eq!(labels, ["engine.filter=bloom", "engine.filter=none"]);
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("engine.filter=none"));
    let left: Vec<_> = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "a run leaves nothing behind: {left:?}");

    let compare = |file: &str, more: &[&str]| {
        let mut arguments = vec!["--vary", "engine.filter=bloom", "--compare", file];
        arguments.extend(more);
        dateline(&small_command(at, &arguments))
    };
    assert_eq!(compare(&json, &["--tolerance", "10000"]), Exit::Ok);
    // No run is a thousand times as fast as the last one.
    report.runs.iter_mut().for_each(|run| run.throughput_per_s *= 1e3);
    std::fs::write(&json, serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(compare(&json, &["--metric", "throughput"]), Exit::Error);
    assert_eq!(compare(&json, &["--threads", "3"]), Exit::Usage, "given twice");
    report.runs.iter_mut().for_each(|run| run.parameters.threads = 3);
    std::fs::write(&json, serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(compare(&json, &[]), Exit::Usage, "other parameters");
}

#[test]
fn a_sweep_finds_points() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    let json = format!("{at}/sweep.json");
    assert_eq!(dateline(&small_command(at, &["--sweep", "--json", &json])), Exit::Ok);
    let report = read(Path::new(&json));
    let sweep = report.runs[0].sweep.as_ref().unwrap();
    assert_eq!(sweep.points.len(), 8);
    assert!(sweep.points.windows(2).all(|pair| pair[0].rate < pair[1].rate));
}

#[test]
fn whoever_stops_it_gets_what_was_measured() {
    let dir = tempfile::tempdir().unwrap();
    let progress = Progress::new(&Output::new(true), "bench", Unit::Items, 0);
    let stop = Arc::new(Stop::default());
    let mut parameters = small("ycsb-c");
    (parameters.seconds, parameters.warm_up_s) = (60.0, 0.0);
    // Arrivals that nobody should wait for any more.
    parameters.rate = Some(5.0);
    let stage = Stage::set(&parameters, dir.path(), &progress, &stop).unwrap();
    let started = Instant::now();
    let run = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1_500));
            stop.set();
        });
        stage.run(parameters.rate, String::new(), &progress).unwrap()
    });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(run.stopped && (1.0..20.0).contains(&run.seconds) && run.operations > 0, "{run:?}");
    let told = run.throughput_per_s * run.seconds - f64::from(u32::try_from(run.operations).unwrap());
    assert!(told.abs() < 0.01, "over the time that was measured: {told}");
    assert!(stage.run(None, String::new(), &progress).is_err(), "nothing is measured after it");
    stage.clear();
    let again = tempfile::tempdir().unwrap();
    assert!(Stage::set(&parameters, again.path(), &progress, &stop).is_err());
}

#[test]
fn data_directories_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(DataDir::take(dir.path()).unwrap());
    let inner = dir.path().join("store");
    std::fs::create_dir(&inner).unwrap();
    for place in [dir.path(), &inner] {
        assert_eq!(dateline(&small_command(place.to_str().unwrap(), &[])), Exit::Usage);
    }
    assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 0);

    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().to_str().unwrap();
    let json = format!("{at}/run.json");
    assert_eq!(dateline(&small_command(at, &["--keep", "--json", &json])), Exit::Ok);
    let kept = read(Path::new(&json)).runs[0].kept.clone().unwrap();
    assert!(kept.starts_with(temp.path().canonicalize().unwrap()) && kept.join("store").is_dir(), "{kept:?}");
}

#[test]
fn wrong_commands_do_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().to_str().unwrap();
    let check = |arguments: &[&str], exit: Exit| {
        let mut all = vec!["bench"];
        all.extend(arguments);
        assert_eq!(dateline(&all), exit, "{arguments:?}");
    };
    check(&[], Exit::Usage);
    check(&["ycsb-z"], Exit::Usage);
    check(&["ycsb-a", "--vary", "colour=red"], Exit::Usage);
    check(&["ycsb-a", "--threads", "0"], Exit::Usage);
    check(&["ycsb-a", "--seconds", "nan"], Exit::Usage);
    check(&["ycsb-a", "--rate", "-1"], Exit::Usage);
    check(&["ycsb-a", "--rate", "5", "--sweep"], Exit::Usage);
    check(&["ycsb-a", "--value-bytes", "1x"], Exit::Usage);
    check(&["ycsb-a", "--metric", "speed"], Exit::Usage);
    check(&["ycsb-a", "--tolerance", "-1"], Exit::Usage);
    check(&["ycsb-a", "out.json"], Exit::Usage);
    check(&["ycsb-a", "--temp", &format!("{at}/nothing")], Exit::NotFound);
    check(&["ycsb-a", "--html", &format!("{at}/nothing/page.html")], Exit::NotFound);
    check(&["ycsb-a", "--compare", &format!("{at}/nothing.json")], Exit::NotFound);
    let other = format!("{at}/other.json");
    std::fs::write(&other, "{}").unwrap();
    check(&["ycsb-a", "--compare", &other], Exit::Usage);
    check(&["ycsb-a", "--vary", "engine.block_bytes=1", "--records", "10", "--temp", at], Exit::Usage);
    let told = workloads::find("ycbs-a").map(|entry| entry.name).unwrap_err();
    assert!(told.contains("did you mean 'ycsb-a'?") && told.contains("positions"), "{told}");
}
