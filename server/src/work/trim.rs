//! Trims the log and the positions lane as the configuration says, one step at a time.

use std::time::Duration;

use dateline_engine::{ErrorKind, Result, TrimPolicy, Trimmed};

use super::stop::Stop;
use crate::app::App;
use crate::config::Config;

/// Time between two looks. One is cheap: it reads the cursors and about a hundred entries.
const EVERY_MAX: Duration = Duration::from_secs(60);
const EVERY_MIN: Duration = Duration::from_secs(1);

/// What the configuration asks for.
pub(crate) fn policy(config: &Config) -> TrimPolicy {
    TrimPolicy { log: config.feed.retention(), positions: config.positions.retention() }
}

/// Until it is told to stop. An error is told and the next step tries again: nothing depends on it but space.
pub(crate) fn run(app: &App, stop: &Stop) {
    let policy = policy(app.config());
    let every = Duration::from_millis(policy.log.keep_ms.min(policy.positions.keep_ms) / 2);
    while !stop.is_set() {
        stop.pause(every.clamp(EVERY_MIN, EVERY_MAX));
        if stop.is_set() {
            return;
        }
        tell(app.store().trim(&policy));
    }
}

fn tell(outcome: Result<Trimmed>) {
    match outcome {
        Ok(Trimmed { records: 0, .. }) => {}
        Ok(Trimmed { floor, records, bytes }) => {
            tracing::info!(
                seq = floor.seq.get(),
                positions = floor.positions.get(),
                records,
                bytes,
                "trimmed"
            );
        }
        Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unavailable) => {
            tracing::debug!(%error, "not trimmed");
        }
        Err(error) => tracing::error!(%error, "the log cannot be trimmed"),
    }
}
