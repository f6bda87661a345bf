//! A new generation is equal to the old one, and nobody waits for it.

use std::sync::atomic::{AtomicBool, Ordering};

use dateline_engine::{ErrorKind, Retention, TrimPolicy};
use serde_json::json;

use super::world::World;

#[test]
fn a_rebuild_gives_the_same_answers() {
    let world = World::new();
    let c = world.define("c", &json!({"language": "en"}));
    let silent = world.define("silent", &json!(false));
    for n in 0..300 {
        world.put(c, &format!("d{n}"), &json!({"t": format!("word{} bikes", n % 7), "n": n}));
        world.put(silent, &format!("d{n}"), &json!({"n": n}));
    }
    for n in (0..300).step_by(3) {
        world.delete(c, &format!("d{n}"));
    }
    world.verify();
    let queries = ["", "bike", "word3", "n:[10 TO 50]", "-word1", "word*"];
    let before: Vec<_> = queries.iter().map(|q| world.ids("c", q)).collect();
    let generation = world.figure("generation");
    world.index().rebuild().unwrap();
    assert_eq!(world.figure("generation"), generation + 1);
    assert_eq!(world.figure("documents"), 200);
    assert_eq!(world.figure("deleted"), 0);
    let after: Vec<_> = queries.iter().map(|q| world.ids("c", q)).collect();
    assert_eq!(before, after);
    world.verify();
    let left: Vec<_> = std::fs::read_dir(world.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.len() <= 3, "the old generation goes: {left:?}");
}

#[test]
fn writes_and_searches_go_on_during_a_rebuild() {
    let world = World::new();
    let c = world.define("c", &json!(true));
    for n in 0..2_000 {
        world.put(c, &format!("d{n}"), &json!({"t": "steady", "n": n}));
    }
    world.verify();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut turn = 0_u64;
            while !done.load(Ordering::Relaxed) {
                turn += 1;
                let id = format!("d{}", turn % 2_000);
                let seq = world.put(c, &id, &json!({"t": format!("steady turn{turn}")}));
                let mut request = world.request("c", &format!("turn{turn}"));
                request.min_seq = Some(seq);
                assert_eq!(world.index().search(&request).unwrap().hits.len(), 1);
            }
            turn
        });
        let searcher = scope.spawn(|| {
            let mut seen = world.index().visible();
            while !done.load(Ordering::Relaxed) {
                let mut request = world.request("c", "steady");
                (request.min_seq, request.limit) = (None, 0);
                let answer = world.index().search(&request).unwrap();
                assert_eq!(answer.total, 2_000);
                assert!(answer.seq >= seen, "searches never go back");
                seen = answer.seq;
            }
        });
        for _ in 0..3 {
            world.index().rebuild().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        println!("{} writes went on", writer.join().unwrap());
        searcher.join().unwrap();
    });
    world.verify();
    assert_eq!(world.index().failed(), None);
}

#[test]
fn one_rebuild_at_a_time_and_a_stop_ends_it() {
    let mut world = World::new();
    let c = world.define("c", &json!(true));
    for n in 0..3_000 {
        world.put(c, &format!("d{n}"), &json!({"n": n}));
    }
    world.verify();
    std::thread::scope(|scope| {
        let index = world.index();
        let first = scope.spawn(|| index.rebuild());
        let second = scope.spawn(|| index.rebuild());
        let outcomes = [first.join().unwrap(), second.join().unwrap()];
        let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(refused.clone().count() <= 1 && refused.into_iter().all(|e| e.kind() == ErrorKind::Busy));
        let third = scope.spawn(|| index.rebuild());
        index.stop();
        let _ = third.join().unwrap();
    });
    world.stop();
    world.open();
    world.verify();
}

/// Keeps nothing that nobody holds.
fn trim(world: &World) -> u64 {
    let lane = Retention { keep_ms: 0, keep_bytes: 0, hold_ms_max: u64::MAX };
    world.store.trim(&TrimPolicy { log: lane, positions: lane }).unwrap().floor.seq.get()
}

#[test]
fn the_log_is_held_for_the_index_and_not_needed_to_build_one() {
    let mut world = World::new();
    let c = world.define("c", &json!(true));
    for n in 0..200 {
        world.put(c, &format!("d{n}"), &json!({"t": "bikes"}));
    }
    world.verify();
    world.stop();
    for n in 200..300 {
        world.put(c, &format!("d{n}"), &json!({"t": "bikes"}));
    }
    let durable = world.store.watermark().wait_past(dateline_engine::Tail::default(), super::world::LONG);
    let floor = trim(&world);
    assert!(floor > 0 && floor <= durable.seq.get());
    world.open();
    assert_eq!(world.ids("c", "bikes").len(), 300, "what was written meanwhile was held");
    assert_eq!(world.figure("generation"), 1, "and nothing was built anew");
    world.verify();
    // Without an index, and with a log that begins in the middle, the documents are enough.
    trim(&world);
    world.stop();
    std::fs::remove_dir_all(world.root()).unwrap();
    world.open();
    assert_eq!(world.ids("c", "bikes").len(), 300);
    world.index().rebuild().unwrap();
    world.verify();
}
