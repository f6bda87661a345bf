//! Reading what one has just written.

use std::time::{Duration, Instant};

use dateline_engine::{ErrorKind, Seq};
use serde_json::json;

use super::world::{LONG, World};

#[test]
fn who_waits_sees_his_own_write() {
    let world = World::new();
    let c = world.define("c", &json!(true));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let world = &world;
            scope.spawn(move || {
                for turn in 0..25 {
                    let id = format!("{thread}-{turn}");
                    let seq = world.put(c, &id, &json!({"t": format!("w{thread}x{turn}")}));
                    let mut request = world.request("c", &format!("w{thread}x{turn}"));
                    request.min_seq = Some(seq);
                    let answer = world.index().search(&request).unwrap();
                    assert!(answer.seq >= seq);
                    assert_eq!(answer.hits.len(), 1, "{id}");
                }
            });
        }
    });
    world.verify();
    assert_eq!(world.index().failed(), None);
}

/// The fastest of ten waits for a write, begun some time after it. One that needs a timer of the follower takes
/// longer than `COMMIT_EVERY` each time.
fn fastest_wait(begin_after: Duration) -> Duration {
    let world = World::new();
    let c = world.define("c", &json!(true));
    world.verify();
    let waits = (0..10).map(|turn| {
        let seq = world.put(c, "a", &json!({"n": turn}));
        std::thread::sleep(begin_after);
        let started = Instant::now();
        assert!(world.index().wait_visible(seq, LONG));
        let waited = started.elapsed();
        assert_eq!(world.ids("c", &format!("n:{turn}")), ["a"], "visible is searchable");
        waited
    });
    waits.min().unwrap()
}

#[test]
fn who_waits_needs_no_timer() {
    // The wish is there before the record is, and after it was taken in but before the follower would commit.
    for begin_after in [Duration::ZERO, Duration::from_millis(60)] {
        let fastest = fastest_wait(begin_after);
        println!("waiting after {begin_after:?} takes {fastest:?}");
        assert!(fastest < Duration::from_millis(400), "{begin_after:?}: {fastest:?}");
    }
}

#[test]
fn records_of_others_become_visible_without_a_commit() {
    let world = World::new();
    let silent = world.define("silent", &json!(false));
    world.define("c", &json!(true));
    world.verify();
    let commits = world.figure("commits");
    for turn in 0..20 {
        let seq = world.put(silent, "x", &json!({"n": turn}));
        assert!(world.index().wait_visible(seq, LONG));
    }
    assert_eq!(world.figure("commits"), commits);
}

#[test]
fn without_anyone_waiting_it_commits_by_itself() {
    let world = World::new();
    let c = world.define("c", &json!(true));
    let seq = world.put(c, "a", &json!({"t": "red"}));
    let started = Instant::now();
    while world.index().visible() < seq {
        assert!(started.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(world.ids("c", "red"), ["a"]);
}

#[test]
fn a_record_that_does_not_come_ends_the_wait() {
    let world = World::new();
    world.define("c", &json!(true));
    world.verify();
    let mut request = world.request("c", "");
    (request.min_seq, request.deadline) = (Some(Seq::new(1_000)), Duration::from_millis(50));
    let error = world.index().search(&request).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Busy, "search has seen 1, not yet 1000")
    );
    assert!(!world.index().wait_visible(Seq::new(1_000), Duration::from_millis(1)));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| world.index().wait_visible(Seq::new(1_000), LONG));
        std::thread::sleep(Duration::from_millis(50));
        world.index().stop();
        assert!(!waiter.join().unwrap(), "a stop ends every wait");
    });
}

#[test]
fn the_cursor_in_the_store_follows_the_commits() {
    let mut world = World::new();
    let c = world.define("c", &json!(true));
    let seq = world.put(c, "a", &json!({"t": "red"}));
    world.verify();
    world.stop();
    let started = Instant::now();
    while world.store.cursor("index/main").unwrap().map(|cursor| cursor.at.seq) != Some(seq) {
        assert!(started.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(5));
    }
}
