//! What a command has measured: the shape of `--json`.
//!
//! `docs/bench.md` says what each figure means. A member may be added; when one changes its meaning or goes, `VERSION`
//! is raised, and a comparison with another version is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::parameters::Parameters;

/// The name of the shape.
pub(crate) const FORMAT: &str = "dateline-bench";
/// Its version.
pub(crate) const VERSION: u32 = 1;

/// One command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) format: String,
    pub(crate) version: u32,
    /// Version of the program.
    pub(crate) program: String,
    /// When it ended, RFC 3339.
    pub(crate) at: String,
    pub(crate) machine: Machine,
    /// Runs that were asked for: there are fewer when somebody stopped it.
    pub(crate) planned: usize,
    pub(crate) runs: Vec<Run>,
}

/// Where it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Of the disk that the runs worked on: its file system, such as `ext4`. On `tmpfs` a sync costs nothing.
    pub(crate) file_system: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What it differs in from the other runs of the command; empty for the only one.
    pub(crate) label: String,
    pub(crate) parameters: Parameters,
    pub(crate) load: Load,
    /// Measured seconds, as they turned out.
    pub(crate) seconds: f64,
    /// Somebody stopped it before its time.
    pub(crate) stopped: bool,
    /// Its directory, where that was to be kept.
    pub(crate) kept: Option<PathBuf>,
    /// Counted operations that were done.
    pub(crate) operations: u64,
    pub(crate) throughput_per_s: f64,
    /// Arrivals that were due and never begun.
    pub(crate) unserved: u64,
    /// Latency of all counted operations; of those that were never begun, the time until the end.
    pub(crate) latency: Quantiles,
    pub(crate) kinds: Vec<KindResult>,
    pub(crate) timeline: Timeline,
    pub(crate) engine: EngineResult,
    pub(crate) process: ProcessResult,
    pub(crate) samples: Vec<Sample>,
    /// The same work at several rates.
    pub(crate) sweep: Option<Sweep>,
}

/// What was there before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) records: u64,
    pub(crate) seconds: f64,
}

/// Latencies in microseconds, from the moment at which an operation should have begun.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) count: u64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

/// Operations of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KindResult {
    pub(crate) name: String,
    /// Whether it counts as an operation of the throughput.
    pub(crate) counted: bool,
    /// From the moment at which it should have begun.
    pub(crate) response: Quantiles,
    /// From the moment at which it did begin.
    pub(crate) service: Quantiles,
    /// Refused operations, by kind of error. They are in no other figure.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Pairs of a percentile and the response in microseconds that it did not exceed.
    pub(crate) curve: Vec<(f64, f64)>,
}

/// How it went over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timeline {
    pub(crate) bucket_ms: u64,
    /// Counted operations that ended in each bucket.
    pub(crate) counts: Vec<u64>,
    pub(crate) slice_ms: u64,
    /// Latencies of counted operations by slice of their end; slices without one are left out.
    pub(crate) slices: Vec<Slice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub(crate) at_ms: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    /// Pairs of a row and a count: row r holds latencies from 2^(r/4) to 2^((r+1)/4) microseconds, row 0 all shorter ones,
    /// too.
    pub(crate) heat: Vec<(u32, u64)>,
}

