//! `dateline-tools restart`: how long a start takes after kill -9, with many documents.
//!
//! The documents come over HTTP, are indexed for search, and the program is killed in the middle of further writes. A start
//! ends when a document is answered.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args as ClapArgs;
use serde_json::{Value, json};

use crate::program::{self, Program, Scratch};
use crate::wire::{Site, Wire};

/// Arguments of `restart`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How many documents
    #[arg(long, default_value_t = 1_000_000)]
    documents: u64,
    /// How many starts
    #[arg(long, default_value_t = 5)]
    starts: u32,
    /// The program; without it the one beside this tool
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Directory whose disk is used; the one for temporary files without it
    #[arg(long, value_name = "DIR")]
    temp: Option<PathBuf>,
}

/// Documents of one request.
const BATCH: u64 = 1_000;

/// Prints a line for each start.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let scratch = Scratch::new(args.temp.as_deref(), "restart")?;
    let binary = args.program.clone().map_or_else(program::beside, Ok)?;
    let program = Program::new(&binary, scratch.path().join("data"), scratch.path().join("program.log"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| e.to_string())?.block_on(starts(&program, args))
}

async fn starts(program: &Program, args: &Args) -> Result<(), String> {
    let (mut running, url, _) = program.start()?;
    let mut wire = Site::sign_in(&url).await?.connect().await?;
    let fields = json!({"title": {"type": "text"}, "text": {"type": "text"}});
    let cars = json!({"name": "cars", "indexes": [["number"]], "search": {"fields": fields}});
    wire.post("/api/collections", "application/json", cars.to_string().into()).await?;
    let began = Instant::now();
    let mut next = 0;
    while next < args.documents {
        next = write(&mut wire, next).await?;
        if next.is_multiple_of(100_000) {
            println!("{next} documents after {:.1} s", began.elapsed().as_secs_f64());
        }
    }
    let mut times = Vec::new();
    for start in 1..=args.starts {
        // What is killed has just written, and its followers are behind.
        for _ in 0..5 {
            next = write(&mut wire, next).await?;
        }
        running.kill();
        let began = Instant::now();
        let (again, url, listening) = program.start()?;
        running = again;
        wire = Site::sign_in(&url).await?.connect().await?;
        let last = wire.get(&format!("/api/cars/{}", id(next - 1))).await?;
        let took = began.elapsed();
        if last["number"] != json!(next - 1) {
            return Err(format!("the last acknowledged document is not there: {last}"));
        }
        println!(
            "start {start}: listening after {} ms, a document (after a sign-in) after {} ms",
            listening.as_millis(),
            took.as_millis()
        );
        times.push(listening);
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let slowest = times.last().copied().unwrap_or_default();
    let ms = |took: Duration| took.as_millis();
    println!("{next} documents: median {} ms, slowest {} ms until it listens", ms(median), ms(slowest));
    Ok(())
}

fn id(number: u64) -> String {
    format!("car-{number:09}")
}

/// One array of documents, on disk when it returns; the number of the next one.
async fn write(wire: &mut Wire, from: u64) -> Result<u64, String> {
    let to = from + BATCH;
    let documents: Vec<Value> = (from..to)
        .map(|number| {
            let title = format!("Car number {number} of the city");
            let text = format!(
                "runs {} thousand, colour {}, {}",
                number % 300,
                number % 17,
                "well kept ".repeat(20)
            );
            json!({"_id": id(number), "number": number, "title": title, "text": text})
        })
        .collect();
    let body = Bytes::from(Value::from(documents).to_string());
    wire.post("/api/cars", "application/json", body).await?;
    Ok(to)
}
