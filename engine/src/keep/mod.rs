//! Housekeeping: ends documents that have reached their end, forgets tombstones, removes versions that are kept no
//! longer, and what is left of dropped collections.
//!
//! One thread reads what is due from a view of the store and asks the writer for it in small buffered
//! transactions, one at a time, so it never holds up a write and is never in two minds. Everything it asks
//! for is decided again by the writer: what has changed meanwhile is passed over. It sleeps until the
//! earliest row is due; the writer wakes it when an earlier one is filed.
//!
//! What waits is in the store, not in memory: after a crash it goes on where it was.

pub(crate) mod alarm;
mod dropped;
mod round;
pub(crate) mod scrub;
mod survey;
pub(crate) mod versions;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::catalog::CollectionState;
use crate::codec::key;
use crate::commit::op::{Durability, Receipt, Transaction, Upkeep};
use crate::commit::shared::Shared;
use crate::commit::{Committer, commit_prepared};
use crate::error::{Error, ErrorKind, Result};
use crate::kv::families::Family;
use crate::kv::{Direction, KeyRange, KvRead};
use crate::types::{CollectionId, Millis};

/// Wait after something that may pass, in milliseconds.
const RETRY_MS: u64 = 1_000;
/// Wait after a row that cannot be read, in milliseconds.
const DAMAGED_RETRY_MS: u64 = 600_000;
/// Rows counted as waiting at the most.
const WAITING_MAX: u64 = 10_000;

/// The families whose rows say when a document is due.
const FAMILIES: [Family; 2] = [Family::Expiry, Family::Surplus];

/// Does what is due. Shared by its thread and whoever asks for it by hand.
pub(crate) struct Housekeeper {
    shared: Arc<Shared>,
    committer: Arc<Committer>,
    /// One pass at a time: a version is removed once.
    turn: Mutex<()>,
}

impl Housekeeper {
    pub(crate) fn new(shared: Arc<Shared>, committer: Arc<Committer>) -> Self {
        Self { shared, committer, turn: Mutex::default() }
    }

    /// Does everything that is due now, and says when more will be.
    pub(crate) fn pass(&self) -> Result<Option<Millis>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut damaged = false;
        self.end_dropped()?;
        self.survey()?;
        for family in FAMILIES {
            let mut from = Vec::new();
            loop {
                if self.shared.alarm.is_stopping() {
                    return Ok(None);
                }
                let round = round::plan(&self.shared, family, from)?;
                damaged |= round.damaged;
                for transaction in round.transactions {
                    self.commit(transaction)?;
                }
                match round.next {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        let now = self.shared.clock.now().get();
        let retry = Millis::new(now + if damaged { DAMAGED_RETRY_MS } else { RETRY_MS });
        let next = self.first_due()?;
        Ok(next.map(|next| if next.get() <= now { retry } else { next }))
    }

    /// Removes what is left of dropped collections. What a crash interrupted begins anew: what is gone is gone.
    fn end_dropped(&self) -> Result<()> {
        let catalog = self.shared.catalog.load_full();
        let dropping = catalog.dropped().filter(|known| matches!(known.state, CollectionState::Dropping(_)));
        let dropping: BTreeSet<CollectionId> = dropping.map(|collection| collection.id).collect();
        if dropping.is_empty() {
            return Ok(());
        }
        for family in FAMILIES {
            let mut from = Some(Vec::new());
            while let Some(start) = from {
                if self.shared.alarm.is_stopping() {
                    return Ok(());
                }
                let step = dropped::plan(&*self.shared.kv, family, &dropping, start)?;
                if step.removals.parts() > 0 {
                    self.commit(step.removals)?;
                }
                from = step.next;
            }
        }
        let closing = Transaction::new(Durability::Buffered);
        let closing = dropping.into_iter().map(Upkeep::Dropped).fold(closing, Transaction::upkeep);
        self.commit(closing).map(drop)
    }

    /// Files versions by the rule their collection has taken since they were written.
    fn survey(&self) -> Result<()> {
        let catalog = self.shared.catalog.load_full();
        for collection in catalog.iter() {
            let Some(at) = collection.survey else { continue };
            let mut from = Some(survey::Place::first(collection));
            while let Some(place) = from {
                if self.shared.alarm.is_stopping() {
                    return Ok(());
                }
                let now = self.shared.clock.now();
                let (mut rows, next) = survey::plan(&*self.shared.kv, collection, place, now)?;
                if next.is_none() {
                    rows = rows.upkeep(Upkeep::Surveyed(collection.id, at));
                }
                if rows.parts() > 0 {
                    self.commit(rows)?;
                }
                from = next;
            }
        }
        Ok(())
    }

    fn first_due(&self) -> Result<Option<Millis>> {
        let mut first = None;
        for family in FAMILIES {
            let all = KeyRange::new([], key::due_until(Millis::new(u64::MAX)));
            self.shared.kv.scan(family, &all, Direction::Forward, &mut |place, _| {
                let at = key::parse_due(place).map(|(at, _, _)| at);
                first = first.into_iter().chain(at).min();
                Ok(std::ops::ControlFlow::Break(()))
            })?;
        }
        Ok(first)
    }

    fn commit(&self, transaction: Transaction) -> Result<Receipt> {
        commit_prepared(&self.shared, &self.committer, transaction)
    }

    fn run(&self) {
        let alarm = &self.shared.alarm;
        while alarm.wait(&*self.shared.clock) {
            let next = match self.pass() {
                Ok(next) => next,
                Err(error) => {
                    // What is not found belongs to a collection that was dropped since it was looked at.
                    let passing = [ErrorKind::Busy, ErrorKind::Unavailable, ErrorKind::NotFound];
                    let expected = passing.contains(&error.kind());
                    if !expected {
                        tracing::error!(%error, "housekeeping failed and is tried again");
                    }
                    Some(Millis::new(self.shared.clock.now().get() + RETRY_MS))
                }
            };
            if let Some(next) = next {
                alarm.set(next);
            }
        }
    }

    /// Starts its thread.
    pub(crate) fn start(self: &Arc<Self>) -> Result<JoinHandle<()>> {
        let keeper = Arc::clone(self);
        std::thread::Builder::new()
            .name("dateline-keep".to_owned())
            .spawn(move || keeper.run())
            .map_err(|e| Error::unavailable(format!("cannot start the thread of housekeeping: {e}")))
    }
}

/// Rows that are due and not seen to yet, counted up to 10,000.
pub(crate) fn waiting(kv: &dyn KvRead, now: Millis) -> Result<u64> {
    let mut waiting = 0;
    for family in FAMILIES {
        let due = KeyRange::new([], key::due_until(now));
        kv.scan(family, &due, Direction::Forward, &mut |_, _| {
            waiting += 1;
            let more = waiting < WAITING_MAX;
            Ok(if more { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) })
        })?;
    }
    Ok(waiting.min(WAITING_MAX))
}
