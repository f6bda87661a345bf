//! Golden files: what each format writes for each item. A change of an output is a change of a file that a person reads.

use crate::check;
use crate::world::{World, items, tests_dir};
use dateline_formats::{Document, Registry};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

#[test]
fn outputs_are_the_golden_ones() {
    let world = World::new();
    let is_renewed = std::env::var_os("RENEW_GOLDEN").is_some_and(|value| value == "1");
    let dir = tests_dir().join("golden");
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    for formatter in Registry::standard().iter() {
        let folder = dir.join(formatter.id().replace(' ', "-"));
        for (name, item) in items() {
            let Ok(documents) = world.format(formatter, &item) else { continue };
            let [document] = documents.as_slice() else { panic!("{} {name}: one document", formatter.id()) };
            check::document(document, &format!("{} {name}", formatter.id()));
            let path = folder.join(format!("{name}.{}", extension(document)));
            let text = readable(document);
            if is_renewed {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &text).unwrap();
            } else if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                wrong.push(path.strip_prefix(&dir).unwrap().display().to_string());
            }
            known.insert(path);
        }
    }
    let stray: Vec<PathBuf> = walk(&dir).into_iter().filter(|path| !known.contains(path)).collect();
    assert!(stray.is_empty(), "golden files without an output: {stray:?}");
    assert!(
        wrong.is_empty(),
        "outputs differ (RENEW_GOLDEN=1 writes them, then read the difference): {wrong:#?}"
    );
}

fn extension(document: &Document) -> &str {
    if document.extension == "idml" { "txt" } else { document.extension }
}

/// JSON with indents, XML as it is, a package as its parts one after the other.
fn readable(document: &Document) -> String {
    match document.extension {
        "json" => {
            let mut text = serde_json::to_string_pretty(&check::json(document, "golden")).unwrap();
            text.push('\n');
            text
        }
        "idml" => {
            let parts = check::parts(&document.bytes, "golden").into_iter();
            parts.map(|(name, text)| format!("==== {name}\n{text}\n")).collect()
        }
        _ => String::from_utf8(document.bytes.clone()).unwrap(),
    }
}

fn walk(dir: &PathBuf) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
