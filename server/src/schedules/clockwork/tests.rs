use std::sync::Arc;

use dateline_engine::{JobId, LaneSettings, ManualClock};
use serde_json::{Value, json};

use super::*;
use crate::testing::{manual_clock, test_config};

/// The clock of the tests begins at 2026-01-31T12:00:00Z.
struct Ground {
    app: App,
    clock: Arc<ManualClock>,
    clockwork: Clockwork,
}

impl Ground {
    fn new() -> Self {
        let clock = manual_clock();
        let app = App::builder().config(test_config()).clock(Arc::clone(&clock) as _).open().unwrap();
        let clockwork = Clockwork::new(app.store().clone(), app.bell().clone());
        Self { app, clock, clockwork }
    }

    /// Writes a schedule that comes every minute, next at 12:01.
    fn put(&self, name: &str, changes: Value) {
        let mut body = json!({
            "name": name, "cron": "* * * * *", "lane": "mail", "overlap": "queue",
            "next_at": "2026-01-31T12:01:00Z", "_version": 1,
        });
        for (member, value) in changes.as_object().unwrap() {
            body[member] = value.clone();
        }
        let (bell, id) = (self.app.bell(), DocId::new(name).unwrap());
        let put = Transaction::new(Durability::Buffered);
        let put = put.put(bell.collection(), id, Condition::Always, body.to_string());
        self.app.store().commit(put).unwrap();
        bell.changed(bell.collection());
    }

    fn stored(&self, name: &str) -> Value {
        let stored = self.app.store().get(self.app.bell().collection(), name).unwrap().unwrap();
        serde_json::from_slice(&stored.body).unwrap()
    }

    fn jobs(&self, lane: &str) -> Vec<String> {
        let jobs = self.app.store().queue().jobs(lane, JobId::ZERO, 1_000).unwrap();
        jobs.into_iter().map(|job| job.unique.unwrap_or_default()).collect()
    }

    /// One look at the clock, after so many milliseconds.
    fn turn_after(&mut self, by_ms: u64) {
        self.clock.advance_ms(by_ms);
        self.clockwork.entries = None;
        self.clockwork.turn().unwrap();
    }
}

#[test]
fn a_tick_is_one_commit_over_the_version_it_was_read_from() {
    let mut ground = Ground::new();
    ground.put("report", json!({}));
    ground.turn_after(59_999);
    assert!(ground.jobs("mail").is_empty(), "never early");
    ground.turn_after(1);
    assert_eq!(ground.jobs("mail"), ["schedule:report@2026-01-31T12:01:00Z"]);
    let stored = ground.stored("report");
    assert_eq!(
        (&stored["next_at"], &stored["last_at"], &stored["_version"]),
        (&json!("2026-01-31T12:02:00Z"), &json!("2026-01-31T12:01:00Z"), &json!(2))
    );
    assert_eq!(stored["next"].as_array().map(Vec::len), Some(5), "{stored}");

    // Somebody pauses it between the reading and the commit.
    let entries = ground.clockwork.read().unwrap();
    ground.clock.advance_ms(60_000);
    let now = ground.app.store().now();
    let ticks = due(&entries, now);
    assert_eq!(ticks.len(), 1);
    ground.put("report", json!({"paused": true}));
    ground.clockwork.entries = Some(entries);
    ground.clockwork.make(ticks, now).unwrap();
    assert_eq!(ground.jobs("mail").len(), 1, "the change came first");
    assert!(ground.clockwork.entries.as_ref().is_some_and(BTreeMap::is_empty));
    ground.turn_after(3_600_000);
    assert_eq!(ground.jobs("mail").len(), 1);
}

#[test]
fn one_schedule_that_fails_delays_no_other_and_is_not_lost() {
    let mut ground = Ground::new();
    let full = LaneSettings { jobs_max: 1, ..LaneSettings::INITIAL };
    ground.app.store().queue().configure("full", full).unwrap();
    ground.put("a", json!({"lane": "full"}));
    ground.put("b", json!({"lane": "full"}));
    ground.put("c", json!({}));
    ground.turn_after(60_000);
    assert_eq!(ground.jobs("full"), ["schedule:a@2026-01-31T12:01:00Z"]);
    assert_eq!(ground.jobs("mail"), ["schedule:c@2026-01-31T12:01:00Z"]);
    assert_eq!(ground.stored("b")["next_at"], "2026-01-31T12:01:00Z");
    let again = ground.clockwork.entries.as_ref().unwrap()[&DocId::new("b").unwrap()].due();
    assert_eq!(again, Some(Millis::new(ground.app.store().now().get() + PAUSE_MS)));
    ground.app.store().queue().configure("full", LaneSettings::INITIAL).unwrap();
    ground.clock.advance_ms(PAUSE_MS);
    ground.clockwork.turn().unwrap();
    assert_eq!(ground.jobs("full").last().unwrap(), "schedule:b@2026-01-31T12:01:00Z");
}

#[test]
fn many_schedules_of_one_minute_come_in_few_commits() {
    let mut ground = Ground::new();
    for number in 0..500 {
        ground.put(&format!("s{number}"), json!({}));
    }
    let before = ground.app.store().watermark().applied().seq.get();
    ground.turn_after(60_000);
    assert_eq!(ground.jobs("mail").len(), 500);
    assert_eq!(ground.app.store().watermark().applied().seq.get() - before, 1_000);
    let due: Vec<Tick> = (0..500)
        .map(|n| Tick {
            id: DocId::new(format!("{n}")).unwrap(),
            ticks: Ticks { run: vec![Timestamp::UNIX_EPOCH], next_at: None },
            bytes: if n == 7 { PARCEL_BYTES } else { 100 },
        })
        .collect();
    assert_eq!(parcels(&due).map(<[Tick]>::len).collect::<Vec<_>>(), [8, 200, 200, 92]);
}

#[test]
fn a_clock_that_was_far_ahead_does_not_stop_the_schedules() {
    let mut ground = Ground::new();
    ground.put("report", json!({"next_at": "2027-01-31T12:01:00Z"}));
    ground.turn_after(0);
    let ahead = |by_ms: u64| Millis::new(ground.app.store().now().get() + by_ms);
    let (little, much) = (ahead(BACK_MS_MAX - 1_000), ahead(366 * 86_400_000));
    ground.clockwork.looked = (little, Instant::now());
    ground.turn_after(0);
    assert_eq!(ground.stored("report")["next_at"], "2027-01-31T12:01:00Z");
    ground.clockwork.looked = (much, Instant::now());
    // One turn reads, the next writes.
    ground.clockwork.turn().unwrap();
    assert_eq!(ground.stored("report")["next_at"], "2026-01-31T12:01:00Z");
    assert!(ground.jobs("mail").is_empty());
}
