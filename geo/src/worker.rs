//! One shard thread: takes batches and questions from its inbox in order, applies, commits, answers.
//!
//! What waits is applied before one commit, so a slow disk makes bigger commits and not a longer queue; but never more
//! than a turn of it, so that cursor, snapshots and whoever waits to be caught up get theirs under any load.
//! A batch is visible once its events are committed. A question sees every batch that came before it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use dateline_engine::{Error, Millis, Result, Tail};

use crate::event::{Event, Source};
use crate::outbox::Outbox;
use crate::room::Room;
use crate::shard::{Item, Shard};
use crate::snapshot::SnapshotFile;
use crate::state;

/// Batches one inbox holds; more make the sequencer wait.
pub(crate) const INBOX_BATCHES_MAX: usize = 64;
/// Events after which a commit is made even if more batches wait.
const EVENTS_PER_COMMIT: usize = 16_000;
/// Events after which those of a batch are told before its end.
const EVENTS_HELD_MAX: usize = 64_000;
/// Items whose devices are looked at together before each is applied.
const STRIDE: usize = 32;
/// Longest time that is spent on waiting batches before it is told how far they have brought the shard.
const TURN_MAX: Duration = Duration::from_millis(100);
/// Longest time the cursor stays behind what has been applied without events.
const CURSOR_EVERY: Duration = Duration::from_secs(1);
/// Items after which a snapshot is due before its time, so that a start never plays many more.
const UNSAVED_MAX: usize = 1_000_000;

/// Asked of the state as it is when its turn comes.
pub(crate) type Question = Box<dyn FnOnce(&Shard, Tail) + Send>;

/// What a shard is given.
pub(crate) enum Input {
    Batch {
        items: Vec<Item>,
        through: Tail,
    },
    Ask(Question),
    /// Checkpoint, write a snapshot, end.
    Stop,
    /// End as a crash would.
    Abandon,
}

/// How far each shard has come, and waiting for it.
pub(crate) struct Progress {
    marks: Mutex<Marks>,
    moved: Condvar,
}

struct Marks {
    visible: Vec<Tail>,
    /// When each shard next changes by time alone.
    due: Vec<Option<Millis>>,
    failed: Option<String>,
}

