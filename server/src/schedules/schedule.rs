//! One schedule: what its document asks for, and where it stands.
//!
//! The document is all there is. `next_at` says which tick comes next, so that a restart goes on exactly there; a tick
//! is the document with the next `next_at` and the job of the tick, in one commit.

use std::time::Duration;

use dateline_engine::{Millis, NewJob};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::timing::{self, Timing};
use crate::eve::date;

/// Coming ticks that a document shows.
const SHOWN: usize = 5;
/// Later than this a tick counts as missed, and `catch_up` says what becomes of it.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(10);
/// Missed ticks made good at the most.
pub(super) const CATCH_UP_MAX: usize = 1_000;
/// Jobs of one schedule in one commit at the most, and the bytes of their payloads together.
const STEP_JOBS: usize = 100;
const STEP_BYTES: usize = 4 << 20;
/// Longest name; the unique keys of the jobs are made of it.
pub(super) const NAME_BYTES_MAX: usize = 150;

/// Members that the server writes.
pub(super) const STATE: [&str; 3] = ["next_at", "next", "last_at"];
/// Members of which the coming ticks depend.
const TIMING: [&str; 4] = ["cron", "time_zone", "until", "paused"];

/// What becomes of a tick while the job of an earlier one is unfinished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlap {
    Skip,
    Queue,
}

/// Which missed ticks are made good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CatchUp {
    None,
    Last,
    All,
}

/// A schedule as its document has it.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    name: String,
    timing: Timing,
    paused: bool,
    lane: String,
    group: Option<String>,
    payload: Vec<u8>,
    jitter_ms: u32,
    overlap: Overlap,
    catch_up: CatchUp,
    next_at: Option<Timestamp>,
}

/// Ticks whose time has come, and where the schedule stands after them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    /// Those that become jobs, oldest first.
    pub(super) run: Vec<Timestamp>,
    pub(super) next_at: Option<Timestamp>,
}

