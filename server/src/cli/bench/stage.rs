//! One run: loading, opening anew, warming up, measuring.
//!
//! After loading the store is closed and opened again, so that every run begins with empty memtables and a cold cache, and
//! the counts of the storage begin at 0.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dateline_engine::{Durability, Error, Transaction};

use super::super::outcome::Failure;
use super::super::progress::{Progress, Unit};
use super::client::Client;
use super::ground::Ground;
use super::pace::Pace;
use super::parameters::Parameters;
use super::process;
use super::recorder::{self, Recorder, Seen, Slices, Unserved, Window};
use super::report::{EngineResult, Load, ProcessResult, Run, Sample};
use super::sampler::{Reading, ratio};
use super::workloads::{self, End, Entry, Workload};
use crate::work::Stop;

/// Records of one transaction while loading.
const LOAD_TOGETHER: u64 = 200;
/// Threads that load.
const LOADERS: usize = 4;
/// Looks at the engine in one run at the most.
const SAMPLES_MAX: u32 = 200;
/// The shortest time between two of them.
const SAMPLE_MS_MIN: u64 = 250;

/// A loaded place, and the work that is done there.
pub(crate) struct Stage {
    parameters: Parameters,
    // The workload goes first: it holds the store, too.
    workload: Box<dyn Workload>,
    ground: Ground,
    load: Load,
    stop: Arc<Stop>,
}

impl Stage {
    /// Loads what the workload needs into an empty directory.
    ///
    /// # Errors
    /// 2 for a parameter that is out of its bounds; as the engine's errors otherwise; 1 when it was stopped.
    pub(crate) fn set(
        parameters: &Parameters,
        dir: &Path,
        progress: &Progress,
        stop: &Arc<Stop>,
    ) -> Result<Self, Failure> {
        parameters.check().map_err(Failure::usage)?;
        let entry = workloads::find(&parameters.workload).map_err(Failure::usage)?;
        let load = loaded(entry, parameters, dir, progress, stop)?;
        let ground = Ground::open(entry.needs, parameters, dir)?;
        let workload = (entry.make)(parameters, &ground)?;
        Ok(Self { parameters: parameters.clone(), workload, ground, load, stop: stop.clone() })
    }

    /// Works and measures; again and again, if asked to.
    ///
    /// # Errors
    /// The first error of an operation that does not belong to the work; 1 when it was stopped before anything was
    /// measured.
    pub(crate) fn run(&self, rate: Option<f64>, label: String, progress: &Progress) -> Result<Run, Failure> {
        if self.is_stopped() {
            return Err(stopped());
        }
        let work = Work::new(self, rate);
        let measured = work.run(progress)?;
        let (seen, seconds) = (measured.seen, measured.seconds);
        #[expect(clippy::cast_precision_loss, reason = "operations of a run are far below 2^53")]
        let throughput_per_s = seen.operations as f64 / seconds;
        Ok(Run {
            label,
            parameters: Parameters { rate, ..self.parameters.clone() },
            load: self.load.clone(),
            seconds,
            stopped: self.is_stopped() && seconds < self.parameters.seconds,
            kept: None,
            operations: seen.operations,
            throughput_per_s,
            unserved: measured.unserved,
            latency: seen.latency,
            kinds: seen
                .kinds
                .into_iter()
                .filter(|kind| kind.response.count > 0 || !kind.errors.is_empty())
                .collect(),
            timeline: seen.timeline,
            engine: measured.engine,
            process: measured.process,
            samples: measured.samples,
            sweep: None,
        })
    }

    /// Somebody wants it to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }

    /// Ends everything that runs here.
    pub(crate) fn clear(self) {
        drop(self.workload);
        self.ground.close();
    }
}

fn stopped() -> Failure {
    Failure::error("stopped before anything was measured")
}

