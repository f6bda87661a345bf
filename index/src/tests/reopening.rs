//! What becomes of an index that is opened again.

use std::time::Duration;

use dateline_engine::{Durability, Options, Store, Transaction};
use serde_json::json;

use super::world::{World, copy_dir};
use crate::language::Language;
use crate::mapping::Mapping;

#[test]
fn it_goes_on_where_it_was() {
    let mut world = World::new();
    let c = world.define("c", &json!(true));
    for n in 0..50 {
        world.put(c, &format!("d{n}"), &json!({"n": n}));
    }
    world.verify();
    world.stop();
    for n in 0..7 {
        world.put(c, &format!("e{n}"), &json!({"n": n}));
    }
    world.delete(c, "d0");
    world.open();
    world.verify();
    assert_eq!(world.figure("operations"), 8, "only what was missed is taken in");
    assert_eq!((world.figure("generation"), world.figure("rebuilds")), (1, 0));
    assert_eq!(world.ids("c", "n:0"), ["e0"]);
}

#[test]
fn after_a_kill_it_goes_on_from_the_last_commit() {
    let mut world = World::new();
    let c = world.define("c", &json!(true));
    for n in 0..50 {
        world.put(c, &format!("d{n}"), &json!({"n": n}));
    }
    world.verify();
    let committed = world.figure("committed_seq");
    for n in 0..5 {
        world.put(c, &format!("d{n}"), &json!({"n": -n}));
    }
    world.kill();
    world.open();
    world.verify();
    let missed = world.head().get() - committed;
    assert_eq!((world.figure("operations"), world.figure("rebuilds")), (missed.min(5), 0));
    assert_eq!(world.ids("c", "n:<0").len(), 4);
}

#[test]
fn a_changed_mapping_rebuilds() {
    let mut world = World::new();
    let c = world.define("c", &json!(false));
    world.put(c, "a", &json!({"t": "running"}));
    world.verify();
    for (turn, code) in [(1, "none"), (2, "en"), (3, "de")] {
        world.stop();
        world.built_in = vec![("c".to_owned(), Mapping::derived(Language::from_code(code).unwrap()))];
        world.open();
        world.verify();
        assert_eq!(world.figure("generation"), turn + 1);
        assert_eq!(world.ids("c", "run").len(), usize::from(code == "en"), "{code}");
    }
    world.stop();
    world.open();
    world.verify();
    assert_eq!(world.figure("rebuilds"), 0, "the same mapping does not");
}

#[test]
fn a_later_collection_does_not_rebuild() {
    let mut world = World::new();
    world.define("a", &json!(true));
    world.verify();
    let b = world.define("b", &json!({"language": "en"}));
    world.put(b, "x", &json!({"t": "bikes"}));
    assert_eq!(world.ids("b", "bike"), ["x"], "it is searched at once");
    world.stop();
    let c = world.define("c", &json!(true));
    world.put(c, "y", &json!({"t": "red"}));
    world.open();
    assert_eq!(world.ids("c", "red"), ["y"]);
    assert_eq!(world.figure("rebuilds"), 0);
    world.verify();
}

#[test]
fn a_dropped_collection_leaves_the_index() {
    let mut world = World::new();
    let (a, b) = (world.define("a", &json!(true)), world.define("b", &json!(true)));
    for n in 0..20 {
        world.put(a, &format!("d{n}"), &json!({"t": "red"}));
        world.put(b, &format!("d{n}"), &json!({"t": "red"}));
    }
    world.verify();
    // What was written just before goes too, in the index of now and in one that has been stopped meanwhile.
    world.put(a, "late", &json!({"t": "red"}));
    world.store.commit(Transaction::new(Durability::Sync).drop(a)).unwrap();
    world.verify();
    assert_eq!(world.figure("documents"), 20);
    assert_eq!(world.ids("b", "red").len(), 20);
    assert!(world.index().search(&world.request("a", "red")).is_err(), "it is not searched any more");
    let again = world.define("a", &json!(true));
    world.put(again, "new", &json!({"t": "red"}));
    assert_eq!(world.ids("a", "red"), ["new"]);
    world.stop();
    world.open();
    world.verify();
    assert_eq!(world.figure("rebuilds"), 0, "the mappings are those of the last commit");
    world.stop();
    world.store.commit(Transaction::new(Durability::Sync).drop(b)).unwrap();
    world.open();
    world.verify();
    assert_eq!((world.figure("documents"), world.ids("a", "red")), (1, vec!["new".to_owned()]));
}

/// A store on disk, so that it can lose what was written last.
fn lossy(after_loss: u64) -> (World, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let (live, backup) = (home.path().join("store"), home.path().join("backup"));
    let open = || Store::open(&live, Options::new()).unwrap();
    let mut world = World::over(open());
    let c = world.define("c", &json!(true));
    world.put(c, "kept", &json!({"t": "kept"}));
    world.verify();
    world.stop();
    let close = |world: &mut World| {
        world.store = Store::memory(Options::new()).unwrap();
    };
    close(&mut world);
    copy_dir(&live, &backup);
    world.store = open();
    world.open();
    for n in 0..10 {
        world.put(c, &format!("lost{n}"), &json!({"t": "lost"}));
    }
    world.verify();
    world.stop();
    close(&mut world);
    std::fs::remove_dir_all(&live).unwrap();
    copy_dir(&backup, &live);
    world.store = open();
    for n in 0..after_loss {
        world.put(c, &format!("new{n}"), &json!({"t": "new"}));
    }
    while world.store.feed().head() < world.head() {
        std::thread::sleep(Duration::from_millis(1));
    }
    world.open();
    (world, home)
}

#[test]
fn an_index_from_the_future_is_rebuilt() {
    let (mut world, _home) = lossy(3);
    world.verify();
    assert_eq!(world.ids("c", ""), ["kept", "new0", "new1", "new2"]);
    assert_eq!(world.figure("generation"), 2);
    world.stop();
}

#[test]
fn an_index_of_a_lost_past_is_rebuilt() {
    let (mut world, _home) = lossy(20);
    world.verify();
    assert_eq!(world.ids("c", "lost"), [""; 0], "as many records were written again, but others");
    assert_eq!(world.ids("c", "").len(), 21);
    assert_eq!(world.figure("generation"), 2);
    world.stop();
}

#[test]
fn an_index_of_another_store_is_rebuilt() {
    let mut world = World::new();
    let c = world.define("c", &json!(true));
    world.put(c, "a", &json!({"t": "red"}));
    world.verify();
    world.stop();
    world.store = Store::memory(Options::new()).unwrap();
    let c = world.define("c", &json!(true));
    world.put(c, "b", &json!({"t": "red"}));
    world.put(c, "b", &json!({"t": "red"}));
    world.open();
    assert_eq!(world.ids("c", "red"), ["b"]);
    assert_eq!(world.figure("generation"), 2);
    world.verify();
}

#[test]
fn two_cannot_have_it_open() {
    let world = World::new();
    world.define("c", &json!(true));
    world.verify();
    let options = crate::SearchOptions::new(Vec::new());
    let error = crate::SearchIndex::open(&world.store, &world.root(), options).unwrap_err();
    assert_eq!(error.kind(), dateline_engine::ErrorKind::Unavailable, "{error}");
}
