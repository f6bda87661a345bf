//! Turns the merged log into ordered batches, one for each shard.
//!
//! A follower of the engine. It reads each document exactly as it was at its change, parses it once, and gives
//! every shard its share through that shard's one bounded inbox, so that all shards see the same order.
//! It keeps nothing: where it resumes is the least of the shards' cursors, and a shard skips what it has had.

use std::sync::Arc;

use crossbeam::channel::Sender;
use dateline_engine::{Entry, Error, Follower, Result, Tail};

use crate::event::Source;
use crate::hash::shard_of;
use crate::reading::{self, Reading};
use crate::room::Room;
use crate::shard::{Item, ShardPlace, What};
use crate::worker::Input;

/// A batch is passed on when it holds this many items.
const BATCH_ITEMS_MAX: usize = 4_096;

pub(crate) struct Sequencer {
    reading: Reading,
    /// To each shard.
    ways: Vec<(Sender<Input>, Arc<Room>)>,
    position: Tail,
}

impl Sequencer {
    pub(crate) fn new(reading: Reading, ways: Vec<(Sender<Input>, Arc<Room>)>, position: Tail) -> Self {
        Self { reading, ways, position }
    }

    fn pass_on(&mut self, batch: &mut Vec<Vec<Item>>, through: Tail) -> Result<()> {
        let empty = self.ways.iter().map(|_| Vec::new()).collect();
        for ((inbox, room), items) in self.ways.iter().zip(std::mem::replace(batch, empty)) {
            room.announce();
            let sent = inbox.send(Input::Batch { items, through });
            sent.map_err(|_| Error::internal("a geo shard has stopped"))?;
        }
        self.position = through;
        Ok(())
    }
}

/// Each fix goes to the shard that owns its device, and to the one that watches over all devices; the rest to all.
fn share(item: Item, shares: &mut [Vec<Item>]) {
    let What::Fix(fix) = &item.what else {
        return shares.iter_mut().for_each(|share| share.push(item.clone()));
    };
    let owner = shard_of(fix.device.as_str(), shares.len());
    if owner != ShardPlace::ROAMING
        && let Some(share) = shares.get_mut(ShardPlace::ROAMING)
    {
        share.push(item.clone());
    }
    if let Some(share) = shares.get_mut(owner) {
        share.push(item);
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
        let mut batch: Vec<Vec<Item>> = self.ways.iter().map(|_| Vec::new()).collect();
        let (mut items, mut at) = (0, self.position);
        for entry in entries {
            at = at.past(std::slice::from_ref(entry));
            let group_ends = match entry {
                Entry::Positions { seq, at, batch: bytes, after } => {
                    for (index, what) in reading::batch(*seq, bytes)? {
                        let source = Source::Positions { seq: seq.get(), index };
                        share(Item { source, at: *at, log_seq: after.get(), what }, &mut batch);
                        items += 1;
                    }
                    true
                }
                Entry::Change(change) => {
                    if let Some(what) = self.reading.change(change)? {
                        let seq = change.seq.get();
                        let item = Item { source: Source::Log { seq }, at: change.at, log_seq: seq, what };
                        share(item, &mut batch);
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
