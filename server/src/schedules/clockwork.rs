//! The thread that makes the ticks: it sleeps until the next is due, or until a schedule is changed.
//!
//! Invariant: a tick is committed only over the version of the document it was read from, together with its job. So a
//! change that comes first wins, and the tick is looked at again.
//!
//! It goes by the clock on the wall. That may be set: forward, and what was passed over was missed (`catch_up`); back by
//! a little, and it waits until the time has come again, because those ticks were made; back by more than cron(8) takes
//! for a correction, three hours, and it begins again from the new time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dateline_engine::{
    Condition, DocId, Document, Durability, Error, ErrorKind, Millis, Result, Seq, Store, Tail, Transaction,
};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Bell;
use super::schedule::{Schedule, Ticks};
use crate::app::App;
use crate::eve::{json, patch};
use crate::health::FollowerState;
use crate::work::Stop;

/// Longest sleep: a clock that is set is noticed after it, and so is the end of the server.
const SLEEP_MAX: Duration = Duration::from_millis(500);
/// Pause after a failure.
const PAUSE_MS: u64 = 1_000;
const PAUSE: Duration = Duration::from_millis(PAUSE_MS);
/// A clock that is set back by more has been wrong before.
const BACK_MS_MAX: u64 = 3 * 3_600_000;
/// Bytes and jobs after which a commit takes no further schedule.
const PARCEL_BYTES: usize = 8 << 20;
const PARCEL_JOBS: usize = 200;

/// Keeps the schedules until it is told to stop; shows in `/readyz?verbose`.
pub(crate) fn keep(app: &App, stop: &Stop) {
    let state = Arc::<State>::default();
    let shown = Arc::clone(&state);
    app.watch_follower("schedules", move || FollowerState {
        at: Tail { seq: Seq::new(shown.at.load(Ordering::Relaxed)), ..Tail::default() },
        failed: shown.broken().clone(),
        positions: false,
    });
    let mut clockwork = Clockwork::new(app.store().clone(), app.bell().clone());
    while !stop.is_set() {
        let before = app.store().watermark().durable().seq;
        let turn = catch_unwind(AssertUnwindSafe(|| clockwork.turn()));
        let turn = turn.unwrap_or_else(|_| Err(Error::internal("a panic, told above")));
        match turn {
            Ok(()) => {
                state.at.store(before.get(), Ordering::Relaxed);
                *state.broken() = None;
            }
            Err(error) => {
                // Whatever went wrong, it begins again from what is stored.
                clockwork.entries = None;
                let reason = error.to_string();
                if state.broken().replace(reason.clone()).as_ref() != Some(&reason) {
                    tracing::warn!(%error, "schedules stand still");
                }
                stop.pause(PAUSE);
            }
        }
    }
}

/// What others may know of it.
#[derive(Default)]
struct State {
    /// What was written up to this sequence is taken into account.
    at: AtomicU64,
    broken: Mutex<Option<String>>,
}

impl State {
    fn broken(&self) -> MutexGuard<'_, Option<String>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Clockwork {
    store: Store,
    bell: Bell,
    /// Schedules that have a next tick; `None` when they are to be read again.
    entries: Option<Entries>,
    /// When the clocks were last looked at: the one on the wall, and the one that nobody sets.
    looked: (Millis, Instant),
}

type Entries = BTreeMap<DocId, Entry>;

struct Entry {
    document: Document,
    body: Map<String, Value>,
    schedule: Schedule,
    /// Where not all can be done at once, those that failed wait for this.
    not_before: Millis,
}

/// The ticks of an entry, ready to be committed.
struct Tick {
    id: DocId,
    ticks: Ticks,
    bytes: usize,
}

impl Clockwork {
    fn new(store: Store, bell: Bell) -> Self {
        let looked = (store.now(), Instant::now());
        Self { store, bell, entries: None, looked }
    }

    /// Makes what is due, or sleeps.
    fn turn(&mut self) -> Result<()> {
        if self.entries.is_none() {
            self.entries = Some(self.read()?);
        }
        let now = self.store.now();
        if self.was_set_back(now) {
            tracing::info!("the clock was set back; schedules begin again from its time");
            self.begin_again(now)?;
            return Ok(());
        }
        let entries = self.entries.get_or_insert_default();
        let due = due(entries, now);
        if !due.is_empty() {
            return self.make(due, now);
        }
        let next = entries.values().filter_map(Entry::due).min();
        let left = next.map(|next| Duration::from_millis(next.get().saturating_sub(now.get())));
        if self.bell.wait(left.unwrap_or(SLEEP_MAX).min(SLEEP_MAX)) {
            self.entries = None;
        }
        Ok(())
    }

    fn was_set_back(&mut self, now: Millis) -> bool {
        let (wall, steady) = std::mem::replace(&mut self.looked, (now, Instant::now()));
        let passed_ms = u64::try_from(steady.elapsed().as_millis()).unwrap_or(u64::MAX);
        wall.get().saturating_add(passed_ms) > now.get().saturating_add(BACK_MS_MAX)
    }

