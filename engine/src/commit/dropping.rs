//! The end of a collection within a group.
//!
//! Its documents, versions and index entries lie together and go with the record of the drop, in one batch. Rows by
//! time do not: `keep` removes them afterwards, and says when none is left.

use crate::catalog::{Collection, CollectionState};
use crate::codec::key;
use crate::commit::group::Group;
use crate::error::{Error, Result};
use crate::kv::families::Family;
use crate::types::{CollectionId, Seq};

impl Group<'_> {
    /// A collection may have been dropped since a transaction was prepared.
    pub(super) fn check_live(&self, collection: CollectionId) -> Result<()> {
        match self.ledger.catalog.by_id(collection) {
            Some(_) => Ok(()),
            None => Err(Error::not_found(format!("collection {collection} does not exist"))),
        }
    }

    /// Removes heads and history. Whatever the group has written of them comes before in the batch, and nothing
    /// comes after: the collection cannot be found any more.
    pub(super) fn drop_documents(&mut self, collection: CollectionId, at: Seq) {
        let (from, to) = (key::heads_of(collection), key::heads_of(collection.next()));
        self.batch.delete_range(Family::Heads, &from, &to);
        self.batch.delete_range(Family::History, &from, &to);
        self.batch.delete(Family::Meta, &key::meta_history_floor(collection));
        self.ledger.history_floors.remove(&collection);
        // Whoever keeps something derived from the collection has to look again.
        self.ledger.touched.insert(collection, at);
        self.wake_keeper();
    }

    /// There is something to do for housekeeping now.
    pub(super) fn wake_keeper(&mut self) {
        self.ledger.due = Some(self.ledger.due.map_or(self.ledger.at, |due| due.min(self.ledger.at)));
    }

    /// Nothing but its record in the catalog is left.
    pub(super) fn close_drop(&mut self, collection: CollectionId) -> Result<()> {
        let Some(known) = self.ledger.catalog.ever(collection) else { return Ok(()) };
        let CollectionState::Dropping(at) = known.state else { return Ok(()) };
        let mut closed = Collection::clone(known);
        closed.state = CollectionState::Dropped(at);
        tracing::info!(collection = closed.name, id = %collection, "a dropped collection is gone");
        self.write_collection(closed)
    }
}
