use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(changes: Value) -> Schedule {
    let mut body = json!({"cron": "* * * * *", "lane": "mail", "next_at": "2026-01-01T00:01:00Z"});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    Schedule::read("report", body.as_object().unwrap()).unwrap()
}

/// What happens to a schedule that comes every minute from 00:01 on, at this time of the day.
fn check(changes: Value, now: &str, run: &[&str], next: &str) {
    let found = schedule(changes.clone()).ticks(millis(at(&format!("2026-01-01T{now}Z")))).unwrap();
    let run: Vec<Timestamp> = run.iter().map(|time| at(&format!("2026-01-01T{time}:00Z"))).collect();
    let expected = Ticks { run, next_at: Some(at(&format!("2026-01-01T{next}:00Z"))) };
    assert_eq!(found, expected, "{changes} at {now}");
}

#[test]
fn a_tick_is_never_early() {
    let schedule = schedule(json!({}));
    assert_eq!(schedule.ticks(millis(at("2026-01-01T00:00:59.999Z"))), None);
    check(json!({}), "00:01:00", &["00:01"], "00:02");
}

#[test]
fn what_was_missed_is_made_good_as_asked() {
    let with = |catch_up: &str| json!({"catch_up": catch_up});
    for catch_up in ["none", "last", "all"] {
        // In time is in time, whatever is asked for.
        check(with(catch_up), "00:01:09", &["00:01"], "00:02");
    }
    check(with("none"), "00:04:30", &[], "00:05");
    check(with("none"), "00:04:05", &["00:04"], "00:05");
    check(with("last"), "00:04:30", &["00:04"], "00:05");
    check(with("last"), "00:04:05", &["00:04"], "00:05");
    check(with("all"), "00:04:30", &["00:01", "00:02", "00:03", "00:04"], "00:05");
}

#[test]
fn a_long_absence_is_made_good_in_steps_and_within_bounds() {
    let mut late = schedule(json!({"catch_up": "all"}));
    let now = millis(at("2026-02-01T00:00:30Z"));
    let mut run = Vec::new();
    while let Some(ticks) = late.ticks(now) {
        assert!(ticks.run.len() <= STEP_JOBS);
        run.extend(ticks.run);
        late.next_at = ticks.next_at;
    }
    assert_eq!(run.len(), CATCH_UP_MAX);
    assert!(run.is_sorted() && run.last() == Some(&at("2026-02-01T00:00:00Z")), "{:?}", run.last());
    assert_eq!(late.next_at, Some(at("2026-02-01T00:01:00Z")));
    let large = schedule(json!({"catch_up": "all", "payload": "x".repeat(1 << 20).split_off(3)}));
    assert_eq!(large.ticks(now).unwrap().run.len(), 4);
}

#[test]
fn jitter_is_the_same_for_everybody_and_within_its_bound() {
    let spread = schedule(json!({"jitter_s": 30}));
    let ticks = spread.timing.following(at("2026-01-01T00:00:00Z"), 1_000);
    let by: Vec<_> = ticks.iter().map(|tick| spread.jittered(*tick).duration_since(*tick)).collect();
    assert!(by.iter().all(|by| (0..=30_000).contains(&by.as_millis())));
    let mean_ms = by.iter().map(SignedDuration::as_millis).sum::<i128>() / 1_000;
    assert!((13_000..17_000).contains(&mean_ms), "{mean_ms}");
    let due = spread.due().unwrap();
    assert_eq!(schedule(json!({"jitter_s": 30})).due(), Some(due));
    assert_eq!(spread.ticks(Millis::new(due.get() - 1)), None);
    assert_eq!(spread.ticks(due).unwrap().run, [at("2026-01-01T00:01:00Z")]);
}

#[test]
fn a_paused_schedule_stands_and_an_ended_one_is_over() {
    let paused = schedule(json!({"paused": true}));
    assert_eq!((paused.due(), paused.first(Millis::new(0))), (None, None));
    let ending = schedule(json!({"until": "2026-01-01T00:02:00Z"}));
    let ticks = ending.ticks(millis(at("2026-01-01T00:02:01Z"))).unwrap();
    assert_eq!((ticks.run, ticks.next_at), (vec![at("2026-01-01T00:02:00Z")], None));
    let mut body = Map::new();
    ending.stand(&mut body, Some(at("2026-01-01T00:01:00Z")));
    let expected =
        json!({"next_at": "2026-01-01T00:01:00Z", "next": ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"]});
    assert_eq!(Value::Object(body), expected);
}

#[test]
fn the_job_carries_what_was_given() {
    let queue = schedule(json!({"overlap": "queue", "group": "g", "payload": {"b": 1, "a": [1.5]}}));
    let job = queue.job(Some(at("2026-01-01T00:01:00Z")));
    assert_eq!(job.unique.as_deref(), Some("schedule:report@2026-01-01T00:01:00Z"));
    assert_eq!((&job.payload[..], job.group.as_deref()), (&br#"{"b":1,"a":[1.5]}"#[..], Some("g")));
    assert_eq!(queue.job(None).unique, None);
    assert_eq!(schedule(json!({})).job(None).unique.as_deref(), Some("schedule:report"));
    assert_eq!(&schedule(json!({})).job(None).payload[..], b"null");
}

#[test]
fn a_flaw_names_its_member() {
    for (member, bad) in [
        ("cron", json!("61 * * * *")),
        ("time_zone", json!("Europe/Atlantis")),
        ("lane", json!("a b")),
        ("group", json!("")),
        ("payload", json!("x".repeat(1 << 20))),
        ("jitter_s", json!(1e12)),
    ] {
        let mut body = json!({"cron": "* * * * *", "lane": "mail"});
        body[member] = bad;
        let flaw = Schedule::read("report", body.as_object().unwrap()).unwrap_err();
        assert_eq!(flaw.0, member, "{flaw:?}");
    }
}
