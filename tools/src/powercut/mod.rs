//! `dateline-tools powercut`: cuts the power of a disk under the running program, again and again.
//!
//! Writers send documents, arrays, buffered documents, jobs and positions over HTTP and keep books outside the disk.
//! At a random moment the disk loses its power, the program is killed, the disk comes back, the program starts again,
//! and everything it has is held against the books: what was acknowledged is there, nothing that nobody sent is, an
//! array is there whole or not at all, buffered writes are lost only from the end, no job is lost or completed twice,
//! and `verify` finds nothing. One cut in four comes while the program is still starting, one in
//! eight while everything is buffered.
//!
//! Needs root, for the loop device. The seed decides the work and the moments; how far the work has come at a moment
//! is the machine's affair.

mod book;
mod check;
mod client;
mod disk;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use fastrand::Rng;
use serde_json::json;

use crate::program::{self, Program};
use book::{Book, Promised};
use client::Client;
use disk::Disk;

/// Arguments of `powercut`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How many cuts
    #[arg(long, default_value_t = 50)]
    cuts: u32,
    /// Seed of the work and the moments; a random one without it
    #[arg(long)]
    seed: Option<u64>,
    /// The program to cut; without it the one beside this tool
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Directory for the disk's image and the program's log; a temporary one without it, removed unless a cut went wrong
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Cuts before the disk is made anew
    #[arg(long, default_value_t = 10)]
    cuts_per_disk: u32,
    /// Writers at a time
    #[arg(long, default_value_t = 6)]
    writers: usize,
}

const DISK_MB: u64 = 1024;

/// One line of the table.
struct Row {
    cut: u32,
    during: &'static str,
    after: Duration,
    promised: Promised,
    found: check::Found,
    restart: Duration,
    verdict: &'static str,
}

/// Runs the cuts; the number of those after which something was wrong.
pub(crate) fn run(args: &Args) -> Result<u32, String> {
    if !disk::is_root() {
        return Err("powercut mounts a disk of its own and needs root: run it with sudo".to_owned());
    }
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("powercut: SEED={seed}, {} cuts", args.cuts);
    let work = args.work.clone();
    let work = work
        .unwrap_or_else(|| std::env::temp_dir().join(format!("dateline-powercut-{}", std::process::id())));
    program::work_dir(&work)?;
    let binary = args.program.clone().map_or_else(program::beside, Ok)?;
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    let (mut rows, mut rng) = (Vec::new(), Rng::with_seed(seed));
    while (rows.len() as u32) < args.cuts {
        let cuts = args.cuts_per_disk.max(1).min(args.cuts - rows.len() as u32);
        let mut disk = Disk::create(&work, DISK_MB)?;
        let program = Program::new(&binary, disk.path().join("data"), work.join("program.log"));
        runtime.block_on(one_disk(&mut disk, &program, args.writers, cuts, &mut rng, &mut rows))?;
    }
    let wrong = summary(&rows, seed, began.elapsed());
    if wrong == 0 && args.work.is_none() {
        // Only files of this run are in it.
        let _ = std::fs::remove_dir_all(&work);
    }
    Ok(wrong)
}

async fn one_disk(
    disk: &mut Disk,
    program: &Program,
    writers: usize,
    cuts: u32,
    rng: &mut Rng,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    let mut books: Vec<Book> = (0..writers).map(|writer| Book::new(writer, rng.u64(..))).collect();
    let (mut running, url, _) = program.start()?;
    let mut client = Client::sign_in(&url).await?;
    prepare(&client).await?;
    let mut since = client.read("/api/changes?since=0&limit=2000").await?["last_seq"].as_u64().unwrap_or(0);
    for _ in 0..cuts {
        let (during, longest_ms) = match rng.u8(..8) {
            0 | 1 => ("start", 300),
            2 => ("buffered", 500),
            _ => ("load", 3_000),
        };
        let after = Duration::from_millis(rng.u64(1..longest_ms));
        if during == "start" {
            running.kill();
            running = program.spawn()?;
            tokio::time::sleep(after).await;
            disk.cut()?;
        } else {
            books = load(&client, books, after, disk, during == "buffered").await?;
        }
        running.kill();
        disk.restore()?;
        let (again, url, restart) = program.start()?;
        running = again;
        client = Client::sign_in(&url).await?;
        let mut wrong = Vec::new();
        let found = match compare(&client, &mut books, &mut since, &mut wrong).await {
            Ok(found) => found,
            Err(reason) => {
                wrong.push(reason);
                check::Found::default()
            }
        };
        let promised =
            books.iter_mut().map(|book| std::mem::take(&mut book.promised)).fold(Promised::default(), add);
        let cut = rows.len() as u32 + 1;
        wrong.iter().take(20).for_each(|what| println!("cut {cut}: {what}"));
        let row = Row { cut, during, after, promised, found, restart, verdict: check::verdict(&wrong) };
        println!("{}", line(&row));
        rows.push(row);
        if !wrong.is_empty() {
            // What this disk holds is no longer known.
            break;
        }
    }
    running.kill();
    Ok(())
}

