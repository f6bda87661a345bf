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
use crate::snapshot::Known;

/// Entries read at a time.
const STEP_ENTRIES: usize = 4_096;

pub(crate) fn ground(
    store: &Store,
    collections: &Collections,
    place: ShardPlace,
    known: Option<Known>,
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
        fixes: last_fixes(store, collections.devices, place, known, at)?,
    })
}

fn documents<T>(
    store: &Store,
    collection: CollectionId,
    at: Tail,
    parse: fn(&Document) -> Option<Arc<T>>,
) -> Result<BTreeMap<DocId, Arc<T>>> {
    let mut found = BTreeMap::new();
    store.snapshot()?.scan_as_of(collection, None, at.seq, |document| {
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
    known: Option<Known>,
    at: Tail,
) -> Result<BTreeMap<DocId, Fix>> {
    let mut table = Devices::new();
    let (mut from, fixes) = known.unwrap_or_default();
    let (feed, floor) = (store.feed(), store.feed().floors());
    for fix in &fixes {
        table.arrive(fix);
    }
    if from.seq < floor.seq || from.positions < floor.positions {
        // Without a snapshot that reaches the floor, what is left of the lanes has to do: a device whose fixes are
        // all trimmed is known again with its next one.
        forget_deleted(store, devices, from, &fixes, &mut table)?;
        from = Tail { seq: from.seq.max(floor.seq), positions: from.positions.max(floor.positions) };
    }
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

/// Leaves out devices of a snapshot that were deleted by records which are trimmed.
fn forget_deleted(
    store: &Store,
    devices: CollectionId,
    since: Tail,
    fixes: &[Fix],
    table: &mut Devices,
) -> Result<()> {
    for fix in fixes {
        let head = store.head(devices, fix.device.as_str())?;
        if head.is_some_and(|head| head.deleted && head.seq > since.seq) {
            table.remove(&fix.device);
        }
    }
    Ok(())
}
