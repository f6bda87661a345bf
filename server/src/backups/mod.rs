//! Backups of a running server: into a directory of the server's own, or as a stream to whoever asks.
//!
//! Both take a checkpoint, which costs links and a flush, and then copy it while writes go on. One at a time: a second
//! one would only read the same disk.

mod place;
mod routes;
mod stream;

use std::sync::{Arc, Mutex, PoisonError};

use dateline_engine::{Generation, Taken};
use serde_json::{Value, json};

use crate::eve::date;
pub(crate) use routes::routes;

/// The backup that is being made, if any. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Backups(Arc<Mutex<Option<Running>>>);

#[derive(Clone)]
struct Running {
    to: Option<String>,
    part: &'static str,
    done: u64,
    total: u64,
}

/// The right to make one; dropping it lets the next begin.
pub(crate) struct Turn(Backups);

impl Backups {
    /// `to`: the place below the configured directory; `None` for a stream. `None` while another one is being made.
    pub(crate) fn begin(&self, to: Option<&str>) -> Option<Turn> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_some() {
            return None;
        }
        *running = Some(Running { to: to.map(str::to_owned), part: "checkpoint", done: 0, total: 0 });
        Some(Turn(self.clone()))
    }

    /// How far the one that is being made has come.
    pub(crate) fn running(&self) -> Value {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        running.map_or(Value::Null, |running| {
            let Running { to, part, done, total } = running;
            json!({"to": to, "part": part, "done": done, "total": total})
        })
    }
}

impl Turn {
    pub(crate) fn at(&self, part: &'static str, done: u64, total: u64) {
        let mut running = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &mut *running {
            (running.part, running.done, running.total) = (part, done, total);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A generation for programs.
pub(crate) fn told(manifest: &Generation) -> Value {
    json!({
        "generation": manifest.number,
        "created": date::format(manifest.created.get()),
        "store": manifest.store.to_string(),
        "store_format": manifest.store_format,
        "epoch": manifest.epoch.get(),
        "seq": manifest.last_seq.get(),
        "positions_seq": manifest.positions_last.get(),
        "log_floor": manifest.log_floor.get(),
        "files": manifest.files.len(),
        "bytes": manifest.bytes(),
    })
}

/// As `told`, with what it has cost.
pub(crate) fn told_taken(taken: &Taken) -> Value {
    let mut value = told(&taken.manifest);
    value["files_new"] = taken.files_new.into();
    value["bytes_new"] = taken.bytes_new.into();
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let backups = Backups::default();
        assert_eq!(backups.running(), Value::Null);
        let turn = backups.begin(Some("daily")).unwrap();
        assert!(backups.begin(None).is_none());
        turn.at("copy", 3, 9);
        assert_eq!(backups.running(), json!({"to": "daily", "part": "copy", "done": 3, "total": 9}));
        drop(turn);
        assert!(backups.begin(None).is_some());
    }
}
