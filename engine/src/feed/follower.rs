//! A function of the log that keeps up with it: search index, spatial matcher, publisher.
//!
//! The run loop reads from where the follower says it stands, so a follower that keeps its position
//! inside its own data resumes exactly there after any crash.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::feed::{Entry, Feed};
use crate::store::Store;
use crate::types::{PositionSeq, Tail};

/// Entries handed to a follower at a time.
const STEP_ENTRIES_MAX: usize = 4_096;
/// Longest time between two calls of `idle`.
const IDLE_EVERY: Duration = Duration::from_millis(100);
/// Wait after an error that may pass.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Something that is exact up to a position of the log.
pub trait Follower: Send {
    /// Name for logs and health.
    fn name(&self) -> &str;

    /// Exact up to and including here.
    fn position(&self) -> Tail;

    /// Whether batches of the positions lane are wanted.
    fn wants_positions(&self) -> bool {
        false
    }

    /// Takes in whole groups that continue its position; afterwards `position` is `through`.
    ///
    /// # Errors
    /// `Busy` and `Unavailable` are tried again with the same entries; anything else stops the follower.
    fn apply(&mut self, entries: &[Entry], through: Tail) -> Result<()>;

    /// Called when caught up and at least ten times a second: the time to commit or check timers.
    ///
    /// # Errors
    /// As `apply`.
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Called once before the loop ends.
    ///
    /// # Errors
    /// Logged.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A running follower. Dropping it stops the thread.
#[derive(Debug)]
pub struct FollowerHandle {
    name: String,
    stopping: Arc<AtomicBool>,
    failed: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl FollowerHandle {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it has stopped by itself, if it has.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets it finish the step it is at, and waits for that.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(follower = self.name, "the follower ended by a panic");
        }
    }
}

impl Drop for FollowerHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a thread that keeps `follower` up with `store`.
///
/// # Errors
/// `Unavailable` when no thread can be started.
pub fn follow(store: &Store, mut follower: Box<dyn Follower>) -> Result<FollowerHandle> {
    let name = follower.name().to_owned();
    let stopping = Arc::new(AtomicBool::new(false));
    let failed = Arc::new(Mutex::new(None));
    let (store, stop, fault) = (store.clone(), Arc::clone(&stopping), Arc::clone(&failed));
    let thread = std::thread::Builder::new()
        .name(format!("dateline-{name}"))
        .spawn(move || {
            let loop_ = std::panic::AssertUnwindSafe(|| run(&store, &mut *follower, &stop));
            let outcome =
                std::panic::catch_unwind(loop_).unwrap_or_else(|_| Err(Error::internal("it panicked")));
            if let Err(error) = outcome {
                tracing::error!(follower = follower.name(), %error, "follower stopped");
                *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        })
        .map_err(|e| Error::unavailable(format!("cannot start the thread of {name}: {e}")))?;
    Ok(FollowerHandle { name, stopping, failed, thread: Some(thread) })
}

fn run(store: &Store, follower: &mut dyn Follower, stop: &AtomicBool) -> Result<()> {
    let followed = keep_up(store, follower, stop);
    let stopped = follower.stop();
    followed.and(stopped)
}

fn keep_up(store: &Store, follower: &mut dyn Follower, stop: &AtomicBool) -> Result<()> {
    let feed = store.feed();
    let mut idle_at = Instant::now() + IDLE_EVERY;
    while !stop.load(Ordering::Acquire) {
        match step(&feed, follower, &mut idle_at) {
            Ok(true) => {}
            Ok(false) => {
                let mut seen = follower.position();
                if !follower.wants_positions() {
                    seen.positions = PositionSeq::END;
                }
                store.watermark().wait_past(seen, IDLE_EVERY);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Full | ErrorKind::Unavailable) =>
            {
                tracing::debug!(follower = follower.name(), %error, "follower waits");
                std::thread::sleep(RETRY_AFTER);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads on and hands over; false when the follower is caught up.
fn step(feed: &Feed, follower: &mut dyn Follower, idle_at: &mut Instant) -> Result<bool> {
    let at = follower.position();
    let entries = if follower.wants_positions() {
        feed.entries(at, STEP_ENTRIES_MAX)?
    } else {
        feed.changes(at.seq, STEP_ENTRIES_MAX)?.into_iter().map(Entry::Change).collect()
    };
    if !entries.is_empty() {
        follower.apply(&entries, at.past(&entries))?;
    }
    // Also under load: what a follower does by the clock must not wait for a quiet moment.
    if entries.is_empty() || Instant::now() >= *idle_at {
        *idle_at = Instant::now() + IDLE_EVERY;
        follower.idle()?;
    }
    Ok(!entries.is_empty())
}
