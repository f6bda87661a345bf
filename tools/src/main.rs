//! Tools for those who work on Dateline. `tools/bench` and `tests/README.md` say when each is used.

mod positions;
mod powercut;
mod program;
mod publish;
mod queue_head;
mod queues;
mod restart;
mod table;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "dateline-tools", about = "Tools for those who work on Dateline")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the measured table into a README between its markers
    Table {
        /// Where criterion writes
        criterion: PathBuf,
        /// The README
        readme: PathBuf,
    },
    /// Send positions to a running server: a made-up workload, or recorded tracks
    Positions(positions::Args),
    /// Measure the queue over HTTP beside Redis Streams and beanstalkd
    Queues(queues::Args),
    /// Measure the publishing chain: exchange, deliveries, and receivers that are dead
    Publish(publish::Args),
    /// Let millions of jobs pass and measure what the next one costs, beside plain RocksDB
    QueueHead(queue_head::Args),
    /// Kill the program with a million documents and measure until it serves again
    Restart(restart::Args),
    /// Cut the power of a disk under the running program, and check what comes back
    Powercut(powercut::Args),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Table { criterion, readme } => table::write(&criterion, &readme).map(|rows| {
            println!("{rows} rows");
            ExitCode::SUCCESS
        }),
        Command::Positions(arguments) => positions::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Queues(arguments) => queues::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Publish(arguments) => publish::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::QueueHead(arguments) => queue_head::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Restart(arguments) => restart::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Powercut(arguments) => powercut::run(&arguments)
            .map(|wrong| if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
    };
    done.unwrap_or_else(|reason| {
        eprintln!("{reason}");
        ExitCode::FAILURE
    })
}
