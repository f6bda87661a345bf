//! The running matcher: starts its threads, takes positions in, answers how far it has come.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use dateline_engine::{
    Durability, Error, FollowerHandle, Millis, PositionSeq, Receipt, Result, Seq, Store, Tail, Transaction,
    follow,
};

use crate::condition::ReadCondition;
use crate::fix::{FIELDS_BYTES_MAX, Fix};
use crate::outbox::{self, Outbox};
use crate::packed::{self, BATCH_FIXES_MAX};
use crate::reading::{Collections, Reading};
use crate::rebuild;
use crate::room::Room;
use crate::sequencer::Sequencer;
use crate::shard::{Shard, ShardPlace};
use crate::snapshot::SnapshotFile;
use crate::worker::{INBOX_BATCHES_MAX, Input, Progress, Worker};

/// Where the number of shards is kept: with the data, because stored cursors depend on it.
const SHARDS_CURSOR: &str = "geo/shards";

/// How the matcher runs.
#[derive(Clone, Debug)]
pub struct GeoOptions {
    /// Threads that match. Taken at the first start of a store and kept from then on.
    pub shards: NonZeroUsize,
    /// Of the commits that store events. `Buffered` loses nothing: what a power cut takes is derived again.
    pub events: Durability,
    /// Least time between two device snapshots of a shard.
    pub snapshot_every: Duration,
    /// Reads the `where` of fences.
    pub conditions: ReadCondition,
}

/// The geo matcher of one store. Dropping it abandons it as a crash would; `stop` ends it in good order.
pub struct Geo {
    pub(crate) store: Store,
    pub(crate) collections: Collections,
    pub(crate) reading: Reading,
    pub(crate) inboxes: Vec<Sender<Input>>,
    pub(crate) rooms: Vec<Arc<Room>>,
    pub(crate) snapshots: Vec<SnapshotFile>,
    progress: Arc<Progress>,
    threads: Mutex<Threads>,
}

struct Threads {
    follower: Option<FollowerHandle>,
    workers: Vec<JoinHandle<()>>,
}

impl Geo {
    /// Rebuilds the state as of the stored cursors, silently, and goes on from there.
    ///
    /// `dir` holds device snapshots; it may be emptied at any time while the matcher is stopped, at the price of a
    /// longer start. The collections ads, adlists, fences, devices, matches and fence_events must exist.
    ///
    /// # Errors
    /// `NotFound` without those collections; `Gone` when the lanes have been trimmed past what is needed;
    /// `Corrupt` or `Unavailable` when something stored cannot be read.
    pub fn start(store: &Store, dir: &Path, options: GeoOptions) -> Result<Self> {
        std::fs::create_dir_all(dir)
            .map_err(|error| Error::unavailable(format!("{}: {error}", dir.display())))?;
        let collections = Collections::find(store)?;
        let reading = Reading { store: store.clone(), collections, conditions: options.conditions };
        let count = shard_count(store, options.shards)?;
        let mut started = Vec::new();
        for number in 0..count {
            started.push(prepare(&reading, dir, ShardPlace { number, count }, &options)?);
        }
        let snapshots = started.iter().map(|shard| shard.snapshots.clone()).collect();
        let tails: Vec<Tail> = started.iter().map(|shard| shard.at).collect();
        let due = started.iter().map(|shard| shard.shard.next_due()).collect();
        let progress = Arc::new(Progress::new(tails.clone(), due));
        let (mut inboxes, mut rooms, mut workers) = (Vec::new(), Vec::new(), Vec::new());
        for (number, prepared) in started.into_iter().enumerate() {
            let (inbox, inputs) = bounded(INBOX_BATCHES_MAX);
            let worker = prepared.into_worker(number, Arc::clone(&progress));
            inboxes.push(inbox);
            rooms.push(Arc::clone(&worker.room));
            workers.push(spawn(worker, inputs)?);
        }
        let resume = tails.into_iter().min().unwrap_or_default();
        let ways = inboxes.iter().cloned().zip(rooms.iter().cloned()).collect();
        let sequencer = Sequencer::new(reading.clone(), ways, resume);
        let follower = follow(store, Box::new(sequencer))?;
        let threads = Mutex::new(Threads { follower: Some(follower), workers });
        let store = store.clone();
        Ok(Self { store, collections, reading, inboxes, rooms, snapshots, progress, threads })
    }

    /// Appends fixes to the positions lane as one batch; `done` is called once they are stored as asked, usually on
    /// the engine's thread, and must be quick. Matching follows; see [`Geo::wait_for`].
    ///
    /// Answers `Invalid` for more than [`BATCH_FIXES_MAX`] fixes, `Busy` when the engine has too much to write.
    pub fn submit(
        &self,
        fixes: &[Fix],
        durability: Durability,
        done: impl FnOnce(Result<Receipt>) + Send + 'static,
    ) {
        if fixes.is_empty() || fixes.len() > BATCH_FIXES_MAX {
            return done(Err(Error::invalid(format!("a batch holds 1 to {BATCH_FIXES_MAX} positions"))));
        }
        if fixes.iter().any(|fix| fix.fields.as_ref().is_some_and(|fields| fields.len() > FIELDS_BYTES_MAX)) {
            return done(Err(Error::invalid(format!("fields: larger than {FIELDS_BYTES_MAX} bytes"))));
        }
        self.store.submit(Transaction::new(durability).positions(packed::encode(fixes)), done);
    }

    /// When the first of the devices will change by time alone, as far as positions and documents are matched; `None`
    /// while none will. From then on [`Geo::tick`] is needed.
    #[must_use]
    pub fn due(&self) -> Option<Millis> {
        self.progress.due()
    }

