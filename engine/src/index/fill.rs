//! One step of building an index: some documents that were there before it, in the order of their ids.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::catalog::{Catalog, Collection};
use crate::codec::{envelope, key};
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, IndexKey, Progress, marker};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::limits::{FILL_BYTES_MAX, FILL_DOCUMENTS_MAX};
use crate::schema;
use crate::types::{CollectionId, DocId, IndexId, Seq};

/// A document to be added.
#[derive(Clone, Debug)]
pub(crate) struct FillRow {
    pub(crate) id: DocId,
    /// The version the keys are of.
    pub(crate) seq: Seq,
    /// Its keys, or why it has none.
    pub(crate) keys: std::result::Result<Vec<IndexKey>, String>,
}

/// What the builder asks the writer for. It is passed over when the index does not stand where it was planned from.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    pub(crate) collection: CollectionId,
    pub(crate) index: IndexId,
    /// Where the index stood.
    pub(crate) from: Option<String>,
    pub(crate) rows: Vec<FillRow>,
    /// Where it stands then; `None`: all documents have been seen to.
    pub(crate) to: Option<String>,
}

impl Fill {
    /// Reads the next documents. Later passes of a plain index only look for what does not fit: each entry is put once.
    pub(crate) fn plan(
        kv: &dyn KvRead,
        collection: &Collection,
        index: &Index,
        progress: &Progress,
    ) -> Result<Self> {
        let mut range = KeyRange::prefix(&key::heads_of(collection.id));
        if let Some(after) = &progress.after {
            range.lower = [&key::head(collection.id, after)[..], &[0]].concat();
        }
        let mut fill = Self {
            collection: collection.id,
            index: index.id,
            from: progress.after.clone(),
            rows: Vec::new(),
            to: None,
        };
        let (mut seen, mut bytes) = (0, 0);
        let since = index.since().unwrap_or(Seq::ZERO);
        kv.scan(Family::Heads, &range, Direction::Forward, &mut |place, value| {
            let (_, id) = key::parse_head(place)
                .ok_or_else(|| Error::corrupt(format!("heads: unreadable key {place:02x?}")))?;
            let head = envelope::decode(collection.id, id, Bytes::copy_from_slice(value))?;
            (seen, bytes) = (seen + 1, bytes + value.len());
            fill.to = Some(head.id.as_str().to_owned());
            // What was written since is in a plain index.
            if !head.deleted && (index.unique || head.seq <= since) {
                let keys = fits(collection, index, &head)?;
                if index.unique || progress.passes == 0 || keys.is_err() {
                    fill.rows.push(FillRow { id: head.id.clone(), seq: head.seq, keys });
                }
            }
            let enough = seen >= FILL_DOCUMENTS_MAX || bytes >= FILL_BYTES_MAX;
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if seen < FILL_DOCUMENTS_MAX && bytes < FILL_BYTES_MAX {
            fill.to = None;
        }
        Ok(fill)
    }
}

/// The entries that a head calls for in all indexes, markers included. In one that is not ready a document may be left
/// out, and not every claim to a unique value is met: `true` tells that an entry is of such an index.
pub(crate) fn entries(catalog: &Catalog, head: &Document) -> Result<Vec<(IndexKey, bool)>> {
    let mut entries = Vec::new();
    if head.deleted {
        return Ok(entries);
    }
    let Some(collection) = catalog.by_id(head.collection) else {
        return Err(Error::corrupt(format!("document {}/{}: no such collection", head.collection, head.id)));
    };
    for index in collection.indexes() {
        let keys = match fits(collection, index, head)? {
            Ok(keys) => keys,
            Err(_) if !index.is_readable() => continue,
            Err(why) => {
                return Err(Error::corrupt(format!("document {}/{}: {why}", head.collection, head.id)));
            }
        };
        if keys.len() > 1 {
            entries.push((IndexKey { index: index.id, unique: false, key: marker(index.id) }, false));
        }
        entries.extend(keys.into_iter().map(|key| (key, !index.is_readable())));
    }
    Ok(entries)
}

/// The keys a stored version would have, or why it does not fit.
pub(crate) fn fits(
    collection: &Collection,
    index: &Index,
    head: &Document,
) -> Result<std::result::Result<Vec<IndexKey>, String>> {
    let (body, _) = schema::parse(collection, head)?;
    match index.keys(&head.id, &body) {
        Ok(keys) => Ok(Ok(keys)),
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
