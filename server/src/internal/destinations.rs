//! All internal destinations, read again when one of them changes.

use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{CollectionId, Result, Seq, Store};
use dateline_publish::internal::Destination;

use crate::publishing::each_document;

/// The destinations as of their last change.
pub(super) struct Destinations {
    collection: CollectionId,
    last: Mutex<Option<(Seq, Arc<Vec<Destination>>)>>,
}

impl Destinations {
    pub(super) fn new(collection: CollectionId) -> Self {
        Self { collection, last: Mutex::default() }
    }

    /// The destinations as of now. Reads the store when one has changed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn current(&self, store: &Store) -> Result<Arc<Vec<Destination>>> {
        let mark = store.changed(self.collection);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, destinations)) = last.as_ref()
            && *known == mark
        {
            return Ok(Arc::clone(destinations));
        }
        let mut found = Vec::new();
        each_document(&store.snapshot()?, self.collection, |id, row| {
            found.push(Destination::read(id.as_str(), &row));
        })?;
        let found = Arc::new(found);
        *last = Some((mark, Arc::clone(&found)));
        Ok(found)
    }
}