    /// Lets the log note that time has gone by: dwells that are over, hours that begin or end and devices whose last fix
    /// is no longer good are told by this record, so that a replay tells them again at the same place.
    ///
    /// # Errors
    /// As `Store::commit`.
    pub fn tick(&self) -> Result<Tail> {
        // If a power cut takes it, nothing that it caused is left either, and the next one comes.
        let tick = Transaction::new(Durability::Buffered).positions(packed::encode(&[]));
        self.store.commit(tick).map(|receipt| receipt.tail)
    }

    /// Everything up to here has been matched and its events are stored.
    #[must_use]
    pub fn visible(&self) -> Tail {
        self.progress.visible()
    }

    /// Waits until everything up to `tail` is visible; false after `timeout` or when the matcher has failed.
    #[must_use]
    pub fn wait_for(&self, tail: Tail, timeout: Duration) -> bool {
        self.progress.wait_for(tail, timeout)
    }

    /// Why matching has stopped by itself, if it has. Nothing is lost: a restart goes on where it stopped.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        let follower = || {
            self.threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .follower
                .as_ref()
                .and_then(FollowerHandle::failed)
        };
        self.progress.failed().or_else(follower)
    }

    /// Commits what has been matched, writes device snapshots and ends the threads; questions fail from then on.
    pub fn stop(&self) {
        self.end(true);
    }

    fn end(&self, in_order: bool) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // First the source: the shards go on draining, so it cannot hang on a full inbox.
        drop(threads.follower.take());
        let last = || if in_order { Input::Stop } else { Input::Abandon };
        self.inboxes.iter().for_each(|inbox| drop(inbox.send(last())));
        for worker in threads.workers.drain(..) {
            // A panic inside a worker is caught and told by `failed`.
            drop(worker.join());
        }
    }
}

impl Drop for Geo {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// A shard with its state as of its cursor.
struct Prepared {
    shard: Shard,
    outbox: Outbox,
    snapshots: SnapshotFile,
    at: Tail,
}

impl Prepared {
    fn into_worker(self, number: usize, progress: Arc<Progress>) -> Worker {
        let Self { shard, outbox, snapshots, at } = self;
        Worker {
            number,
            room: Arc::new(Room::new(shard, at)),
            outbox,
            snapshots,
            progress,
            at,
            cursor: at,
            events: Vec::new(),
            unsaved: 0,
            stored: at,
            saving: None,
        }
    }
}

fn prepare(reading: &Reading, dir: &Path, place: ShardPlace, options: &GeoOptions) -> Result<Prepared> {
    let store = &reading.store;
    let (mut outbox, cursor) =
        Outbox::open(store.clone(), reading.collections, place.number, options.events)?;
    let snapshots = SnapshotFile::new(store.clone(), dir, place, options.snapshot_every);
    let Some(at) = cursor else {
        // The first start takes the lanes from their beginning; the cursors hold them there.
        let at = store.feed().floors();
        snapshots.hold(at)?;
        outbox.checkpoint(at)?;
        // What was written by records that are trimmed is known from the documents.
        let shard = rebuild::shard(reading, place, None, at)?;
        return Ok(Prepared { shard, outbox, snapshots, at });
    };
    let floor = store.feed().floors();
    let kept = Tail { seq: at.seq.max(floor.seq), positions: at.positions.max(floor.positions) };
    if kept != at {
        // The hold has ended: a matcher that stood still longer than the lanes are kept begins where they do.
        tracing::error!(shard = place.number, ?at, ?floor, "the lanes were trimmed past the geo matcher");
        outbox.skip_to(kept)?;
    }
    let at = kept;
    let shard = rebuild::shard(reading, place, snapshots.load(at)?, at)?;
    Ok(Prepared { shard, outbox, snapshots, at })
}

/// Lets the matcher of a store begin anew at `at`, before it is started. For a store that was taken back to an earlier
/// moment: what the matcher had told by then is stored, and what it told since is gone. Changes that it had not matched
/// by then are not matched again.
///
/// # Errors
/// As `Store::commit`.
pub fn begin_at(store: &Store, at: Tail) -> Result<()> {
    let Some(shards) = store.cursor(SHARDS_CURSOR)? else { return Ok(()) };
    let shards = usize::try_from(shards.at.seq.get()).unwrap_or(usize::MAX);
    (0..shards).try_for_each(|shard| outbox::skip_to(store, &outbox::cursor_of(shard), at))
}

fn shard_count(store: &Store, wanted: NonZeroUsize) -> Result<usize> {
    let known = store.cursor(SHARDS_CURSOR)?;
    let count = known.as_ref().map_or(wanted.get() as u64, |cursor| cursor.at.seq.get());
    // A store of format 1 has it as a cursor, which would hold both lanes for ever.
    if known.is_none_or(|cursor| cursor.holds) {
        let at = Tail { seq: Seq::new(count), positions: PositionSeq::ZERO };
        store.commit(Transaction::new(Durability::Sync).note(SHARDS_CURSOR, at))?;
    }
    usize::try_from(count).map_err(|_| Error::corrupt("geo/shards: not a number of shards"))
}

fn spawn(worker: Worker, inputs: Receiver<Input>) -> Result<JoinHandle<()>> {
    let name = format!("dateline-geo-{}", worker.number);
    let spawned = std::thread::Builder::new().name(name).spawn(move || worker.run(&inputs));
    spawned.map_err(|error| Error::unavailable(format!("cannot start a geo shard: {error}")))
}