fn loaded(
    entry: &Entry,
    parameters: &Parameters,
    dir: &Path,
    progress: &Progress,
    stop: &Stop,
) -> Result<Load, Failure> {
    let ground = Ground::open(entry.needs, parameters, dir)?;
    let workload = (entry.make)(parameters, &ground)?;
    let started = Instant::now();
    let records = workload.records();
    progress.begin("load", Unit::Items, records);
    let next = AtomicU64::new(0);
    let outcome = std::thread::scope(|scope| {
        let load = || load(&*workload, &ground, &next, records, progress, stop);
        let threads: Vec<_> = (0..LOADERS).map(|_| scope.spawn(load)).collect();
        threads.into_iter().try_for_each(|thread| joined(thread.join()))
    });
    let outcome = outcome.and_then(|()| if stop.is_set() { Ok(()) } else { workload.loaded() });
    drop(workload);
    ground.close();
    outcome?;
    if stop.is_set() {
        return Err(stopped());
    }
    Ok(Load { records, seconds: started.elapsed().as_secs_f64() })
}

fn load(
    workload: &dyn Workload,
    ground: &Ground,
    next: &AtomicU64,
    records: u64,
    progress: &Progress,
    stop: &Stop,
) -> Result<(), Error> {
    loop {
        let from = next.fetch_add(LOAD_TOGETHER, Ordering::Relaxed);
        if from >= records || stop.is_set() {
            return Ok(());
        }
        let mut transaction = Transaction::new(Durability::Buffered);
        for number in from..records.min(from + LOAD_TOGETHER) {
            transaction = workload.record(number, transaction)?;
        }
        ground.store.commit(transaction)?;
        progress.at(from);
    }
}

fn joined<T>(ended: std::thread::Result<Result<T, Error>>) -> Result<T, Error> {
    ended.unwrap_or_else(|_| Err(Error::internal("a thread of the bench ended by a panic")))
}

struct Measured {
    seen: Seen,
    seconds: f64,
    unserved: u64,
    engine: EngineResult,
    process: ProcessResult,
    samples: Vec<Sample>,
}

/// What was looked at while the threads worked.
struct Watched {
    before: Reading,
    samples: Vec<Sample>,
    /// When the measured time ended: at the end of the window, unless it was stopped before.
    end: Instant,
}

/// The threads of one measurement.
struct Work<'a> {
    stage: &'a Stage,
    window: Window,
    pace: Pace,
    slices: Slices,
    /// The clients have ended: sides may.
    end: End,
    /// Something has failed, or somebody wants it to end: everybody does.
    over: AtomicBool,
    recorders: Mutex<Vec<Recorder>>,
}

impl<'a> Work<'a> {
    fn new(stage: &'a Stage, rate: Option<f64>) -> Self {
        let parameters = &stage.parameters;
        let begin = Instant::now();
        let start = begin + Duration::from_secs_f64(parameters.warm_up_s);
        let window = Window { start, end: start + Duration::from_secs_f64(parameters.seconds) };
        let pace = Pace::new(rate, parameters.seed, begin, start);
        Self {
            stage,
            window,
            pace,
            slices: Slices::default(),
            end: End::default(),
            over: AtomicBool::new(false),
            recorders: Mutex::default(),
        }
    }

    fn run(self, progress: &Progress) -> Result<Measured, Failure> {
        let workload = &*self.stage.workload;
        let watched = std::thread::scope(|scope| {
            let work = &self;
            let side = |number| scope.spawn(move || work.side(workload, number));
            let client = |number| scope.spawn(move || work.client(workload, number));
            let sides: Vec<_> = (0..workload.sides()).map(side).collect();
            let clients: Vec<_> = (0..self.stage.parameters.threads).map(client).collect();
            let watched = self.watch(progress);
            let worked = clients.into_iter().try_for_each(|client| joined(client.join()));
            self.end.come();
            let seen = sides.into_iter().try_for_each(|side| joined(side.join()));
            worked.and(seen).and(watched)
        });
        let watched = watched?;
        if watched.end <= self.window.start {
            return Err(stopped());
        }
        let after = Reading::take(&self.stage.ground.store)?;
        Ok(self.measured(watched, &after))
    }

