//! `dateline verify`: whether log, documents, look-ups, search and geo agree.
//!
//! Offline it opens the directory as a server would: the opening is counted, and followers that are behind come up to
//! the end of the log. Nothing else is written.

use clap::Args as ClapArgs;
use hyper::Method;
use serde_json::Value;

use super::client::Client;
use super::outcome::{Exit, Failure};
use super::output::Output;
use super::place::PlaceArgs;
use super::progress::{Progress, Unit};
use super::reach;
use crate::app::App;
use crate::verify;

/// Arguments of `verify`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    let (words, told) = match &args.place.data {
        Some(dir) => {
            reach::check_exists(dir)?;
            let app = App::builder().data(dir).open()?;
            let report = offline(&app, output);
            app.stop();
            let report = report?;
            (report.to_string(), report.to_json())
        }
        None => {
            let told = ask(&reach::client(&args.place)?)?;
            (words(&told), told)
        }
    };
    output.data(words, &told)?;
    match told.get("differences").and_then(Value::as_u64) {
        Some(0) => Ok(()),
        Some(count) => Err(Failure::error(format!("{count} differences"))),
        None => Err(Failure::error("the server's answer is not understood")),
    }
}

fn offline(app: &App, output: &Output) -> Result<verify::Report, Failure> {
    let progress = Progress::new(output, "verify", Unit::Items, 0);
    let mut part = "";
    let report = verify::check(app, &mut |name, done, total| {
        if part != name {
            part = name;
            progress.part(name, total);
        }
        progress.total(total);
        progress.at(done);
    });
    Ok(report?)
}

fn ask(client: &Client) -> Result<Value, Failure> {
    client.call(Method::GET, "/api/verify", None).map_err(|failure| match failure.exit {
        // An older server.
        Exit::NotFound => Failure::new(Exit::NotFound, "this server cannot verify"),
        _ => failure,
    })
}

/// A server's report as the offline one is written.
fn words(told: &Value) -> String {
    let mut lines = Vec::new();
    for (name, part) in told.get("parts").and_then(Value::as_object).into_iter().flatten() {
        let number = |field: &str| part.get(field).and_then(Value::as_u64).unwrap_or(0);
        let (checked, differences) = (number("checked"), number("differences"));
        lines.push(match differences {
            0 => format!("{name}: {checked} checked, all agree"),
            _ => format!("{name}: {checked} checked, {differences} differ"),
        });
        for first in part.get("first").and_then(Value::as_array).into_iter().flatten() {
            let text = |field: &str| first.get(field).and_then(Value::as_str).unwrap_or("");
            let (what, place) = (text("what"), text("where"));
            lines.push(format!("  {what} {place}: expected {}, found {}", text("expected"), text("found")));
        }
        let notes = part.get("notes").and_then(Value::as_array).into_iter().flatten();
        lines.extend(notes.filter_map(Value::as_str).map(|note| format!("  {note}")));
    }
    let seq = told.get("seq").and_then(Value::as_u64).unwrap_or(0);
    lines.push(match told.get("differences").and_then(Value::as_u64) {
        Some(0) => format!("everything agrees as of sequence {seq}"),
        count => format!("{} differences as of sequence {seq}", count.unwrap_or(0)),
    });
    lines.join("\n")
}
