//! What entries of the log mean to the matcher: documents as they were at their change, parsed.

use std::sync::Arc;

use dateline_engine::{Change, ChangeOp, CollectionId, Document, Error, PositionSeq, Result, Seq, Store};
use serde_json::{Map, Value};

use crate::ad::Ad;
use crate::adlist::AdList;
use crate::condition::ReadCondition;
use crate::devices::Attributes;
use crate::event::Reason;
use crate::fence::Fence;
use crate::packed;
use crate::shard::What;

/// The collections the matcher reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collections {
    pub(crate) ads: CollectionId,
    pub(crate) adlists: CollectionId,
    pub(crate) fences: CollectionId,
    pub(crate) devices: CollectionId,
    pub(crate) matches: CollectionId,
    pub(crate) fence_events: CollectionId,
}

impl Collections {
    pub(crate) fn find(store: &Store) -> Result<Self> {
        let catalog = store.catalog();
        let id = |name: &str| {
            let found = catalog.by_name(name).map(|collection| collection.id);
            found.ok_or_else(|| Error::not_found(format!("collection '{name}' is not defined")))
        };
        Ok(Self {
            ads: id("ads")?,
            adlists: id("adlists")?,
            fences: id("fences")?,
            devices: id("devices")?,
            matches: id("matches")?,
            fence_events: id("fence_events")?,
        })
    }
}

/// A reader of documents.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) store: Store,
    pub(crate) collections: Collections,
    /// Reads the `where` of fences.
    pub(crate) conditions: ReadCondition,
}

impl Reading {
    /// What a change of the log means here; `None` for nothing.
    pub(crate) fn change(&self, change: &Change) -> Result<Option<What>> {
        let collections = &self.collections;
        let read = [collections.ads, collections.adlists, collections.fences, collections.devices];
        if !read.contains(&change.collection) {
            return Ok(None);
        }
        let (document, ended) = match change.op {
            ChangeOp::Put => {
                let Some(document) = self.version(change, change.seq)? else {
                    // Its history is gone, so a later version exists and will be told instead.
                    tracing::warn!(id = %change.id, seq = %change.seq, "geo skipped a version that is not kept");
                    return Ok(None);
                };
                (Some(document), Reason::Removed)
            }
            ChangeOp::Delete => (None, Reason::Removed),
            ChangeOp::Expire => (None, Reason::Expired),
            // A purge forgets what had gone before.
            ChangeOp::Purge | ChangeOp::Enqueue | ChangeOp::Catalog | ChangeOp::Drop => return Ok(None),
        };
        let id = change.id.clone();
        Ok(match change.collection {
            collection if collection == collections.ads => {
                let ad = document.as_ref().and_then(parse_ad);
                let ended = ad.as_ref().and_then(|ad| ad.ended_reason.as_deref()).map_or(ended, |reason| {
                    if reason == "expired" { Reason::Expired } else { Reason::Removed }
                });
                Some(What::Ad { id, live: ad.filter(|ad| ad.active), ended })
            }
            collection if collection == collections.adlists => {
                let existed = self.version(change, change.prev_seq)?.is_some_and(|before| !before.deleted);
                Some(What::List { id, live: document.as_ref().and_then(parse_list), existed, ended })
            }
            collection if collection == collections.fences => {
                Some(What::Fence { id, live: document.as_ref().and_then(|document| self.fence(document)) })
            }
            _ => match document {
                Some(document) => Some(self.device(change, &document)?),
                None if ended == Reason::Expired => Some(What::DeviceGone { id, reason: Reason::Expired }),
                None => Some(What::DeviceGone { id, reason: Reason::Deleted }),
            },
        })
    }

    fn version(&self, change: &Change, seq: Seq) -> Result<Option<Document>> {
        self.store.version(change.collection, change.id.as_str(), seq)
    }

    fn device(&self, change: &Change, document: &Document) -> Result<What> {
        let before = self.version(change, change.prev_seq)?.filter(|before| !before.deleted);
        let (before, after) = (before.map(|before| fields(&before)).unwrap_or_default(), fields(document));
        let is_new = |(name, value): &(&String, &Value)| before.get(*name) != Some(*value);
        let changed = after.iter().filter(is_new).map(|(name, _)| name.as_str().into()).collect();
        Ok(What::Device { id: change.id.clone(), attributes: Arc::new(after), changed })
    }

    pub(crate) fn fence(&self, document: &Document) -> Option<Arc<Fence>> {
        parsed(document, |body| Fence::parse(body, self.conditions))
    }
}

/// What a batch of positions means, by its index there: fixes, or that time has gone by.
pub(crate) fn batch(seq: PositionSeq, bytes: &[u8]) -> Result<impl Iterator<Item = (u32, What)>> {
    let fixes = packed::decode(bytes).map_err(|error| error.at(format!("positions {seq}")))?;
    let tick = fixes.is_empty().then_some(What::Tick);
    Ok((0..).zip(fixes.into_iter().map(What::Fix).chain(tick)))
}

pub(crate) fn parse_ad(document: &Document) -> Option<Arc<Ad>> {
    parsed(document, Ad::parse)
}

pub(crate) fn parse_list(document: &Document) -> Option<Arc<AdList>> {
    parsed(document, AdList::parse)
}

/// The attributes that the document of a device gives it, if any.
pub(crate) fn parse_attributes(document: &Document) -> Option<Attributes> {
    Some(fields(document)).filter(|fields| !fields.is_empty()).map(Arc::new)
}

fn fields(document: &Document) -> Map<String, Value> {
    let body: Option<Value> = serde_json::from_slice(&document.body).ok();
    match body.and_then(|mut body| body.get_mut("fields").map(Value::take)) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The server validates what it stores; a body that came in another way and means nothing here never matches.
fn parsed<T>(
    document: &Document,
    parse: impl Fn(&Value) -> std::result::Result<T, crate::Issues>,
) -> Option<Arc<T>> {
    let body: Value = serde_json::from_slice(&document.body).ok()?;
    match parse(&body) {
        Ok(parsed) => Some(Arc::new(parsed)),
        Err(issues) => {
            tracing::debug!(id = %document.id, seq = %document.seq, ?issues, "geo cannot use a document");
            None
        }
    }
}