    fn measured(self, watched: Watched, after: &Reading) -> Measured {
        let Watched { before, samples, end } = watched;
        let mut unserved = Unserved::new();
        self.pace.unserved(end, |intended| {
            if self.window.holds(intended) {
                unserved.waited(end.saturating_duration_since(intended));
            }
        });
        let recorders = self.recorders.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seen =
            recorder::merge(self.stage.workload.kinds(), self.window, recorders, &self.slices, &unserved);
        let cpu = after.cpu.saturating_sub(before.cpu);
        let cpu_us = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        let (rss_bytes, rss_peak_bytes) = process::rss();
        Measured {
            seconds: end.duration_since(self.window.start).as_secs_f64(),
            unserved: unserved.count(),
            engine: before.until(after, seen.user_bytes),
            process: ProcessResult {
                cpu_s: cpu.as_secs_f64(),
                cpu_us_per_operation: ratio(cpu_us, seen.operations),
                rss_bytes,
                rss_peak_bytes,
            },
            seen,
            samples,
        }
    }

    fn recorder(&self) -> Recorder {
        Recorder::new(self.stage.workload.kinds(), self.window, self.slices.clone())
    }

    fn client(&self, workload: &dyn Workload, number: usize) -> Result<(), Error> {
        let mut client = Client::new(number, self.stage.parameters.seed, self.recorder());
        let mut work = || {
            while let Some(intended) = self.pace.next(self.window.end, &self.over) {
                if self.over.load(Ordering::Relaxed) {
                    break;
                }
                client.begin(intended);
                workload.step(&mut client)?;
            }
            Ok(())
        };
        let worked = work();
        self.ended(client, worked)
    }

    fn side(&self, workload: &dyn Workload, number: usize) -> Result<(), Error> {
        // Sides draw other numbers than clients.
        let mut client = Client::new(number, !self.stage.parameters.seed, self.recorder());
        let seen = workload.side(&mut client, &self.end);
        self.ended(client, seen)
    }

    fn ended(&self, client: Client, worked: Result<(), Error>) -> Result<(), Error> {
        if worked.is_err() {
            self.over.store(true, Ordering::Relaxed);
        }
        let mut recorders = self.recorders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        recorders.push(client.recorder);
        worked
    }

    /// Looks at the engine from the beginning of the measured time to its end, and listens for the word to stop.
    fn watch(&self, progress: &Progress) -> Result<Watched, Error> {
        let store = &self.stage.ground.store;
        let all = self.window.end.saturating_duration_since(Instant::now());
        progress.begin("run", Unit::Time, millis(all));
        let pause = |until: Instant| {
            let left = until.saturating_duration_since(Instant::now());
            self.stage.stop.pause(left.min(Duration::from_millis(100)));
            let left = self.window.end.saturating_duration_since(Instant::now());
            progress.at(millis(all.saturating_sub(left)));
            if self.stage.is_stopped() {
                self.over.store(true, Ordering::Relaxed);
            }
            !self.over.load(Ordering::Relaxed)
        };
        while Instant::now() < self.window.start && pause(self.window.start) {}
        process::forget_peak();
        let before = Reading::take(store)?;
        let gap = (self.window.end - self.window.start) / SAMPLES_MAX;
        let gap = gap.max(Duration::from_millis(SAMPLE_MS_MIN));
        let (mut samples, mut next) = (Vec::new(), self.window.start);
        while Instant::now() < self.window.end && !self.over.load(Ordering::Relaxed) {
            if Instant::now() >= next {
                samples.push(before.sample(store, self.window.start)?);
                next += gap;
            }
            if !pause(next.min(self.window.end)) {
                break;
            }
        }
        let end = if self.stage.is_stopped() { Instant::now().min(self.window.end) } else { self.window.end };
        Ok(Watched { before, samples, end })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
