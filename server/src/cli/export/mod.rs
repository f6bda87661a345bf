//! `dateline export`: the documents of a collection as they were at one sequence of the log.
//!
//! Every page is read as of the same sequence, so the file is a state the collection really had, however much is
//! written meanwhile. A file appears under its name only when it is complete.

mod pages;
mod sheet;
mod table;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Value, json};

use super::outcome::Failure;
use super::output::Output;
use super::place::PlaceArgs;
use super::progress::{Progress, Unit};
use super::reach::Reach;
use pages::Pages;
use sheet::Sheet;

/// Arguments of `export`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Collection to read
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// Form of the file [default: by its ending, else ndjson]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Only documents that fit this condition, in JSON, as for where= of a list
    #[arg(long = "where", value_name = "JSON")]
    condition: Option<String>,
    /// The state as of this log sequence [default: now]
    #[arg(long, value_name = "SEQ")]
    as_of: Option<u64>,
    /// File to write [default: standard output]
    #[arg(value_name = "OUT")]
    out: Option<PathBuf>,
}

/// Form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One document per line
    Ndjson,
    /// A header line and rows; a point becomes the columns lon and lat, what is nested becomes JSON
    Csv,
    /// A FeatureCollection with the location as geometry
    Geojson,
}

impl Format {
    fn of(out: &Path) -> Option<Self> {
        match out.extension()?.to_string_lossy().to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            "geojson" => Some(Self::Geojson),
            _ => None,
        }
    }
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    if let Some(text) = &args.condition
        && !matches!(serde_json::from_str(text), Ok(Value::Object(_)))
    {
        return Err(Failure::usage("--where: expected a JSON object"));
    }
    let reach = Reach::open(&args.place, output)?;
    let written = write(&args, &reach, output);
    let closed = reach.close();
    let told = written?;
    closed?;
    let words = format!("exported {} documents as of sequence {}", told.count, told.seq);
    match &args.out {
        Some(out) => output.data(words, &json!({"exported": told.count, "seq": told.seq, "out": out})),
        // stdout has the documents.
        None => {
            output.talk(words);
            Ok(())
        }
    }
}

struct Told {
    count: u64,
    seq: u64,
}

fn write(args: &Args, reach: &Reach, output: &Output) -> Result<Told, Failure> {
    let format = args.format.or_else(|| Format::of(args.out.as_deref()?)).unwrap_or(Format::Ndjson);
    let pages = Pages::new(reach.client()?, &args.collection, args.condition.as_deref(), args.as_of);
    let Some(out) = &args.out else {
        let stdout = std::io::stdout().lock();
        return copy(pages, format, BufWriter::new(stdout), &std::env::temp_dir(), output);
    };
    let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let told = |error: std::io::Error| Failure::error(format!("{}: {error}", out.display()));
    let draft = draft(dir).map_err(told)?;
    let copied = copy(pages, format, BufWriter::new(draft.as_file()), dir, output)?;
    draft.as_file().sync_all().map_err(told)?;
    draft.persist(out).map_err(|error| told(error.error))?;
    Ok(copied)
}

/// A file beside the one to come, with the permissions that one would have.
fn draft(dir: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let usual = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".dateline-export-").permissions(usual).tempfile_in(dir)
}

fn copy<W: Write>(
    mut pages: Pages,
    format: Format,
    out: W,
    spool: &Path,
    output: &Output,
) -> Result<Told, Failure> {
    let progress = Progress::new(output, "export", Unit::Items, 0);
    let mut sheet = Sheet::begin(format, out, spool)?;
    let mut count = 0;
    while let Some(page) = pages.next()? {
        progress.total(page.total);
        for document in page.documents {
            sheet.add(document)?;
            count += 1;
        }
        progress.at(count);
    }
    sheet.end()?;
    Ok(Told { count, seq: pages.seq() })
}
