//! Files that are cut, changed or gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tantivy::schema::Value as _;
use tantivy::{IndexWriter, TantivyDocument};

use super::world::{Random, World};
use crate::checkpoint::{seal, unseal};
use crate::generation::Generation;

/// A world with a few commits behind it, stopped.
fn stopped() -> World {
    let mut world = World::new();
    let c = world.define("c", &json!(true));
    for round in 0..3 {
        for n in 0..20 {
            world.put(
                c,
                &format!("d{}", n + round * 10),
                &json!({"t": "red bikes", "n": n, "at": "2024-01-01"}),
            );
        }
        world.verify();
    }
    world.stop();
    world
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind != "lock"));
    files.sort();
    files
}

/// Opens it after the damage; it must come back whole, by whatever way.
fn recovers(world: &mut World, rebuilt: bool, what: &str) {
    world.open();
    world.verify();
    assert_eq!(world.ids("c", "red").len(), 40, "{what}");
    assert_eq!(world.figure("operations") > 0, rebuilt, "{what}");
    assert_eq!(world.index().failed(), None, "{what}");
    world.stop();
}

#[test]
fn without_its_files_it_is_rebuilt() {
    let mut world = stopped();
    fs::remove_dir_all(world.root().join("1")).unwrap();
    recovers(&mut world, true, "no directory");
    let mut world = stopped();
    fs::remove_file(world.root().join("current")).unwrap();
    recovers(&mut world, true, "no name");
    let mut world = stopped();
    fs::write(world.root().join("current"), "x\n").unwrap();
    recovers(&mut world, true, "no number");
    let mut world = stopped();
    fs::write(world.root().join("1/meta.json"), "{}").unwrap();
    recovers(&mut world, true, "empty meta.json");
}

#[test]
fn any_file_cut_short_or_gone_is_noticed() {
    let mut random = Random::new("any_file_cut_short_or_gone_is_noticed");
    let count = files(&stopped().root().join("1")).len();
    for place in 0..count {
        let mut world = stopped();
        let Some(path) = files(&world.root().join("1")).get(place).cloned() else { continue };
        let bytes = fs::read(&path).unwrap();
        let kept = random.below(bytes.len().max(1));
        if random.one_in(3) {
            fs::remove_file(&path).unwrap();
        } else {
            fs::write(&path, &bytes[..kept]).unwrap();
        }
        recovers(&mut world, true, &format!("{} cut to {kept} of {}", path.display(), bytes.len()));
    }
}

#[test]
fn an_unfinished_rebuild_is_swept_away() {
    let mut world = stopped();
    fs::create_dir_all(world.root().join("7")).unwrap();
    fs::write(world.root().join("7/meta.json"), "half").unwrap();
    fs::write(world.root().join("current.new"), "7").unwrap();
    recovers(&mut world, false, "unfinished");
    assert!(!world.root().join("7").exists());
}

#[test]
fn a_foreign_checkpoint_is_not_believed() {
    for (member, value) in [
        ("format", json!(0)),
        ("tantivy", json!("0.0")),
        ("gen", json!(9)),
        ("seq", json!(1_000)),
        ("store", json!("")),
        ("mapping", json!("")),
        ("at", json!(1)),
    ] {
        let mut world = stopped();
        let path = world.root().join("1/meta.json");
        let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let payload = unseal(meta["payload"].as_str().unwrap()).unwrap();
        let mut payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert_ne!(payload[member], value);
        payload[member] = value;
        meta["payload"] = json!(seal(&payload.to_string()));
        fs::write(&path, meta.to_string()).unwrap();
        recovers(&mut world, true, member);
    }
}

/// Changes a stopped index behind its back, keeping its checkpoint.
fn tamper(world: &World, change: impl FnOnce(&Generation, &IndexWriter)) {
    let generation = Generation::open(&world.root(), 1).unwrap();
    let payload = generation.checkpoint().unwrap().encode();
    let mut writer: IndexWriter = generation.index.writer_with_num_threads(1, 15_000_000).unwrap();
    change(&generation, &writer);
    let mut prepared = writer.prepare_commit().unwrap();
    prepared.set_payload(&payload);
    prepared.commit().unwrap();
}

fn differences(world: &mut World) -> Vec<String> {
    world.open();
    assert!(world.index().wait_visible(world.head(), super::world::LONG));
    let differences = world.index().verify().unwrap();
    world.stop();
    differences
}

#[test]
fn verify_names_what_differs() {
    let mut world = stopped();
    let c = world.define("c", &json!({}));
    tamper(&world, |generation, writer| {
        writer.delete_term(generation.fields.key_term(c, "d5"));
        let searcher = generation.reader.searcher();
        let document: TantivyDocument = searcher.doc(tantivy::DocAddress::new(0, 0)).unwrap();
        let key =
            document.get_first(generation.fields.key).and_then(|v| v.as_str().map(str::to_owned)).unwrap();
        let mut twin = TantivyDocument::new();
        twin.add_text(generation.fields.key, format!("{key}-ghost"));
        twin.add_u64(generation.fields.seq, 3);
        writer.add_document(twin).unwrap();
        let mut old = TantivyDocument::new();
        writer.delete_term(generation.fields.key_term(c, "d6"));
        old.add_text(generation.fields.key, format!("{c}/d6"));
        old.add_u64(generation.fields.seq, 2);
        writer.add_document(old.clone()).unwrap();
        writer.add_document(old).unwrap();
    });
    let found = differences(&mut world);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().any(|line| line.contains("d5: version") && line.contains("is not indexed")));
    assert!(found.iter().any(|line| line.contains("d6: indexed 2, stored")));
    assert!(found.iter().any(|line| line.contains("d6: indexed twice")));
    assert!(found.iter().any(|line| line.contains("-ghost: version 3 is indexed")));
    world.open();
    world.index().rebuild().unwrap();
    world.verify();
}

#[test]
fn verify_names_a_damaged_file() {
    let mut world = stopped();
    let store = files(&world.root().join("1"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|kind| kind == "pos"));
    let path = store.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let found = differences(&mut world);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(found.iter().any(|line| line.contains(name) && line.ends_with("damaged")), "{found:?}");
}

#[test]
fn a_writer_that_fails_is_replaced_while_searches_go_on() {
    let world = World::new();
    let c = world.define("c", &json!(true));
    world.put(c, "a", &json!({"t": "red"}));
    world.verify();
    fs::remove_dir_all(world.root().join("1")).unwrap();
    let seq = world.put(c, "b", &json!({"t": "red"}));
    let mut now = world.request("c", "red");
    now.min_seq = None;
    while !world.index().wait_visible(seq, Duration::from_millis(20)) {
        assert!(world.index().search(&now).unwrap().total >= 1);
        assert_eq!(world.index().failed(), None);
    }
    assert_eq!(world.ids("c", "red"), ["a", "b"]);
    world.verify();
    assert_eq!(world.figure("generation"), 2);
}
