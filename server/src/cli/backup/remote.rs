//! Takes a backup from a running server: a tar archive of what the directory lacks, file by file, in constant memory.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use dateline_engine::{BackupWriter, FileFacts, Generation, Taken};
use hyper::Method;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::outcome::{Exit, Failure};
use crate::cli::progress::{Progress, Unit};

/// Largest manifest: a hundred thousand files.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

pub(super) fn create(client: &Client, out: &Path, progress: &Progress) -> Result<Taken, Failure> {
    let writer = BackupWriter::take(out)?;
    progress.begin("server reads", Unit::Bytes, 0);
    let have = json!({"have": writer.holdings()?}).to_string();
    let body = Some(("application/json", Bytes::from(have)));
    let taken =
        client.read(Method::POST, "/api/admin/backup/stream", body, |from| receive(&writer, from, progress));
    taken.map_err(|failure| match failure.exit {
        // An older server.
        Exit::NotFound => Failure::new(Exit::NotFound, "this server cannot send backups"),
        _ => failure,
    })
}

fn receive(writer: &BackupWriter, from: &mut dyn Read, progress: &Progress) -> Result<Taken, Failure> {
    let wrong = |what: &str| Failure::error(format!("the server's archive is not understood: {what}"));
    let mut archive = tar::Archive::new(from);
    let mut entries = archive.entries()?;
    let mut first = entries.next().ok_or_else(|| wrong("it is empty"))??;
    if first.path_bytes().as_ref() != b"manifest.json" || first.size() > MANIFEST_BYTES_MAX {
        return Err(wrong("it does not begin with manifest.json"));
    }
    let mut text = String::new();
    first.read_to_string(&mut text)?;
    let manifest = Generation::decode(&text)?;
    let lacking: Vec<&FileFacts> = manifest.files.iter().filter(|facts| writer.lacks(facts)).collect();
    progress.begin("receive", Unit::Bytes, lacking.iter().map(|facts| facts.size).sum());
    let (mut files_new, mut bytes_new) = (0, 0);
    for entry in entries {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // Nothing is written under a name that the manifest does not give.
        let facts = name.strip_prefix("files/").and_then(FileFacts::parse);
        let facts = facts.filter(|facts| lacking.contains(&facts)).ok_or_else(|| wrong(&name))?;
        writer.receive(&facts, &mut entry)?;
        files_new += 1;
        bytes_new += facts.size;
        progress.at(bytes_new);
    }
    Ok(Taken { manifest: writer.publish(&manifest)?, files_new, bytes_new })
}
