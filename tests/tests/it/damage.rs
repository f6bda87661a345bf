//! Damaged files of a data directory, as a user meets them: refused by name, made anew, or one answer that is an error.
//!
//! What is inside of the store is damaged more thoroughly by the engine's own tests (`engine/src/tests/broken_files.rs`);
//! here it is the program that has to notice what lies beside the store, and to say what it cannot answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::client::{Client, query};
use crate::errors;
use crate::formats::copy;
use crate::plan::seed;
use crate::program::{Server, run};

const NOTES: u64 = 40;

/// A stopped program's directory with notes that search finds and devices that have a place.
async fn ground() -> Server {
    let mut server = Server::start();
    let admin = Client::admin(&server).await;
    let schema = json!({"text": {"type": "string"}, "n": {"type": "integer"}});
    let notes = json!({"name": "notes", "schema": schema, "search": true});
    admin.post("/api/collections", &notes).reply().await.expect(201);
    for n in 0..NOTES {
        admin.put_new(&format!("/api/notes/n{n}"), &note(n)).reply().await.expect(201);
        let fix = json!([{"device": format!("d{n}"), "lon": 10.0 + n as f64 / 100.0, "lat": 50}]);
        admin.post("/api/positions", &fix).reply().await.expect(202);
    }
    check(&admin).await;
    server.stop();
    server
}

/// Large enough for a block of its own in a table.
fn note(n: u64) -> Value {
    json!({"n": n, "text": format!("needle number{n:04} {}", format!("{n:x}-").repeat(8 << 10))})
}

/// Ids of the notes that search finds.
async fn found(admin: &Client) -> Vec<String> {
    let last = admin.read("/api/changes?since=0&limit=10000").await["last_seq"].to_string();
    let wanted = query(&[("q", "needle"), ("min_seq", &last), ("max_results", "100"), ("sort", "n")]);
    let list = admin.read(&format!("/api/notes?{wanted}")).await;
    let items = list["_items"].as_array().expect("_items");
    items.iter().map(|item| item["_id"].as_str().expect("_id").to_owned()).collect()
}

