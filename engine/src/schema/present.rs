//! Stored versions as readers see them.

use bytes::Bytes;
use serde_json::Value as Json;

use crate::catalog::{Catalog, Collection};
use crate::codec::{key, meta};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::kv::KvRead;
use crate::kv::families::Family;
use crate::schema::Unmet;

/// The version as readers see it: its body is of the newest schema.
///
/// The catalog may be a moment older than `kv`, which then tells itself.
pub(crate) fn present(kv: &dyn KvRead, catalog: &Catalog, document: Document) -> Result<Document> {
    if document.deleted {
        return Ok(document);
    }
    match catalog.by_id(document.collection) {
        Some(known) if known.schema_version() == document.schema_version() => Ok(document),
        Some(known) if known.schema_version() > document.schema_version() => shown(known, document),
        _ => match kv.get(Family::Meta, &key::meta_collection(document.collection))? {
            Some(value) => shown(&meta::decode_collection(document.collection, &value)?, document),
            None => Ok(document),
        },
    }
}

fn shown(collection: &Collection, document: Document) -> Result<Document> {
    let newest = collection.schema_version();
    // Of a collection that was dropped meanwhile nobody knows any more what it was.
    if document.schema_version() == newest || collection.dropped_at().is_some() {
        return Ok(document);
    }
    let (body, _) = parse(collection, &document)?;
    let body = serde_json::to_vec(&body);
    let body = Bytes::from(body.map_err(|e| Error::internal(e.to_string()))?);
    Ok(Document { schema: newest, upgraded: true, body, ..document })
}

/// The body of a stored version, of the newest schema, and what upgrades could not do to it.
pub(crate) fn parse(collection: &Collection, document: &Document) -> Result<(Json, Vec<Unmet>)> {
    let fail = |why: String| {
        let (collection, id) = (document.collection, &document.id);
        Error::corrupt(format!("document {collection}/{id}: {why}"))
    };
    let (written, newest) = (document.schema_version(), collection.schema_version());
    if written > newest {
        return Err(fail(format!("of schema version {written}, the collection knows {newest}")));
    }
    let mut body = serde_json::from_slice(&document.body).map_err(|e| fail(format!("body: {e}")))?;
    let unmet = match written < newest {
        true => collection.raise(written, document.body.len(), &mut body),
        false => Vec::new(),
    };
    Ok((body, unmet))
}