    fn read(&self) -> Result<Entries> {
        let mut entries = Entries::new();
        self.store.snapshot()?.scan(self.bell.collection(), None, false, |document| {
            entries.extend(Entry::read(document).map(|entry| (entry.document.id.clone(), entry)));
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }

    fn begin_again(&mut self, now: Millis) -> Result<()> {
        for entry in self.entries.take().unwrap_or_default().into_values() {
            let next_at = entry.schedule.first(now);
            match self.store.commit(self.put(Transaction::new(Durability::Buffered), &entry, next_at, None)) {
                Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
                // Somebody was faster; it is read again.
                _ => {}
            }
        }
        Ok(())
    }

    /// Commits ticks, together where that goes; their schedules are read again afterwards.
    fn make(&mut self, due: Vec<Tick>, now: Millis) -> Result<()> {
        let mut entries = self.entries.take().unwrap_or_default();
        let mut put_off = Vec::new();
        for some in parcels(&due) {
            match self.commit(some, &entries) {
                Ok(()) => continue,
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(_) => {}
            }
            for tick in some {
                match self.commit(std::slice::from_ref(tick), &entries) {
                    Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                    // With a conflict the schedule was changed meanwhile, and what is read now counts.
                    Err(error) if error.kind() != ErrorKind::Conflict => put_off.push((&tick.id, error)),
                    _ => {}
                }
            }
        }
        for tick in &due {
            match self.store.get(self.bell.collection(), tick.id.as_str())?.and_then(Entry::read) {
                Some(entry) => drop(entries.insert(tick.id.clone(), entry)),
                None => drop(entries.remove(&tick.id)),
            }
        }
        for (id, error) in put_off {
            let Some(entry) = entries.get_mut(id) else { continue };
            tracing::info!(schedule = %id, %error, "a tick is put off");
            // The other schedules go on; this one is late, and not lost.
            entry.not_before = Millis::new(now.get().saturating_add(PAUSE_MS));
        }
        self.entries = Some(entries);
        Ok(())
    }

    fn commit(&self, due: &[Tick], entries: &Entries) -> Result<()> {
        // Not synced: what a power cut takes, it takes together with the job.
        let mut transaction = Transaction::new(Durability::Buffered);
        for Tick { id, ticks, .. } in due {
            let Some(entry) = entries.get(id) else { continue };
            transaction = self.put(transaction, entry, ticks.next_at, ticks.run.last().copied());
            let jobs = ticks.run.iter().map(|tick| entry.schedule.job(Some(*tick)));
            transaction = jobs.fold(transaction, Transaction::enqueue);
        }
        self.store.commit(transaction).map(drop)
    }

    fn put(
        &self,
        transaction: Transaction,
        entry: &Entry,
        next_at: Option<Timestamp>,
        last_at: Option<Timestamp>,
    ) -> Transaction {
        let mut body = entry.body.clone();
        entry.schedule.stand(&mut body, next_at);
        if let Some(last_at) = last_at {
            body.insert("last_at".to_owned(), last_at.to_string().into());
        }
        patch::set_version(&mut body, patch::version(&entry.body) + 1);
        let (id, condition) = (entry.document.id.clone(), Condition::Revision(entry.document.revision()));
        transaction.put(self.bell.collection(), id, condition, json::encode(&body))
    }
}

impl Entry {
    /// Nothing when it has no next tick, or cannot be read.
    fn read(document: Document) -> Option<Self> {
        let body: Map<String, Value> = serde_json::from_slice(&document.body).ok()?;
        match Schedule::read(document.id.as_str(), &body) {
            Ok(schedule) => {
                schedule.due()?;
                Some(Self { document, body, schedule, not_before: Millis::ZERO })
            }
            Err((member, error)) => {
                tracing::error!(schedule = %document.id, member, error, "a schedule cannot be read");
                None
            }
        }
    }

    fn due(&self) -> Option<Millis> {
        self.schedule.due().map(|due| due.max(self.not_before))
    }
}

fn due(entries: &Entries, now: Millis) -> Vec<Tick> {
    let due = entries.iter().filter(|(_, entry)| entry.due().is_some_and(|due| due <= now));
    due.filter_map(|(id, entry)| {
        let ticks = entry.schedule.ticks(now)?;
        // The document holds the payload too.
        let bytes = entry.document.body.len() * (ticks.run.len() + 1);
        Some(Tick { id: id.clone(), ticks, bytes })
    })
    .collect()
}

/// Parts of which each fits one commit.
fn parcels(due: &[Tick]) -> impl Iterator<Item = &[Tick]> {
    let (mut bytes, mut jobs) = (0, 0);
    due.chunk_by(move |one, _| {
        bytes += one.bytes;
        jobs += one.ticks.run.len();
        let has_room = bytes < PARCEL_BYTES && jobs < PARCEL_JOBS;
        if !has_room {
            (bytes, jobs) = (0, 0);
        }
        has_room
    })
}

#[cfg(test)]
mod tests;