/// Every note, found by search too, and every place.
async fn check(admin: &Client) {
    for n in 0..NOTES {
        assert_eq!(admin.read(&format!("/api/notes/n{n}")).await["text"], note(n)["text"], "n{n}");
        let place = admin.read(&format!("/api/positions/d{n}")).await;
        assert_eq!(place["lon"].as_f64(), Some(10.0 + n as f64 / 100.0), "{place}");
    }
    let all: Vec<String> = (0..NOTES).map(|n| format!("n{n}")).collect();
    assert_eq!(found(admin).await, all, "what search finds");
    let here = admin.read("/api/positions?bbox=10.095,49,10.195,51").await;
    assert_eq!(here["_items"].as_array().map(Vec::len), Some(10), "{here}");
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.append(&mut files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn hurt(path: &Path, rng: &mut Rng) -> String {
    let mut bytes = fs::read(path).expect("the file is read");
    let how = match rng.u8(..4) {
        0 => {
            fs::remove_file(path).expect("the file is removed");
            return format!("{} removed", path.display());
        }
        1 => {
            bytes.truncate(bytes.len() / 2);
            "cut in the middle".to_owned()
        }
        _ => {
            let at = rng.usize(..bytes.len().max(1));
            bytes.get_mut(at..).into_iter().flatten().take(1).for_each(|byte| *byte ^= 1 << rng.u8(..8));
            format!("byte {at} changed")
        }
    };
    fs::write(path, bytes).expect("the file is written");
    format!("{} {how}", path.display())
}

fn verify(data: &Path) {
    let verified = run(&["verify", "--data", data.to_str().expect("a UTF-8 path")]);
    assert_eq!(verified.code, Some(0), "verify: {}\n{}", verified.stdout, verified.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_derived_is_made_anew() {
    let mut rng = Rng::with_seed(seed("derived"));
    let whole = ground().await;
    for part in ["index", "geo", "index", "geo", "index", "index"] {
        let mut server = Server::idle();
        copy(&whole.data(), &server.data());
        // Each file of the part once in some run: those that hold nothing cannot be hurt.
        let mut files = files_below(&server.data().join(part));
        files.retain(|path| fs::metadata(path).is_ok_and(|known| known.len() > 0));
        assert!(!files.is_empty(), "{part} has no files");
        let how = hurt(&files[rng.usize(..files.len())], &mut rng);
        server.expect_complaints(&["device snapshot not used", "search"]);
        // A changed byte inside of a segment is not looked for at a start.
        let verified = run(&["verify", "--data", server.data().to_str().expect("a UTF-8 path")]);
        eprintln!("derived: {how}: {:?}", verified.code);
        if verified.code != Some(0) {
            assert_eq!((part, verified.code), ("index", Some(1)), "{how}: {verified:?}");
            assert!(verified.stdout.contains("search"), "{how}: {verified:?}");
            fs::remove_dir_all(server.data().join(part)).expect("the index is removed");
        }
        server.launch();
        check(&Client::admin(&server).await).await;
        server.stop();
        verify(&server.data());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_mark_of_the_directory_is_refused() {
    let whole = ground().await;
    let mark = whole.data().join("dateline.json");
    let right = fs::read(&mark).expect("dateline.json");
    for wrong in
        [&b""[..], b"{", b"{\"format\": \"1\"}", b"{\"format\": 0}", b"{\"format\": 99}", b"\0\0\0\0", b"[]"]
    {
        fs::write(&mark, wrong).expect("written");
        let data = whole.data();
        let refused =
            run(&["serve", "--data", data.to_str().expect("a UTF-8 path"), "--listen", "127.0.0.1:0"]);
        let text = String::from_utf8_lossy(wrong);
        assert_eq!(refused.code, Some(1), "{text:?}: {refused:?}");
        assert!(refused.stderr.contains("dateline"), "{text:?}: {}", refused.stderr);
        assert!(!refused.stderr.contains("panicked at"), "{text:?}: {}", refused.stderr);
    }
    fs::write(&mark, right).expect("written");
    verify(&whole.data());
}

/// The newest log of the store that holds something.
fn log(data: &Path) -> PathBuf {
    let mut logs = files_below(&data.join("store"));
    logs.retain(|path| path.extension().is_some_and(|end| end == "log"));
    logs.retain(|path| fs::metadata(path).is_ok_and(|known| known.len() > 0));
    logs.pop().expect("a log")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_data_that_is_gone_is_told() {
    let mut server = ground().await;
    let data = server.data();
    let log = log(&data);
    let bytes = fs::read(&log).expect("the log");
    fs::write(&log, &bytes[..bytes.len() / 2]).expect("the log is cut");

    let flags: [&[&str]; 2] = [&["verify"], &["serve", "--listen", "127.0.0.1:0"]];
    for words in flags {
        let refused = run(&[words, &["--data", data.to_str().expect("a UTF-8 path")]].concat());
        assert_eq!(refused.code, Some(1), "{words:?}: {refused:?}");
        for word in ["acknowledged data is gone", "has seen record ", "ends at record ", "--accept-loss"] {
            assert!(refused.stderr.contains(word), "{words:?}: no '{word}' in {}", refused.stderr);
        }
    }

    server.flags(&["--accept-loss"]);
    server.expect_complaints(&["acknowledged data is gone", "removed, to be derived again"]);
    server.launch();
    let admin = Client::admin(&server).await;
    let mut left = Vec::new();
    for n in 0..NOTES {
        let reply = admin.get(&format!("/api/notes/n{n}")).reply().await;
        match reply.status {
            200 => {
                assert_eq!(reply.json()["text"], note(n)["text"], "n{n}");
                assert_eq!(left.len() as u64, n, "a hole before n{n}");
                left.push(format!("n{n}"));
            }
            status => assert_eq!(status, 404, "n{n}"),
        }
    }
    assert!(!left.is_empty() && (left.len() as u64) < NOTES, "{} of {NOTES} notes are left", left.len());
    assert_eq!(found(&admin).await, left, "search finds what is left, and nothing else");
    let places = admin.read("/api/positions?bbox=-180,-90,180,90").await;
    let places = places["_items"].as_array().map_or(0, Vec::len);
    assert!(places.abs_diff(left.len()) <= 1, "{places} places, {} notes", left.len());
    admin.put_new("/api/notes/after", &json!({"n": 1000, "text": "needle"})).reply().await.expect(201);
    left.push("after".to_owned());
    assert_eq!(found(&admin).await, left);
    server.stop();

    server.flags(&[]);
    server.launch();
    assert_eq!(found(&Client::admin(&server).await).await, left, "the flag is needed once");
    server.stop();
    verify(&data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_block_is_an_answer_of_its_own() {
    let mut server = ground().await;
    // An opening turns the log of the one before into tables.
    server.launch();
    server.stop();
    let wanted = b"number0017";
    let mut hits = Vec::new();
    for path in files_below(&server.data().join("store")) {
        let mut bytes = fs::read(&path).expect("a file");
        let at = bytes.windows(wanted.len()).position(|window| window == wanted);
        if let Some(at) = at.filter(|_| path.extension().is_some_and(|end| end == "sst")) {
            bytes[at] ^= 1;
            fs::write(&path, bytes).expect("a file is damaged");
            hits.push(path);
        }
    }
    assert_eq!(hits.len(), 1, "the body is in one table: {hits:?}");
    server.expect_complaints(&["checksum", "stored bytes are damaged"]);
    server.launch();
    let admin = Client::admin(&server).await;
    let refused = admin.get("/api/notes/n17").reply().await;
    assert_eq!(errors::problem("a damaged block", &refused, 500)["type"], "corrupt");
    let file = hits[0].file_name().expect("a name").to_string_lossy().into_owned();
    let names_it = |line: &String| line.contains("ERROR") && line.contains(&file) && line.contains("offset");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !server.said().iter().any(names_it) {
        assert!(Instant::now() < deadline, "no line names {file} and the offset: {:#?}", server.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for n in (0..NOTES).filter(|n| *n != 17) {
        assert_eq!(admin.read(&format!("/api/notes/n{n}")).await["text"], note(n)["text"], "n{n}");
    }
    admin.put_new("/api/notes/after", &json!({"n": 1000, "text": "needle"})).reply().await.expect(201);
    server.stop();
    let data = server.data();
    let verified = run(&["verify", "--data", data.to_str().expect("a UTF-8 path")]);
    assert_ne!(verified.code, Some(0), "verify saw nothing: {}", verified.stdout);
}
