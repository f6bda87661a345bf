//! `dateline-tools queue-head`: what the next job costs after millions have passed through.
//!
//! A queue in a log-structured store leaves a tombstone for each job that is done, and whoever looks for the oldest job
//! walks over them. Here jobs pass through a lane in batches and are completed; now and then one job is added and the
//! time is taken until it is leased. Beside it plain RocksDB with its defaults does the same as such queues are usually
//! built: a key per job in order of arrival, deleted when done, the head found by a seek to the first key.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use dateline_engine::{
    Ack, Durability, Holder, LeaseRequest, LeaseTerm, LeasedJob, NewJob, Options, Store, Transaction,
};
use plotters::prelude::*;
use rocksdb::{DB, IteratorMode, WriteBatch};

use crate::program::Scratch;

/// Arguments of `queue-head`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How many jobs pass through
    #[arg(long, default_value_t = 10_000_000)]
    jobs: u64,
    /// How often the head is measured
    #[arg(long, default_value_t = 40)]
    points: u64,
    /// Directory whose disk is used; the one for temporary files without it
    #[arg(long, value_name = "DIR")]
    temp: Option<PathBuf>,
    /// Draw the curve into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Jobs that pass through at once.
const BATCH: usize = 500;
const LANE: &str = "bench";
const PAYLOAD: [u8; 128] = [b'x'; 128];
/// Times the head is looked for at a point; a seek over tombstones takes long enough.
const LOOKS: usize = 21;
const SEEKS: usize = 5;

/// One point of a curve: jobs that have passed, and the median time of a look.
type Point = (u64, Duration);

/// Prints the curve, and draws it where asked.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let scratch = Scratch::new(args.temp.as_deref(), "queue-head")?;
    let step = (args.jobs / args.points.max(1)).max(BATCH as u64);
    let engine = engine(&scratch.path().join("engine"), args.jobs, step).map_err(|e| e.to_string())?;
    let plain = plain(&scratch.path().join("rocksdb"), args.jobs, step).map_err(|e| e.to_string())?;
    println!("| jobs passed | Dateline: lease | RocksDB: seek to first |");
    println!("|---|---|---|");
    for ((passed, ours), (_, theirs)) in engine.iter().zip(&plain) {
        println!("| {passed} | {:.1} us | {:.1} us |", us(*ours), us(*theirs));
    }
    args.svg.as_deref().map_or(Ok(()), |path| draw(path, &engine, &plain))
}

fn us(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn engine(dir: &Path, jobs: u64, step: u64) -> Result<Vec<Point>, Box<dyn Error>> {
    let store = Store::open(dir, Options::new())?;
    let (mut points, mut passed) = (Vec::new(), 0);
    let began = Instant::now();
    while passed <= jobs {
        let mut times = Vec::new();
        for _ in 0..LOOKS {
            add(&store, 1)?;
            let began = Instant::now();
            let leased = lease(&store)?;
            times.push(began.elapsed());
            complete(&store, leased)?;
        }
        points.push((passed, median(times)));
        println!("Dateline: {passed} jobs after {:.0} s", began.elapsed().as_secs_f64());
        let next = passed + step;
        while passed < next {
            add(&store, BATCH)?;
            passed += complete(&store, lease(&store)?)? as u64;
        }
    }
    drop(store);
    let began = Instant::now();
    drop(Store::open(dir, Options::new())?);
    println!("Dateline: opened again in {} ms", began.elapsed().as_millis());
    Ok(points)
}

fn add(store: &Store, jobs: usize) -> Result<(), Box<dyn Error>> {
    let add = |transaction: Transaction, _| transaction.enqueue(NewJob::new(LANE, PAYLOAD.to_vec()));
    store.commit((0..jobs).fold(Transaction::new(Durability::Buffered), add))?;
    Ok(())
}

fn lease(store: &Store) -> Result<Vec<LeasedJob>, Box<dyn Error>> {
    let term = LeaseTerm::new(Duration::from_secs(60))?;
    let wait = Duration::from_secs(5);
    let request = LeaseRequest { lane: LANE.to_owned(), max: BATCH, term, holder: Holder::Process, wait };
    Ok(store.queue().lease(&request)?)
}

fn complete(store: &Store, jobs: Vec<LeasedJob>) -> Result<usize, Box<dyn Error>> {
    let count = jobs.len();
    let (tell, told) = channel();
    let acks = jobs.into_iter().map(|job| Ack { lease: job.lease, result: None }).collect();
    // The receiver waits below; nobody else could be told.
    store.queue().submit_acks(acks, move |done| drop(tell.send(done)));
    let done = told.recv()??;
    assert!(done.iter().all(|done| *done), "every lease holds");
    Ok(count)
}

fn plain(dir: &Path, jobs: u64, step: u64) -> Result<Vec<Point>, rocksdb::Error> {
    let db = DB::open_default(dir)?;
    let (mut points, mut first, mut next) = (Vec::new(), 0_u64, 0_u64);
    let began = Instant::now();
    let look = || db.iterator(IteratorMode::Start).next().transpose();
    while first <= jobs {
        db.put(next.to_be_bytes(), PAYLOAD)?;
        next += 1;
        let mut times = Vec::new();
        for _ in 0..SEEKS {
            let began = Instant::now();
            assert!(look()?.is_some(), "one job waits");
            times.push(began.elapsed());
        }
        points.push((first, median(times)));
        println!("RocksDB: {first} jobs after {:.0} s", began.elapsed().as_secs_f64());
        let end = first + step;
        while first < end {
            let (mut puts, mut deletes) = (WriteBatch::default(), WriteBatch::default());
            for _ in 0..BATCH {
                puts.put(next.to_be_bytes(), PAYLOAD);
                next += 1;
            }
            db.write(puts)?;
            while first < next {
                deletes.delete(first.to_be_bytes());
                first += 1;
            }
            db.write(deletes)?;
        }
    }
    Ok(points)
}

fn draw(path: &Path, engine: &[Point], plain: &[Point]) -> Result<(), String> {
    let last = engine.last().map_or(1, |point| point.0);
    let all = engine.iter().chain(plain).map(|point| us(point.1));
    let top = all.clone().fold(1.0, f64::max) * 1.5;
    let bottom = all.fold(f64::MAX, f64::min).max(0.1) / 1.5;
    let root = SVGBackend::new(path, (900, 420)).into_drawing_area();
    let drawn = (|| {
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .margin(16)
            .x_label_area_size(42)
            .y_label_area_size(70)
            .caption("Finding the next job", ("sans-serif", 20))
            .build_cartesian_2d(0.0..last as f64 / 1e6, (bottom..top).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("jobs that have passed through, millions")
            .y_desc("microseconds, median")
            .draw()?;
        for (name, points, colour) in [("Dateline", engine, &BLUE), ("RocksDB, seek to first", plain, &RED)] {
            let line = points.iter().map(|(passed, took)| (*passed as f64 / 1e6, us(*took)));
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
        root.present()
    })();
    drawn.map_err(|e: DrawingAreaErrorKind<_>| format!("{}: {e}", path.display()))
}
