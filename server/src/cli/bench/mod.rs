//! `dateline bench`: the storage laboratory.
//!
//! The way of a run: [`parameters`] -> [`stage`] (load, open anew, warm up, measure) -> threads of a workload, each with
//! its [`client`] and recorder -> [`report`] -> table, JSON, page, comparison. It works in a directory of its own, which is
//! removed at the end; no data of a user is touched.

mod chooser;
mod client;
mod compare;
mod ground;
mod pace;
mod page;
mod parameters;
mod process;
mod recorder;
mod report;
mod sampler;
mod stage;
mod sweep;
mod table;
mod words;
mod workloads;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as ClapArgs;
use serde_json::json;

use super::outcome::{Exit, Failure};
use super::output::Output;
use super::progress::{Progress, Unit};
use super::signals::stop_when_asked;
use crate::data::DataDir;
use crate::work::Stop;
use parameters::{Parameters, Sync, Variation};
use report::{Report, Run};
use stage::Stage;

/// Arguments of `bench`.
#[derive(ClapArgs)]
#[command(after_help = help())]
pub(crate) struct Args {
    /// What to do: see the list below
    workload: String,
    /// With --json: write the report there, and the table to stdout
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Documents to load before
    #[arg(long, value_name = "N", value_parser = records)]
    records: Option<u64>,
    /// Clients
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Readers that follow the log, in workload feed
    #[arg(long, value_name = "N")]
    readers: Option<usize>,
    /// Measured seconds
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Seconds of the same work before
    #[arg(long, value_name = "S")]
    warm_up: Option<f64>,
    /// When a write is answered
    #[arg(long, value_enum)]
    durability: Option<Sync>,
    /// Bytes of a document or a job
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    value_bytes: Option<usize>,
    /// Operations that arrive per second, whether or not a client is free; without it each client goes on when its last
    /// operation has ended
    #[arg(long, value_name = "R", conflicts_with = "sweep")]
    rate: Option<f64>,
    /// Then let the work arrive at 10 % to 110 % of what was done, and find the knee
    #[arg(long)]
    sweep: bool,
    /// Run once for each value; given several times, for each combination
    #[arg(long, value_name = "KEY=A,B,C")]
    vary: Vec<String>,
    /// Where random choices begin; it is told with the results
    #[arg(long)]
    seed: Option<u64>,
    /// Choose the disk: each run works in a new directory below this one [default: that for temporary files]
    #[arg(long, value_name = "DIR")]
    temp: Option<PathBuf>,
    /// Leave the directories of the runs behind, and tell where they are
    #[arg(long)]
    keep: bool,
    /// Write one page with pictures
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Fail when a figure is worse than in this report of an earlier run
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Percent by which a figure may be worse
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    tolerance: f64,
    /// A figure that is held to: throughput and p99, unless others are named
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
}

fn help() -> String {
    let workload = |entry: &workloads::Entry| format!("  {:<10} {}", entry.name, entry.text);
    let key = |(name, values): (String, String)| format!("  {name:<26} {values}");
    let workloads: Vec<_> = workloads::ALL.iter().map(workload).collect();
    let keys: Vec<_> = parameters::keys().into_iter().map(key).collect();
    let metrics: Vec<_> = compare::METRICS.iter().map(|metric| metric.name).collect();
    let usual = Parameters::new("", 0);
    let usual = format!(
        "--records {} --threads {} --readers {} --seconds {} --warm-up {} --durability {} --value-bytes {}",
        usual.records,
        usual.threads,
        usual.readers,
        usual.seconds,
        usual.warm_up_s,
        usual.durability.name(),
        usual.value_bytes
    );
    format!(
        "Unless said otherwise: {usual}\n\nWorkloads:\n{}\n\nKeys of --vary; those of engine.* are those of the server's configuration:\n{}\n\n\
         Figures of --metric: {}\n\n\
         Ctrl-C ends it with a report of what was measured until then, and exit code 1; so does a comparison that fails.\n\
         No data directory is touched: a run works in a directory of its own, which is removed at its end.",
        workloads.join("\n"),
        keys.join("\n"),
        metrics.join(", ")
    )
}

