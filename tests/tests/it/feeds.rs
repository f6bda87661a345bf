//! Named feeds: what consumers get, and what a kill -9 between reading and acknowledging makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::parts;
use crate::plan::seed;
use crate::program::{Outcome, Server, dateline, run};

const CONSUMERS: u64 = 3;
const ROUNDS: usize = 4;
const DOCUMENTS: usize = 12;

/// One record: where it is in the log, and of what.
type Record = (u64, String);

/// What consumers were given and said, in the order in which they heard and said it.
#[derive(Default)]
struct Books {
    /// Acknowledgements that were sent, whatever became of them.
    said: BTreeSet<u64>,
    /// Acknowledgements that the server confirmed.
    confirmed: BTreeSet<u64>,
    /// Every delivery, with what had been said before it.
    deliveries: Vec<(Vec<Record>, BTreeSet<u64>)>,
}

fn records(page: &Value) -> Vec<Record> {
    let record = |change: &Value| {
        let seq = change["seq"].as_u64().expect("seq");
        (seq, change["_id"].as_str().expect("_id").to_owned())
    };
    page["changes"].as_array().expect("changes").iter().map(record).collect()
}

/// Reads once and acknowledges all, a part, or nothing. `None` when the program is gone; else how much it was.
async fn consume(client: &Client, books: &Mutex<Books>, deed: u8, wait_s: u64) -> Option<usize> {
    // What was confirmed before the request is not given out again by its answer.
    let confirmed = books.lock().expect("no consumer panics").confirmed.clone();
    let asked = json!({"max": 5, "wait_s": wait_s, "lease_s": 1});
    let work = client.post("/api/feeds/work/read", &asked).attempt().await.ok()?.expect(200).json();
    let given = records(&work);
    {
        let mut books = books.lock().expect("no consumer panics");
        let again: Vec<&Record> = given.iter().filter(|(seq, _)| confirmed.contains(seq)).collect();
        assert!(again.is_empty(), "acknowledged and given out again: {again:?}");
        let said = books.said.clone();
        books.deliveries.push((given.clone(), said));
    }
    let (Some(first), Some(last), true) = (given.first(), given.last(), deed > 0) else {
        return Some(given.len());
    };
    let upto = if deed == 1 { first.0 } else { last.0 };
    let done: Vec<u64> = given.iter().map(|(seq, _)| *seq).filter(|&seq| seq <= upto).collect();
    books.lock().expect("no consumer panics").said.extend(&done);
    let ack = json!({"lease": work["lease"], "upto": upto});
    let reply = client.post("/api/feeds/work/ack", &ack).attempt().await.ok()?;
    match reply.status {
        204 => books.lock().expect("no consumer panics").confirmed.extend(done),
        // It took longer than its lease, and somebody else has it.
        409 => {}
        other => panic!("an acknowledgement is answered with {other}: {}", reply.text()),
    }
    Some(given.len())
}

