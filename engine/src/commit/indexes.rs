//! Indexes within a group: the entries of each write, the steps of building, and definitions.
//!
//! While a unique index is not ready, documents that were there before it may share a value. One of them holds the entry,
//! the others have none; the rules here keep it so: no write makes another one, and none takes a holder's entry.

use std::sync::Arc;

use crate::catalog::{Collection, Defined};
use crate::change::ChangeOp;
use crate::codec::{key, meta, unique};
use crate::commit::group::{Draft, Group};
use crate::commit::op::{Transaction, Upkeep};
use crate::document::Document;
use crate::error::{ErrorKind, Result};
use crate::index::{Fill, Index, IndexKey, IndexState, Progress, Violation, builder, fits, marker};
use crate::kv::families::Family;
use crate::schema;
use crate::types::{CollectionId, DocId, IndexId, Seq};

/// What a step of building an index is going to write.
pub(super) struct Filled {
    index: IndexId,
    entries: Vec<(IndexKey, DocId, Seq)>,
    /// Some document has several entries.
    several: bool,
    progress: Progress,
    /// Set by the last step of a pass.
    state: Option<(CollectionId, IndexState)>,
}

impl Group<'_> {
    /// The index keys that a stored version holds; a tombstone holds none.
    pub(super) fn keys_of(
        &mut self,
        collection: &Collection,
        document: Option<&Document>,
    ) -> Result<Vec<IndexKey>> {
        let Some(document) = document.filter(|document| !document.deleted) else { return Ok(Vec::new()) };
        if collection.indexes().is_empty() {
            return Ok(Vec::new());
        }
        let (body, _) = schema::parse(collection, document)?;
        let mut keys = Vec::new();
        for index in collection.indexes() {
            match index.keys(&document.id, &body) {
                Ok(found) => {
                    if index.unique || index.has(document, self.progress(index)?) {
                        keys.extend(found);
                    }
                }
                // It was there before the index and does not fit: it has no entry.
                Err(error) if error.kind() == ErrorKind::Invalid => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Where an index that is not ready stands.
    fn progress(&mut self, index: &Index) -> Result<Option<&Progress>> {
        if index.is_readable() {
            return Ok(None);
        }
        if !self.ledger.builds.contains_key(&index.id) {
            let progress = builder::progress(self.kv, index.id)?;
            self.ledger.builds.insert(index.id, progress);
        }
        Ok(self.ledger.builds.get(&index.id))
    }

    /// Takes out of `keys` those of unique indexes that are not ready and whose entry the document does not hold.
    /// Answers those that another one holds: the document may keep such a value, and gets no entry for it.
    pub(super) fn give_up_claims(
        &self,
        draft: &Draft<'_>,
        collection: &Collection,
        id: &DocId,
        keys: &mut Vec<IndexKey>,
    ) -> Result<Vec<IndexKey>> {
        let (mut held, mut lost) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys.drain(..) {
            let claim = key.unique && collection.index(key.index).is_some_and(|index| !index.is_readable());
            match if claim { self.holder(draft, &key)? } else { Some(id.clone()) } {
                Some(holder) if holder == *id => held.push(key),
                Some(_) => lost.push(key),
                None => {}
            }
        }
        *keys = held;
        Ok(lost)
    }

    /// Who holds a unique key as the group has made it, or as it is stored.
    pub(super) fn stored_holder(&self, wanted: &IndexKey) -> Result<Option<DocId>> {
        match self.unique.get(&wanted.key) {
            Some(known) => Ok(known.clone()),
            None => {
                let value = self.kv.get(Family::Index, &wanted.key)?;
                value.map(|value| unique::decode(&value)).transpose()
            }
        }
    }

    /// Only the difference is written, so a plain entry is put exactly once between deletes.
    pub(super) fn write_index(&mut self, new: &[IndexKey], old: &[IndexKey], seq: Seq, id: &DocId) {
        for gone in old.iter().filter(|key| !new.contains(key)) {
            if gone.unique {
                self.batch.delete(Family::Index, &gone.key);
                self.unique.insert(gone.key.clone(), None);
            } else {
                self.batch.single_delete(Family::Index, &gone.key);
            }
        }
        for added in new {
            if added.unique || !old.contains(added) {
                self.put_entry(added, id, seq);
            }
        }
        let several = new.iter().zip(new.iter().skip(1)).filter(|(a, b)| a.index == b.index);
        for (key, _) in several {
            self.batch.put(Family::Index, &marker(key.index), &[]);
        }
    }

    fn put_entry(&mut self, key: &IndexKey, id: &DocId, seq: Seq) {
        if key.unique {
            self.batch.put(Family::Index, &key.key, &unique::encode(seq, id));
            self.unique.insert(key.key.clone(), Some(id.clone()));
        } else {
            self.batch.put(Family::Index, &key.key, &[]);
        }
    }

    /// Holds the steps of building that a transaction asks for against what is stored now.
    pub(super) fn plan_fills(&mut self, transaction: &Transaction) -> Result<Vec<Filled>> {
        let mut filled = Vec::new();
        for upkeep in &transaction.upkeep {
            if let Upkeep::Fill(fill) = upkeep {
                filled.extend(self.plan_fill(fill)?);
            }
        }
        Ok(filled)
    }

    fn plan_fill(&mut self, fill: &Fill) -> Result<Option<Filled>> {
        let catalog = Arc::clone(&self.ledger.catalog);
        let Some(collection) = catalog.by_id(fill.collection) else { return Ok(None) };
        let index = collection.index(fill.index);
        let Some((index, since)) = index.and_then(|index| Some((index, index.since()?))) else {
            return Ok(None);
        };
        let Some(mut progress) = self.progress(index)?.filter(|at| at.after == fill.from).cloned() else {
            return Ok(None);
        };
        let places: Vec<_> = fill.rows.iter().map(|row| (fill.collection, row.id.clone())).collect();
        self.fetch(&places)?;
        let (mut entries, mut several) = (Vec::new(), false);
        let mut taken = crate::commit::group::Holders::new();
        for (row, place) in fill.rows.iter().zip(places) {
            let head = self.head(place)?.map(|head| head.document).filter(|head| !head.deleted);
            let Some(head) = head else { continue };
            let keys = match &row.keys {
                keys if head.seq == row.seq => keys.clone(),
                // A plain index got what was written since with the write.
                _ if !index.unique => continue,
                _ => fits(collection, index, &head)?,
            };
            let keys = match keys {
                Ok(keys) => keys,
                Err(why) => {
                    let ids = vec![head.id.as_str().to_owned()];
                    progress.violated(Violation { ids, values: Vec::new(), why });
                    continue;
                }
            };
            several |= keys.len() > 1;
            progress.added += u64::from(progress.passes == 0);
            for key in keys {
                let holder = match taken.get(&key.key) {
                    Some(known) => Clone::clone(known),
                    None if key.unique => self.stored_holder(&key)?,
                    None => None,
                };
                match holder {
                    None => {
                        taken.insert(key.key.clone(), Some(head.id.clone()));
                        entries.push((key, head.id.clone(), head.seq));
                    }
                    Some(holder) if holder == head.id => {}
                    Some(holder) => progress.violated(Violation {
                        ids: vec![head.id.as_str().to_owned(), holder.as_str().to_owned()],
                        values: index.values(&key.key),
                        why: "both have this value".to_owned(),
                    }),
                }
            }
        }
        progress.after.clone_from(&fill.to);
        let (state, progress) = match fill.to {
            Some(_) => (None, progress),
            None => {
                let (state, next) = progress.close(since);
                (Some((fill.collection, state)), next)
            }
        };
        Ok(Some(Filled { index: fill.index, entries, several, progress, state }))
    }

    pub(super) fn write_fill(&mut self, filled: Filled) -> Result<()> {
        let Filled { index, entries, several, progress, state } = filled;
        for (key, id, seq) in &entries {
            self.put_entry(key, id, *seq);
        }
        if several {
            self.batch.put(Family::Index, &marker(index), &[]);
        }
        let place = key::meta_build(index);
        if matches!(state, Some((_, IndexState::Ready))) {
            self.batch.delete(Family::Meta, &place);
            self.ledger.builds.remove(&index);
        } else {
            self.batch.put(Family::Meta, &place, &meta::encode_progress(&progress)?);
            self.ledger.builds.insert(index, progress);
        }
        let Some((collection, state)) = state else { return Ok(()) };
        let changed = self.ledger.catalog.by_id(collection).map(|known| known.with_state(index, &state));
        if let Some(changed) = changed {
            let ready = state == IndexState::Ready;
            let name = changed.index(index).map(|index| index.spec.name()).unwrap_or_default();
            tracing::info!(collection = changed.name, index = name, ready, "all documents are in the index");
            self.write_collection(changed)?;
        }
        Ok(())
    }

    pub(super) fn write_definition(&mut self, defined: Defined, last: Seq) -> Result<CollectionId> {
        let Defined { collection, at, dropped } = defined;
        let (id, name) = (collection.id, DocId::new(&collection.name)?);
        let op = if collection.dropped_at().is_some() { ChangeOp::Drop } else { ChangeOp::Catalog };
        self.record(at, id, name, op, Seq::ZERO, last)?;
        let is_new = self.ledger.catalog.by_id(id).is_none();
        if op == ChangeOp::Drop {
            self.drop_documents(id, at);
        } else if is_new && self.ledger.catalog.dropped().any(|dropped| dropped.name == collection.name) {
            // What the name stood for before is not known any more.
            self.raise_history_floor(id, at)?;
        }
        for index in dropped {
            let (from, to) = (key::index_of(index), key::index_of(index.next()));
            self.batch.delete_range(Family::Index, &from, &to);
            self.batch.delete(Family::Meta, &key::meta_build(index));
            self.ledger.builds.remove(&index);
        }
        if collection.indexes().iter().any(|index| !index.is_readable()) {
            self.ledger.build = true;
        }
        if collection.survey == Some(at) {
            self.wake_keeper();
        }
        if collection.upgraded_at == Some(at) {
            // Whoever keeps something derived from the collection has to look again.
            self.ledger.touched.insert(id, at);
        }
        self.write_collection(collection)?;
        Ok(id)
    }

    pub(super) fn write_collection(&mut self, collection: Collection) -> Result<()> {
        let value = meta::encode_collection(&collection)?;
        self.batch.put(Family::Meta, &key::meta_collection(collection.id), &value);
        let catalog = self.ledger.catalog.with(collection);
        if catalog.next_index() != self.ledger.catalog.next_index() {
            let next = u64::from(catalog.next_index().get());
            self.batch.put(Family::Meta, key::META_NEXT_INDEX, &meta::number(next));
        }
        self.ledger.catalog = Arc::new(catalog);
        Ok(())
    }
}
