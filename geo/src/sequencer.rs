//! Turns the merged log into ordered batches, one for each shard.
//!
//! A follower of the engine. It reads each document exactly as it was at its change, parses it once, and gives
//! every shard its share through that shard's one bounded inbox, so that all shards see the same order.
//! It keeps nothing: where it resumes is the least of the shards' cursors, and a shard skips what it has had.

use crossbeam::channel::Sender;
use dateline_engine::{Entry, Error, Follower, Millis, Result, Tail};

use crate::event::Source;
use crate::hash::shard_of;
use crate::packed;
use crate::reading::Reading;
use crate::shard::{Item, ShardPlace, What};
use crate::worker::Input;

/// A batch is passed on when it holds this many items.
const BATCH_ITEMS_MAX: usize = 4_096;

pub(crate) struct Sequencer {
    reading: Reading,
    inboxes: Vec<Sender<Input>>,
    position: Tail,
}

impl Sequencer {
    pub(crate) fn new(reading: Reading, inboxes: Vec<Sender<Input>>, position: Tail) -> Self {
        Self { reading, inboxes, position }
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

    /// Each fix goes to the shard that owns its device, and to the one that watches over all devices.
    fn share_fixes(&self, batch: &Packed<'_>, shares: &mut [Vec<Item>]) -> Result<usize> {
        let fixes =
            packed::decode(batch.bytes).map_err(|error| error.at(format!("positions {}", batch.seq)))?;
        let (at, log_seq, seq) = (batch.at, batch.after, batch.seq);
        if fixes.is_empty() {
            let source = Source::Positions { seq, index: 0 };
            let tick = Item { source, at, log_seq, what: What::Tick };
            shares.iter_mut().for_each(|share| share.push(tick.clone()));
            return Ok(1);
        }
        let count = fixes.len();
        let shards = shares.len();
        for (index, fix) in (0..).zip(fixes) {
            let source = Source::Positions { seq, index };
            let owner = shard_of(fix.device.as_str(), shards);
            for (number, share) in shares.iter_mut().enumerate() {
                if number == owner || (ShardPlace { number, count: shards }).roams() {
                    share.push(Item { source, at, log_seq, what: What::Fix(fix.clone()) });
                }
            }
        }
        Ok(count)
    }
}

/// One batch of the positions lane.
struct Packed<'a> {
    seq: u64,
    at: Millis,
    after: u64,
    bytes: &'a [u8],
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
                Entry::Positions { seq, at, batch: bytes, after } => {
                    let packed = Packed { seq: seq.get(), at: *at, after: after.get(), bytes };
                    items += self.share_fixes(&packed, &mut batch)?;
                    true
                }
                Entry::Change(change) => {
                    if let Some(what) = self.reading.change(change)? {
                        let seq = change.seq.get();
                        let item = Item { source: Source::Log { seq }, at: change.at, log_seq: seq, what };
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
