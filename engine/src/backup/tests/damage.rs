//! What is wrong with a backup is found, and what was cut short is no backup.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use super::*;

/// The class of a file: what stands before the number or after the dot.
fn class(pool_name: &str) -> String {
    let facts = FileFacts::parse(pool_name).unwrap();
    let (stem, end) = facts.name.split_once('.').unwrap_or((&facts.name, ""));
    if end.is_empty() {
        stem.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()
    } else {
        end.to_owned()
    }
}

#[test]
fn a_changed_byte_is_found_in_every_class_of_file() {
    let world = World::new();
    fill(&world, 1);
    fill(&world, 2);
    world.take();
    assert_eq!(world.verify().differences, Vec::<String>::new());
    let root = world.place.path().join("backup");
    let mut files: Vec<PathBuf> =
        fs::read_dir(root.join("files")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let classes: BTreeSet<String> =
        files.iter().map(|path| class(path.file_name().unwrap().to_str().unwrap())).collect();
    for wanted in ["sst", "blob", "MANIFEST-", "CURRENT", "OPTIONS-"] {
        assert!(classes.contains(wanted), "{wanted} is not among {classes:?}");
    }
    files.push(root.join("generations/000001.json"));
    for path in files {
        let whole = fs::read(&path).unwrap();
        if whole.is_empty() {
            continue;
        }
        let check = |damaged: &[u8], what: &str| {
            fs::write(&path, damaged).unwrap();
            let differences = world.verify().differences;
            assert!(!differences.is_empty(), "{}: {what} is not found", path.display());
            let error = world.restore(Choice::default(), "restored").map(|_| ()).unwrap_err();
            assert!(!world.place.path().join("restored").exists(), "{error}");
        };
        for place in [0, whole.len() / 2, whole.len().saturating_sub(2)] {
            let mut flipped = whole.clone();
            flipped[place] ^= 0x04;
            check(&flipped, &format!("a changed byte at {place}"));
        }
        check(&whole[..whole.len() / 2], "a cut");
        check(&[&whole[..], b"x"].concat(), "a byte more");
        fs::remove_file(&path).unwrap();
        if path.extension().is_none_or(|end| end != "json") {
            assert!(!world.verify().differences.is_empty(), "{} is missing", path.display());
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(world.verify().differences, Vec::<String>::new());
}

/// A reader that ends in the middle, as a full disk or a cut connection does.
struct Cut<'a>(&'a [u8], bool);

impl Read for Cut<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(into)? {
            0 if self.1 => Err(std::io::Error::from(std::io::ErrorKind::StorageFull)),
            read => Ok(read),
        }
    }
}

#[test]
fn what_was_cut_short_is_no_generation_and_goes_away() {
    let world = World::new();
    fill(&world, 1);
    let first = world.take().manifest;
    let root = world.place.path().join("backup");
    let count = || fs::read_dir(root.join("files")).unwrap().count();
    let whole = count();

    let bytes = b"some bytes of a table";
    let facts = FileFacts { name: "000999.sst".to_owned(), size: 21, crc32c: crc32c::crc32c(bytes) };
    let writer = world.writer();
    for (bytes, fails) in [(&bytes[..7], false), (&bytes[..7], true), (b"some bytes of A table", false)] {
        assert!(writer.receive(&facts, &mut Cut(bytes, fails)).is_err());
        assert_eq!(count(), whole, "nothing half made keeps a name");
    }
    // A whole file, but the backup dies before its manifest is there.
    writer.receive(&facts, &mut Cut(bytes, false)).unwrap();
    fs::write(root.join("files/000998.sst-5-00000000.new"), "half").unwrap();
    fs::write(root.join("generations/000002.json.new"), "{").unwrap();
    drop(writer);
    let known: Vec<_> =
        world.dir().generations().unwrap().into_iter().map(|(_, manifest)| manifest.unwrap()).collect();
    assert_eq!(known, [first]);
    assert_eq!(world.verify().differences, Vec::<String>::new());

    let second = world.take().manifest;
    assert_eq!(second.number, 2);
    assert!(!root.join("files").join(facts.pool_name()).exists(), "nobody names it");
    assert!(!root.join("files/000998.sst-5-00000000.new").exists());
    assert_eq!(world.verify().differences, Vec::<String>::new());

    // A manifest whose files have not all arrived is not published.
    let mut wrong = second;
    wrong.files.push(facts);
    assert_eq!(world.writer().publish(&wrong).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(world.dir().generations().unwrap().len(), 2);
}

/// Files that only a damaged manifest may name are kept.
#[test]
fn an_unreadable_generation_keeps_its_files() {
    let world = World::new();
    fill(&world, 1);
    world.take();
    let path = world.place.path().join("backup/generations/000001.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("last_seq", "lost_seq")).unwrap();
    fill(&world, 2);
    world.take();
    assert_eq!(world.verify().differences.len(), 1);
    // Asked to keep it, it says why it cannot; asked to let it go, it does.
    assert_eq!(world.writer().prune(2).unwrap_err().kind(), ErrorKind::Corrupt);
    fs::write(&path, text).unwrap();
    assert_eq!(world.verify().differences, Vec::<String>::new());
    world.restore(of(1), "restored").unwrap();
}