fn bytes(text: &str) -> Result<usize, String> {
    parameters::size(text).ok_or_else(|| "expected a number of bytes as 4096, 4k or 1M".to_owned())
}

fn records(text: &str) -> Result<u64, String> {
    let number = parameters::size(text).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| "expected a number as 5000, 100k or 1M".to_owned())
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    // Everything that can be wrong is found before anything runs.
    let plan = Plan::new(&args, output)?;
    let stop = stop_when_asked()?;
    let runs = plan.run_all(output, &stop)?;
    let report = Report::new(plan.runs.len(), runs, &plan.temp);
    plan.write(&report)?;
    let talk = if plan.json.is_some() { Output::new(false) } else { *output };
    talk.data(table::words(&report), &serde_json::to_value(&report).map_err(Failure::error)?)?;
    match report.missing() {
        None => plan.compare(&report, &talk),
        Some(missing) => Err(Failure::error(missing)),
    }
}

/// A command that has been checked.
struct Plan {
    runs: Vec<Variation>,
    sweep: bool,
    temp: PathBuf,
    keep: bool,
    json: Option<PathBuf>,
    html: Option<PathBuf>,
    old: Option<Report>,
    held: Vec<compare::Metric>,
    tolerance: f64,
}

impl Plan {
    fn new(args: &Args, output: &Output) -> Result<Self, Failure> {
        workloads::find(&args.workload).map_err(Failure::usage)?;
        if let Some(file) = args.file.as_ref().filter(|_| !output.is_json()) {
            return Err(Failure::usage(format!(
                "{}: say --json {0} to write the report there",
                file.display()
            )));
        }
        let runs = parameters::vary(&base(args)?, &args.vary).map_err(Failure::usage)?;
        runs.iter().try_for_each(|run| run.parameters.check()).map_err(Failure::usage)?;
        for out in [&args.file, &args.html].into_iter().flatten() {
            check_place(out)?;
        }
        let temp = temp(args.temp.as_deref())?;
        if !(0.0..=10_000.0).contains(&args.tolerance) {
            return Err(Failure::usage("--tolerance: expected percent from 0 to 10000"));
        }
        let names = args.metric.iter().map(String::as_str);
        let names: Vec<&str> = if args.metric.is_empty() { compare::USUAL.to_vec() } else { names.collect() };
        let held = names.into_iter().map(compare::metric).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            runs,
            sweep: args.sweep,
            temp,
            keep: args.keep,
            json: args.file.clone(),
            html: args.html.clone(),
            old: args.compare.as_deref().map(read).transpose()?,
            held: held.map_err(Failure::usage)?,
            tolerance: args.tolerance,
        })
    }

    /// Runs until everything is done or somebody stops it; what was measured until then counts.
    fn run_all(&self, output: &Output, stop: &Arc<Stop>) -> Result<Vec<Run>, Failure> {
        let mut runs = Vec::new();
        for (place, variation) in self.runs.iter().enumerate() {
            let (number, all) = (place + 1, self.runs.len());
            let parameters = &variation.parameters;
            output.talk(format_args!(
                "run {number} of {all}: {} {} (seed {})",
                parameters.workload,
                variation.label(),
                parameters.seed
            ));
            let run = self.run_one(variation, output, stop);
            match run {
                Err(failure) if !stop.is_set() || runs.is_empty() => return Err(failure),
                run => runs.extend(run.ok()),
            }
            if stop.is_set() {
                break;
            }
        }
        Ok(runs)
    }

    fn run_one(&self, variation: &Variation, output: &Output, stop: &Arc<Stop>) -> Result<Run, Failure> {
        let parameters = &variation.parameters;
        let mut dir = tempfile::Builder::new();
        let dir = dir.prefix("dateline-bench-").disable_cleanup(self.keep).tempdir_in(&self.temp)?;
        if self.keep {
            output.talk(format_args!("in {}", dir.path().display()));
        }
        let progress = Progress::new(output, "bench", Unit::Items, 0);
        let stage = Stage::set(parameters, dir.path(), &progress, stop)?;
        let run = self.measure(&stage, variation, &progress);
        stage.clear();
        let kept = self.keep.then(|| dir.path().to_owned());
        run.map(|run| Run { kept, ..run })
    }

    fn measure(&self, stage: &Stage, variation: &Variation, progress: &Progress) -> Result<Run, Failure> {
        let mut run = stage.run(variation.parameters.rate, variation.label(), progress)?;
        if self.sweep && !run.stopped {
            run.sweep = Some(sweep::sweep(stage, &run, progress)?);
        }
        Ok(run)
    }

    fn write(&self, report: &Report) -> Result<(), Failure> {
        let told =
            |path: &Path, error: std::io::Error| Failure::error(format!("{}: {error}", path.display()));
        if let Some(path) = &self.json {
            let text = serde_json::to_string_pretty(report).map_err(Failure::error)?;
            std::fs::write(path, text + "\n").map_err(|error| told(path, error))?;
        }
        if let Some(path) = &self.html {
            std::fs::write(path, page::page(report)).map_err(|error| told(path, error))?;
        }
        Ok(())
    }

    fn compare(&self, report: &Report, output: &Output) -> Result<(), Failure> {
        let Some(old) = &self.old else { return Ok(()) };
        let rows = compare::compare(old, report, &self.held, self.tolerance).map_err(Failure::usage)?;
        let told = |row: &compare::Row| {
            json!({
                "run": row.run, "metric": row.metric, "old": row.old, "new": row.new,
                "worse_percent": row.worse, "failed": row.failed,
            })
        };
        let rows_json: Vec<_> = rows.iter().map(told).collect();
        output.data(format_args!("\n{}", compare::words(&rows)), &json!({"compared": rows_json}))?;
        let failed: Vec<_> = rows.iter().filter(|row| row.failed).map(|row| row.metric).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(Failure::error(format!("worse by more than {} %: {}", self.tolerance, failed.join(", "))))
    }
}

