//! `dateline import`: the rows of a file become documents of a collection, or fixes.
//!
//! A reader makes batches of rows, a few senders deliver them at a time, and one place counts what has been
//! acknowledged, in the order of the file. Memory is bounded: the reader waits for the senders.

mod batch;
mod csv_rows;
mod delivery;
mod geojson_rows;
mod lines;
mod mapping;
mod ndjson_rows;
mod rejects;
mod row;
mod source;
mod state;
#[cfg(test)]
mod tests;
mod transfer;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args as ClapArgs;
use serde_json::json;

use super::outcome::Failure;
use super::output::Output;
use super::place::PlaceArgs;
use super::reach::Reach;
use mapping::{Mapping, Wishes};
use source::{Format, Source};
use state::State;
use transfer::Transfer;

/// Arguments of `import`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Collection to write to; 'positions' takes fixes (device, lon, lat, at, speed, heading, accuracy, fields.*)
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Store COLUMN as FIELD (a.b nests); may be repeated. Other columns keep their names
    #[arg(long = "map", value_name = "FIELD=COLUMN")]
    map: Vec<String>,
    /// Column with the longitude in degrees; with --lat it becomes the location
    #[arg(long, value_name = "COLUMN", requires = "lat")]
    lon: Option<String>,
    /// Column with the latitude in degrees
    #[arg(long, value_name = "COLUMN", requires = "lon")]
    lat: Option<String>,
    /// Keep this field as text although it looks like a number; may be repeated
    #[arg(long = "text", value_name = "FIELD")]
    text: Vec<String>,
    /// How 'at' of positions is written, as for strptime, in UTC; without it RFC 3339 and its relatives
    #[arg(long, value_name = "PATTERN")]
    time_format: Option<String>,
    /// Form of the file [default: by its ending]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Go on where an interrupted import of this file has stopped
    #[arg(long)]
    resume: bool,
    /// The file: .csv, .tsv, .ndjson, .jsonl, .geojson
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    let started = Instant::now();
    let format = args.format.map_or_else(|| Format::of(&args.file), Ok)?;
    let mapping = Mapping::new(&Wishes {
        collection: &args.collection,
        map: &args.map,
        place: args.lon.as_deref().zip(args.lat.as_deref()),
        text: &args.text,
        time_format: args.time_format.as_deref(),
        typed: format == Format::Csv,
    })?;
    let source = Source::open(&args.file, format)?;
    if let Some(columns) = source.columns() {
        mapping.check_columns(columns)?;
    }
    let reach = Reach::open(&args.place, output)?;
    let moved = transfer(&args, &reach, &mapping, source, output);
    let closed = reach.close();
    let (state, rejects) = moved?;
    closed?;
    tell(&state, &rejects, started.elapsed().as_secs_f64(), output)
}

fn transfer(
    args: &Args,
    reach: &Reach,
    mapping: &Mapping,
    source: Source,
    output: &Output,
) -> Result<(State, PathBuf), Failure> {
    let place = state::path(&args.file);
    let target = format!("{}/{}", reach.name(), args.collection);
    let fresh = State::begin(target, mapping.fingerprint(), source.bytes());
    let from = match State::load(&place)? {
        Some(earlier) if args.resume => {
            earlier.check_same_import(&fresh, &place)?;
            output.talk(format!("going on after row {}", earlier.mark.rows));
            State { file_bytes: fresh.file_bytes, ..earlier }
        }
        Some(_) => {
            output.talk(
                "an earlier import of this file was interrupted; this one begins anew (--resume goes on)",
            );
            fresh
        }
        None if args.resume => {
            output.talk("no interrupted import of this file is known; beginning at its first row");
            fresh
        }
        None => fresh,
    };
    let transfer = Transfer { reach, mapping, collection: &args.collection, file: &args.file, output };
    let (state, rejects) = transfer.run(source, from, &place).map_err(|failure| match place.exists() {
        true => Failure::new(failure.exit, format!("{failure}; the same command with --resume goes on")),
        false => failure,
    })?;
    match std::fs::remove_file(&place) {
        // A file without rows has no state.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok((state, rejects)),
    }
}

fn tell(state: &State, rejects: &std::path::Path, seconds: f64, output: &Output) -> Result<(), Failure> {
    let State { imported, rejected, .. } = state;
    let mut value = json!({"imported": imported, "rejected": rejected, "seconds": seconds});
    if *rejected > 0 {
        value["rejects"] = rejects.display().to_string().into();
    }
    output.data(format!("imported {imported}, rejected {rejected} in {seconds:.1} s"), &value)?;
    if *rejected == 0 {
        return Ok(());
    }
    Err(Failure::error(format!("{rejected} rows were rejected, {} says why", rejects.display())))
}
