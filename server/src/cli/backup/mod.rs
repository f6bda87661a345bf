//! `dateline backup`: create, list, verify, prune, restore.
//!
//! A backup is a directory of any number of generations. Each is whole; what has not changed is stored once. With
//! `--url` the server sends what the directory lacks, so the backup is where the command runs.

mod remote;
mod restore;

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use dateline_engine::{BackupDir, BackupWriter, Checkpoint, Clock, Generation, SystemClock, Taken};
use serde_json::{Value, json};

use super::outcome::Failure;
use super::output::Output;
use super::place::PlaceArgs;
use super::progress::{Progress, Unit};
use super::reach;
use crate::backups::{told, told_taken};
use crate::data::DataDir;
use crate::eve::date;

/// Arguments of `backup`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add the present state as another generation
    Create(CreateArgs),
    /// The generations of a backup
    List(OutArgs),
    /// Read a backup whole, open each generation and check it; changes nothing
    Verify(VerifyArgs),
    /// Remove all but the newest generations
    Prune(PruneArgs),
    /// Make a data directory of a backup, as it was then or at an earlier moment
    Restore(restore::RestoreArgs),
}

#[derive(ClapArgs)]
struct CreateArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Directory of the backup, on this machine; created if there is none
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

#[derive(ClapArgs)]
struct OutArgs {
    /// Directory of the backup
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

#[derive(ClapArgs)]
struct VerifyArgs {
    /// Only this generation [default: all]
    #[arg(long, value_name = "N")]
    generation: Option<u32>,
    /// Directory of the backup
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

#[derive(ClapArgs)]
struct PruneArgs {
    /// Generations to keep
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Directory of the backup
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Create(args) => create(&args, output),
        Command::List(args) => list(&args.out, output),
        Command::Verify(args) => verify(&args, output),
        Command::Prune(args) => prune(&args, output),
        Command::Restore(args) => restore::run(args, output),
    }
}

/// Draws what the engine tells: bytes where it knows how many, keys where it does not.
fn drawing(progress: &Progress) -> impl FnMut(&'static str, u64, u64) {
    let mut part = "";
    move |name, done, total| {
        if part != name {
            part = name;
            progress.begin(name, if total == 0 { Unit::Items } else { Unit::Bytes }, total);
        }
        progress.at(done);
    }
}

fn create(args: &CreateArgs, output: &Output) -> Result<(), Failure> {
    let progress = Progress::new(output, "backup", Unit::Bytes, 0);
    let taken = match &args.place.data {
        Some(dir) => offline(dir, &args.out, &progress)?,
        None => remote::create(&reach::client(&args.place)?, &args.out, &progress)?,
    };
    drop(progress);
    let Taken { manifest, files_new, bytes_new } = &taken;
    let words = format!(
        "generation {} of {}: sequence {}, {} files of {} bytes, of which {files_new} of {bytes_new} bytes are new",
        manifest.number,
        args.out.display(),
        manifest.last_seq,
        manifest.files.len(),
        manifest.bytes(),
    );
    output.data(words, &told_taken(&taken))
}

/// While no server runs the files lie still; they are copied as they are, whatever their format.
fn offline(dir: &Path, out: &Path, progress: &Progress) -> Result<Taken, Failure> {
    reach::check_exists(&dir.join("store"))?;
    let data = DataDir::take(dir)?;
    let writer = BackupWriter::take(out)?;
    let mut watch = drawing(progress);
    let checkpoint = Checkpoint::still(&data.store(), SystemClock.now(), &mut watch)?;
    Ok(writer.add(&checkpoint, &mut watch)?)
}

fn list(out: &Path, output: &Output) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut items: Vec<Value> = Vec::new();
    for (generation, manifest) in BackupDir::open(out)?.generations()? {
        match manifest {
            Ok(manifest) => {
                lines.push(line(&manifest));
                items.push(told(&manifest));
            }
            Err(error) => {
                lines.push(format!("{generation}  damaged: {error}"));
                items.push(json!({"generation": generation, "damaged": error.to_string()}));
            }
        }
    }
    if lines.is_empty() {
        lines.push("no generations".to_owned());
    }
    output.data(lines.join("\n"), &items.into())
}

fn line(manifest: &Generation) -> String {
    format!(
        "{}  {}  sequences {} to {}  {} files  {} bytes",
        manifest.number,
        date::format(manifest.created.get()),
        manifest.log_floor.next(),
        manifest.last_seq,
        manifest.files.len(),
        manifest.bytes()
    )
}

fn verify(args: &VerifyArgs, output: &Output) -> Result<(), Failure> {
    let backup = BackupDir::open(&args.out)?;
    let scratch = tempfile::Builder::new().prefix("dateline-verify-").tempdir()?;
    let progress = Progress::new(output, "verify", Unit::Bytes, 0);
    let checked = backup.verify(args.generation, scratch.path(), &mut drawing(&progress))?;
    drop(progress);
    let mut lines = checked.differences.clone();
    let (generations, files, bytes) = (checked.generations.len(), checked.files, checked.bytes);
    let found = checked.differences.len();
    let end = if found == 0 { "all as it should be".to_owned() } else { format!("{found} differences") };
    lines.push(format!("{generations} generations, {files} files, {bytes} bytes: {end}"));
    let told = json!({
        "ok": found == 0, "generations": checked.generations, "files": files, "bytes": bytes,
        "differences": checked.differences,
    });
    output.data(lines.join("\n"), &told)?;
    if found == 0 {
        return Ok(());
    }
    Err(Failure::error(
        "the backup does not verify: take another one soon, into a new directory or after removing the files named",
    ))
}

fn prune(args: &PruneArgs, output: &Output) -> Result<(), Failure> {
    // Looking for a backup does not make one.
    BackupDir::open(&args.out)?;
    let keep = usize::try_from(args.keep).unwrap_or(usize::MAX);
    let pruned = BackupWriter::take(&args.out)?.prune(keep)?;
    let words = format!(
        "removed {} generations and {} files of {} bytes",
        pruned.generations.len(),
        pruned.files,
        pruned.bytes
    );
    output.data(words, &json!({"removed": pruned.generations, "files": pruned.files, "bytes": pruned.bytes}))
}
