//! Jobs: added, listed, shown, and taken out or tried again one at a time.

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
pub(super) struct ListArgs {
    /// Only this lane
    #[arg(long)]
    lane: Option<String>,
    /// scheduled, ready, leased, retrying, dead, done or cancelled; those not finished, and dead ones, without it
    #[arg(long)]
    state: Option<String>,
    /// At the most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

#[derive(ClapArgs)]
pub(super) struct AddArgs {
    /// The lane; it is made by its first job
    lane: String,
    /// What the worker gets: any JSON
    #[arg(value_name = "JSON")]
    payload: String,
    /// Not before so many seconds have passed
    #[arg(long, value_name = "SECONDS")]
    delay: Option<f64>,
    /// 0 to 15, the higher runs first
    #[arg(long)]
    priority: Option<u8>,
    /// Jobs of one group run one at a time, in order
    #[arg(long)]
    group: Option<String>,
    /// While an unfinished job of the lane has this key, that one is taken instead
    #[arg(long)]
    unique: Option<String>,
    /// After so many attempts the job is dead
    #[arg(long)]
    attempts: Option<u32>,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

#[derive(ClapArgs)]
pub(super) struct ShowArgs {
    /// The job
    id: String,
    /// Wait until it is done, dead or cancelled, at the most so long
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60))]
    wait: u64,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

impl AddArgs {
    /// # Errors
    /// 2 when the payload is no JSON.
    pub(super) fn job(&self) -> Result<Value, Failure> {
        let payload: Value = serde_json::from_str(&self.payload)
            .map_err(|error| Failure::usage(format!("the payload is no JSON: {error}; text needs quotes")))?;
        let mut job = json!({"lane": self.lane, "payload": payload});
        let members = [
            ("delay_s", self.delay.map(Value::from)),
            ("priority", self.priority.map(Value::from)),
            ("group", self.group.as_deref().map(Value::from)),
            ("unique", self.unique.as_deref().map(Value::from)),
            ("attempts", self.attempts.map(Value::from)),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                job[name] = value;
            }
        }
        Ok(job)
    }
}

pub(super) fn list(client: &Client, args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let given = |text: &Option<String>| percent::encode(text.as_deref().unwrap_or_default());
    let path = format!("/api/jobs?lane={}&state={}", given(&args.lane), given(&args.state));
    let found = pages(client, &path, usize::try_from(args.limit).unwrap_or(usize::MAX))?;
    columns::write(
        output,
        &found,
        &[
            ("job", &|item| cell(item, "_id")),
            ("lane", &|item| cell(item, "lane")),
            ("state", &|item| cell(item, "state")),
            ("attempt", &|item| cell(item, "attempt")),
            ("enqueued", &|item| cell(item, "enqueued")),
            ("due or finished", &|item| {
                cell(item, if item.get("finished").is_some() { "finished" } else { "due" })
            }),
            ("error", &|item| cell(item, "error")),
        ],
    )
}

pub(super) fn add(client: &Client, job: &Value, output: &Output) -> Result<(), Failure> {
    let added = client.call(Method::POST, "/api/jobs", Some(job))?;
    if added.get("held").and_then(Value::as_bool) == Some(true) {
        output.talk("there was one with this unique key already");
    }
    output.data(cell(&added, "_id"), &added)
}

pub(super) fn show(client: &Client, args: &ShowArgs, output: &Output) -> Result<(), Failure> {
    let mut job = client.call(Method::GET, &address(&args.id, &format!("?wait={}", args.wait)), None)?;
    if output.is_json() {
        return output.data("", &job);
    }
    let members = job.as_object_mut().map(std::mem::take).unwrap_or_default();
    let rows = members.into_iter().filter(|(name, value)| name != "_links" && !value.is_null());
    let rows: Vec<Value> = rows.map(|(name, value)| json!({"name": name, "value": value})).collect();
    columns::write(
        output,
        &rows,
        &[("member", &|row| cell(row, "name")), ("value", &|row| cell(row, "value"))],
    )
}

pub(super) fn cancel(client: &Client, id: &str, output: &Output) -> Result<(), Failure> {
    client.call(Method::DELETE, &address(id, ""), None)?;
    output.data(format!("cancelled {id}"), &json!({"_id": id, "state": "cancelled"}))
}

pub(super) fn retry(client: &Client, id: &str, output: &Output) -> Result<(), Failure> {
    let told = client.call(Method::POST, &address(id, "/retry"), None)?;
    output.data(format!("{id}: {}", cell(&told, "state")), &told)
}

fn address(id: &str, then: &str) -> String {
    format!("/api/jobs/{}{then}", percent::encode(id))
}
