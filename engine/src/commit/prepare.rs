//! Work done on the caller's thread, in parallel, before the writer sees a transaction:
//! bounds, JSON validation, keys of declared indexes.

use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::catalog::{Catalog, Collection, check_name};
use crate::commit::op::{Change, Transaction, Write};
use crate::error::{Error, Result};
use crate::index::IndexKey;
use crate::limits::{BODY_BYTES_MAX, POSITIONS_BYTES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_OPS_MAX};
use crate::queue::{NewJob, PreparedJob};
use crate::types::DocId;

/// A transaction that can only still fail on what is stored.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) transaction: Transaction,
    /// For each write: its collection, and the keys the new version holds.
    pub(crate) targets: Vec<Target>,
    pub(crate) jobs: Vec<PreparedJob>,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Target {
    /// As it was declared when the keys were made.
    pub(crate) collection: Arc<Collection>,
    pub(crate) index_keys: Vec<IndexKey>,
}

pub(crate) fn prepare(catalog: &Catalog, transaction: Transaction) -> Result<Prepared> {
    let bytes = transaction.bytes();
    if bytes > TRANSACTION_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a transaction carries at most {TRANSACTION_BYTES_MAX} bytes, this one {bytes}"
        )));
    }
    if transaction.parts() > TRANSACTION_OPS_MAX {
        return Err(Error::invalid(format!("a transaction makes at most {TRANSACTION_OPS_MAX} changes")));
    }
    if transaction.positions.as_ref().is_some_and(|batch| batch.len() > POSITIONS_BYTES_MAX) {
        return Err(Error::invalid(format!("a positions batch has at most {POSITIONS_BYTES_MAX} bytes")));
    }
    for (name, _) in &transaction.cursors {
        check_name("cursor", name)?;
    }
    let jobs = transaction.jobs.iter().map(NewJob::prepare).collect::<Result<_>>()?;
    let targets = transaction.writes.iter().map(|write| target(catalog, write)).collect::<Result<_>>()?;
    Ok(Prepared { transaction, targets, jobs, bytes })
}

fn target(catalog: &Catalog, write: &Write) -> Result<Target> {
    let collection = catalog
        .by_id(write.collection)
        .ok_or_else(|| Error::not_found(format!("collection {} does not exist", write.collection)))?;
    let index_keys = match &write.change {
        Change::Delete | Change::Expire | Change::Purge { .. } => Vec::new(),
        Change::Put { body, .. } => keys_of_body(collection, &write.id, body)
            .map_err(|e| e.at(format_args!("{}/{}", collection.name, write.id)))?,
    };
    Ok(Target { collection: Arc::clone(collection), index_keys })
}

/// Validates the body without building a tree of it unless an index needs one.
pub(crate) fn keys_of_body(collection: &Collection, id: &DocId, body: &[u8]) -> Result<Vec<IndexKey>> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::invalid(format!("the body has at most {BODY_BYTES_MAX} bytes")));
    }
    let not_json = |e: serde_json::Error| Error::invalid(format!("the body is not JSON: {e}"));
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::invalid("the body is not a JSON object"));
    }
    if collection.indexes().is_empty() {
        serde_json::from_slice::<Valid>(body).map_err(not_json)?;
        return Ok(Vec::new());
    }
    let json: Json = serde_json::from_slice(body).map_err(not_json)?;
    collection.index_keys(id, &json)
}

/// Anything a tree could be made of, without making it: every string and number is read, the depth is bounded.
/// What passes here can be parsed by every reader to come.
struct Valid;

impl<'de> Deserialize<'de> for Valid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Valid {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}
