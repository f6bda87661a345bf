//! Schemas that are upgraded: what is found are documents as they are shown now, also those nobody has written since.

use std::sync::atomic::{AtomicBool, Ordering};

use dateline_engine::{CollectionId, CollectionOptions, Upgrade};
use serde_json::{Value as Json, json};

use super::world::{Random, World};
use crate::limits::REFILL_DOCUMENTS_MAX;

/// Gives the collection these upgrades, the first to version 2.
fn upgrade(world: &World, collection: CollectionId, steps: &[Json]) {
    let upgrades = steps.iter().zip(2..).map(|(step, to)| {
        let mut step = step.clone();
        step["to"] = json!(to);
        serde_json::from_value::<Upgrade>(step).unwrap()
    });
    let before = world.store.catalog().by_id(collection).unwrap().options.clone();
    let options = CollectionOptions { upgrades: upgrades.collect(), ..before };
    world.store.alter(collection, options).unwrap();
}

#[test]
fn documents_are_found_as_they_are_shown_now() {
    let mut world = World::new();
    let (c, other) = (world.define("c", &json!(true)), world.define("other", &json!(true)));
    // More than go in at a time.
    let many = 2 * REFILL_DOCUMENTS_MAX + 10;
    for n in 0..many {
        world.put(c, &format!("d{n}"), &json!({"colour": if n % 4 == 0 { "red" } else { "blue" }, "n": n}));
    }
    let red = many.div_ceil(4) - 1;
    world.delete(c, "d0");
    world.put(other, "o", &json!({"colour": "red"}));
    world.verify();
    assert_eq!(world.ids("c", "colour:red").len(), red);
    let steps = [json!({"rename": {"colour": "paint"}, "default": {"doors": 4}})];
    upgrade(&world, c, &steps);
    assert_eq!(world.ids("c", "colour:red"), [""; 0]);
    assert_eq!(world.ids("c", "paint:red doors:4").len(), red);
    assert_eq!(world.ids("other", "colour:red"), ["o"]);
    assert_eq!(world.figure("generation"), 1, "nothing else is built anew");
    world.verify();
    // Killed before it is committed, stopped on the way, opened and built anew: the same.
    let steps = [steps[0].clone(), json!({"convert": {"n": "text"}}), json!({"rename": {"paint": "coat"}})];
    upgrade(&world, c, &steps[..2]);
    world.kill();
    world.open();
    upgrade(&world, c, &steps);
    world.stop();
    world.open();
    world.put(c, "new", &json!({"coat": "red"}));
    let found = world.ids("c", "coat:red");
    assert_eq!((found.len(), world.ids("c", "paint:red").len()), (red + 1, 0));
    world.index().rebuild().unwrap();
    assert_eq!(world.ids("c", "coat:red"), found);
    world.verify();
}

/// Upgrades, writes, deletes, restarts and rebuilds in any order.
#[test]
fn whatever_comes_in_between() {
    let mut random = Random::new("whatever_comes_in_between");
    for _ in 0..6 {
        let mut world = World::new();
        let c = world.define("c", &json!(true));
        let mut steps: Vec<Json> = Vec::new();
        let name = |n: usize| format!("w{n}");
        for _ in 0..60 {
            match random.below(12) {
                0 => {
                    let last = steps.len();
                    steps.push(json!({"rename": {name(last): name(last + 1)}}));
                    upgrade(&world, c, &steps);
                }
                1 => {
                    if random.one_in(2) {
                        world.kill();
                    } else {
                        world.stop();
                    }
                    world.open();
                }
                2 => {
                    // One may be under way, or the index not open for long enough.
                    let _ = world.index().rebuild();
                }
                3 => {
                    let id = format!("d{}", random.below(20));
                    if world.store.get(c, &id).unwrap().is_some() {
                        world.delete(c, &id);
                    }
                }
                _ => {
                    let id = format!("d{}", random.below(20));
                    world.put(c, &id, &json!({name(steps.len()): "word"}));
                }
            }
        }
        let mut all = Vec::new();
        let collect = |document: dateline_engine::Document| {
            all.push(document.id.as_str().to_owned());
            std::ops::ControlFlow::Continue(())
        };
        world.store.snapshot().unwrap().scan(c, None, false, collect).unwrap();
        all.sort_unstable();
        assert_eq!(world.ids("c", &format!("{}:word", name(steps.len()))), all);
        if !steps.is_empty() {
            assert_eq!(world.ids("c", &format!("{}:word", name(steps.len() - 1))), [""; 0]);
        }
        world.verify();
    }
}

/// Ends the other thread also where an assertion fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_upgrade_during_a_rebuild() {
    let world = World::new();
    let c = world.define("c", &json!(true));
    for n in 0..3_000 {
        world.put(c, &format!("d{n}"), &json!({"w0": if n % 4 == 0 { "word" } else { "other" }}));
    }
    world.verify();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = world.index().rebuild();
            }
        });
        let _ends = Ends(&done);
        let mut steps = Vec::new();
        for n in 0..8 {
            steps.push(json!({"rename": {format!("w{n}"): format!("w{}", n + 1)}}));
            upgrade(&world, c, &steps);
            assert_eq!(world.ids("c", &format!("w{}:word", n + 1)).len(), 750);
            assert_eq!(world.ids("c", &format!("w{n}:word")).len(), 0);
        }
    });
    world.verify();
}
