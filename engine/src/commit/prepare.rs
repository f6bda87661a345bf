//! Work done on the caller's thread, in parallel, before the writer sees a transaction:
//! bounds, JSON validation, keys of declared indexes.

use std::sync::Arc;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use crate::catalog::{Catalog, Collection, check_name};
use crate::commit::op::{Change, Transaction, Write};
use crate::error::{Error, Result};
use crate::index::IndexKey;
use crate::limits::{BODY_BYTES_MAX, POSITIONS_BYTES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_OPS_MAX};
use crate::queue::{NewJob, PreparedJob};
use crate::schema;
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
    /// Version of its schema that the new body is of.
    pub(crate) schema: u32,
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
    let newest = collection.schema_version();
    let (schema, index_keys) = match &write.change {
        Change::Delete | Change::Expire | Change::Purge { .. } => (newest, Vec::new()),
        Change::Put { body, schema, .. } => {
            let schema = schema.unwrap_or(newest);
            let keys = keys_of_body(collection, &write.id, body, schema)
                .map_err(|e| e.at(format_args!("{}/{}", collection.name, write.id)))?;
            (schema, keys)
        }
    };
    Ok(Target { collection: Arc::clone(collection), schema, index_keys })
}

/// Validates the body, building a tree of what its indexes read. Its keys are those of the body as it will be shown.
pub(crate) fn keys_of_body(
    collection: &Collection,
    id: &DocId,
    body: &[u8],
    schema: u32,
) -> Result<Vec<IndexKey>> {
    let newest = collection.schema_version();
    if !(schema::FIRST..=newest).contains(&schema) {
        return Err(Error::invalid(format!("schema version {schema} is not one of 1 to {newest}")));
    }
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
    if schema < newest {
        // An upgrade may read any member.
        let mut json: Json = serde_json::from_slice(body).map_err(not_json)?;
        collection.raise(schema, body.len(), &mut json);
        return collection.index_keys(id, &json);
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let members = Indexed(collection).deserialize(&mut reader).map_err(not_json)?;
    reader.end().map_err(not_json)?;
    collection.index_keys(id, &Json::Object(members))
}

/// The members of an object that indexes read; the others are only validated.
#[derive(Clone, Copy)]
struct Indexed<'a>(&'a Collection);

impl Indexed<'_> {
    fn reads(self, member: &str) -> bool {
        let mut fields = self.0.indexes().iter().flat_map(|index| &index.spec.fields);
        fields.any(|field| field.path.split('.').next() == Some(member))
    }
}

impl<'de> DeserializeSeed<'de> for Indexed<'_> {
    type Value = Map<String, Json>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Indexed<'_> {
    type Value = Map<String, Json>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> std::result::Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key_seed(Member(self))? {
            if let Some(name) = name {
                members.insert(name, access.next_value()?);
            } else {
                access.next_value::<Valid>()?;
            }
        }
        Ok(members)
    }
}

/// The name of a member, if indexes read it.
struct Member<'a>(Indexed<'a>);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Self::Value, E> {
        Ok(self.0.reads(name).then(|| name.to_owned()))
    }
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