/// The parameters that every run has, save what is varied.
fn base(args: &Args) -> Result<Parameters, Failure> {
    let seed = match args.seed {
        Some(seed) => seed,
        None => u64::from(u32::from_le_bytes(crate::ids::random()?)),
    };
    let mut base = Parameters::new(&args.workload, seed);
    base.records = args.records.unwrap_or(base.records);
    base.threads = args.threads.unwrap_or(base.threads);
    base.readers = args.readers.unwrap_or(base.readers);
    base.seconds = args.seconds.unwrap_or(base.seconds);
    base.warm_up_s = args.warm_up.unwrap_or(base.warm_up_s);
    base.durability = args.durability.unwrap_or(base.durability);
    base.value_bytes = args.value_bytes.unwrap_or(base.value_bytes);
    base.rate = args.rate;
    Ok(base)
}

/// The directory below which the runs make theirs: not inside a data directory, which belongs to a server.
fn temp(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let temp = given.map_or_else(std::env::temp_dir, Path::to_owned);
    let whole = temp.canonicalize().ok().filter(|whole| whole.is_dir());
    let Some(whole) = whole else {
        return Err(Failure::new(Exit::NotFound, format!("--temp {}: no such directory", temp.display())));
    };
    match DataDir::around(&whole) {
        None => Ok(whole),
        Some(data) => Err(Failure::usage(format!(
            "--temp {}: {} is a data directory; name another",
            temp.display(),
            data.display()
        ))),
    }
}

/// A file can be written there, as far as can be told before.
fn check_place(path: &Path) -> Result<(), Failure> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match dir.is_dir() && !path.is_dir() {
        true => Ok(()),
        false => Err(Failure::new(Exit::NotFound, format!("{}: not a place for a file", path.display()))),
    }
}

fn read(path: &Path) -> Result<Report, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::NotFound, format!("--compare {}: {error}", path.display())))?;
    Report::parse(&text).map_err(|reason| Failure::usage(format!("--compare {}: {reason}", path.display())))
}

#[cfg(test)]
mod tests;