/// Everything that can be asked of a program after a cut.
async fn compare(
    client: &Client,
    books: &mut [Book],
    since: &mut u64,
    wrong: &mut Vec<String>,
) -> Result<check::Found, String> {
    let found = check::check(client, books, wrong).await?;
    *since = check::log(client, books, *since, wrong).await?;
    let known = books.iter().flat_map(|book| book.documents.values());
    let live = known.filter(|known| known.may_be != [None]).count() as u64;
    let total = check::total(&client.read("/api/cars?max_results=1").await?);
    if total.is_none_or(|total| total < live) {
        wrong.push(format!("the list has {total:?} documents, {live} are known without the buffered ones"));
    }
    Ok(found)
}

async fn prepare(client: &Client) -> Result<(), String> {
    let cars = json!({
        "name": "cars", "unique": [["plate"]], "indexes": [["n"]],
        "schema": {"plate": {"type": "string"}, "n": {"type": "integer"}, "filler": {"type": "string"}},
    });
    match client.call("POST", "/api/collections", &[], Some(&cars)).await {
        Ok(reply) if reply.status == 201 => Ok(()),
        Ok(reply) => Err(format!("the collection cars: {} {}", reply.status, reply.body)),
        Err(_) => Err("the collection cars: no answer".to_owned()),
    }
}

/// Lets every writer write, and cuts the power after a while.
async fn load(
    client: &Client,
    books: Vec<Book>,
    after: Duration,
    disk: &Disk,
    buffered: bool,
) -> Result<Vec<Book>, String> {
    let writers: Vec<_> = books
        .into_iter()
        .map(|mut book| {
            let client = client.clone();
            tokio::spawn(async move {
                // No answer counts after the cut, so this ends, and the book says what is open.
                let _ = book.write(&client, buffered).await;
                book
            })
        })
        .collect();
    tokio::time::sleep(after).await;
    client.power_off();
    disk.cut()?;
    let mut books = Vec::with_capacity(writers.len());
    for writer in writers {
        books.push(writer.await.map_err(|e| format!("a writer ended: {e}"))?);
    }
    Ok(books)
}

fn add(a: Promised, b: Promised) -> Promised {
    Promised {
        documents: a.documents + b.documents,
        jobs: a.jobs + b.jobs,
        done: a.done + b.done,
        fixes: a.fixes + b.fixes,
        buffered: a.buffered + b.buffered,
    }
}

fn line(row: &Row) -> String {
    let Promised { documents, jobs, done, fixes, buffered } = row.promised;
    format!(
        "cut {:>3} | {:<8} after {:>4} ms | kept: {documents:>5} documents {jobs:>4} jobs {done:>4} done {fixes:>4} fixes | \
         buffered {buffered:>4}, lost {:>3} | unanswered but done {:>2} | restart {:>5} ms | {}",
        row.cut,
        row.during,
        row.after.as_millis(),
        row.found.buffered_lost,
        row.found.unanswered,
        row.restart.as_millis(),
        row.verdict
    )
}

fn summary(rows: &[Row], seed: u64, took: Duration) -> u32 {
    let all = rows.iter().map(|row| row.promised).fold(Promised::default(), add);
    let wrong = rows.iter().filter(|row| row.verdict != "ok").count() as u32;
    let lost: u64 = rows.iter().map(|row| row.found.buffered_lost).sum();
    let slowest = rows.iter().map(|row| row.restart).max().unwrap_or_default();
    println!(
        "\n| cuts | acknowledged documents | jobs | completed | fixes | acknowledged but lost | buffered | lost from their end | slowest restart | cuts gone wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let kept = if wrong == 0 { "0".to_owned() } else { "see above".to_owned() };
    println!(
        "| {} | {} | {} | {} | {} | {kept} | {} | {lost} | {} ms | {wrong} |",
        rows.len(),
        all.documents,
        all.jobs,
        all.done,
        all.fixes,
        all.buffered,
        slowest.as_millis()
    );
    println!("\nSEED={seed}, {:.1} s per cut", took.as_secs_f64() / rows.len().max(1) as f64);
    wrong
}
