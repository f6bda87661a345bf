//! kill -9 in a loop: mixed load over HTTP, a program that dies at random moments, and books that must agree.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::ledger::{Done, Ledger};
use crate::parts;
use crate::plan::seed;
use crate::program::{Server, run};
use crate::sse::Subscriber;

const WRITERS: usize = 4;
const ROUNDS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_or_repeats_anything() {
    let _turn = parts::heavy().await;
    let seed = seed("crash");
    let rounds =
        std::env::var("CRASH_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("CRASH_ROUNDS is a number"));
    let mut rng = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    let mut server = Server::start();
    let client = Client::admin(&server).await;
    let cars = json!({
        "name": "cars", "unique": [["plate"]], "indexes": [["brand"]],
        "schema": {"plate": {"type": "string", "required": true}, "n": {"type": "integer", "required": true}, "brand": {"type": "string"}, "filler": {"type": "string"}},
    });
    client.post("/api/collections", &cars).reply().await.expect(201);
    let since = client.read("/api/changes?since=0&limit=10000").await["last_seq"].as_u64().expect("last_seq");
    let subscriber = Subscriber::start(&client, "changes:cars,changes:ads").await;
    let mut ledgers: Vec<Ledger> = (0..WRITERS).map(|writer| Ledger::new(writer, seed)).collect();
    for round in 1..=rounds {
        let after = Duration::from_millis(rng.u64(20..=800));
        // Now and then it dies again while it recovers.
        let stumble = (rng.u8(0..3) == 0).then(|| Duration::from_millis(rng.u64(1..=200)));
        ledgers = load(&mut server, &client, ledgers, after, stumble).await;
        client.get("/readyz").unsigned().reply().await.expect(200);
        for ledger in &mut ledgers {
            ledger.look(&client).await;
        }
        for collection in ["cars", "ads"] {
            let list = client.read(&format!("/api/{collection}?max_results=1")).await;
            let live: u64 = ledgers.iter().map(|ledger| ledger.live(collection)).sum();
            assert_eq!(list["_meta"]["total"].as_u64(), Some(live), "{collection} after round {round}");
        }
    }
    for ledger in &mut ledgers {
        ledger.look_at_all(&client).await;
    }
    let done = total(&ledgers);
    eprintln!("crash: {rounds} rounds in {:?}: {done:?}", began.elapsed());
    assert!(done.puts > 20 * rounds as u64, "hardly anything was written: {done:?}");

    let log = read_log(&client, since).await;
    check_log(&log, &ledgers, done);
    let wanted = log.len();
    subscriber.wait("the whole log", Duration::from_secs(30), |heard| heard.events.len() >= wanted).await;
    let heard = subscriber.finish().await;
    let brief =
        |data: &Value| format!("{} {} {}/{}", data["seq"], data["op"], data["collection"], data["_id"]);
    let told: Vec<String> = heard.events.iter().map(|told| brief(&told.data)).collect();
    let logged: Vec<String> = log.iter().map(brief).collect();
    assert_eq!(told, logged, "what the resumed stream told, and the log");
    check_jobs(&client, done).await;

    server.stop();
    let data = server.data();
    let verified = run(&["verify", "--data", data.to_str().expect("a UTF-8 path")]);
    assert_eq!(verified.code, Some(0), "verify: {}\n{}", verified.stdout, verified.stderr);
}

/// Lets every writer write until the program dies; starts it again.
async fn load(
    server: &mut Server,
    client: &Client,
    ledgers: Vec<Ledger>,
    after: Duration,
    stumble: Option<Duration>,
) -> Vec<Ledger> {
    let writers: Vec<_> = ledgers
        .into_iter()
        .map(|mut ledger| {
            let client = client.clone();
            tokio::spawn(async move {
                ledger.write(&client).await;
                ledger
            })
        })
        .collect();
    tokio::time::sleep(after).await;
    tokio::task::block_in_place(|| server.kill());
    let mut ledgers = Vec::with_capacity(writers.len());
    for writer in writers {
        ledgers.push(writer.await.expect("a writer does not panic"));
    }
    tokio::task::block_in_place(|| {
        stumble.into_iter().for_each(|after| server.stumble(after));
        server.launch();
    });
    ledgers
}

fn total(ledgers: &[Ledger]) -> Done {
    ledgers.iter().fold(Done::default(), |sum, ledger| Done {
        puts: sum.puts + ledger.done.puts,
        deletes: sum.deletes + ledger.done.deletes,
        ads: sum.ads + ledger.done.ads,
        arrays: sum.arrays + ledger.done.arrays,
        refused: sum.refused + ledger.done.refused,
        found_done: sum.found_done + ledger.done.found_done,
        found_undone: sum.found_undone + ledger.done.found_undone,
    })
}

/// Every change of the two collections, in pages of an odd size.
async fn read_log(client: &Client, since: u64) -> Vec<Value> {
    let (mut at, mut log) = (since, Vec::new());
    loop {
        let page = client.read(&format!("/api/changes?since={at}&limit=777&collections=cars,ads")).await;
        log.extend(page["changes"].as_array().expect("changes").iter().cloned());
        let last = page["last_seq"].as_u64().expect("last_seq");
        if last == at {
            let head = client.read("/readyz?verbose").await["seq"].as_u64();
            assert!(head >= Some(at), "the log was read to {at}, its head is {head:?}");
            return log;
        }
        at = last;
    }
}

/// The log has every acknowledged write where its answer said, whole groups, and nothing that nobody sent.
fn check_log(log: &[Value], ledgers: &[Ledger], done: Done) {
    let seqs: Vec<u64> = log.iter().map(|change| change["seq"].as_u64().expect("seq")).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "sequences rise");
    let by_seq: BTreeMap<u64, &Value> = seqs.iter().copied().zip(log).collect();
    for (seq, key) in ledgers.iter().flat_map(|ledger| &ledger.acknowledged) {
        let change = by_seq
            .get(seq)
            .unwrap_or_else(|| panic!("{key:?} was acknowledged at {seq}, which is not in the log"));
        assert_eq!(
            (&change["op"], &change["collection"], &change["_id"]),
            (&json!("put"), &json!(key.0), &json!(key.1))
        );
    }
    let count = |op: &str| log.iter().filter(|change| change["op"] == op).count() as u64;
    assert_eq!(
        (count("put"), count("delete")),
        (done.puts, done.deletes),
        "puts and deletes in the log, and done"
    );
    let group_last = |change: &Value| change["group_last"].as_u64();
    assert!(
        log.iter().all(|change| group_last(change) >= change["seq"].as_u64()),
        "a group ends at or after its members"
    );
}

/// Each ad caused its line in the activity log, once.
async fn check_jobs(client: &Client, done: Done) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = client.read("/api/activity?max_results=1").await;
        let total = list["_meta"]["total"].as_u64();
        if total == Some(done.ads) {
            return;
        }
        assert!(
            Instant::now() < deadline && total < Some(done.ads),
            "{total:?} activities of {} ads",
            done.ads
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
