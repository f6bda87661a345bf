//! Damaged files: logs with every kind of end; flipped, zeroed and swapped blocks in every kind of file; missing files.
//!
//! Whatever is done to the files of a stopped store, opening it refuses, or finds a first part of what was committed
//! (a log may end early; witnesses outside tell), or finds everything; a block that is damaged is an error for
//! whoever needs it, naming the file. No read ever answers with other bytes than were stored, and nothing is missing
//! from the middle. `SEED` replays a run, `DAMAGE_ROUNDS` makes it longer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::kv::records::headers;
use crate::tests::faults::seed;
use crate::*;

/// What the store held when it was stopped.
struct Truth {
    dir: tempfile::TempDir,
    /// Every document by id, in order of its only write.
    documents: BTreeMap<Seq, (String, Vec<u8>)>,
    /// The payload of every job.
    jobs: BTreeMap<JobId, String>,
    collection: CollectionId,
    tail: Tail,
}

fn options() -> Options {
    // Less memory for memtables, which begin with a block of megabytes in each family, and nothing stays in the log.
    Options { cache_bytes: 8 << 20, memtable_bytes: 256 << 20, disk_reserve_bytes: 0, ..Options::new() }
}

/// A store with files of every kind: tables, blobs of superseded versions, and a log that is still needed, unless it
/// is `crowded`: then there is so little memory that the log is turned into tables all the time.
fn truth(rng: &mut Rng, crowded: bool) -> Truth {
    let dir = tempfile::tempdir().unwrap();
    let (mut documents, mut jobs) = (BTreeMap::new(), BTreeMap::new());
    let mut count = 0;
    let mut tail = Tail::default();
    let mut collection = CollectionId::new(0);
    // An opening turns the log of the one before into tables.
    for _ in 0..3 {
        let memtable_bytes = if crowded { 8 << 20 } else { options().memtable_bytes };
        let store = Store::open(dir.path(), Options { memtable_bytes, ..options() }).unwrap();
        collection = store.ensure_collection("notes", CollectionOptions::default()).unwrap();
        for _ in 0..60 {
            count += 1;
            let name = format!("n{count:04}");
            let body = format!(r#"{{"n":{count},"filler":"{}"}}"#, "y".repeat(rng.usize(..3_000)));
            let mut put = |body: &str| {
                let id = DocId::new(name.as_str()).unwrap();
                let tx = Transaction::new(Durability::Sync).put(
                    collection,
                    id,
                    Condition::Always,
                    body.to_owned(),
                );
                let payload = format!("job of {name} with {} bytes", body.len());
                let receipt = store.commit(tx.enqueue(NewJob::new("lane", payload.clone()))).unwrap();
                jobs.insert(receipt.jobs[0], payload);
                receipt.seqs[0]
            };
            if count % 5 == 0 {
                // Its first version goes to the history, where values this large are blobs.
                put(&format!(r#"{{"n":0,"filler":"{}"}}"#, "z".repeat(9_000)));
            }
            documents.insert(put(&body), (name, body.into_bytes()));
        }
        tail = store.watermark().durable();
        store.close();
    }
    Truth { dir, documents, jobs, collection, tail }
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

fn files(dir: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let wanted = entries.filter(|entry| is_wanted(entry.file_name().to_str().unwrap()));
    let mut files: Vec<PathBuf> = wanted.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// How a damaged store behaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused,
    /// A first part is there.
    Shorter,
    /// Some reads are errors that name the damage.
    Told,
    Whole,
}

/// Opens the damaged store and reads everything; panics when an answer is wrong.
fn open(dir: &Path, truth: &Truth, case: &str) -> Outcome {
    let store = match Store::open(dir, options()) {
        Ok(store) => store,
        Err(error) => {
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Unavailable), "{case}: {kind:?} {error}");
            return Outcome::Refused;
        }
    };
    let tail = store.watermark().durable();
    assert!(tail.seq <= truth.tail.seq, "{case}: more than there was");
    let mut told = false;
    let mut damaged = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{case}: {error}");
        told = true;
    };
    for (seq, (id, body)) in &truth.documents {
        match store.get(truth.collection, id) {
            Ok(Some(found)) if found.seq == *seq => assert_eq!(found.body, *body, "{case}: {id}"),
            Ok(Some(found)) => {
                assert!(found.seq < *seq && *seq > tail.seq, "{case}: {id} is at {}", found.seq)
            }
            Ok(None) => {
                assert!(*seq > tail.seq, "{case}: {id} of {seq} is missing, the store ends at {}", tail.seq)
            }
            Err(error) => damaged(error),
        }
        match store.versions(truth.collection, id, 5) {
            Ok(versions) => {
                let right = |v: &Document| v.body == *body || v.body.starts_with(br#"{"n":0,"filler":"zzz"#);
                assert!(versions.iter().all(right), "{case}: versions of {id}");
            }
            Err(error) => damaged(error),
        }
    }
    for (id, payload) in &truth.jobs {
        match store.queue().job(*id) {
            Ok(Some(job)) => assert_eq!(job.payload, payload.as_bytes(), "{case}: job {id}"),
            Ok(None) => assert!(id.get() > tail.seq.get(), "{case}: job {id} is missing"),
            Err(error) => damaged(error),
        }
    }
    let mut at = Seq::ZERO;
    while at < tail.seq {
        match store.feed().changes(at, 50) {
            Ok(changes) => {
                for change in &changes {
                    assert_eq!(change.seq, at.next(), "{case}: the log has a hole");
                    at = change.seq;
                }
                assert!(!changes.is_empty(), "{case}: the log stops at {at} of {}", tail.seq);
            }
            Err(error) => {
                damaged(error);
                break;
            }
        }
    }
    let verified = store.verify(&mut |_| {});
    let differs = !matches!(&verified, Ok(found) if found.is_empty());
    if tail.seq < truth.tail.seq {
        assert!(!differs, "{case}: a shorter store that does not agree with itself: {verified:?}");
        return Outcome::Shorter;
    }
    if told || differs { Outcome::Told } else { Outcome::Whole }
}

fn tally(outcomes: &[Outcome]) -> String {
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let kinds = [Outcome::Refused, Outcome::Shorter, Outcome::Told, Outcome::Whole];
    kinds.map(|kind| format!("{kind:?} {}", count(kind))).join(", ")
}

fn rounds(usual: usize) -> usize {
    std::env::var("DAMAGE_ROUNDS").map_or(usual, |text| text.parse().unwrap())
}

/// Where the records of a RocksDB log begin, and its end.
fn boundaries(log: &[u8]) -> Vec<usize> {
    let blocks = log.chunks(32 << 10).enumerate();
    let places = blocks.flat_map(|(n, block)| headers(block).map(move |(at, _)| n * (32 << 10) + at));
    places.chain([log.len()]).collect()
}

#[test]
fn a_log_may_end_anywhere() {
    let seed = seed("log-ends");
    let mut rng = Rng::with_seed(seed);
    let truth = truth(&mut rng, false);
    let log = files(truth.dir.path(), |name| name.ends_with(".log")).pop().unwrap();
    let whole = std::fs::read(&log).unwrap();
    let name = log.file_name().unwrap();
    let edges = boundaries(&whole);
    assert!(edges.len() > 60, "only {} records", edges.len());
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    for _ in 0..rounds(24) {
        let edge = edges[rng.usize(..edges.len())];
        cases.push((format!("cut at the record at {edge}"), whole[..edge].to_vec()));
        let inside = rng.usize(..whole.len());
        cases.push((format!("cut inside at {inside}"), whole[..inside].to_vec()));
    }
    for _ in 0..rounds(8) {
        let at = rng.usize(..whole.len());
        let zeroes = [&whole[..at], &vec![0; whole.len() - at]].concat();
        cases.push((format!("zeroes from {at}"), zeroes));
        let more = rng.usize(1..100_000);
        cases.push((format!("{more} zeroes more"), [&whole[..], &vec![0; more]].concat()));
        let garbage: Vec<u8> = (0..rng.usize(1..4_000)).map(|_| rng.u8(..)).collect();
        cases.push((format!("garbage after {at}"), [&whole[..at], &garbage].concat()));
        cases.push(("garbage at the end".to_owned(), [&whole[..], &garbage].concat()));
    }
    let mut outcomes = Vec::new();
    for (what, bytes) in cases {
        let dir = copy(truth.dir.path());
        std::fs::write(dir.path().join(name), &bytes).unwrap();
        let case = format!("SEED={seed} {what}");
        let outcome = open(dir.path(), &truth, &case);
        outcomes.push(outcome);
        if outcome == Outcome::Shorter {
            let tail = truth.tail;
            let witness = |store| Witness { what: "the search index".to_owned(), store, at: tail };
            let id = Store::open(dir.path(), options()).unwrap().id().to_string();
            let with =
                |accept_loss| Options { witnesses: vec![witness(id.clone())], accept_loss, ..options() };
            let refused = Store::open(dir.path(), with(false)).map(drop).unwrap_err();
            assert!(refused.to_string().contains(&format!("record {}", tail.seq)), "{case}: {refused}");
            Store::open(dir.path(), with(true)).unwrap_or_else(|error| panic!("{case}: {error}"));
        }
    }
    eprintln!("log ends: {}", tally(&outcomes));
    assert!(
        outcomes.contains(&Outcome::Shorter) && outcomes.contains(&Outcome::Whole),
        "{}",
        tally(&outcomes)
    );
}

/// One kind of damage at one place.
fn hurt(bytes: &mut Vec<u8>, rng: &mut Rng) -> String {
    let at = rng.usize(..bytes.len());
    match rng.u8(..5) {
        0 | 1 => {
            let bit = rng.u32(..8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at}")
        }
        2 => {
            let end = (at + rng.usize(1..=512)).min(bytes.len());
            bytes[at..end].fill(0);
            format!("zeroes from {at} to {end}")
        }
        3 => {
            let block = 512.min(bytes.len() / 2);
            let other = rng.usize(..=bytes.len() - block);
            let at = at.min(bytes.len() - block);
            let moved = bytes[other..other + block].to_vec();
            bytes[at..at + block].copy_from_slice(&moved);
            format!("{block} bytes of {other} at {at}")
        }
        _ => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
    }
}

/// Whether a file is of a kind, by its name.
type Wanted = fn(&str) -> bool;

#[test]
fn damage_is_told_or_harmless() {
    let seed = seed("damage");
    let mut rng = Rng::with_seed(seed);
    let truth = truth(&mut rng, false);
    let kinds: [(&str, Wanted); 5] = [
        ("tables", |name| name.ends_with(".sst")),
        ("blobs", |name| name.ends_with(".blob")),
        ("log", |name| name.ends_with(".log")),
        ("manifest", |name| name.starts_with("MANIFEST")),
        ("current", |name| name == "CURRENT"),
    ];
    for (kind, is_wanted) in kinds {
        let files = files(truth.dir.path(), is_wanted);
        let files: Vec<&PathBuf> =
            files.iter().filter(|path| std::fs::metadata(path).unwrap().len() > 0).collect();
        assert!(!files.is_empty(), "no {kind}");
        let mut outcomes = Vec::new();
        for file in &files {
            let dir = copy(truth.dir.path());
            std::fs::remove_file(dir.path().join(file.file_name().unwrap())).unwrap();
            outcomes.push(open(dir.path(), &truth, &format!("SEED={seed} {kind} {file:?} is missing")));
        }
        for _ in 0..rounds(40) {
            let file = files[rng.usize(..files.len())];
            let mut bytes = std::fs::read(file).unwrap();
            let before = bytes.clone();
            let how = hurt(&mut bytes, &mut rng);
            if bytes == before {
                continue;
            }
            let dir = copy(truth.dir.path());
            std::fs::write(dir.path().join(file.file_name().unwrap()), &bytes).unwrap();
            let case = format!("SEED={seed} {kind} {:?} {how}", file.file_name().unwrap());
            outcomes.push(open(dir.path(), &truth, &case));
        }
        eprintln!("damage of {kind}: {}", tally(&outcomes));
        let loud = outcomes.iter().any(|outcome| *outcome != Outcome::Whole);
        assert!(loud, "SEED={seed}: no damage of {kind} was noticed");
    }
}

/// What is written to the list of files after its mark: each edit belongs to logs or tables that would be missed.
#[test]
fn later_edits_of_the_manifest_are_missed() {
    let seed = seed("later-edits");
    let mut rng = Rng::with_seed(seed);
    let truth = truth(&mut rng, true);
    let manifest = files(truth.dir.path(), |name| name.starts_with("MANIFEST")).pop().unwrap();
    let mark = std::fs::read_to_string(truth.dir.path().join("manifest.mark")).unwrap();
    let marked: usize = mark.split(' ').nth(1).unwrap().parse().unwrap();
    let whole = std::fs::read(&manifest).unwrap();
    assert!(whole.len() > marked, "there are no edits after {marked}");
    let mut cases: Vec<(String, Vec<u8>)> = Vec::new();
    let edges = boundaries(&whole).into_iter().filter(|edge| (marked..whole.len()).contains(edge));
    cases.extend(edges.map(|edge| (format!("cut at the record at {edge}"), whole[..edge].to_vec())));
    for _ in 0..rounds(30) {
        let mut bytes = whole[marked..].to_vec();
        let how = hurt(&mut bytes, &mut rng);
        cases.push((how, [&whole[..marked], &bytes].concat()));
    }
    let mut outcomes = Vec::new();
    for (how, bytes) in cases {
        let dir = copy(truth.dir.path());
        std::fs::write(dir.path().join(manifest.file_name().unwrap()), &bytes).unwrap();
        outcomes.push(open(dir.path(), &truth, &format!("SEED={seed} after the mark at {marked}: {how}")));
    }
    eprintln!("later edits: {}", tally(&outcomes));
}
