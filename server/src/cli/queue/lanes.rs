//! Lanes: what stands where, and what is done to all of it.

use clap::Args as ClapArgs;
use hyper::Method;
use serde_json::{Value, json};

use super::pages;
use crate::cli::client::Client;
use crate::cli::columns::{self, cell};
use crate::cli::outcome::Failure;
use crate::cli::output::Output;
use crate::cli::percent;
use crate::cli::place::PlaceArgs;

#[derive(ClapArgs)]
pub(super) struct PurgeArgs {
    /// The lane
    lane: String,
    /// scheduled, ready, leased, retrying or dead
    #[arg(long)]
    state: String,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

pub(super) fn list(client: &Client, output: &Output) -> Result<(), Failure> {
    let found = pages(client, "/api/queues", usize::MAX)?;
    columns::write(
        output,
        &found,
        &[
            ("lane", &|item| cell(item, "lane")),
            ("ready", &|item| cell(item, "ready")),
            ("leased", &|item| cell(item, "leased")),
            ("delayed", &|item| cell(item, "delayed")),
            ("retrying", &|item| cell(item, "retrying")),
            ("dead", &|item| cell(item, "dead")),
            ("oldest ready, s", &|item| cell(item, "oldest_ready_s")),
            ("", &|item| match item.get("paused").and_then(Value::as_bool) {
                Some(true) => "paused".to_owned(),
                _ => String::new(),
            }),
        ],
    )
}

pub(super) fn set_paused(client: &Client, lane: &str, paused: bool, output: &Output) -> Result<(), Failure> {
    let (verb, word) = if paused { ("pause", "paused") } else { ("resume", "goes on") };
    let told = client.call(Method::POST, &address(lane, verb), None)?;
    output.data(format!("{lane}: {word}"), &told)
}

pub(super) fn redrive(client: &Client, lane: &str, output: &Output) -> Result<(), Failure> {
    let count = in_steps(client, &address(lane, "redrive"), None, "redriven")?;
    output.data(format!("{lane}: {count} jobs get fresh attempts"), &json!({"lane": lane, "redriven": count}))
}

pub(super) fn purge(client: &Client, args: &PurgeArgs, output: &Output) -> Result<(), Failure> {
    let PurgeArgs { lane, state, .. } = args;
    let count = in_steps(client, &address(lane, "purge"), Some(&json!({"state": state})), "purged")?;
    output.data(
        format!("{lane}: {count} jobs cancelled"),
        &json!({"lane": lane, "state": state, "purged": count}),
    )
}

/// Asks until there is nothing left to change: one request changes a bounded number of jobs.
fn in_steps(client: &Client, path: &str, body: Option<&Value>, member: &str) -> Result<u64, Failure> {
    let mut count = 0;
    loop {
        let told = client.call(Method::POST, path, body)?;
        let step = told.get(member).and_then(Value::as_u64).unwrap_or(0);
        count += step;
        if step == 0 || told.get("more").and_then(Value::as_bool) != Some(true) {
            return Ok(count);
        }
    }
}

fn address(lane: &str, verb: &str) -> String {
    format!("/api/queues/{}/{verb}", percent::encode(lane))
}
