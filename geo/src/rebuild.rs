//! The state as of a tail, from what is stored: the snapshot, and the lanes after it played through the same shard
//! with nobody told. Used at the start and by `verify`.
//!
//! Stays at fences follow from their past, so they are played; what lists hold follows from the ads and places there
//! are at the end, so it is made once then.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dateline_engine::{CollectionId, DocId, Document, Entry, Millis, PositionSeq, Result, Store, Tail};

use crate::ad::Ad;
use crate::adlist::AdList;
use crate::event::Source;
use crate::reading::{self, Reading, parse_ad, parse_attributes, parse_list};
use crate::shard::{Ground, Item, Shard, ShardPlace, What};
use crate::snapshot::Known;
use crate::state::State;
use crate::teller::Teller;

/// Entries read at a time.
const STEP_ENTRIES: usize = 4_096;
/// Whoever waits for a start learns this often how far it has come.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What lists are made of.
pub(crate) struct Stock {
    pub(crate) ads: BTreeMap<DocId, Arc<Ad>>,
    pub(crate) lists: BTreeMap<DocId, Arc<AdList>>,
}

pub(crate) fn shard(reading: &Reading, place: ShardPlace, known: Option<Known>, at: Tail) -> Result<Shard> {
    let mut shard = played(reading, place, known, at)?;
    let Stock { ads, lists } = stock(reading, place, at)?;
    shard.stock(ads, lists);
    Ok(shard)
}

/// Live ads and the shard's active lists as of a tail.
pub(crate) fn stock(reading: &Reading, place: ShardPlace, at: Tail) -> Result<Stock> {
    let Reading { store, collections, .. } = reading;
    let ads = documents(store, collections.ads, at, parse_ad)?.into_iter();
    let lists = documents(store, collections.adlists, at, parse_list)?.into_iter();
    let owned = lists.filter(|(_, (list, _))| list.active && place.owns_list(list));
    Ok(Stock {
        ads: ads.filter(|(_, (ad, _))| ad.active).map(|(id, (ad, _))| (id, ad)).collect(),
        lists: owned.map(|(id, (list, _))| (id, list)).collect(),
    })
}

/// A shard without ads and lists.
fn played(reading: &Reading, place: ShardPlace, known: Option<Known>, at: Tail) -> Result<Shard> {
    let (store, collections) = (&reading.store, &reading.collections);
    let floor = store.feed().floors();
    // One that knows no stays says less than the lane itself, where it is whole.
    let known = known.filter(|(_, state)| !state.is_bare || floor.positions > PositionSeq::ZERO);
    let (mut from, mut state) = known.unwrap_or_default();
    let is_cut = from.seq < floor.seq || from.positions < floor.positions;
    if is_cut {
        // Without a snapshot that reaches the floor, what is left of the lanes has to do: a device whose fixes are
        // all trimmed is known again with its next one.
        forget_deleted(store, collections.devices, from, &mut state)?;
        from = Tail { seq: from.seq.max(floor.seq), positions: from.positions.max(floor.positions) };
    }
    let ground = Ground {
        fences: documents(store, collections.fences, from, |document| reading.fence(document))?,
        attributes: documents(store, collections.devices, from, parse_attributes)?
            .into_iter()
            .map(|(id, (attributes, _))| (id, attributes))
            .collect(),
    };
    let mut shard = Shard::new(place, ground);
    let must_look = is_cut || state.is_bare;
    shard.restore(state);
    if must_look {
        shard.look_around(&mut Teller::new(Source::Log { seq: from.seq.get() }, Millis::ZERO));
    }
    play(reading, &mut shard, from, at)?;
    Ok(shard)
}

fn play(reading: &Reading, shard: &mut Shard, mut from: Tail, at: Tail) -> Result<()> {
    let feed = reading.store.feed();
    let mut untold = Vec::new();
    let mut last_told = Instant::now();
    while from.seq < at.seq || from.positions < at.positions {
        let entries = feed.entries(from, STEP_ENTRIES)?;
        if entries.is_empty() {
            break;
        }
        from = from.past(&entries);
        if last_told.elapsed() >= PROGRESS_EVERY {
            last_told = Instant::now();
            let shard = shard.place.number;
            tracing::info!(shard, ?from, to = ?at, "playing what came after the last device snapshot");
        }
        for entry in entries {
            for item in items(reading, shard.place, entry, at)? {
                shard.apply(&item, &mut untold);
                untold.clear();
            }
        }
    }
    Ok(())
}

/// What an entry says of fences and devices, if it is not past `at`.
fn items(reader: &Reading, place: ShardPlace, entry: Entry, at: Tail) -> Result<Vec<Item>> {
    let collections = &reader.collections;
    match entry {
        Entry::Positions { seq, batch, at: taken, after } if seq <= at.positions => {
            let items = reading::batch(seq, &batch)?.map(|(index, what)| {
                let source = Source::Positions { seq: seq.get(), index };
                Item { source, at: taken, log_seq: after.get(), what }
            });
            let concerns = |item: &Item| match &item.what {
                What::Fix(fix) => place.knows_device(fix.device.as_str()),
                _ => true,
            };
            Ok(items.filter(concerns).collect())
        }
        Entry::Change(change)
            if change.seq <= at.seq
                && [collections.fences, collections.devices].contains(&change.collection) =>
        {
            let seq = change.seq.get();
            let item = |what| Item { source: Source::Log { seq }, at: change.at, log_seq: seq, what };
            Ok(reader.change(&change)?.map(item).into_iter().collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Documents as of a tail, with where they were written.
pub(crate) fn documents<T>(
    store: &Store,
    collection: CollectionId,
    at: Tail,
    parse: impl Fn(&Document) -> Option<T>,
) -> Result<BTreeMap<DocId, (T, u64)>> {
    let mut found = BTreeMap::new();
    store.snapshot()?.scan_as_of(collection, None, at.seq, |document| {
        if let Some(parsed) = parse(&document) {
            found.insert(document.id, (parsed, document.seq.get()));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Leaves out devices of a snapshot that were deleted by records which are trimmed.
fn forget_deleted(store: &Store, devices: CollectionId, since: Tail, state: &mut State) -> Result<()> {
    let mut kept = Vec::with_capacity(state.devices.len());
    for known in state.devices.drain(..) {
        let head = store.head(devices, known.fix.device.as_str())?;
        if !head.is_some_and(|head| head.deleted && head.seq > since.seq) {
            kept.push(known);
        }
    }
    state.devices = kept;
    Ok(())
}
