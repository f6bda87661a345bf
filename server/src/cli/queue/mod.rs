//! `dateline queue`: lanes, jobs and schedules, of a running server or of a directory.

mod jobs;
mod lanes;

use clap::{Args as ClapArgs, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::client::Client;
use super::columns::{self, cell};
use super::outcome::Failure;
use super::output::Output;
use super::place::PlaceArgs;
use super::reach::Reach;

/// Arguments of `queue`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every lane and what stands in it
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Give no more leases in a lane
    Pause(LaneArgs),
    /// Give leases in a lane again
    Resume(LaneArgs),
    /// Give every dead job of a lane a fresh set of attempts
    Redrive(LaneArgs),
    /// Cancel every job of a lane that is in a state
    Purge(lanes::PurgeArgs),
    /// List jobs
    Jobs(jobs::ListArgs),
    /// Add a job; prints its id
    Add(jobs::AddArgs),
    /// Show a job
    Show(jobs::ShowArgs),
    /// Cancel a job
    Cancel(JobArgs),
    /// Give a dead job a fresh set of attempts
    Retry(JobArgs),
    /// Schedules and when they come next
    Schedules {
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(ClapArgs)]
struct LaneArgs {
    /// The lane
    lane: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(ClapArgs)]
struct JobArgs {
    /// The job
    id: String,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::List { place } => Reach::with(&place, output, |client| lanes::list(client, output)),
        Command::Pause(LaneArgs { lane, place }) => {
            Reach::with(&place, output, |client| lanes::set_paused(client, &lane, true, output))
        }
        Command::Resume(LaneArgs { lane, place }) => {
            Reach::with(&place, output, |client| lanes::set_paused(client, &lane, false, output))
        }
        Command::Redrive(LaneArgs { lane, place }) => {
            Reach::with(&place, output, |client| lanes::redrive(client, &lane, output))
        }
        Command::Purge(args) => {
            Reach::with(&args.place, output, |client| lanes::purge(client, &args, output))
        }
        Command::Jobs(args) => Reach::with(&args.place, output, |client| jobs::list(client, &args, output)),
        Command::Add(args) => {
            let job = args.job()?;
            Reach::with(&args.place, output, |client| jobs::add(client, &job, output))
        }
        Command::Show(args) => Reach::with(&args.place, output, |client| jobs::show(client, &args, output)),
        Command::Cancel(JobArgs { id, place }) => {
            Reach::with(&place, output, |client| jobs::cancel(client, &id, output))
        }
        Command::Retry(JobArgs { id, place }) => {
            Reach::with(&place, output, |client| jobs::retry(client, &id, output))
        }
        Command::Schedules { place } => Reach::with(&place, output, |client| schedules(client, output)),
    }
}

fn schedules(client: &Client, output: &Output) -> Result<(), Failure> {
    let found = pages(client, "/api/schedules?sort=name", usize::MAX)?;
    columns::write(
        output,
        &found,
        &[
            ("schedule", &|item| cell(item, "name")),
            ("cron", &|item| cell(item, "cron")),
            ("time zone", &|item| cell(item, "time_zone")),
            ("lane", &|item| cell(item, "lane")),
            ("last", &|item| cell(item, "last_at")),
            ("next", &|item| match item.get("paused").and_then(Value::as_bool) {
                Some(true) => "paused".to_owned(),
                _ => cell(item, "next_at"),
            }),
        ],
    )
}

/// Items of a list, page by page, at the most so many.
fn pages(client: &Client, path: &str, most: usize) -> Result<Vec<Value>, Failure> {
    const PAGE: usize = 500;
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut items = Vec::new();
    for page in 1.. {
        let wanted = PAGE.min(most);
        let body =
            client.call(Method::GET, &format!("{path}{joint}max_results={wanted}&page={page}"), None)?;
        let found = body.get("_items").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_last = found.len() < wanted;
        items.extend(found);
        if is_last || items.len() >= most {
            break;
        }
    }
    items.truncate(most);
    Ok(items)
}
