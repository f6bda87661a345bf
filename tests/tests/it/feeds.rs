//! Named feeds: what consumers get, and what a kill -9 between reading and acknowledging makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::parts;
use crate::plan::seed;
use crate::program::Server;

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
