//! A checkpoint as a tar archive: `manifest.json`, then `files/NAME-SIZE-CRC32C` for each file that is asked for.
//!
//! The archive is made while it is sent, so memory stays constant. One that was cut short lacks files that its
//! manifest names, so it is never taken for whole.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::{Body, Bytes};
use dateline_engine::Checkpoint;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Turn;

/// Bytes sent at a time.
const STEP_BYTES: usize = 256 << 10;
const STEPS_WAITING: usize = 8;
/// A receiver that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(120);

/// Sends a checkpoint; `wants` is asked for each file by its name in the pool.
pub(super) fn send(
    checkpoint: Checkpoint,
    turn: Turn,
    wants: impl Fn(&str) -> bool + Send + 'static,
) -> Body {
    let (sender, receiver) = channel::<io::Result<Bytes>>(STEPS_WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut sink = Sink { sender: sender.clone(), runtime: runtime.clone(), waiting: Vec::new() };
        if let Err(error) = write(&checkpoint, &turn, &wants, &mut sink) {
            tracing::info!(%error, "a backup was not sent to its end");
            // The receiver must not take what has come for the whole.
            let _ = runtime.block_on(sender.send(Err(error)));
        }
    });
    Body::from_stream(stream::unfold(receiver, next))
}

async fn next(
    mut receiver: Receiver<io::Result<Bytes>>,
) -> Option<(io::Result<Bytes>, Receiver<io::Result<Bytes>>)> {
    receiver.recv().await.map(|step| (step, receiver))
}

fn write(
    checkpoint: &Checkpoint,
    turn: &Turn,
    wants: &dyn Fn(&str) -> bool,
    sink: &mut Sink,
) -> io::Result<()> {
    let mut archive = tar::Builder::new(sink);
    let manifest = checkpoint.manifest().encode().map_err(io::Error::other)?;
    archive.append_data(&mut header(manifest.len() as u64), "manifest.json", manifest.as_bytes())?;
    let (mut done, total) = (0, checkpoint.manifest().bytes());
    for facts in &checkpoint.manifest().files {
        let name = facts.pool_name();
        if wants(&name) {
            let file = checkpoint.open(facts).map_err(io::Error::other)?;
            archive.append_data(&mut header(facts.size), format!("files/{name}"), file)?;
        }
        done += facts.size;
        turn.at("send", done, total);
    }
    archive.into_inner()?.flush()
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header
}

/// Hands bytes to the connection and waits while it is behind.
struct Sink {
    sender: Sender<io::Result<Bytes>>,
    runtime: Handle,
    waiting: Vec<u8>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= STEP_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let step = Ok(Bytes::from(std::mem::take(&mut self.waiting)));
        // Whoever drives the socket may be gone with it; then nobody would ever take this.
        let sent = self.runtime.block_on(tokio::time::timeout(STALLED, self.sender.send(step)));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the receiver is gone")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the receiver takes nothing")),
        }
    }
}
