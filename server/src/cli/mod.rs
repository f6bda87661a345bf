//! The command line: `dateline COMMAND`.
//!
//! stdout carries data, stderr talk; `--json` turns both into JSON. A command is a file of this folder with its
//! arguments and a `run`, one variant of [`Command`], and one line of `dispatch`.

mod backup;
mod bench;
pub mod client;
mod columns;
mod config;
mod demo;
mod export;
mod feed;
mod first_start;
mod import;
mod init;
mod inside;
pub mod outcome;
pub mod output;
mod pass;
mod percent;
pub mod place;
mod progress;
mod queue;
mod reach;
pub mod serve;
mod signals;
mod tell;
mod token;
mod user;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use outcome::{Exit, Failure};
use output::Output;

/// Documents, one log, search, places and streams in one program.
#[derive(Parser)]
#[command(name = "dateline", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Print data and errors as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is told to stop
    Serve(serve::Args),
    /// Show the program at work: temporary data, simulated devices, a map
    Demo(demo::Args),
    /// Create an empty data directory
    Init(init::Args),
    /// Make documents of the rows of a file
    Import(import::Args),
    /// Write the documents of a collection to a file
    Export(export::Args),
    /// The log as lines, and named feeds: tail, list, reset, remove
    Feed(feed::Args),
    /// Compare log, documents, search index and geo matcher
    Verify(verify::Args),
    /// Backups: create, list, verify, prune, restore
    Backup(backup::Args),
    /// The queue: lanes, jobs and schedules
    Queue(queue::Args),
    /// The storage laboratory: workloads, latencies, amplification, comparisons
    Bench(bench::Args),
    /// Users: add, list, passwd, remove
    User(user::Args),
    /// API keys: create, list, revoke
    Token(token::Args),
    /// Configuration: show, check
    Config(config::Args),
    /// The OpenAPI document of this program
    Openapi,
    /// Completions for a shell
    Completions(tell::CompletionsArgs),
    /// The version of this program and of its formats
    Version,
}

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os()).into()
}

/// Runs the program with these arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not errors; clap knows which stream they belong to.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return if error.print().is_ok() { exit } else { Exit::Error };
        }
    };
    let output = Output::new(cli.json);
    match dispatch(cli.command, &output) {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            output.failure(&failure);
            failure.exit
        }
    }
}

fn dispatch(command: Command, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args, output),
        Command::Demo(args) => demo::run(args, output),
        Command::Init(args) => init::run(args, output),
        Command::Import(args) => import::run(args, output),
        Command::Export(args) => export::run(args, output),
        Command::Feed(args) => feed::run(args, output),
        Command::Verify(args) => verify::run(args, output),
        Command::Backup(args) => backup::run(args, output),
        Command::Queue(args) => queue::run(args, output),
        Command::Bench(args) => bench::run(args, output),
        Command::User(args) => user::run(args, output),
        Command::Token(args) => token::run(args, output),
        Command::Config(args) => config::run(args, output),
        Command::Openapi => tell::openapi(output),
        Command::Completions(args) => tell::completions(args, Cli::command()),
        Command::Version => tell::version(output),
    }
}

#[cfg(test)]
mod tests;
