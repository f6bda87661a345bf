//! `dateline-tools publish`: the publishing chain from outside, from the request that publishes to the receiver that has it.
//!
//! Each case starts the program anew, with subscribers who get everything and a receiver in this process. Lanes are paused
//! while the work of a case is laid out, so that what is measured is one stage and not what feeds it.

mod newsroom;
mod receiver;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;

use crate::program::{self, Scratch};
use crate::table;
use newsroom::{Newsroom, Shape};
use receiver::Receiver;

/// Arguments of `publish`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Items of the cases that count items a second
    #[arg(long, default_value_t = 2_000)]
    items: usize,
    /// Items of the cases that take times
    #[arg(long, default_value_t = 200)]
    timed: usize,
    /// The program; without it the one beside this tool
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Directory whose disk is used; the one for temporary files without it
    #[arg(long, value_name = "DIR")]
    temp: Option<PathBuf>,
    /// Only the cases whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
    /// Write the table between the `publish` markers of this file
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
}

/// How often lanes are looked at.
const LOOK: Duration = Duration::from_millis(1);
/// Items of the case with dead destinations come so often.
const PACE: Duration = Duration::from_millis(100);

/// Items that the dead ones have waiting.
const URGENT: usize = 10;

/// A case: its name, what it shows, its budget.
type Case = (&'static str, &'static str, fn(&Args, &Path, &Path) -> Result<String, String>);

const CASES: [Case; 4] = [
    ("exchange, 20 recipients", "2,000 items/s", exchange),
    ("published until 1,000 rows are on disk", "p99 below 50 ms", rows),
    ("HTTP push, 20 destinations", "5,000/s", deliveries),
    ("20 living destinations beside 1,000 dead ones", "as without them", beside_dead),
];

/// Measures every case and prints the table.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let scratch = Scratch::new(args.temp.as_deref(), "publish")?;
    let binary = args.program.clone().map_or_else(program::beside, Ok)?;
    let mut text =
        format!("{}\n\n| case | measured | budget |\n|---|---|---|\n", table::machine("Items of 2 KB"));
    let asked = CASES.iter().enumerate().filter(|(_, (case, ..))| case.contains(&args.case));
    for (number, (case, budget, measure)) in asked {
        let dir = scratch.path().join(number.to_string());
        program::work_dir(&dir)?;
        let measured = measure(args, &binary, &dir)?;
        println!("{case}: {measured}");
        let _ = writeln!(text, "| {case} | {measured} | {budget} |");
        let _ = std::fs::remove_dir_all(&dir);
    }
    println!("\n{text}");
    match &args.readme {
        Some(readme) => table::put(readme, "publish", &text),
        None => Ok(()),
    }
}

/// Clients share the machine with what they measure: one thread is enough for them.
fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| e.to_string())?.block_on(work)
}

/// Items a second through the exchange: requests wait in lane `publish`, rows stay in lane `transmit`.
fn exchange(args: &Args, binary: &Path, dir: &Path) -> Result<String, String> {
    block_on(async {
        let receiver = Receiver::start()?;
        let room =
            Newsroom::open(binary, dir, &receiver, Shape { subscribers: 20, destinations: 1, dead: 0 })
                .await?;
        room.pause("publish").await?;
        room.pause("transmit").await?;
        room.publish_many(args.items).await?;
        let began = Instant::now();
        room.resume("publish").await?;
        room.drained("publish", LOOK).await?;
        let seconds = began.elapsed().as_secs_f64();
        let items = args.items as f64;
        Ok(format!("{:.0} items/s, {:.0} rows/s", items / seconds, items * 20.0 / seconds))
    })
}

/// From the answer to whoever publishes until every row of the item is on disk.
fn rows(args: &Args, binary: &Path, dir: &Path) -> Result<String, String> {
    block_on(async {
        let receiver = Receiver::start()?;
        let room =
            Newsroom::open(binary, dir, &receiver, Shape { subscribers: 100, destinations: 10, dead: 0 })
                .await?;
        room.pause("transmit").await?;
        let mut times = Vec::new();
        for number in 0..args.timed {
            let mut wire = room.connect().await?;
            let item = newsroom::made(&mut wire, number, 3).await?;
            newsroom::published(&mut wire, &item).await?;
            let began = Instant::now();
            room.drained("publish", LOOK).await?;
            times.push(began.elapsed());
        }
        Ok(percentiles(times))
    })
}

/// Deliveries a second: their rows wait in lane `transmit`.
fn deliveries(args: &Args, binary: &Path, dir: &Path) -> Result<String, String> {
    block_on(async {
        let receiver = Receiver::start()?;
        let room =
            Newsroom::open(binary, dir, &receiver, Shape { subscribers: 20, destinations: 1, dead: 0 })
                .await?;
        room.pause("transmit").await?;
        room.publish_many(args.items).await?;
        room.drained("publish", LOOK).await?;
        let began = Instant::now();
        room.resume("transmit").await?;
        receiver.wait(args.items * 20).await?;
        let arrived = began.elapsed().as_secs_f64();
        room.drained("transmit", LOOK).await?;
        let settled = began.elapsed().as_secs_f64();
        let all = (args.items * 20) as f64;
        Ok(format!("{:.0}/s arrive, {:.0}/s are settled", all / arrived, all / settled))
    })
}

/// From the answer to whoever publishes until each of 20 living receivers has the item, without and with dead ones that
/// have rows waiting.
fn beside_dead(args: &Args, binary: &Path, dir: &Path) -> Result<String, String> {
    let measure = |dead: usize| {
        let dir = dir.join(dead.to_string());
        block_on(async move {
            program::work_dir(&dir)?;
            let receiver = Receiver::start()?;
            let shape = Shape { subscribers: 20, destinations: 1, dead };
            let room = Newsroom::open(binary, &dir, &receiver, shape).await?;
            let mut wire = room.connect().await?;
            for number in 0..URGENT {
                let item = newsroom::made(&mut wire, number, 1).await?;
                newsroom::published(&mut wire, &item).await?;
            }
            receiver.wait(URGENT * 20).await?;
            let mut times = Vec::new();
            for number in 0..args.timed {
                let due = Instant::now() + PACE;
                let item = newsroom::made(&mut wire, number, 3).await?;
                newsroom::published(&mut wire, &item).await?;
                let began = Instant::now();
                receiver.wait((URGENT + number + 1) * 20).await?;
                times.push(began.elapsed());
                tokio::time::sleep_until(due.into()).await;
            }
            Ok(percentiles(times))
        })
    };
    let without = measure(0)?;
    let beside = measure(1_000)?;
    Ok(format!("{beside}; without: {without}"))
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    format!("p50 {:.1} ms, p99 {:.1} ms", ms(at(50)), ms(at(99)))
}
