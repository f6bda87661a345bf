//! `dateline feed`: the log as lines, and the named feeds that consumers share.

mod tail;

use clap::{Args as ClapArgs, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::outcome::Failure;
use super::output::Output;
use super::percent;
use super::place::PlaceArgs;
use super::reach::Reach;

/// Arguments of `feed`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print changes as they happen, one JSON object a line
    Tail(tail::TailArgs),
    /// Named feeds: how far behind each is, and how many of its partitions a consumer has
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Begin a named feed elsewhere in the log; leases of before are lost
    Reset {
        /// The feed
        name: String,
        /// now, earliest, a log sequence or EPOCH-SEQ
        from: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Remove a named feed and its positions
    Remove {
        /// The feed
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Tail(args) => tail::run(&args, output),
        Command::List { place } => Reach::with(&place, output, |client| list(client, output)),
        Command::Reset { name, from, place } => {
            Reach::with(&place, output, |client| reset(client, &name, &from, output))
        }
        Command::Remove { name, place } => {
            Reach::with(&place, output, |client| remove(client, &name, output))
        }
    }
}

fn list(client: &Client, output: &Output) -> Result<(), Failure> {
    let body = client.call(Method::GET, "/api/feeds", None)?;
    for feed in body.get("_items").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| feed.get(name).and_then(Value::as_str).unwrap_or("-");
        let number = |name: &str| feed.get(name).and_then(Value::as_u64).unwrap_or(0);
        let words = format!(
            "{} user {} partitions {} leased {} lag {}",
            text("name"),
            text("user"),
            number("partitions"),
            number("leased"),
            number("lag")
        );
        output.data(words, feed)?;
    }
    Ok(())
}

fn address(name: &str) -> String {
    format!("/api/feeds/{}", percent::encode(name))
}

fn reset(client: &Client, name: &str, from: &str, output: &Output) -> Result<(), Failure> {
    let path = format!("{}/reset", address(name));
    let feed = client.call(Method::POST, &path, Some(&json!({"from": from})))?;
    let from = feed.get("from").and_then(Value::as_u64).unwrap_or(0);
    output.data(format!("{name} begins after sequence {from}"), &feed)
}

fn remove(client: &Client, name: &str, output: &Output) -> Result<(), Failure> {
    client.call(Method::DELETE, &address(name), None)?;
    output.data(format!("removed {name}"), &json!({"name": name, "removed": true}))
}