impl Progress {
    pub(crate) fn new(visible: Vec<Tail>, due: Vec<Option<Millis>>) -> Self {
        Self { marks: Mutex::new(Marks { visible, due, failed: None }), moved: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, shard: usize, to: Tail, due: Option<Millis>) {
        let mut marks = self.lock();
        if let Some(mark) = marks.visible.get_mut(shard) {
            *mark = to;
        }
        if let Some(mark) = marks.due.get_mut(shard) {
            *mark = due;
        }
        drop(marks);
        self.moved.notify_all();
    }

    pub(crate) fn due(&self) -> Option<Millis> {
        self.lock().due.iter().flatten().min().copied()
    }

    fn fail(&self, shard: usize, reason: &str) {
        self.lock().failed.get_or_insert_with(|| format!("geo shard {shard}: {reason}"));
        self.moved.notify_all();
    }

    pub(crate) fn failed(&self) -> Option<String> {
        self.lock().failed.clone()
    }

    pub(crate) fn visible(&self) -> Tail {
        self.lock().visible()
    }

    pub(crate) fn wait_for(&self, tail: Tail, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut marks = self.lock();
        loop {
            let visible = marks.visible();
            let left = deadline.saturating_duration_since(Instant::now());
            if visible.seq >= tail.seq && visible.positions >= tail.positions {
                return true;
            }
            if left.is_zero() || marks.failed.is_some() {
                return false;
            }
            marks = self.moved.wait_timeout(marks, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Marks {
    /// All shards follow one order, so the least tail is behind all others in both lanes.
    fn visible(&self) -> Tail {
        self.visible.iter().copied().min().unwrap_or_default()
    }
}

pub(crate) struct Worker {
    pub(crate) number: usize,
    /// Where the shard is, which this thread alone changes.
    pub(crate) room: Arc<Room>,
    pub(crate) outbox: Outbox,
    pub(crate) snapshots: SnapshotFile,
    pub(crate) progress: Arc<Progress>,
    /// Everything up to here has been applied.
    pub(crate) at: Tail,
    /// Everything up to here has been handed in to be stored.
    pub(crate) cursor: Tail,
    pub(crate) events: Vec<Event>,
    /// Items applied since the last snapshot.
    pub(crate) unsaved: usize,
    /// The events of everything up to here are stored.
    pub(crate) stored: Tail,
    /// Writes the last snapshot, while this thread goes on.
    pub(crate) saving: Option<JoinHandle<Result<()>>>,
}

impl Worker {
    /// Runs until told to stop (checkpoint and snapshot) or abandoned (neither).
    pub(crate) fn run(mut self, inbox: &Receiver<Input>) {
        let progress = Arc::clone(&self.progress);
        let number = self.number;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.serve(inbox)));
        let saved = self.saved();
        self.room.close();
        let outcome = outcome.map(|served| served.and(saved));
        let reason = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked".to_owned(),
        };
        tracing::error!(shard = number, reason, "geo shard stopped");
        progress.fail(number, &reason);
    }

    fn serve(&mut self, inbox: &Receiver<Input>) -> Result<()> {
        let mut cursor_moved = Instant::now();
        let mut snapshot_made = Instant::now();
        loop {
            let mut next = match inbox.recv_timeout(CURSOR_EVERY) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let turn = Instant::now();
            while let Some(input) = next.take() {
                match input {
                    Input::Batch { items, through } => {
                        self.unsaved = self.unsaved.saturating_add(items.len());
                        self.take_in(&items, through)?;
                    }
                    Input::Ask(question) => self.room.look(|inside| question(&inside.shard, inside.at))?,
                    Input::Stop => return self.finish(),
                    Input::Abandon => return Ok(()),
                }
                if self.events.len() < EVENTS_PER_COMMIT && turn.elapsed() < TURN_MAX {
                    next = inbox.try_recv().ok();
                }
            }
            let is_ready = !self.events.is_empty()
                || self.outbox.is_ahead()
                || (self.cursor != self.at && cursor_moved.elapsed() >= CURSOR_EVERY);
            if is_ready {
                self.commit()?;
                cursor_moved = Instant::now();
            }
            // Only while there is more to do does a commit stay under way.
            if !is_ready || inbox.is_empty() {
                self.outbox.settle()?;
                self.stored = self.at;
            }
            let (due, devices) =
                self.room.look(|inside| (inside.shard.next_due(), inside.shard.devices.len()))?;
            self.progress.advance(self.number, self.stored, due);
            let is_old = self.unsaved > 0 && snapshot_made.elapsed() >= self.snapshots.every();
            let is_due = is_old || self.unsaved >= UNSAVED_MAX.max(devices);
            if is_due && self.saving.as_ref().is_none_or(JoinHandle::is_finished) {
                self.save_snapshot()?;
                snapshot_made = Instant::now();
            }
        }
    }

    fn take_in(&mut self, items: &[Item], through: Tail) -> Result<()> {
        let Self { room, events, outbox, .. } = self;
        self.at = room.take_in(through, |shard, at| {
            for items in items.chunks(STRIDE) {
                shard.look_ahead(items);
                for item in items {
                    // After a restart the sequencer begins where the slowest shard was.
                    let is_new = match item.source {
                        Source::Log { seq } => seq > at.seq.get(),
                        Source::Positions { seq, .. } => seq > at.positions.get(),
                    };
                    if is_new {
                        shard.apply(item, events);
                    }
                    if events.len() >= EVENTS_HELD_MAX {
                        outbox.tell(events)?;
                        events.clear();
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Hands in what there is to tell. What was handed in before is stored then.
    fn commit(&mut self) -> Result<()> {
        self.outbox.commit(&self.events, self.at)?;
        self.events.clear();
        self.stored = self.stored.max(self.cursor);
        self.cursor = self.at;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.commit()?;
        self.save_snapshot()?;
        let due = self.room.look(|inside| inside.shard.next_due())?;
        self.progress.advance(self.number, self.stored, due);
        self.saved()
    }

    /// The cursor is made durable first, so that no snapshot is ever ahead of it.
    fn save_snapshot(&mut self) -> Result<()> {
        self.saved()?;
        self.outbox.checkpoint(self.at)?;
        (self.cursor, self.stored, self.unsaved) = (self.at, self.at, 0);
        let state = self.room.look(|inside| state::encode(&inside.shard))?;
        let (snapshots, at) = (self.snapshots.clone(), self.at);
        let saving = std::thread::Builder::new().name(format!("dateline-geo-{}s", self.number));
        let saving = saving.spawn(move || snapshots.save(at, &state).and_then(|()| snapshots.hold(at)));
        let failed = |error| Error::unavailable(format!("cannot start a thread: {error}"));
        self.saving = Some(saving.map_err(failed)?);
        Ok(())
    }

    /// Waits for the last snapshot to be written.
    fn saved(&mut self) -> Result<()> {
        match self.saving.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(Error::internal("writing a device snapshot panicked")),
        }
    }
}