/// What the engine did in the measured time, and holds at its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EngineResult {
    /// Bytes of bodies and payloads that clients wrote.
    pub(crate) user_bytes: u64,
    /// Bytes of keys and values that the engine made of them.
    pub(crate) batch_bytes: u64,
    pub(crate) wal_bytes: u64,
    pub(crate) flush_bytes: u64,
    pub(crate) compaction_bytes: u64,
    /// Flushed and compacted bytes for each byte of a batch.
    pub(crate) write_amplification: Option<f64>,
    /// All bytes that went to the disk for each byte of a user.
    pub(crate) total_write_amplification: Option<f64>,
    /// Bytes on disk for each live byte.
    pub(crate) space_amplification: Option<f64>,
    pub(crate) table_bytes: u64,
    pub(crate) blob_bytes: u64,
    pub(crate) live_bytes: u64,
    /// All families together.
    pub(crate) levels: Vec<LevelResult>,
    pub(crate) debt_bytes: u64,
    pub(crate) stall_us: u64,
    pub(crate) groups: u64,
    /// Records of the log in one group: how much one sync is shared.
    pub(crate) changes_per_group: Option<f64>,
    pub(crate) fsyncs: u64,
    pub(crate) wal_fsyncs: u64,
    /// Time for which a group became durable.
    pub(crate) durable: DurableResult,
    /// Share of data blocks that were in the cache.
    pub(crate) cache_hit_ratio: Option<f64>,
    pub(crate) cache_hits: u64,
    pub(crate) cache_misses: u64,
    pub(crate) memtable_hits: u64,
    pub(crate) filter_useful: u64,
    pub(crate) memory: MemoryResult,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LevelResult {
    pub(crate) level: u32,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DurableResult {
    pub(crate) count: u64,
    pub(crate) mean_us: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

/// Bytes by owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemoryResult {
    pub(crate) memtables: u64,
    /// With what is charged to it: the memtables.
    pub(crate) cache: u64,
    pub(crate) pinned: u64,
    pub(crate) table_readers: u64,
}

/// The whole process: engine, workload and measuring.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProcessResult {
    /// Processor time of the measured part.
    pub(crate) cpu_s: f64,
    pub(crate) cpu_us_per_operation: Option<f64>,
    pub(crate) rss_bytes: u64,
    pub(crate) rss_peak_bytes: u64,
}

/// One look at the engine while it worked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) at_ms: u64,
    /// Bytes of each level, from 0 on.
    pub(crate) levels: Vec<u64>,
    pub(crate) blob_bytes: u64,
    pub(crate) debt_bytes: u64,
    /// Since the measured part began.
    pub(crate) stall_us: u64,
    pub(crate) memory: MemoryResult,
    pub(crate) rss_bytes: u64,
}

/// The same work at several rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    pub(crate) points: Vec<Point>,
    /// Place among the points of the last rate that is served well.
    pub(crate) knee: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// Operations per second that arrived.
    pub(crate) rate: f64,
    /// Operations per second that were done.
    pub(crate) throughput_per_s: f64,
    pub(crate) unserved: u64,
    pub(crate) latency: Quantiles,
}

impl Report {
    /// Of runs that worked below `ground`.
    pub(crate) fn new(planned: usize, runs: Vec<Run>, ground: &Path) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            machine: Machine::here(ground),
            planned,
            runs,
        }
    }

    /// What has not been done of what was asked for.
    pub(crate) fn missing(&self) -> Option<String> {
        let (done, planned) = (self.runs.len(), self.planned);
        let cut = self.runs.iter().any(|run| run.stopped);
        let last = if cut { ", the last one before its time" } else { "" };
        (cut || done < planned).then(|| format!("stopped: {done} of {planned} runs{last}"))
    }

    /// A warning, where the disk was none.
    pub(crate) fn memory_disk(&self) -> Option<&'static str> {
        let is_memory = self.machine.file_system == "tmpfs";
        is_memory.then_some("warning: the runs worked in memory (tmpfs), where a sync costs nothing; choose a disk with --temp")
    }

    /// # Errors
    /// A sentence about what the text is instead of a report of this version.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let head: Head =
            serde_json::from_str(text).map_err(|error| format!("not a bench report: {error}"))?;
        if head.format != FORMAT {
            return Err(format!("format is '{}', not '{FORMAT}'", head.format));
        }
        if head.version != VERSION {
            return Err(format!("version is {}, this program writes {VERSION}", head.version));
        }
        serde_json::from_str(text).map_err(|error| format!("not a bench report: {error}"))
    }
}

impl Machine {
    fn here(ground: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory_kb = field(&read("/proc/meminfo"), "MemTotal")
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            memory_bytes: memory_kb.unwrap_or(0) * 1_024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(ground),
        }
    }
}

