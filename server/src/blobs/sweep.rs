//! Removes manifests that belong to nothing, and chunks that no manifest names.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Duration;

use dateline_engine::{ChunkHash, Condition, Durability, Millis, Store, Transaction};

use super::manifests::{Shelf, decode};
use crate::app::App;
use crate::eve::problem::Problem;
use crate::media;
use crate::work::Stop;

/// Time between two sweeps.
const EVERY: Duration = Duration::from_secs(3_600);
/// What is younger may be part of an upload in flight.
const GRACE_MS: u64 = 6 * 3_600_000;
/// Chunks removed in one transaction.
const STEP: usize = 256;

/// What one sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) manifests: usize,
    pub(crate) chunks: usize,
}

/// Sweeps until it is told to stop. An error is told and the next sweep tries again: nothing depends on it but space.
pub(crate) fn run(app: &App, stop: &Stop) {
    loop {
        stop.pause(EVERY);
        if stop.is_set() {
            return;
        }
        let before = Millis::new(app.store().now().get().saturating_sub(GRACE_MS));
        if let Err(error) = media::sweep(app.store(), before) {
            tracing::error!(%error, "files of media cannot be swept");
        }
        match sweep(app.store(), before) {
            Ok(Swept { manifests: 0, chunks: 0 }) => {}
            Ok(Swept { manifests, chunks }) => tracing::info!(manifests, chunks, "attachments swept"),
            Err(problem) => tracing::error!(detail = problem.detail(), "attachments cannot be swept"),
        }
    }
}

/// Removes what was last stored before `before` and belongs to nothing.
pub(crate) fn sweep(store: &Store, before: Millis) -> Result<Swept, Problem> {
    let shelf = Shelf::of(store)?;
    let snapshot = store.snapshot()?;
    let mut in_use: HashSet<ChunkHash> = HashSet::new();
    let (mut left_over, mut failed) = (Vec::new(), None);
    snapshot.scan(shelf.manifests, None, false, |document| {
        let belongs = || -> dateline_engine::Result<bool> {
            let id = document.id.as_str();
            for collection in [shelf.media, shelf.blobs, shelf.uploads] {
                if snapshot.get(collection, id)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let step = belongs().and_then(|belongs| {
            if belongs || document.updated >= before {
                in_use.extend(decode(&document)?.chunks());
            } else {
                left_over.push((document.id.clone(), document.revision()));
            }
            Ok(())
        });
        match step {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    drop(snapshot);
    if let Some(error) = failed {
        // Without every manifest nobody knows which chunks are used.
        return Err(error.into());
    }
    for (id, revision) in &left_over {
        let transaction = Transaction::new(Durability::Buffered);
        store.commit(transaction.delete(shelf.manifests, id.clone(), Condition::Revision(*revision)))?;
    }
    let mut swept = Swept { manifests: left_over.len(), chunks: 0 };
    let mut after = None;
    loop {
        let (orphans, more) = store.orphan_chunks(before, after, STEP, &|chunk| in_use.contains(chunk))?;
        swept.chunks += orphans.len();
        if !orphans.is_empty() {
            store.commit(Transaction::new(Durability::Buffered).forget_chunks(orphans, before))?;
        }
        match more {
            Some(last) => after = Some(last),
            None => return Ok(swept),
        }
    }
}

#[cfg(test)]
mod tests {
    use dateline_engine::{Chunk, DocId, Manifest};

    use super::*;

    fn attachment(store: &Store, shelf: Shelf, id: &str, bytes: &'static [u8]) -> ChunkHash {
        let (chunk, id) = (Chunk::new(bytes).unwrap(), DocId::new(id).unwrap());
        let hash = chunk.hash();
        let mut manifest = Manifest::default();
        manifest.push(&chunk).unwrap();
        let transaction = Transaction::new(Durability::Sync).chunk(chunk);
        store.commit(shelf.put(transaction, id, Condition::Absent, &manifest)).unwrap();
        hash
    }

    #[test]
    fn what_belongs_to_nothing_goes_and_shared_chunks_stay() {
        let app = App::builder().open().unwrap();
        let (store, shelf) = (app.store(), Shelf::of(app.store()).unwrap());
        let kept = attachment(store, shelf, "kept", b"shared");
        let same = attachment(store, shelf, "left", b"shared");
        let left = attachment(store, shelf, "left-2", b"alone");
        assert_eq!(kept, same);
        let blob = Transaction::new(Durability::Sync);
        let blob = blob.put(shelf.blobs, DocId::new("kept").unwrap(), Condition::Absent, &b"{}"[..]);
        store.commit(blob).unwrap();
        assert_eq!(sweep(store, Millis::new(1)).unwrap(), Swept::default(), "too young");
        let later = Millis::new(store.now().get() + 1_000);
        assert_eq!(sweep(store, later).unwrap(), Swept { manifests: 2, chunks: 1 });
        let is_there = |hash| store.chunk(&hash).unwrap().is_some();
        assert_eq!([is_there(kept), is_there(left)], [true, false]);
        assert_eq!(sweep(store, later).unwrap(), Swept::default(), "nothing is left to do");
    }
}
