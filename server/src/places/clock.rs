//! Tells the matcher that time goes by.
//!
//! The matcher knows no clock: what a dwell, the hours of a fence or the life of a fix come to is told by records of
//! the log, and this writes them, only while something is due. So a replay tells the same events at the same places.

use std::time::Duration;

use dateline_engine::{ErrorKind, Tail};

use crate::app::App;
use crate::work::Stop;

/// Time between two looks, and so the most that an event by the clock is late on a server that keeps up.
const EVERY: Duration = Duration::from_millis(500);

/// Until it is told to stop.
pub(crate) fn run(app: &App, stop: &Stop) {
    let mut last = Tail::default();
    while !stop.is_set() {
        stop.pause(EVERY);
        let due = app.geo().due().filter(|due| *due <= app.store().now());
        // Until the last one has been matched, what is due may have been told by it.
        if due.is_none() || app.geo().visible().positions < last.positions {
            continue;
        }
        match app.geo().tick() {
            Ok(tail) => last = tail,
            Err(error)
                if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Full | ErrorKind::Unavailable) =>
            {
                tracing::debug!(%error, "no tick");
            }
            Err(error) => tracing::warn!(%error, "the clock cannot be told to the matcher"),
        }
    }
}