/// The name of a file system by its number (`linux/magic.h`), or the number.
fn file_system(path: &Path) -> String {
    let Ok(found) = rustix::fs::statfs(path) else { return String::new() };
    match found.f_type {
        0xef53 => "ext4".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0x2fc1_2fc1 => "zfs".to_owned(),
        0xf2f5_2010 => "f2fs".to_owned(),
        0x794c_7630 => "overlayfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        other => format!("{other:#x}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report of one run with figures that are not 0.
    pub(crate) fn report() -> Report {
        let quantiles = Quantiles {
            count: 1_000,
            mean_us: 12.0,
            p50_us: 10.0,
            p90_us: 20.0,
            p99_us: 50.5,
            p999_us: 80.0,
            max_us: 100.25,
        };
        let kind = KindResult {
            name: "read".to_owned(),
            counted: true,
            response: quantiles.clone(),
            service: quantiles.clone(),
            errors: BTreeMap::from([("busy".to_owned(), 3)]),
            curve: vec![(0.0, 1.0), (50.0, 10.0), (90.0, 20.0), (99.0, 50.5), (100.0, 100.25)],
        };
        let engine = EngineResult {
            user_bytes: 1 << 20,
            batch_bytes: 2 << 20,
            wal_bytes: 2 << 20,
            flush_bytes: 3 << 20,
            compaction_bytes: 4 << 20,
            write_amplification: Some(3.5),
            total_write_amplification: Some(9.0),
            levels: vec![LevelResult { level: 0, files: 2, bytes: 3 << 20 }],
            memory: MemoryResult { memtables: 1 << 20, cache: 2 << 20, pinned: 0, table_readers: 77 },
            ..EngineResult::default()
        };
        let sample = |at_ms| Sample {
            at_ms,
            levels: vec![3 << 20, 0, 9 << 20],
            blob_bytes: 0,
            debt_bytes: at_ms * 100,
            stall_us: 0,
            memory: engine.memory,
            rss_bytes: 90 << 20,
        };
        let point = |rate: f64| Point {
            rate,
            throughput_per_s: rate * 0.99,
            unserved: 1,
            latency: Quantiles { p99_us: rate / 10.0, ..quantiles.clone() },
        };
        let run = Run {
            label: String::new(),
            parameters: Parameters::new("ycsb-a", 42),
            load: Load { records: 1_000, seconds: 0.5 },
            seconds: 1.0,
            stopped: false,
            kept: None,
            operations: 1_000,
            throughput_per_s: 1_000.0,
            unserved: 0,
            latency: quantiles.clone(),
            kinds: vec![kind],
            timeline: Timeline {
                bucket_ms: 100,
                counts: vec![100; 10],
                slice_ms: 100,
                slices: (0..10)
                    .map(|at| Slice {
                        at_ms: at * 100,
                        p50_us: 10.0,
                        p99_us: 50.0,
                        p999_us: 80.0,
                        max_us: 99.0,
                        heat: vec![(13, 90), (22, 10)],
                    })
                    .collect(),
            },
            samples: vec![sample(0), sample(500), sample(1_000)],
            engine,
            process: ProcessResult {
                cpu_s: 1.5,
                cpu_us_per_operation: Some(1_500.0),
                rss_bytes: 90 << 20,
                rss_peak_bytes: 95 << 20,
            },
            sweep: Some(Sweep { points: vec![point(100.0), point(500.0), point(1_000.0)], knee: Some(1) }),
        };
        Report::new(1, vec![run], Path::new("/proc"))
    }

    #[test]
    fn a_report_reads_itself() {
        let report = report();
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(Report::parse(&text), Ok(report));
    }

    #[test]
    fn a_report_says_what_is_missing() {
        let mut report = report();
        assert_eq!((report.missing(), report.machine.file_system.as_str()), (None, "0x9fa0"));
        report.planned = 3;
        assert_eq!(report.missing().as_deref(), Some("stopped: 1 of 3 runs"));
        report.runs[0].stopped = true;
        assert!(report.missing().is_some_and(|told| told.ends_with("before its time")));
    }

    #[test]
    fn other_files_are_refused() {
        let check = |text: &str, word: &str| {
            let refused = Report::parse(text).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        };
        check("{", "not a bench report");
        check("{}", "format");
        check(r#"{"format":"other","version":1}"#, "'other'");
        check(r#"{"format":"dateline-bench","version":2}"#, "version is 2");
        check(r#"{"format":"dateline-bench","version":1}"#, "program");
    }
}