/// Creates and changes documents until the program is gone.
async fn write(client: Client, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    loop {
        let id = format!("c{}", rng.usize(..DOCUMENTS));
        let n = rng.u32(..);
        let made = client.put_new(&format!("/api/cars/{id}"), &json!({"n": n})).attempt().await;
        let Ok(made) = made else { return };
        if made.status != 201 {
            let path = format!("/api/cars/{id}");
            let patch = client.call("PATCH", &path).json(&json!({"n": n})).header("if-match", "*");
            let Ok(reply) = patch.attempt().await else { return };
            reply.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_acknowledged_comes_again_after_a_kill() {
    let _turn = parts::heavy().await;
    let seed = seed("feeds");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut server = Server::start();
    let client = Client::admin(&server).await;
    client.post("/api/collections", &json!({"name": "cars"})).reply().await.expect(201);
    let feed = json!({"name": "work", "collections": ["cars"], "partitions": 4, "from": "now"});
    let feed = client.post("/api/feeds", &feed).reply().await.expect(201).json();
    let since = feed["from"].as_u64().expect("from");
    let books = Arc::new(Mutex::new(Books::default()));
    for _ in 0..ROUNDS {
        let writer = tokio::spawn(write(client.clone(), rng.u64(..)));
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|_| {
                let (client, books) = (client.clone(), Arc::clone(&books));
                let mut rng = rng.fork();
                tokio::spawn(
                    async move { while consume(&client, &books, rng.u8(0..6), 1).await.is_some() {} },
                )
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(rng.u64(300..1_500))).await;
        tokio::task::block_in_place(|| server.kill());
        writer.await.expect("the writer does not panic");
        for consumer in consumers {
            consumer.await.expect("a consumer does not panic");
        }
        tokio::task::block_in_place(|| server.launch());
    }
    // Leases of before the last kill are gone, so nothing has to be waited for.
    while consume(&client, &books, 5, 0).await.expect("the program runs") > 0 {}
    let shown = client.read("/api/feeds/work").await;
    assert_eq!(shown["leased"], 0, "{shown}");

    let mut log = Vec::new();
    let mut at = since;
    loop {
        let page = client.read(&format!("/api/changes?since={at}&limit=5000&collections=cars")).await;
        at = page["last_seq"].as_u64().expect("last_seq");
        match records(&page) {
            found if found.is_empty() => break,
            found => log.extend(found),
        }
    }
    let books = Arc::into_inner(books).expect("consumers have ended").into_inner().expect("none panicked");
    eprintln!(
        "feeds: {} records, {} deliveries, {} acknowledged",
        log.len(),
        books.deliveries.len(),
        books.confirmed.len()
    );
    check(&log, &books);
    let end = log.last().map(|(seq, _)| *seq);
    let positions = shown["positions"].as_array().expect("positions");
    assert!(positions.iter().all(|position| position.as_u64() >= end), "{shown} is behind {end:?}");
    assert!(log.len() > 10 * ROUNDS, "hardly anything was written: {}", log.len());
}

/// All of the log was delivered, nothing else, and of each document nothing before what came earlier was acknowledged.
fn check(log: &[Record], books: &Books) {
    let mut of_document: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (seq, id) in log {
        of_document.entry(id).or_default().push(*seq);
    }
    let logged: BTreeSet<&Record> = log.iter().collect();
    let delivered: BTreeSet<&Record> = books.deliveries.iter().flat_map(|(given, _)| given).collect();
    assert_eq!(delivered, logged, "what was delivered, and the log");
    for (given, said) in &books.deliveries {
        assert!(given.is_sorted_by(|a, b| a.0 < b.0), "{given:?}");
        for (seq, id) in given {
            let earlier = of_document[id.as_str()].iter().filter(|before| *before < seq);
            let skipped: Vec<&u64> = earlier
                .filter(|before| !said.contains(before) && !given.iter().any(|(given, _)| given == *before))
                .collect();
            assert!(skipped.is_empty(), "{id} at {seq} came before {skipped:?}");
        }
    }
}

#[test]
fn the_check_can_fail() {
    let log = [(1, "a".to_owned()), (2, "b".to_owned()), (3, "a".to_owned())];
    let delivery = |seqs: &[usize], said: &[u64]| {
        let given: Vec<Record> = seqs.iter().map(|&seq| log[seq - 1].clone()).collect();
        (given, said.iter().copied().collect::<BTreeSet<u64>>())
    };
    let books = |deliveries: Vec<_>| Books { deliveries, ..Books::default() };
    check(&log, &books(vec![delivery(&[1], &[]), delivery(&[2, 3], &[1])]));
    check(&log, &books(vec![delivery(&[1, 2, 3], &[])]));
    let fails = |wrong: Books| std::panic::catch_unwind(|| check(&log, &wrong)).is_err();
    assert!(fails(books(vec![delivery(&[1, 2], &[])])), "one is lost");
    assert!(fails(books(vec![delivery(&[1], &[]), delivery(&[2, 3], &[])])), "one came too early");
    assert!(fails(books(vec![delivery(&[2, 1, 3], &[])])), "the order is wrong");
}

/// Runs `dateline feed ..` with the words of one line.
async fn feed(client: &Client, words: &str, file: &std::path::Path) -> Outcome {
    let mut all: Vec<String> = ["feed"].into_iter().chain(words.split(' ')).map(str::to_owned).collect();
    if words.starts_with("tail") {
        all.extend(["--resume".to_owned(), file.display().to_string()]);
    }
    all.extend(["--url".to_owned(), client.url(), "--token".to_owned(), client.token().to_owned()]);
    tokio::task::spawn_blocking(move || run(&all)).await.expect("the command is waited for")
}

fn lines(outcome: &Outcome) -> Vec<Value> {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON in every line")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_tails_lists_resets_and_removes() {
    let mut server = Server::start();
    let client = Client::admin(&server).await;
    for name in ["cars", "boats"] {
        client.post("/api/collections", &json!({"name": name})).reply().await.expect(201);
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let place = home.path().join("place");
    let make = async |path: &str, n: u64| {
        client.post(path, &json!({"_id": format!("d{n}"), "n": n})).reply().await.expect(201);
    };
    make("/api/cars", 1).await;
    make("/api/boats", 2).await;
    let first = lines(&feed(&client, "tail --once --since earliest --collections cars,boats", &place).await);
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!((&first[0]["collection"], &first[1]["doc"]["n"]), (&json!("cars"), &json!(2)));
    make("/api/cars", 3).await;
    make("/api/cars", 4).await;
    let second = lines(&feed(&client, r#"tail --once --meta --where {"n":{"$gt":3}}"#, &place).await);
    let brief: Vec<(&str, bool)> = second
        .iter()
        .filter(|change| change["collection"] == "cars")
        .map(|change| (change["_id"].as_str().expect("_id"), change.get("doc").is_some()))
        .collect();
    assert_eq!(brief, [("d4", false)], "it goes on from the file, also past what it did not print");
    assert_eq!(lines(&feed(&client, "tail --once", &place).await), [json!(null); 0], "all was told");

    // One that follows, over a restart of the server at the same address.
    let address = client.url().replace("http://", "listen=");
    server.flags(&["--set", &address]);
    let mut command = dateline();
    command.args(["feed", "tail", "--collections", "cars", "--resume"]).arg(&place);
    command.args(["--url", &client.url(), "--token", client.token()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let (tell, told) = std::sync::mpsc::channel();
    let out = child.stdout.take().expect("stdout is piped");
    let reader = std::thread::spawn(move || {
        for line in std::io::BufReader::new(out).lines() {
            let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            tell.send(line["_id"].clone()).expect("the test listens");
        }
    });
    let next = || told.recv_timeout(Duration::from_secs(20)).expect("a line comes soon");
    make("/api/cars", 5).await;
    assert_eq!(next(), "d5");
    tokio::task::block_in_place(|| {
        server.kill();
        server.launch();
    });
    make("/api/cars", 6).await;
    assert_eq!(next(), "d6", "it goes on after the server came back");
    child.kill().expect("it still runs");
    child.wait().expect("it is waited for");
    reader.join().expect("the reader ends with its pipe");

    let body = json!({"name": "work", "collections": ["cars"], "partitions": 2, "from": "earliest"});
    client.post("/api/feeds", &body).reply().await.expect(201);
    let listed = lines(&feed(&client, "list --json", &place).await);
    assert!(listed[0]["name"] == "work" && listed[0]["lag"].as_u64() > Some(5), "{listed:?}");
    assert!(feed(&client, "list", &place).await.stdout.starts_with("work user "));
    assert_eq!(feed(&client, "reset work now", &place).await.code, Some(0));
    assert!(client.read("/api/feeds/work").await["lag"].as_u64() < Some(5));
    assert_eq!(feed(&client, "reset work 99999999", &place).await.code, Some(3), "nothing is there yet");
    assert_eq!(feed(&client, "reset work soon", &place).await.code, Some(1));
    assert_eq!(feed(&client, "remove work", &place).await.code, Some(0));
    assert_eq!(feed(&client, "remove work", &place).await.code, Some(3));
    assert_eq!(feed(&client, "tail --once --where x", &place).await.code, Some(2));
    std::fs::write(&place, "77-1\n").expect("the file is written");
    let other = feed(&client, "tail --once", &place).await;
    assert!(other.code == Some(3) && other.stderr.contains("history"), "{other:?}");
}
