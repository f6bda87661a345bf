//! `dateline-tools queues`: the queue over its network interface, beside Redis Streams and beanstalkd in one run.
//!
//! Every product is set so that an answer means "on disk" (`appendfsync always`, `-f 0`), listens on loopback, keeps its
//! files in the same directory, and is asked by the same clients: one connection each, one request or batch at a
//! time, jobs of the same size. A batch is what the product has for it: one request here, pipelined commands there.

mod beanstalkd;
mod dateline;
mod load;
mod peer;
mod pipe;
mod redis;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::program::{self, Scratch};
use crate::table;
use load::{Measured, Shape};
use peer::Peer;

/// Arguments of `queues`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How long each case is measured
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The program; without it the one beside this tool
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Directory whose disk is used; the one for temporary files without it
    #[arg(long, value_name = "DIR")]
    temp: Option<PathBuf>,
    /// Only the cases whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
    /// Write the table between the `queues` markers of this file
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
}

/// What is asked of each product.
const CASES: [(&str, Shape); 6] = [
    ("enqueue, 1 client", Shape { producers: 1, consumers: 0, batch: 1 }),
    ("enqueue, 64 clients", Shape { producers: 64, consumers: 0, batch: 1 }),
    ("enqueue, 8 clients, batches of 50", Shape { producers: 8, consumers: 0, batch: 50 }),
    ("full cycle, 32 + 32 clients", Shape { producers: 32, consumers: 32, batch: 1 }),
    ("full cycle, 64 + 64 clients", Shape { producers: 64, consumers: 64, batch: 1 }),
    ("full cycle, 4 + 4 clients, batches of 50", Shape { producers: 4, consumers: 4, batch: 50 }),
];

/// Measures every case with every product that is installed, and prints the table.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let scratch = Scratch::new(args.temp.as_deref(), "queues")?;
    let binary = args.program.clone().map_or_else(program::beside, Ok)?;
    // The clients share the machine with what they measure: one thread is enough to keep it busy.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    let took = Duration::from_secs(args.seconds.max(1));
    let mut text = format!("{}\n\n", table::machine("Jobs of 1 KB"));
    let _ = writeln!(text, "| case | Dateline | Redis Streams | beanstalkd |");
    let _ = writeln!(text, "|---|---|---|---|");
    let asked = CASES.iter().enumerate().filter(|(_, (case, _))| case.contains(&args.case));
    for (number, (case, shape)) in asked {
        let _ = write!(text, "| {case} |");
        for kind in peer::KINDS {
            // A new directory for each: nobody pays for what another case has left.
            let dir = scratch.path().join(format!("{number}-{}", kind.name()));
            program::work_dir(&dir)?;
            let peer = runtime.block_on(Peer::start(kind, &binary, &dir))?;
            let measured = runtime.block_on(load::run(&peer, *shape, took))?;
            println!("{case}: {} {measured}", kind.name());
            let _ = write!(text, " {measured} |");
            drop(peer);
            let _ = std::fs::remove_dir_all(&dir);
        }
        text.push('\n');
    }
    println!("\n{text}");
    match &args.readme {
        Some(readme) => table::put(readme, "queues", &text),
        None => Ok(()),
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |took: Duration| took.as_secs_f64() * 1e3;
        write!(out, "{:.0}/s ({:.2} / {:.2} ms)", self.per_s, ms(self.median), ms(self.p99))
    }
}
