//! Builds the indexes that were declared on collections with documents.
//!
//! One thread reads documents from a view of the store, some at a time, and asks the writer to add them, one step at
//! a time, so it never holds up a write for long. Where it stands is written with every step: after a crash it goes
//! on there. It sleeps until the writer tells that an index was declared; while some index is pending it looks every
//! second whether the documents in the way are gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::catalog::Collection;
use crate::codec::{key, meta};
use crate::commit::op::{Durability, Transaction, Upkeep};
use crate::commit::shared::Shared;
use crate::commit::{Committer, commit_prepared};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Fill, Index, IndexState, Progress, Violation, fits};
use crate::kv::KvRead;
use crate::kv::families::Family;
use crate::read;
use crate::types::{IndexId, Millis};

/// Wait between looks at a pending index and after something that may pass, in milliseconds.
const AGAIN_MS: u64 = 1_000;
/// Wait after a document that cannot be read, in milliseconds.
const DAMAGED_AGAIN_MS: u64 = 600_000;

/// Builds indexes. Shared by its thread and whoever asks for it by hand.
pub(crate) struct Builder {
    shared: Arc<Shared>,
    committer: Arc<Committer>,
    /// One step at a time.
    turn: Mutex<()>,
}

impl Builder {
    pub(crate) fn new(shared: Arc<Shared>, committer: Arc<Committer>) -> Self {
        Self { shared, committer, turn: Mutex::default() }
    }

    /// Builds all that can be built now, and says when to look again.
    pub(crate) fn pass(&self) -> Result<Option<Millis>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((collection, index)) = self.next()? {
            if self.shared.building.is_stopping() {
                return Ok(None);
            }
            self.step(&collection, &index)
                .map_err(|e| e.at(format_args!("index {} of {}", index.spec.name(), collection.name)))?;
        }
        let catalog = self.shared.catalog.load();
        let waits =
            catalog.iter().flat_map(|collection| collection.indexes()).any(|index| !index.is_readable());
        Ok(waits.then(|| self.in_ms(AGAIN_MS)))
    }

    /// Takes one step of the first index that is not ready and can go on; false when there is none.
    #[cfg(test)]
    pub(crate) fn step_once(&self) -> Result<bool> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.next()? {
            Some((collection, index)) => self.step(&collection, &index).map(|()| true),
            None => Ok(false),
        }
    }

    fn step(&self, collection: &Collection, index: &Index) -> Result<()> {
        let progress = progress(&*self.shared.kv, index.id)?;
        let fill = Fill::plan(&*self.shared.kv, collection, index, &progress)?;
        let transaction = Transaction::new(Durability::Buffered).upkeep(Upkeep::Fill(Box::new(fill)));
        commit_prepared(&self.shared, &self.committer, transaction).map(drop)
    }

    /// An index that is not ready and whose next step may do something.
    fn next(&self) -> Result<Option<(Arc<Collection>, Index)>> {
        let catalog = self.shared.catalog.load();
        for collection in catalog.iter() {
            for index in collection.indexes() {
                let goes_on = match &index.state {
                    IndexState::Ready => false,
                    IndexState::Building { .. } => true,
                    IndexState::Pending { violations, .. } => {
                        // A pass that was begun is ended; else all that is known must be out of the way.
                        progress(&*self.shared.kv, index.id)?.after.is_some()
                            || !self.stands(collection, index, violations)?
                    }
                };
                if goes_on {
                    return Ok(Some((Arc::clone(collection), index.clone())));
                }
            }
        }
        Ok(None)
    }

    /// Whether any of the named documents still does not fit.
    fn stands(&self, collection: &Collection, index: &Index, violations: &[Violation]) -> Result<bool> {
        for id in violations.iter().filter_map(|violation| violation.ids.first()) {
            let Some(head) = read::head(&*self.shared.kv, collection.id, id)? else { continue };
            if head.deleted {
                continue;
            }
            let Ok(keys) = fits(collection, index, &head)? else { return Ok(true) };
            for key in keys.iter().filter(|key| key.unique) {
                let holder = self.shared.kv.get(Family::Index, &key.key)?;
                let holder = holder.map(|value| crate::codec::unique::decode(&value)).transpose()?;
                if holder.is_some_and(|holder| holder != head.id) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn in_ms(&self, ms: u64) -> Millis {
        Millis::new(self.shared.clock.now().get().saturating_add(ms))
    }

    fn run(&self) {
        let alarm = &self.shared.building;
        while alarm.wait(&*self.shared.clock) {
            let again = match self.pass() {
                Ok(again) => again,
                Err(error)
                    if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Full | ErrorKind::Unavailable) =>
                {
                    Some(self.in_ms(AGAIN_MS))
                }
                Err(error) => {
                    tracing::error!(%error, "an index cannot be built and is tried again");
                    Some(self.in_ms(DAMAGED_AGAIN_MS))
                }
            };
            if let Some(again) = again {
                alarm.set(again);
            }
        }
    }

    /// Starts its thread.
    pub(crate) fn start(self: &Arc<Self>) -> Result<JoinHandle<()>> {
        let builder = Arc::clone(self);
        std::thread::Builder::new()
            .name("dateline-index".to_owned())
            .spawn(move || builder.run())
            .map_err(|e| Error::unavailable(format!("cannot start the thread that builds indexes: {e}")))
    }
}

/// Where the building of an index stands.
pub(crate) fn progress(kv: &dyn KvRead, index: IndexId) -> Result<Progress> {
    let value = kv.get(Family::Meta, &key::meta_build(index))?;
    value.map_or(Ok(Progress::default()), |value| meta::decode_progress(index, &value))
}
