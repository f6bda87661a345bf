//! The thread of one lane: takes jobs, does them, and survives whatever they do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dateline_engine::{Error, Holder, LeaseRequest, LeaseTerm, LeasedJob, Result, Seq, Tail};

use super::lane::{Desk, LEASE, Lane};
use super::settle;
use super::stop::Stop;
use crate::app::App;
use crate::health::FollowerState;

/// Also the longest time a stop waits for a thread without work.
const WAIT: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Failures in a row after which the lane counts as broken.
const BROKEN_AFTER: u32 = 3;

/// One lane at work.
pub(crate) struct Worker {
    app: App,
    lane: Box<dyn Lane>,
    stop: Arc<Stop>,
    state: Arc<State>,
}

/// What others may know of it.
#[derive(Default)]
struct State {
    /// Jobs up to this sequence have been done or are not due.
    at: AtomicU64,
    broken: Mutex<Option<String>>,
}

impl Worker {
    /// A lane that will show itself in `/readyz?verbose`.
    pub(crate) fn new(app: &App, lane: Box<dyn Lane>, stop: Arc<Stop>) -> Self {
        let state = Arc::new(State::default());
        state.at.store(app.store().watermark().durable().seq.get(), Ordering::Relaxed);
        let shown = Arc::clone(&state);
        app.watch_follower(&format!("worker {}", lane.name()), move || {
            let at = Tail { seq: Seq::new(shown.at.load(Ordering::Relaxed)), ..Tail::default() };
            let failed = shown.broken.lock().unwrap_or_else(PoisonError::into_inner).clone();
            FollowerState { at, failed, positions: false }
        });
        Self { app: app.clone(), lane, stop, state }
    }

    /// Until it is told to stop or the server drains.
    pub(crate) fn run(mut self) {
        let (mut failures, mut is_careful) = (0, false);
        while !self.desk().is_stopping() {
            match self.turn(is_careful) {
                Ok(done) => {
                    failures = 0;
                    // As long as jobs are waiting, the one that failed may be among them.
                    is_careful = is_careful && done > 0;
                    self.broken(None);
                }
                Err(error) => {
                    failures += 1;
                    is_careful = true;
                    tracing::warn!(lane = self.lane.name(), %error, failures, "a worker failed");
                    self.broken((failures >= BROKEN_AFTER).then(|| error.to_string()));
                    self.stop.pause(pause(failures));
                }
            }
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk { app: &self.app, stop: &self.stop }
    }

    /// Takes jobs, one alone if `is_careful`, and does them.
    fn turn(&mut self, is_careful: bool) -> Result<usize> {
        let store = self.app.store();
        let before = store.watermark().durable().seq;
        let request = LeaseRequest {
            lane: self.lane.name().to_owned(),
            max: if is_careful { 1 } else { self.lane.jobs_max() },
            term: LeaseTerm::new(LEASE)?,
            holder: Holder::Process,
            wait: WAIT,
        };
        let jobs = store.queue().lease(&request)?;
        if jobs.is_empty() {
            self.state.at.store(before.get(), Ordering::Relaxed);
            return Ok(0);
        }
        let desk = Desk { app: &self.app, stop: &self.stop };
        let lane = &mut self.lane;
        let outcome = catch_unwind(AssertUnwindSafe(|| lane.work(&desk, &jobs)));
        let outcome =
            outcome.unwrap_or_else(|panic| Err(Error::internal(format!("panic: {}", text_of(&*panic)))));
        if let Err(error) = &outcome {
            self.hand_back(&jobs, error);
        }
        let last = jobs.iter().map(|job| job.id.get()).max().unwrap_or(0);
        self.state.at.store(last, Ordering::Relaxed);
        outcome.map(|()| jobs.len())
    }

    fn hand_back(&self, jobs: &[LeasedJob], error: &Error) {
        for job in jobs {
            // The lease ends by itself if even this is not possible.
            if settle::hand_back(self.app.store(), job, &error.to_string()).is_err() {
                return;
            }
        }
    }

    fn broken(&self, reason: Option<String>) {
        *self.state.broken.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// 100 ms, doubling up to the longest.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << failures.clamp(1, 16).saturating_sub(1)).min(PAUSE_MAX)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
