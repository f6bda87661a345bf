//! `dateline feed tail`: changes as lines, from some place in the log on.
//!
//! Promise: with `--resume` every change is printed at least once, whatever ends the command: the file is told a
//! place only after all lines before it were written. The place names the history it belongs to, so after a restore
//! or a trim the command ends with exit code 3 and says so; it never leaves anything out in silence.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as ClapArgs;
use hyper::Method;
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::outcome::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::percent;
use crate::cli::place::PlaceArgs;
use crate::cli::reach::Reach;

/// How long the server waits for a change before it answers that there is none.
const WAIT_S: u64 = 50;
/// Between two attempts to reach a server that was there before.
const PAUSE: Duration = Duration::from_secs(1);

/// Arguments of `feed tail`.
#[derive(ClapArgs)]
pub(super) struct TailArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Only changes of these collections, by comma [default: all that may be read]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    collections: Vec<String>,
    /// Only changes that leave a document that fits this condition, in JSON, as for where= of a list
    #[arg(long = "where", value_name = "JSON")]
    condition: Option<String>,
    /// Where to begin: now, earliest, a log sequence or EPOCH-SEQ
    #[arg(long, value_name = "PLACE", default_value = "now")]
    since: String,
    /// Go on from the place in this file, if there is one, and keep the place there
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Leave the documents out
    #[arg(long)]
    meta: bool,
    /// End at the end of the log instead of waiting for more
    #[arg(long)]
    once: bool,
}

pub(super) fn run(args: &TailArgs, output: &Output) -> Result<(), Failure> {
    if let Some(text) = &args.condition
        && !matches!(serde_json::from_str(text), Ok(Value::Object(_)))
    {
        return Err(Failure::usage("--where: expected a JSON object"));
    }
    Reach::with(&args.place, output, |client| follow(client, args, output))
}

fn follow(client: &Client, args: &TailArgs, output: &Output) -> Result<(), Failure> {
    let question = question(args);
    let mut place = match &args.resume {
        Some(file) => stored(file)?.unwrap_or_else(|| args.since.clone()),
        None => args.since.clone(),
    };
    let (mut was_there, mut is_gone) = (false, false);
    loop {
        let path = format!("/api/changes?since={}{question}", percent::encode(&place));
        let page = match client.call(Method::GET, &path, None) {
            Ok(page) => page,
            // A server that restarts is waited for; one that was never there is not.
            Err(failure) if was_there && !args.once && failure.exit == Exit::Unavailable => {
                if !is_gone {
                    output.talk(format!("{failure}; trying again"));
                }
                is_gone = true;
                std::thread::sleep(PAUSE);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        (was_there, is_gone) = (true, false);
        let next = print(&page)?;
        let has_moved = next != place;
        if let (Some(file), true) = (&args.resume, has_moved) {
            store(file, &next)?;
        }
        if args.once && !has_moved {
            return Ok(());
        }
        place = next;
    }
}

fn question(args: &TailArgs) -> String {
    let mut question = format!("&wait={}", if args.once { 0 } else { WAIT_S });
    if !args.meta {
        question.push_str("&include=doc");
    }
    if !args.collections.is_empty() {
        question = format!("{question}&collections={}", percent::encode(&args.collections.join(",")));
    }
    if let Some(condition) = &args.condition {
        question = format!("{question}&where={}", percent::encode(condition));
    }
    question
}

/// Writes the changes of a page; the place after them.
fn print(page: &Value) -> Result<String, Failure> {
    let strange = || Failure::error("the server answered with something that is no page of changes");
    let number = |name: &str| page.get(name).and_then(Value::as_u64).ok_or_else(strange);
    let (epoch, last) = (number("epoch")?, number("last_seq")?);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for change in page.get("changes").and_then(Value::as_array).ok_or_else(strange)? {
        writeln!(out, "{change}")?;
    }
    out.flush()?;
    Ok(format!("{epoch}-{last}"))
}

fn stored(file: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::error(format!("{}: {error}", file.display()))),
    }
}

/// Replaces the file in one step, so that a command that is killed leaves the old place or the new one.
fn store(file: &Path, place: &str) -> Result<(), Failure> {
    let told = |error: std::io::Error| Failure::error(format!("{}: {error}", file.display()));
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new().prefix(".dateline-feed-").tempfile_in(dir).map_err(told)?;
    writeln!(draft, "{place}").map_err(told)?;
    draft.as_file().sync_all().map_err(told)?;
    draft.persist(file).map_err(|error| told(error.error))?;
    Ok(())
}
