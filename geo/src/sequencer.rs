//! Turns the merged log into ordered batches, one for each shard.
//!
//! A follower of the engine. It reads each document exactly as it was at its change, parses it once, and gives
//! every shard its share through that shard's one bounded inbox, so that all shards see the same order.
//! It keeps nothing: where it resumes is the least of the shards' cursors, and a shard skips what it has had.

use std::sync::Arc;

use crossbeam::channel::Sender;
use dateline_engine::{
    Change, ChangeOp, CollectionId, Document, Entry, Error, Follower, Millis, Result, Store, Tail,
};
use serde_json::Value;

use crate::ad::Ad;
use crate::adlist::AdList;
use crate::event::{Reason, Source};
use crate::fence::Fence;
use crate::hash::shard_of;
use crate::packed;
use crate::shard::{Item, What};
use crate::worker::Input;

/// A batch is passed on when it holds this many items.
const BATCH_ITEMS_MAX: usize = 4_096;

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

pub(crate) struct Sequencer {
    store: Store,
    collections: Collections,
    inboxes: Vec<Sender<Input>>,
    position: Tail,
}

impl Sequencer {
    pub(crate) fn new(
        store: Store,
        collections: Collections,
        inboxes: Vec<Sender<Input>>,
        position: Tail,
    ) -> Self {
        Self { store, collections, inboxes, position }
    }

    fn pass_on(&mut self, batch: &mut Vec<Vec<Item>>, through: Tail) -> Result<()> {
        let empty = self.inboxes.iter().map(|_| Vec::new()).collect();
        for (inbox, items) in self.inboxes.iter().zip(std::mem::replace(batch, empty)) {
            let sent = inbox.send(Input::Batch { items, through });
            sent.map_err(|_| Error::internal("a geo shard has stopped"))?;
        }
        self.position = through;
        Ok(())
    }

    fn share_fixes(&self, seq: u64, at: Millis, bytes: &[u8], batch: &mut [Vec<Item>]) -> Result<usize> {
        let fixes = packed::decode(bytes).map_err(|error| error.at(format!("positions {seq}")))?;
        let count = fixes.len();
        for (index, fix) in (0..).zip(fixes) {
            let source = Source::Positions { seq, index };
            if let Some(share) = batch.get_mut(shard_of(fix.device.as_str(), self.inboxes.len())) {
                share.push(Item { source, at, what: What::Fix(fix) });
            }
        }
        Ok(count)
    }
}

impl Follower for Sequencer {
    fn name(&self) -> &str {
        "geo"
    }

    fn position(&self) -> Tail {
        self.position
    }

    fn wants_positions(&self) -> bool {
        true
    }

    fn apply(&mut self, entries: &[Entry], through: Tail) -> Result<()> {
        let mut batch: Vec<Vec<Item>> = self.inboxes.iter().map(|_| Vec::new()).collect();
        let (mut items, mut at) = (0, self.position);
        for entry in entries {
            at = at.past(std::slice::from_ref(entry));
            let group_ends = match entry {
                Entry::Positions { seq, at, batch: bytes, .. } => {
                    items += self.share_fixes(seq.get(), *at, bytes, &mut batch)?;
                    true
                }
                Entry::Change(change) => {
                    if let Some(what) = read_change(&self.store, &self.collections, change)? {
                        let item =
                            Item { source: Source::Log { seq: change.seq.get() }, at: change.at, what };
                        batch.iter_mut().for_each(|share| share.push(item.clone()));
                        items += 1;
                    }
                    change.seq == change.group_last
                }
            };
            if group_ends && items >= BATCH_ITEMS_MAX {
                self.pass_on(&mut batch, at)?;
                items = 0;
            }
        }
        self.pass_on(&mut batch, through)
    }
}

/// What a change of the log means here; `None` for nothing.
fn read_change(store: &Store, collections: &Collections, change: &Change) -> Result<Option<What>> {
    let read = [collections.ads, collections.adlists, collections.fences, collections.devices];
    let id = || change.id.clone();
    if !read.contains(&change.collection) {
        return Ok(None);
    }
    let (document, ended) = match change.op {
        ChangeOp::Put => {
            let Some(document) = store.version(change.collection, change.id.as_str(), change.seq)? else {
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
    Ok(match change.collection {
        collection if collection == collections.ads => {
            let ad = document.as_ref().and_then(parse_ad);
            let ended = ad
                .as_ref()
                .and_then(|ad| ad.ended_reason.as_deref())
                .map_or(ended, |reason| if reason == "expired" { Reason::Expired } else { Reason::Removed });
            Some(What::Ad { id: id(), live: ad.filter(|ad| ad.active), ended })
        }
        collection if collection == collections.adlists => {
            let before = store.version(collection, change.id.as_str(), change.prev_seq)?;
            let existed = before.is_some_and(|before| !before.deleted);
            Some(What::List { id: id(), live: document.as_ref().and_then(parse_list), existed })
        }
        collection if collection == collections.fences => {
            Some(What::Fence { id: id(), live: document.as_ref().and_then(parse_fence) })
        }
        _ => document.is_none().then(|| What::DeviceGone { id: id() }),
    })
}

pub(crate) fn parse_ad(document: &Document) -> Option<Arc<Ad>> {
    parsed(document, Ad::parse)
}

pub(crate) fn parse_list(document: &Document) -> Option<Arc<AdList>> {
    parsed(document, AdList::parse)
}

pub(crate) fn parse_fence(document: &Document) -> Option<Arc<Fence>> {
    parsed(document, Fence::parse)
}

/// The server validates what it stores; a body that came in another way and means nothing here never matches.
fn parsed<T>(
    document: &Document,
    parse: fn(&Value) -> std::result::Result<T, crate::Issues>,
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