/// The member that is wrong, and why.
pub(super) type Flaw = (&'static str, String);

impl Schedule {
    /// Reads a body that has passed the schema, with its defaults in it.
    ///
    /// # Errors
    /// The first member that cannot be used.
    pub(super) fn read(name: &str, body: &Map<String, Value>) -> Result<Self, Flaw> {
        let text = |member: &str| body.get(member).and_then(Value::as_str);
        let time = |member: &str| text(member).and_then(date::parse_time);
        let cron = timing::cron(text("cron").unwrap_or_default()).map_err(|error| ("cron", error))?;
        let zone = timing::zone(text("time_zone").unwrap_or("UTC")).map_err(|error| ("time_zone", error))?;
        let payload = body.get("payload").unwrap_or(&Value::Null).to_string().into_bytes();
        let jitter_s = body.get("jitter_s").and_then(Value::as_f64).unwrap_or(0.0);
        let jitter = Duration::try_from_secs_f64(jitter_s).ok();
        let jitter_ms = jitter.and_then(|jitter| u32::try_from(jitter.as_millis()).ok());
        let schedule = Self {
            name: name.to_owned(),
            timing: Timing::new(cron, zone, time("until")),
            paused: body.get("paused").and_then(Value::as_bool).unwrap_or(false),
            lane: text("lane").unwrap_or_default().to_owned(),
            group: text("group").map(str::to_owned),
            payload,
            jitter_ms: jitter_ms.ok_or_else(|| ("jitter_s", "is too long".to_owned()))?,
            overlap: if text("overlap") == Some("queue") { Overlap::Queue } else { Overlap::Skip },
            catch_up: match text("catch_up") {
                Some("none") => CatchUp::None,
                Some("all") => CatchUp::All,
                _ => CatchUp::Last,
            },
            next_at: time("next_at"),
        };
        match schedule.job(None).flaw() {
            Some((member @ ("lane" | "group" | "payload"), error)) => Err((member, error.to_string())),
            Some((member, error)) => Err(("name", format!("{member}: {error}"))),
            None => Ok(schedule),
        }
    }

    /// The job of a tick, or of a run by hand.
    ///
    /// A unique key keeps a second job out while the first is unfinished, and tells who made it and for which tick.
    pub(super) fn job(&self, tick: Option<Timestamp>) -> NewJob {
        let unique = match (self.overlap, tick) {
            (Overlap::Skip, _) => Some(format!("schedule:{}", self.name)),
            (Overlap::Queue, Some(tick)) => Some(format!("schedule:{}@{tick}", self.name)),
            (Overlap::Queue, None) => None,
        };
        let job = NewJob::new(self.lane.as_str(), self.payload.clone());
        NewJob { unique, group: self.group.clone(), ..job }
    }

    pub(super) fn lane(&self) -> &str {
        &self.lane
    }

    /// When the next tick is due, with what the jitter adds.
    pub(super) fn due(&self) -> Option<Millis> {
        self.next_at.filter(|_| !self.paused).map(|tick| millis(self.jittered(tick)))
    }

    /// Later by the same part of the jitter whoever asks, so that a restart changes nothing.
    fn jittered(&self, tick: Timestamp) -> Timestamp {
        if self.jitter_ms == 0 {
            return tick;
        }
        let hash = crc32c::crc32c(format!("{}@{tick}", self.name).as_bytes());
        let by_ms = (u64::from(hash) * (u64::from(self.jitter_ms) + 1)) >> 32;
        tick.checked_add(Duration::from_millis(by_ms)).unwrap_or(tick)
    }

    /// Where a schedule stands that is new, or was given other times.
    pub(super) fn first(&self, now: Millis) -> Option<Timestamp> {
        if self.paused { None } else { self.timing.after(moment(now)) }
    }

    /// The ticks that are due; none when it is not yet time.
    pub(super) fn ticks(&self, now: Millis) -> Option<Ticks> {
        let first = self.next_at.filter(|_| self.due().is_some_and(|due| due <= now))?;
        let now = moment(now);
        let mut come = self.timing.since(first, now, CATCH_UP_MAX);
        come.retain(|tick| *tick == first || self.jittered(*tick) <= now);
        let newest = come.last().copied().unwrap_or(first);
        let mut next_at = self.timing.after(newest);
        let is_late = |tick: &Timestamp| now.duration_since(self.jittered(*tick)) > GRACE;
        let last_late = come.iter().rposition(is_late);
        let mut run: Vec<Timestamp> = match self.catch_up {
            CatchUp::All => come,
            CatchUp::None => come.into_iter().filter(|tick| !is_late(tick)).collect(),
            CatchUp::Last if last_late.is_some_and(|place| place + 1 == come.len()) => vec![newest],
            CatchUp::Last => come.into_iter().filter(|tick| !is_late(tick)).collect(),
        };
        let step = (STEP_BYTES / self.payload.len().max(1)).clamp(1, STEP_JOBS);
        if run.len() > step {
            next_at = run.get(step).copied();
            run.truncate(step);
        }
        Some(Ticks { run, next_at })
    }

    /// Writes where it stands into its document.
    pub(super) fn stand(&self, body: &mut Map<String, Value>, next_at: Option<Timestamp>) {
        let mut shown: Vec<Timestamp> = next_at.into_iter().collect();
        shown.extend(next_at.into_iter().flat_map(|at| self.timing.following(at, SHOWN - 1)));
        let text = |at: &Timestamp| Value::String(at.to_string());
        body.insert("next_at".to_owned(), next_at.as_ref().map_or(Value::Null, text));
        body.insert("next".to_owned(), shown.iter().map(text).collect());
    }
}

/// Whether a change leaves the coming ticks as they are.
pub(super) fn keeps_time(stored: &Map<String, Value>, body: &Map<String, Value>) -> bool {
    let some = |map: &Map<String, Value>, name: &str| map.get(name).filter(|value| !value.is_null()).cloned();
    TIMING.iter().all(|name| some(stored, name) == some(body, name))
}

fn moment(at: Millis) -> Timestamp {
    let at = i64::try_from(at.get()).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(Timestamp::MAX)
}

/// Rounded up, so that nothing is early.
fn millis(at: Timestamp) -> Millis {
    let nanos = at.as_nanosecond().max(0).unsigned_abs();
    Millis::new(u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
