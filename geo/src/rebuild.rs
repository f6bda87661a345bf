//! The state as of a tail, from what is stored: documents as of the log sequence, last fixes from the snapshot and
//! the lanes after it. Used at the start and by `verify`; tells nobody anything.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use dateline_engine::{ChangeOp, CollectionId, DocId, Document, Entry, Result, Store, Tail};

use crate::devices::Devices;
use crate::fix::Fix;
use crate::packed;
use crate::sequencer::{Collections, parse_ad, parse_fence, parse_list};
use crate::shard::{Ground, ShardPlace};
use crate::snapshot::SnapshotFile;

/// Entries read at a time.
const STEP_ENTRIES: usize = 4_096;

pub(crate) fn ground(
    store: &Store,
    collections: &Collections,
    place: ShardPlace,
    snapshots: Option<&SnapshotFile>,
    at: Tail,
) -> Result<Ground> {
    let ads =
        documents(store, collections.ads, at, parse_ad)?.into_iter().filter(|(_, ad)| ad.active).collect();
    let lists = documents(store, collections.adlists, at, parse_list)?;
    let lists = lists.into_iter().filter(|(_, list)| list.active && place.owns_list(list)).collect();
    Ok(Ground {
        ads,
        lists,
        fences: documents(store, collections.fences, at, parse_fence)?,
        fixes: last_fixes(store, collections.devices, place, snapshots, at)?,
    })
}

fn documents<T>(
    store: &Store,
    collection: CollectionId,
    at: Tail,
    parse: fn(&Document) -> Option<Arc<T>>,
) -> Result<BTreeMap<DocId, Arc<T>>> {
    let mut found = BTreeMap::new();
    store.snapshot()?.scan_as_of(collection, at.seq, |document| {
        if let Some(parsed) = parse(&document) {
            found.insert(document.id, parsed);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn last_fixes(
    store: &Store,
    devices: CollectionId,
    place: ShardPlace,
    snapshots: Option<&SnapshotFile>,
    at: Tail,
) -> Result<BTreeMap<DocId, Fix>> {
    let mut table = Devices::new();
    let (mut from, fixes) = match snapshots.map(|file| file.load(at)).transpose()?.flatten() {
        Some((from, fixes)) => (from, fixes),
        None => (Tail::default(), Vec::new()),
    };
    for fix in &fixes {
        table.arrive(fix);
    }
    let feed = store.feed();
    while from.seq < at.seq || from.positions < at.positions {
        let entries = feed.entries(from, STEP_ENTRIES)?;
        if entries.is_empty() {
            break;
        }
        from = from.past(&entries);
        for entry in entries {
            match entry {
                Entry::Positions { seq, batch, .. } if seq <= at.positions => {
                    let fixes =
                        packed::decode(&batch).map_err(|error| error.at(format!("positions {seq}")))?;
                    let own = fixes.iter().filter(|fix| place.owns_device(fix.device.as_str()));
                    for fix in own {
                        table.arrive(fix);
                    }
                }
                Entry::Change(change)
                    if change.seq <= at.seq
                        && change.collection == devices
                        && matches!(change.op, ChangeOp::Delete | ChangeOp::Expire) =>
                {
                    table.remove(&change.id);
                }
                _ => {}
            }
        }
    }
    Ok(table.iter().map(|(id, device)| (id.clone(), device.fix.clone())).collect())
}
