//! The history of devices, read from the positions lane by an index beside it.
//!
//! A batch of the lane holds fixes of many devices, and a device's fixes lie in many batches. The index says which
//! batches name a device. It is derived: a thread follows the lane, gathers (device, batch) in memory, and seals about a
//! million of them into a file that is written once and never merged (`segment`). Nothing is written with a fix, and
//! when the lane is trimmed the files below its floor are removed. Files that do not fit the lane are made anew.
//!
//! Invariant: segments follow one another without a gap, then comes the open one, which ends at `at`.

mod builder;
mod reading;
mod segment;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dateline_engine::{Error, ErrorKind, PositionSeq, Result, Seq, Store, Tail};

pub use reading::{Track, TrackQuery};

use builder::Builder;
use segment::{Facts, Segment};

/// Longest sleep of the thread, so that it sees when it is to stop.
const IDLE_MAX: Duration = Duration::from_millis(100);
/// Wait after an error that may pass.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The index of tracks of one store. Dropping it stops its thread.
pub struct Tracks {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Store,
    state: Mutex<State>,
    moved: Condvar,
    stopping: AtomicBool,
}

struct State {
    segments: Vec<Arc<Segment>>,
    open: Open,
    failed: Option<String>,
}

/// What has been gathered since the last segment.
struct Open {
    first: PositionSeq,
    at: PositionSeq,
    from_ms: u64,
    to_ms: u64,
    /// In the order of batches.
    postings: Vec<u64>,
}

impl Open {
    fn after(at: PositionSeq) -> Self {
        Self { first: at.next(), at, from_ms: u64::MAX, to_ms: 0, postings: Vec::new() }
    }
}

/// What the index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Sealed files.
    pub segments: usize,
    /// (device, batch) pairs in them.
    pub postings: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Tracks {
    /// Takes what fits the lane from `dir`, removes the rest, and starts the thread that goes on from there. `dir` may be
    /// emptied while nobody has it open, at the price of reading the lane again.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be used or no thread can be started.
    pub fn open(store: &Store, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)
            .map_err(|error| Error::unavailable(format!("{}: {error}", dir.display())))?;
        let segments = builder::known(store, dir)?;
        let floor = store.feed().floors().positions;
        let at = segments.last().map_or(floor, |segment: &Arc<Segment>| segment.facts.last);
        let state = State { segments, open: Open::after(at), failed: None };
        let shared = Arc::new(Shared {
            store: store.clone(),
            state: Mutex::new(state),
            moved: Condvar::new(),
            stopping: AtomicBool::new(false),
        });
        let (kept, dir): (_, PathBuf) = (Arc::clone(&shared), dir.to_owned());
        let thread = std::thread::Builder::new()
            .name("dateline-tracks".to_owned())
            .spawn(move || kept.follow(&mut Builder::new(dir)))
            .map_err(|error| Error::unavailable(format!("cannot start the index of tracks: {error}")))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The last batch of the lane that it knows.
    #[must_use]
    pub fn visible(&self) -> PositionSeq {
        self.shared.state().open.at
    }

    /// Waits until it knows `seq`; false after `timeout` or when it has failed.
    #[must_use]
    pub fn wait_for(&self, seq: PositionSeq, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.state();
        while state.open.at < seq {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.failed.is_some() {
                return false;
            }
            state = self.shared.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Why it has stopped by itself, if it has. A restart goes on where it stopped.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.shared.state().failed.clone()
    }

    /// What is in its files.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let state = self.shared.state();
        let sum = |pick: fn(&Segment) -> u64| state.segments.iter().map(|segment| pick(segment)).sum();
        Figures {
            segments: state.segments.len(),
            postings: sum(|segment| u64::from(segment.facts.postings)),
            bytes: sum(|segment| segment.bytes),
        }
    }

    /// Ends the thread. What is not sealed is gathered again by the next start.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the index of tracks ended by a panic");
        }
    }
}

impl Drop for Tracks {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, builder: &mut Builder) {
        while !self.stopping.load(Ordering::Acquire) {
            match self.step(builder) {
                Ok(true) => {}
                Ok(false) => {
                    let seen = Tail { seq: Seq::new(u64::MAX), positions: self.state().open.at };
                    self.store.watermark().wait_past(seen, IDLE_MAX);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unavailable) => {
                    tracing::debug!(%error, "the index of tracks waits");
                    std::thread::sleep(RETRY_AFTER);
                }
                Err(error) => {
                    tracing::error!(%error, "the index of tracks stopped");
                    self.state().failed = Some(error.to_string());
                    self.moved.notify_all();
                    return;
                }
            }
        }
    }

    /// Takes in some batches; false when there are none.
    fn step(&self, builder: &mut Builder) -> Result<bool> {
        // First, so that a segment that could not be written does not grow beyond what one holds.
        self.seal(builder)?;
        let at = self.state().open.at;
        let read = match builder.read(&self.store, at) {
            Err(error) if error.kind() == ErrorKind::Gone => {
                // What was trimmed before it was seen has no track any more.
                let floor = self.store.feed().floors().positions;
                let mut state = self.state();
                state.open = Open::after(floor.max(at.min(self.store.watermark().durable().positions)));
                return Ok(true);
            }
            read => read?,
        };
        read.add_to(&mut self.state().open);
        self.moved.notify_all();
        self.forget_trimmed();
        Ok(read.found_any())
    }

    /// Writes what has been gathered if that is all a segment holds.
    fn seal(&self, builder: &Builder) -> Result<()> {
        let full = {
            let open = &self.state().open;
            Builder::is_full(open).then(|| (facts_of(open), open.postings.clone()))
        };
        if let Some((facts, postings)) = full {
            let sealed = builder.seal(&self.store, facts, postings)?;
            let mut state = self.state();
            state.open = Open::after(sealed.facts.last);
            state.segments.push(Arc::new(sealed));
        }
        Ok(())
    }

    /// Removes what lies below the floor of the lane.
    fn forget_trimmed(&self) {
        let floor = self.store.feed().floors().positions;
        let gone: Vec<Arc<Segment>> = {
            let mut state = self.state();
            let count = state.segments.partition_point(|segment| segment.facts.last <= floor);
            state.segments.drain(..count).collect()
        };
        for segment in gone {
            builder::remove(&segment.path);
        }
    }
}

fn facts_of(open: &Open) -> Facts {
    Facts { first: open.first, last: open.at, from_ms: open.from_ms, to_ms: open.to_ms, mark: 0, postings: 0 }
}
